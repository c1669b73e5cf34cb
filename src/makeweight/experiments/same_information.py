"""The comparison that the paper lacks: every generator sees exactly the rows that the classifier sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import pandas as pd

from makeweight.experiments.arms import SIMPLE, VisibleRows, copied, measure_arm, train_arm
from makeweight.experiments.data import Parts, paper_parts, read_csv
from makeweight.experiments.published import EXTERNAL, REAL
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment

VERSION = 2  # equal rows share a fold
OWN = (*SIMPLE, REAL, EXTERNAL)
#: Rows of label 0 beside the 200 seed rows: 1100 to 100, as in the published ablation.
MAJORITY = 1000


@dataclass(frozen=True)
class InformationSettings:
    """Settings of a task: folds of the calibration, and the classifiers, which share the generated rows."""

    folds: int
    learners: tuple[str, ...]


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[InformationSettings]]:
    """Yield a task per data, arm and seed."""
    settings = InformationSettings(experiment.settings.folds, experiment.learners)
    for data, arm, seed in product(experiment.data, experiment.arms, experiment.seeds):
        yield ExperimentTask(data, arm, seed, settings)


def fingerprint(task: ExperimentTask[InformationSettings], folder: Path) -> str:
    """Return a hash of the task's table."""
    return paper_parts(task.data, folder).fingerprint


def measure(task: ExperimentTask[InformationSettings], folder: Path) -> Iterator[Measurement]:
    """Yield how an arm does with every classifier: as it is, after a logit shift, after balanced Platt scaling.

    Arms with external information saw more rows than the classifier, and are named so.
    """
    parts = paper_parts(task.data, folder)
    train = pd.concat([parts.seed, parts.train0.sample(MAJORITY, random_state=task.seed)], ignore_index=True)
    visible = VisibleRows(train, parts.columns.label, external=_external(task, parts, folder))
    trained = train_arm(task.arm, visible, task.seed)
    learners, folds = task.settings.learners, task.settings.folds
    yield from measure_arm(task.arm, visible, trained, parts.test, learners=learners, seed=task.seed, folds=folds)
    if len(trained.synthetic):
        yield copied(trained.synthetic, train)


def _external(task: ExperimentTask[InformationSettings], parts: Parts, folder: Path) -> pd.DataFrame | None:
    """Return 1000 rows of label 1 for the arms that saw more than the classifier."""
    label = parts.columns.label
    if task.arm == REAL:
        return parts.train1.sample(MAJORITY, random_state=task.seed)
    if task.arm == EXTERNAL:
        rows = read_csv(folder / "paper" / task.data / f"{EXTERNAL}.csv")[parts.seed.columns]
        return rows[rows[label] == 1].sample(MAJORITY, random_state=task.seed)
    return None
