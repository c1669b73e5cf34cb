"""Arms of which a committee has a say: soft labels with and without rows, the committee alone, and both together."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from makeweight.committee import Committee, Lesson, blend, soft_counts, teach
from makeweight.errors import OptionError
from makeweight.evaluation.arms import Variant
from makeweight.evaluation.fitted import Fitted
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.generators.fill import Generation
from makeweight.measure.learners import Learner, fit_estimator, make_learner, reads_frame
from makeweight.measure.probabilities import probabilities
from makeweight.measure.training import balancing_weights
from makeweight.measure.views import LearnerRows
from makeweight.plan import Groups, Plan
from makeweight.table import Table
from makeweight.theory import logit_shift


def soft_plan(groups: Groups, share: float = 1.0) -> Plan:
    """Return the plan of as many rows that carry probabilities as every group is to get, or a share of them."""
    wanted = np.ceil(share * soft_counts(groups.counts, by_group=len(groups.columns) > 1)).astype(np.int64)
    return Plan.make(
        groups, {key: int(n + more) for key, n, more in zip(groups.keys, groups.counts, wanted, strict=True)}
    )


@dataclass(frozen=True, eq=False)
class Taught:
    """One training fold as a committee teaches it."""

    problem: EvaluationProblem
    table: Table  # the training rows
    #: their positions, and those of the rows to predict
    train: np.ndarray
    held: np.ndarray
    #: synthetic rows, which learned from the training rows alone; none where no arm asks for them
    generation: Generation | None
    teacher: dict[str, Any]  # options of the committee
    seed: int

    @cached_property
    def rows(self) -> LearnerRows:
        """All rows, as learners get them."""
        frame = self.table.frame
        written = frame.iloc[:0] if self.generation is None else self.generation.frame
        return LearnerRows(self.table, written, self.problem.frame.iloc[self.held])

    @cached_property
    def lesson(self) -> Lesson:
        """What the committee says; with grouping attributes it speaks for groups that weigh the same."""
        real, written, _ = self.rows.frames
        attributes, codes = list(self.problem.group_by), self.problem.codes[self.train]
        kinds = {name: kind for name, kind in self.problem.kinds.items() if name in real.columns}
        return teach(
            real,
            self.problem.labels[self.train],
            written,
            teacher=Committee(**self.teacher, kinds=kinds),
            groups=self.table.frame[attributes] if attributes else None,
            sample_weight=balancing_weights(codes) if attributes else None,
            random_state=self.seed,
        )

    def balanced(self, said: np.ndarray) -> np.ndarray:
        """Return probabilities at the balanced prior, from those that the committee's labels lead to."""
        if self.problem.group_by:
            return said
        shares = np.bincount(self.problem.labels[self.train], minlength=len(self.problem.class_names))
        return np.asarray(logit_shift(shares / shares.sum(), self.problem.prior).apply(said))

    @cached_property
    def committee(self) -> np.ndarray:
        """What the committee says of the held-out rows."""
        return probabilities(self.lesson.teacher, self.rows.frames[2], np.arange(len(self.problem.class_names)))

    @cached_property
    def seconds(self) -> float:
        """What it took to ask the committee."""
        start = time.perf_counter()
        self.lesson  # noqa: B018 - cached
        return time.perf_counter() - start

    def student(self, learner: Learner, *, rows: int | None) -> tuple[Fitted, np.ndarray]:
        """Return a learner fitted to soft labels, of real rows alone or of all, and what it says of held-out rows."""
        soft = self.lesson.labels(rows=rows)
        n = len(self.train)
        further = soft.rows[soft.rows >= n] - n
        X = self.rows.train(learner, soft.rows[soft.rows < n], further)
        # Real rows come first in X, and again in the labels and weights.
        order = np.concatenate([np.flatnonzero(soft.rows < n), np.flatnonzero(soft.rows >= n)])
        model = make_learner(learner, self.seed, len(order))
        fitted = fit_estimator(model, X, soft.labels[order], soft.weights[order], self.seed)
        said = probabilities(fitted, self.rows.held(learner), np.arange(len(self.problem.class_names)))
        return Fitted(fitted, None if reads_frame(learner) else self.rows.matrix), said

    def predictions(
        self, variants: Sequence[Variant], learners: Mapping[str, Learner]
    ) -> dict[tuple[Variant, str], tuple[Fitted, np.ndarray, float] | str]:
        """Return fits and balanced held-out probabilities by training set and estimator, and the seconds of each.

        A text says why a learner has none: one that takes no weights cannot learn from soft labels.
        """
        answers: dict[tuple[Variant, str], tuple[Fitted, np.ndarray, float] | str] = {}
        for name, learner in learners.items():
            soft: tuple[Fitted, np.ndarray] | None = None
            for variant in variants:
                start = time.perf_counter()
                try:
                    if variant in ("soft", "blend") and soft is None:
                        soft = self.student(learner, rows=None)
                    fitted, said = self._said(variant, learner, soft)
                except OptionError as error:
                    answers[variant, name] = error.message
                    continue
                answers[variant, name] = fitted, self.balanced(said), time.perf_counter() - start
        return answers

    def _said(
        self, variant: Variant, learner: Learner, soft: tuple[Fitted, np.ndarray] | None
    ) -> tuple[Fitted, np.ndarray]:
        if variant == "committee":
            return Fitted(teacher=self.lesson.teacher), self.committee
        if variant == "soft-real":
            return self.student(learner, rows=0)
        assert soft is not None
        if variant == "soft":
            return soft
        return replace(soft[0], teacher=self.lesson.teacher), blend(soft[1], self.committee)
