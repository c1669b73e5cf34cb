"""Logistic regression by Newton's method: the smooth model in which the theory is checked.

Weights may be negative, which the bias correction of `makeweight.theory.bias` needs; the fit then reports the
smallest eigenvalue of its Hessian, so that a caller can see whether it stands in a minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from makeweight.errors import OptionError, SchemaError
from makeweight.theory._checks import Floats, as_binary, as_matrix, as_vector, as_weights

__all__ = ["LogisticFit", "balanced_weights", "design", "fit_logistic", "row_scores"]


@dataclass(frozen=True)
class LogisticFit:
    """A fitted logistic regression.

    Attributes
    ----------
    coefficients : ndarray of shape (p,)
        Slopes, then the intercept last where there is one.
    intercept : bool
        Whether the last coefficient is an intercept.
    hessian : ndarray of shape (p, p)
        Hessian of the weighted mean loss plus ridge at the solution.
    smallest_eigenvalue : float
        Smallest eigenvalue of the Hessian with columns scaled to unit mean square; positive in a strict local
        minimum.
    loss : float
        Weighted mean log-loss at the solution, in nats, without the ridge term.
    iterations : int
        Newton steps taken.

    Notes
    -----
    Source: textbook maximum likelihood; the row scores are those of arXiv 2601.16120, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from makeweight.theory import fit_logistic
    >>> fit = fit_logistic([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> fit.probabilities([[1.5]]).round(3)
    array([0.5])
    >>> bool(abs(fit.decision([[1.5]])[0]) < 1e-8)
    True
    """

    coefficients: Floats
    intercept: bool
    hessian: Floats
    smallest_eigenvalue: float
    loss: float
    iterations: int

    def decision(self, features: npt.ArrayLike) -> Floats:
        """Return log-odds of class 1, shape (n,)."""
        width = len(self.coefficients) - int(self.intercept)
        return design(as_matrix(features, "features", columns=width), self.intercept) @ self.coefficients

    def probabilities(self, features: npt.ArrayLike) -> Floats:
        """Return probabilities of class 1, shape (n,)."""
        return np.asarray(expit(self.decision(features)), dtype=np.float64)


def design(features: Floats, intercept: bool = True) -> Floats:
    """Return the design matrix [X, 1], or X alone without an intercept.

    >>> design(np.array([[2.0], [3.0]]))
    array([[2., 1.],
           [3., 1.]])
    """
    return np.column_stack([features, np.ones(len(features))]) if intercept else features


def balanced_weights(labels: npt.ArrayLike) -> Floats:
    """Return n / (2 n_c) for every row of class c: each class then counts for one half.

    Parameters
    ----------
    labels : array-like of shape (n,)
        0 and 1.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    SchemaError
        When a label is not 0 or 1.
    PlanError
        When only one class is present.

    Notes
    -----
    Source: textbook class weights, as in the pilot fit of arXiv 2601.16120.

    Examples
    --------
    >>> balanced_weights([0, 0, 0, 1]).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    labels = as_binary(labels)
    minority = float(labels.mean())
    return np.where(labels == 1, 0.5 / minority, 0.5 / (1.0 - minority))


def row_scores(features: npt.ArrayLike, labels: npt.ArrayLike, fit: LogisticFit) -> Floats:
    """Return the gradient of every row's log-loss at a fit.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 and 1.
    fit : LogisticFit
        To any rows of the same columns.

    Returns
    -------
    ndarray of shape (n, p)
        p is d, and one more for the intercept, which comes last.

    Raises
    ------
    SchemaError
        When a label is not 0 or 1, or lengths differ.

    Notes
    -----
    Source: textbook; these are the scores of arXiv 2601.16120, Algorithm 1.

    Examples
    --------
    >>> fit = fit_logistic([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1])
    >>> bool(abs(row_scores([[0.0], [1.0], [2.0], [3.0]], [0, 1, 0, 1], fit).mean(axis=0)).max() < 1e-8)
    True
    """
    table = as_matrix(features, "features")
    labels = as_binary(labels, length=len(table), both=False)
    residual = fit.probabilities(table) - labels
    return residual[:, None] * design(table, fit.intercept)


def fit_logistic(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ridge: float = 0.0,
    intercept: bool = True,
    start: Floats | None = None,
    max_iterations: int = 100,
) -> LogisticFit:
    """Fit a logistic regression by damped Newton steps.

    Minimises sum_i w_i loss_i / sum_i w_i + ridge/2 |slopes|^2; the intercept is not penalised.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 or 1.
    sample_weight : array-like of shape (n,), optional
        May contain negative weights as long as their sum is positive and `ridge` is positive.
    ridge : float, default 0
        Strength of the penalty on the scale of the mean loss.
    intercept : bool, default True
    start : ndarray of shape (p,), optional
        Where to start.
    max_iterations : int, default 100

    Returns
    -------
    LogisticFit

    Raises
    ------
    SchemaError
        On perfect separation or collinear columns with no ridge, or when the loss is unbounded below.

    Notes
    -----
    Source: textbook Newton-Raphson; an indefinite Hessian (negative weights) is replaced by its absolute
    value for the step, so every step descends.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(5000, 1))
    >>> y = (rng.random(5000) < 1 / (1 + np.exp(-(2 * x[:, 0] - 1)))).astype(int)
    >>> fit_logistic(x, y).coefficients.round(1)
    array([ 2., -1.])
    """
    table = as_matrix(features, "features")
    target = as_binary(labels, length=len(table))
    weights = as_weights(sample_weight, len(table), signed=True)
    signed = bool(np.any(weights < 0))
    if ridge < 0 or (signed and ridge == 0):
        raise OptionError("a positive ridge is needed", where="ridge", got=ridge, expected="> 0 with negative weights")
    x = design(table, intercept)
    weights = weights / weights.sum()
    penalty = np.full(x.shape[1], float(ridge))
    if intercept:
        penalty[-1] = 0.0
    sign = 1.0 - 2.0 * target
    theta = np.zeros(x.shape[1]) if start is None else as_vector(start, "start", length=x.shape[1]).copy()

    def objective(point: Floats) -> float:
        return float(weights @ np.logaddexp(0.0, sign * (x @ point)) + 0.5 * penalty @ point**2)

    scale = np.sqrt(np.maximum(np.abs(weights) @ x**2 + penalty, 1e-300))
    value = objective(theta)
    taken = 0
    while taken < max_iterations:
        taken += 1
        gradient, hessian = _derivatives(x, target, weights, penalty, theta)
        step, smallest, largest = _newton_step(gradient, hessian, scale)
        if ridge == 0 and smallest < 1e-10 * largest:
            raise _separated(len(table))
        decrement = float(gradient @ step)
        if decrement < 1e-18 * max(1.0, abs(value)):
            break
        size, rounding = 1.0, 1e-14 * max(1.0, abs(value))
        while (moved := objective(theta - size * step)) > value - 1e-4 * size * decrement + rounding:
            size /= 2
        theta, value = theta - size * step, moved
        if ridge == 0 and np.all(sign * (x @ theta) < 0):
            raise _separated(len(table))
    else:
        raise SchemaError(
            "logistic regression did not converge",
            got=f"{max_iterations} steps",
            hint="the loss may be unbounded below; pass a larger ridge, or fewer negative weights",
        )
    loss = value - 0.5 * float(penalty @ theta**2)
    return LogisticFit(theta, intercept, hessian, smallest, loss, taken)


def _derivatives(x: Floats, target: Floats, weights: Floats, penalty: Floats, theta: Floats) -> tuple[Floats, Floats]:
    probability = expit(x @ theta)
    gradient = x.T @ (weights * (probability - target)) + penalty * theta
    hessian = (x.T * (weights * probability * (1 - probability))) @ x + np.diag(penalty)
    return gradient, hessian


def _newton_step(gradient: Floats, hessian: Floats, scale: Floats) -> tuple[Floats, float, float]:
    """Return the descent step H^-1 g (|H| where H is indefinite) and H's extreme scaled eigenvalues."""
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    floor = max(1e-12 * float(np.abs(values).max()), 1e-300)
    curvature = np.maximum(np.abs(values), floor)
    step = vectors @ ((vectors.T @ (gradient / scale)) / curvature) / scale
    return step, float(values[0]), float(values[-1])


def _separated(rows: int) -> SchemaError:
    return SchemaError(
        "the classes are perfectly separated, or columns are collinear: no finite fit exists",
        where="features",
        got=f"{rows} rows",
        hint="pass ridge=1e-3, or drop the column that separates the classes",
    )
