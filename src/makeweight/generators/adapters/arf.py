"""Adversarial random forests."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.generators.adapters.adapter import Adapter, need
from makeweight.generators.frame.options import option

need("arfpy")

__all__ = ["ARFGenerator"]

#: Spread of a leaf whose numbers are all equal, in standard deviations of the column.
LEAST_SPREAD = 1e-9


@dataclass(eq=False, repr=False)
class ARFGenerator(Adapter):
    """An adversarial random forest of arfpy (``pip install "makeweight[arf]"``), told the group by its leaves.

    A row comes from a leaf: each leaf is drawn by its share of the rows times what it gives the group, and the
    other columns are independent within it. So every row is of the group that was asked for.

    Parameters
    ----------
    trees : int
        Of every forest.
    min_node_size : int
        Rows of a leaf.
    max_rounds : int
        Of forests that tell real rows from those of the forest before.

    References
    ----------
    Watson, Blesch, Kapar, Wright, "Adversarial Random Forests for Density Estimation and Generative Modeling",
    AISTATS 2023.
    """

    seconds_per_row = (1e-2, 2e-3)

    trees: int = option(30, int, 1)
    min_node_size: int = option(5, int, 1)
    max_rounds: int = option(10, int, 0)

    def _learn(self, frame: pd.DataFrame, seed: int) -> None:
        from arfpy.arf import arf

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model: Any = arf(
                frame.astype(dict.fromkeys(self._plain.categorical, "category")),
                num_trees=self.trees,
                max_iters=self.max_rounds,
                min_node_size=self.min_node_size,
                verbose=False,
                random_state=seed,
            )
            self._model.forde()
        params = self._model.params
        if len(params):  # without spread there is no law to draw from
            spread = LEAST_SPREAD * params["variable"].map(frame.std(numeric_only=True)).clip(lower=LEAST_SPREAD)
            params["sd"] = params["sd"].fillna(0.0).clip(lower=spread)

    def _rows(self, condition: Mapping[str, str], n: int, seed: int) -> pd.DataFrame:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = _given(self._model, condition).forge(n)
        return pd.DataFrame(rows)


def _given(model: Any, condition: Mapping[str, str]) -> Any:
    """Return the forest with the leaves weighed by what they give the group, which alone is left in them."""
    leaf = ["tree", "nodeid"]
    classes, weights = model.class_probs, None
    for name, value in condition.items():
        code = list(model.levels[name]).index(value)
        own = classes[(classes["variable"] == name) & (classes["value"] == code)].set_index(leaf)["prob"]
        weights = own if weights is None else (weights * own).dropna()
        classes = classes[(classes["variable"] != name) | (classes["value"] == code)]
    assert weights is not None
    shares = pd.MultiIndex.from_frame(model.bnds[leaf]).map(weights)
    bounds = model.bnds.assign(cvg=model.bnds["cvg"] * np.nan_to_num(np.asarray(shares, dtype=float)))
    bounds = bounds[bounds["cvg"] > 0]
    total = bounds.drop_duplicates(leaf)["cvg"].sum()
    given = copy.copy(model)
    given.bnds = bounds.assign(cvg=bounds["cvg"] * model.num_trees / total)
    given.class_probs = classes
    return given
