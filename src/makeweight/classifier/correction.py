"""Weights that take from synthetic rows what a classifier can tell from real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from makeweight.errors import PlanError
from makeweight.generators.rows.dummies import Dummies
from makeweight.table import Schema, Table
from makeweight.theory import cross_fitted_ratio, density_ratio_weights

FOLDS = 5


def density_ratio(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> np.ndarray:
    """Return a weight per synthetic row of one group: the density of real rows over that of synthetic ones.

    Weights are factors of .1 to 10, scaled to mean one. Fewer than two rows of either are a PlanError.

    Source: docs/theory.md, "Borrowing from the majority": the form of bias correction for learners that take
    no negative weights. Categories enter as one column each, missing values as columns of their own.

    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(size=300).round(3), "y": "a"})
    >>> synthetic = pd.DataFrame({"x": (rng.normal(size=600) + 1).round(3), "y": "a"})
    >>> weights = density_ratio(real, synthetic, Schema.infer(real), rng)
    >>> bool((weights * synthetic["x"]).mean() < 0.3 < synthetic["x"].mean())
    True
    """
    folds = min(FOLDS, len(real), len(synthetic))
    if folds < 2:
        raise PlanError(
            "too few rows to correct the bias of a group",
            got=f"{len(real)} real and {len(synthetic)} synthetic",
            expected="two of each",
            hint="set bias_correction=None",
        )
    dummies = Dummies(schema, one_hot=True)
    if not dummies.width:
        return np.ones(len(synthetic))
    both = Table(pd.concat([real, synthetic], ignore_index=True)[schema.names], schema)
    matrix = dummies.fit_encode(both, np.arange(len(both)))
    first, second = matrix[: len(real)], matrix[len(real) :]
    ratio = cross_fitted_ratio(first, second, rng=rng, folds=folds)
    return density_ratio_weights(ratio, len(real), len(synthetic))
