"""The density of a smoothed bootstrap in closed form, up to boxes of a normal law, which are simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

__all__ = ["HALF_BIN", "Kernels"]

#: A number that is no tie stands for a tenth of a standard deviation of normal scores, as in the transformer.
HALF_BIN = 0.05
#: Cells worked on at once, and draws averaged over all kernels of a group, at least.
CELLS, DRAWS = 4_000_000, 64
LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class Kernels:
    """The kernels of one group: one for every donor."""

    centres: np.ndarray  # shape (k, d)
    factor: np.ndarray  # shape (d, d); lower triangular; every kernel has the covariance ``factor @ factor.T``
    codes: np.ndarray  # shape (k, q)
    elsewhere: list[np.ndarray]  # probability of each code, from -1 on, when it is drawn anew
    anew: float  # probability with which a code is drawn anew

    def log_mass(self, low: np.ndarray, high: np.ndarray, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the log-probability of boxes and codes under the mixture.

        `low`, `high` of shape (m, d): ends of the box in every column; infinite where nothing is known. `codes` of
        shape (m, q): a code that the table lacks has no probability. `rng`: for the simulation. Returns shape (m,).
        """
        k = len(self.centres)
        draws = -(-DRAWS // k)
        rows = max(1, CELLS // max(1, k * draws * max(1, self.centres.shape[1])))
        parts = []
        for start in range(0, len(low), rows):
            block = slice(start, start + rows)
            coded = self._coded(codes[block])
            boxes = log_box_mass(low[block], high[block], self.centres, self.factor, draws, rng)
            parts.append(logsumexp(boxes + coded, axis=1) - np.log(k))
        return np.concatenate(parts) if parts else np.empty(0)

    def _coded(self, codes: np.ndarray) -> np.ndarray:
        """Log-probability of codes (m, q) given every donor's: (m, k)."""
        total = np.zeros((len(codes), len(self.codes)))
        for mine, theirs, law in zip(codes.T, self.codes.T, self.elsewhere, strict=True):
            known = (mine >= -1) & (mine + 1 < len(law))
            share = np.where(known, law[np.where(known, mine + 1, 0)], 0.0)
            chance = self.anew * share[:, None] + (1 - self.anew) * (mine[:, None] == theirs)
            with np.errstate(divide="ignore"):
                total += np.log(chance)
        return total


def log_box_mass(
    low: np.ndarray, high: np.ndarray, centres: np.ndarray, factor: np.ndarray, draws: int, rng: np.random.Generator
) -> np.ndarray:
    """Log-probability that a normal vector lies in a box, for every row and every centre.

    Columns are taken one by one: the mass of the column's interval given what was drawn for the columns
    before, then a draw inside the interval. The product is an unbiased estimate of the mass.

    `low`, `high`: float64, shape (m, d). `centres`: float64, shape (k, d). `factor` (float64, shape (d, d)): lower
    triangular. `draws`: estimates that are averaged. Returns float64, shape (m, k).

    Geweke 1989, Hajivassiliou and McFadden 1998, Keane 1994 (the GHK simulator); Genz 1992.

    >>> ends = np.array([[-1.0, -np.inf]]), np.array([[1.0, np.inf]])
    >>> mass = log_box_mass(*ends, np.zeros((1, 2)), np.eye(2), 1, np.random.default_rng(0))
    >>> np.exp(mass).round(3)
    array([[0.683]])
    """
    (m, d), k = low.shape, len(centres)
    drawn = np.empty((m, k, draws, d))
    total = np.zeros((m, k, draws))
    for j in range(d):
        middle = centres[:, j][None, :, None] + drawn[..., :j] @ factor[j, :j]
        start = (low[:, j][:, None, None] - middle) / factor[j, j]
        end = (high[:, j][:, None, None] - middle) / factor[j, j]
        upper = start > 0  # both ends far above the middle: look from the other side, where differences keep
        first, second = np.where(upper, -end, start), np.where(upper, -start, end)
        below = ndtr(first)
        mass = np.maximum(ndtr(second) - below, LEAST)
        total += np.log(mass)
        inside = ndtri(np.clip(below + rng.random(total.shape) * mass, LEAST, 1 - 1e-16))
        inside = np.clip(inside, first, second)
        drawn[..., j] = np.where(upper, -inside, inside)
    return np.asarray(logsumexp(total, axis=2) - np.log(draws))
