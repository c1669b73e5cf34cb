"""Four generators in a few lines each, to check procedures with: copies, interpolation, a Gaussian, jitter.

They follow the calling convention of this room, ``generator(features, labels, n, rng)``, and write rows of
class 1.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats

__all__ = ["duplicate", "gaussian", "interpolate", "jitter"]


def _minority(features: Floats, labels: Floats, least: int) -> Floats:
    rows: Floats = features[labels == 1]
    if len(rows) < least:
        raise PlanError("too few minority rows to learn from", got=len(rows), expected=f">= {least}")
    return rows


def duplicate(features: Floats, labels: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Copy minority rows at random: random oversampling.

    Notes
    -----
    Source: textbook.

    Examples
    --------
    >>> duplicate(np.array([[1.0], [2.0]]), np.array([0.0, 1.0]), 2, np.random.default_rng(0))
    array([[2.],
           [2.]])
    """
    rows = _minority(features, labels, 1)
    return np.asarray(rows[rng.integers(len(rows), size=n)])


def interpolate(features: Floats, labels: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Interpolate between a minority row and one of its five nearest: SMOTE.

    Notes
    -----
    Source: Chawla et al. (2002), with k = 5, or fewer where there are fewer rows.

    Examples
    --------
    >>> rows = np.array([[9.0], [1.0], [2.0]])
    >>> between = interpolate(rows, np.array([0.0, 1.0, 1.0]), 50, np.random.default_rng(0))
    >>> bool(((between >= 1) & (between <= 2)).all())
    True
    """
    rows = _minority(features, labels, 2)
    neighbours = np.atleast_2d(cKDTree(rows).query(rows, k=min(6, len(rows)))[1])[:, 1:]
    first = rng.integers(len(rows), size=n)
    second = neighbours[first, rng.integers(neighbours.shape[1], size=n)]
    return np.asarray(rows[first] + rng.random((n, 1)) * (rows[second] - rows[first]))


def gaussian(features: Floats, labels: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw from a Gaussian with the minority's mean and covariance.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> gaussian(rng.normal(size=(20, 2)), np.repeat([0.0, 1.0], 10), 4, rng).shape
    (4, 2)
    """
    rows = _minority(features, labels, 2)
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(rows.T)))
    noise = rng.standard_normal((n, rows.shape[1])) * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(rows.mean(axis=0) + noise @ vectors.T)


def jitter(features: Floats, labels: Floats, n: int, rng: np.random.Generator, *, spread: float = 0.5) -> Floats:
    """Copy minority rows and add noise of `spread` standard deviations.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> jitter(rng.normal(size=(20, 2)), np.repeat([0.0, 1.0], 10), 4, rng).shape
    (4, 2)
    """
    rows = _minority(features, labels, 1)
    noise = rng.standard_normal((n, rows.shape[1])) * (spread * rows.std(axis=0))
    return np.asarray(duplicate(features, labels, n, rng) + noise)
