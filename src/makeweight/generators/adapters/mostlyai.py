"""TabularARGN, the autoregressive network of MOSTLY AI."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pandas as pd

from makeweight.generators.adapters.adapter import Adapter, need
from makeweight.generators.frame.options import option

need("mostlyai", "mostlyai.engine")

__all__ = ["MostlyAIGenerator"]


@dataclass(eq=False, repr=False)
class MostlyAIGenerator(Adapter):
    """TabularARGN of mostlyai-engine (``pip install "makeweight[mostlyai]"``), told the group by seed data.

    Label and attributes are the first columns of its order; every row is of the group that was asked for.

    Parameters
    ----------
    max_epochs : float
        Training stops before where held-out rows get no likelier.
    max_minutes : float
        Of training.
    value_protection : bool
        Whether rare categories and extreme values are hidden, as is its default. Rows that hold the word for a hidden
        category are rejected and counted.

    References
    ----------
    Tiwald, Krchova, Sidorenko, Vargas Vieyra, Scriminaci, Platzer, "TabularARGN: A Flexible and Efficient
    Auto-Regressive Framework for Generating High-Fidelity Synthetic Data", arXiv 2501.12012.
    """

    seconds_per_row = (6e-2, 1e-3)

    max_epochs: float = option(100.0, float, 0, above=True)
    max_minutes: float = option(60.0, float, 0, above=True)
    value_protection: bool = option(True, bool)

    def _learn(self, frame: pd.DataFrame, seed: int) -> None:
        from mostlyai.engine import TabularARGN

        kinds = dict.fromkeys(frame.columns, "TABULAR_NUMERIC_AUTO")
        kinds |= dict.fromkeys(self._plain.categorical, "TABULAR_CATEGORICAL")
        model = TabularARGN(
            max_epochs=self.max_epochs,
            max_training_time=self.max_minutes,
            value_protection=self.value_protection,
            tgt_encoding_types=kinds,
            device="cpu",
            random_state=seed,
            verbose=0,
        )
        with _own_seed(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model: Any = model.fit(X=frame)

    def _rows(self, condition: Mapping[str, str], n: int, seed: int) -> pd.DataFrame:
        wanted = pd.DataFrame({name: [value] * n for name, value in condition.items()})
        with _own_seed(seed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pd.DataFrame(self._model.sample(n_samples=n, seed_data=wanted, device="cpu"))


def _own_seed(seed: int) -> Any:
    """Tell its worker processes the seed through the variable they read, inside a ``with`` block."""
    return mock.patch.dict(os.environ, {"MOSTLYAI_ENGINE_SEED": str(seed)})
