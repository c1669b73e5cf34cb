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

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

__all__ = ["Experts", "Kernel", "Normal", "Similarity", "fit_kernel", "kernel_step", "own_step"]

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

    mean: Tensor
    deviation: Tensor

    def __getitem__(self, pick: Any) -> Normal:
        return Normal(self.mean[pick], self.deviation[pick])

    def to(self, device: torch.device | str) -> Normal:
        """Move both tensors to a device."""
        return Normal(self.mean.to(device), self.deviation.to(device))

    @classmethod
    def stack(cls, laws: Iterable[Normal]) -> Normal:
        """Put columns (B R) beside each other: (B R D)."""
        columns = tuple(laws)
        return cls(torch.stack([x.mean for x in columns], -1), torch.stack([x.deviation for x in columns], -1))

    @classmethod
    def join(cls, *laws: Normal) -> Normal:
        """Put rows (B R) below each other."""
        return cls(torch.cat([x.mean for x in laws], 1), torch.cat([x.deviation for x in laws], 1))

    def surprise(self, score: Tensor, missing: Tensor) -> Tensor:
        """How many deviations from the mean a score is; 0 where it is missing."""
        return torch.where(missing, 0, (score - self.mean) / self.deviation)


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

    score: Tensor  # B N D  of the rows that are learned from
    weights: Tensor  # B D 3 N  of the mean by columns and by pairs, and of the log-variance by both
    level: Tensor  # B D  log-variance where nothing is known
    own_mean: Tensor  # B N D  of every row, learned from the others
    own_spread: Tensor  # B N D  log-variance, likewise

    def to(self, device: torch.device | str) -> Kernel:
        """Move every tensor to a device."""
        return Kernel(*(getattr(self, f.name).to(device) for f in fields(self)))


class Similarity:
    """How alike rows are to those that are learned from, in the columns so far.

    Parameters
    ----------
    rows, learned : int
        R and N.

    Examples
    --------
    >>> alike = Similarity(2, 2)
    >>> alike.push(torch.tensor([[0.0, 9.0]]), torch.tensor([[0.0, 9.0]]))
    >>> alike.columns()[0].round().tolist()
    [[[1.0, 0.0], [0.0, 1.0]]]
    """

    def __init__(self, rows: int, learned: int, device: torch.device | None = None) -> None:
        self.sums = torch.zeros(1, rows, learned, device=device)  # B R N
        self.squares = self.sums
        self.count = 0

    def push(self, score: Tensor, learned: Tensor) -> None:
        """Take a column along: its scores (B R), and those of the rows that are learned from (B N)."""
        alike = torch.exp(-0.5 / LENGTH**2 * (score[:, :, None] - learned[:, None]) ** 2)
        self.sums = self.sums + alike
        self.squares = self.squares + alike**2
        self.count += 1

    def columns(self) -> tuple[Tensor, Tensor]:
        """Mean similarity of columns, and of pairs of columns: each (B R N)."""
        pairs = max(1, self.count * (self.count - 1))
        return self.sums / max(1, self.count), (self.sums**2 - self.squares) / pairs


def _regress(covariance: Tensor, noise: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, and mean and variance of every y given the others: covariance (… N N), the rest (… N)."""
    factor = torch.linalg.cholesky(covariance + torch.diag_embed(noise))
    inverse = torch.cholesky_inverse(factor)
    weights = (inverse @ y[..., None]).squeeze(-1)
    variance = 1 / inverse.diagonal(dim1=-2, dim2=-1)
    return weights, y - weights * variance, variance


def _likelihood(squared: Tensor, log_variance: Tensor, seen: Tensor) -> Tensor:
    """Normal log-likelihood of squared residuals over the last dimension, but for a constant."""
    return (-0.5 * (squared * (-log_variance).exp() + log_variance) * seen).sum(-1)


def _level(squared: Tensor, spread: Tensor, seen: Tensor) -> Tensor:
    """What to add to log-variances (… N) so that squared residuals are one on average: (… 1)."""
    expected = (squared * (-spread).exp() * seen).sum(-1, keepdim=True)
    return (expected / seen.sum(-1, keepdim=True).clamp_min(1)).clamp(0.3, 3).log()


def _best(options: Tensor, likelihood: Tensor) -> Tensor:
    """Option (of O …) with the largest likelihood (B O) in every table; the first is favoured: (B …)."""
    favour = torch.zeros_like(likelihood)
    favour[:, 0] = MARGIN
    return options[(likelihood + favour).argmax(1)]


def _fit_column(alike: tuple[Tensor, Tensor], y: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weights (B 3 N), level (B), and every row's own mean and log-variance (B N), from residuals (B N)."""
    both = torch.stack(alike, 1) * (seen[:, None, :, None] * seen[:, None, None])  # B 2 N N
    options = y.new_tensor(AMPLITUDES)  # O 3
    few = min(CHOOSING, y.shape[1])
    part = torch.einsum("oa,bamn->bomn", options[:, :2], both[:, :, :few, :few])
    wanted = y[:, None, :few].expand(-1, len(options), -1)
    _, mean, variance = _regress(part, options[:, 2:].expand(-1, few), wanted)
    chance = _likelihood((wanted - mean) ** 2, variance.log(), seen[:, None, :few])
    chosen = _best(options, chance)  # B 3
    covariance = torch.einsum("ba,bamn->bmn", chosen[:, :2], both)
    weights, mean, _ = _regress(covariance, chosen[:, 2:].expand_as(y), y)
    rest = (y - mean) ** 2 * seen
    total = seen.sum(-1, keepdim=True)
    variance = (rest.sum(-1, keepdim=True) + 1) / (total + 1)  # a pseudo-row of the chain
    rest = rest / variance

    both = both.mean(1)  # B N N
    size = (rest + LEAST).log()
    size = (size - (size * seen).sum(-1, keepdim=True) / total.clamp_min(1)) * seen
    options = y.new_tensor(UNEVEN)
    part = options[:, None, None] * both[:, None, :few, :few]
    wanted = size[:, None, :few].expand(-1, len(options), -1)
    _, spread, _ = _regress(part, torch.ones_like(wanted), wanted)
    judged = rest[:, None, :few], seen[:, None, :few]
    spread = spread + _level(judged[0], spread, judged[1])
    strength = _best(options, _likelihood(judged[0], spread, judged[1]))[:, None]  # B 1
    uneven, spread, _ = _regress(strength[..., None] * both, torch.ones_like(y), size)
    level = variance.log() + torch.where(strength > 0, _level(rest, spread, seen), 0)
    parts = [weights * chosen[:, :1], weights * chosen[:, 1:2], uneven * strength / 2]
    return torch.stack(parts, 1), level[:, 0], mean, spread + level


@torch.no_grad()
def fit_kernel(score: Tensor, residual: Tensor, missing: Tensor) -> Kernel:
    """Regress the chain's residuals, and the logarithms of their squares, on the columns before.

    Parameters
    ----------
    score : Tensor, shape (B, N, D)
        Normal scores of context rows in random order; the first of them are learned from. Column 0 is the
        label, which has no residual.
    residual : Tensor, shape (B, N, D)
        Standardised; 0 where missing.
    missing : Tensor of bool, shape (B, N, D)

    Examples
    --------
    >>> x = torch.linspace(-2, 2, 60)
    >>> score = torch.stack([torch.zeros(60), x, x**2 - 1], -1)[None]
    >>> kernel = fit_kernel(score, score, torch.zeros(1, 60, 3, dtype=torch.bool))
    >>> bool((kernel.own_mean[0, :, 2] - score[0, :, 2]).abs().mean() < 0.1)
    True
    """
    score, residual, missing = (t[:, :ROWS] for t in (score, residual, missing))
    batch, rows, columns = score.shape
    weights, level = score.new_zeros(batch, columns, 3, rows), score.new_zeros(batch, columns)
    own_mean, own_spread = torch.zeros_like(score), torch.zeros_like(score)
    alike = Similarity(rows, rows, score.device)
    for column in range(1, columns):
        if alike.count:
            seen = (~missing[..., column]).to(score.dtype)
            fitted = _fit_column(alike.columns(), residual[..., column] * seen, seen)
            weights[:, column], level[:, column], own_mean[..., column], own_spread[..., column] = fitted
        alike.push(score[..., column], score[..., column])
    return Kernel(score, weights, level, own_mean, own_spread)


def _apply(chain: Normal, mean: Tensor, spread: Tensor) -> Normal:
    deviation = chain.deviation * (0.5 * spread.clamp(-7, 4)).exp()
    return Normal(chain.mean + chain.deviation * mean, deviation.clamp_min(FLOOR))


def kernel_step(kernel: Kernel, alike: Similarity, column: int, chain: Normal) -> Normal:
    """Expect a column of rows that were not learned from.

    Parameters
    ----------
    kernel : Kernel
    alike : Similarity
        Of the rows, in the columns before this one.
    column : int
    chain : Normal
        What the chain expects, of shape (B, R).

    Returns
    -------
    Normal
        Of shape (B, R).
    """
    single, pair = alike.columns()
    by_columns, by_pairs, by_both = kernel.weights[:, column, :, :, None].unbind(1)  # B N 1
    mean = (single @ by_columns + pair @ by_pairs).squeeze(-1)
    spread = ((single + pair) @ by_both).squeeze(-1)
    return _apply(chain, mean, spread + kernel.level[:, column, None])


def own_step(kernel: Kernel, column: int, chain: Normal) -> Normal:
    """Expect a column of the rows that were learned from, every one from the others: (B, N)."""
    return _apply(chain, kernel.own_mean[..., column], kernel.own_spread[..., column])
