"""Candidates in which a teacher takes part, and what there is to train on when it does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from makeweight.classifier.training import Pool, RealRows
from makeweight.committee import Committee, Lesson, blend, soft_counts, teach
from makeweight.committee.members import auto_members
from makeweight.labelled import take_rows
from makeweight.measure.learners import weight_keyword
from makeweight.measure.probabilities import probabilities
from makeweight.theory import NOTHING, Candidate, Take

__all__ = ["BLENDS"]

SOFT_REAL, SOFT, COMMITTEE = "soft real rows", "soft rows", "committee alone"
REAL_BLEND, SOFT_BLEND, BLEND = "blend of real rows", "blend of soft rows", "blend of both"
#: Whose answer is the mean log-odds of the estimator and the teacher.
BLENDS = (REAL_BLEND, SOFT_BLEND, BLEND)
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
    #: mean log-odds of an estimator fitted to those, or to the real rows as they are, and the teacher. "blend of both":
    #: the same of the teacher and the mean log-odds of two estimators, fitted to either. "committee alone": the teacher
    way: str = SOFT
    by_group: bool = False  # whether there are grouping attributes

    def takes(self, counts: Mapping[Hashable, int]) -> dict[Hashable, Take]:
        """Return the synthetic rows per group."""
        if SOFT not in parts_of(self):
            return dict.fromkeys(counts, Take(0, 0, 1.0))
        rows = soft_counts(np.array(list(counts.values())), by_group=self.by_group, least=ROWS).tolist()
        return {group: Take(0, n, 1.0) for group, n in zip(counts, rows, strict=True)}


class FittedTwice(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The mean, on the scale of log-odds, of an estimator fitted to real rows as they are and one fitted to soft rows.

    `plain`, `soft`: fitted, to the same classes.

    >>> from sklearn.linear_model import LogisticRegression
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    >>> one, other = LogisticRegression().fit(X, y), LogisticRegression(C=9).fit(X, y)
    >>> FittedTwice(one, other).predict(X)
    array([0, 0, 1, 1])
    """

    def __init__(self, plain: Any, soft: Any) -> None:
        self.plain = plain
        self.soft = soft

    @property
    def classes_(self) -> np.ndarray:
        """Labels, in the order of the columns of `predict_proba`."""
        return np.asarray(self.plain.classes_)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, above zero, of shape (n, k)."""
        return mean_of([probabilities(own, X, self.classes_) for own in (self.plain, self.soft)])

    def predict(self, X: Any) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def taught_candidates(real: RealRows, estimator: Any) -> tuple[tuple[TaughtCandidate, ...], str | None]:
    """Return the candidates in which a teacher takes part, or a note on why there are none."""
    fewest = int(real.strata.distinct().min())
    if fewest < FEWEST_TO_TEACH:
        return (), f"no teacher: a group has {fewest} different rows, and its cross-fitting needs {FEWEST_TO_TEACH}"
    if weight_keyword(estimator) is None:
        note = "no soft rows: the estimator takes no sample_weight, and probabilities are weights"
        return tuple(TaughtCandidate(way=way) for way in (REAL_BLEND, COMMITTEE)), note
    ways, by_group = (SOFT_REAL, SOFT, *BLENDS, COMMITTEE), bool(real.schema.group_by)
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

    def training_set(self, part: Candidate | str) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return features, labels and weights that an estimator is fitted to; `part` is one of `parts_of`."""
        if isinstance(part, Candidate):
            return self.real.training_set(self.rows, self.pool, part.takes(self.counts))
        assert self.lesson is not None
        return self.lesson.training_set(rows=_synthetic(part))

    def shares(self, candidate: Candidate) -> np.ndarray:
        """Return the class shares, by weight, that a candidate's answer is fitted to, shape (k,)."""
        own, taught = [self._shares(part)[None] for part in parts_of(candidate)], None
        if isinstance(candidate, TaughtCandidate) and candidate.way in (*BLENDS, COMMITTEE):
            assert self.lesson is not None
            taught = _as_shares(self.lesson.teacher.labels_, self.lesson.sample_weight, self.real)[None]
        return np.asarray(mean_of(own, taught)[0])

    def _shares(self, part: Candidate | str) -> np.ndarray:
        if isinstance(part, Candidate):
            return self.real.shares(self.rows, part.takes(self.counts))
        assert self.lesson is not None
        soft = self.lesson.labels(rows=_synthetic(part))
        return _as_shares(soft.labels, soft.weights, self.real)


def parts_of(candidate: Candidate) -> tuple[Candidate | str, ...]:
    """Return what an estimator is fitted to, each for itself: rows of a size, or what a teacher says by its name.

    >>> parts_of(NOTHING) == parts_of(TaughtCandidate(way="blend of real rows")) == (NOTHING,)
    True
    >>> parts_of(TaughtCandidate(way="blend of both"))[1], parts_of(TaughtCandidate(way="committee alone"))
    ('soft rows', ())
    """
    if not isinstance(candidate, TaughtCandidate):
        return (candidate,)
    of_more = {BLEND: (NOTHING, SOFT), REAL_BLEND: (NOTHING,), SOFT_BLEND: (SOFT,), COMMITTEE: ()}
    return of_more.get(candidate.way, (candidate.way,))


def mean_of(answers: Sequence[np.ndarray], taught: np.ndarray | None = None) -> np.ndarray:
    """Return the mean, on the scale of log-odds, of at most two answers, and of that and what a teacher says.

    All of shape (n, k).
    """
    own = [blend(*answers)] if len(answers) == 2 else list(answers)
    said = own if taught is None else [*own, taught]
    return np.asarray(blend(*said) if len(said) == 2 else said[0])


def _synthetic(part: str) -> int | None:
    return 0 if part == SOFT_REAL else None


def _as_shares(labels: np.ndarray, weights: np.ndarray | None, real: RealRows) -> np.ndarray:
    sums = np.bincount(labels, weights, minlength=len(real.classes))
    return np.asarray(sums / sums.sum())


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
        if SOFT in parts_of(candidate):
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
