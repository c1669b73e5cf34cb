"""The factorial plan: sizes, imbalance, dimension, laws, generators and classifiers, paired over seeds."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.evaluation.metrics import measure as measure_all
from makeweight.experiments.arms import SIMPLE, VisibleRows, balanced_rows, copied, measure_arm, train_arm
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment
from makeweight.experiments.worlds import LABEL, SPURIOUS, check_world, draw
from makeweight.theory.published.vtss import generator_quality_score, score_gap

VERSION = 1
#: The arm that balances with real rows, and those that have two and four times the rare rows.
ORACLE, MORE = "oracle", {"real-x2": 2, "real-x4": 4}
OWN = (*SIMPLE, ORACLE, *MORE)
#: Test rows of each label.
TEST = 2000


@dataclass(frozen=True)
class SimulationSettings:
    """Settings of a task: its cell of the plan, and the classifiers, which share the generated rows."""

    world: str
    d: int
    n1: int
    kappa: int
    folds: int
    learners: tuple[str, ...]
    quality: bool

    @property
    def name(self) -> str:
        """Name of the cell."""
        return f"{self.world} d={self.d} n1={self.n1} kappa={self.kappa}"


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[SimulationSettings]]:
    """Yield a task per cell of the plan, arm and seed."""
    plan = experiment.settings
    for name in ("d", "n1", "kappa"):
        if not getattr(plan, name):
            raise OptionError("a simulation needs this setting", where=f"settings.{name}", expected="a list of numbers")
    for world, d, n1, kappa in product(experiment.data, plan.d, plan.n1, plan.kappa):
        cell = SimulationSettings(world, d, n1, kappa, plan.folds, experiment.learners, plan.quality)
        for arm, seed in product(experiment.arms, experiment.seeds):
            yield ExperimentTask(cell.name, arm, seed, cell)


def fingerprint(task: ExperimentTask[SimulationSettings], folder: Path) -> str:
    """Return the name of the cell: its rows are drawn."""
    check_world(task.settings.world)
    return task.data


def measure(task: ExperimentTask[SimulationSettings], folder: Path) -> Iterator[Measurement]:
    """Yield how an arm does on rows that are drawn, the same ones for every arm of a cell and seed."""
    cell, seed, arm = task.settings, task.seed, task.arm
    n0 = cell.n1 * cell.kappa
    rng = np.random.default_rng([seed, zlib.crc32(task.data.encode())])
    train, test = draw(cell.world, cell.d, n0, cell.n1, rng), draw(cell.world, cell.d, TEST, TEST, rng, test=True)
    external = None
    if arm == ORACLE or arm in MORE:
        more = n0 - cell.n1 if arm == ORACLE else (MORE[arm] - 1) * cell.n1
        external = draw(cell.world, cell.d, 0, more, rng)
    group_by = [SPURIOUS] if cell.world == "spurious" else []
    visible = VisibleRows(train, LABEL, group_by, external)
    trained = train_arm(arm, visible, seed)
    labels = test[LABEL].to_numpy()
    codes = test.groupby([LABEL, *group_by]).ngroup().to_numpy()

    def further(p: np.ndarray) -> dict[str, float]:
        both, n_groups = np.column_stack([1 - p, p]), int(codes.max()) + 1
        predicted = both.argmax(axis=1)
        scores = measure_all(both, predicted, labels, codes, n_groups=n_groups, rare=1, class_names=["0", "1"]).metrics
        values = {name: scores[name] for name in ("ece", "worst_group_error")}
        return {name: float("nan") if value is None else value for name, value in values.items()}

    learners = cell.learners
    yield from measure_arm(arm, visible, trained, test, learners=learners, seed=seed, folds=cell.folds, further=further)
    if len(trained.synthetic) and external is None:
        yield copied(trained.synthetic, train)
        if cell.quality:
            yield Measurement("rows", "quality", quality(arm, train, seed), "all")


def quality(arm: str, train: pd.DataFrame, seed: int) -> float:
    """Return the published generator quality score: squared score error over its effect on the risk.

    arXiv 2601.16120, as `makeweight.theory.generator_quality_score`; above 10 is called bad there.
    """
    features = train.drop(columns=LABEL)

    def generator(X: np.ndarray, y: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        rows = pd.DataFrame(X, columns=features.columns).astype(features.dtypes)
        rows[LABEL] = y.astype(np.int64)
        more = max(0, n - int((y == 0).sum() - (y == 1).sum()))
        written = balanced_rows(arm, rows, LABEL, [], int(rng.integers(2**31)), augment=more)
        rare = written.loc[written[LABEL] == 1, features.columns]
        return rare.to_numpy(np.float64)[:n]

    rng = np.random.default_rng([seed, zlib.crc32(b"quality")])
    gap = score_gap(features.to_numpy(np.float64), train[LABEL].to_numpy(), generator, rng=rng)
    return float(generator_quality_score(gap))
