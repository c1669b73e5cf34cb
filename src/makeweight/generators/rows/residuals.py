"""What all groups of a table share: the law of the residuals around the groups' means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

__all__ = ["SharedResiduals"]

#: Shares of variance below this are taken for this, so that a column constant within groups has a scale.
LEAST_VARIANCE = 1e-4
LEAST_EIGENVALUE = 1e-3
#: Rounding that hides the order in which a linear algebra library sums.
DIGITS = 10


@dataclass(frozen=True, eq=False)
class SharedResiduals:
    """Group means and the pooled covariance around them.

    >>> scores = np.array([[0.0, 1.0], [1.0, 0.0], [4.0, 5.0], [5.0, np.nan]])
    >>> shared = SharedResiduals.fit(scores, np.array([0, 2, 4]), borrowed=0.0)
    >>> shared.means
    array([[0.5, 0.5],
           [4.5, 5. ]])
    """

    #: shape (n_groups, d); group means, drawn towards their own mean as if by `borrowed` rows that lie there
    means: np.ndarray
    overall: np.ndarray  # shape (d,); mean of the groups' means
    factor: np.ndarray  # shape (d, d); lower triangular L with the pooled covariance L L'
    inverse: np.ndarray  # shape (d, d); of `factor`: it whitens

    @classmethod
    def fit(cls, scores: np.ndarray, start: np.ndarray, borrowed: float) -> Self:
        """Estimate means and covariance, pairwise where scores are missing.

        The correlation is drawn to the identity by (d + 1) / (d + 1 + n), the weight that d + 1 rows without
        correlation would have, and its eigenvalues are kept positive **[derived]**.

        `scores` of shape (n, d): rows group after group, NaN where missing. `start` of shape (n_groups + 1,): first row
        of every group, and n. `borrowed`: rows at the mean of the groups' means that every group is given on top.
        """
        n_groups, d = len(start) - 1, scores.shape[1]
        observed = ~np.isnan(scores)
        counts = np.add.reduceat(observed, start[:-1], axis=0, dtype=np.float64)
        sums = np.add.reduceat(np.where(observed, scores, 0.0), start[:-1], axis=0)
        seen = counts > 0
        raw = sums / np.maximum(counts, 1.0)
        overall = (raw * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        raw = np.where(seen, raw, overall)
        means = (counts * raw + borrowed * overall) / np.maximum(counts + borrowed, 1e-9)
        means = np.where(counts + borrowed > 0, means, overall)
        residuals = np.where(observed, scores - np.repeat(raw, np.diff(start), axis=0), 0.0)
        factor = _factor(residuals, observed, n_groups)
        inverse = np.round(np.linalg.inv(factor), DIGITS) if d else factor
        return cls(means, overall, factor, inverse)

    def whiten(self, scores: np.ndarray) -> np.ndarray:
        """Return rows of shape (n, d) on axes along which residuals have unit variance, uncorrelated."""
        return np.asarray(np.einsum("nj,ij->ni", scores, self.inverse))

    def color(self, whitened: np.ndarray) -> np.ndarray:
        """Return whitened rows of shape (n, d) as scores."""
        return np.asarray(np.einsum("nj,ij->ni", whitened, self.factor))


def _factor(residuals: np.ndarray, observed: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the Cholesky factor of the shrunk covariance.

    Sums are einsum's own, not those of a linear algebra library, which depend on its number of threads.
    """
    n, d = residuals.shape
    if not d:
        return np.empty((0, 0))
    present = observed.astype(np.float64)
    pairs = np.maximum(np.einsum("ni,nj->ij", present, present) - n_groups, 1.0)
    covariance = np.einsum("ni,nj->ij", residuals, residuals) / pairs
    scale = np.sqrt(np.maximum(np.diag(covariance), LEAST_VARIANCE))
    correlation = covariance / np.outer(scale, scale) * (1.0 - (d + 1) / (d + 1 + max(n - n_groups, 1)))
    np.fill_diagonal(correlation, 1.0)
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < LEAST_EIGENVALUE:
        correlation = np.einsum("ik,k,jk->ij", vectors, np.maximum(values, LEAST_EIGENVALUE), vectors)
        diagonal = np.sqrt(np.diag(correlation))
        correlation = correlation / np.outer(diagonal, diagonal)
    return np.round(np.linalg.cholesky(correlation), DIGITS) * scale[:, None]
