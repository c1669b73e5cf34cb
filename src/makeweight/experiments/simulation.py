"""The factorial plan: sizes, imbalance, dimension, laws of rows, generators and classifiers, paired over seeds."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from makeweight.errors import OptionError, nearest
from makeweight.evaluation.metrics import measure as measure_all
from makeweight.experiments.arms import SIMPLE, VisibleRows, balanced_rows, copied, measure_arm, train_arm
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment
from makeweight.theory.published.vtss import generator_quality_score, score_gap
from makeweight.theory.published.worlds import LogisticWorld

VERSION = 1
#: The arm that balances with real rows, and those that have two and four times the rare rows.
ORACLE, MORE = "oracle", {"real-x2": 2, "real-x4": 4}
OWN = (*SIMPLE, ORACLE, *MORE)
#: Test rows of each label.
TEST = 2000
LABEL, SPURIOUS = "y", "a"
#: Norm of the slopes of the logistic laws: AUROC about 0.85.
SLOPE = 2.0
#: Share of training rows in which the spurious attribute is the label.
AGREEMENT = 0.9

Rows = tuple[np.ndarray, np.ndarray]


def _logistic(quadratic: float = 0.0, interaction: float = 0.0) -> Callable[[int, int, np.random.Generator], Rows]:
    def sample(n: int, d: int, rng: np.random.Generator) -> Rows:
        world = LogisticWorld(np.full(d, SLOPE / np.sqrt(d)), quadratic=quadratic, interaction=interaction)
        return world.sample(n, rng)

    return sample


def _heavy_tail(n: int, d: int, rng: np.random.Generator) -> Rows:
    features = rng.standard_t(3, size=(n, d)) / np.sqrt(3)
    return features, (rng.random(n) < expit(features @ np.full(d, SLOPE / np.sqrt(d)))).astype(float)


def _ring(n: int, d: int, rng: np.random.Generator) -> Rows:
    """Label 1 lies on a ring around label 0 in the first two columns; the others are noise."""
    labels = (rng.random(n) < 0.5).astype(float)
    features = rng.normal(size=(n, d))
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.normal(2.0, 0.4, n)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    features[:, :2] = np.where(labels[:, None] == 1, ring, features[:, :2])
    return features, labels


def _mixed(n: int, d: int, rng: np.random.Generator) -> Rows:
    """Return columns that are codes 0, 1, 2 every second time, each with an effect of its own."""
    features = rng.normal(size=(n, d))
    coded = np.arange(d) % 2 == 1
    features[:, coded] = rng.integers(0, 3, size=(n, int(coded.sum())))
    effects = np.array([-1.0, 1.0, 0.0])
    value = np.where(coded, effects[features.astype(np.int64).clip(0, 2)], features)
    return features, (rng.random(n) < expit(value @ np.full(d, SLOPE / np.sqrt(d)))).astype(float)


WORLDS: dict[str, Callable[[int, int, np.random.Generator], Rows]] = {
    "logit": _logistic(),
    "quadratic": _logistic(quadratic=0.7),
    "interaction": _logistic(interaction=1.2),
    "heavy-tail": _heavy_tail,
    "ring": _ring,
    "mixed": _mixed,
    "spurious": _logistic(),
}


def check_world(world: str) -> None:
    """Raise an OptionError when there is no world of that name."""
    if world not in WORLDS:
        raise OptionError("unknown world", got=repr(world), hint=nearest(world, WORLDS))


def draw(world: str, d: int, n0: int, n1: int, rng: np.random.Generator, *, test: bool = False) -> pd.DataFrame:
    """Return n0 rows of label 0 and n1 of label 1 with d features, 2 or more, drawn from one of `WORLDS`.

    In the world ``spurious`` a further column `SPURIOUS` is the label in 90 % of the training rows, and in half of the
    test rows. An unknown world is an OptionError.

    >>> draw("ring", 3, 40, 10, np.random.default_rng(0))["y"].sum()
    np.int64(10)
    """
    check_world(world)
    wanted = (n0, n1)
    kept: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    while any(sum(map(len, rows)) < n for rows, n in zip(kept, wanted, strict=True)):
        features, labels = WORLDS[world](2 * max(wanted), d, rng)
        for label in (0, 1):
            kept[label].append(features[labels == label])
    parts = [np.concatenate(rows)[:n] for rows, n in zip(kept, wanted, strict=True)]
    frame = pd.DataFrame(np.concatenate(parts), columns=[f"x{j}" for j in range(d)])
    if world == "mixed":
        coded = frame.columns[1::2]
        frame[coded] = frame[coded].astype(np.int64)
    labels = np.repeat([0, 1], wanted)
    if world == "spurious":
        agrees = rng.random(len(frame)) < (0.5 if test else AGREEMENT)
        frame[SPURIOUS] = np.where(agrees, labels, 1 - labels)
    frame[LABEL] = labels
    return frame


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
