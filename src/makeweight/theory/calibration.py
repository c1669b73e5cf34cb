"""Post-hoc calibration to a balanced target: the arm that added rows have to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from makeweight.errors import OptionError, SchemaError
from makeweight.theory._checks import Floats, as_vector, as_weights
from makeweight.theory.risk import probability_table

__all__ = ["Calibration", "fit_calibration", "logit_shift"]

_FLOOR = 1e-12
#: Newton steps at most; the decrease of the loss, in nats, below which none is taken; rounding of the loss.
_MOST_STEPS, _ENOUGH, _ROUNDING = 100, 1e-14, 1e-14


@dataclass(frozen=True)
class Calibration:
    """Temperature and class offsets on log-probabilities: Platt scaling for any number of classes.

    Attributes
    ----------
    slope : float
        Factor on the log-probabilities.
    offsets : ndarray of shape (k,)
        Added per class; they sum to zero.

    Notes
    -----
    For two classes log-odds become slope * log-odds + (offset_1 - offset_0): Platt scaling.

    Examples
    --------
    >>> Calibration(1.0, np.zeros(2)).apply([0.2, 0.7])
    array([0.2, 0.7])
    """

    slope: float
    offsets: Floats

    def apply(self, probabilities: npt.ArrayLike) -> Floats:
        """Return calibrated probabilities in the shape of the input, (n,) or (n, k)."""
        table = probability_table(probabilities)
        if table.shape[1] != len(self.offsets):
            raise SchemaError("class counts differ", got=table.shape[1], expected=len(self.offsets))
        scaled = np.exp(log_softmax(self.slope * np.log(np.maximum(table, _FLOOR)) + self.offsets, axis=1))
        return np.asarray(scaled[:, 1] if np.ndim(probabilities) == 1 else scaled)


def fit_calibration(
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ridge: float = 1e-4,
) -> Calibration:
    """Fit temperature and class offsets by weighted log-loss.

    Parameters
    ----------
    probabilities : array-like of shape (n,) or (n, k)
        Out-of-fold probabilities: of rows that the model was not fitted on.
    labels : array-like of shape (n,)
        Class numbers.
    sample_weight : array-like of shape (n,), optional
        Weights that bring the rows to the target prior; 1 / n_g per row of group g for the balanced risk.
    ridge : float, default 1e-4
        Pull of the slope and offsets towards one and zero, on the scale of the mean loss; keeps the fit
        finite when the classes are separated.

    Returns
    -------
    Calibration

    Raises
    ------
    SchemaError
        When probabilities are none, or a label is no class number.
    OptionError
        When the ridge is not positive, or weights are negative.

    Notes
    -----
    Source: Platt scaling (1999) for two classes, bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar,
    2020) for more. Probabilities are floored at
    1e-12.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.uniform(0.1, 0.9, size=20000)
    >>> labels = (rng.random(20000) < truth).astype(int)
    >>> sharp = truth**2 / (truth**2 + (1 - truth) ** 2)          # log-odds doubled
    >>> round(fit_calibration(sharp, labels).slope, 1)
    0.5
    """
    if ridge <= 0:
        raise OptionError("out of range", where="ridge", got=ridge, expected="> 0")
    logs = np.log(np.maximum(probability_table(probabilities), _FLOOR))
    target = as_vector(labels, "labels", length=len(logs)).astype(np.int64)
    classes = logs.shape[1]
    if target.min() < 0 or target.max() >= classes:
        raise SchemaError("labels must be class numbers", where="labels", expected=f"0 to {classes - 1}")
    weights = as_weights(sample_weight, len(logs))
    return _newton(logs, target, weights / weights.sum(), ridge)


def _newton(logs: Floats, target: npt.NDArray[np.int64], weights: Floats, ridge: float) -> Calibration:
    """Minimise the ridged log-loss over (slope, offsets): strictly convex, so damped Newton steps arrive."""
    rows, start = np.arange(len(logs)), np.append(1.0, np.zeros(logs.shape[1]))

    def value(point: Floats) -> tuple[float, Floats]:
        odds = point[0] * logs + point[1:]
        odds -= odds.max(axis=1, keepdims=True)
        probabilities = np.exp(odds)
        total = probabilities.sum(axis=1, keepdims=True)
        loss = float(weights @ (np.log(total[:, 0]) - odds[rows, target]))
        return loss + 0.5 * ridge * float((point - start) @ (point - start)), probabilities / total

    point = start
    loss, probabilities = value(point)
    for _ in range(_MOST_STEPS):
        gradient, hessian = _derivatives(logs, target, weights, probabilities)
        gradient += ridge * (point - start)
        hessian[np.diag_indices_from(hessian)] += ridge
        step = np.linalg.solve(hessian, gradient)
        decrease = float(gradient @ step)
        if decrease <= _ENOUGH:
            break
        size = 1.0
        while (trial := value(point - size * step))[0] > loss - 1e-4 * size * decrease + _ROUNDING:
            size /= 2
        point, (loss, probabilities) = point - size * step, trial
    else:
        raise SchemaError("the calibration did not converge", got=f"{_MOST_STEPS} steps", hint="raise ridge")
    return Calibration(float(point[0]), point[1:] - point[1:].mean())


def _derivatives(logs: Floats, target: npt.NDArray[np.int64], weights: Floats, shares: Floats) -> tuple[Floats, Floats]:
    """Return gradient (k + 1,) and Hessian (k + 1, k + 1) of the weighted log-loss."""
    weighted = weights[:, None] * shares
    residual = weighted.copy()
    residual[np.arange(len(logs)), target] -= weights
    mean = (shares * logs).sum(axis=1, keepdims=True)
    hessian = np.empty((logs.shape[1] + 1, logs.shape[1] + 1))
    hessian[1:, 1:] = np.diag(weighted.sum(axis=0)) - weighted.T @ shares
    hessian[0, 1:] = hessian[1:, 0] = (weighted * (logs - mean)).sum(axis=0)
    hessian[0, 0] = float((weighted * (logs - mean) ** 2).sum())
    return np.append(float((residual * logs).sum()), residual.sum(axis=0)), hessian


def logit_shift(training_prior: npt.ArrayLike, target_prior: npt.ArrayLike | None = None) -> Calibration:
    """Return the calibration that changes the prior and nothing else.

    Parameters
    ----------
    training_prior : array-like of shape (k,)
        Positive class shares that the model was fitted under.
    target_prior : array-like of shape (k,), optional
        Equal shares by default.

    Returns
    -------
    Calibration

    Raises
    ------
    OptionError
        When a share is not positive, or there is not one per class.

    Notes
    -----
    Source: Bayes' rule. Log-odds change by the difference of the prior log-odds. Exact for a calibrated model.

    Examples
    --------
    >>> logit_shift([0.9, 0.1]).apply([0.1]).round(6)
    array([0.5])
    """
    before = as_vector(training_prior, "training_prior")
    after = np.ones_like(before) if target_prior is None else as_vector(target_prior, "target_prior")
    if len(before) != len(after) or before.min() <= 0 or after.min() <= 0 or len(before) < 2:
        raise OptionError("priors must be positive shares, one per class", got=before.tolist())
    offsets = np.log(after / after.sum()) - np.log(before / before.sum())
    return Calibration(1.0, offsets - offsets.mean())
