"""The experiments of arXiv 2406.03628 (v2, v3): imbalance, spurious correlation, augmentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.errors import OptionError, SchemaError
from makeweight.experiments.arms import balanced_rows
from makeweight.experiments.classifiers import published_classifier
from makeweight.experiments.data import Parts, cells, paper_parts, read_csv, sides
from makeweight.experiments.judging import judge
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment

#: Raise it when a number can change.
VERSION = 1
TASKS, VARIES = ("imbalance", "spurious"), ("ratio", "augmentation")
NOTHING, REAL, EXTERNAL = "nothing", "real-rows", "gpt2_finetuned"
RESAMPLERS = {"ros": "RandomOverSampler", "smote": "SMOTE", "adasyn": "ADASYN"}
OWN = (NOTHING, REAL, EXTERNAL, *RESAMPLERS)
#: Rows of the rare side that balancing draws from, and the seed of this and of every pool.
BALANCE, POOL_SEED = 1000, 42
#: Majority rows added per step; in the augmentation experiment always so many, and rows per step and side.
RATIO_STEP, FIXED, AUGMENT_STEP = 100, 800, 200
AUGMENT, WEIGHT = 300, 0.5
#: Rows per group that our generators write, enough for every draw.
OWN_POOL = {"imbalance": 3000, "spurious": 1500}


@dataclass(frozen=True)
class PublishedSettings:
    """Settings of a task: what is rare, and what the steps vary."""

    task: str
    vary: str


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[PublishedSettings]]:
    """Yield a task per data, arm, classifier, step and seed."""
    settings = PublishedSettings(experiment.settings.task, experiment.settings.vary)
    for name, value, known in (("task", settings.task, TASKS), ("vary", settings.vary, VARIES)):
        if value not in known:
            expected = " or ".join(known)
            raise OptionError("unknown setting", where=f"settings.{name}", got=repr(value), expected=expected)
    for data, arm in product(experiment.data, experiment.arms):
        single = arm == REAL
        for learner, step, seed in product(experiment.learners, experiment.steps, experiment.seeds):
            if single and (settings.vary == "ratio" or step != experiment.steps[0]):
                continue  # all withheld rows at once: there is one step
            yield ExperimentTask(data, arm, seed, settings, learner, step)


def fingerprint(task: ExperimentTask[PublishedSettings], folder: Path) -> str:
    """Return a hash of the task's table."""
    return paper_parts(task.data, folder).fingerprint


@lru_cache(maxsize=2)
def pool(arm: str, data: str, task: str, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the synthetic rows of the rare side and of the common side; every arm sees the seed rows only.

    Oversamplers write 25,000 rows of each label, as published; the published rows of GPT-2 are read from a
    file, and were written by a model that saw all withheld rows as well.
    """
    parts = paper_parts(data, folder)
    label = parts.columns.label
    if arm in RESAMPLERS:
        from imblearn import over_sampling

        counts = {0: 25_000, 1: 25_000}
        sampler = getattr(over_sampling, RESAMPLERS[arm])(sampling_strategy=counts, random_state=POOL_SEED)
        X, y = sampler.fit_resample(parts.seed.drop(columns=label), parts.seed[label])
        rows = X.assign(**{label: y}).iloc[len(parts.seed) :]
        rows = rows.sample(frac=1, random_state=POOL_SEED).reset_index(drop=True)
    elif arm == EXTERNAL:
        rows = read_csv(folder / "paper" / data / f"{EXTERNAL}.csv")
    else:
        group_by = [parts.columns.spurious] if task == "spurious" else []
        rows = balanced_rows(arm, parts.seed, label, group_by, POOL_SEED, augment=OWN_POOL[task])
    rare, common = sides(rows[parts.seed.columns], parts.columns, task, POOL_SEED)
    return rare.reset_index(drop=True), common.reset_index(drop=True)


def measure(task: ExperimentTask[PublishedSettings], folder: Path) -> Iterator[Measurement]:
    """Yield how the classifier does on the test rows, fitted to the training rows of each stage."""
    parts = paper_parts(task.data, folder)
    for stage, rows, weights in training_sets(task, parts, folder):
        for metric, value in _scores(task, parts, rows, weights).items():
            yield Measurement(stage, metric, value)


def training_sets(
    task: ExperimentTask[PublishedSettings], parts: Parts, folder: Path
) -> Iterator[tuple[str, pd.DataFrame, np.ndarray | None]]:
    """Yield stage, training rows and weights; every draw is the published one, seed by seed."""
    kind, vary, seed, step = task.settings.task, task.settings.vary, task.seed, task.step or 0
    if task.arm == REAL:
        yield "real", parts.train, None
        return
    ratio = vary == "ratio"
    n = RATIO_STEP * step if ratio else FIXED
    majority = (parts.train0 if kind == "imbalance" else parts.train_neg).sample(BALANCE, random_state=42)
    base = pd.concat([parts.seed, majority.sample(n, random_state=seed if ratio else 42)])
    if task.arm == NOTHING:
        yield "raw", base, None
        return
    rare, common = pool(task.arm, task.data, kind, folder)
    n_augment = AUGMENT if ratio else AUGMENT_STEP * step
    if len(rare) < BALANCE + n_augment or len(common) < n_augment:
        raise SchemaError("the pool of synthetic rows is too small", got=f"{len(rare)} and {len(common)}")
    balance = rare.sample(BALANCE, random_state=POOL_SEED)
    balanced = pd.concat([base, balance.sample(n, random_state=seed)])
    if ratio:
        yield "balanced", balanced, None
    rest = rare.drop(balance.index)
    further = [frame.sample(n_augment, random_state=seed) for frame in (rest, common)]
    weights = np.append(np.ones(len(balanced)), np.full(2 * n_augment, WEIGHT))
    yield "augmented", pd.concat([balanced, *further]), weights


def _scores(
    task: ExperimentTask[PublishedSettings], parts: Parts, rows: pd.DataFrame, weights: np.ndarray | None
) -> dict[str, float]:
    label = parts.columns.label
    X, y = rows.drop(columns=label).to_numpy(np.float64), rows[label].to_numpy(np.int64)
    model = published_classifier(task.learner or "", task.seed).fit(X, y, sample_weight=weights)
    labels = parts.test[label].to_numpy(np.int64)
    probabilities = model.predict_proba(parts.test.drop(columns=label).to_numpy(np.float64))[:, 1]
    if task.settings.task == "imbalance":
        judged = labels == 1
    else:
        judged = cells(parts.test, parts.columns).isin(["00", "11"]).to_numpy()
    right = np.where(labels[judged] == 1, probabilities[judged], 1 - probabilities[judged])
    smallest = np.finfo(probabilities.dtype).eps
    rare = float(-np.log(np.clip(right, smallest, 1 - smallest)).mean())
    return judge(labels, probabilities) | {"min_ce": rare}
