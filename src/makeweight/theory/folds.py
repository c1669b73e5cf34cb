"""Stratified folds, pilots fitted without them, and the calling convention of a generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from makeweight.theory._checks import Floats, Integers

__all__ = ["stratified_folds"]


def stratified_folds(labels: Floats | Integers, folds: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return a fold number per row, balanced within each label.

    >>> np.bincount(stratified_folds(np.array([0.0, 0, 0, 1, 1, 1]), 3, np.random.default_rng(0)))
    array([2, 2, 2])
    """
    assigned = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        assigned[rng.permutation(rows)] = np.arange(len(rows)) % folds
    return assigned
