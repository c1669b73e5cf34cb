"""Normal scores: a numeric column on the scale of a standard normal, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = ["MAX_LUMPS", "NormalScores", "lumps"]

#: A quantile function has at most this many points.
MAX_POINTS = 10_000
#: A column with more distinct values than this is never one of lumps.
MAX_LUMPS = 200
#: A lump has at least this many rows, this many times those of its neighbours on average, and stands out by
#: this many standard errors.
LUMP_ROWS, LUMP_RATIO, LUMP_ERRORS = 10, 2.0, 3.0


@dataclass(frozen=True, eq=False)
class NormalScores:
    """The pooled empirical distribution of one column, as a map to normal scores and its inverse.

    A value x becomes Phi^-1(u), where u is uniform on the interval [F(x-), F(x)] that the value's ties cover
    (the distributional transform). The scores of any column are so exactly normal, and a point mass keeps its
    share after smoothing. The inverse is the interpolated quantile function, flat over every tie.

    >>> scores = NormalScores.fit(np.array([0.0, 0.0, 1.0, 2.0]))
    >>> scores.inverse(np.array([-1.5, 0.0, 1.5])).round(2)
    array([0. , 0.5, 2. ])
    """

    values: np.ndarray  # shape (k,); distinct values in ascending order, k at most `MAX_POINTS` // 2
    #: shape (k,); F just below and at each value; F of value i lies between ``lower[i]`` and ``upper[i]``
    lower: np.ndarray
    upper: np.ndarray
    row: float  # the share of one row

    @classmethod
    def fit(cls, observed: np.ndarray) -> NormalScores:
        """Read the distribution off observed values.

        `observed` of shape (n,): without NaN; n at least 1. More distinct values than can be held are thinned to every
        so many ranks, first and last kept.
        """
        values, counts = np.unique(observed, return_counts=True)
        upper = np.cumsum(counts) / len(observed)
        lower = np.concatenate([[0.0], upper[:-1]])
        most = MAX_POINTS // 2
        if len(values) > most:
            # The last value of every equal share of the rows, so that point masses stay points of their own.
            last = np.searchsorted(upper, np.arange(1, most) / most)
            keep = np.unique(np.concatenate([[0], last, [len(values) - 1]]))
            values, upper = values[keep], upper[keep]
            lower = np.maximum(lower[keep], np.concatenate([[0.0], upper[:-1]]))
        return cls(values, lower, upper, 1.0 / len(observed))

    def transform(self, x: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Return normal scores; NaN stays NaN.

        `x` of shape (n,). `uniforms` of shape (n,) in [0, 1): where in its interval each value goes. Returns shape
        (n,).
        """
        low, high = self._ranks(x)
        share = 0.02 + 0.96 * uniforms  # away from the ends, where a score of an extreme row has no bound
        return np.where(np.isnan(x), np.nan, self._bounded(low + share * np.maximum(high - low, 0.0)))

    def interval(self, x: np.ndarray, half: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores that a value owns: those of its ties, or a little on both sides of its own.

        `x` of shape (n,): any score is possible where it is NaN. `half`: half the width of the interval of a value that
        is no tie. Returns `low, high` shape (n,).

        >>> scores = NormalScores.fit(np.array([0.0, 0.0, 1.0, 2.0]))
        >>> low, high = scores.interval(np.array([0.0, 1.0, np.nan]), half=0.05)
        >>> low.round(2), high.round(2)
        (array([-inf, 0.27, -inf]), array([0.  , 0.37,  inf]))
        """
        first, last = self._ranks(x)
        tied = last - first > 1.5 * self.row
        middle = self._bounded((first + last) / 2)
        low = np.where(tied, ndtri(first), middle - half)
        high = np.where(tied, ndtri(last), middle + half)
        absent = np.isnan(x)
        return np.where(absent, -np.inf, low), np.where(absent, np.inf, high)

    def locate(self, x: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """Return the scores from which `inverse` makes these values; NaN stays NaN.

        `x` of shape (n,): taken to the nearer end where they lie outside the column's range. `uniforms` of shape (n,)
        in [0, 1): where among its scores a value that repeats goes. Returns shape (n,).

        >>> scores = NormalScores.fit(np.array([0.0, 0.0, 1.0, 2.0]))
        >>> scores.inverse(scores.locate(np.array([0.0, 0.25, 2.0]), np.full(3, 0.5))).round(6)
        array([0.  , 0.25, 2.  ])
        """
        x = np.clip(x, self.values[0], self.values[-1])
        start, end = self._flat()
        at = np.clip(np.searchsorted(self.values, x, side="right") - 1, 0, len(self.values) - 1)
        following = np.minimum(at + 1, len(self.values) - 1)
        gap = np.where(following > at, self.values[following] - self.values[at], 1.0)
        between = end[at] + (x - self.values[at]) / gap * (start[following] - end[at])
        own = start[at] + uniforms * (end[at] - start[at])
        return np.where(np.isnan(x), np.nan, ndtri(np.where(self.values[at] == x, own, between)))

    def _flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Ranks between which the quantile function is flat, for every value; one rank where it does not repeat."""
        half = np.minimum(0.5 * self.lower_step, 0.5 * (self.upper - self.lower))
        return self.lower + half, self.upper - half

    def ties(self) -> np.ndarray:
        """Return the scores between which each value that repeats lies.

        Returns shape (k, 2), in ascending order; -inf or inf at the ends of the column.

        >>> NormalScores.fit(np.array([0.0, 0.0, 1.0, 2.0])).ties()
        array([[-inf,   0.]])
        """
        tied = self.upper - self.lower > 1.5 * self.row
        return np.stack([ndtri(self.lower[tied]), ndtri(self.upper[tied])], axis=1)

    def _ranks(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and last rank, in [0, 1], that a value owns; a value between two others owns a point."""
        last = len(self.values) - 1
        above = np.clip(np.searchsorted(self.values, x, side="left"), 0, last)
        exact = self.values[above] == x
        below = np.maximum(above - 1, 0)
        low = np.where(exact, self.lower[above], self.upper[below])
        high = np.where(exact, self.upper[above], np.maximum(self.lower[above], self.upper[below]))
        outside = (x > self.values[-1]).astype(np.float64)
        beyond = (x < self.values[0]) | (outside > 0)
        return np.where(beyond, outside, low), np.where(beyond, outside, high)

    def _bounded(self, ranks: np.ndarray) -> np.ndarray:
        """Scores of ranks, none further out than a quarter of a row."""
        bound = -float(ndtri(0.25 * self.lower_step))
        return np.asarray(np.clip(ndtri(ranks), -bound, bound))

    @property
    def lower_step(self) -> float:
        """The smallest share of rows that a point stands for."""
        return float(min(self.upper[0], 1.0 - self.lower[-1], 0.5))

    def inverse(self, scores: np.ndarray) -> np.ndarray:
        """Return the values at normal scores, on the interpolated quantile function.

        `scores`: any shape; NaN stays NaN.
        """
        ranks = np.stack(self._flat(), axis=1).ravel()
        return np.asarray(np.interp(ndtr(scores), ranks, np.repeat(self.values, 2)))


def lumps(values: np.ndarray) -> np.ndarray | None:
    """Return the distinct values of a column that consists of lumps, None for any other column.

    A lump is a value much more frequent than the values next to it, beyond chance: moving a number a little
    makes no sense where at least half of the rows are in lumps **[derived]**.

    `values` of shape (n,): NaN where missing. Returns shape (n_distinct,).

    >>> hours = np.repeat([35.0, 38.0, 39.0, 40.0, 41.0, 45.0], [5, 6, 4, 60, 3, 20])
    >>> lumps(hours)
    array([35., 38., 39., 40., 41., 45.])
    >>> lumps(np.arange(100.0) // 4) is None
    True
    """
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not 3 <= len(distinct) <= MAX_LUMPS:
        return None
    lump = around(counts)[1]
    return distinct if counts[lump].sum() >= 0.5 * counts.sum() else None


def around(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean count of every value's neighbours, and which values are lumps beside them.

    `counts` of shape (k,): of values in ascending order, k at least 3.

    >>> around(np.array([2, 3, 40, 4, 2]))[1].tolist()
    [False, False, True, False, False]
    """
    below, above = np.append(counts[1], counts[:-1]), np.append(counts[1:], counts[-2])
    mean = (below + above) / 2
    stands_out = counts - mean > LUMP_ERRORS * np.sqrt(counts + mean / 2)
    return mean, stands_out & (counts >= LUMP_ROWS) & (counts > LUMP_RATIO * mean)
