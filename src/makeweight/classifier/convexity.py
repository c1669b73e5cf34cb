"""Whether an estimator takes signed weights, and whether its fit then stands in a minimum."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from makeweight.errors import OptionError, PlanError

#: A scaled Hessian whose smallest eigenvalue is not above this does not show a minimum.
LEAST_CURVATURE = 1e-10
#: Solvers that minimise the loss itself, step by step downwards.
SMOOTH = ("lbfgs", "newton-cg", "newton-cholesky")


def check_takes_signed(estimator: Any) -> None:
    """Refuse an estimator whose fit to signed weights cannot be checked.

    >>> check_takes_signed(LogisticRegression())
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> check_takes_signed(RandomForestClassifier())
    Traceback (most recent call last):
    ...
    makeweight.errors.OptionError: RandomForestClassifier takes no signed weights...
    """
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    name = type(last).__name__
    if not isinstance(last, LogisticRegression):
        got = f"{name} takes no signed weights: its loss has no minimum that can be checked"
    elif last.solver not in SMOOTH or last.l1_ratio:
        got = f"{name}(solver={last.solver!r}, l1_ratio={last.l1_ratio}) takes no signed weights"
    elif not np.isfinite(last.C):
        got = f"{name}(C=inf) takes no signed weights: without a penalty the loss may have no minimum"
    else:
        return
    raise OptionError(
        got,
        expected=f"LogisticRegression with an l2 penalty and solver {', '.join(SMOOTH)}; or a pipeline "
        "that ends in one",
        hint='bias_correction="density-ratio" has positive weights',
    )


def check_minimum(fitted: Any, X: Any, y: np.ndarray, weights: np.ndarray) -> None:
    """Refuse a fit to signed weights that does not stand in a minimum, by a PlanError."""
    curvature = smallest_curvature(fitted, X, y, weights)
    if curvature <= LEAST_CURVATURE:
        raise PlanError(
            "the corrected loss is not convex at its solution",
            got=f"smallest eigenvalue {curvature:.2g}",
            expected="> 0",
            hint='use a smaller C, or bias_correction="density-ratio"',
        )


def smallest_curvature(fitted: Any, X: Any, y: np.ndarray, weights: np.ndarray) -> float:
    """Return the smallest eigenvalue of the Hessian of a fitted logistic regression's penalised loss.

    Coefficients are scaled to unit mean square of their columns. It is positive in a strict local minimum.

    With k > 2 classes intercepts can be moved together without any change: the last is held.

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1])
    >>> smallest_curvature(LogisticRegression().fit(X, y), X, y, np.ones(4)) > 0
    True
    """
    while isinstance(fitted, Pipeline):
        X = fitted[:-1].transform(X) if len(fitted.steps) > 1 else X
        fitted = fitted.steps[-1][1]
    x = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    slopes = x.shape[1]
    if fitted.fit_intercept:
        x = np.column_stack([x, np.ones(len(x))])
    own = weights * compute_sample_weight(fitted.class_weight, y)
    odds = fitted.decision_function(X)
    p = softmax(np.column_stack([np.zeros(len(x)), odds]) if odds.ndim == 1 else odds, axis=1)
    free = p[:, 1:] if odds.ndim == 1 else p
    size, width = free.shape[1], x.shape[1]
    hessian = np.empty((size, width, size, width))
    for a in range(size):
        for b in range(a, size):
            curvature = own * free[:, a] * ((a == b) - free[:, b])
            hessian[a, :, b, :] = hessian[b, :, a, :] = (x.T * curvature) @ x
    flat = hessian.reshape(size * width, size * width)
    penalty = np.tile(np.arange(width) < slopes, size) / fitted.C
    scale = np.sqrt(np.tile(np.abs(own) @ x**2, size) + penalty)
    flat = (flat + np.diag(penalty)) / np.outer(scale, scale)
    kept = len(flat) - int(size > 1 and fitted.fit_intercept)
    return float(np.linalg.eigvalsh(flat[:kept, :kept])[0])
