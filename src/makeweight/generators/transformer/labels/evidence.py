"""What closed form knows about a binary label: numbers for every cell and for every row.

Everything is an *evidence*: a log-ratio of the densities of the two labels, as if both were equally frequent. Rows
that are learned from get what the others say of them, so that rows to label look no different.

* cells: kernel densities of a column's normal scores (categories: shares), within either label;
* rows: the sum of the cells; a linear discriminant of scores; one of scores and cells (an additive model); a kernel
  vote of similar rows; a forest of extremely randomised trees; boosted trees, which find single thresholds.

Each is drawn to the scale on which it is right on average (Gaussian laws of the evidence within either label, left
out), so that a plain mean of them is a classifier.

Shapes: B tables, R rows of which the first N are learned from, D columns, X experts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from makeweight.generators.transformer.labels import boosting, forest

BINS = 64  # of a normal score, a tenth of a standard deviation each; the codes of a category
REACH = 3.2
WIDTH = 0.35  # of the kernels, in scores
RANK = 16  # numbers that stand for a bin where rows are compared
PSEUDO = 4.0  # rows of the pooled density that are added to either label's
RIDGE = 8.0  # pseudo-rows that pull discriminants to zero
EXPERTS = ("cells", "discriminant", "additive", "vote", "forest", "boosting")


@dataclass(frozen=True)
class Evidence:
    """Closed-form evidence of a batch of tables."""

    score: Tensor  # B R D  normal score; categories by frequency; 0 where missing
    cell: Tensor  # B R D  log-ratio of the cell
    missing: Tensor  # B R D
    categorical: Tensor  # B D
    strength: Tensor  # B D  log-loss that the cells of a column save, in nats
    row: Tensor  # B R X  log-ratio by every expert, on its own right scale
    alike: Tensor  # B R N  similarity to the rows that are learned from, beyond the most similar: at most 0
    quality: Tensor  # B X  nats that every expert saves on the rows that are learned from
    label: Tensor  # B N


def encode(values: Tensor, categorical: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores (B R D), bins (B R D), and numbers that trees split (B R D)."""
    missing = values.isnan()
    filled = values.masked_fill(missing, torch.inf).transpose(1, 2).contiguous()  # B D R
    code = torch.where(categorical[:, :, None] & filled.isfinite(), filled, -1).long().clamp_max(BINS - 2)
    # categories take the place of their frequency
    tally = torch.zeros(*code.shape[:2], BINS + 1, device=values.device)
    tally.scatter_add_(2, code[..., :rows] + 1, torch.ones_like(filled[..., :rows]))
    place = (-tally[..., 1:]).argsort(dim=-1, stable=True).argsort(-1)  # 0: the most frequent
    code = torch.where(code >= 0, place.gather(2, code.clamp_min(0)), -1)
    number = torch.where(categorical[:, :, None], torch.where(code >= 0, code.float(), torch.inf), filled)
    ordered = number[..., :rows].sort(-1).values.contiguous()
    count = ordered.isfinite().sum(-1, keepdim=True).clamp_min(1)
    left = torch.searchsorted(ordered, number.contiguous(), side="left")
    right = torch.searchsorted(ordered, number.contiguous(), side="right")
    edge = 0.25 / count
    rank = ((left + right) / (2 * count)).clamp(min=edge, max=1 - edge)
    gone = missing.transpose(1, 2)
    score = torch.where(gone, 0, torch.special.ndtri(rank)).float()
    bins = ((score + REACH) * (BINS / (2 * REACH))).long().clamp(0, BINS - 1)
    bins = torch.where(categorical[:, :, None], code.clamp_min(0), bins)
    bins = torch.where(gone, BINS, bins)
    split = torch.where(categorical[:, :, None], code.float(), score).masked_fill(gone, -9.0)
    return score.transpose(1, 2), bins.transpose(1, 2), split.transpose(1, 2)


def kernels() -> tuple[Tensor, Tensor]:
    """Similarity of two bins of numbers (BINS+1, BINS+1), and RANK numbers a bin whose products are nearly it."""
    centre = torch.linspace(-REACH, REACH, BINS)
    number = torch.zeros(BINS + 1, BINS + 1)
    number[:BINS, :BINS] = torch.exp(-0.5 * ((centre[:, None] - centre) / WIDTH) ** 2)
    number[BINS, BINS] = 1
    size, vector = torch.linalg.eigh(number)
    factor = vector[:, -RANK:] * size[-RANK:].clamp_min(0).sqrt()
    factor[BINS] = 0
    return number, factor


def cell_evidence(bins: Tensor, categorical: Tensor, label: Tensor) -> Tensor:
    """Log-ratio of every cell, of the context's own by the other rows: (B R D)."""
    rows = label.shape[1]
    batch, every, columns = bins.shape
    alike = kernels()[0].to(bins.device)
    where = bins.transpose(1, 2)  # B D R
    sums = []
    for k in (0, 1):
        amount = (label == k).float()[:, None].expand(-1, columns, -1)
        count = torch.zeros(batch, columns, BINS + 1, device=bins.device).scatter_add_(2, where[..., :rows], amount)
        smooth = torch.where(categorical[..., None], count, count @ alike)
        sums.append(smooth.gather(2, where))  # B D R
    own = torch.zeros(batch, 1, every, device=bins.device)
    own[:, 0, :rows] = label
    other = torch.zeros_like(own)
    other[:, 0, :rows] = 1 - label
    one, zero = sums[1] - own, sums[0] - other  # a row's similarity to itself is one
    many = label.sum(1)[:, None, None]
    ones, zeros = many - own, rows - many - other
    pooled = (one + zero + 0.01) / (ones + zeros)
    ratio = ((one + PSEUDO * pooled) / (ones + PSEUDO)) / ((zero + PSEUDO * pooled) / (zeros + PSEUDO))
    return ratio.clamp_min(1e-4).log().transpose(1, 2)


def rescale(evidence: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Draw evidence (B R) to the scale on which it is right: Gaussian laws within either label. With nats saved (B)."""
    rows = label.shape[1]
    known = evidence[:, :rows]
    one = label / label.sum(1, keepdim=True).clamp_min(1) / 2
    zero = (1 - label) / (1 - label).sum(1, keepdim=True).clamp_min(1) / 2
    high, low = 2 * (known * one).sum(1, keepdim=True), 2 * (known * zero).sum(1, keepdim=True)
    centre = torch.where(label > 0, high, low)
    variance = ((known - centre) ** 2 * (one + zero)).sum(1, keepdim=True)
    few = torch.minimum(label.sum(1), (1 - label).sum(1))[:, None]
    slope = (high - low).clamp_min(0) / (variance + 1e-3) * (few / (few + 3))
    right = slope * (evidence - (high + low) / 2)
    right = right / (1 + (right / 6) ** 2).sqrt()  # no surer than a factor of four hundred
    signed = torch.where(label > 0, right[:, :rows], -right[:, :rows])
    saved = math.log(2) - (torch.nn.functional.softplus(-signed) * (one + zero)).sum(1)
    return right, saved


def discriminant(x: Tensor, label: Tensor) -> Tensor:
    """Ridge regression of the label, both labels weighing the same: (B R P) -> (B R), the context's own left out."""
    rows = label.shape[1]
    many = label.sum(1, keepdim=True).clamp_min(1)
    weight = torch.where(label > 0, rows / (2 * many), rows / (2 * (rows - many).clamp_min(1)))[..., None]
    centre = (x[:, :rows] * weight).sum(1, keepdim=True) / rows
    x = x - centre
    known, y = x[:, :rows], (2 * label - 1)[..., None]
    gram = (known * weight).transpose(1, 2) @ known
    gram.diagonal(dim1=1, dim2=2).add_(RIDGE)
    inverse = torch.linalg.inv(gram)
    slope = inverse @ ((known * weight).transpose(1, 2) @ y)
    value = (x @ slope)[..., 0]
    pull = ((known @ inverse) * known).sum(-1) * weight[..., 0]  # of a row on itself
    pull = (pull + weight[..., 0] / rows).clamp_max(0.9)
    left = (value[:, :rows] - pull * y[..., 0]) / (1 - pull)
    return torch.cat([left, value[:, rows:]], 1)


def vote(bins: Tensor, categorical: Tensor, label: Tensor, strength: Tensor) -> tuple[Tensor, Tensor]:
    """Log-ratio by the labels of similar rows, columns weighing what they say (B R); and similarities (B R N)."""
    rows = label.shape[1]
    factor = kernels()[1].to(bins.device)
    codes = torch.zeros(BINS + 1, RANK, device=bins.device)
    codes[torch.arange(BINS), torch.arange(BINS).clamp_max(RANK - 1)] = 1
    tables = torch.stack([factor, codes])
    feature = tables[categorical.long()[:, None].expand_as(bins), bins]  # B R D RANK
    weight = strength.clamp_min(0) + 0.2 * strength.clamp_min(0).mean(1, keepdim=True) + 1e-3
    weight = (weight / weight.sum(1, keepdim=True)).sqrt()
    feature = (feature * weight[:, None, :, None]).flatten(2)
    alike = feature @ feature[:, :rows].transpose(1, 2)  # B R N  at most 1
    itself = torch.arange(rows, device=bins.device)
    alike[:, itself, itself] = -torch.inf
    alike = 10 * (alike - alike.amax(-1, keepdim=True))
    near = torch.exp(alike)
    alike[:, itself, itself] = 0
    many = label.sum(1, keepdim=True)
    one = (near @ label[..., None])[..., 0]
    zero = (near @ (1 - label)[..., None])[..., 0]
    odds = ((one + 0.3) / many.clamp_min(1)).log() - ((zero + 0.3) / (rows - many).clamp_min(1)).log()
    return odds, alike


@torch.no_grad()
def collect(values: Tensor, categorical: Tensor, label: Tensor, trees: int, generator: torch.Generator) -> Evidence:
    """Collect all closed-form evidence of a batch of tables.

    `values` (Tensor, shape (B, R, D)): numbers, codes in categorical columns, NaN where missing; the first N rows are
    learned from. `categorical`: Tensor of bool, shape (B, D). `label` (Tensor, shape (B, N)): 0 or 1; every table has
    rows of both. `trees`: of the forest. `generator`: draws the trees.

    >>> x = torch.linspace(-1, 1, 40).reshape(1, 40, 1)
    >>> label = (x[:, :30, 0] > -0.3).float()
    >>> evidence = collect(x, torch.tensor([[False]]), label, 8, torch.Generator().manual_seed(0))
    >>> bool((evidence.row[:, 30:] > 0).all())
    True
    """
    rows = label.shape[1]
    score, bins, split = encode(values, categorical, rows)
    cell = cell_evidence(bins, categorical, label)
    strength = torch.stack([rescale(cell[..., j], label)[1] for j in range(cell.shape[-1])], -1)
    missing = values.isnan()
    trunk = forest.grow(split[:, :rows], categorical, label, trees, generator)
    plain = torch.where(categorical[:, None], cell, score)
    votes, alike = vote(bins, categorical, label, strength)
    rough = [
        cell.sum(-1),
        discriminant(torch.cat([plain, missing.float()], -1), label),
        discriminant(torch.cat([plain, cell], -1), label),
        votes,
        torch.cat([forest.own(trunk), forest.judge(trunk, split[:, rows:])], 1),
        boosting.boost(bins, categorical, label, BINS + 1, generator),
    ]
    scaled = [rescale(evidence, label) for evidence in rough]
    row, quality = (torch.stack([pair[i] for pair in scaled], -1) for i in (0, 1))
    return Evidence(score, cell, missing, categorical, strength, row, alike, quality, label)
