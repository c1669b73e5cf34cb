"""What a teacher says of rows, and the training sets that a learner gets from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.committee.committee import Committee
from makeweight.committee.soft import SoftLabels, soft_labels
from makeweight.labelled import take_rows
from makeweight.measure.learners import seeded
from makeweight.table.containers import append_rows

__all__ = ["Lesson", "soft_counts", "teach"]

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
    if isinstance(teacher, Committee):
        committee = seeded(teacher, random_state)
    else:
        members = "auto" if teacher is True else [("teacher", teacher)]
        committee = Committee(members, kinds=kinds, random_state=random_state, n_jobs=n_jobs)
    committee.fit(real, labels, groups=groups, sample_weight=sample_weight)
    if not len(synthetic):
        return Lesson(committee, real, np.empty((0, len(committee.classes_))), sample_weight, groups is not None)
    rows = append_rows(real, synthetic)
    said = committee.predict_proba(take_rows(rows, np.arange(len(labels), len(labels) + len(synthetic))))
    return Lesson(committee, rows, said, sample_weight, groups is not None)


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
