"""The result of a comparison, as numbers and as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from scipy.stats import entropy

from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm
from makeweight.evaluation.design import ComparisonSettings, Reproduction
from makeweight.evaluation.metrics import METRICS, Metric
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.statistics import Difference
from makeweight.evaluation.transfer import GeneratorTransfer
from makeweight.evaluation.verdict import ComparisonVerdict

__all__ = ["Comparison"]

#: imbalanced-learn's numbers per class: precision, recall, specificity, F1, geometric mean, and the index of
#: balanced accuracy.
REPORT = ("pre", "rec", "spe", "f1", "geo", "iba")


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of a comparison.

    Attributes
    ----------
    verdict : ComparisonVerdict
    scores : Scores
        Means, intervals and paired differences of every arm.
    focus : tuple of Arm
        The arms that the verdict is about.
    problem : EvaluationProblem
        The real rows.
    splits : tuple of (repeat, fold)
        Those that were run.
    cut : tuple of str
        What `max_seconds` left out.
    n_added : dict of variant to int
        Rows that an arm adds to the whole table.
    settings : ComparisonSettings
    reproduce : Reproduction
    seconds : float
    ranking : str
        Whether rows can improve the ranking, as tested before any was written.
    transfer : tuple of GeneratorTransfer
        What rows of the chosen generator, of SMOTE and of the bootstrap cost where real ones would stand; empty where
        there was no time.
    """

    verdict: ComparisonVerdict
    scores: Scores
    focus: tuple[Arm, ...]
    problem: EvaluationProblem
    splits: tuple[tuple[int, int], ...]
    cut: tuple[str, ...]
    n_added: dict[str, int]
    settings: ComparisonSettings
    reproduce: Reproduction
    seconds: float
    ranking: str = ""
    transfer: tuple[GeneratorTransfer, ...] = ()

    @property
    def helps(self) -> bool:
        """Whether synthetic rows that saw nothing but the training rows are shown to help ranking."""
        return self.verdict.code == "helps-ranking" and not any(arm.external for arm in self.focus)

    @cached_property
    def constant_risk(self) -> float:
        """Balanced log-loss of a constant at the balanced prior: ln 2 for two classes."""
        return float(entropy(self.problem.prior))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values: what is written as JSON and shown on the page."""
        problem, scores = self.problem, self.scores
        largest = int(problem.counts.max())
        return {
            "format": "makeweight.comparison",
            "version": 1,
            "verdict": self.verdict.to_dict(),
            "data": {
                "name": self.settings.name,
                "n_rows": len(problem),
                "n_columns": problem.frame.shape[1],
                "target": str(problem.target),
                "group_by": [str(name) for name in problem.group_by],
            },
            "groups": [
                {"group": name, "n_real": int(n), "n_after": largest}
                for name, n in zip(problem.group_names, problem.counts, strict=True)
            ],
            "estimators": list(scores.estimators),
            "arms": [self._arm(arm) for arm in scores.arms],
            "reference": REFERENCE,
            "metrics": [self._metric(metric) for metric in METRICS],
            "results": self._results(),
            "group_risks": self._group_risks(),
            "class_report": self._class_report(),
            "failures": [asdict(failure) for failure in scores.failures()],
            "cut": list(self.cut),
            "ranking": self.ranking,
            "cost_of_transfer": [asdict(transfer) for transfer in self.transfer],
            "ledger": self._ledger(),
            "settings": asdict(self.settings),
            "seconds": round(self.seconds, 1),
            "reproduce": asdict(self.reproduce),
        }

    def _arm(self, arm: Arm) -> dict[str, Any]:
        added = [self.scores.mean(name, arm.name, "n_added") for name in self.scores.estimators]
        known = [n for n in added if n is not None]
        return {
            "name": arm.name,
            "label": arm.label,
            "calibrated": arm.calibrated,
            "synthetic": arm.synthetic,
            "external": arm.external,
            "focus": arm.focus,
            "n_added": sum(known) / len(known) if known else None,
        }

    def _metric(self, metric: Metric) -> dict[str, Any]:
        is_loss = metric.name == "balanced_log_loss"
        return {
            "name": metric.name,
            "label": metric.label,
            "lower_is_better": metric.lower_is_better,
            "reference": self.constant_risk if is_loss else metric.reference,
        }

    def _results(self) -> list[dict[str, Any]]:
        scores, rows = self.scores, []
        for estimator in scores.estimators:
            for arm in scores.arms:
                for metric in METRICS:
                    value = scores.value(estimator, arm.name, metric.name)
                    difference = scores.difference(estimator, arm.name, metric.name)
                    to_nothing = None
                    if metric.name == "balanced_log_loss":
                        to_nothing = scores.difference(estimator, arm.name, metric.name, NOTHING)
                    rows.append(
                        {
                            "estimator": estimator,
                            "arm": arm.name,
                            "metric": metric.name,
                            **_interval(value),
                            "n": len(self.splits) if value else 0,
                            "difference": difference.to_dict() if difference else None,
                            "difference_to_nothing": to_nothing.to_dict() if to_nothing else None,
                        }
                    )
        return rows

    def _group_risks(self) -> list[dict[str, Any]]:
        scores, rows = self.scores, []
        for estimator in scores.estimators:
            for arm in scores.arms:
                for position, group in enumerate(self.problem.group_names):
                    difference = scores.group_difference(estimator, arm.name, position)
                    rows.append(
                        {
                            "estimator": estimator,
                            "arm": arm.name,
                            "group": group,
                            "log_loss": _interval(scores.group(estimator, arm.name, "log_loss", position)),
                            "error": _interval(scores.group(estimator, arm.name, "group_error", position)),
                            "difference": difference.to_dict() if difference and arm.name != REFERENCE else None,
                        }
                    )
        return rows

    def _class_report(self) -> list[dict[str, Any]]:
        """Return imbalanced-learn's numbers per class, averaged over the splits that have them all."""
        rows = []
        for estimator in self.scores.estimators:
            for arm in self.scores.arms:
                records = self.scores.records(estimator, arm.name)
                if any(record.error for record in records):
                    continue
                for name in self.problem.class_names:
                    reports = [record.classes[name] for record in records if name in record.classes]
                    if len(reports) < len(records):
                        continue
                    means = {key: sum(report[key] for report in reports) / len(reports) for key in REPORT}
                    rows.append({"estimator": estimator, "arm": arm.name, "class": name, **means})
        return rows

    def _ledger(self) -> dict[str, Any] | None:
        """Return the account of the chosen generator on the first split."""
        for arm in self.scores.arms:
            if arm.focus:
                for estimator in self.scores.estimators:
                    ledger = self.scores.records(estimator, arm.name)[0].ledger
                    if ledger is not None:
                        return dict(ledger)
        return None


def _interval(value: Difference | None) -> dict[str, float | None]:
    if value is None:
        return {"mean": None, "low": None, "high": None}
    return {"mean": value.mean, "low": value.low, "high": value.high}
