"""Candidates in which a teacher takes part, and what there is to train on when it does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from makeweight.classifier.training import Pool, RealRows
from makeweight.committee import Committee, Lesson, blend, soft_counts, teach
from makeweight.committee.members import auto_members
from makeweight.labelled import take_rows
from makeweight.measure.learners import weight_keyword
from makeweight.theory import Candidate, Take

__all__ = ["BLENDS"]

SOFT_REAL, SOFT, COMMITTEE = "soft real rows", "soft rows", "committee alone"
REAL_BLEND, BLEND = "blend of real rows", "blend of soft rows"
#: Whose answer is the mean log-odds of the estimator and the teacher.
BLENDS = (REAL_BLEND, BLEND)
#: Soft rows, unless two for every real row are more: on tables from the network's prior 8,000 gave no more.
ROWS = 2_000
#: Folds in which the committee of a fold is cross-fitted, once; the one that answers in the end is as by default.
CUTS_IN_FOLDS = 3
#: Different rows that every group needs, so that a fold's training rows can be cross-fitted in turn.
FEWEST_TO_TEACH = 4


@dataclass(frozen=True)
class TaughtCandidate(Candidate):
    """A candidate that uses what a teacher says.

    >>> TaughtCandidate(way="soft rows").takes({"common": 900, "rare": 100})["rare"].n_augment
    200
    >>> TaughtCandidate(way="committee alone").takes({"common": 900, "rare": 100})["rare"].n_augment
    0
    """

    #: "soft real rows": real rows once per label, half with their label and half as the teacher says. "soft rows": the
    #: same, and synthetic rows that carry the teacher's probabilities. "blend of soft rows", "blend of real rows": the
    #: mean log-odds of an estimator fitted to those, or to the real rows as they are, and the teacher. "committee
    #: alone": the teacher
    way: str = SOFT
    by_group: bool = False  # whether there are grouping attributes

    @property
    def fitted_to(self) -> str:
        """The way with the same rows for the estimator; "nothing" for real rows as they are."""
        return {BLEND: SOFT, REAL_BLEND: "nothing"}.get(self.way, self.way)

    def takes(self, counts: Mapping[Hashable, int]) -> dict[Hashable, Take]:
        """Return the synthetic rows per group."""
        if self.fitted_to != SOFT:
            return dict.fromkeys(counts, Take(0, 0, 1.0))
        rows = soft_counts(np.array(list(counts.values())), by_group=self.by_group, least=ROWS).tolist()
        return {group: Take(0, n, 1.0) for group, n in zip(counts, rows, strict=True)}


def taught_candidates(real: RealRows, estimator: Any) -> tuple[tuple[TaughtCandidate, ...], str | None]:
    """Return the candidates in which a teacher takes part, or a note on why there are none."""
    fewest = int(real.strata.distinct().min())
    if fewest < FEWEST_TO_TEACH:
        return (), f"no teacher: a group has {fewest} different rows, and its cross-fitting needs {FEWEST_TO_TEACH}"
    if weight_keyword(estimator) is None:
        note = "no soft rows: the estimator takes no sample_weight, and probabilities are weights"
        return tuple(TaughtCandidate(way=way) for way in (REAL_BLEND, COMMITTEE)), note
    ways, by_group = (SOFT_REAL, SOFT, REAL_BLEND, BLEND, COMMITTEE), bool(real.schema.group_by)
    return tuple(TaughtCandidate(way=way, by_group=by_group) for way in ways), None


@dataclass(frozen=True, eq=False)
class Material:
    """What there is to train on: real rows, the synthetic rows of a pool, and what a teacher says of both."""

    real: RealRows
    rows: np.ndarray  # shape (r,); real rows to train on
    pool: Pool  # written by a generator that saw these rows alone
    lesson: Lesson | None  # by a teacher that saw these rows alone; None where no candidate needs one

    @cached_property
    def counts(self) -> dict[Hashable, int]:
        """Real rows per group."""
        return dict(enumerate(np.bincount(self.real.codes[self.rows], minlength=len(self.real.groups)).tolist()))

    def training_set(self, candidate: Candidate) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return features, labels and weights that the estimator is fitted to."""
        if not isinstance(candidate, TaughtCandidate) or candidate.fitted_to == "nothing":
            return self.real.training_set(self.rows, self.pool, candidate.takes(self.counts))
        assert self.lesson is not None
        return self.lesson.training_set(rows=0 if candidate.way == SOFT_REAL else None)

    def shares(self, candidate: Candidate) -> np.ndarray:
        """Return the class shares, by weight, that a candidate's answer is fitted to, shape (k,)."""
        if not isinstance(candidate, TaughtCandidate):
            return self.real.shares(self.rows, candidate.takes(self.counts))
        assert self.lesson is not None
        weights, k = self.lesson.sample_weight, len(self.real.classes)
        taught = np.bincount(self.lesson.teacher.labels_, weights, minlength=k)
        taught = taught / taught.sum()
        if candidate.way == COMMITTEE:
            return np.asarray(taught)
        if candidate.fitted_to == "nothing":
            own = self.real.shares(self.rows, candidate.takes(self.counts))
        else:
            soft = self.lesson.labels(rows=0 if candidate.way == SOFT_REAL else None)
            own = np.bincount(soft.labels, soft.weights, minlength=k)
            own = own / own.sum()
        return np.asarray(blend(own[None], taught[None])[0] if candidate.way in BLENDS else own)


def material(
    real: RealRows,
    rows: np.ndarray,
    candidates: tuple[Candidate, ...],
    *,
    teacher: Any,
    estimator: Any,
    to_write: np.random.Generator,
    to_teach: np.random.Generator,
    n_jobs: int | None,
    in_folds: bool,
) -> Material:
    """Return what some candidates need to be trained on some real rows, written and taught by these rows alone."""
    bare = Material(real, rows, Pool({}, {}, None), None)
    plans = [candidate.takes(bare.counts) for candidate in candidates]
    pool = real.write(rows, {code: max(plan[code].n_total for plan in plans) for code in bare.counts}, to_write)
    taught = [candidate for candidate in candidates if isinstance(candidate, TaughtCandidate)]
    if not taught:
        return Material(real, rows, pool, None)
    frames = [pool.frames[code].iloc[:0] for code in pool.frames]
    for candidate in taught:
        if candidate.fitted_to == SOFT:
            takes = candidate.takes(bare.counts)
            frames = [pool.frames[code].iloc[: takes[code].n_total] for code in pool.frames]
    synthetic = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=real.names)
    weights = real.weights[rows]
    if real.schema.group_by:  # what is taught shall not carry on how common an attribute's values are
        codes = real.codes[rows]
        weights = weights / np.bincount(codes, weights)[codes] * (len(rows) / len(bare.counts))
    if teacher == "auto":
        teacher = committee_of(estimator, len(real.labels), np.ptp(weights) > 0, in_folds, n_jobs)
    lesson = teach(
        take_rows(real.X, rows),
        real.labels[rows],
        synthetic,
        teacher=teacher,
        kinds={column.name: column.stated for column in real.schema.features if column.name in set(real.names)},
        groups=real.frame.iloc[rows][list(real.schema.group_by)] if real.schema.group_by else None,
        sample_weight=weights,
        random_state=int(to_teach.integers(2**31)),
        n_jobs=n_jobs,
    )
    return Material(real, rows, pool, lesson)


def committee_of(estimator: Any, n_rows: int, needs_weights: bool, in_folds: bool, n_jobs: int | None) -> Committee:
    """Return an unfitted committee of which the estimator is a further member, where it takes the weights it needs.

    `n_rows`: of the whole table, so that the folds have the members that all rows will have.
    """
    own = [] if needs_weights and weight_keyword(estimator) is None else [("estimator", estimator)]
    committee = Committee([*auto_members(n_rows), *own], n_jobs=n_jobs)
    return committee.set_params(cv=CUTS_IN_FOLDS, repeats=1) if in_folds else committee
