"""How many rows a comparison writes, on the whole table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from makeweight.committee import soft_counts
from makeweight.evaluation.arms import ArmSource
from makeweight.evaluation.budget import Clock
from makeweight.evaluation.design import Design
from makeweight.evaluation.problem import EvaluationProblem
from makeweight.evaluation.work import ENOUGH, affordable_soft_rows, processes
from makeweight.generators.base import Generator
from makeweight.plan import Groups, Plan

#: Of calibrators and thresholds.
INNER_FOLDS = 3
#: Share of the time of `ENOUGH` splits in which rows of the balanced arm are written, by the generator's own forecast.
BALANCED_SHARE = 0.25
#: Rows of the smallest group that one inner fold has to hold for a calibrator to be fitted on it alone.
LEAST_TO_CALIBRATE = 100


def calibration_folds(problem: EvaluationProblem, generator: Generator, seconds: float | None, n_jobs: int) -> int:
    """Return on how many inner folds calibrators of a generator's rows are fitted: all, or one where time is short."""
    if seconds is None or int(problem.counts.min()) < LEAST_TO_CALIBRATE * INNER_FOLDS * 5 / 4:
        return INNER_FOLDS
    cost = generator.cost(Plan.make(Groups(problem.table(np.arange(len(problem)))))).seconds
    there = BALANCED_SHARE * seconds * processes(n_jobs) / ENOUGH
    return INNER_FOLDS if (1 + INNER_FOLDS) * cost <= there else 1


@dataclass(frozen=True)
class Amounts:
    """Rows on the whole table: per group of the augmented arm, with soft labels, and what each training set adds.

    Calibrators of the chosen generator's rows are fitted on `calibration_folds` of `INNER_FOLDS`.
    """

    augment: int
    soft: int
    all_soft: int
    calibration_folds: int
    n_added: dict[str, int]


def amounts_of(
    problem: EvaluationProblem,
    sources: Sequence[ArmSource],
    generator: Generator,
    design: Design,
    seconds: float | None,
    n_jobs: int,
) -> Amounts:
    """Return how many rows are written, of those with soft labels as many as the seconds allow."""
    largest = int(problem.counts.max())
    augment = largest if design.augment is None else design.augment
    balance = int((largest - problem.counts).sum())
    total = int(soft_counts(problem.counts, by_group=bool(problem.group_by)).sum())
    soft = design.soft_rows or total
    folds = design.calibration_folds or calibration_folds(problem, generator, seconds, n_jobs)
    teaching = next((s.generator for s in sources if any(arm.variant == "soft" for arm in s.arms)), None)
    if design.soft_rows is None and teaching is not None:
        soft = affordable_soft_rows(problem, generator, teaching, seconds, n_jobs, 1 + folds)
    augmented = balance + augment * len(problem.group_names)
    return Amounts(augment, soft, total, folds, {"balanced": balance, "augmented": augmented, "soft": soft})


def soft_strategy(problem: EvaluationProblem, amounts: Amounts) -> str:
    """Return the rows of every group with as many soft ones as were measured, as JSON; nothing where that is usual."""
    if amounts.soft >= amounts.all_soft:
        return ""
    groups = Groups(problem.table(np.arange(len(problem))))
    share = amounts.soft / amounts.all_soft
    totals = groups.counts + np.ceil(share * soft_counts(groups.counts, by_group=bool(problem.group_by))).astype(
        np.int64
    )
    if len(groups.columns) == 1:
        return json.dumps({str(key[0]): int(n) for key, n in zip(groups.keys, totals, strict=True)})
    names = [str(name) for name in groups.columns]
    cells = (dict(zip(names, map(str, key), strict=True)) for key in groups.keys)
    return json.dumps([{**cell, "rows": int(n)} for cell, n in zip(cells, totals, strict=True)])


def fewer_soft_rows(amounts: Amounts, design: Design, clock: Clock) -> tuple[str, ...]:
    """Return how many rows with soft labels were written where there was no time for all."""
    lines: tuple[str, ...] = ()
    if amounts.calibration_folds < (design.calibration_folds or INNER_FOLDS):
        lines += (
            f"calibrators of the generator's rows were fitted on {amounts.calibration_folds} of {INNER_FOLDS} inner "
            f"folds, for {ENOUGH} splits to fit into the budget of {clock.budget:.0f} s: --calibration-folds "
            f"{INNER_FOLDS} fits them on all",
        )
    if amounts.soft >= amounts.all_soft or design.soft_rows is not None:
        return lines
    return (
        *lines,
        f"{amounts.soft:,} rows with soft labels were written rather than {amounts.all_soft:,}, for {ENOUGH} splits to "
        f"fit into the budget of {clock.budget:.0f} s: --soft-rows {amounts.all_soft} writes all",
    )
