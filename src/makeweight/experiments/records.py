"""What travels through a run: a task, what it measures, and the rows that are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from makeweight.experiments.spec import Experiment

__all__ = ["ResultRow"]

DONE, FAILED = "done", "failed"
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class ExperimentTask(Generic[Settings]):
    """One task of an experiment."""

    data: str
    arm: str
    seed: int
    settings: Settings  # of the kind of experiment
    learner: str | None = None  # None where one task measures all classifiers
    step: int | None = None


@dataclass(frozen=True)
class Measurement:
    """One number; `learner` is named where the task does not."""

    stage: str
    metric: str
    value: float
    learner: str | None = None


class ExperimentKind(Protocol):
    """What the module of a kind of experiment has.

    `VERSION` rises when a number can change. `OWN` are the arms that are no generator.
    """

    VERSION: int
    OWN: tuple[str, ...]

    def tasks(self, experiment: Experiment) -> Iterator[ExperimentTask[Any]]:
        """Yield all tasks."""

    def fingerprint(self, task: ExperimentTask[Any], folder: Path) -> str:
        """Return what identifies the rows of a task's data."""

    def measure(self, task: ExperimentTask[Any], folder: Path) -> Iterator[Measurement]:
        """Run a task."""


@dataclass(frozen=True)
class PlannedTask:
    """A task with the key of its result, its kind, the code that measures, and the folder of the tables."""

    key: str
    kind: str
    code: str
    folder: Path
    task: ExperimentTask[Any]

    def __str__(self) -> str:
        parts = (self.task.data, self.task.arm, self.task.learner, self.task.step)
        return " ".join(str(part) for part in parts if part)


@dataclass(frozen=True)
class ResultRow:
    """A row of the file of results; the fields are its columns."""

    key: str
    data: str
    arm: str
    learner: str
    step: int
    seed: int
    stage: str
    metric: str
    value: float
    status: str
    error: str
    seconds: float
    finished: float
    code: str
    settings: str


#: Column to data type of the file of results.
TYPES = {
    column.name: {"str": "str", "int": "int64", "float": "float64"}[str(column.type)] for column in fields(ResultRow)
}
