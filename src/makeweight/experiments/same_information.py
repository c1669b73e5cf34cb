"""The comparison that the paper lacks: every generator sees exactly the rows that the classifier sees."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.experiments.arms import (
    NOTHING,
    UNDERSAMPLE,
    WEIGHTS,
    out_of_fold,
    predict,
    readouts,
    train_arm,
)
from makeweight.experiments.data import Parts, paper_parts, read_csv
from makeweight.experiments.judging import balanced_loss, judge
from makeweight.experiments.published import EXTERNAL, REAL, about_data, fingerprint
from makeweight.experiments.spec import Experiment
from makeweight.experiments.written import about_generator

__all__ = ["VERSION", "about_arm", "about_data", "copied", "fingerprint", "measure", "tasks"]

VERSION = 1
#: Rows of label 0 beside the 200 seed rows: 1100 to 100, as in the published ablation.
MAJORITY = 1000


def tasks(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield a task per data, arm and seed; all classifiers share the generated rows."""
    settings = {"folds": experiment.settings.get("folds", 5), "learners": list(experiment.learners)}
    for data, arm, seed in product(experiment.data, experiment.arms, experiment.seeds):
        yield {"data": data, "arm": arm, "seed": seed, "settings": settings}


def about_arm(task: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies the arm beyond its name."""
    if task["arm"] in (NOTHING, WEIGHTS, UNDERSAMPLE, REAL, EXTERNAL):
        return {}
    return about_generator(task["arm"])


def measure(task: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Judge an arm with every classifier: as it is, after a logit shift, after balanced Platt scaling.

    Stage ``ranking`` holds what calibration cannot change. Arms with external information saw more rows than
    the classifier, and are named so.
    """
    parts = paper_parts(task["data"], folder)
    label, seed, arm = parts.columns.label, task["seed"], task["arm"]
    train = pd.concat([parts.seed, parts.train0.sample(MAJORITY, random_state=seed)], ignore_index=True)
    external = _external(arm, parts, task["data"], folder, seed)
    learners = task["settings"]["learners"]
    trained = train_arm(arm, train, label, [], seed, external)
    found = predict(trained, parts.test, label, learners, seed)
    held_out = out_of_fold(arm, train, label, [], learners, seed, task["settings"]["folds"], external)
    labels, test_labels = train[label].to_numpy(np.int64), parts.test[label].to_numpy(np.int64)
    for learner in learners:
        for stage, probabilities in readouts(arm, trained, labels, found[learner], held_out[learner]).items():
            loss = balanced_loss(test_labels, probabilities)
            yield {"learner": learner, "stage": stage, "metric": "bce", "value": loss}
        for metric, value in judge(test_labels, found[learner]).items():
            if metric != "bce":
                yield {"learner": learner, "stage": "ranking", "metric": metric, "value": value}
    if len(trained.synthetic):
        yield {
            "learner": "all",
            "stage": "rows",
            "metric": "copies",
            "value": copied(trained.synthetic, train),
        }


def _external(arm: str, parts: Parts, data: str, folder: Path, seed: int) -> pd.DataFrame | None:
    """Return 1000 rows of label 1 for the arms that saw more than the classifier."""
    label = parts.columns.label
    if arm == REAL:
        return parts.train1.sample(MAJORITY, random_state=seed)
    if arm == EXTERNAL:
        rows = read_csv(folder / "paper" / data / f"{EXTERNAL}.csv")[parts.seed.columns]
        return rows[rows[label] == 1].sample(MAJORITY, random_state=seed)
    return None


def copied(made: pd.DataFrame, train: pd.DataFrame) -> float:
    """Return the share of added rows that are equal to a training row."""
    known = set(map(tuple, train.to_numpy(np.float64).tolist()))
    return float(np.mean([tuple(row) in known for row in made[train.columns].to_numpy(np.float64).tolist()]))
