"""Pilots fitted without a fold, and the calling convention of a generator of this room."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, as_binary, as_matrix, count
from makeweight.theory.folds import stratified_folds
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic

__all__ = ["MinorityGenerator"]

MinorityGenerator = Callable[[Floats, Floats, int, np.random.Generator], Floats]
"""Fit on (features, labels) and write n rows of class 1: called as generator(features, labels, n, rng)."""


def called(generator: MinorityGenerator, features: Floats, labels: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Call a generator and check that it wrote what was asked for.

    >>> copy = lambda features, labels, n, rng: features[labels == 1][rng.integers(0, 1, size=n)]
    >>> called(copy, np.ones((2, 1)), np.array([0.0, 1.0]), 3, np.random.default_rng(0)).shape
    (3, 1)
    """
    rows = as_matrix(generator(features, labels, n, rng), "generated rows", columns=features.shape[1])
    if len(rows) != n:
        raise SchemaError("the generator wrote a wrong number of rows", got=len(rows), expected=n)
    return rows


def fold_pilots(
    table: Floats, target: Floats, folds: int, ridge: float, rng: np.random.Generator, start: Floats
) -> Iterator[tuple[npt.NDArray[np.bool_], LogisticFit]]:
    """Yield, per fold, the mask of held-out rows and the class-balanced pilot fitted on the others.

    >>> table, target = np.array([[0.0], [1.0], [0.5], [2.0]]), np.array([0.0, 1.0, 1.0, 0.0])
    >>> len(list(fold_pilots(table, target, 2, 1e-2, np.random.default_rng(0), np.zeros(2))))
    2
    """
    assigned = stratified_folds(target, folds, rng)
    for fold in range(folds):
        held = assigned == fold
        labels = target[~held]
        yield (
            held,
            fit_logistic(table[~held], labels, sample_weight=balanced_weights(labels), ridge=ridge, start=start),
        )


def checked_pair(
    features: npt.ArrayLike, labels: npt.ArrayLike, folds: int, *, least_imbalance: float = 1.0
) -> tuple[Floats, Floats]:
    """Return features and labels, checked: class 1 is the smaller and fills the folds.

    >>> checked_pair(np.arange(9.0)[:, None], [0, 0, 0, 0, 0, 1, 1, 1, 1], 2)[1].sum()
    np.float64(4.0)
    """
    table = as_matrix(features, "features")
    target = as_binary(labels, length=len(table))
    minority = int(target.sum())
    count(folds, "folds", least=2)
    if minority >= len(target) - minority:
        raise PlanError("class 1 must be the smaller one", got=f"{len(target) - minority} rows of 0, {minority} of 1")
    if len(target) - minority < least_imbalance * minority:
        raise PlanError(
            "too little imbalance to borrow majority rows",
            got=f"{len(target) - minority} to {minority}",
            expected=f"at least {least_imbalance:g} to 1",
        )
    if minority < 2 * folds:
        raise PlanError("too few minority rows for the folds", got=minority, expected=f">= {2 * folds}")
    return table, target
