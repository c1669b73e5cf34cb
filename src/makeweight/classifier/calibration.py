"""Calibrators: from a model's probabilities to those at a stated prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.isotonic import IsotonicRegression

from makeweight.theory import fit_calibration, logit_shift

__all__ = ["Calibrator", "Identity", "Isotonic", "fit_calibrator"]

#: Isotonic steps may reach zero and one, which no finite sample shows: probabilities keep this distance.
FLOOR = 1e-6


class Calibrator(Protocol):
    """What maps probabilities of shape (n, k) to probabilities of that shape."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities."""
        ...


@dataclass(frozen=True)
class Identity:
    """No calibration.

    Examples
    --------
    >>> Identity().apply(np.array([[0.2, 0.8]]))
    array([[0.2, 0.8]])
    """

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probabilities as they are."""
        return probabilities


@dataclass(frozen=True)
class Isotonic:
    """One increasing step function per class (one against the rest), then shares of their sum.

    Parameters
    ----------
    steps : tuple of IsotonicRegression
        For two classes only that of the second.

    Notes
    -----
    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates" (2002).
    """

    steps: tuple[IsotonicRegression, ...]

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities of shape (n, k)."""
        if len(self.steps) == 1:
            second = np.clip(self.steps[0].predict(probabilities[:, 1]), FLOOR, 1 - FLOOR)
            return np.column_stack([1 - second, second])
        columns = [step.predict(column) for step, column in zip(self.steps, probabilities.T, strict=True)]
        table = np.clip(np.column_stack(columns), FLOOR, None)
        return np.asarray(table / table.sum(axis=1, keepdims=True))


def fit_calibrator(
    method: str,
    probabilities: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    training_prior: np.ndarray,
    target_prior: np.ndarray,
) -> Calibrator:
    """Fit a calibrator on out-of-fold probabilities.

    Parameters
    ----------
    method : {"none", "logit-shift", "platt", "isotonic"}
    probabilities : ndarray of shape (n, k)
        Of rows that the model was not fitted on.
    labels : ndarray of int, shape (n,)
    weights : ndarray of shape (n,)
        That bring the rows to the target prior.
    training_prior, target_prior : ndarray of shape (k,)
        Class shares under which the model was fitted, and which it is calibrated to.

    Returns
    -------
    Calibrator

    Examples
    --------
    >>> none = np.empty((0, 2))
    >>> shift = fit_calibrator("logit-shift", none, none, none, np.array([0.9, 0.1]), np.array([0.5, 0.5]))
    >>> shift.apply(np.array([[0.9, 0.1]])).round(6)
    array([[0.5, 0.5]])
    """
    if method == "none":
        return Identity()
    if method == "logit-shift":
        return logit_shift(training_prior, target_prior)
    if method == "platt":
        return fit_calibration(probabilities, labels, sample_weight=weights)
    classes = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else (1,)
    return Isotonic(
        tuple(
            IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(
                probabilities[:, k], (labels == k).astype(np.float64), sample_weight=weights
            )
            for k in classes
        )
    )
