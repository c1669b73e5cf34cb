"""Extremely randomised trees, many tables at once: what splits at thresholds say about a binary label.

Every tree sees a random half or so of its table's rows (its bag). A node draws a few candidates, each a column and
the value of one of its own rows, and keeps the one that separates the labels best. Numbers are split by order,
categories by being equal. A row that was learned from is judged by the trees whose bag it was not in.

Shapes: B tables, T trees, N rows that are learned from, R rows to judge, D columns, C candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Forest", "own"]

CANDIDATES = 3  # splits that a node chooses from; four take half as long again and gain nothing beside the others
BAG = 0.6  # share of the rows of a table that a tree sees
SMALLEST = 3.0  # balanced rows (either label counts as half of the bag) below which a node is not split
PSEUDO = 0.5  # balanced rows of either label that are added to every leaf


@dataclass(frozen=True)
class Forest:
    """Trees as arrays: level by level, a column and a threshold per node, and a log-ratio per leaf."""

    column: Tensor  # B T nodes
    threshold: Tensor  # B T nodes
    equal: Tensor  # B T nodes  True where the split asks for equality
    leaf: Tensor  # B T leaves  probability of label 1 if both were equally frequent
    bag: Tensor  # B T N  rows that the tree has seen
    place: Tensor  # B T N  leaf of every row that is learned from
    depth: int


def depth_of(rows: int) -> int:
    """Levels of a tree: a few more than halving the rows takes, but no more than nine."""
    return min(9, max(3, math.ceil(math.log2(rows))))


def _test(values: Tensor, column: Tensor, threshold: Tensor, equal: Tensor) -> Tensor:
    """Whether rows go right: values (B N D), the rest (B T N) or (B T N C)."""
    flat = column.flatten(1)  # B T*N*C
    row = torch.arange(values.shape[1], device=values.device)
    row = row.reshape(1, 1, -1, *[1] * (column.ndim - 3)).expand_as(column).flatten(1)
    cell = values.flatten(1).gather(1, row * values.shape[2] + flat).reshape(column.shape)
    return torch.where(equal, cell == threshold, cell > threshold)


def grow(values: Tensor, categorical: Tensor, label: Tensor, trees: int, generator: torch.Generator) -> Forest:
    """Grow a forest on every table.

    `values` (Tensor, shape (B, N, D)): numbers and codes; a missing value is a number of its own. `categorical`: Tensor
    of bool, shape (B, D). `label` (Tensor, shape (B, N)): 0 or 1.

    >>> x = torch.linspace(-1, 1, 40).reshape(1, 40, 1)
    >>> forest = grow(x, torch.tensor([[False]]), (x[..., 0] > 0).float(), 8, torch.Generator().manual_seed(0))
    >>> bool((judge(forest, torch.tensor([[[-0.9], [0.9]]])).diff() > 1).all())
    True
    """
    batch, rows, _ = values.shape
    depth, shape, device = depth_of(rows), (batch, trees, rows), values.device
    bag = torch.rand(shape, generator=generator, device=device) < BAG
    total = torch.stack([(bag * (label == k)[:, None]).sum(-1) for k in (0, 1)], -1).clamp_min(1)  # B T 2
    each = torch.where(label[:, None] > 0, 1 / total[..., 1:], 1 / total[..., :1]) * bag * (0.5 * BAG * rows)
    weights = [each * (label == k)[:, None] for k in (0, 1)]  # B T N  balanced rows
    node = torch.zeros(shape, dtype=torch.long, device=device)
    levels = []
    for level in range(depth):
        split, right = _best_splits(values, categorical, weights, bag, node, 2**level, generator)
        levels.append(split)
        node = 2 * node + right
    tally = [torch.zeros(batch, trees, 2**depth, device=device).scatter_add_(2, node, side) for side in weights]
    leaf = (tally[1] + PSEUDO) / (tally[0] + tally[1] + 2 * PSEUDO)
    column, threshold, equal = (torch.cat(parts, -1) for parts in zip(*levels, strict=True))
    return Forest(column, threshold, equal, leaf, bag, node, depth)


def _best_splits(
    values: Tensor,
    categorical: Tensor,
    weights: list[Tensor],
    bag: Tensor,
    node: Tensor,
    nodes: int,
    generator: torch.Generator,
) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Splits of a level (column, threshold and equality, each B T nodes), and the rows that go right (B T N)."""
    batch, trees, device = bag.shape[0], bag.shape[1], values.device
    columns = values.shape[2]
    # a random row of the bag for every candidate of every node: the largest of random keys
    key = torch.where(bag, torch.rand(bag.shape, generator=generator, device=device), 0)
    source = _random_rows(key, node, nodes, CANDIDATES)  # B T nodes*C
    column = torch.randint(columns, (batch, trees, nodes * CANDIDATES), generator=generator, device=device)
    cell = source * columns + column
    threshold = values.flatten(1).gather(1, cell.flatten(1)).reshape(cell.shape)
    equal = categorical.gather(1, column.flatten(1)).reshape(cell.shape)
    pick = node[..., None] * CANDIDATES + torch.arange(CANDIDATES, device=device)  # B T N C
    at = pick.flatten(2)
    right = _test(values, *(t.gather(2, at).reshape(pick.shape) for t in (column, threshold, equal)))
    index = (pick * 2 + right).flatten(2)  # B T N*C
    sums = []
    for side in weights:
        amount = side[..., None].expand(pick.shape).flatten(2)
        sums.append(torch.zeros(batch, trees, nodes * CANDIDATES * 2, device=device).scatter_add_(2, index, amount))
    zero, one = (s.reshape(batch, trees, nodes, CANDIDATES, 2) for s in sums)
    size = one + zero
    purity = ((one**2 + zero**2) / size.clamp_min(1e-6)).sum(-1)  # larger is better
    purity = torch.where((size > 0).all(-1), purity, -1)
    best = purity.argmax(-1)  # B T nodes
    small = (size[..., 0, :].sum(-1) < SMALLEST) | (purity.amax(-1) < 0)
    at = torch.arange(nodes, device=device) * CANDIDATES + best
    cut = torch.where(small, torch.inf, threshold.gather(2, at))  # nobody goes right
    went = right.gather(3, best.gather(2, node)[..., None]).squeeze(-1) & ~small.gather(2, node)
    return (column.gather(2, at), cut, equal.gather(2, at)), went


def _random_rows(key: Tensor, node: Tensor, nodes: int, count: int) -> Tensor:
    """Rows drawn from every node (B T nodes*count) by keys (B T N), 0 outside the bag; any row where there is none."""
    order = (node + key.clamp_max(0.9999)).argsort(-1)  # within a node the rows outside the bag come first
    size = torch.zeros(*node.shape[:2], nodes, device=node.device).scatter_add_(2, node, torch.ones_like(key))
    held = torch.zeros_like(size).scatter_add_(2, node, (key > 0).to(size.dtype))
    end = size.cumsum(-1)
    turn = torch.arange(count, device=node.device)
    back = 1 + turn % held.clamp_min(1)[..., None].long()  # the last rows of the node, over again if they are few
    at = (end[..., None].long() - back).clamp(0, node.shape[-1] - 1).flatten(2)
    return order.gather(2, at)


def judge(forest: Forest, values: Tensor) -> Tensor:
    """Log-ratio of rows that no tree has seen: the mean over the trees, (B R D) -> (B R)."""
    batch, trees = forest.leaf.shape[:2]
    node = torch.zeros(batch, trees, values.shape[1], dtype=torch.long, device=values.device)
    start = 0
    for level in range(forest.depth):
        parts = [
            t[..., start : start + 2**level].gather(2, node) for t in (forest.column, forest.threshold, forest.equal)
        ]
        node = 2 * node + _test(values, *parts)
        start += 2**level
    return torch.logit(forest.leaf.gather(2, node).mean(1))


def own(forest: Forest) -> Tensor:
    """Log-ratio of the rows that were learned from, by the trees that have not seen them: (B N)."""
    out = (~forest.bag).to(forest.leaf.dtype)
    mean = ((forest.leaf.gather(2, forest.place) * out).sum(1) + 0.5) / (out.sum(1) + 1)
    return torch.logit(mean)
