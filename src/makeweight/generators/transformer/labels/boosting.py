"""Boosted trees, many tables at once: single thresholds, found among all columns.

Shallow trees are fitted one after the other to the gradient of the balanced log-loss, on binned cells. Every table is
split into folds; a fold's rows are judged by trees that were fitted to the others, rows to label by the mean of all.

Shapes: B tables, F folds, N rows that are learned from, R rows, D columns, K bins, L nodes of a level.
"""

from __future__ import annotations

import torch
from torch import Tensor

FOLDS = 3
ROUNDS = 20
DEPTH = 3
RATE = 0.3
RIDGE = 2.0  # balanced rows that pull a leaf to zero
COLUMNS = 0.6  # chance of a column to be offered to a tree


def boost(bins: Tensor, categorical: Tensor, label: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Log-ratio of rows by boosted trees, of the rows that are learned from by the trees of the other folds.

    `bins` (Tensor of int, shape (B, R, D)): below ``count``; numbers in their order, the last bin where missing. The
    first N rows are learned from. `categorical` (Tensor of bool, shape (B, D)): columns that are split by equality
    instead of order. `label`: Tensor, shape (B, N). `count`: bins of a column. `generator`: draws folds and columns.

    >>> bins = torch.arange(40).reshape(1, 40, 1)
    >>> odds = boost(bins, torch.tensor([[False]]), (bins[..., 0] > 25).float(), 40, torch.Generator().manual_seed(0))
    >>> bool((odds[0, 30:] > 0).all() and (odds[0, :20] < 0).all())
    True
    """
    batch, every, columns = bins.shape
    rows, fits = label.shape[1], batch * FOLDS
    fold = _folds(label, generator)
    inside = (fold[:, None] != torch.arange(FOLDS, device=bins.device)[:, None]).float()  # B F N
    one, zero = inside * label[:, None], inside * (1 - label[:, None])
    half = inside.sum(-1, keepdim=True) / 2
    weight = one * half / one.sum(-1, keepdim=True).clamp_min(1) + zero * half / zero.sum(-1, keepdim=True).clamp_min(1)
    weight = weight.reshape(fits, rows)
    y = label[:, None].expand(-1, FOLDS, -1).reshape(fits, rows)
    cells = bins[:, None].expand(-1, FOLDS, -1, -1).reshape(fits, every, columns)
    flags = categorical[:, None].expand(-1, FOLDS, -1).reshape(fits, columns)
    odds = torch.zeros(fits, every, device=bins.device)
    for _ in range(ROUNDS):
        p = torch.sigmoid(odds[:, :rows])
        offered = (torch.rand(fits, columns, generator=generator, device=bins.device) < COLUMNS).float()
        odds = odds + RATE * _tree(cells, flags, offered, weight * (y - p), weight * p * (1 - p), count)
    odds = odds.reshape(batch, FOLDS, every)
    own = odds[..., :rows].gather(1, fold[:, None])[:, 0]
    return torch.cat([own, odds[..., rows:].mean(1)], 1)


def _folds(label: Tensor, generator: torch.Generator) -> Tensor:
    """Fold of every row (B N), as many rows of either label in each."""
    rows = label.shape[1]
    order = torch.rand(label.shape, generator=generator, device=label.device).argsort(1)
    return (label * rows * 2 + order).argsort(1).argsort(1) % FOLDS  # by places among the rows of the label


def _tree(cells: Tensor, categorical: Tensor, offered: Tensor, pull: Tensor, curve: Tensor, count: int) -> Tensor:
    """Fit a tree to gradients and curvatures of the first rows (B N each): its step for every row (B R)."""
    fits, every, columns = cells.shape
    rows = pull.shape[1]
    some = bool(categorical.any())
    place = torch.arange(columns, device=cells.device) * count + cells[:, :rows]  # B N D
    node = torch.zeros(fits, every, dtype=torch.long, device=cells.device)
    for level in range(DEPTH):
        nodes = 2**level
        index = (node[:, :rows, None] * (columns * count) + place).flatten(1)
        left, total = [], []
        for amount in (pull, curve):
            sums = torch.zeros(fits, nodes * columns * count, device=cells.device)
            sums.scatter_add_(1, index, amount[..., None].expand(-1, -1, columns).flatten(1))
            sums = sums.reshape(fits, nodes, columns, count)
            total.append(sums[:, :, :1].sum(-1, keepdim=True))
            ordered = sums.cumsum(-1)
            left.append(torch.where(categorical[:, None, :, None], sums, ordered) if some else ordered)
        # in place: these are the largest arrays
        right = (total[0] - left[0]).square_().div_((total[1] + RIDGE) - left[1])
        gain = left[0].square_().div_(left[1].add_(RIDGE)).add_(right).mul_(offered[:, None, :, None])
        best = gain.flatten(2).argmax(-1)  # B L
        column, point = best // count, best % count
        equal = categorical.gather(1, column)
        own = [split.gather(1, node) for split in (column, point, equal)]  # B R
        value = cells.gather(2, own[0][..., None])[..., 0]
        node = 2 * node + torch.where(own[2], value == own[1], value <= own[1])
    leaves = [
        torch.zeros(fits, 2**DEPTH, device=cells.device).scatter_add_(1, node[:, :rows], amount)
        for amount in (pull, curve)
    ]
    return (leaves[0] / (leaves[1] + RIDGE)).gather(1, node)
