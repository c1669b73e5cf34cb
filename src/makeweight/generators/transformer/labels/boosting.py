"""Boosted trees, many tables at once: single thresholds, found among all columns.

Shallow trees are fitted one after the other to the gradient of the balanced log-loss, on binned cells. Every table is
split into folds; a fold's rows are judged by trees that were fitted to the others, rows to label by the mean of all.

Shapes: B tables, F folds, N rows that are learned from, R rows, D columns, K bins, L nodes of a level.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["boost"]

FOLDS = 3
ROUNDS = 20
DEPTH = 3
RATE = 0.3
RIDGE = 2.0  # balanced rows that pull a leaf to zero
COLUMNS = 0.6  # chance of a column to be offered to a tree


def boost(bins: Tensor, categorical: Tensor, label: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Log-ratio of rows by boosted trees, of the rows that are learned from by the trees of the other folds.

    Parameters
    ----------
    bins : Tensor of int, shape (B, R, D)
        Below ``count``; numbers in their order, the last bin where missing. The first N rows are learned from.
    categorical : Tensor of bool, shape (B, D)
        Columns that are split by equality instead of order.
    label : Tensor, shape (B, N)
    count : int
        Bins of a column.
    generator : torch.Generator
        Draws folds and columns.

    Examples
    --------
    >>> bins = torch.arange(40).reshape(1, 40, 1)
    >>> odds = boost(bins, torch.tensor([[False]]), (bins[..., 0] > 25).float(), 40, torch.Generator().manual_seed(0))
    >>> bool((odds[0, 30:] > 0).all() and (odds[0, :20] < 0).all())
    True
    """
    batch, every, columns = bins.shape
    rows, device = label.shape[1], bins.device
    fold = torch.rand(batch, rows, generator=generator, device=device).argsort(1)
    # as many rows of either label in every fold: places among the rows of the label, modulo the folds
    fold = (label * rows * 2 + fold).argsort(1).argsort(1) % FOLDS
    fits = batch * FOLDS
    inside = (fold[:, None] != torch.arange(FOLDS, device=device)[:, None]).float()  # B F N
    one, zero = inside * label[:, None], inside * (1 - label[:, None])
    half = inside.sum(-1, keepdim=True) / 2
    weight = one * half / one.sum(-1, keepdim=True).clamp_min(1) + zero * half / zero.sum(-1, keepdim=True).clamp_min(1)
    weight = weight.reshape(fits, rows)
    y = label[:, None].expand(-1, FOLDS, -1).reshape(fits, rows)
    cells = bins[:, None].expand(-1, FOLDS, -1, -1).reshape(fits, every, columns)
    flags = categorical[:, None].expand(-1, FOLDS, -1).reshape(fits, 1, columns, 1)
    place = torch.arange(columns, device=device) * count + cells[:, :rows]  # fits N D
    odds = torch.zeros(fits, every, device=device)
    for _ in range(ROUNDS):
        p = torch.sigmoid(odds[:, :rows])
        pull, curve = weight * (y - p), weight * p * (1 - p)
        node = torch.zeros(fits, every, dtype=torch.long, device=device)
        offered = torch.rand(fits, 1, columns, 1, generator=generator, device=device) < COLUMNS
        for level in range(DEPTH):
            nodes = 2**level
            index = (node[:, :rows, None] * (columns * count) + place).flatten(1)
            left, total = [], []
            for amount in (pull, curve):
                sums = torch.zeros(fits, nodes * columns * count, device=device)
                sums.scatter_add_(1, index, amount[..., None].expand(-1, -1, columns).flatten(1))
                sums = sums.reshape(fits, nodes, columns, count)
                left.append(torch.where(flags, sums, sums.cumsum(-1)))
                total.append(sums[:, :, :1].sum(-1, keepdim=True))
            gain = left[0] ** 2 / (left[1] + RIDGE) + (total[0] - left[0]) ** 2 / (total[1] - left[1] + RIDGE)
            best = torch.where(offered, gain, 0).flatten(2).argmax(-1)  # fits nodes
            column, point = best // count, best % count
            equal = flags[:, 0, :, 0].gather(1, column)
            mine = [t.gather(1, node) for t in (column, point, equal)]  # fits R
            value = cells.gather(2, mine[0][..., None])[..., 0]
            node = 2 * node + torch.where(mine[2], value == mine[1], value <= mine[1])
        leaves = []
        for amount in (pull, curve):
            leaves.append(torch.zeros(fits, 2**DEPTH, device=device).scatter_add_(1, node[:, :rows], amount))
        odds = odds + RATE * (leaves[0] / (leaves[1] + RIDGE)).gather(1, node)
    odds = odds.reshape(batch, FOLDS, every)
    own = odds[..., :rows].gather(1, fold[:, None])[:, 0]
    return torch.cat([own, odds[..., rows:].mean(1)], 1)
