"""What is measured on held-out real rows, what people count among it, and what it is called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from makeweight.theory import row_losses

__all__ = ["measure"]

#: Shares of the rows for which an alarm is raised, at which it is kept how many rare cases are found.
ALARMS = (0.0, 0.005, *(round(0.01 * k, 2) for k in range(1, 21)), *(round(0.05 * k, 2) for k in range(5, 21)))
#: Bins of probability, of equal width.
BINS = 10
ECE_BINS = 10


def gains(scores: np.ndarray, is_case: np.ndarray) -> list[float]:
    """Return the share of cases among the rows with the highest scores, for each share of rows in `ALARMS`.

    Rows with equal scores are taken in no order: of those, as large a share of the cases is found as of the rows.

    `scores` of shape (n,). `is_case` of shape (n,): one case at least.

    >>> curve = gains(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, False, True, False]))
    >>> [curve[ALARMS.index(share)] for share in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 0.5, 1.0]
    """
    values, place = np.unique(-scores.round(12), return_inverse=True)
    rows = np.concatenate([[0.0], np.cumsum(np.bincount(place, minlength=len(values)))])
    cases = np.concatenate([[0.0], np.cumsum(np.bincount(place, is_case, minlength=len(values)))])
    shares = np.interp(np.array(ALARMS) * rows[-1], rows, cases) / cases[-1]
    return [round(float(share), 6) for share in shares]


def found_at(curve: Sequence[float], alarms: float) -> float:
    """Return the share of cases found at a share of alarms, between the points of a curve of `gains`.

    >>> found_at([share for share in ALARMS], 0.123)
    0.123
    """
    return float(np.interp(alarms, ALARMS, curve))


def reliability(scores: np.ndarray, is_case: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """Return sums of weights, of weighted probabilities and of weighted cases, in `BINS` bins of probability.

    >>> sums = reliability(np.array([0.05, 0.95]), np.array([False, True]), np.array([0.5, 0.5]))
    >>> sums[0][0], sums[2][-1]
    (0.5, 0.5)
    """
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    parts = (weights, weights * scores, weights * is_case)
    return [[round(float(one), 8) for one in np.bincount(bins, part, minlength=BINS)] for part in parts]


@dataclass(frozen=True)
class Metric:
    """A number per arm and split, from 0 to `most`; `reference` is a constant's, where no table changes it."""

    name: str
    label: str
    lower_is_better: bool
    reference: float | None = None
    most: float = 1.0


#: In the order in which they are shown. Those of `IMBALANCED` are imbalanced-learn's report, by its names.
IMBALANCED = {
    "precision": "avg_pre",
    "recall": "avg_rec",
    "specificity": "avg_spe",
    "f1": "avg_f1",
    "geometric_mean": "avg_geo",
    "index_balanced_accuracy": "avg_iba",
}
METRICS = (
    Metric("balanced_log_loss", "balanced log-loss", True, most=math.inf),
    Metric("worst_group_log_loss", "log-loss of the worst group", True, most=math.inf),
    Metric("auroc", "AUROC", False, 0.5),
    Metric("auprc", "AUPRC", False),
    Metric("balanced_error", "balanced error", True),
    Metric("worst_group_error", "error of the worst group", True),
    Metric("brier", "Brier score, balanced", True, most=2.0),
    Metric("ece", "calibration error (ECE), balanced", True),
    *(Metric(name, name.replace("_", " "), False) for name in IMBALANCED),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one arm scored on one split."""

    metrics: dict[str, float | None] = field(default_factory=dict)  # by name; None where it cannot be computed
    #: per group
    log_loss: list[float | None] = field(default_factory=list)
    group_error: list[float | None] = field(default_factory=list)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)  # imbalanced-learn's numbers per class
    n_held: list[int] = field(default_factory=list)  # held-out rows per group
    alarms: float = 0.0  # share of the held-out rows that are taken for the rarest class
    #: per group, `gains` of its cases among all held-out rows; empty for groups of other classes than the rarest
    found: list[list[float]] = field(default_factory=list)
    #: as of `reliability`, for the rarest class, with groups that weigh the same
    reliability: list[list[float]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)  # why a metric could not be computed


def measure(
    probabilities: np.ndarray,
    decisions: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    *,
    n_groups: int,
    rare: int,
    class_names: Sequence[str],
) -> Measured:
    """Return all metrics of the predictions for held-out rows.

    `probabilities` of shape (n, k). `decisions`, `labels`, `codes` of shape (n,): predicted class, class and group of
    every row. `rare`: the rarest class of the whole table: the positive one of AUPRC for two classes. A number
    that is not finite, or cannot be computed, is None with its reason in `problems`.

    >>> p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> measured = measure(p, p.argmax(axis=1), np.array([0, 0, 1]), np.array([0, 0, 1]),
    ...                 n_groups=2, rare=1, class_names=["no", "yes"])
    >>> round(measured.metrics["balanced_log_loss"], 3), measured.metrics["auroc"], measured.group_error
    (0.266, 1.0, [0.0, 0.0])
    """
    from imblearn.metrics import classification_report_imbalanced

    problems: dict[str, str] = {}
    sizes = np.bincount(codes, minlength=n_groups)
    weights = 1.0 / np.maximum(sizes, 1)[codes] / n_groups
    with np.errstate(invalid="ignore", divide="ignore"):
        log_loss = np.bincount(codes, row_losses(labels, probabilities, "log"), minlength=n_groups) / sizes
        error = np.bincount(codes, decisions != labels, minlength=n_groups) / sizes
    values: dict[str, float] = {
        "balanced_log_loss": log_loss.mean(),
        "worst_group_log_loss": log_loss.max(),
        "balanced_error": error.mean(),
        "worst_group_error": error.max(),
        "brier": _brier(probabilities, labels, weights),
        "ece": _ece(probabilities, labels, weights),
    }
    absent = [name for k, name in enumerate(class_names) if not (labels == k).any()]
    if absent:
        problems = dict.fromkeys(("auroc", "auprc"), f"no held-out row of class {', '.join(absent)}")
    else:
        values |= _ranking(probabilities, labels, rare)
    report = classification_report_imbalanced(labels, decisions, output_dict=True, zero_division=0)
    values |= {name: report[key] for name, key in IMBALANCED.items()}
    metrics = {metric.name: _finite(values.get(metric.name)) for metric in METRICS}
    unknown = [name for name, value in metrics.items() if value is None]
    return Measured(
        metrics=metrics,
        log_loss=[*map(_finite, log_loss)],
        group_error=[*map(_finite, error)],
        classes={
            name: {key: float(value) for key, value in report[str(k)].items()}
            for k, name in enumerate(class_names)
            if str(k) in report
        },
        n_held=[int(n) for n in sizes],
        alarms=float(np.mean(decisions == rare)),
        found=[_gains(probabilities[:, rare], labels == rare, codes == group) for group in range(n_groups)],
        reliability=reliability(probabilities[:, rare], labels == rare, weights),
        problems={name: f"not a finite number: {values.get(name)}" for name in unknown} | problems,
    )


def _gains(scores: np.ndarray, is_rare: np.ndarray, in_group: np.ndarray) -> list[float]:
    """Return how many rare cases of a group are found; nothing for a group that has none."""
    cases = is_rare & in_group
    return gains(scores, cases) if cases.any() else []


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _ranking(probabilities: np.ndarray, labels: np.ndarray, rare: int) -> dict[str, float]:
    """Return AUROC and AUPRC; for more than two classes the mean of one against the rest."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    positives = [rare] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    # Rounded, so that scores that differ by the last bit alone are ties, whatever was done to them before.
    pairs = [((labels == k).astype(np.int64), probabilities[:, k].round(12)) for k in positives]
    return {
        "auroc": float(np.mean([roc_auc_score(truth, score) for truth, score in pairs])),
        "auprc": float(np.mean([average_precision_score(truth, score) for truth, score in pairs])),
    }


def _brier(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean squared distance to the label, halved so that two classes give the usual score."""
    truth = np.eye(probabilities.shape[1])[labels]
    return float(weights @ ((probabilities - truth) ** 2).sum(axis=1) / 2)


def _ece(probabilities: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean over classes of the weighted gap between probability and frequency, in ten bins."""
    gaps = []
    for k in range(probabilities.shape[1]):
        bins = np.minimum((probabilities[:, k] * ECE_BINS).astype(np.int64), ECE_BINS - 1)
        excess = weights * (probabilities[:, k] - (labels == k))
        gaps.append(np.abs(np.bincount(bins, excess, minlength=ECE_BINS)).sum())
    return float(np.mean(gaps))
