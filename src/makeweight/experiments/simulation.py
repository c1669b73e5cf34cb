"""The factorial plan: sizes, imbalance, dimension, laws, generators and classifiers, paired over seeds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.evaluation.metrics import measure as measure_all
from makeweight.experiments.arms import (
    NOTHING,
    UNDERSAMPLE,
    WEIGHTS,
    out_of_fold,
    predict,
    readouts,
    train_arm,
)
from makeweight.experiments.judging import balanced_loss, judge
from makeweight.experiments.same_information import copied
from makeweight.experiments.spec import Experiment
from makeweight.experiments.worlds import LABEL, SPURIOUS, draw
from makeweight.experiments.written import about_generator, balanced_rows
from makeweight.theory.published.vtss import generator_quality_score, score_gap

__all__ = ["VERSION", "about_arm", "about_data", "fingerprint", "measure", "tasks"]

VERSION = 1
#: The arm that balances with real rows, and those that have two and four times the rare rows.
ORACLE, MORE = "oracle", {"real-x2": 2, "real-x4": 4}
#: Test rows of each label.
TEST = 2000


def tasks(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield a task per cell of the plan, arm and seed; all classifiers share the generated rows."""
    settings = experiment.settings
    for world, d, n1, kappa in product(experiment.data, settings["d"], settings["n1"], settings["kappa"]):
        cell = {"world": world, "d": d, "n1": n1, "kappa": kappa}
        stated = cell | {"folds": settings["folds"], "learners": list(experiment.learners)}
        stated["quality"] = bool(settings.get("quality", False))
        for arm, seed in product(experiment.arms, experiment.seeds):
            name = f"{world} d={d} n1={n1} kappa={kappa}"
            yield {"data": name, "arm": arm, "seed": seed, "settings": stated}


def about_data(task: dict[str, Any]) -> str:
    """Return the name of the task's cell."""
    return str(task["data"])


def fingerprint(task: dict[str, Any], folder: Path) -> str:
    """Return the cell: its rows are drawn."""
    draw(task["settings"]["world"], 2, 1, 1, np.random.default_rng(0))
    return str(task["data"])


def about_arm(task: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies the arm beyond its name."""
    own = (NOTHING, WEIGHTS, UNDERSAMPLE, ORACLE, *MORE)
    return {} if task["arm"] in own else about_generator(task["arm"])


def measure(task: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Draw the rows, which are the same for every arm of a cell and seed, and judge the arm."""
    cell, seed, arm = task["settings"], task["seed"], task["arm"]
    world, d, n1 = cell["world"], cell["d"], cell["n1"]
    n0, learners = n1 * cell["kappa"], cell["learners"]
    rng = np.random.default_rng([seed, zlib.crc32(task["data"].encode())])
    train, test = draw(world, d, n0, n1, rng), draw(world, d, TEST, TEST, rng, test=True)
    external = None
    if arm == ORACLE or arm in MORE:
        more = n0 - n1 if arm == ORACLE else (MORE[arm] - 1) * n1
        external = draw(world, d, 0, more, rng)
    group_by = [SPURIOUS] if world == "spurious" else []
    trained = train_arm(arm, train, LABEL, group_by, seed, external)
    found = predict(trained, test, LABEL, learners, seed)
    held_out = out_of_fold(arm, train, LABEL, group_by, learners, seed, cell["folds"], external)
    labels = test[LABEL].to_numpy()
    codes = test.groupby([LABEL, *group_by]).ngroup().to_numpy()
    for learner in learners:
        read = readouts(arm, trained, train[LABEL].to_numpy(), found[learner], held_out[learner])
        for stage, p in read.items():
            yield {"learner": learner, "stage": stage, "metric": "bce", "value": balanced_loss(labels, p)}
            both = np.column_stack([1 - p, p])
            more_metrics = measure_all(
                both,
                both.argmax(axis=1),
                labels,
                codes,
                n_groups=int(codes.max()) + 1,
                rare=1,
                class_names=["0", "1"],
            ).metrics
            for metric in ("ece", "worst_group_error"):
                value = more_metrics[metric]
                yield {
                    "learner": learner,
                    "stage": stage,
                    "metric": metric,
                    "value": float("nan") if value is None else value,
                }
        for metric, value in judge(labels, found[learner]).items():
            if metric != "bce":
                yield {"learner": learner, "stage": "ranking", "metric": metric, "value": value}
    if len(trained.synthetic) and external is None:
        of_rows = {"learner": "all", "stage": "rows"}
        yield {**of_rows, "metric": "copies", "value": copied(trained.synthetic, train)}
        if cell["quality"]:
            yield {**of_rows, "metric": "quality", "value": quality(arm, train, seed)}


def quality(arm: str, train: pd.DataFrame, seed: int) -> float:
    """Return the published generator quality score: squared score error over its effect on the risk.

    Notes
    -----
    arXiv 2601.16120, as `makeweight.theory.generator_quality_score`; above 10 is called bad there.
    """
    features = train.drop(columns=LABEL)

    def generator(X: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        rows = pd.DataFrame(X, columns=features.columns).astype(features.dtypes)
        rows[LABEL] = y.astype(np.int64)
        more = max(0, n - int((y == 0).sum() - (y == 1).sum()))
        made = balanced_rows(arm, rows, LABEL, [], int(rng.integers(2**31)), augment=more).frame
        rare = made.loc[made[LABEL] == 1, features.columns]
        return rare.to_numpy(np.float64)[:n]

    rng = np.random.default_rng([seed, zlib.crc32(b"quality")])
    found = score_gap(features.to_numpy(np.float64), train[LABEL].to_numpy(), generator, rng=rng)
    return float(generator_quality_score(found))
