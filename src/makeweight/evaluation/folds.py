"""One fold of a scaling curve: a pool of rows, and what a learner says under each of its prefixes."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.generators.base import Generator
from makeweight.generators.writing import write_rows
from makeweight.measure.learners import Learner, fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities
from makeweight.measure.views import LearnerRows
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table

#: Rows of a group that a sample keeps for every fold.
LEAST_PER_FOLD = 10
#: Augmentation rows per group that are tried, as multiples of the largest group of a training fold.
MULTIPLES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
#: Shares of the real training rows from which the curve on real rows alone is drawn.
REAL_SHARES = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class ScalingProblem:
    """A table, and what is measured on it: the sizes that are given, or multiples of the largest group up to `most`."""

    frame: pd.DataFrame
    target: Hashable
    group_by: tuple[Hashable, ...]
    kinds: dict[Hashable, Any]
    generator: str | Generator
    estimator: Learner
    sizes: tuple[int, ...] | None
    most: float = MULTIPLES[-1]

    @cached_property
    def table(self) -> Table:
        """The rows as a table."""
        schema = Schema.infer(self.frame, target=self.target, group_by=self.group_by, kinds=self.kinds)
        return Table(self.frame, schema)

    @cached_property
    def labels(self) -> np.ndarray:
        """Class number of every row."""
        return np.asarray(pd.factorize(self.frame[self.target], sort=True)[0], dtype=np.int64)

    def some(self, n: int, folds: int, seed: int) -> ScalingProblem:
        """Return the problem on about n rows: the groups in their shares, none with fewer than it needs."""
        codes = Groups(self.table).codes
        order = nested_order(codes, np.random.default_rng(seed))
        rank = np.empty(len(codes), dtype=np.int64)
        for code in np.unique(codes):
            mine = order[codes[order] == code]
            rank[mine] = np.arange(len(mine))
        counts = np.bincount(codes)
        kept = np.maximum(np.ceil(counts * n / len(codes)), np.minimum(counts, LEAST_PER_FOLD * folds))
        return replace(self, frame=self.frame[rank < kept[codes]].reset_index(drop=True))

    def points(self, largest: int) -> tuple[int, ...]:
        """Return the sizes that are measured, of which 0 is the first."""
        unit = largest * self.most / MULTIPLES[-1]
        chosen = self.sizes if self.sizes is not None else tuple(round(m * unit) for m in MULTIPLES)
        points = sorted({0, *chosen})
        if len(points) < 2 or points[0] < 0:
            raise OptionError("sizes are rows per group", got=points, expected="0 and at least one above it")
        return tuple(points)


@dataclass(frozen=True, eq=False)
class ScalingTask:
    """A problem, and the sizes that are measured."""

    problem: ScalingProblem
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ScalingFold:
    """The rows of one fold to learn from, and its seed."""

    task: ScalingTask
    is_train: np.ndarray
    seed: np.random.SeedSequence


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """Held-out class probabilities per arm: one per size, then nothing, then the shares of real rows."""

    predictions: list[np.ndarray]
    real_sizes: np.ndarray


def run_fold(fold: ScalingFold) -> FoldPrediction:
    """Return what a learner says of the held-out rows under every size, and under shares of the real rows."""
    task, is_train = fold.task.problem, fold.is_train
    frame = task.frame[is_train].reset_index(drop=True)
    held = task.frame[~is_train]
    schema = Schema.infer(frame, target=task.target, group_by=task.group_by, kinds=task.kinds)
    table = Table(frame, schema)
    groups = Groups(table)
    fit_seed, fill_seed, model_seed = fold.seed.spawn(3)
    plan = Plan.make(groups, augment=max(fold.task.sizes))
    pool = write_rows(table, plan, task.generator, seed=fill_seed, fit_seed=fit_seed, groups=groups)
    views = LearnerRows(table, pool.frame, held)
    y_real, classes = pd.factorize(frame[task.target], sort=True)
    y_made = pd.Index(classes).get_indexer(pd.Index(pool.frame[task.target]))
    rank = _rank_in_group(pool.positions, (pool.provenance["purpose"] == "augment").to_numpy())
    known = np.arange(len(classes))
    state = int(model_seed.generate_state(1)[0] % 2**31)
    learner, every, none = task.estimator, np.arange(len(frame)), np.zeros(len(rank), dtype=bool)

    def predicted(rows: np.ndarray, used: np.ndarray) -> np.ndarray:
        y = np.concatenate([y_real[rows], y_made[used]])
        model = make_learner(learner, state, len(y))
        fitted = fit_estimator(model, views.train(learner, rows, used), y, np.ones(len(y)), state)
        return probabilities(fitted, views.held(learner), known)

    predictions = [predicted(every, rank < size) for size in fold.task.sizes]
    order = nested_order(groups.codes, np.random.default_rng(model_seed))
    real_sizes = np.array([round(share * len(frame)) for share in REAL_SHARES])
    predictions += [predicted(order[:size], none) for size in (len(frame), *real_sizes[:-1])]
    predictions.append(predictions[len(fold.task.sizes)])  # all real rows end the curve on real rows alone
    return FoldPrediction(predictions, real_sizes)


def _rank_in_group(positions: np.ndarray, augment: np.ndarray) -> np.ndarray:
    """Return the place of every augmentation row in its group, -1 for balancing rows."""
    rank = np.full(len(positions), -1)
    for position in np.unique(positions):
        mine = augment & (positions == position)
        rank[mine] = np.arange(int(mine.sum()))
    return rank


def nested_order(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order of rows whose every prefix has the groups in their shares."""
    place = np.empty(len(codes))
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(place, kind="stable")
