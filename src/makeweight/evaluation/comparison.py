"""The result of a comparison, as numbers and as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd
from scipy.stats import entropy

from makeweight.errors import OptionError, nearest
from makeweight.evaluation.answer import Answer
from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm, ArmSource
from makeweight.evaluation.design import ComparisonSettings, Reproduction
from makeweight.evaluation.final import FinalModel, final_model
from makeweight.evaluation.metrics import ALARMS, METRICS
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.statistics import Difference
from makeweight.evaluation.training import Settings
from makeweight.evaluation.transfer import GeneratorTransfer
from makeweight.evaluation.verdict import ComparisonVerdict

__all__ = ["Comparison"]

#: imbalanced-learn's numbers per class: precision, recall, specificity, F1, geometric mean, and the index of
#: balanced accuracy.
REPORT = ("pre", "rec", "spe", "f1", "geo", "iba")

LOSS = "balanced_log_loss"
#: A row of the result as plain values.
Row = dict[str, object]


@dataclass(frozen=True)
class CasesFound:
    """Shares of the cases that an arm finds: of all, more than doing nothing, and of the group where it is least."""

    found: Difference
    difference: Difference | None
    worst_group: str | None = None
    worst: Difference | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The result of a comparison.

    Attributes
    ----------
    answer : Answer
        What to do, in at most twelve words, and the one thing to run.
    verdict : ComparisonVerdict
        About the rows of the chosen generator, with numbers.
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
    is_command : bool
        Whether the one thing to do is said as a command, rather than as Python.
    settled, sources
        What every arm was fitted with, and those that were run, for `model`.
    """

    answer: Answer
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
    is_command: bool = False
    settled: Settings | None = None
    sources: tuple[ArmSource, ...] = ()

    @property
    def next(self) -> str:
        """The one thing to do."""
        return self.answer.command if self.is_command else self.answer.python

    def model(self, estimator: str | None = None, arm: str | None = None) -> FinalModel:
        """Return the chosen arm refitted to all rows, calibrated at the observed rate, with a threshold.

        It is fitted when it is asked for: once to all rows, and to inner folds for its calibration.

        Parameters
        ----------
        estimator, arm : str, optional
            Others than those of the answer.

        Returns
        -------
        FinalModel
            Its ``save`` writes a file without pickle.

        Raises
        ------
        OptionError
            When nothing was measured, or there is no such estimator or arm.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from makeweight.evaluation import Design, compare
        >>> frame = pd.DataFrame({"a": np.arange(80) % 17 / 17, "y": ["no", "yes", "no", "no"] * 20})
        >>> frame.loc[frame["y"] == "yes", "a"] += 1
        >>> comparison = compare(frame, target="y", estimators=["lr"], arms=["random"], design=Design(splits=2))
        >>> model = comparison.model()
        >>> model.predict(pd.DataFrame({"a": [0.3, 1.6]}))
        array(['no', 'yes'], dtype=object)
        """
        name, step = estimator or self.answer.estimator, arm or self.answer.arm
        if not name:
            raise OptionError("every arm failed, and there is no model", hint=self.next)
        if self.settled is None or name not in self.settled.estimators:
            known = list(self.scores.estimators)
            raise OptionError("no such estimator was measured", got=repr(name), hint=nearest(name, known))
        one = next((replace(s, arms=(a,)) for s in self.sources for a in s.arms if a.name == step), None)
        if one is None:
            raise OptionError(
                "no such arm was measured", got=repr(step), hint=nearest(step, [a.name for a in self.scores.arms])
            )
        return final_model(self.problem, self.settled, one, name, self.scores.alarms(name))

    @property
    def helps(self) -> bool:
        """Whether synthetic rows that saw nothing but the training rows are shown to help ranking."""
        return self.verdict.code == "helps-ranking" and not any(arm.external for arm in self.focus)

    @cached_property
    def constant_risk(self) -> float:
        """Balanced log-loss of a constant at the balanced prior: ln 2 for two classes."""
        return float(entropy(self.problem.prior))

    @cached_property
    def notable(self) -> tuple[str, ...]:
        """Names of the arms that are counted and drawn: calibration, the best arm, rows, soft labels, the committee."""
        focus = [arm.name for arm in self.focus if arm.calibrated]
        names = dict.fromkeys((REFERENCE, self.answer.arm, *focus[:1], "soft", "committee"))
        known = {arm.name for arm in self.scores.arms}
        return tuple(name for name in names if name in known)

    def cases_found(self, estimator: str, arm: str) -> CasesFound | None:
        """Return how many cases an arm finds for as many alarms as today, of all groups and of its worst one.

        None where it was not measured on every split.
        """
        scores, alarms = self.scores, self.scores.alarms(estimator)
        share = scores.found(estimator, arm, alarms)
        if share is None:
            return None
        by_group = {
            name: of_group
            for position, name in enumerate(self.problem.group_names)
            if (of_group := scores.found(estimator, arm, alarms, position)) is not None
        }
        difference = None if arm == REFERENCE else scores.found_difference(estimator, arm, alarms)
        if len(by_group) < 2:
            return CasesFound(share, difference)
        worst = min(by_group, key=lambda name: by_group[name].mean)
        return CasesFound(share, difference, worst, by_group[worst])

    def __repr__(self) -> str:
        counts = f"{len(self.splits)} splits, {len(self.scores.estimators)} estimators, {len(self.scores.arms)} arms"
        return f"Comparison({self.answer.text!r}, {counts})"

    def _repr_html_(self) -> str:
        """Return the answer, the one thing to do, and the calibrated arms of the answer's estimator."""
        from makeweight.page.notebook import comparison_card

        return comparison_card(self.to_dict())

    def to_html(self) -> str:
        """Return the comparison as one HTML page that needs nothing but itself, to be written as UTF-8."""
        from makeweight.page import render

        return render(self.to_dict())

    def to_frame(self) -> pd.DataFrame:
        """Return one row per estimator, arm and metric.

        Returns
        -------
        DataFrame
            With the columns estimator, arm, metric, mean, low and high; and, beside doing nothing and calibrating,
            difference, difference_low and difference_high (the interval that decides) and p_holm.
        """
        rows = []
        for estimator, arm in self.scores.pairs:
            for metric in METRICS:
                value = self.scores.value(estimator, arm, metric.name)
                difference = self.scores.difference(estimator, arm, metric.name)
                beside = {"mean": "difference", "low": "difference_low", "high": "difference_high", "p_holm": "p_holm"}
                rows.append(
                    {"estimator": estimator, "arm": arm, "metric": metric.name}
                    | {key: getattr(value, key, None) for key in ("mean", "low", "high")}
                    | {name: getattr(difference, key, None) for key, name in beside.items()}
                )
        frame = pd.DataFrame(rows)
        numbers = list(frame.columns[3:])
        return frame.astype(dict.fromkeys(numbers, "float64"))

    def plot(self, estimator: str | None = None) -> Any:
        """Return the picture: what every calibrated arm gains beyond doing nothing, with the intervals that decide.

        Parameters
        ----------
        estimator : str, optional
            One of the estimators; that of the answer by default.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        MissingDependency
            When matplotlib is not installed.
        OptionError
            When there is no such estimator.
        """
        from makeweight.evaluation.figures import draw_gains

        return draw_gains(self, estimator)

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values: what is written as JSON and shown on the page."""
        problem, scores = self.problem, self.scores
        largest = int(problem.counts.max())
        return {
            "format": "makeweight.comparison",
            "version": 2,
            "answer": {**asdict(self.answer), "next": self.next},
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
            "found": [row for pair in scores.pairs if (row := self._found(*pair))],
            "curves": [
                curve for name in scores.estimators for arm in self.notable if (curve := self._curves(name, arm))
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
        keys = ("name", "label", "calibrated", "synthetic", "external", "focus", "step")
        traits = {name: getattr(arm, name) for name in keys}
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

    def _found(self, estimator: str, arm: str) -> Row | None:
        cases = self.cases_found(estimator, arm)
        if cases is None:
            return None
        return {
            "estimator": estimator,
            "arm": arm,
            "alarms": self.scores.alarms(estimator),
            "found": _interval(cases.found),
            "difference": _plain(cases.difference),
            "worst_group": cases.worst_group,
            "worst": None if cases.worst is None else _interval(cases.worst),
        }

    def _curves(self, estimator: str, arm: str) -> Row | None:
        """Return points of recall and precision, and of stated and observed shares, over all splits."""
        records = [record for record in self.scores.records(estimator, arm) if not record.error]
        if len(records) < len(self.splits):
            return None
        share = self.scores.share_of_cases(estimator)
        recall = [self.scores.found(estimator, arm, alarms) for alarms in ALARMS]
        points = [
            {"recall": value.mean, "precision": min(value.mean * share / alarms, 1.0)}
            for alarms, value in zip(ALARMS, recall, strict=True)
            if alarms and value is not None
        ]
        sums = [
            [sum(bins) for bins in zip(*(record.reliability[k] for record in records), strict=True)] for k in range(3)
        ]
        bins = [
            {"stated": stated / weight, "observed": observed / weight, "weight": weight / len(records)}
            for weight, stated, observed in zip(*sums, strict=True)
            if weight > 0
        ]
        return {"estimator": estimator, "arm": arm, "share": share, "points": points, "bins": bins}

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
