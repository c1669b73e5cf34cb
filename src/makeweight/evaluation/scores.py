"""From the records of all splits to means, intervals, and differences to a reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm
from makeweight.evaluation.metrics import METRICS, found_at
from makeweight.evaluation.statistics import Difference, corrected, decided
from makeweight.evaluation.store import ArmRecord, Failure

__all__ = ["Scores"]

#: Reads one number from a record; None where the split lacks it.
Read = Callable[[ArmRecord], float | None]
#: Names of estimator and arm.
Pair = tuple[str, str]
MOST = {metric.name: metric.most for metric in METRICS}


class Scores:
    """What every arm scored with every estimator on the splits that were run, each a repeat and a fold.

    A number that is missing on one split is missing altogether: an arm is not judged by the splits on which
    it happened to work.
    """

    def __init__(
        self,
        records: Sequence[ArmRecord],
        arms: Sequence[Arm],
        estimators: Sequence[str],
        splits: Sequence[tuple[int, int]],
        folds: int,
    ) -> None:
        self.arms, self.estimators, self.splits = tuple(arms), tuple(estimators), tuple(splits)
        self._share = 1 / folds
        self._records = {(record.estimator, record.arm, record.repeat, record.fold): record for record in records}
        self._corrected: dict[tuple[str, str, str], dict[str, Difference]] = {}
        self._by_group: dict[tuple[str, str], dict[int, Difference]] = {}

    def records(self, estimator: str, arm: str) -> list[ArmRecord]:
        """Return the records of an arm, one per split."""
        return [self._records[estimator, arm, *split] for split in self.splits]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names of estimator and arm, every pair once."""
        return [(estimator, arm.name) for estimator in self.estimators for arm in self.arms]

    def failures(self) -> list[Failure]:
        """Return what could not be measured, and why."""
        failures = []
        for arm, estimator in product(self.arms, self.estimators):
            for record in self.records(estimator, arm.name):
                reasons = [record.error] if record.error else []
                reasons += [f"{metric}: {why}" for metric, why in record.problems.items()]
                failures += [Failure(arm.name, estimator, record.split, reason) for reason in reasons]
        return failures

    def value(self, estimator: str, arm: str, metric: str) -> Difference | None:
        """Return the mean of a metric with its interval; None where a split lacks it."""
        return self._level(estimator, arm, _metric(metric), MOST[metric])

    def mean(self, estimator: str, arm: str, key: str) -> float | None:
        """Return the mean of a plain number of the records, such as "seconds" or "n_added"."""
        values = self._values(estimator, arm, lambda record: getattr(record, key))
        return None if values is None else sum(values) / len(values)

    def group(self, estimator: str, arm: str, key: str, group: int) -> Difference | None:
        """Return the mean risk of one group, "log_loss" or "group_error"."""
        most = math.inf if key == "log_loss" else 1.0
        return self._level(estimator, arm, lambda record: getattr(record, key)[group], most)

    def _level(self, estimator: str, arm: str, read: Read, most: float) -> Difference | None:
        """Return a mean with its interval, which ends where the values do."""
        values = self._values(estimator, arm, read)
        if values is None:
            return None
        level = corrected(values, self._share)
        return replace(level, low=max(level.low, 0.0), high=min(level.high, most))

    def group_differences(self, estimator: str, arm: str, n_groups: int) -> dict[int, Difference]:
        """Return the paired differences of the groups' log-losses to the reference, with Holm's correction.

        A group that a split lacks has none.
        """
        key = (estimator, arm)
        if key not in self._by_group:
            paired = {
                group: changes
                for group in range(n_groups)
                if (changes := self._paired(estimator, arm, REFERENCE, _loss_of(group)))
            }
            self._by_group[key] = decided(paired, self._share)
        return self._by_group[key]

    def difference(self, estimator: str, arm: str, metric: str, reference: str = REFERENCE) -> Difference | None:
        """Return the paired difference to a reference, with Holm's correction and the interval that decides.

        Calibrated arms are one family of comparisons, the others another one, per metric and estimator.
        """
        key = (estimator, metric, reference)
        if key not in self._corrected:
            self._corrected[key] = self._family(estimator, metric, reference)
        return self._corrected[key].get(arm)

    def contrast(self, pair: Pair, other: Pair, metric: str) -> Difference | None:
        """Return what one arm scores more than another, of any estimators: one comparison, uncorrected."""
        ours, theirs = self._values(*pair, _metric(metric)), self._values(*other, _metric(metric))
        if ours is None or theirs is None:
            return None
        return decided({"": [a - b for a, b in zip(ours, theirs, strict=True)]}, self._share)[""]

    def alarms(self, estimator: str) -> float:
        """Return the share of rows for which doing nothing raises an alarm; that of the cases where it raises none."""
        records = self.records(estimator, NOTHING)
        today = sum(record.alarms for record in records) / len(records)
        return today if today > 0 else self.share_of_cases(estimator)

    def share_of_cases(self, estimator: str) -> float:
        """Return the share of the held-out rows that are of the rarest class."""
        records = self.records(estimator, NOTHING)
        shares = [sum(n for n, _ in _cases(record)) / max(sum(record.n_held), 1) for record in records]
        return sum(shares) / len(shares)

    def found(self, estimator: str, arm: str, alarms: float, group: int | None = None) -> Difference | None:
        """Return the share of cases found where so many alarms are raised, of all groups or of one."""
        return self._level(estimator, arm, _found(alarms, group), 1.0)

    def found_difference(self, estimator: str, arm: str, alarms: float) -> Difference | None:
        """Return how much larger a share of the cases is found than by the reference, for as many alarms."""
        changes = self._paired(estimator, arm, REFERENCE, _found(alarms, None))
        return None if changes is None else decided({"": changes}, self._share)[""]

    def _family(self, estimator: str, metric: str, reference: str) -> dict[str, Difference]:
        differences: dict[str, Difference] = {}
        for calibrated in (False, True):
            mine = {
                arm.name: changes
                for arm in self.arms
                if arm.calibrated == calibrated and arm.name != reference
                if (changes := self._paired(estimator, arm.name, reference, _metric(metric))) is not None
            }
            differences |= decided(mine, self._share)
        return differences

    def _paired(self, estimator: str, arm: str, reference: str, read: Read) -> list[float] | None:
        """Return what an arm has more than a reference, split by split."""
        ours, theirs = self._values(estimator, arm, read), self._values(estimator, reference, read)
        if ours is None or theirs is None:
            return None
        return [a - b for a, b in zip(ours, theirs, strict=True)]

    def _values(self, estimator: str, arm: str, read: Read) -> list[float] | None:
        if all(known.name != arm for known in self.arms):
            return None
        records = self.records(estimator, arm)
        values = [None if record.error else read(record) for record in records]
        known = [float(value) for value in values if value is not None]
        return known if len(known) == len(values) else None


def _metric(name: str) -> Read:
    assert any(metric.name == name for metric in METRICS), name
    return lambda record: record.metrics[name]


def _loss_of(group: int) -> Read:
    return lambda record: record.log_loss[group]


def _cases(record: ArmRecord) -> list[tuple[int, list[float]]]:
    """Return the number of cases, and what is found of them, per group that has some."""
    return [(n, curve) for n, curve in zip(record.n_held, record.found, strict=True) if curve]


def _found(alarms: float, group: int | None) -> Read:
    """Return what reads the share of cases found from a record; None where there is no case."""

    def read(record: ArmRecord) -> float | None:
        if group is not None:
            curve = record.found[group]
            return found_at(curve, alarms) if curve else None
        cases = _cases(record)
        total = sum(n for n, _ in cases)
        return sum(n * found_at(curve, alarms) for n, curve in cases) / total if total else None

    return read
