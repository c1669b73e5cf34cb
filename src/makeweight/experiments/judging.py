"""Losses of two-class probabilities on held-out real rows, as they are and after calibration."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score, roc_curve

from makeweight.measure.calibration import balanced_platt

#: Probabilities of the published classifiers are this far from 0 and 1 before they are calibrated. They are cut, not
#: mixed as in `makeweight.measure.probabilities`, so that the numbers stay comparable with those already measured.
LEAST = 1e-3


def balanced_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over both labels of their mean log-loss, in nats, as published.

    The probabilities, of label 1, are in the floating-point type of the classifier: scikit-learn keeps them one
    resolution of that type away from 0 and 1.

    >>> round(balanced_loss(np.array([0, 0, 1]), np.array([0.5, 0.5, 0.5])), 4)
    0.6931
    """
    both = np.column_stack([1 - probabilities, probabilities])
    weights = 1.0 / np.bincount(labels)[labels]
    return float(log_loss(labels, both, sample_weight=weights, labels=[0, 1]))


def calibrated_on_halves(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities calibrated on the other half of the rows: what the ranking is worth.

    Platt scaling with balanced weights, each half by a fit to the other. It uses test labels, the same way
    for every arm: a yardstick, not a method.
    """
    sure = np.clip(probabilities.astype(np.float64), LEAST, 1 - LEAST)
    half = np.arange(len(labels)) % 2 == 0
    calibrated = np.empty(len(labels))
    for part in (half, ~half):
        calibrated[part] = balanced_platt(sure[~part], labels[~part], labels[~part]).apply(sure[part])
    return calibrated


def judge(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return the metrics that calibration cannot change, and the balanced log-loss.

    They are ``bce`` as the probabilities are, ``bce_ranking`` after `calibrated_on_halves`, ``auroc``, ``auprc`` of
    label 1, and ``best_accuracy``, the balanced accuracy at the best threshold.
    """
    false, true, _ = roc_curve(labels, probabilities)
    return {
        "bce": balanced_loss(labels, probabilities),
        "bce_ranking": balanced_loss(labels, calibrated_on_halves(labels, probabilities)),
        "auroc": float(roc_auc_score(labels, probabilities)),
        "auprc": float(average_precision_score(labels, probabilities)),
        "best_accuracy": float(np.max((true + 1 - false) / 2)),
    }
