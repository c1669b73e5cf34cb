"""What moving residuals needs: a scale for every column, residuals without gaps, roots of covariances."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Self

import numpy as np

from makeweight.theory.transport import matrix_power

__all__ = ["Standard", "centred", "filled", "is_bent", "root"]

#: Beyond this share of one value, or this skewness of the trimmed residuals, a column is bent.
POINT_MASS = 0.1
SKEWNESS = 0.75
TRIMMED = 0.02
LEAST_VARIANCE = 1e-4
#: Rounding that hides the order in which a linear algebra library sums.
DIGITS = 10


@dataclass(frozen=True)
class Standard:
    """A column less its mean, over its standard deviation.

    >>> scale = Standard.fit(np.array([1.0, 3.0]))
    >>> scale.transform(np.array([3.0])), scale.inverse(np.array([1.0]))
    (array([1.]), array([3.]))
    """

    mean: float
    scale: float

    @classmethod
    def fit(cls, observed: np.ndarray) -> Self:
        """Read mean and standard deviation off observed values."""
        return cls(float(observed.mean()), float(observed.std()) or 1.0)

    def transform(self, x: np.ndarray, uniforms: np.ndarray | None = None) -> np.ndarray:
        """Return standardised values; `uniforms`, which break ties of normal scores, are not needed."""
        return np.asarray((x - self.mean) / self.scale)

    def inverse(self, scores: np.ndarray) -> np.ndarray:
        """Return the values."""
        return np.asarray(scores * self.scale + self.mean)


def is_bent(values: np.ndarray, start: np.ndarray) -> bool:
    """Tell whether a column has a point mass, or residuals too skewed to be moved as they are.

    `values` of shape (n,): group after group, NaN where missing. `start` of shape (n_groups + 1,).

    >>> is_bent(np.array([0.0, 0.0, 0.0, 1.2, 3.4]), np.array([0, 5]))
    True
    """
    known = ~np.isnan(values)
    if not known.any():
        return False
    if np.unique(values[known], return_counts=True)[1].max() > POINT_MASS * known.sum():
        return True
    sums = np.add.reduceat(np.where(known, values, 0.0), start[:-1])
    means = sums / np.maximum(np.add.reduceat(known, start[:-1], dtype=np.int64), 1)
    residuals = (values - np.repeat(means, np.diff(start)))[known]
    residuals = np.clip(residuals, *np.quantile(residuals, (TRIMMED, 1.0 - TRIMMED)))
    residuals = residuals - residuals.mean()
    spread = float(residuals.std())
    return bool(abs((residuals**3).mean()) > SKEWNESS * spread**3)


def filled(scores: np.ndarray, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return scores with another row's where one is missing: of the group, or of any if it has none.

    >>> filled(np.array([[1.0], [np.nan]]), np.array([0, 2]), np.random.default_rng(0)).ravel()
    array([1., 1.])
    """
    filled = scores.copy()
    for j, stream in enumerate(rng.spawn(scores.shape[1])):
        known = ~np.isnan(scores[:, j])
        if known.all():
            continue
        for low, high in itertools.pairwise(start):
            absent = low + np.flatnonzero(~known[low:high])
            donors = low + np.flatnonzero(known[low:high])
            if not len(donors):
                donors = np.flatnonzero(known)
            # A column of which no kept row has a value is written as missing, whatever its score.
            filled[absent, j] = scores[stream.choice(donors, len(absent)), j] if len(donors) else 0.0
    return filled


def centred(rows: np.ndarray) -> np.ndarray:
    """Return residuals around the mean, stretched to the variance of new rows.

    >>> centred(np.array([[0.0], [2.0]])).ravel().round(3)
    array([-1.414,  1.414])
    """
    if len(rows) < 2:
        return np.zeros((2, rows.shape[1]))
    return np.asarray((rows - rows.mean(axis=0)) * np.sqrt(len(rows) / (len(rows) - 1)))


def root(covariance: np.ndarray, exponent: float) -> np.ndarray:
    """Return a symmetric power of a covariance, the same whatever the number of threads.

    Directions without spread are given a little, so that negative powers exist.

    >>> root(np.array([[4.0]]), 0.5)
    array([[2.]])
    """
    return matrix_power(covariance, exponent, least_variance=LEAST_VARIANCE, digits=DIGITS)
