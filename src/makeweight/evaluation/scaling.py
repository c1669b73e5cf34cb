"""How the balanced risk falls with augmentation rows, measured out of fold, and what the law says of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from joblib import effective_n_jobs

from makeweight.engine import run
from makeweight.errors import OptionError
from makeweight.evaluation.curve import ScalingCurve, ScalingSettings
from makeweight.evaluation.design import whole_number
from makeweight.evaluation.evidence import ScalingEvidence, held_out_losses
from makeweight.evaluation.folds import (
    LEAST_PER_FOLD,
    MULTIPLES,
    FoldPrediction,
    ScalingFold,
    ScalingProblem,
    ScalingTask,
    run_fold,
)
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.registry import resolve
from makeweight.measure.learners import Learner, make_learner
from makeweight.measure.ranking import ranking_answer
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups, Plan
from makeweight.progress import Progress
from makeweight.table import Schema, Table
from makeweight.table.containers import to_frame
from makeweight.table.schema import GroupBy

__all__ = ["scaling_curve"]

#: Tables with more rows, or more cells, are measured on a sample of this size first, for the time it takes; and the
#: share of the time that the first repeat may take.
PILOT_ROWS, PILOT_CELLS, FIRST_REPEAT = 2000, 40_000, 0.5


def scaling_curve(
    data: Any,
    *,
    target: Hashable,
    group_by: GroupBy = (),
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
    group_by : column name or sequence of them, optional
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
        Sizes above the largest group for which a first repeat has no time are left out, by what the generator says that
        its rows cost; a large table is measured on as many of its rows as there is time for, and repeats that do not
        fit are left out. Where a second fold would not end in time fewer rows are taken. Two folds are run in any case.
        None measures everything.
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

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> x, y = np.random.default_rng(0).normal(size=100), np.repeat(["common", "rare"], [80, 20])
    >>> frame = pd.DataFrame({"x": x + (y == "rare"), "y": y})
    >>> curve = scaling_curve(frame, target="y", generator="smoothed-bootstrap", sizes=[0, 40], repeats=2, folds=2)
    >>> curve.sizes.tolist(), curve.risks.shape, curve.recommended in (None, 0, 40)
    ([0, 40], (2, 2), True)
    """
    start = time.perf_counter()
    whole = to_frame(data)
    schema = Schema.infer(whole, target=target, group_by=group_by, kinds=kinds)
    _check(schema, Groups(Table(whole, schema)), whole, repeats, folds, max_seconds)
    make_learner(estimator, 0, len(whole))
    stated = {column.name: column.stated for column in schema.features}
    given = None if sizes is None else tuple(sizes)
    problem = ScalingProblem(whole, target, schema.group_by, stated, generator, estimator, given)
    rng = np.random.default_rng(random_state)
    clock = _Timer(start, max_seconds, effective_n_jobs(n_jobs or 1), progress)
    if progress is not None:
        progress(clock.progress_of(repeats * folds))
    _, ranking = ranking_answer(problem.table, problem.labels, rng)
    if progress is not None:
        progress(Progress("asking of the ranking", 1, 1, clock.seconds, 0.0, ranking))
    problem = _affordable(_fewer_sizes(problem, folds, clock), folds, clock, random_state)
    measured = None
    while measured is None:
        strata = Strata.of(problem.table)
        largest = round(int(np.bincount(strata.codes).max()) * (folds - 1) / folds)
        task = ScalingTask(problem, problem.points(largest))
        measured = _measured(task, strata, repeats, folds, calibrate, random_state, clock)
        if measured is None:
            problem = _smaller(problem, folds, clock, random_state)
    losses, real_sizes, assigned = measured
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
        repeats,
        problem.most,
        MULTIPLES[-1],
    )
    evidence = ScalingEvidence(np.array(task.sizes), losses, strata.codes, strata.units, assigned, real_sizes, largest)
    return evidence.conclude(settings, ranking, start)


@dataclass(eq=False)
class _Timer:
    """What the measurement may take, and what a fold took."""

    start: float
    max_seconds: float | None
    n_jobs: int
    progress: Callable[[Progress], object] | None
    done: int = 0
    last: float = 0.0
    shrunk: bool = False

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.start

    def allows(self, folds: int, seconds_per_fold: float) -> bool:
        """Whether so many further folds end in time."""
        if self.max_seconds is None:
            return True
        waves = math.ceil(folds / self.n_jobs)
        return self.seconds + waves * seconds_per_fold <= self.max_seconds

    def progress_of(self, total: int) -> Progress:
        """Return how far it is: folds that are done, of so many at most, and the time left at most."""
        detail = f"fold {min(self.done + 1, total)} of at most {total}"
        left = self.seconds / self.done * (total - self.done) if self.done else None
        if self.max_seconds is not None:
            rest = max(self.max_seconds - self.seconds, 0.0)
            left = rest if left is None else min(left, rest)
        return Progress("measuring folds", self.done, total, self.seconds, left, detail)

    def folds(self, jobs: Sequence[ScalingFold], later: int) -> list[FoldPrediction]:
        """Run folds; `later` more may follow."""
        results: dict[int, FoldPrediction] = {}
        for index, result in run(run_fold, jobs, n_jobs=self.n_jobs):
            results[index] = result
            self.done += 1
            if self.progress is not None:
                total = self.done + len(jobs) - len(results) + later
                self.progress(self.progress_of(total))
        return [results[index] for index in range(len(jobs))]


def _fewer_sizes(problem: ScalingProblem, folds: int, clock: _Timer) -> ScalingProblem:
    """Return the problem with the sizes for which the generator says that a repeat has time.

    They go up to the largest group at least, which doubles the rows: with less no law can be told from the curve, and
    fewer of the table's rows are the better saving.
    """
    if clock.max_seconds is None or problem.sizes is not None:
        return problem
    groups, generator = Groups(problem.table), resolve(problem.generator)
    waves, time_left = math.ceil(folds / clock.n_jobs), FIRST_REPEAT * (clock.max_seconds - clock.seconds)
    *larger, least = reversed([most for most in MULTIPLES if most >= 1])
    for most in larger:
        plan = Plan.make(groups, augment=round(most * int(groups.counts.max())))
        if waves * generator.cost(plan).seconds * (folds - 1) / folds <= time_left:
            return replace(problem, most=most)
    return replace(problem, most=least)


def _smaller(problem: ScalingProblem, folds: int, clock: _Timer, seed: int) -> ScalingProblem:
    """Return the problem on so few rows that two folds end in time, judged by the one that did not."""
    assert clock.max_seconds is not None
    share = (clock.max_seconds - clock.seconds) / (3.0 * clock.last)
    n = max(int(share * len(problem.frame)), folds * LEAST_PER_FOLD)
    return problem.some(n, folds, seed)


def _affordable(problem: ScalingProblem, folds: int, clock: _Timer, seed: int) -> ScalingProblem:
    """Return the problem on as many rows as one repeat has time for, judged by a fold of a small sample."""
    few = min(PILOT_ROWS, PILOT_CELLS // problem.frame.shape[1])
    if clock.max_seconds is None or len(problem.frame) <= few:
        return problem
    small = problem.some(few, folds, seed)
    strata = Strata.of(small.table)
    largest = round(int(np.bincount(strata.codes).max()) * (folds - 1) / folds)
    pilot = replace(small, sizes=None) if problem.sizes is not None else small
    points = pilot.points(largest)
    began = clock.seconds
    stream = np.random.SeedSequence(seed)
    run_fold(ScalingFold(ScalingTask(small, points), strata.assign(folds, np.random.default_rng(seed)) != 0, stream))
    taken = max(clock.seconds - began, 1e-3)
    waves = math.ceil(folds / clock.n_jobs)
    n = int(len(small.frame) * FIRST_REPEAT * (clock.max_seconds - clock.seconds) / (waves * taken))
    return problem if n >= len(problem.frame) else problem.some(max(n, few // 4), folds, seed)


def _measured(
    task: ScalingTask, strata: Strata, repeats: int, folds: int, calibrate: bool, random_state: int, clock: _Timer
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return losses of shape (repeats, arms, rows), real sizes, and the folds of the first repeat, -1 where cut.

    None where the first fold took so long that a second does not end in time, and fewer rows may help.
    """
    seeds, losses, per_fold = np.random.SeedSequence(random_state).spawn(repeats), [], 0.0
    first: np.ndarray | None = None
    for repeat, seed in enumerate(seeds):
        if repeat and not clock.allows(folds, per_fold):
            break
        assigned = strata.assign(folds, np.random.default_rng(seed))
        jobs = [ScalingFold(task, assigned != fold, stream) for fold, stream in enumerate(seed.spawn(folds))]
        later, began = folds * (repeats - repeat - 1), clock.seconds
        if repeat or clock.max_seconds is None:
            predicted = clock.folds(jobs, later)
        else:  # the first fold alone, for its time
            predicted = clock.folds(jobs[:1], folds - 1 + later)
            clock.last = per_fold = clock.seconds - began
            if not clock.shrunk and not clock.allows(1, per_fold):
                clock.shrunk = True
                return None
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


def _check(
    schema: Schema, groups: Groups, frame: pd.DataFrame, repeats: int, folds: int, max_seconds: float | None
) -> None:
    whole_number("repeats", repeats, 1)
    whole_number("folds", folds, 2)
    if max_seconds is not None and not max_seconds > 0:
        raise OptionError("max_seconds is a time", got=repr(max_seconds), expected="seconds above 0, or None")
    refuse_one_class(groups)
    Strata.of(Table(frame, schema), groups).check(folds)
