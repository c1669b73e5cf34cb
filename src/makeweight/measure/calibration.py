"""Calibrators: from a model's probabilities to those at a stated prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.isotonic import IsotonicRegression

from makeweight.measure.probabilities import floored
from makeweight.theory import fit_calibration, logit_shift

__all__ = ["Calibrator", "balanced_platt", "fit_calibrator", "tuned_offsets"]


class Calibrator(Protocol):
    """What maps probabilities of shape (n, k) to probabilities of that shape."""

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities."""
        ...


@dataclass(frozen=True)
class Identity:
    """No calibration.

    >>> Identity().apply(np.array([[0.2, 0.8]]))
    array([[0.2, 0.8]])
    """

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the probabilities as they are."""
        return probabilities


@dataclass(frozen=True)
class Isotonic:
    """One increasing step function per class (one against the rest), then shares of their sum.

    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability
    estimates" (2002).
    """

    steps: tuple[IsotonicRegression, ...]  # for two classes only that of the second

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities of shape (n, k)."""
        if len(self.steps) == 1:
            second = self.steps[0].predict(probabilities[:, 1])
            return floored(np.column_stack([1 - second, second]))
        columns = [step.predict(column) for step, column in zip(self.steps, probabilities.T, strict=True)]
        table = np.column_stack(columns) + np.finfo(np.float64).tiny
        return floored(table / table.sum(axis=1, keepdims=True))


def fit_calibrator(
    method: str,
    probabilities: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    training_prior: np.ndarray,
    target_prior: np.ndarray,
) -> Calibrator:
    """Return a calibrator fitted on out-of-fold probabilities, shape (n, k).

    The method is "none", "logit-shift", "platt" or "isotonic". The weights bring the rows to the target prior; the
    model was fitted under the training prior. Both priors have shape (k,).

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


def balanced_platt(probabilities: np.ndarray, labels: np.ndarray, codes: np.ndarray) -> Calibrator:
    """Return Platt scaling under which every group of the rows, by its code, weighs the same."""
    return fit_calibration(probabilities, labels, sample_weight=1.0 / np.bincount(codes)[codes])


def tuned_offsets(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return offsets on log-probabilities with the least weighted error: for two classes a threshold.

    More than two classes are tuned one after the other, twice, from equal offsets.

    >>> p = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    >>> offsets = tuned_offsets(p, np.array([0, 0, 1]), np.array([0.5, 0.5, 1.0]))
    >>> (np.log(p) + offsets).argmax(axis=1).tolist()
    [0, 0, 1]
    """
    scores = np.log(probabilities)
    k = scores.shape[1]
    offsets = np.zeros(k)
    for c in [1] if k == 2 else [*range(k), *range(k)]:
        rivals = scores + offsets
        rivals[:, c] = -np.inf
        rival = rivals.argmax(axis=1)
        needed = rivals[np.arange(len(labels)), rival] - scores[:, c]  # offset above which the row goes to c
        order = np.argsort(needed, kind="stable")
        gain = np.where(labels == c, weights, 0.0) - np.where(labels == rival, weights, 0.0)
        total = np.append(0.0, np.cumsum(gain[order]))
        edges = needed[order]
        last = np.append(edges[1:] > edges[:-1], True)  # a cut lies between different values
        allowed = np.append(True, last)
        best = int(np.where(allowed, total, -np.inf).argmax())
        if best == 0:
            offsets[c] = edges[0] - 1.0
        elif best == len(edges):
            offsets[c] = edges[-1] + 1.0
        else:
            offsets[c] = (edges[best - 1] + edges[best]) / 2
    return offsets
