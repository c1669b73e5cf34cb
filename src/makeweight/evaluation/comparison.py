"""The result of a comparison, as numbers and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property

from scipy.stats import entropy

from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm
from makeweight.evaluation.design import ComparisonSettings, Reproduction
from makeweight.evaluation.metrics import METRICS
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.statistics import Difference
from makeweight.evaluation.transfer import GeneratorTransfer
from makeweight.evaluation.verdict import ComparisonVerdict

__all__ = ["Comparison"]

#: imbalanced-learn's numbers per class: precision, recall, specificity, F1, geometric mean, and the index of
#: balanced accuracy.
REPORT = ("pre", "rec", "spe", "f1", "geo", "iba")

LOSS = "balanced_log_loss"
#: A row of the result as plain values.
Row = dict[str, object]


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

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values: what is written as JSON and shown on the page."""
        problem, scores = self.problem, self.scores
        largest = int(problem.counts.max())
        return {
            "format": "makeweight.comparison",
            "version": 1,
            "verdict": asdict(self.verdict),
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
            "metrics": [
                {
                    "name": metric.name,
                    "label": metric.label,
                    "lower_is_better": metric.lower_is_better,
                    "reference": self.constant_risk if metric.name == LOSS else metric.reference,
                }
                for metric in METRICS
            ],
            "results": [self._result(*pair, metric.name) for pair in scores.pairs for metric in METRICS],
            "group_risks": [
                self._group_risk(*pair, position, group)
                for pair in scores.pairs
                for position, group in enumerate(problem.group_names)
            ],
            "class_report": [row for pair in scores.pairs for row in self._class_report(*pair)],
            "failures": list(map(asdict, scores.failures())),
            "cut": list(self.cut),
            "ranking": self.ranking,
            "cost_of_transfer": [asdict(transfer) for transfer in self.transfer],
            "ledger": self._ledger(),
            "settings": asdict(self.settings),
            "seconds": round(self.seconds, 1),
            "reproduce": asdict(self.reproduce),
        }

    def _arm(self, arm: Arm) -> Row:
        added = [self.scores.mean(name, arm.name, "n_added") for name in self.scores.estimators]
        known = [n for n in added if n is not None]
        traits = {
            name: getattr(arm, name) for name in ("name", "label", "calibrated", "synthetic", "external", "focus")
        }
        return {**traits, "n_added": sum(known) / len(known) if known else None}

    def _result(self, estimator: str, arm: str, metric: str) -> Row:
        scores = self.scores
        value = scores.value(estimator, arm, metric)
        to_nothing = scores.difference(estimator, arm, metric, NOTHING) if metric == LOSS else None
        return {
            "estimator": estimator,
            "arm": arm,
            "metric": metric,
            **_interval(value),
            "n": len(self.splits) if value else 0,
            "difference": _plain(scores.difference(estimator, arm, metric)),
            "difference_to_nothing": _plain(to_nothing),
        }

    def _group_risk(self, estimator: str, arm: str, position: int, group: str) -> Row:
        scores = self.scores
        differences = (
            {} if arm == REFERENCE else scores.group_differences(estimator, arm, len(self.problem.group_names))
        )
        return {
            "estimator": estimator,
            "arm": arm,
            "group": group,
            "log_loss": _interval(scores.group(estimator, arm, "log_loss", position)),
            "error": _interval(scores.group(estimator, arm, "group_error", position)),
            "difference": _plain(differences.get(position)),
        }

    def _class_report(self, estimator: str, arm: str) -> Iterator[Row]:
        """Yield imbalanced-learn's numbers per class, averaged over the splits, where all have them."""
        records = self.scores.records(estimator, arm)
        for name in self.problem.class_names:
            reports = [record.classes[name] for record in records if name in record.classes]
            if len(reports) == len(records):
                means = {key: sum(report[key] for report in reports) / len(reports) for key in REPORT}
                yield {"estimator": estimator, "arm": arm, "class": name, **means}

    def _ledger(self) -> Mapping[str, object] | None:
        """Return the account of the chosen generator on the first split."""
        focus = {arm.name for arm in self.scores.arms if arm.focus}
        firsts = [self.scores.records(estimator, arm)[0].ledger for estimator, arm in self.scores.pairs if arm in focus]
        return next((ledger for ledger in firsts if ledger is not None), None)


def _plain(difference: Difference | None) -> Row | None:
    return None if difference is None else asdict(difference)


def _interval(value: Difference | None) -> Row:
    return {key: None if value is None else getattr(value, key) for key in ("mean", "low", "high")}
