"""CTGAN, TVAE and the Gaussian copula of the Synthetic Data Vault."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from makeweight.generators.adapters.adapter import Adapter, need
from makeweight.generators.frame.options import option

need("sdv")

__all__ = ["SDVGenerator"]

SYNTHESIZERS = {"ctgan": "CTGANSynthesizer", "tvae": "TVAESynthesizer", "gaussian-copula": "GaussianCopulaSynthesizer"}
TABLE = "table"


@dataclass(eq=False, repr=False)
class SDVGenerator(Adapter):
    """A synthesizer of the Synthetic Data Vault (``pip install "makeweight[sdv]"``).

    The Gaussian copula is told the group and writes rows of it. CTGAN and TVAE write rows of any group; those
    of others are rejected and counted, so a group of one row in a hundred costs a hundred rows each. TVAE may
    write none of it: the result is then a shortfall.

    Parameters
    ----------
    method : {"ctgan", "tvae", "gaussian-copula"}
        Which synthesizer.
    epochs : int
        Of CTGAN and TVAE.

    Notes
    -----
    SDV and ctgan are under the Business Source License 1.1, which limits use in production.

    References
    ----------
    Xu, Skoularidou, Cuesta-Infante, Veeramachaneni, "Modeling Tabular Data using Conditional GAN", NeurIPS 2019;
    Patki, Wedge, Veeramachaneni, "The Synthetic Data Vault", DSAA 2016.
    """

    seconds_per_row = (3e-2, 1e-2)

    method: str = option("gaussian-copula", words=tuple(SYNTHESIZERS))
    epochs: int = option(300, int, 1)

    def _learn(self, frame: pd.DataFrame, seed: int) -> None:
        import sdv.single_table
        from sdv.metadata import Metadata

        kinds = dict.fromkeys(frame.columns, "numerical") | dict.fromkeys(self._plain.categorical, "categorical")
        columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
        metadata = Metadata.load_from_dict({"tables": {TABLE: {"columns": columns}}})
        trained = {} if self.method == "gaussian-copula" else {"epochs": self.epochs, "enable_gpu": False}
        self._model: Any = getattr(sdv.single_table, SYNTHESIZERS[self.method])(metadata, **trained)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model.fit({TABLE: frame})

    def _rows(self, condition: Mapping[str, str], n: int, seed: int) -> pd.DataFrame:
        from sdv.sampling import Condition

        self._model.reset_sampling()
        self._model._set_random_state(seed)
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():  # a bar per call
            warnings.simplefilter("ignore")
            if self.method == "gaussian-copula":
                wanted = [Condition(dict(condition), num_rows=n, table_name=TABLE)]
                rows = self._model.sample_from_conditions(wanted, max_tries_per_batch=1)[TABLE]
            else:
                rows = self._model.sample(n)[TABLE]
        return pd.DataFrame(rows)
