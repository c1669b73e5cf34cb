"""Which rows a context holds, what its columns stand for, and rows to be completed in contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

#: Fewest rows in an even context: in all, and per group.
LEAST_CONTEXT, LEAST_PER_GROUP = 100, 10
Request: TypeAlias = tuple[int, np.random.Generator]  # so many rows, by a stream


@dataclass(frozen=True)
class ColumnSpec:
    """What a column of numbers stands for."""

    categorical: bool  # codes 0 … K−1, in no order; otherwise numbers
    #: generated numbers are rounded to so many; negative rounds to tens. None: as they come.
    decimals: int | None = None
    unit: float | None = None  # of which all numbers are multiples


@dataclass(frozen=True)
class Draft:
    """Rows to be completed."""

    known: np.ndarray  # float64, shape (n, D)
    fixed: np.ndarray  # bool, shape (n, D): which cells are known
    rng: np.random.Generator

    def by_order(self, orders: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Known and fixed cells (B M D) and two uniform numbers per cell, row i in column order i modulo B."""
        n, width = self.known.shape
        each = -(-n // orders)

        def dealt(rows: np.ndarray) -> np.ndarray:
            return rows.reshape(each, orders, *rows.shape[1:]).swapaxes(0, 1)

        def filled(rows: np.ndarray) -> np.ndarray:
            return np.concatenate([rows, rows[:1].repeat(each * orders - n, 0)])

        uniforms = self.rng.random((each * orders, width, 2), dtype=np.float32)
        return dealt(filled(self.known)), dealt(filled(self.fixed)), dealt(uniforms)


def even_context(counts: Sequence[int], most: int) -> int:
    """Return how many rows an even context has, of groups of so many real rows, if it may have so many at most.

    >>> even_context([900, 100], 256), even_context([900, 10], 256)
    (200, 100)
    """
    fewest = max(LEAST_CONTEXT, LEAST_PER_GROUP * len(counts))
    return min(max(fewest, len(counts) * min(counts)), most)


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
