"""One task: the arms of one source on one split, with everything fitted inside the training fold."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.classifier import SyntheticClassifier
from makeweight.classifier.taught import BLENDS
from makeweight.errors import GenerationShortfall, MakeweightError
from makeweight.evaluation.arms import Arm, ArmSource, Variant
from makeweight.evaluation.fitted import Fitted
from makeweight.evaluation.metrics import measure
from makeweight.evaluation.problem import EvaluationProblem, seed_of
from makeweight.evaluation.remembering import Memory, Remembering, RememberingCommittee
from makeweight.evaluation.store import ArmRecord
from makeweight.evaluation.taught import Taught, soft_plan
from makeweight.generators.check import CopyPolicy
from makeweight.generators.fill import Generation, Limits
from makeweight.generators.writing import write_rows
from makeweight.measure.calibration import balanced_platt, tuned_offsets
from makeweight.measure.learners import FrameClassifier, Learner, fit_estimator, make_learner, reads_frame
from makeweight.measure.probabilities import probabilities as probabilities_of
from makeweight.measure.training import balancing_weights, undersampled
from makeweight.measure.views import LearnerRows
from makeweight.plan import Groups, Plan
from makeweight.sampler import SyntheticOverSampler
from makeweight.table import Kind, Schema, Table
from makeweight.theory import logit_shift

__all__ = ["Settings"]

#: How `SyntheticClassifier` is set up: as it is by default where it asks a teacher.
AUTO: dict[str, Any] = {"cv": 3, "repeats": 1, "target_prior": "balanced"}
#: Its committee, which all estimators share (they are no members of it), is lighter than by default.
LIGHT: dict[str, Any] = {"cv": 3, "repeats": 1}
#: Options of every committee.
TEACHER: dict[str, Any] = {"members": "auto"}


@dataclass(frozen=True)
class Settings:
    """What all tasks share: a `Design` as it was resolved, with its learners.

    Calibrator and threshold are fitted on `inner_folds` inside each training fold, those of the chosen generator's rows
    on `calibration_folds` of them. Augmentation rows per group are a multiple of the largest group; of the rows with
    soft labels `softness` is the share that is written. `teacher` has the options of every committee.
    """

    folds: int
    inner_folds: int
    augment: float
    copies: CopyPolicy
    estimators: dict[str, Learner]
    random_state: int
    synthetic_weight: float | None = None
    softness: float = 1.0
    calibration_folds: int = 3
    teacher: dict[str, Any] = field(default_factory=TEACHER.copy)


@dataclass(frozen=True, eq=False)
class Task:
    """The arms of one source on one split."""

    problem: EvaluationProblem
    settings: Settings
    source: ArmSource
    repeat: int
    fold: int
    keeps: bool = False  # whether what is fitted is kept beside its predictions

    @property
    def weighs(self) -> bool:
        """Whether the rows of its source have a weight of their own."""
        return self.settings.synthetic_weight is not None and any(arm.focus for arm in self.source.arms)

    def seed(self, *parts: object) -> np.random.SeedSequence:
        """Return a seed of this split and of what is named."""
        return seed_of(self.settings.random_state, self.repeat, self.fold, *parts)


@dataclass(frozen=True, eq=False)
class _Prediction:
    """Held-out probabilities of one fit, as they are and where the model calibrates itself, and what it took."""

    probabilities: np.ndarray
    calibrated: np.ndarray | None = None
    n_added: int = 0
    seconds: float = 0.0
    fitted: Fitted | None = None


#: By training set and estimator; a text says why there is none.
Predictions = dict[tuple[Variant, str], _Prediction | str]


def run_task(task: Task) -> list[ArmRecord]:
    """Return one record per arm and estimator: what it scored, or why it could not be measured."""
    start = time.perf_counter()
    pairs = [(arm, name) for arm in task.source.arms for name in task.settings.estimators]
    blank = [ArmRecord(task.repeat, task.fold, task.source.name, arm.name, name) for arm, name in pairs]
    try:
        records = _measured(task, pairs, blank)
    except Exception as error:  # one arm's failure is its result; the others go on
        if isinstance(error, GenerationShortfall) and error.generation.ledger.interrupted:
            raise KeyboardInterrupt from error  # the generation kept its rows; here the user wants to stop
        reason = error.message if isinstance(error, MakeweightError) else f"{type(error).__name__}: {error}"
        records = [replace(record, error=reason) for record in blank]
    share = round((time.perf_counter() - start) / len(pairs), 4)
    return [replace(record, task_seconds=share) for record in records]


def _measured(task: Task, pairs: list[tuple[Arm, str]], blank: list[ArmRecord]) -> list[ArmRecord]:
    problem, settings = task.problem, task.settings
    everything = np.arange(len(problem))
    rng = np.random.default_rng(seed_of(settings.random_state, task.repeat))
    assigned = problem.strata.assign(settings.folds, rng)
    train, held = everything[assigned != task.fold], everything[assigned == task.fold]
    predictions, ledger = predictions_of(task, train, held, ())
    out_of_fold, known = _out_of_fold(task, train)
    rare = int(np.bincount(problem.labels).argmin())
    records = []
    for (arm, name), record in zip(pairs, blank, strict=True):
        key = (arm.variant, name)
        prediction = predictions[key]
        if isinstance(prediction, str):
            records.append(replace(record, error=prediction))
            continue
        if prediction.calibrated is not None and arm.calibrated:
            probabilities, decisions = prediction.calibrated, prediction.calibrated.argmax(axis=1)
        else:
            probabilities, decisions = _read_out(
                arm, problem, train[known], prediction.probabilities, out_of_fold.get(key)
            )
        measured = measure(
            probabilities,
            decisions,
            problem.labels[held],
            problem.codes[held],
            n_groups=len(problem.group_names),
            rare=rare,
            class_names=problem.class_names,
        )
        records.append(
            replace(
                record,
                **vars(measured),
                n_train=len(train),
                n_added=prediction.n_added,
                seconds=round(prediction.seconds, 4),
                ledger=ledger if arm.focus and arm.variant != "all" else None,
            )
        )
    return records


def _out_of_fold(task: Task, train: np.ndarray) -> tuple[dict[tuple[Variant, str], np.ndarray], np.ndarray]:
    """Return probabilities of training rows, each from models and generators that did not see it, and which rows."""
    problem, source, settings = task.problem, task.source, task.settings
    every = np.ones(len(train), dtype=bool)
    if source.kind in ("constant", "auto", "taught") or all(arm.readout in ("raw", "shift") for arm in source.arms):
        return {}, every
    inner = inner_folds(task, train)
    known = inner < settings.calibration_folds if any(arm.focus for arm in source.arms) else every
    held_out_of: dict[tuple[Variant, str], np.ndarray] = {}
    for fold in np.unique(inner[known]).tolist():
        held = inner == fold
        for key, prediction in predictions_of(task, train[~held], train[held], (fold,))[0].items():
            if isinstance(prediction, str):
                continue  # the fit to all training rows fails likewise, and says why
            whole = held_out_of.setdefault(key, np.empty((len(train), len(problem.class_names))))
            whole[held] = prediction.probabilities
    return {key: whole[known] for key, whole in held_out_of.items()}, known


def inner_folds(task: Task, train: np.ndarray) -> np.ndarray:
    """Return a fold per training row, on which calibrators and thresholds are fitted."""
    strata = task.problem.strata
    folds = min(task.settings.inner_folds, int(strata.distinct(train).min()))
    return strata.assign(folds, np.random.default_rng(task.seed("inner")), train)


def _read_out(
    arm: Arm, problem: EvaluationProblem, train: np.ndarray, raw: np.ndarray, out_of_fold: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    codes, labels, read = problem.codes[train], problem.labels[train], raw
    if arm.readout == "shift":
        shares = np.bincount(labels, minlength=len(problem.class_names))
        read = np.asarray(logit_shift(shares / shares.sum(), problem.prior).apply(raw))
    elif arm.readout != "raw":
        assert out_of_fold is not None
        if arm.readout == "threshold":
            offsets = tuned_offsets(out_of_fold, labels, 1.0 / np.bincount(codes)[codes])
            return raw, (np.log(raw) + offsets).argmax(axis=1)
        read = balanced_platt(out_of_fold, labels, codes).apply(raw)
    return read, read.argmax(axis=1)


def predictions_of(
    task: Task, train: np.ndarray, held: np.ndarray, inner: tuple[int, ...]
) -> tuple[Predictions, Mapping[str, object] | None]:
    """Return predictions of held-out rows by everything that was fitted to others, and the generator's account."""
    problem, settings, source = task.problem, task.settings, task.source
    if source.kind == "constant":
        prior = _Prediction(np.tile(problem.prior, (len(held), 1)))
        return {("nothing", name): prior for name in settings.estimators}, None
    if source.kind == "auto":
        return _of_classifier(task, train, held), None
    if source.kind == "taught":
        return _of_committee(task, train, held)
    model_seed = int(task.seed("model", *inner).generate_state(1)[0] % 2**31)
    began = time.perf_counter()
    table = problem.table(train)
    written, purposes, ledger = _written(task, table, inner)
    writing = time.perf_counter() - began
    rows = LearnerRows(table, written, problem.frame.iloc[held])
    labels, codes = problem.labels[train], problem.codes[train]
    positions = {name: k for k, name in enumerate(problem.class_names)}
    extra_labels = np.array([positions[str(label)] for label in written[problem.target].tolist()], dtype=np.int64)
    predictions: Predictions = {}
    for variant in source.variants:
        taken = purposes == "balance" if variant == "balanced" else np.ones(len(written), dtype=bool)
        kept = np.arange(len(train))
        if variant == "undersample":
            kept = undersampled(codes, np.random.default_rng(task.seed("undersample", *inner)))
        y = np.append(labels[kept], extra_labels[taken])
        weights = np.ones(len(y))
        if variant in ("balanced", "augmented") and task.weighs:
            weights[len(kept) :] = settings.synthetic_weight
        if variant == "weights":
            weights = balancing_weights(codes)
        answers: dict[int, _Prediction | str] = {}
        for name, learner in settings.estimators.items():
            start = time.perf_counter()
            fitted = variant if source.kind == "learners" else learner  # the same beside every estimator
            if id(fitted) not in answers:
                X = rows.train(fitted, kept, taken)
                answers[id(fitted)] = _answer(task, fitted, X, y, weights, rows, model_seed)
            answer = answers[id(fitted)]
            if isinstance(answer, _Prediction):
                seconds = time.perf_counter() - start + writing
                answer = replace(answer, n_added=len(y) - len(train), seconds=seconds)
            predictions[variant, name] = answer
    return predictions, ledger


def _answer(
    task: Task, learner: Learner, X: Any, y: np.ndarray, weights: np.ndarray, rows: LearnerRows, seed: int
) -> _Prediction | str:
    """Return what a learner says of the held-out rows, or why it takes no such training set."""
    try:
        model = fit_estimator(make_learner(learner, seed, len(y)), X, y, weights, seed)
    except MakeweightError as error:  # a learner without weights: the arms that need none go on
        return error.message
    said = probabilities_of(model, rows.held(learner), np.arange(len(task.problem.class_names)))
    kept = Fitted(model, None if reads_frame(learner) else rows.matrix) if task.keeps else None
    return _Prediction(said, fitted=kept)


def _written(
    task: Task, table: Any, inner: tuple[int, ...]
) -> tuple[pd.DataFrame, np.ndarray, Mapping[str, object] | None]:
    """Return synthetic rows, the purpose of each, and the ledger."""
    source, settings = task.source, task.settings
    if source.kind in ("real", "learners"):
        return table.frame.iloc[:0], np.empty(0, dtype=object), None
    if source.kind == "external":
        assert source.rows is not None
        return source.rows, np.repeat("external", len(source.rows)), None
    groups = Groups(table)
    extra = round(settings.augment * int(groups.counts.max())) if "augmented" in source.variants else 0
    generation = _generation(task, table, groups, Plan.make(groups, augment=extra), inner)
    return generation.frame, generation.provenance["purpose"].astype(object).to_numpy(), generation.ledger.to_dict()


def _generation(task: Task, table: Table, groups: Groups, plan: Plan, inner: tuple[int, ...]) -> Generation:
    source = task.source
    fit_seed, fill_seed = task.seed("generator", source.name, *inner).generate_state(2, np.uint64)
    assert source.generator is not None
    return write_rows(
        table,
        plan,
        source.generator,
        seed=np.random.SeedSequence(int(fill_seed)),
        fit_seed=np.random.SeedSequence(int(fit_seed)),
        groups=groups,
        name=source.name,
        limits=Limits(copies=task.settings.copies),
    )


def _of_committee(task: Task, train: np.ndarray, held: np.ndarray) -> tuple[Predictions, Mapping[str, object] | None]:
    """Return the predictions of a committee and of what it teaches; they come calibrated."""
    problem, source = task.problem, task.source
    table, generation = problem.table(train), None
    began = time.perf_counter()
    if any(arm.synthetic for arm in source.arms):
        groups = Groups(table)
        generation = _generation(task, table, groups, soft_plan(groups, task.settings.softness), ())
    writing = time.perf_counter() - began
    seed = int(task.seed("committee").generate_state(1)[0] % 2**31)
    taught = Taught(problem, table, train, held, generation, task.settings.teacher, seed)
    n_added = 0 if generation is None else len(generation.frame)
    writes = {arm.variant: arm.synthetic for arm in source.arms}
    predictions: Predictions = {
        (variant, name): answer
        if isinstance(answer, str)
        else _Prediction(
            answer[1],
            answer[1],
            n_added * writes[variant],
            answer[2] + taught.seconds + writing * writes[variant],
            answer[0] if task.keeps else None,
        )
        for (variant, name), answer in taught.predictions(source.variants, task.settings.estimators).items()
    }
    return predictions, None if generation is None else generation.ledger.to_dict()


def _of_classifier(task: Task, train: np.ndarray, held: np.ndarray) -> Predictions:
    """Return the predictions of a `SyntheticClassifier`, which chooses and calibrates inside these rows by itself."""
    problem, settings, source = task.problem, task.settings, task.source
    frame = problem.frame.drop(columns=problem.target)
    rows, held_rows = (frame.iloc[some].reset_index(drop=True) for some in (train, held))
    schema = Schema.infer(rows, kinds=problem.kinds | dict.fromkeys(problem.group_by, Kind.CATEGORICAL))
    predictions: Predictions = {}
    assert source.generator is not None
    memory = Memory()  # the seed is the same, and so are the folds, their rows, and what a committee says of them
    generator = Remembering(source.generator, memory)
    kinds = {column.name: column.stated for column in schema.columns}
    teacher = RememberingCommittee(**settings.teacher, **LIGHT, kinds=kinds, memory=memory)
    for name, learner in settings.estimators.items():
        start = time.perf_counter() + memory.saved  # each takes as long as it would alone
        sampler = SyntheticOverSampler(
            generator,
            group_by=list(problem.group_by) or None,
            limits=Limits(copies=settings.copies),
            kinds=problem.kinds,
        )
        brought = learner if reads_frame(learner) else FrameClassifier(learner, schema)
        seed = int(task.seed("auto").generate_state(1)[0])
        model = SyntheticClassifier(brought, sampler, teacher=teacher, random_state=seed, **AUTO)
        model.fit(rows, problem.labels[train])
        predictions["all", name] = _Prediction(
            probabilities_of(model.estimator_, held_rows, model.classes_),
            model.predict_proba(held_rows),
            model.decision_.n_synthetic,
            time.perf_counter() + memory.saved - start,
            _of_parts(model) if task.keeps else None,
        )
    return predictions


def _of_parts(model: SyntheticClassifier) -> Fitted:
    """Return what a classifier chose and fitted, without the rows that it wrote."""
    teacher = model.teacher_ if model.decision_.way in BLENDS else None
    own = model.estimator_
    if isinstance(own, FrameClassifier):
        return Fitted(own.model_, own.matrix_, teacher, model.calibrator_)
    return Fitted(own, None, teacher, model.calibrator_)
