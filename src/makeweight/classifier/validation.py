"""Validation of candidates: generator, teacher and estimator are fitted inside each fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from makeweight.classifier.convexity import check_minimum
from makeweight.classifier.decision import way_of
from makeweight.classifier.taught import (
    BLEND,
    BLENDS,
    COMMITTEE,
    REAL_BLEND,
    Material,
    TaughtCandidate,
    material,
    mean_of,
    parts_of,
)
from makeweight.classifier.training import RealRows
from makeweight.engine import run
from makeweight.errors import PlanError
from makeweight.labelled import take_rows
from makeweight.measure.learners import fit_estimator
from makeweight.measure.probabilities import floored, probabilities
from makeweight.theory import NOTHING, Candidate, SizeDecision, choose_from_losses, out_of_fold_losses

HOW_WITHOUT = 'use calibrate="logit-shift", with n_synthetic and augment both "auto" or both given'
#: How `makeweight.theory.choose_size` calls the calibrations while candidates are compared.
WHILE_CHOOSING = {"platt": "platt", "isotonic": "platt", "logit-shift": "shift", "none": None}

#: Standard errors that other candidates have to gain beyond what a blend has to: nearly always a blend gains, and what
#: few rare rows say of it would be lost among sizes that gain by chance.
BESIDE_BLENDS = 2.0
#: Likewise for doing nothing and for another blend, where a blend is presumed that nearly always gains.
BESIDE_PRESUMED = 1.0
#: With fewer rows than this in a class, "auto" calibrates by the logit shift, which has nothing to fit.
LEAST_TO_CALIBRATE = 20


@dataclass(frozen=True)
class Judgement:
    """The risks of all candidates, and the choice among those that may be chosen."""

    measured: SizeDecision  # of all candidates, controls included: risks and their covariance
    choice: SizeDecision  # of those that are no control


class Validation:
    """Compares candidates by held-out rows, and keeps the out-of-fold probabilities.

    In each fold a copy of the generator learns from the training rows only and writes one pool, of which all
    candidates, `makeweight.theory.NOTHING` first, use prefixes; a teacher that is fitted to these rows only is shared
    by all that need one. Candidates that come to the same rows are fitted once; `fits` counts the estimator's fits.
    """

    def __init__(
        self, real: RealRows, estimator: Any, candidates: Sequence[Candidate], teacher: Any, n_jobs: int | None
    ) -> None:
        self.real, self.estimator, self.teacher, self.n_jobs = real, estimator, teacher, n_jobs
        self.candidates = tuple(candidates)
        self.fits = 0
        self._out_of_fold: list[tuple[np.ndarray, list[np.ndarray]]] = []

    def choose(
        self,
        *,
        folds: int,
        repeats: int,
        calibrate: str | None,
        objective: str,
        rule: float,
        guardrail: float,
        reference: Candidate,
        rng: np.random.Generator,
    ) -> Judgement:
        """Return the choice among all candidates but the committee alone, which is a control.

        Parameters are those of `makeweight.theory.choose_size`, and the `reference` of `choose_from_losses`.
        """
        real = self.real
        weights = real.weights / np.bincount(real.codes, real.weights)[real.codes]
        losses = out_of_fold_losses(
            real.label_codes,
            self._answers,
            rng=rng,
            assign=partial(real.strata.assign, folds),
            repeats=repeats,
            calibrate=calibrate,
            sample_weight=weights,
        )
        ways = [way_of(candidate) for candidate in self.candidates]
        open_ = [k for k, way in enumerate(ways) if way != COMMITTEE]
        blended = np.isin(ways, BLENDS)
        handicaps = np.where(blended.any() & ~blended, BESIDE_BLENDS, 0.0)
        if reference != NOTHING:
            handicaps[blended | np.isin(ways, "nothing")] = BESIDE_PRESUMED
        measured, choice = (
            choose_from_losses(
                [self.candidates[k] for k in positions],
                losses[positions],
                real.codes,
                counts=dict(enumerate(real.groups.counts.tolist())),
                objective=objective,
                rule=rule,
                guardrail=guardrail,
                folds=folds,
                repeats=repeats,
                sample_weight=weights,
                units=real.strata.units,
                handicaps=handicaps[positions],
                reference=reference,
            )
            for positions in (list(range(len(self.candidates))), open_)
        )
        return Judgement(measured, choice)

    def out_of_fold(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows, of shape (n repeats,), and their held-out probabilities under one candidate."""
        rows = np.concatenate([held for held, _ in self._out_of_fold])
        return rows, np.concatenate([answers[position] for _, answers in self._out_of_fold])

    def _answers(
        self, rows: np.ndarray, held: np.ndarray, rng: np.random.Generator
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what every candidate says of the held-out rows of a fold, and the shares it was fitted to."""
        to_write, to_fit, to_teach = rng.spawn(3)
        seed = int(to_fit.integers(2**31))
        stuff = material(
            self.real,
            rows,
            self.candidates,
            teacher=self.teacher,
            estimator=self.estimator,
            to_write=to_write,
            to_teach=to_teach,
            n_jobs=self.n_jobs,
            in_folds=True,
        )
        asked = take_rows(self.real.X, held)
        parts = [parts_of(candidate) for candidate in self.candidates]
        unique = {_fit_key(part, stuff): part for own in parts for part in own}
        fit = partial(_fit_and_predict, stuff, self.estimator, asked, seed)
        outputs = dict(run(fit, list(unique.values()), n_jobs=self.n_jobs or 1))
        said = {key: outputs[place] for place, key in enumerate(unique)}
        self.fits += len(unique)
        taught = None if stuff.lesson is None else stuff.lesson.teacher.predict_proba(asked)
        answers = []
        for candidate, fitted in zip(self.candidates, parts, strict=True):
            asks = way_of(candidate) in (*BLENDS, COMMITTEE)
            own = [said[_fit_key(part, stuff)] for part in fitted]
            answers.append(mean_of(own if len(own) < 2 else [floored(mean_of(own))], taught if asks else None))
        self._out_of_fold.append((held, answers))
        return [(answer, stuff.shares(c)) for answer, c in zip(answers, self.candidates, strict=True)]


def _fit_key(part: Candidate | str, stuff: Material) -> Any:
    """Return what is the same for parts that come to the same rows."""
    return part if isinstance(part, str) else tuple(part.takes(stuff.counts).values())


def _fit_and_predict(stuff: Material, estimator: Any, asked: Any, seed: int, part: Candidate | str) -> np.ndarray:
    X, y, weights = stuff.training_set(part)
    fitted = fit_estimator(estimator, X, y, weights, seed)
    if weights.min() < 0:
        try:
            check_minimum(fitted, X, y, weights)
        except PlanError:  # missing predictions have an infinite risk, which decision_ shows
            return np.full((len(asked), len(stuff.real.classes)), np.nan)
    return probabilities(fitted, asked, stuff.real.classes)


def calibration_of(calibrate: str | None, real: RealRows) -> str:
    """Return how probabilities are calibrated: as asked for, or by what the rows of the rarest class suffice for."""
    if calibrate != "auto":
        return calibrate or "none"
    usable = np.bincount(real.label_codes).min() >= LEAST_TO_CALIBRATE and real.strata.distinct().min() >= 2
    return "platt" if usable else "logit-shift"


def presumed_of(presumed: str, candidates: Sequence[Candidate], teacher: Any) -> Candidate:
    """Return what is taken unless another candidate is shown to be better.

    A blend is presumed where the teacher is the committee by default, of which is known what it gives.
    """
    by_default = teacher == "auto" if isinstance(teacher, str) else getattr(teacher, "members", None) == "auto"
    if presumed == "blend" and by_default:
        at = {way_of(candidate): candidate for candidate in candidates}
        return at.get(BLEND, at.get(REAL_BLEND, NOTHING))
    return NOTHING


def rounds_of(cv: str | int, repeats: str | int, candidates: Sequence[Candidate]) -> tuple[int, int]:
    """Return folds and repeats of the cross-validation; "auto" asks less where a teacher is fitted in every fold.

    >>> rounds_of("auto", "auto", [NOTHING]), rounds_of("auto", 2, [NOTHING, TaughtCandidate(way="soft rows")])
    ((5, 2), (3, 2))
    """
    auto = (3, 1) if any(isinstance(candidate, TaughtCandidate) for candidate in candidates) else (5, 2)
    return auto[0] if isinstance(cv, str) else cv, auto[1] if isinstance(repeats, str) else repeats


def folds_of(real: RealRows, cv: int) -> int:
    """Return the number of folds: at most one for each different row of the smallest group."""
    return min(cv, int(real.strata.distinct().min()))


def validated(
    real: RealRows,
    estimator: Any,
    candidates: Sequence[Candidate],
    *,
    teacher: Any,
    method: str,
    cv: int,
    repeats: int,
    objective: str,
    rule: float,
    guardrail: float,
    reference: Candidate,
    n_jobs: int | None,
    rng: np.random.Generator,
) -> tuple[Judgement | None, Validation | None, list[str]]:
    """Return the choice with its validation and notes, where a choice or the calibration `method` needs it."""
    if len(candidates) == 1 and method not in ("platt", "isotonic"):
        return None, None, []
    folds = folds_of(real, cv)
    if folds < 2:
        lonely = int(real.strata.distinct().argmin())
        n_rows = int(real.groups.counts[lonely])
        raise PlanError(
            "a group of one row cannot be held out",
            where=real.strata.names[lonely],
            got="1 row" if n_rows == 1 else f"{n_rows} equal rows",
            expected="2 or more different rows of every group",
            hint=HOW_WITHOUT,
        )
    notes = ["sizes were compared after Platt scaling"] if method == "isotonic" else []
    if folds < cv:
        notes.append(f"{folds} folds, not {cv}: the smallest group has {folds} different rows")
    listed = [NOTHING, *(candidate for candidate in candidates if candidate != NOTHING)]
    validation = Validation(real, estimator, listed, teacher, n_jobs)
    judgement = validation.choose(
        folds=folds,
        repeats=repeats,
        calibrate=WHILE_CHOOSING[method],
        rng=rng,
        objective="worst" if objective == "worst-group" else "balanced",
        rule=rule,
        guardrail=guardrail,
        reference=reference,
    )
    return judgement, validation, notes
