"""Rows that a generator wrote, with what a teacher says of them and of the real ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.committee.generation import SoftGeneration
from makeweight.committee.soft import SoftLabels, drawn_labels
from makeweight.committee.teaching import Lesson, soft_counts, teach, teacher_of
from makeweight.errors import PlanError
from makeweight.generators.generation import Generation
from makeweight.measure.splits import Strata, check_teachable
from makeweight.measure.training import balancing_weights
from makeweight.plan import Amount, Groups
from makeweight.table import Table

__all__ = ["SoftGeneration", "check_soft", "refuse_rules_of_labels", "soft_amount", "soften"]

#: Keys of the streams that a teacher is fitted with, and labels are drawn with.
TEACHER_STREAM, LABEL_STREAM = 2, 4


def soften(
    table: Table,
    generation: Generation,
    groups: Groups,
    seed: np.random.SeedSequence,
    *,
    teacher: Any = True,
    features: Sequence[Hashable] | None = None,
    draw_labels: bool = False,
    n_jobs: int | None = None,
) -> SoftGeneration:
    """Return a generation whose rows, and the real ones, have the labels that a teacher gives them.

    `table`: the real rows. `generation`: written from `table` alone. `groups`: of `table`. Where there are grouping
    attributes the teacher is fitted to rows under which every group weighs the same, and they keep those weights.
    `teacher`: as of `teach`. `features`: columns that the teacher reads; by default all but the target. `draw_labels`:
    draw labels instead of weighing rows; see `drawn_labels`. `n_jobs`: processes that fit the teacher.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from makeweight import Schema, balance
    >>> frame = pd.DataFrame({"x": np.linspace(0, 4, 40), "y": np.repeat(["low", "high"], 20)})
    >>> generation = balance(frame, target="y", generator="smoothed-bootstrap", augment=1, random_state=0)
    >>> table = Table(frame, generation.schema)
    >>> soft = soften(table, generation, Groups(table), np.random.SeedSequence(0), teacher=LogisticRegression())
    >>> len(soft), round(float(soft.sample_weight.sum()), 1)
    (2, 42.0)
    """
    weight = generation.plan.synthetic_weight
    check_soft(table, groups, weight, teacher=teacher, draw_labels=draw_labels)
    schema, frame = table.schema, table.frame
    target = schema.target
    names = list(features) if features is not None else [name for name in schema.names if name != target]
    attributes = [name for name in groups.columns if name != target]
    balanced = balancing_weights(groups.codes) if attributes else None
    lesson = teach(
        frame[names].reset_index(drop=True),
        pd.Categorical(frame[target].to_numpy()),  # whatever they are, they are labels
        generation.frame[names],
        teacher=teacher,
        kinds={column.name: column.stated for column in schema.columns if column.name in set(names)},
        groups=frame[attributes] if attributes else None,
        sample_weight=balanced,
        random_state=int(_stream(seed, TEACHER_STREAM).generate_state(1)[0]),
        n_jobs=n_jobs,
    )
    if draw_labels:
        rng = np.random.default_rng(_stream(seed, LABEL_STREAM))
        labels = drawn_labels(lesson.teacher.labels_, lesson.teacher.oof_, lesson.said, rng)
    else:
        labels = lesson.labels(synthetic_weight=1.0 if weight is None else weight)
    return SoftGeneration(
        **{known.name: getattr(generation, known.name) for known in fields(Generation)},
        lesson=lesson,
        labels=labels,
        further=_further(frame, generation.frame, target, lesson, labels),
        n_real=len(table),
    )


def check_soft(
    table: Table, groups: Groups, synthetic_weight: float | None, *, teacher: Any = True, draw_labels: bool = False
) -> None:
    """Refuse, before any row is written, what rows that carry probabilities cannot have; parameters as of `soften`."""
    if draw_labels and synthetic_weight is not None:
        raise PlanError(
            "synthetic_weight weighs rows, and drawn labels weigh nothing",
            got=f"synthetic_weight={synthetic_weight}, draw_labels=True",
            hint="leave one of them out",
        )
    teacher_of(teacher).checked_members(len(table), weighed=len(groups.columns) > 1)
    Strata.of(table, groups).check_teachable()


def _stream(seed: np.random.SeedSequence, key: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed.entropy, spawn_key=(key,))


def _further(
    real: pd.DataFrame, written: pd.DataFrame, target: Hashable, lesson: Lesson, labels: SoftLabels
) -> pd.DataFrame:
    """Return the rows that stand below the real ones, with their labels."""
    n = len(real)
    every = pd.concat([real, written[list(real.columns)]]) if len(written) else real
    further = every.iloc[labels.rows[n:]].reset_index(drop=True)
    new = pd.Series(lesson.teacher.classes_[labels.labels[n:]], name=target)
    further[target] = new.astype(real[target].dtype)
    return further


def refuse_rules_of_labels(rules: Iterable[Any], target: Hashable) -> None:
    """Refuse constraints that name the label, which rows that stand under every label would break."""
    for rule in rules:
        if target in rule.columns:
            raise PlanError(
                "rows that carry probabilities stand under every label, and a constraint names the label",
                where=f"column {target!r}",
                got=rule.reason,
                hint="leave the constraint or soft labels (teacher) out",
            )


def soft_amount(amount: Amount, groups: Groups, rules: Iterable[Any] = ()) -> Amount:
    """Return the rows of every group that `soft_counts` says, unless something else is asked for."""
    check_teachable([groups.describe(key) for key in groups.keys], groups.counts, groups.counts)
    refuse_rules_of_labels(rules, groups.columns[0])
    if amount.alpha is not None:
        raise PlanError(
            "alpha weighs augmentation rows by their purpose, and soft labels by their probability",
            got=f"alpha={amount.alpha}, soft_labels=True",
            hint="leave alpha out, or weigh all synthetic rows by synthetic_weight",
        )
    if amount.sampling_strategy != "auto" or amount.augment:
        return amount
    totals = groups.counts + soft_counts(groups.counts, by_group=len(groups.columns) > 1)
    return replace(amount, sampling_strategy=dict(zip(groups.keys, totals.tolist(), strict=True)))
