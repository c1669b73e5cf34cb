"""The experiments of the first version, "OPAL": stored splits, GPT-4's stored rows, and our generators."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.experiments.arms import NOTHING, UNDERSAMPLE, WEIGHTS, predict, train_arm
from makeweight.experiments.data import COLUMNS, opal_split
from makeweight.experiments.data import fingerprint as hash_of
from makeweight.experiments.judging import judge
from makeweight.experiments.spec import Experiment
from makeweight.experiments.written import about_generator

__all__ = ["VERSION", "about_arm", "about_data", "fingerprint", "measure", "tasks"]

VERSION = 1
GPT4 = "gpt4"


def tasks(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield a task per split, arm and seed; all classifiers share the generated rows."""
    settings = {"learners": list(experiment.learners)}
    for data, arm, seed in product(experiment.data, experiment.arms, experiment.seeds):
        yield {"data": data, "arm": arm, "seed": seed, "settings": settings}


def about_data(task: dict[str, Any]) -> tuple[str, int]:
    """Return split and seed: each has files of its own."""
    return task["data"], task["seed"]


def fingerprint(task: dict[str, Any], folder: Path) -> str:
    """Return a hash of the split's rows."""
    return hash_of(opal_split(task["data"], task["seed"], folder))


def about_arm(task: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies the arm beyond its name."""
    return {} if task["arm"] in (NOTHING, WEIGHTS, UNDERSAMPLE, GPT4) else about_generator(task["arm"])


def measure(task: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Judge an arm on the split's test rows; GPT-4 brings every group up to the largest, as the others do."""
    train, test, written = opal_split(task["data"], task["seed"], folder)
    columns = COLUMNS[task["data"].split("/")[0]]
    label, spurious = columns.label, columns.spurious
    keys = [label] if task["data"].endswith("imbalanced") else [label, spurious]
    learners, seed = task["settings"]["learners"], task["seed"]
    external = _needed(train, written, keys) if task["arm"] == GPT4 else None
    trained = train_arm(task["arm"], train, label, keys[1:], seed, external)
    labels = test[label].to_numpy(np.int64)
    groups = test.groupby([label, spurious] if len(keys) > 1 else label).ngroup().to_numpy()
    for learner, probabilities in predict(trained, test, label, learners, seed).items():
        wrong = (probabilities > 0.5).astype(np.int64) != labels
        errors = pd.Series(wrong).groupby(groups).mean()
        values = judge(labels, probabilities) | {
            "error": float(wrong.mean()),
            "worst_group_error": float(errors.max()),
        }
        for metric, value in values.items():
            yield {"learner": learner, "stage": "balanced", "metric": metric, "value": value}
    added = {"learner": "all", "stage": "rows", "metric": "added"}
    yield {**added, "value": float(len(trained.synthetic))}


def _needed(train: pd.DataFrame, written: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the first written rows of every group, as many as it lacks."""
    counts = train.groupby(keys).size()
    kept = []
    for key, group in written.groupby(keys):
        missing = int(counts.max() - counts.get(key if len(keys) > 1 else key[0], 0))
        kept.append(group.iloc[:missing])
    return pd.concat(kept)
