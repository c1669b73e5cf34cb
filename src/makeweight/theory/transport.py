"""Majority rows moved to the place and shape of the minority."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, as_matrix, fraction

__all__ = ["TransportMap", "fit_transport", "matrix_power", "shrunk_covariance"]


def matrix_power(
    covariance: Floats, exponent: float, *, least_variance: float = 0.0, digits: int | None = None
) -> Floats:
    """Return a symmetric power of a covariance.

    Parameters
    ----------
    covariance : ndarray of shape (d, d)
    exponent : float
    least_variance : float, default 0
        Variance that directions with less are given, as a share of the largest variance, or of one if that is
        larger; with zero, directions without spread map to zero.
    digits : int, optional
        Decimals kept before and after, which hides the order in which a linear algebra library sums.

    Returns
    -------
    ndarray of shape (d, d)

    Notes
    -----
    Source: textbook spectral calculus.

    Examples
    --------
    >>> matrix_power(np.diag([4.0, 0.0]), -0.5)
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    rounded = covariance if digits is None else np.round(covariance, digits)
    values, vectors = np.linalg.eigh(rounded)
    largest = float(values.max(initial=0.0))
    if least_variance:
        powered = np.maximum(values, least_variance * max(1.0, largest)) ** exponent
    else:
        kept = values > 1e-10 * max(largest, 1e-300)
        powered = np.where(kept, np.where(kept, values, 1.0) ** exponent, 0.0)
    power = np.einsum("ik,k,jk->ij", vectors, powered, vectors)
    return np.asarray(power if digits is None else np.round(power, digits))


def shrunk_covariance(rows: npt.ArrayLike, shrinkage: float | None = None) -> Floats:
    """Return a covariance shrunk towards its diagonal.

    Parameters
    ----------
    rows : array-like of shape (n, d)
        At least two rows.
    shrinkage : float, optional
        Weight of the diagonal in [0, 1]; by default the estimate of Schaefer and Strimmer (2005), the sum of
        the variances of the correlations over the sum of their squares.

    Returns
    -------
    ndarray of shape (d, d)
        Constant columns get zeros.

    Raises
    ------
    PlanError
        When there is a single row.
    OptionError
        When the shrinkage is outside [0, 1].

    Notes
    -----
    Source: Schaefer and Strimmer (2005), Table 2, target D. Shrinking correlations, not covariances, keeps every
    column's own scale.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(10, 3))
    >>> bool(np.linalg.eigvalsh(shrunk_covariance(rows)).min() > 0)
    True
    """
    table = as_matrix(rows, "rows")
    n, width = table.shape
    if n < 2:
        raise PlanError("a covariance needs two rows", got=n, expected=">= 2")
    spread = table.std(axis=0, ddof=1)
    scaled = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    correlation = scaled.T @ scaled / (n - 1)
    off = ~np.eye(width, dtype=bool)
    if shrinkage is None:
        squares = (scaled**2).T @ scaled**2 / n - (scaled.T @ scaled / n) ** 2
        noise = float(squares[off].sum()) * n / (n - 1) ** 2
        signal = float((correlation[off] ** 2).sum())
        shrinkage = min(1.0, noise / signal) if signal > 0 else 1.0
    else:
        fraction(shrinkage, "shrinkage")
    correlation[off] *= 1 - shrinkage
    return np.asarray(correlation * np.outer(spread, spread))


@dataclass(frozen=True)
class TransportMap:
    """T(x) = target + M (x - source) on the columns it moves; the others stay as they are.

    Attributes
    ----------
    source, target : ndarray of shape (d,)
        Means of majority and minority.
    matrix : ndarray of shape (d, d)
        S_1^(1/2) S_0^(-1/2) on the moved columns, the identity elsewhere.
    moved : ndarray of shape (d,)
        Which columns move.

    Examples
    --------
    >>> shift = TransportMap(np.zeros(1), np.ones(1), np.eye(1), np.ones(1, bool))
    >>> shift.apply([[2.0]])
    array([[3.]])
    """

    source: Floats
    target: Floats
    matrix: Floats
    moved: npt.NDArray[np.bool_]

    def apply(self, rows: npt.ArrayLike) -> Floats:
        """Return moved rows, shape (n, d)."""
        table = as_matrix(rows, "rows", columns=len(self.source))
        moved = self.target + (table - self.source) @ self.matrix.T
        return np.asarray(np.where(self.moved, moved, table))


def fit_transport(
    majority: npt.ArrayLike,
    minority: npt.ArrayLike,
    *,
    moved: npt.ArrayLike | None = None,
    shrinkage: float | None = None,
) -> TransportMap:
    """Fit the map that gives majority rows the mean and covariance of the minority.

    Parameters
    ----------
    majority : array-like of shape (n_0, d)
    minority : array-like of shape (n_1, d)
    moved : array-like of bool of shape (d,), optional
        Columns to move; categorical codes should stay. All by default.
    shrinkage : float, optional
        As in `shrunk_covariance`, for both covariances.

    Returns
    -------
    TransportMap

    Raises
    ------
    SchemaError
        When column counts differ, or `moved` has not one flag per column.
    PlanError
        When a class has a single row.

    Notes
    -----
    Derived in docs/theory.md, "Borrowing from the majority", after the idea of arXiv 2510.26046, whose own
    map is not public. Keeps higher moments of the majority's residuals: right when the classes differ by an
    affine map, wrong otherwise.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> majority, minority = rng.normal(size=(5000, 2)), 3 + 0.5 * rng.normal(size=(5000, 2))
    >>> moved = fit_transport(majority, minority, shrinkage=0.0).apply(majority)
    >>> bool(np.allclose(moved.mean(axis=0), minority.mean(axis=0)))
    True
    >>> bool(np.allclose(np.cov(moved.T), np.cov(minority.T)))
    True
    """
    first, second = as_matrix(majority, "majority"), as_matrix(minority, "minority")
    if first.shape[1] != second.shape[1]:
        raise SchemaError("column counts differ", got=second.shape[1], expected=first.shape[1])
    width = first.shape[1]
    chosen = np.ones(width, dtype=bool) if moved is None else np.asarray(moved, dtype=bool)
    if chosen.shape != (width,):
        raise SchemaError("one flag per column is needed", where="moved", got=chosen.shape, expected=(width,))
    matrix = np.eye(width)
    if chosen.any():
        before = shrunk_covariance(first[:, chosen], shrinkage)
        after = shrunk_covariance(second[:, chosen], shrinkage)
        matrix[np.ix_(chosen, chosen)] = matrix_power(after, 0.5) @ matrix_power(before, -0.5)
    return TransportMap(first.mean(axis=0), second.mean(axis=0), matrix, chosen)
