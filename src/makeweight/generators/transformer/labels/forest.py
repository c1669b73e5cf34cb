"""Extremely randomised trees, many tables at once: what splits at thresholds say about a binary label.

Every tree sees a random half or so of its table's rows (its bag). A node draws a few candidates, each a column and
the value of one of its own rows, and keeps the one that separates the labels best. Numbers are split by order,
categories by being equal. A row that was learned from is judged by the trees whose bag it was not in.

Shapes: B tables, T trees, N rows that are learned from, R rows to judge, D columns, C candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from makeweight.generators.transformer.arrays import Array, of

__all__ = ["Forest", "own"]

CANDIDATES = 3  # splits that a node chooses from; four take half as long again and gain nothing beside the others
BAG = 0.6  # share of the rows of a table that a tree sees
SMALLEST = 3.0  # balanced rows (either label counts as half of the bag) below which a node is not split
PSEUDO = 0.5  # balanced rows of either label that are added to every leaf


@dataclass(frozen=True)
class Forest:
    """Trees as arrays: level by level, a column and a threshold per node, and a log-ratio per leaf."""

    column: Array  # B T nodes
    threshold: Array  # B T nodes
    equal: Array  # B T nodes  True where the split asks for equality
    leaf: Array  # B T leaves  probability of label 1 if both were equally frequent
    bag: Array  # B T N  rows that the tree has seen
    place: Array  # B T N  leaf of every row that is learned from
    depth: int


def depth_of(rows: int) -> int:
    """Levels of a tree: a few more than halving the rows takes, but no more than nine."""
    return min(9, max(3, math.ceil(math.log2(rows))))


def _test(values: Array, column: Array, threshold: Array, equal: Array) -> Array:
    """Whether rows go right: values (B R D), the rest (B T R) or (B T R C)."""
    xp = of(values)
    row = xp.arange(values.shape[1], values).reshape(-1, *[1] * (column.ndim - 3))
    at = (row * values.shape[2] + column).reshape(len(values), -1)
    cell = xp.take(values.reshape(len(values), -1), at, 1).reshape(column.shape)
    return xp.where(equal, cell == threshold, cell > threshold)


def grow(values: Array, categorical: Array, label: Array, trees: int, rng: np.random.Generator) -> Forest:
    """Grow a forest on every table.

    `values` (Array, shape (B, N, D)): numbers and codes; a missing value is a number of its own. `categorical`: Array
    of bool, shape (B, D). `label` (Array, shape (B, N)): 0 or 1.

    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(1, 40, 1)
    >>> forest = grow(x, np.array([[False]]), (x[..., 0] > 0).astype(np.float32), 8, np.random.default_rng(0))
    >>> bool((np.diff(judge(forest, np.array([[[-0.9], [0.9]]]))) > 1).all())
    True
    """
    xp = of(values)
    batch, rows, _ = values.shape
    depth, shape = depth_of(rows), (batch, trees, rows)
    bag = xp.array(rng.random(shape, dtype=np.float32) < BAG, label)
    total = [xp.single((bag & (label == k)[:, None]).sum(axis=-1)).clip(1)[..., None] for k in (0, 1)]  # B T 1
    each = xp.where(label[:, None] > 0, 1 / total[1], 1 / total[0]) * bag * (0.5 * BAG * rows)
    weights = [each * (label == k)[:, None] for k in (0, 1)]  # B T N  balanced rows
    node = xp.whole(xp.zeros(shape, label))
    levels = []
    for level in range(depth):
        split, right = _best_splits(values, categorical, weights, bag, node, 2**level, rng)
        levels.append(split)
        node = 2 * node + right
    tally = [xp.sum_at(node, side, 2**depth) for side in weights]
    leaf = (tally[1] + PSEUDO) / (tally[0] + tally[1] + 2 * PSEUDO)
    column, threshold, equal = (xp.concatenate(list(parts), axis=-1) for parts in zip(*levels, strict=True))
    return Forest(column, threshold, equal, leaf, bag, node, depth)


def _best_splits(
    values: Array,
    categorical: Array,
    weights: list[Array],
    bag: Array,
    node: Array,
    nodes: int,
    rng: np.random.Generator,
) -> tuple[tuple[Array, Array, Array], Array]:
    """Splits of a level (column, threshold and equality, each B T nodes), and the rows that go right (B T N)."""
    xp = of(values)
    batch, trees, rows = bag.shape
    columns = values.shape[2]
    # a random row of the bag for every candidate of every node: the largest of random keys
    key = xp.where(bag, xp.array(rng.random(bag.shape, dtype=np.float32), values), 0)
    source = _random_rows(key, node, nodes, CANDIDATES)  # B T nodes*C
    column = xp.array(rng.integers(columns, size=(batch, trees, nodes * CANDIDATES)), values)
    threshold = _pick(values, source * columns + column)
    equal = _pick(categorical, column)
    at = (node[..., None] * CANDIDATES + xp.arange(CANDIDATES, values)).reshape(batch, trees, -1)  # B T N*C
    candidates = (xp.take(t, at, 2).reshape(batch, trees, rows, CANDIDATES) for t in (column, threshold, equal))
    right = _test(values, *candidates)
    index = 2 * at + right.reshape(at.shape)
    sums = [xp.sum_at(index, xp.repeat(side, CANDIDATES), nodes * CANDIDATES * 2) for side in weights]
    zero, one = (s.reshape(batch, trees, nodes, CANDIDATES, 2) for s in sums)
    size = one + zero
    purity = ((one**2 + zero**2) / size.clip(1e-6)).sum(axis=-1)  # larger is better
    purity = xp.where((size > 0).all(axis=-1), purity, -1)
    best = purity.argmax(axis=-1)  # B T nodes
    small = (size[..., 0, :].sum(axis=-1) < SMALLEST) | (xp.amax(purity, axis=-1) < 0)
    at = xp.arange(nodes, values) * CANDIDATES + best
    cut = xp.where(small, math.inf, xp.take(threshold, at, 2))  # nobody goes right
    went = xp.take(right, xp.take(best, node, 2)[..., None], 3)[..., 0] & ~xp.take(small, node, 2)
    return (xp.take(column, at, 2), cut, xp.take(equal, at, 2)), went


def _pick(values: Array, index: Array) -> Array:
    """Return what stands at an index (B …) into the flat values of every table (B …)."""
    batch = len(values)
    return of(values).take(values.reshape(batch, -1), index.reshape(batch, -1), 1).reshape(index.shape)


def _random_rows(key: Array, node: Array, nodes: int, count: int) -> Array:
    """Rows drawn from every node (B T nodes*count) by keys (B T N), 0 outside the bag; any row where there is none."""
    xp = of(key)
    order = xp.argsort(node + key.clip(None, 0.9999))  # within a node the rows outside the bag come first
    one = xp.zeros(key.shape, key) + 1
    size, held = (xp.whole(xp.sum_at(node, amount, nodes)) for amount in (one, xp.single(key > 0)))
    back = 1 + xp.arange(count, key) % held.clip(1)[..., None]  # the last rows of the node, over again if they are few
    at = (size.cumsum(axis=-1)[..., None] - back).clip(0, node.shape[-1] - 1)
    return xp.take(order, at.reshape(*at.shape[:2], -1), 2)


def judge(forest: Forest, values: Array) -> Array:
    """Log-ratio of rows that no tree has seen: the mean over the trees, (B R D) -> (B R)."""
    xp = of(values)
    batch, trees = forest.leaf.shape[:2]
    node = xp.whole(xp.zeros((batch, trees, values.shape[1]), forest.leaf))
    start = 0
    for level in range(forest.depth):
        here = slice(start, start + 2**level)
        parts = [xp.take(t[..., here], node, 2) for t in (forest.column, forest.threshold, forest.equal)]
        node = 2 * node + _test(values, *parts)
        start += 2**level
    return _logit(xp.take(forest.leaf, node, 2).mean(axis=1))


def own(forest: Forest) -> Array:
    """Log-ratio of the rows that were learned from, by the trees that have not seen them: (B N)."""
    xp = of(forest.leaf)
    out = xp.single(~forest.bag)
    mean = ((xp.take(forest.leaf, forest.place, 2) * out).sum(axis=1) + 0.5) / (out.sum(axis=1) + 1)
    return _logit(mean)


def _logit(p: Array) -> Array:
    return of(p).log(p / (1 - p))
