"""Kernel regression on what the Gaussian chain leaves: bends, products, and noise that depends on the row.

The chain of :mod:`makeweight.generators.transformer.features` is linear with noise of one size. Its
standardised residuals are regressed, column by column, on the columns before by a Gaussian process whose
covariance adds the similarities of single columns and of pairs of columns (a sum and a second elementary
symmetric polynomial of one radial kernel per column). Pairs stand for products and ratios. A second
regression, of the logarithm of the squared residuals, says how the size of the noise depends on the row.
Amplitudes are chosen, per column, by the likelihood of every row given the others; they may be zero, and the
chain is left alone. The label takes no part: what ten rare rows seem to say about curves of their own is
mostly noise, and told groups apart worse.

What has to be remembered is three numbers per column and context row. A prefix of columns needs running sums
only, so that a cell costs the same whatever has been written before it.

Shapes: B tables, R rows, N rows that are learned from, D columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from makeweight.generators.transformer.arrays import Array, of

__all__ = ["Experts", "Normal"]

ROWS = 256  # most context rows that are learned from: cost grows with their cube
CHOOSING = 128  # most rows by which amplitudes are chosen
LENGTH = 1.2  # of the radial kernels, in scores: at this distance the similarity is .6
#: Amplitudes of single columns and of pairs, and the noise that goes with them; the chain's residuals have
#: variance one. The first is the chain alone.
AMPLITUDES = (
    (0.0, 0.0, 1.0),
    (0.1, 0.0, 0.8),
    (0.5, 0.0, 0.5),
    (0.1, 0.5, 0.8),
    (0.3, 1.0, 0.4),
    (0.5, 3.0, 0.2),
    (0.1, 3.0, 0.5),
    (1.0, 10.0, 0.1),
)
#: Amplitudes of the regression of log squared residuals, whose noise is taken for one.
UNEVEN = (0.0, 0.3, 1.5, 5.0)
MARGIN = 0.5  # log-likelihood by which the rest must beat doing nothing
FLOOR = 0.02  # smallest standard deviation of a score; a fifth of a bin
LEAST = 0.1  # squared residuals below are not told apart


@dataclass(frozen=True)
class Normal:
    """Normal laws, one per cell."""

    mean: Array
    deviation: Array

    def __getitem__(self, pick: Any) -> Normal:
        return Normal(self.mean[pick], self.deviation[pick])

    @classmethod
    def stack(cls, laws: Iterable[Normal]) -> Normal:
        """Put columns (B R) beside each other: (B R D)."""
        columns = tuple(laws)
        stack = of(columns[0].mean).stack
        return cls(stack([x.mean for x in columns], axis=-1), stack([x.deviation for x in columns], axis=-1))

    @classmethod
    def join(cls, *laws: Normal) -> Normal:
        """Put rows (B R) below each other."""
        join = of(laws[0].mean).concatenate
        return cls(join([x.mean for x in laws], axis=1), join([x.deviation for x in laws], axis=1))

    def surprise(self, score: Array, missing: Array) -> Array:
        """How many deviations from the mean a score is; 0 where it is missing."""
        return of(score).where(missing, 0, (score - self.mean) / self.deviation)


@dataclass(frozen=True)
class Experts:
    """What closed form expects of a cell: the Gaussian chain, and the chain with kernel regression."""

    chain: Normal
    kernel: Normal

    def __getitem__(self, pick: Any) -> Experts:
        return Experts(self.chain[pick], self.kernel[pick])


@dataclass(frozen=True)
class Kernel:
    """Kernel regressions of a batch of contexts."""

    score: Array  # B N D  of the rows that are learned from
    weights: Array  # B D 3 N  of the mean by columns and by pairs, and of the log-variance by both
    level: Array  # B D  log-variance where nothing is known
    own_mean: Array  # B N D  of every row, learned from the others
    own_spread: Array  # B N D  log-variance, likewise


class Similarity:
    """How alike rows are to those that are learned from, in the columns so far.

    `like` (Array, shape (B, R, N)): of the shape and type of the similarities; its numbers play no part.

    >>> import numpy as np
    >>> alike = Similarity(np.zeros((1, 2, 2)))
    >>> alike.push(np.array([[0.0, 9.0]]), np.array([[0.0, 9.0]]))
    >>> alike.columns()[0].round().tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """

    def __init__(self, like: Array) -> None:
        self.sums, self.squares = (of(like).zeros(like.shape, like) for _ in range(2))  # B R N
        self.count = 0

    def push(self, score: Array, learned: Array) -> None:
        """Take a column along: its scores (B R), and those of the rows that are learned from (B N)."""
        scale = math.sqrt(0.5) / LENGTH
        alike = (scale * score)[:, :, None] - (scale * learned)[:, None]
        alike *= alike
        alike = of(alike).exp(-alike)
        self.sums += alike
        alike *= alike
        self.squares += alike
        self.count += 1

    def columns(self) -> tuple[Array, Array]:
        """Mean similarity of columns, and of pairs of columns: each (B R N)."""
        pairs = max(1, self.count * (self.count - 1))
        return self.sums / max(1, self.count), (self.sums * self.sums - self.squares) / pairs


def _regress(covariance: Array, noise: Array, y: Array) -> tuple[Array, Array, Array]:
    """Weights, and mean and variance of every y given the others: covariance (… N N), the rest (… N)."""
    xp = of(y)
    covariance = covariance + 0.0
    at = xp.arange(y.shape[-1], y)
    covariance[..., at, at] += noise
    inverse = xp.inverse_factor(covariance)
    weights = (inverse.swapaxes(-1, -2) @ (inverse @ y[..., None]))[..., 0]
    inverse *= inverse
    variance = 1 / inverse.sum(axis=-2)
    return weights, y - weights * variance, variance


def _regress_exactly(covariance: Array, noise: Array, y: Array) -> tuple[Array, ...]:
    """The same of a covariance in float64: what is remembered must not depend on how a processor rounds."""
    xp = of(y)
    return tuple(xp.single(part) for part in _regress(covariance, noise, xp.double(y)))


def _likelihood(squared: Array, log_variance: Array, seen: Array) -> Array:
    """Normal log-likelihood of squared residuals over the last dimension, but for a constant."""
    return (-0.5 * (squared * of(squared).exp(-log_variance) + log_variance) * seen).sum(axis=-1)


def _level(squared: Array, spread: Array, seen: Array) -> Array:
    """What to add to log-variances (… N) so that squared residuals are one on average: (… 1)."""
    xp = of(squared)
    expected = (squared * xp.exp(-spread) * seen).sum(axis=-1, keepdims=True)
    return xp.log((expected / seen.sum(axis=-1, keepdims=True).clip(1)).clip(0.3, 3))


def _best(options: Array, likelihood: Array) -> Array:
    """Option (of O …) with the largest likelihood (B O) in every table; the first is favoured: (B …)."""
    favour = of(likelihood).zeros(likelihood.shape, likelihood)
    favour[:, 0] = MARGIN
    return options[(likelihood + favour).argmax(axis=1)]


def _fit_column(alike: tuple[Array, Array], y: Array, seen: Array) -> tuple[Array, Array, Array, Array]:
    """Weights (B 3 N), level (B), and every row's own mean and log-variance (B N), from residuals (B N)."""
    xp = of(y)
    batch, rows = y.shape
    both = xp.stack(alike, axis=1) * (seen[:, None, :, None] * seen[:, None, None])  # B 2 N N, float64
    options = xp.array(np.array(AMPLITUDES, np.float32), y)  # O 3
    few = min(CHOOSING, rows)
    part = (options[:, :2] @ xp.single(both[:, :, :few, :few]).reshape(batch, 2, -1)).reshape(batch, -1, few, few)
    wanted = y[:, None, :few]
    _, mean, variance = _regress(part, options[:, 2:], wanted + xp.zeros((batch, len(options), few), y))
    chance = _likelihood((wanted - mean) ** 2, xp.log(variance), seen[:, None, :few])
    chosen = _best(options, chance)  # B 3
    covariance = (xp.double(chosen[:, None, :2]) @ both.reshape(batch, 2, -1)).reshape(batch, rows, rows)
    weights, mean, _ = _regress_exactly(covariance, chosen[:, 2:], y)
    rest = (y - mean) ** 2 * seen
    total = seen.sum(axis=-1, keepdims=True)
    variance = (rest.sum(axis=-1, keepdims=True) + 1) / (total + 1)  # a pseudo-row of the chain
    rest = rest / variance

    both = both.mean(axis=1)  # B N N
    size = xp.log(rest + LEAST)
    size = (size - (size * seen).sum(axis=-1, keepdims=True) / total.clip(1)) * seen
    options = xp.array(np.array(UNEVEN, np.float32), y)
    part = options[:, None, None] * xp.single(both[:, None, :few, :few])
    wanted = size[:, None, :few] + xp.zeros((batch, len(options), few), y)
    _, spread, _ = _regress(part, 1.0, wanted)
    judged = rest[:, None, :few], seen[:, None, :few]
    spread = spread + _level(judged[0], spread, judged[1])
    strength = _best(options, _likelihood(judged[0], spread, judged[1]))[:, None]  # B 1
    uneven, spread, _ = _regress_exactly(strength[..., None] * both, 1.0, size)
    level = xp.log(variance) + xp.where(strength > 0, _level(rest, spread, seen), 0)
    parts = [weights * chosen[:, :1], weights * chosen[:, 1:2], uneven * strength / 2]
    return xp.stack(parts, axis=1), level[:, 0], mean, spread + level


def fit_kernel(score: Array, residual: Array, missing: Array) -> Kernel:
    """Regress the chain's residuals, and the logarithms of their squares, on the columns before.

    `score` (Array, shape (B, N, D)): normal scores of context rows in random order; the first of them are learned from.
    Column 0 is the label, which has no residual. `residual` (Array, shape (B, N, D)): standardised; 0 where missing.
    `missing`: Array of bool, shape (B, N, D).

    >>> x = np.linspace(-2, 2, 60, dtype=np.float32)
    >>> score = np.stack([np.zeros(60, np.float32), x, x**2 - 1], -1)[None]
    >>> kernel = fit_kernel(score, score, np.zeros((1, 60, 3), dtype=bool))
    >>> bool(abs(kernel.own_mean[0, :, 2] - score[0, :, 2]).mean() < 0.1)
    True
    """
    xp = of(score)
    score, residual, missing = (t[:, :ROWS] for t in (score, residual, missing))
    batch, rows, columns = score.shape
    weights, level = xp.zeros((batch, columns, 3, rows), score), xp.zeros((batch, columns), score)
    own_mean, own_spread = (xp.zeros(score.shape, score) for _ in range(2))
    alike = Similarity(xp.zeros((batch, rows, rows), xp.double(score)))
    for column in range(1, columns):
        if alike.count:
            seen = xp.single(~missing[..., column])
            fitted = _fit_column(alike.columns(), residual[..., column] * seen, seen)
            weights[:, column], level[:, column], own_mean[..., column], own_spread[..., column] = fitted
        alike.push(*(xp.double(score[..., column]),) * 2)
    return Kernel(score, weights, level, own_mean, own_spread)


def _apply(chain: Normal, mean: Array, spread: Array) -> Normal:
    deviation = chain.deviation * of(spread).exp(0.5 * spread.clip(-7, 4))
    return Normal(chain.mean + chain.deviation * mean, deviation.clip(FLOOR))


def kernel_step(kernel: Kernel, alike: Similarity, column: int, chain: Normal) -> Normal:
    """Expect a column of rows that were not learned from.

    `alike`: of the rows, in the columns before this one. `chain`: what the chain expects, of shape (B, R). Returns
    Normal: of shape (B, R).
    """
    stack = of(chain.mean).stack
    single, pair = alike.columns()
    by_columns, by_pairs, by_both = (kernel.weights[:, column, part] for part in range(3))  # B N
    both = single @ stack([by_columns, by_both], axis=-1) + pair @ stack([by_pairs, by_both], axis=-1)  # B R 2
    return _apply(chain, both[..., 0], both[..., 1] + kernel.level[:, column, None])


def own_step(kernel: Kernel, column: int, chain: Normal) -> Normal:
    """Expect a column of the rows that were learned from, every one from the others: (B, N)."""
    return _apply(chain, kernel.own_mean[..., column], kernel.own_spread[..., column])
