"""Risks measured at several sizes: checked, their covariance over repeats, and a power law through them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import fdtri

from makeweight.errors import OptionError, SchemaError
from makeweight.theory._checks import Floats, Integers, as_vector
from makeweight.theory.powerlaw import LawFit, fit_power_law


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
