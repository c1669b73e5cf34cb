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
from functools import lru_cache

import numpy as np

from makeweight.generators.transformer.arrays import Array, of
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

    score: Array  # B R D  normal score; categories by frequency; 0 where missing
    cell: Array  # B R D  log-ratio of the cell
    missing: Array  # B R D
    categorical: Array  # B D
    strength: Array  # B D  log-loss that the cells of a column save, in nats
    row: Array  # B R X  log-ratio by every expert, on its own right scale
    alike: Array  # B R N  similarity to the rows that are learned from, beyond the most similar: at most 0
    quality: Array  # B X  nats that every expert saves on the rows that are learned from
    label: Array  # B N


def encode(values: Array, categorical: Array, rows: int) -> tuple[Array, Array, Array]:
    """Scores (B R D), bins (B R D), and numbers that trees split (B R D)."""
    xp = of(values)
    gone = xp.isnan(values).swapaxes(1, 2)  # B D R
    coded = categorical[:, :, None] & ~gone
    filled = xp.where(gone, math.inf, values.swapaxes(1, 2))
    code = xp.whole(xp.where(coded, filled, -1).clip(-1, BINS - 2))
    # categories take the place of their frequency
    tally = xp.sum_at(code[..., :rows] + 1, xp.zeros((*code.shape[:2], rows), values) + 1, BINS + 1)
    place = xp.argsort(xp.argsort(-tally[..., 1:]))  # 0: the most frequent
    code = xp.where(code >= 0, xp.take(place, code.clip(0), 2), -1)
    number = xp.where(coded, xp.single(code), filled)
    ordered = xp.sort(number[..., :rows])
    count = xp.isfinite(ordered).sum(axis=-1)[..., None].clip(1)
    left, right = (xp.searchsorted(ordered, number, side=side) for side in ("left", "right"))
    edge = 0.25 / count
    rank = xp.single((left + right) / (2 * count))
    rank = xp.minimum(xp.maximum(rank, xp.single(edge)), xp.single(1 - edge))
    score = xp.where(gone, 0, xp.single(xp.ndtri(rank)))
    bins = xp.whole(((score + REACH) * (BINS / (2 * REACH))).clip(0, BINS - 1))
    bins = xp.where(categorical[:, :, None], code.clip(0), bins)
    bins = xp.where(gone, BINS, bins)
    cut = xp.where(gone, -9.0, xp.where(categorical[:, :, None], xp.single(code), score))
    return score.swapaxes(1, 2), bins.swapaxes(1, 2), xp.single(cut).swapaxes(1, 2)


@lru_cache(maxsize=1)
def kernels() -> tuple[np.ndarray, np.ndarray]:
    """Similarity of two bins of numbers (BINS+1, BINS+1), and RANK numbers a bin whose products are nearly it."""
    centre = np.linspace(-REACH, REACH, BINS)
    number = np.zeros((BINS + 1, BINS + 1))
    number[:BINS, :BINS] = np.exp(-0.5 * ((centre[:, None] - centre) / WIDTH) ** 2)
    number[BINS, BINS] = 1
    size, vector = np.linalg.eigh(number)
    factor = vector[:, -RANK:] * np.sqrt(size[-RANK:].clip(0))
    factor[BINS] = 0
    return number.astype(np.float32), factor.astype(np.float32)


def cell_evidence(bins: Array, categorical: Array, label: Array) -> Array:
    """Log-ratio of every cell, of the context's own by the other rows: (B R D)."""
    xp = of(label)
    rows = label.shape[1]
    batch, every, _ = bins.shape
    alike = xp.array(kernels()[0], label)
    where = bins.swapaxes(1, 2)  # B D R
    sums = []
    for amount in (1 - label, label):
        count = xp.sum_at(where[..., :rows], amount[:, None], BINS + 1)
        smooth = xp.where(categorical[..., None], count, count @ alike)
        sums.append(xp.take(smooth, where, 2))  # B D R
    asked = xp.zeros((batch, 1, every - rows), label)
    own, other = (xp.concatenate([amount[:, None], asked], axis=2) for amount in (label, 1 - label))
    one, zero = sums[1] - own, sums[0] - other  # a row's similarity to itself is one
    many = label.sum(axis=1)[:, None, None]
    ones, zeros = many - own, rows - many - other
    pooled = (one + zero + 0.01) / (ones + zeros)
    ratio = ((one + PSEUDO * pooled) / (ones + PSEUDO)) / ((zero + PSEUDO * pooled) / (zeros + PSEUDO))
    return xp.log(ratio.clip(1e-4)).swapaxes(1, 2)


def rescale(evidence: Array, label: Array) -> tuple[Array, Array]:
    """Draw evidence (B R) to the scale on which it is right: Gaussian laws within either label. With nats saved (B)."""
    xp = of(label)
    rows = label.shape[1]
    known = evidence[:, :rows]
    ones, zeros = label.sum(axis=1)[:, None], (1 - label).sum(axis=1)[:, None]
    one, zero = label / ones.clip(1) / 2, (1 - label) / zeros.clip(1) / 2
    high, low = (2 * (known * side).sum(axis=1)[:, None] for side in (one, zero))
    centre = xp.where(label > 0, high, low)
    variance = ((known - centre) ** 2 * (one + zero)).sum(axis=1)[:, None]
    few = xp.minimum(ones, zeros)
    slope = (high - low).clip(0) / (variance + 1e-3) * (few / (few + 3))
    right = slope * (evidence - (high + low) / 2)
    right = right / xp.sqrt(1 + (right / 6) ** 2)  # no surer than a factor of four hundred
    signed = xp.where(label > 0, right[:, :rows], -right[:, :rows])
    saved = math.log(2) + (xp.log_sigmoid(signed) * (one + zero)).sum(axis=1)
    return right, saved


def discriminant(x: Array, label: Array) -> Array:
    """Ridge regression of the label, both labels weighing the same: (B R P) -> (B R), the context's own left out."""
    xp = of(label)
    rows = label.shape[1]
    many = label.sum(axis=1)[:, None].clip(1)
    weight = xp.where(label > 0, rows / (2 * many), rows / (2 * (rows - many).clip(1)))[..., None]
    x = x - (x[:, :rows] * weight).sum(axis=1)[:, None] / rows
    known, y = x[:, :rows], (2 * label - 1)[..., None]
    weighed = (known * weight).swapaxes(1, 2)
    inverse = xp.inv(weighed @ known + RIDGE * xp.array(np.eye(x.shape[2], dtype=np.float32), label))
    value = (x @ (inverse @ (weighed @ y)))[..., 0]
    pull = ((known @ inverse) * known).sum(axis=-1) * weight[..., 0]  # of a row on itself
    pull = (pull + weight[..., 0] / rows).clip(None, 0.9)
    left = (value[:, :rows] - pull * y[..., 0]) / (1 - pull)
    return xp.concatenate([left, value[:, rows:]], axis=1)


def vote(bins: Array, categorical: Array, label: Array, strength: Array) -> tuple[Array, Array]:
    """Log-ratio by the labels of similar rows, columns weighing what they say (B R); and similarities (B R N)."""
    xp = of(label)
    rows = label.shape[1]
    codes = np.zeros((BINS + 1, RANK), np.float32)
    codes[np.arange(BINS), np.arange(BINS).clip(None, RANK - 1)] = 1
    features = xp.array(np.stack([kernels()[1], codes]), label)
    feature = features[xp.whole(categorical)[:, None], bins]  # B R D RANK
    weight = strength.clip(0) + 0.2 * strength.clip(0).mean(axis=1)[:, None] + 1e-3
    weight = xp.sqrt(weight / weight.sum(axis=1)[:, None])
    feature = (feature * weight[:, None, :, None]).reshape(*bins.shape[:2], -1)
    alike = feature @ feature[:, :rows].swapaxes(1, 2)  # B R N  at most 1
    itself = np.arange(rows)
    alike[:, itself, itself] = -math.inf
    alike -= xp.amax(alike, axis=-1)[..., None]
    alike *= 10
    near = xp.exp(alike)
    alike[:, itself, itself] = 0
    many = label.sum(axis=1)[:, None]
    sums = near @ xp.stack([label, 1 - label], axis=-1)  # B R 2
    odds = xp.log((sums[..., 0] + 0.3) / many.clip(1)) - xp.log((sums[..., 1] + 0.3) / (rows - many).clip(1))
    return odds, alike


def collect(values: Array, categorical: Array, label: Array, trees: int, rng: np.random.Generator) -> Evidence:
    """Collect all closed-form evidence of a batch of tables.

    `values` (Array, shape (B, R, D)): numbers, codes in categorical columns, NaN where missing; the first N rows are
    learned from. `categorical`: Array of bool, shape (B, D). `label` (Array, shape (B, N)): 0 or 1; every table has
    rows of both. `trees`: of the forest. `rng`: draws the trees.

    >>> x = np.linspace(-1, 1, 40, dtype=np.float32).reshape(1, 40, 1)
    >>> label = (x[:, :30, 0] > -0.3).astype(np.float32)
    >>> evidence = collect(x, np.array([[False]]), label, 8, np.random.default_rng(0))
    >>> bool((evidence.row[:, 30:] > 0).all())
    True
    """
    xp = of(values)
    rows = label.shape[1]
    score, bins, cut = encode(values, categorical, rows)
    cell = cell_evidence(bins, categorical, label)
    strength = xp.stack([rescale(cell[..., j], label)[1] for j in range(cell.shape[-1])], axis=-1)
    missing = xp.isnan(values)
    trunk = forest.grow(cut[:, :rows], categorical, label, trees, rng)
    plain = xp.where(categorical[:, None], cell, score)
    votes, alike = vote(bins, categorical, label, strength)
    rough = [
        cell.sum(axis=-1),
        discriminant(xp.concatenate([plain, xp.single(missing)], axis=-1), label),
        discriminant(xp.concatenate([plain, cell], axis=-1), label),
        votes,
        xp.concatenate([forest.own(trunk), forest.judge(trunk, cut[:, rows:])], axis=1),
        boosting.boost(bins, categorical, label, BINS + 1, rng),
    ]
    scaled = [rescale(evidence, label) for evidence in rough]
    row, quality = (xp.stack([pair[i] for pair in scaled], axis=-1) for i in (0, 1))
    return Evidence(score, cell, missing, categorical, strength, row, alike, quality, label)
