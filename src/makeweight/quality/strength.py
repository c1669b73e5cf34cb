"""How strongly columns of any kind go together, for many draws of rows at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from makeweight.quality.nulls import merge_rare
from makeweight.quality.rows import ComparedRows, GroupRows
from makeweight.table import Column

MOST_LEVELS = 12
#: Numbers held at once while draws are worked out together.
AT_ONCE = 4_000_000


@dataclass(frozen=True, eq=False)
class Blocks:
    """Columns as numbers: ranks of numbers, one dummy per level of categories."""

    matrix: np.ndarray  # shape (n, d)
    starts: np.ndarray  # int, shape (k,): first position of every column
    is_number: np.ndarray  # bool, shape (k,)


def encode(rows: ComparedRows, columns: Sequence[Column], group: GroupRows) -> Blocks:
    """Return columns as blocks, by rules that do not know which rows are synthetic."""
    blocks, starts, kinds, at = [], [], [], 0
    for column in columns:
        name: Hashable = column.name
        values = np.concatenate([rows.real.values[name][group.real], rows.synthetic.values[name][group.synthetic]])
        is_number = values.dtype == np.float64
        block = _ranks(values) if is_number else _dummies(values)
        blocks.append(block)
        starts.append(at)
        kinds.append(is_number)
        at += block.shape[1]
    return Blocks(np.hstack(blocks), np.array(starts), np.array(kinds, dtype=bool))


def _ranks(values: np.ndarray) -> np.ndarray:
    gone = np.isnan(values)
    ranks = np.zeros(len(values))
    if not gone.all():
        places = rankdata(values[~gone])
        ranks[~gone] = places / len(places) - places.mean() / len(places)
    return ranks[:, None]


def _dummies(codes: np.ndarray) -> np.ndarray:
    numbers = merge_rare(codes, MOST_LEVELS)
    return np.asarray(np.eye(int(numbers.max()) + 1)[numbers])


def associate(left: Blocks, right: Blocks, weights: np.ndarray) -> np.ndarray:
    """Return the associations of all left with all right columns, of weighted rows.

    Numbers with numbers: Spearman's rank correlation. Numbers with categories: the correlation ratio of
    ranks. Categories with categories: Cramér's V. The last two are corrected for the bias of few rows.

    `left`, `right`: of the same rows. `weights` (shape (n, draws)): not negative. Returns shape (draws, left columns,
    right columns).

    The corrections are Bergsma's (2013) of V and Kelley's (1935) epsilon squared of the ratio. Ranks are
    those among all rows, so that draws differ in weights alone.

    >>> rows = np.arange(50.0)[:, None]
    >>> numbers = Blocks(np.hstack([rows, -rows]), np.array([0, 1]), np.array([True, True]))
    >>> associate(numbers, numbers, np.ones((50, 1)))[0].round(6).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    n_rows, width = left.matrix.shape
    step = max(1, AT_ONCE // max(1, n_rows * width))
    parts = [_associate(left, right, weights[:, i : i + step]) for i in range(0, weights.shape[1], step)]
    return np.concatenate(parts)


def _associate(left: Blocks, right: Blocks, weights: np.ndarray) -> np.ndarray:
    w = np.asarray(weights / weights.sum(axis=0), dtype=float).T  # (draws, n)
    n = (1.0 / (w**2).sum(axis=1))[:, None, None]  # as many equal rows as the weights are worth
    x, y = left.matrix, right.matrix
    cross = (x.T[None] * w[:, None, :]) @ y  # (draws, d of left, d of right)
    mean_x, mean_y = w @ x, w @ y
    var_x, var_y = w @ x**2 - mean_x**2, w @ y**2 - mean_y**2
    out = np.zeros((len(w), len(left.starts), len(right.starts)))
    number_x, number_y = np.flatnonzero(left.is_number), np.flatnonzero(right.is_number)
    other_x, other_y = np.flatnonzero(~left.is_number), np.flatnonzero(~right.is_number)
    at_x, at_y = left.starts[number_x], right.starts[number_y]
    if len(number_x) and len(number_y):
        covariance = cross[:, at_x][:, :, at_y] - mean_x[:, at_x, None] * mean_y[:, None, at_y]
        scale = np.sqrt(np.maximum(var_x[:, at_x, None] * var_y[:, None, at_y], 0.0))
        out[:, number_x[:, None], number_y] = _ratio(covariance, scale)
    if len(other_x) and len(other_y):
        out[:, other_x[:, None], other_y] = _cramer(left, right, cross, mean_x, mean_y, n)
    if len(number_x) and len(other_y):
        out[:, number_x[:, None], other_y] = _correlation_ratio(
            cross[:, at_x], mean_x[:, at_x], var_x[:, at_x], right, mean_y, n
        )
    if len(other_x) and len(number_y):
        out[:, other_x[:, None], number_y] = _correlation_ratio(
            cross[:, :, at_y].transpose(0, 2, 1), mean_y[:, at_y], var_y[:, at_y], left, mean_x, n
        ).transpose(0, 2, 1)
    return out


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    clear = below > 1e-12
    return np.where(clear, above / np.where(clear, below, 1.0), 0.0)


def _sums(blocks: Blocks, values: np.ndarray, axis: int) -> np.ndarray:
    """Sum the levels of every category along an axis."""
    summed = np.add.reduceat(values, blocks.starts, axis=axis)
    return np.asarray(np.compress(~blocks.is_number, summed, axis=axis))


def _cramer(
    left: Blocks, right: Blocks, cross: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray, n: np.ndarray
) -> np.ndarray:
    expected = mean_x[:, :, None] * mean_y[:, None, :]
    phi = _sums(right, _sums(left, _ratio((cross - expected) ** 2, expected), 1), 2)
    r = _sums(left, (mean_x > 0).astype(float), 1)[:, :, None]
    c = _sums(right, (mean_y > 0).astype(float), 1)[:, None, :]
    others = np.maximum(n - 1, 1.0)
    corrected = np.maximum(0.0, phi - (r - 1) * (c - 1) / others)
    fewer = np.minimum(r - (r - 1) ** 2 / others, c - (c - 1) ** 2 / others) - 1
    return np.asarray(np.sqrt(np.clip(_ratio(corrected, np.maximum(fewer, 0.0)), 0.0, 1.0)))


def _correlation_ratio(
    cross: np.ndarray, mean: np.ndarray, variance: np.ndarray, blocks: Blocks, shares: np.ndarray, n: np.ndarray
) -> np.ndarray:
    """Return the square root of epsilon squared of numbers (rows) by categories (columns)."""
    between = _ratio(cross**2, np.broadcast_to(shares[:, None, :], cross.shape))
    explained = _ratio(_sums(blocks, between, 2) - mean[:, :, None] ** 2, variance[:, :, None])
    k = _sums(blocks, (shares > 0).astype(float), 1)[:, None, :]
    unbiased = 1.0 - (1.0 - explained) * np.maximum(n - 1, 1.0) / np.maximum(n - k, 1.0)
    return np.asarray(np.sqrt(np.clip(unbiased, 0.0, 1.0)))
