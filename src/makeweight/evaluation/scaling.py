"""How the balanced risk falls with augmentation rows, measured out of fold, and what the law says of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.engine import run
from makeweight.errors import OptionError, PlanError
from makeweight.evaluation.design import whole_number
from makeweight.generators import DEFAULT_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.writing import write_rows
from makeweight.measure.learners import Learner, fit_estimator, make_learner
from makeweight.measure.matrix import Matrix
from makeweight.measure.probabilities import probabilities
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups, Plan
from makeweight.progress import Progress
from makeweight.table import Schema, Table
from makeweight.table.containers import to_frame
from makeweight.theory import (
    NOTHING,
    Candidate,
    Interval,
    ScalingLaw,
    SizeDecision,
    StraightLine,
    choose_from_risks,
    fit_calibration,
    inverse_line,
    log_line,
    row_losses,
)

__all__ = ["ScalingCurve", "scaling_curve"]

#: Augmentation rows per group that are tried, as multiples of the largest group of a training fold.
MULTIPLES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
#: Shares of the real training rows from which the curve on real rows alone is drawn.
REAL_SHARES = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0)


@dataclass(frozen=True)
class ScalingSettings:
    """What was measured, and how; `groups` has the real rows by group."""

    generator: str
    estimator: str
    repeats: int
    folds: int
    calibrated: bool
    random_state: int
    n_rows: int
    n_labels: int
    groups: dict[str, int]


@dataclass(frozen=True, eq=False)
class ScalingCurve:
    """Balanced risk against augmentation rows, the fitted law, and what follows.

    Attributes
    ----------
    sizes : ndarray of int, shape (s,)
        Augmentation rows N per group.
    risks : ndarray of shape (r, s)
        Balanced log-loss on held-out real rows, per split and size; every group is balanced first.
    nothing : ndarray of shape (r,)
        The same without any synthetic row.
    real_sizes : ndarray of int, shape (k,)
        Real training rows of the curve on real rows alone.
    real_risks : ndarray of shape (r, k)
    law : ScalingLaw
        Fitted to `risks` after the common level of every split is taken out.
    decision : SizeDecision
        Between nothing, balancing, and balancing with each N, by the one-standard-error rule.
    worth : Interval or None
        Real rows that would give the same risk as the recommended N; None where it cannot be said.
    worth_refused : str
        Why not, or an empty text.
    lines : dict of str to StraightLine
        The published straight lines, ``"log N"`` and ``"1/N"``; empty where they cannot be drawn.
    settings : ScalingSettings
        What was measured, and how.
    seconds : float
    """

    sizes: np.ndarray
    risks: np.ndarray
    nothing: np.ndarray
    real_sizes: np.ndarray
    real_risks: np.ndarray
    law: ScalingLaw
    decision: SizeDecision
    worth: Interval | None
    worth_refused: str
    lines: dict[str, StraightLine]
    settings: ScalingSettings
    seconds: float

    @property
    def recommended(self) -> int | None:
        """Augmentation rows per group that are worth adding; None when no row at all is."""
        if self.decision.candidate == NOTHING:
            return None
        if self.decision.candidate.augment == 0:
            return 0
        return self.law.recommend().n_augment

    @property
    def verdict(self) -> str:
        """What to do, in one or two sentences."""
        means, nothing = self.risks.mean(axis=0), float(self.nothing.mean())
        best = int(means.argmin())
        if self.recommended is None:
            shown = "No synthetic rows are worth adding"
            if self.decision.best != NOTHING:
                shown = "No gain from synthetic rows can be shown, so add none"
            return (
                f"{shown}: without any the balanced log-loss is {nothing:.4f}, "
                f"with the best number tried {means[best]:.4f}; {self.decision.reason}."
            )
        gain = f"balancing lowers the balanced log-loss from {nothing:.4f} to {means[0]:.4f}"
        if self.recommended == 0:
            return f"Balance, and add no further rows: {gain}; more rows gain less than a standard error."
        return (
            f"Balance, and add {self.recommended:,} rows per group: {gain}, and further rows to "
            f"{means[best]:.4f}; {self.law.recommend().reason}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON."""
        law = self.law
        return {
            "verdict": self.verdict,
            "recommended": self.recommended,
            "sizes": self.sizes.tolist(),
            "risk": self.risks.mean(axis=0).tolist(),
            "standard_error": law.standard_errors_.tolist(),
            "risk_without_synthetic_rows": float(self.nothing.mean()),
            "constant_risk": float(np.log(self.settings.n_labels)),
            "law": {
                "identifiable": law.identifiable_,
                "reason": law.reason_,
                "floor": asdict(law.floor_),
                "amplitude": asdict(law.amplitude_),
                "exponent": asdict(law.exponent_),
                "n_total": law.n_total,
                "n_groups": law.n_groups,
            },
            "lines": {name: vars(line) for name, line in self.lines.items()},
            "worth_in_real_rows": asdict(self.worth) if self.worth else None,
            "worth_refused": self.worth_refused,
            "real_sizes": self.real_sizes.tolist(),
            "real_risk": self.real_risks.mean(axis=0).tolist(),
            "decision": {
                "balance": self.decision.candidate.balance,
                "augment_per_largest_group": self.decision.candidate.augment,
                "reason": self.decision.reason,
            },
            "risks_by_split": self.risks.tolist(),
            "settings": asdict(self.settings),
            "seconds": round(self.seconds, 3),
        }


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
    random_state : int
    n_jobs : int, optional
        Processes that work on different folds.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` after every fold.

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
    frame = to_frame(data)
    schema = Schema.infer(frame, target=target, group_by=group_by, kinds=kinds)
    table = Table(frame, schema)
    groups = Groups(table)
    strata = Strata.of(table, groups)
    _check(groups, strata, repeats, folds)
    make_learner(estimator, 0, len(frame))
    largest = round(int(groups.counts.max()) * (folds - 1) / folds)
    points = sorted({0, *(sizes if sizes is not None else (round(m * largest) for m in MULTIPLES))})
    if len(points) < 2 or points[0] < 0:
        raise OptionError("sizes are rows per group", got=points, expected="0 and at least one above it")
    stated = {column.name: column.kind for column in schema.features}
    task = _Task(frame, target, tuple(group_by), stated, generator, estimator, tuple(points))
    seeds = np.random.SeedSequence(random_state).spawn(repeats)
    assigned = [strata.assign(folds, np.random.default_rng(seed)) for seed in seeds]
    jobs = [
        _Fold(task, assigned[r] != f, stream)
        for r, seed in enumerate(seeds)
        for f, stream in enumerate(seed.spawn(folds))
    ]
    by_fold: dict[int, _Predicted] = {}
    for index, result in run(_run_fold, jobs, n_jobs=n_jobs or 1):
        by_fold[index] = result
        if progress is not None:
            seconds = time.perf_counter() - start
            left = seconds / len(by_fold) * (len(jobs) - len(by_fold))
            progress(Progress("measuring folds", len(by_fold), len(jobs), seconds, left))
    predicted = [by_fold[index] for index in range(len(jobs))]
    labels, _ = pd.factorize(frame[target], sort=True)
    arms = len(predicted[0].predictions)
    risks = np.concatenate(
        [
            _risks(predicted[r * folds : (r + 1) * folds], assigned[r], labels, groups.codes, arms, calibrate)
            for r in range(repeats)
        ]
    )
    settings = ScalingSettings(
        generator if isinstance(generator, str) else type(generator).__name__,
        estimator if isinstance(estimator, str) else repr(estimator),
        repeats,
        folds,
        calibrate,
        random_state,
        len(frame),
        int(labels.max()) + 1,
        dict(zip(strata.names, groups.counts.tolist(), strict=True)),
    )
    return _conclude(np.array(points), risks, predicted[0].real_sizes, largest, len(groups), settings, start)


@dataclass(frozen=True)
class _Task:
    frame: pd.DataFrame
    target: Hashable
    group_by: tuple[Hashable, ...]
    kinds: dict[Hashable, Any]
    generator: str | Generator
    estimator: Learner
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


def _check(groups: Groups, strata: Strata, repeats: int, folds: int) -> None:
    whole_number("repeats", repeats, 1)
    whole_number("folds", folds, 2)
    refuse_one_class(groups)
    strata.check(folds)


def _run_fold(fold: _Fold) -> _Predicted:
    task, is_train = fold.task, fold.is_train
    frame = task.frame[is_train].reset_index(drop=True)
    held = task.frame[~is_train]
    schema = Schema.infer(frame, target=task.target, group_by=task.group_by, kinds=task.kinds)
    table = Table(frame, schema)
    groups = Groups(table)
    fit_seed, fill_seed, model_seed = fold.seed.spawn(3)
    plan = Plan.make(groups, augment=max(task.sizes))
    pool = write_rows(table, plan, task.generator, seed=fill_seed, fit_seed=fit_seed, groups=groups)
    matrix = Matrix(table)
    real, synthetic, held_out = matrix.transform(frame), matrix.transform(pool.frame), matrix.transform(held)
    y_real, classes = pd.factorize(frame[task.target], sort=True)
    y_made = pd.Index(classes).get_indexer(pd.Index(pool.frame[task.target]))
    rank = _rank_in_group(pool.positions, (pool.provenance["purpose"] == "augment").to_numpy())
    known = np.arange(len(classes))
    state = int(model_seed.generate_state(1)[0] % 2**31)
    predictions = []
    for size in task.sizes:
        used = rank < size
        X, y = np.concatenate([real, synthetic[used]]), np.concatenate([y_real, y_made[used]])
        predictions.append(_predict(task.estimator, state, X, y, held_out, known))
    order = _nested_order(groups.codes, np.random.default_rng(model_seed))
    real_sizes = np.array([round(share * len(frame)) for share in REAL_SHARES])
    for size in (len(frame), *real_sizes[:-1]):
        rows = order[:size]
        predictions.append(_predict(task.estimator, state, real[rows], y_real[rows], held_out, known))
    predictions.append(predictions[len(task.sizes)])  # all real rows end the curve on real rows alone
    return _Predicted(predictions, real_sizes)


def _predict(
    learner: Learner, seed: int, X: np.ndarray, y: np.ndarray, held_out: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    model = fit_estimator(make_learner(learner, seed, len(y)), X, y, np.ones(len(y)), seed)
    return probabilities(model, held_out, classes)


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


def _risks(
    predicted: list[_Predicted],
    assigned: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    arms: int,
    calibrate: bool,
) -> np.ndarray:
    """Return group risks of one repeat, shape (folds, arms, groups)."""
    n_groups = int(codes.max()) + 1
    weights = 1.0 / np.bincount(codes)[codes]
    risks = np.empty((len(predicted), arms, n_groups))
    for arm in range(arms):
        together = np.empty((len(labels), predicted[0].predictions[arm].shape[1]))
        for fold, result in enumerate(predicted):
            together[assigned == fold] = result.predictions[arm]
        for fold in range(len(predicted)):
            held = assigned == fold
            judged = together[held]
            if calibrate:
                scale = fit_calibration(together[~held], labels[~held], sample_weight=weights[~held])
                judged = scale.apply(together[held])
            losses = row_losses(labels[held], judged, "log")
            sums = np.bincount(codes[held], losses, minlength=n_groups)
            risks[fold, arm] = sums / np.bincount(codes[held], minlength=n_groups)
    return risks


def _conclude(
    sizes: np.ndarray,
    risks: np.ndarray,
    real_sizes: np.ndarray,
    largest: int,
    n_groups: int,
    settings: ScalingSettings,
    start: float,
) -> ScalingCurve:
    s, test_share = len(sizes), 1 / settings.folds
    balanced = risks.mean(axis=2)
    curve, nothing, real = balanced[:, :s], balanced[:, s], balanced[:, s + 1 :]
    law = ScalingLaw(largest * n_groups, n_groups).fit(sizes, _without_level(curve))
    candidates = [NOTHING, *(_candidate(int(size), largest) for size in sizes)]
    order = [s, *range(s)]
    decision = choose_from_risks(candidates, risks[:, order].transpose(1, 0, 2), test_share=test_share)
    worth, refused = None, ""
    recommended = law.recommend().n_augment
    try:
        n_real = int(real_sizes[-1])
        worth = law.worth_in_real_rows(recommended, real_sizes, _without_level(real), n_real)
    except PlanError as error:
        refused = f"{error.what}: {error.got}" if error.got else error.what
    lines = {}
    if int((sizes > 0).sum()) > 1:
        lines = {"log N": log_line(sizes, curve.mean(axis=0)), "1/N": inverse_line(sizes, curve.mean(axis=0))}
    return ScalingCurve(
        sizes,
        curve,
        nothing,
        real_sizes,
        real,
        law,
        decision,
        worth,
        refused,
        lines,
        settings,
        time.perf_counter() - start,
    )


def _candidate(size: int, largest: int) -> Candidate:
    if not size:
        return Candidate(balance=1.0)
    return Candidate(balance=1.0, augment=size / largest, alpha=size / (largest + size))


def _without_level(risks: np.ndarray) -> np.ndarray:
    """Take out how hard each split is, which all sizes share, so that the scatter is that of differences."""
    return np.asarray(risks - risks.mean(axis=1, keepdims=True) + risks.mean())
