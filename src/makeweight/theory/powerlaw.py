"""A power law with a floor, fitted robustly; and the two straight lines of the published figures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, as_vector

__all__ = ["PowerLaw", "StraightLine", "fit_power_law", "inverse_line", "log_line"]

_EXPONENTS = np.geomspace(0.05, 3.0, 60)


@dataclass(frozen=True)
class PowerLaw:
    """R(n) = floor + amplitude n^(-exponent).

    Attributes
    ----------
    floor, amplitude, exponent : float
    at_edge : bool
        Whether the exponent ran to an end of its range, 0.05 to 3.

    Examples
    --------
    >>> PowerLaw(0.1, 2.0, 0.5, False).predict(np.array([4.0, 100.0]))
    array([1.1, 0.3])
    """

    floor: float
    amplitude: float
    exponent: float
    at_edge: bool

    def predict(self, sizes: Floats) -> Floats:
        """Return R(n)."""
        return np.asarray(self.floor + self.amplitude * sizes**-self.exponent)

    def effective_size_for(self, above_floor: float) -> float:
        """Return the n at which R(n) - floor has this value; infinite when it is never reached."""
        if above_floor <= 0 or self.amplitude <= 0:
            return math.inf
        return float((self.amplitude / above_floor) ** (1 / self.exponent))


def fit_power_law(sizes: Floats, risks: Floats, weights: Floats) -> PowerLaw:
    """Fit by Huber-weighted least squares, profiled over the exponent.

    For a given exponent the law is linear in floor and amplitude; the floor is not negative and the amplitude
    free, so that a rising curve shows as a negative one.

    Parameters
    ----------
    sizes, risks, weights : ndarray of shape (s,)
        Positive sizes.

    Returns
    -------
    PowerLaw

    Notes
    -----
    Huber's constant 1.345 on residuals over their median absolute value, two reweightings.

    Examples
    --------
    >>> n = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])
    >>> law = fit_power_law(n, 0.2 + 3 * n**-0.5, np.ones(5))
    >>> round(law.floor, 3), round(law.exponent, 3)
    (0.2, 0.5)
    """
    trust = weights / weights.sum()
    law = _profiled(sizes, risks, trust)
    for _ in range(2):
        scaled = np.abs(risks - law.predict(sizes)) * np.sqrt(trust)
        unit = 1.4826 * float(np.median(scaled))
        if unit <= 1e-12 * float(np.abs(risks).max() + 1e-300):
            break
        law = _profiled(sizes, risks, trust * np.minimum(1.0, 1.345 * unit / np.maximum(scaled, 1e-300)))
    return law


def _profiled(sizes: Floats, risks: Floats, trust: Floats) -> PowerLaw:
    grid, best = _EXPONENTS, 0
    floors = amplitudes = costs = np.empty(0)
    for zoom in range(3):
        basis = (sizes / sizes[0])[None, :] ** -grid[:, None]
        floors, amplitudes, costs = _linear(basis, risks, trust)
        best = int(np.argmin(costs))
        if zoom == 0:
            at_edge = best in (0, len(grid) - 1)
        if zoom < 2:
            grid = np.geomspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 21)
    exponent = float(grid[best])
    return PowerLaw(float(floors[best]), float(amplitudes[best] * sizes[0] ** exponent), exponent, at_edge)


def _linear(basis: Floats, risks: Floats, trust: Floats) -> tuple[Floats, Floats, Floats]:
    """Return weighted least squares of risks on [1, basis] per row, with a floor that is not negative."""
    total = float(trust.sum())
    mean_basis, mean_risk = basis @ trust / total, float(risks @ trust) / total
    centred = basis - mean_basis[:, None]
    spread = (centred**2) @ trust
    amplitude = (centred * trust) @ (risks - mean_risk) / np.maximum(spread, 1e-300)
    floor = mean_risk - amplitude * mean_basis
    alone = (basis * trust) @ risks / ((basis**2) @ trust)
    negative = floor < 0
    amplitude, floor = np.where(negative, alone, amplitude), np.where(negative, 0.0, floor)
    residual = risks - floor[:, None] - amplitude[:, None] * basis
    return floor, amplitude, (residual**2) @ trust


@dataclass(frozen=True)
class StraightLine:
    """A straight line through transformed points.

    Attributes
    ----------
    intercept, slope : float
    explained : float
        Share of the variance explained, R^2.

    Examples
    --------
    >>> StraightLine(1.0, 2.0, 1.0).slope
    2.0
    """

    intercept: float
    slope: float
    explained: float


def log_line(sizes: npt.ArrayLike, risks: npt.ArrayLike) -> StraightLine:
    """Fit log R against log N, as in the published figures.

    Parameters
    ----------
    sizes : array-like of shape (s,)
        N; size zero has no logarithm and is left out.
    risks : array-like of shape (s,)

    Returns
    -------
    StraightLine

    Notes
    -----
    Figures of arXiv 2406.03628. A straight line has no floor: it promises a risk of zero.

    Examples
    --------
    >>> log_line([0, 1, 10, 100], [9.0, 1.0, 0.1, 0.01]).slope.__round__(6)
    -1.0
    """
    points, values = _positive(sizes, risks)
    return _line(np.log(points), np.log(values))


def inverse_line(sizes: npt.ArrayLike, risks: npt.ArrayLike) -> StraightLine:
    """Fit log R against 1 / N, as in the published figures.

    Parameters
    ----------
    sizes : array-like of shape (s,)
        N; size zero is left out.
    risks : array-like of shape (s,)

    Returns
    -------
    StraightLine

    Notes
    -----
    Figures of arXiv 2406.03628.

    Examples
    --------
    >>> inverse_line([1, 2, 4], np.exp([1.0, 0.5, 0.25])).slope.__round__(6)
    1.0
    """
    points, values = _positive(sizes, risks)
    return _line(1 / points, np.log(values))


def _positive(sizes: npt.ArrayLike, risks: npt.ArrayLike) -> tuple[Floats, Floats]:
    points = as_vector(sizes, "sizes")
    values = as_vector(risks, "risks", length=len(points))
    points, values = points[points > 0], values[points > 0]
    if len(np.unique(points)) < 2:
        raise PlanError("a line needs two sizes above zero", got=len(np.unique(points)), expected=">= 2")
    if values.min() <= 0:
        raise SchemaError("a logarithm needs positive risks", where="risks", got=float(values.min()))
    return points, values


def _line(x: Floats, y: Floats) -> StraightLine:
    slope, intercept = np.polyfit(x, y, 1)
    total = float(((y - y.mean()) ** 2).sum())
    rest = float(((y - slope * x - intercept) ** 2).sum())
    return StraightLine(float(intercept), float(slope), 1 - rest / total if total > 0 else 1.0)
