"""A power law with a floor, with exact profile intervals, and risks at several sizes, through which it goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import fdtri

from makeweight.errors import OptionError, SchemaError
from makeweight.theory._checks import Floats, Integers, as_vector

__all__ = ["PowerLaw"]

_EXPONENTS = np.asarray(np.geomspace(0.05, 3.0, 60), dtype=np.float64)


@dataclass(frozen=True)
class PowerLaw:
    """R(n) = floor + amplitude n^(-exponent).

    >>> PowerLaw(0.1, 2.0, 0.5).predict(np.array([4.0, 100.0]))
    array([1.1, 0.3])
    """

    floor: float
    amplitude: float
    exponent: float

    def predict(self, sizes: Floats) -> Floats:
        """Return R(n)."""
        return np.asarray(self.floor + self.amplitude * sizes**-self.exponent)

    def effective_size_for(self, above_floor: float) -> float:
        """Return the n at which R(n) - floor has this value; infinite when it is never reached."""
        if above_floor <= 0 or self.amplitude <= 0:
            return math.inf
        return float((self.amplitude / above_floor) ** (1 / self.exponent))


@dataclass(frozen=True, eq=False)
class LawFit:
    """A power law fitted to risks with a covariance, and intervals of whatever it says.

    `law`: least generalised squares. `exponents` (shape (e,)): exponents of the profile. `costs` (shape (e,)): squares
    at the best floor and amplitude of each exponent, above the smallest. `centres` (shape (e, 2)): these floors and
    amplitudes; the amplitude is that of (n / unit)^(-exponent). `spreads` (shape (e, 2, 2)): their covariances. `unit`:
    the smallest size. `slack`: squares above the smallest that an interval allows.

    >>> n = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
    >>> fit = fit_power_law(n, 0.2 + 3 * n**-0.5, 1e-8 * np.eye(5), slack=4.0)
    >>> low, high = fit.interval(400.0)
    >>> bool(low < 0.35 < high), bool(high - low < 0.001)
    (True, True)
    """

    law: PowerLaw
    exponents: Floats
    costs: Floats
    centres: Floats
    spreads: Floats
    unit: float
    slack: float

    def interval(self, size: float, less: float | None = None) -> tuple[float, float]:
        """Return what R(size), or R(size) - R(less), can be; an infinite size stands for the floor.

        Source: the profile of generalised least squares. For a given exponent R is linear in floor and amplitude, so
        that its extremes over the ellipse of the remaining slack are exact.
        """
        vector = self._vector(size) - (0.0 if less is None else self._vector(less))
        middle = np.einsum("ej,ej->e", self.centres, vector)
        variance = np.einsum("ei,eij,ej->e", vector, self.spreads, vector)
        kept = self.costs <= self.slack
        reach = np.sqrt((self.slack - self.costs[kept]) * variance[kept])
        low, high = float((middle[kept] - reach).min()), float((middle[kept] + reach).max())
        if less is not None:
            return low, high
        return max(low, 0.0), max(high, 0.0)

    @property
    def exponent_interval(self) -> tuple[float, float]:
        """Return the exponents within the slack."""
        kept = self.exponents[self.costs <= self.slack]
        return float(kept.min()), float(kept.max())

    @property
    def amplitude_interval(self) -> tuple[float, float]:
        """Return the amplitudes within the slack."""
        kept = self.costs <= self.slack
        scale = self.unit ** self.exponents[kept]
        reach = np.sqrt((self.slack - self.costs[kept]) * self.spreads[kept, 1, 1])
        middle = self.centres[kept, 1]
        return float(((middle - reach) * scale).min()), float(((middle + reach) * scale).max())

    def _vector(self, size: float) -> Floats:
        powers = np.zeros_like(self.exponents) if math.isinf(size) else (size / self.unit) ** -self.exponents
        return np.column_stack([np.ones_like(powers), powers])


def fit_power_law(sizes: Floats, risks: Floats, covariance: Floats, *, slack: float = 3.84) -> LawFit:
    """Fit by generalised least squares, profiled over the exponent.

    For a given exponent the law is linear in floor and amplitude; the floor is not negative and the amplitude
    free, so that a rising curve shows as a negative one.

    `sizes`, `risks` (shape (s,)): positive sizes. `covariance` (shape (s, s)): of the risks. `slack`: quantile of the
    squares that an interval allows: chi-square, or F where the covariance is estimated.

    Source: textbook profile likelihood of a normal model.

    >>> n = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
    >>> law = fit_power_law(n, 0.2 + 3 * n**-0.5, np.eye(5)).law
    >>> round(law.floor, 3), round(law.exponent, 3)
    (0.2, 0.5)
    """
    root = np.asarray(np.linalg.cholesky(covariance), dtype=np.float64)
    target = np.asarray(np.linalg.solve(root, risks), dtype=np.float64)

    grid = _EXPONENTS
    for _ in range(3):  # each time the exponents within the slack, and one to either side
        profile = _profile(grid, sizes, root, target)
        kept = np.flatnonzero(profile[0] <= profile[0].min() + slack)
        best, last = int(np.argmin(profile[0])), len(grid) - 1
        wide = _between(grid[max(kept[0] - 1, 0)], grid[min(kept[-1] + 1, last)], len(_EXPONENTS))
        grid = np.union1d(wide, _between(grid[max(best - 1, 0)], grid[min(best + 1, last)], 21))
    costs, centres, spreads = _profile(grid, sizes, root, target)
    best = int(np.argmin(costs))
    exponent, unit = float(grid[best]), float(sizes[0])
    law = PowerLaw(float(centres[best, 0]), float(centres[best, 1] * unit**exponent), exponent)
    return LawFit(law, grid, costs - costs[best], centres, spreads, unit, slack)


def _between(low: float, high: float, number: int) -> Floats:
    return np.asarray(np.geomspace(low, high, number), dtype=np.float64)


def _profile(exponents: Floats, sizes: Floats, root: Floats, target: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, per exponent, the squares, (floor, amplitude), and their covariance; the floor is not negative."""
    basis = (sizes / sizes[0])[None, :] ** -exponents[:, None]
    ones = np.linalg.solve(root, np.ones(len(sizes)))
    power = np.linalg.solve(root, basis.T).T
    both = np.stack([np.broadcast_to(ones, power.shape), power], axis=2)
    moments = np.einsum("esi,esj->eij", both, both)
    spreads = np.linalg.pinv(moments, hermitian=True)
    centres = np.einsum("eij,esj,s->ei", spreads, both, target)
    negative = centres[:, 0] < 0
    alone = np.einsum("es,s->e", power, target) / (power**2).sum(axis=1)
    centres = np.where(negative[:, None], np.column_stack([np.zeros_like(alone), alone]), centres)
    narrow = np.zeros_like(spreads)
    narrow[:, 1, 1] = 1 / (power**2).sum(axis=1)
    spreads = np.where(negative[:, None, None], narrow, spreads)
    residual = target - np.einsum("esi,ei->es", both, centres)
    return (residual**2).sum(axis=1), centres, spreads


def repeat_covariance(table: Floats) -> tuple[Floats, int]:
    """Return the covariance of the mean curve over repeats that share a level, and its degrees of freedom.

    >>> repeat_covariance(np.array([[1.0, 2.0], [2.0, 3.0]]))[1]
    1
    """
    repeats, sizes = table.shape
    if repeats == 1:
        return np.zeros((sizes, sizes)), max(sizes - 3, 1)
    centred = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    freedom = (repeats - 1) * (sizes - 1)
    own = float((centred**2).sum()) / freedom
    shared = max(0.0, float(table.mean(axis=1).var(ddof=1)) - own / sizes)
    return np.asarray((own * np.eye(sizes) + shared) / repeats), freedom


def fit_curve(sizes: Floats, risks: Floats, covariance: Floats, freedom: int, level: float) -> tuple[LawFit, Floats]:
    """Return the fit, and the covariance of the risks; a single curve is judged by its residuals, robustly.

    >>> n = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
    >>> fit, covariance = fit_curve(n, 0.2 + 3 * n**-0.5, np.zeros((5, 5)), 2, 0.95)
    >>> round(fit.law.floor, 3)
    0.2
    """
    slack = float(fdtri(1, freedom, level))
    scale = max(float(np.abs(risks).max()), 1e-300)
    tiny = np.eye(len(sizes)) * (1e-9 * scale) ** 2
    if covariance.any():
        return fit_power_law(sizes, risks, covariance + tiny, slack=slack), covariance + tiny
    doubt = np.ones(len(sizes))
    for _ in range(3):
        fit = fit_power_law(sizes, risks, np.diag(doubt) * scale**2, slack=slack)
        residual = np.abs(risks - fit.law.predict(sizes))
        unit = 1.4826 * float(np.median(residual))
        if unit <= 1e-12 * scale:
            break
        doubt = np.maximum(1.0, residual / (1.345 * unit))  # Huber's weights, as variances
    variance = float((residual**2 / doubt).sum()) / freedom
    covariance = np.diag(doubt) * variance + tiny
    return fit_power_law(sizes, risks, covariance, slack=slack), covariance


def as_repeats(sizes: npt.ArrayLike, risks: npt.ArrayLike) -> tuple[Floats, Floats, Integers]:
    """Return sizes in order, risks of shape (repeats, sizes), and the order that was found; checked.

    >>> as_repeats([2, 1], [0.1, 0.2])[1]
    array([[0.2, 0.1]])
    """
    points = as_vector(sizes, "sizes")
    table = np.atleast_2d(np.asarray(risks, dtype=np.float64))
    if table.ndim != 2 or table.shape[1] != len(points):
        raise SchemaError("sizes and risks differ in length", got=f"{table.shape}", expected=f"(..., {len(points)})")
    if not np.isfinite(table).all():
        raise SchemaError("missing or infinite risks", where="risks", got=int(np.sum(~np.isfinite(table))))
    if points.min() < 0:
        raise OptionError("sizes must not be negative", where="sizes", got=float(points.min()))
    order = np.argsort(points, kind="stable")
    points, table = points[order], table[:, order]
    if len(np.unique(points)) < len(points):
        raise SchemaError(
            "a size appears twice", where="sizes", hint="give repeats as rows of risks: shape (repeats, sizes)"
        )
    return points, table, order
