"""Which rows a context holds, and what its columns stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ColumnSpec:
    """What a column of numbers stands for."""

    categorical: bool  # codes 0 … K−1, in no order; otherwise numbers
    #: generated numbers are rounded to so many; negative rounds to tens. None: as they come.
    decimals: int | None = None


def draw_context(groups: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Row positions of a stratified context: whole groups while they are small, equal shares of the rest.

    `groups`: int, shape (n,). `most`: rows wanted; all rows where there are no more. Returns int, shape (min(n,
    most),).

    >>> groups = np.array([0] * 90 + [1] * 10)
    >>> chosen = draw_context(groups, 40, np.random.default_rng(0))
    >>> np.bincount(groups[chosen]).tolist()
    [30, 10]
    """
    if len(groups) <= most:
        return np.arange(len(groups))
    ranks = np.empty(len(groups))
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        ranks[rows] = rng.permutation(len(rows)) + rng.random(len(rows))  # ties between groups by chance
    return np.sort(np.argsort(ranks, kind="stable")[:most])


def repeated_values(values: np.ndarray) -> np.ndarray | None:
    """Return the distinct numbers of a column where every one repeats.

    >>> repeated_values(np.array([2.5, 1.0, 2.5, np.nan, 1.0])), repeated_values(np.array([2.5, 1.0, 2.5]))
    (array([1. , 2.5]), None)
    """
    levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return levels if len(levels) and counts.min() > 1 else None
