"""Boosted trees, many tables at once: single thresholds, found among all columns.

Shallow trees are fitted one after the other to the gradient of the balanced log-loss, on binned cells. Every table is
split into folds; a fold's rows are judged by trees that were fitted to the others, rows to label by the mean of all.

Shapes: B tables, F folds, N rows that are learned from, R rows, D columns, K bins, L nodes of a level.
"""

from __future__ import annotations

import numpy as np

from makeweight.generators.transformer.arrays import Array, of

FOLDS = 3
ROUNDS = 20
DEPTH = 3
RATE = 0.3
RIDGE = 2.0  # balanced rows that pull a leaf to zero
COLUMNS = 0.6  # chance of a column to be offered to a tree


def boost(bins: Array, categorical: Array, label: Array, count: int, rng: np.random.Generator) -> Array:
    """Log-ratio of rows by boosted trees, of the rows that are learned from by the trees of the other folds.

    `bins` (Array of int, shape (B, R, D)): below ``count``; numbers in their order, the last bin where missing. The
    first N rows are learned from. `categorical` (Array of bool, shape (B, D)): columns that are split by equality
    instead of order. `label`: Array, shape (B, N). `count`: bins of a column. `rng`: draws folds and columns.

    >>> bins = np.arange(40).reshape(1, 40, 1)
    >>> label = (bins[..., 0] > 25).astype(np.float32)
    >>> odds = boost(bins, np.array([[False]]), label, 40, np.random.default_rng(0))
    >>> bool((odds[0, 30:] > 0).all() and (odds[0, :20] < 0).all())
    True
    """
    xp = of(label)
    batch, every, columns = bins.shape
    rows, fits = label.shape[1], batch * FOLDS
    fold = _folds(label, rng)
    inside = xp.single(fold[:, None] != xp.arange(FOLDS, label)[:, None])  # B F N
    sides = [inside * amount[:, None] for amount in (label, 1 - label)]
    half = inside.sum(axis=-1)[..., None] / 2
    weight = sum(side * half / side.sum(axis=-1)[..., None].clip(1) for side in sides).reshape(fits, rows)
    y, cells, flags = (_per_fold(x) for x in (label, bins, categorical))
    odds = xp.zeros((fits, every), label)
    for _ in range(ROUNDS):
        p = xp.sigmoid(odds[:, :rows])
        offered = xp.array((rng.random((fits, columns)) < COLUMNS).astype(np.float32), label)
        odds = odds + RATE * _tree(cells, flags, offered, weight * (y - p), weight * p * (1 - p), count)
    odds = odds.reshape(batch, FOLDS, every)
    own = xp.take(odds[..., :rows], fold[:, None], 1)[:, 0]
    return xp.concatenate([own, odds[..., rows:].mean(axis=1)], axis=1)


def _per_fold(x: Array) -> Array:
    """Every table as often as there are folds: (B …) -> (B·F …)."""
    xp = of(x)
    return xp.stack([x] * FOLDS, axis=1).reshape(len(x) * FOLDS, *x.shape[1:])


def _folds(label: Array, rng: np.random.Generator) -> Array:
    """Fold of every row (B N), as many rows of either label in each."""
    xp = of(label)
    rows = label.shape[1]
    order = xp.argsort(xp.array(rng.random(label.shape), label))
    return xp.argsort(xp.argsort(xp.whole(label) * rows * 2 + order)) % FOLDS  # by places among the rows of the label


def _tree(cells: Array, categorical: Array, offered: Array, pull: Array, curve: Array, count: int) -> Array:
    """Fit a tree to gradients and curvatures of the first rows (B N each): its step for every row (B R)."""
    xp = of(pull)
    fits, every, columns = cells.shape
    rows = pull.shape[1]
    some = bool(categorical.any())
    place = xp.arange(columns, cells) * count + cells[:, :rows]  # B N D
    node = xp.whole(xp.zeros((fits, every), pull))
    for level in range(DEPTH):
        nodes = 2**level
        index = (node[:, :rows, None] * (columns * count) + place).reshape(fits, -1)
        left, total = [], []
        for amount in (pull, curve):
            sums = xp.sum_at(index, xp.repeat(amount, columns), nodes * columns * count)
            sums = sums.reshape(fits, nodes, columns, count)
            total.append(sums[:, :, :1].sum(axis=-1)[..., None])
            ordered = sums.cumsum(axis=-1)
            left.append(xp.where(categorical[:, None, :, None], sums, ordered) if some else ordered)
        right = (total[0] - left[0]) ** 2 / (total[1] + RIDGE - left[1])
        gain = (left[0] ** 2 / (left[1] + RIDGE) + right) * offered[:, None, :, None]
        best = gain.reshape(fits, nodes, -1).argmax(axis=-1)  # B L
        column, point = best // count, best % count
        equal = xp.take(categorical, column, 1)
        own_column, own_point, own_equal = (xp.take(split, node, 1) for split in (column, point, equal))  # B R
        value = xp.take(cells, own_column[..., None], 2)[..., 0]
        node = 2 * node + xp.where(own_equal, value == own_point, value <= own_point)
    leaves = [xp.sum_at(node[:, :rows], amount, 2**DEPTH) for amount in (pull, curve)]
    return xp.take(leaves[0] / (leaves[1] + RIDGE), node, 1)
