"""Rounded measurements: the values of a grid that few rows have or lack by chance."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from makeweight.generators.rows.scores import NormalScores, around
from makeweight.table import Column, Kind

__all__ = ["smoothed", "smoothing_unit"]

#: A column with fewer distinct values than this is left as it is, and so is one on a longer grid than this.
FEWEST, LONGEST = 5, 2_000
#: Bandwidths that are tried, as multiples of Silverman's rule; the last is even over the grid.
BANDWIDTHS = (0.1, 0.2, 0.35, 0.6, 1.0, np.inf)
#: Shares of its rows that an observed value keeps, and the one beyond which the column is left as it is.
KEPT, MOST_KEPT = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97), 0.5
#: A kernel narrower than this many steps of the grid moves nothing.
NARROW = 0.5


def smoothing_unit(column: Column) -> float | None:
    """Return of which all numbers of a column are multiples, as encoded; None where they are not to be smoothed.

    Days are not: which of them have no row is seldom chance.
    """
    return None if column.kind.is_coded or column.kind is Kind.DATETIME else column.unit


def smoothed(scale: NormalScores, unit: float | None) -> tuple[NormalScores, np.ndarray]:
    """Return the scale on which a column is written, and the scores between which each of its point masses lies.

    A few hundred rows have three of one value of a grid and none of the next, by chance, and rows that copy this can be
    told from real ones by it. Here the value x has the share a s(x) + (1 - a) k(x), with s its share of the real rows
    and k a Gaussian kernel estimate on the grid **[derived]**. Share and bandwidth are those with the largest
    leave-one-out likelihood. What a value that stands out has beyond its neighbours, it keeps, as a point mass.

    The scale is left as it is, and all that repeats is a point mass, where observed values are likeliest to keep more
    than half of their rows: among codes, and where gaps mean something.

    `scale`: read off a column. `unit`: of which the values are multiples; None where there is none. Returns shape
    (k, 2) for the scores.

    >>> ages = np.random.default_rng(0).normal(40, 10, 200).round()
    >>> scale = NormalScores.fit(ages)
    >>> whole, masses = smoothed(scale, 1.0)
    >>> len(scale.values), len(whole.values), len(masses)
    (39, 45, 0)
    """
    unchanged = scale, scale.ties()
    if unit is None or len(scale.values) < FEWEST:
        return unchanged
    first = np.round(scale.values[0] / unit)
    at = np.round(scale.values / unit - first).astype(np.int64)
    counts = np.round((scale.upper - scale.lower) / scale.row)
    length = int(at[-1]) + 1
    if length > LONGEST or (np.diff(at) < 1).any():
        return unchanged
    neighbours, lump = around(counts)
    usual = np.where(lump, np.round(neighbours), counts)
    on_grid, extra = np.zeros(length), np.zeros(length)
    on_grid[at], extra[at] = usual, counts - usual
    density = _density(on_grid)
    if density is None:
        return unchanged
    upper = np.cumsum(extra + density) / counts.sum()
    upper /= upper[-1]
    values = (first + np.arange(length)) * unit
    values[at] = scale.values
    whole = NormalScores(values, np.concatenate([[0.0], upper[:-1]]), upper, 0.0)
    return whole, ndtri(np.stack([scale.lower[lump], scale.upper[lump]], axis=1))


def _density(counts: np.ndarray) -> np.ndarray | None:
    """Return smooth counts on the grid, those with the largest leave-one-out likelihood; None for a column of codes.

    `counts` of shape (m,): of every value of the grid.
    """
    n, seen = counts.sum(), np.flatnonzero(counts)
    others = np.maximum(counts[seen] - 1, 0) / (n - 1)
    best, share, density = -np.inf, 1.0, counts
    for width in np.array(BANDWIDTHS) * _silverman(counts):
        if width < NARROW:
            continue
        inside = _kernel(np.ones(len(counts)), width)  # a kernel's mass stays on the grid
        smooth = _kernel(counts / inside, width)
        kernel = np.maximum(smooth[seen] - 1 / inside[seen], 0) / (n - 1)
        for kept in KEPT:
            with np.errstate(divide="ignore"):
                likelihood = float(counts[seen] @ np.log(kept * others + (1 - kept) * kernel))
            if likelihood > best:
                best, share, density = likelihood, kept, kept * counts + (1 - kept) * smooth
    return density if share <= MOST_KEPT else None


def _silverman(counts: np.ndarray) -> float:
    """Return the bandwidth of Silverman's rule, in steps of the grid."""
    n, at = counts.sum(), np.arange(len(counts))
    deviation = np.sqrt((counts * (at - counts @ at / n) ** 2).sum() / n)
    low, high = np.searchsorted(np.cumsum(counts) / n, [0.25, 0.75])
    return float(0.9 * min(deviation, (high - low) / 1.34 or deviation) * n**-0.2)


def _kernel(counts: np.ndarray, width: float) -> np.ndarray:
    """Return sums of Gaussians of height one."""
    if np.isinf(width):
        return np.full(len(counts), counts.sum())
    reach = int(np.ceil(4 * width))
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    return np.asarray(np.convolve(counts, bell)[reach : reach + len(counts)])
