"""Class-conditional laws whose expectations under a linear score are exact.

A linear score z = x'b + c of a Gaussian or spherical vector is one-dimensional, so that every expectation of
f(z), f(z) x and f(z) x x' is a quadrature over one variable. Derived in docs/theory.md, "Worlds".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, expit, ndtr, roots_gegenbauer, roots_hermitenorm

from makeweight.errors import OptionError
from makeweight.theory._checks import Floats, as_matrix, as_vector, choice

__all__ = ["Component", "GaussianComponent", "SphereComponent"]

_NODES = 160
ScoreFunction = Callable[[Floats], Floats]


@lru_cache(maxsize=2)
def _hermite() -> tuple[Floats, Floats]:
    nodes, weights = roots_hermitenorm(_NODES)
    return nodes, weights / weights.sum()


@lru_cache(maxsize=32)
def _sphere(dimension: int) -> tuple[Floats, Floats]:
    if dimension == 2:  # the arcsine law: the Chebyshev rule
        nodes = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        return nodes, np.full(_NODES, 1.0 / _NODES)
    nodes, weights = roots_gegenbauer(_NODES, (dimension - 2) / 2)
    return nodes, weights / weights.sum()


def _loss_terms(loss: str, label: int) -> tuple[ScoreFunction, ScoreFunction, ScoreFunction]:
    """Return the loss of a linear score under a label, its derivative and its second derivative."""
    if loss == "log":
        sign = 1.0 - 2.0 * label
        return (
            lambda z: np.logaddexp(0.0, sign * z),
            lambda z: np.asarray(expit(z) - label),
            lambda z: np.asarray(expit(z) * expit(-z)),
        )
    choice(loss, "loss", ("log", "squared"))
    return lambda z: (z - label) ** 2, lambda z: 2 * (z - label), lambda z: np.full_like(z, 2.0)


@dataclass(frozen=True)
class _Line:
    """How x lies along a direction: x = mean + t * along + rest, E[rest rest' | t] = profile(t) * across."""

    nodes: Floats
    weights: Floats
    along: Floats
    across: Floats
    profile: Floats


class Component(ABC):
    """One class-conditional law with exact moments of linear scores.

    Subclasses give the mean, a sampler, and how the law projects on a line.

    Examples
    --------
    >>> law = GaussianComponent([0.0, 0.0])
    >>> round(law.risk(np.zeros(3), label=1), 6)  # ln 2
    0.693147
    >>> at = np.array([1.0, 0.0, 0.0])
    >>> law.error(at, label=1), law.sample(3, np.random.default_rng(0)).shape
    (0.5, (3, 2))
    >>> law.score_mean(at, 1).shape, law.score_covariance(at, 1).shape, law.hessian(at).shape
    ((3,), (3, 3), (3, 3))
    >>> round(law.moments(np.ones_like, at)[0], 6)
    1.0
    """

    mean: Floats

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (n, d)."""

    @abstractmethod
    def _line(self, slopes: Floats) -> _Line:
        """Project on the direction `slopes`."""

    @abstractmethod
    def _below(self, point: float) -> float:
        """Return P(t <= point) for the line's coordinate t."""

    def moments(self, function: ScoreFunction, coefficients: Floats) -> tuple[float, Floats, Floats]:
        """Return E f(z), E f(z) v and E f(z) v v' with v = [x, 1], or x where there is no intercept.

        Parameters
        ----------
        function : callable
            Vectorised f of the linear score.
        coefficients : ndarray of shape (d,) or (d + 1,)
            Slopes, then an intercept where there is one.

        Returns
        -------
        tuple of float, ndarray of shape (p,), ndarray of shape (p, p)
        """
        dimension = len(self.mean)
        slopes = coefficients[:dimension]
        offset = float(coefficients[dimension]) if len(coefficients) > dimension else 0.0
        line = self._line(slopes)
        t = line.nodes
        values = function(offset + slopes @ self.mean + t * float(slopes @ line.along)) * line.weights
        zero, one, two = float(values.sum()), float(values @ t), float(values @ t**2)
        first = zero * self.mean + one * line.along
        cross = np.outer(self.mean, line.along)
        second = (
            zero * np.outer(self.mean, self.mean)
            + one * (cross + cross.T)
            + two * np.outer(line.along, line.along)
            + float(values @ line.profile) * line.across
        )
        if len(coefficients) == dimension:
            return zero, first, second
        return (
            zero,
            np.append(first, zero),
            np.block([[second, first[:, None]], [first[None, :], np.array([[zero]])]]),
        )

    def risk(self, coefficients: Floats, label: int, loss: str = "log") -> float:
        """Return the expected loss of rows of this law under a label (log-loss in nats, or squared)."""
        return self.moments(_loss_terms(loss, label)[0], coefficients)[0]

    def error(self, coefficients: Floats, label: int, threshold: float = 0.0) -> float:
        """Return the probability that a row lies on the wrong side of z = threshold, exactly."""
        dimension = len(self.mean)
        slopes = coefficients[:dimension]
        offset = float(coefficients[dimension]) if len(coefficients) > dimension else 0.0
        reach = float(slopes @ self._line(slopes).along)
        distance = threshold - offset - float(slopes @ self.mean)
        below = float(distance >= 0) if reach == 0 else self._below(distance / reach)
        return below if label else 1.0 - below

    def score_mean(self, coefficients: Floats, label: int, loss: str = "log") -> Floats:
        """Return E[gradient of the loss], shape (p,)."""
        return self.moments(_loss_terms(loss, label)[1], coefficients)[1]

    def score_covariance(self, coefficients: Floats, label: int, loss: str = "log") -> Floats:
        """Return Cov[gradient of the loss], shape (p, p)."""
        slope = _loss_terms(loss, label)[1]
        mean = self.score_mean(coefficients, label, loss)
        return self.moments(lambda z: slope(z) ** 2, coefficients)[2] - np.outer(mean, mean)

    def hessian(self, coefficients: Floats, loss: str = "log") -> Floats:
        """Return E[Hessian of the loss], shape (p, p)."""
        return self.moments(_loss_terms(loss, 0)[2], coefficients)[2]


class GaussianComponent(Component):
    """Rows from N(mean, covariance).

    Parameters
    ----------
    mean : array-like of shape (d,)
    covariance : array-like of shape (d, d), optional
        Symmetric and positive definite; the identity by default.

    Notes
    -----
    Derived in docs/theory.md, "Worlds": Gauss-Hermite quadrature with 160 nodes along the score.

    Examples
    --------
    >>> law = GaussianComponent([1.0, 0.0])
    >>> law.sample(3, np.random.default_rng(0)).shape
    (3, 2)
    """

    def __init__(self, mean: npt.ArrayLike, covariance: npt.ArrayLike | None = None) -> None:
        self.mean = as_vector(mean, "mean")
        size = len(self.mean)
        self.covariance = np.eye(size) if covariance is None else as_matrix(covariance, "covariance", columns=size)
        if np.linalg.eigvalsh(self.covariance).min() <= 0 or not np.allclose(self.covariance, self.covariance.T):
            raise OptionError("not symmetric and positive definite", where="covariance")
        self._root = np.linalg.cholesky(self.covariance)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (n, d)."""
        noise: Floats = rng.standard_normal((n, len(self.mean))) @ self._root.T
        return self.mean + noise

    def _line(self, slopes: Floats) -> _Line:
        nodes, weights = _hermite()
        spread = float(np.sqrt(slopes @ self.covariance @ slopes))
        along = self.covariance @ slopes / spread if spread > 0 else np.zeros_like(slopes)
        return _Line(nodes, weights, along, self.covariance - np.outer(along, along), np.ones_like(nodes))

    def _below(self, point: float) -> float:
        return float(ndtr(point))


class SphereComponent(Component):
    """Rows from a mean plus a uniform point on the sphere of the given radius.

    Parameters
    ----------
    mean : array-like of shape (d,)
        d at least 2.
    radius : float, optional
        sqrt(d) by default, which gives unit variances.

    Notes
    -----
    Sphere noise is used in the symmetric simulations of arXiv 2601.16120; moments derived in docs/theory.md.

    Examples
    --------
    >>> law = SphereComponent(np.zeros(5))
    >>> law.moments(np.ones_like, np.zeros(5))[2].round(6).diagonal()
    array([1., 1., 1., 1., 1.])
    >>> np.linalg.norm(law.sample(2, np.random.default_rng(0)), axis=1).round(3)
    array([2.236, 2.236])
    """

    def __init__(self, mean: npt.ArrayLike, radius: float | None = None) -> None:
        self.mean = as_vector(mean, "mean")
        if len(self.mean) < 2:
            raise OptionError("a sphere needs two dimensions", where="mean", got=len(self.mean), expected=">= 2")
        self.radius = float(np.sqrt(len(self.mean)) if radius is None else radius)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (n, d)."""
        noise: Floats = rng.standard_normal((n, len(self.mean)))
        rows: Floats = self.mean + self.radius * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        return rows

    def _line(self, slopes: Floats) -> _Line:
        dimension = len(self.mean)
        nodes, weights = _sphere(dimension)
        norm = float(np.linalg.norm(slopes))
        unit = slopes / norm if norm > 0 else np.eye(dimension)[0]
        across = (np.eye(dimension) - np.outer(unit, unit)) * self.radius**2 / (dimension - 1)
        return _Line(nodes, weights, self.radius * unit, across, 1 - nodes**2)

    def _below(self, point: float) -> float:
        half = (len(self.mean) - 1) / 2
        return float(betainc(half, half, np.clip((point + 1) / 2, 0.0, 1.0)))
