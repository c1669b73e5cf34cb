"""How the balanced risk falls with augmentation rows, measured out of fold, and what the law says of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from makeweight.engine import run
from makeweight.errors import OptionError
from makeweight.evaluation.curve import ScalingCurve, ScalingSettings
from makeweight.evaluation.design import whole_number
from makeweight.evaluation.evidence import ScalingEvidence, held_out_losses
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.writing import write_rows
from makeweight.measure.learners import Learner, fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities
from makeweight.measure.ranking import ranking_answer
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.measure.views import LearnerRows
from makeweight.plan import Groups, Plan
from makeweight.progress import Progress
from makeweight.table import Schema, Table
from makeweight.table.containers import to_frame

__all__ = ["scaling_curve"]

#: Tables with more rows are measured on a sample of this size first, for the time it takes; and the share of the time
#: that the first repeat may take.
PILOT_ROWS, FIRST_REPEAT = 2000, 0.5
#: Rows of a group that a sample keeps for every fold.
LEAST_PER_FOLD = 10
#: Augmentation rows per group that are tried, as multiples of the largest group of a training fold.
MULTIPLES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
#: Shares of the real training rows from which the curve on real rows alone is drawn.
REAL_SHARES = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)


def scaling_curve(
    data: Any,
    *,
    target: Hashable,
    group_by: Sequence[Hashable] = (),
    kinds: Mapping[Any, str] | None = None,
    generator: str | Generator = DEFAULT_GENERATOR,
    estimator: Learner = "lr",
    sizes: Sequence[int] | None = None,
    repeats: int = 5,
    folds: int = 5,
    calibrate: bool = True,
    max_seconds: float | None = 300.0,
    random_state: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> ScalingCurve:
    """Measure the balanced log-loss against the number of augmentation rows, and fit the scaling law.

    Repeated cross-validation, stratified by group. In every fold the schema, the generator and the classifier
    see training rows only; the generator balances the groups and writes one pool, whose prefixes are the
    sizes. Predictions are calibrated (temperature and offsets, balanced weights) on the other folds of the
    same repeat, so that a fall of the curve is more than a shift of probabilities. Equal rows are never on both
    sides of a split.

    Parameters
    ----------
    data : pandas or polars DataFrame, or pyarrow Table, of shape (n_rows, n_columns)
    target : hashable
    group_by : sequence of hashable
    kinds : mapping of column to kind, optional
    generator : str or Generator
    estimator : str or classifier
        As in `makeweight.measure.learners.make_learner`.
    sizes : sequence of int, optional
        Augmentation rows N per group; by default 0, 1/4, 1/2, 1, 2 and 4 times the largest group.
    repeats, folds : int
    calibrate : bool
        Whether predictions are calibrated before they are judged.
    max_seconds : float or None, default 300
        A large table is measured on as many of its rows as a first repeat has time for, and repeats that do not fit
        are left out; two folds are run in any case. None measures everything.
    random_state : int
    n_jobs : int, optional
        Processes that work on different folds.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` before rows are written, its detail being whether they can improve
        the ranking, and after every fold.

    Returns
    -------
    ScalingCurve

    Raises
    ------
    PlanError
        When a group has fewer rows than folds.
    OptionError
        When a parameter is out of its range.

    Notes
    -----
    The curve of the published figures (arXiv 2406.03628), with equal weights, out of fold, on real rows, and
    after calibration; see docs/theory.md.
    """
    start = time.perf_counter()
    whole = to_frame(data)
    schema = Schema.infer(whole, target=target, group_by=group_by, kinds=kinds)
    _check(schema, Groups(Table(whole, schema)), whole, repeats, folds, max_seconds)
    make_learner(estimator, 0, len(whole))
    stated = {column.name: column.stated for column in schema.features}
    given = None if sizes is None else tuple(sizes)
    problem = _Problem(whole, target, tuple(group_by), stated, generator, estimator, given)
    rng = np.random.default_rng(random_state)
    _, ranking = ranking_answer(problem.table, problem.labels, rng)
    clock = _Timer(start, max_seconds, n_jobs or 1, progress)
    if progress is not None:
        progress(Progress("asking of the ranking", 1, 1, clock.seconds, 0.0, ranking))
    problem = _affordable(problem, folds, clock, random_state)
    strata = Strata.of(problem.table)
    largest = round(int(np.bincount(strata.codes).max()) * (folds - 1) / folds)
    task = _Task(problem, problem.points(largest))
    losses, real_sizes, assigned = _measured(task, strata, repeats, folds, calibrate, random_state, clock)
    settings = ScalingSettings(
        generator if isinstance(generator, str) else type(generator).__name__,
        estimator if isinstance(estimator, str) else repr(estimator),
        len(losses),
        folds,
        calibrate,
        random_state,
        len(whole),
        len(problem.frame),
        int(problem.labels.max()) + 1,
        max_seconds,
        dict(zip(strata.names, np.bincount(strata.codes).tolist(), strict=True)),
    )
    evidence = ScalingEvidence(np.array(task.sizes), losses, strata.codes, assigned, real_sizes, largest)
    return evidence.conclude(settings, ranking, start)


@dataclass(frozen=True, eq=False)
class _Problem:
    """A table, and what is measured on it."""

    frame: pd.DataFrame
    target: Hashable
    group_by: tuple[Hashable, ...]
    kinds: dict[Hashable, Any]
    generator: str | Generator
    estimator: Learner
    sizes: tuple[int, ...] | None

    @cached_property
    def table(self) -> Table:
        schema = Schema.infer(self.frame, target=self.target, group_by=self.group_by, kinds=self.kinds)
        return Table(self.frame, schema)

    @cached_property
    def labels(self) -> np.ndarray:
        return np.asarray(pd.factorize(self.frame[self.target], sort=True)[0], dtype=np.int64)

    def some(self, n: int, folds: int, seed: int) -> _Problem:
        """Return the problem on about n rows: the groups in their shares, none with fewer than it needs."""
        codes = Groups(self.table).codes
        order = _nested_order(codes, np.random.default_rng(seed))
        rank = np.empty(len(codes), dtype=np.int64)
        for code in np.unique(codes):
            mine = order[codes[order] == code]
            rank[mine] = np.arange(len(mine))
        counts = np.bincount(codes)
        kept = np.maximum(np.ceil(counts * n / len(codes)), np.minimum(counts, LEAST_PER_FOLD * folds))
        return replace(self, frame=self.frame[rank < kept[codes]].reset_index(drop=True))

    def points(self, largest: int) -> tuple[int, ...]:
        chosen = self.sizes if self.sizes is not None else tuple(round(m * largest) for m in MULTIPLES)
        points = sorted({0, *chosen})
        if len(points) < 2 or points[0] < 0:
            raise OptionError("sizes are rows per group", got=points, expected="0 and at least one above it")
        return tuple(points)


@dataclass(eq=False)
class _Timer:
    """What the measurement may take, and what a fold took."""

    start: float
    max_seconds: float | None
    n_jobs: int
    progress: Callable[[Progress], object] | None
    done: int = 0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def allows(self, folds: int, seconds_per_fold: float, share: float = 1.0) -> bool:
        """Whether so many further folds end in this share of the time."""
        if self.max_seconds is None:
            return True
        waves = math.ceil(folds / self.n_jobs)
        return self.seconds + waves * seconds_per_fold <= share * self.max_seconds

    def folds(self, jobs: Sequence[_Fold], later: int) -> list[_Predicted]:
        """Run folds; `later` more may follow."""
        results: dict[int, _Predicted] = {}
        for index, result in run(_run_fold, jobs, n_jobs=self.n_jobs):
            results[index] = result
            self.done += 1
            if self.progress is not None:
                total = self.done + len(jobs) - len(results) + later
                self.progress(Progress("measuring folds", self.done, total, self.seconds))
        return [results[index] for index in range(len(jobs))]


def _affordable(problem: _Problem, folds: int, clock: _Timer, seed: int) -> _Problem:
    """Return the problem on as many rows as one repeat has time for, judged by a fold of a small sample."""
    if clock.max_seconds is None or len(problem.frame) <= PILOT_ROWS:
        return problem
    small = problem.some(PILOT_ROWS, folds, seed)
    strata = Strata.of(small.table)
    largest = round(int(np.bincount(strata.codes).max()) * (folds - 1) / folds)
    pilot = replace(small, sizes=None) if problem.sizes is not None else small
    points = pilot.points(largest)
    began = clock.seconds
    stream = np.random.SeedSequence(seed)
    _run_fold(_Fold(_Task(small, points), strata.assign(folds, np.random.default_rng(seed)) != 0, stream))
    taken = max(clock.seconds - began, 1e-3)
    waves = math.ceil(folds / clock.n_jobs)
    n = int(len(small.frame) * FIRST_REPEAT * (clock.max_seconds - clock.seconds) / (waves * taken))
    return problem if n >= len(problem.frame) else problem.some(max(n, PILOT_ROWS // 4), folds, seed)


def _measured(
    task: _Task, strata: Strata, repeats: int, folds: int, calibrate: bool, random_state: int, clock: _Timer
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return losses of shape (repeats, arms, rows), real sizes, and the folds of the first repeat, -1 where cut."""
    seeds, losses, per_fold = np.random.SeedSequence(random_state).spawn(repeats), [], 0.0
    first: np.ndarray | None = None
    for repeat, seed in enumerate(seeds):
        if repeat and not clock.allows(folds, per_fold):
            break
        assigned = strata.assign(folds, np.random.default_rng(seed))
        jobs = [_Fold(task, assigned != fold, stream) for fold, stream in enumerate(seed.spawn(folds))]
        later, began = folds * (repeats - repeat - 1), clock.seconds
        if repeat or clock.max_seconds is None:
            predicted = clock.folds(jobs, later)
        else:  # the first fold alone, for its time
            predicted = clock.folds(jobs[:1], folds - 1 + later)
            per_fold = clock.seconds - began
            kept = next((n for n in range(folds, 2, -1) if clock.allows(n - 1, per_fold)), 2)
            predicted += clock.folds(jobs[1:kept], later)
        per_fold = (clock.seconds - began) / math.ceil(len(predicted) / clock.n_jobs)
        first = np.where(assigned < len(predicted), assigned, -1) if first is None else first
        losses.append(
            held_out_losses(
                [fold.predictions for fold in predicted], assigned, task.problem.labels, strata.codes, calibrate
            )
        )
        if len(predicted) < folds:
            break
    return np.array(losses), predicted[0].real_sizes, np.asarray(first)


@dataclass(frozen=True, eq=False)
class _Task:
    problem: _Problem
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Fold:
    """The rows of one fold to learn from, and its seed."""

    task: _Task
    is_train: np.ndarray
    seed: np.random.SeedSequence


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Held-out class probabilities per arm: one per size, then nothing, then the shares of real rows."""

    predictions: list[np.ndarray]
    real_sizes: np.ndarray


def _check(
    schema: Schema, groups: Groups, frame: pd.DataFrame, repeats: int, folds: int, max_seconds: float | None
) -> None:
    whole_number("repeats", repeats, 1)
    whole_number("folds", folds, 2)
    if max_seconds is not None and not max_seconds > 0:
        raise OptionError("max_seconds is a time", got=repr(max_seconds), expected="seconds above 0, or None")
    refuse_one_class(groups)
    Strata.of(Table(frame, schema), groups).check(folds)


def _run_fold(fold: _Fold) -> _Predicted:
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
    order = _nested_order(groups.codes, np.random.default_rng(model_seed))
    real_sizes = np.array([round(share * len(frame)) for share in REAL_SHARES])
    predictions += [predicted(order[:size], none) for size in (len(frame), *real_sizes[:-1])]
    predictions.append(predictions[len(fold.task.sizes)])  # all real rows end the curve on real rows alone
    return _Predicted(predictions, real_sizes)


def _rank_in_group(positions: np.ndarray, augment: np.ndarray) -> np.ndarray:
    """Return the place of every augmentation row in its group, -1 for balancing rows."""
    rank = np.full(len(positions), -1)
    for position in np.unique(positions):
        mine = augment & (positions == position)
        rank[mine] = np.arange(int(mine.sum()))
    return rank


def _nested_order(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order of rows whose every prefix has the groups in their shares."""
    place = np.empty(len(codes))
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(place, kind="stable")
