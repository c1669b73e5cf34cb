"""What a teacher says of rows, and the training sets that a learner gets from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.committee.committee import Committee
from makeweight.committee.members import NAMED, is_classifier_of_labels
from makeweight.committee.soft import SoftLabels, soft_labels
from makeweight.errors import OptionError
from makeweight.generators.base import Generator
from makeweight.labelled import take_rows
from makeweight.measure.learners import seeded
from makeweight.table import Kind
from makeweight.table.containers import append_rows, to_frame

__all__ = ["Lesson", "soft_counts", "teach", "teacher_of", "with_known_identifiers"]

#: Share of a real row's weight that follows the teacher, and the same where it is fitted by group (docs/soft-rows.md).
SOFTNESS, BY_GROUP_SOFTNESS = 0.5, 1.0
#: Rows that carry probabilities: at least so many, and so many for every real one (docs/soft-rows.md).
SOFT_ROWS, SOFT_SHARE = 8_000, 2


@dataclass(frozen=True, eq=False)
class Lesson:
    """Real and synthetic rows with what a teacher says of them."""

    teacher: Committee  # fitted to the real rows
    #: shape (n + m, d); features of the real rows and, below them, of the synthetic ones, in the container of the real
    #: ones
    rows: Any
    #: shape (m, k); what the teacher says of the synthetic rows; of the real ones, unseen, that is ``teacher.oof_``
    said: np.ndarray
    sample_weight: np.ndarray | None = None  # shape (n,); of the real rows
    by_group: bool = False  # whether the teacher was fitted by group

    @property
    def probabilities(self) -> np.ndarray:
        """Of real rows, by fits that have not seen them, then of synthetic rows, shape (n + m, k)."""
        return np.concatenate([self.teacher.oof_, self.said])

    def labels(
        self, *, softness: float | None = None, synthetic_weight: float = 1.0, rows: int | None = None
    ) -> SoftLabels:
        """Return the rows once per label; parameters as of `training_set`."""
        return soft_labels(
            self.teacher.labels_,
            self.teacher.oof_,
            self.said[:rows],
            sample_weight=self.sample_weight,
            softness=(BY_GROUP_SOFTNESS if self.by_group else SOFTNESS) if softness is None else softness,
            synthetic_weight=synthetic_weight,
        )

    def training_set(
        self, *, softness: float | None = None, synthetic_weight: float = 1.0, rows: int | None = None
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return what a learner is fitted to.

        `softness` in [0, 1]: share of a real row's weight that follows the teacher; the rest stays with its label. By
        default one half, and all of it where the teacher was fitted by group: there few rows weigh much, and so would
        their labels. `synthetic_weight`: of a synthetic row, where a real one weighs 1. `rows`: synthetic rows that
        take part, the first ones: all by default; with 0, real rows alone. Returns `X` of shape (r, d), as the real
        rows came; they stand first, in their order; `y` of shape (r,), labels; `weights` of shape (r,).
        """
        soft = self.labels(softness=softness, synthetic_weight=synthetic_weight, rows=rows)
        return take_rows(self.rows, soft.rows), self.teacher.classes_[soft.labels], soft.weights


def teach(
    real: Any,
    labels: Any,
    synthetic: pd.DataFrame,
    *,
    teacher: Any = True,
    kinds: Mapping[Any, str] | None = None,
    groups: Any = None,
    sample_weight: np.ndarray | None = None,
    random_state: int,
    n_jobs: int | None = None,
) -> Lesson:
    """Return what a committee says of real rows that it has not seen, and of synthetic rows.

    `real` of shape (n, d): features of the real rows. `labels` of shape (n,). `synthetic` of shape (m, d): features of
    synthetic rows, which a generator wrote that learned from the real rows alone; they may be none. `teacher`: True
    asks a `Committee` at its defaults; a clone of one that is given is asked; any other classifier is cross-fitted in
    its place. `kinds`, `n_jobs`: as of `Committee`; not used where one is given. `groups`, `sample_weight`: as of its
    ``fit``. `random_state`: of the committee, where one that is given leaves it open.

    >>> from sklearn.linear_model import LogisticRegression
    >>> X = pd.DataFrame({"x": np.arange(40.0)})
    >>> y = np.repeat(["low", "high"], 20)
    >>> further = pd.DataFrame({"x": [5.5, 33.5]})
    >>> lesson = teach(X, y, further, teacher=LogisticRegression(), random_state=0)
    >>> lesson.said.argmax(axis=1), lesson.training_set(softness=0)[1][-2:].tolist()
    (array([1, 0]), ['low', 'high'])
    """
    committee = seeded(teacher_of(teacher, kinds=kinds, n_jobs=n_jobs), random_state)
    committee.fit(real, labels, groups=groups, sample_weight=sample_weight)
    if not len(synthetic):
        return Lesson(committee, real, np.empty((0, len(committee.classes_))), sample_weight, groups is not None)
    rows, below = append_rows(real, synthetic), np.arange(len(labels), len(labels) + len(synthetic))
    known = with_known_identifiers(synthetic, to_frame(real), kinds or {}, random_state)
    said = committee.predict_proba(take_rows(rows if known is synthetic else append_rows(real, known), below))
    return Lesson(committee, rows, said, sample_weight, groups is not None)


def teacher_of(
    teacher: Any, *, kinds: Mapping[Any, str] | None = None, n_jobs: int | None = None, where: str = "soft_labels"
) -> Committee:
    """Return the unfitted committee that a teacher is, or stands in; `where`: the parameter that it was given as.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> teacher_of(GaussianNB()).members, teacher_of(True).members
    ([('teacher', GaussianNB())], 'auto')
    """
    if isinstance(teacher, Committee):
        return teacher
    if teacher is True:
        return Committee(kinds=kinds, n_jobs=n_jobs)
    if not (is_classifier_of_labels(teacher) or (isinstance(teacher, Generator) and hasattr(teacher, "label"))):
        raise OptionError(
            "no teacher that can say what a row is",
            where=where,
            got=repr(teacher),
            expected="True, a Committee, a classifier with predict_proba, or a generator with label",
            hint=f"Committee([{teacher!r}])" if teacher in NAMED else "True asks a Committee at its defaults",
        )
    return Committee([("teacher", teacher)], kinds=kinds, n_jobs=n_jobs)


def with_known_identifiers(
    rows: pd.DataFrame, real: pd.DataFrame, kinds: Mapping[Any, str], random_state: int
) -> pd.DataFrame:
    """Return synthetic rows with identifiers of real ones, at random, for a teacher that reads them.

    Synthetic rows have fresh identifiers, which lie where no teacher has seen any.

    `rows` of shape (m, d); `real` of shape (n, d), with the same columns, maybe under other names.

    >>> real = pd.DataFrame({"x": [1.0, 2.0], "id": [7, 7]})
    >>> with_known_identifiers(pd.DataFrame({"x": [1.5], "id": [8]}), real, {"id": "identifier"}, 0)["id"].tolist()
    [7]
    """
    named = enumerate(rows.columns)
    fresh = {at: name for at, name in named if name in kinds and Kind.parse(kinds[name]) is Kind.IDENTIFIER}
    if not fresh:
        return rows
    chosen = np.random.default_rng(random_state).integers(len(real), size=len(rows))
    known = rows.copy(deep=False)
    for at, name in fresh.items():
        known[name] = real.iloc[:, at].iloc[chosen].set_axis(rows.index)
    return known


def soft_counts(counts: np.ndarray, *, by_group: bool = False, least: int = SOFT_ROWS) -> np.ndarray:
    """Return how many rows that carry probabilities every group gets.

    In the proportion of the real ones: they are to lie where the table's rows lie. A learner that is fitted to rows of
    another law has its least loss there. With grouping attributes, as many for every group: the teacher speaks for
    groups that weigh the same.

    `counts` of shape (g,): real rows of the groups. `by_group`: whether there are grouping attributes. `least`: rows in
    all, unless two for every real row are more. Returns shape (g,).

    >>> soft_counts(np.array([900, 100])), soft_counts(np.array([900, 100]), by_group=True)
    (array([7200,  800]), array([4000, 4000]))
    """
    total = max(least, SOFT_SHARE * int(counts.sum()))
    if by_group:
        return np.repeat(total // len(counts), len(counts))
    return np.asarray(np.rint(total * counts / counts.sum()), dtype=np.int64)
