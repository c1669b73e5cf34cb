"""The experiments of the first version, "OPAL": stored splits, GPT-4's stored rows, and our generators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.experiments.arms import SIMPLE, VisibleRows, predict, train_arm
from makeweight.experiments.data import COLUMNS, opal_split
from makeweight.experiments.data import fingerprint as hash_of
from makeweight.experiments.judging import judge
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment

VERSION = 1
GPT4 = "gpt4"
OWN = (*SIMPLE, GPT4)


@dataclass(frozen=True)
class OpalSettings:
    """Settings of a task: the classifiers, which share the generated rows."""

    learners: tuple[str, ...]


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[OpalSettings]]:
    """Yield a task per split, arm and seed."""
    settings = OpalSettings(experiment.learners)
    for data, arm, seed in product(experiment.data, experiment.arms, experiment.seeds):
        yield ExperimentTask(data, arm, seed, settings)


def fingerprint(task: ExperimentTask[OpalSettings], folder: Path) -> str:
    """Return a hash of the split's rows."""
    return _hash_of_split(task.data, task.seed, folder)


@lru_cache
def _hash_of_split(data: str, seed: int, folder: Path) -> str:
    return hash_of(opal_split(data, seed, folder))


def measure(task: ExperimentTask[OpalSettings], folder: Path) -> Iterator[Measurement]:
    """Yield how an arm does on the split's test rows; GPT-4 fills every group up to the largest, as the others do."""
    train, test, written = opal_split(task.data, task.seed, folder)
    columns = COLUMNS[task.data.split("/")[0]]
    label, spurious = columns.label, columns.spurious
    keys = [label] if task.data.endswith("imbalanced") else [label, spurious]
    external = missing_rows(train, written, keys) if task.arm == GPT4 else None
    trained = train_arm(task.arm, VisibleRows(train, label, keys[1:], external), task.seed)
    labels = test[label].to_numpy(np.int64)
    groups = test.groupby(keys).ngroup().to_numpy()
    for learner, probabilities in predict(trained, test, label, task.settings.learners, task.seed).items():
        wrong = (probabilities > 0.5).astype(np.int64) != labels
        by_group = pd.Series(wrong).groupby(groups).mean()
        values = {"error": float(wrong.mean()), "worst_group_error": float(by_group.max())}
        for metric, value in (judge(labels, probabilities) | values).items():
            yield Measurement("balanced", metric, value, learner)
    yield Measurement("rows", "added", float(len(trained.synthetic)), "all")


def missing_rows(train: pd.DataFrame, written: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the first written rows of every group, as many as it lacks."""
    counts = train.groupby(keys).size()
    kept = []
    for key, group in written.groupby(keys):
        lacking = int(counts.max() - counts.get(key if len(keys) > 1 else key[0], 0))
        kept.append(group.iloc[:lacking])
    return pd.concat(kept)
