"""The first reading of a partitioned table: schema, groups and plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from makeweight.committee import soft_amount
from makeweight.engine import run
from makeweight.errors import OptionError
from makeweight.partitioned.facts import ScanTask, TableFacts, refuse_many_groups, scan
from makeweight.partitioned.schema import groups_of, refuse_unknown, schema_of
from makeweight.partitioned.source import PartSource
from makeweight.plan import Amount, Groups, Plan, Target
from makeweight.progress import Progress
from makeweight.rules import Constraint, Constraints, read_constraints
from makeweight.table import Kind, Schema

__all__ = ["Survey", "Workers", "survey"]

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Survey:
    """What one reading of a partitioned table says."""

    source: PartSource
    facts: TableFacts
    schema: Schema
    groups: Groups  # with the counts of the whole table
    plan: Plan
    rules: tuple[Constraint, ...] = ()  # that every row obeys


def survey(
    source: str | Path | PartSource,
    target: Target,
    amount: Amount,
    work: Workers,
    *,
    soft: bool = False,
    constraints: Constraints | None = None,
) -> Survey:
    """Return what one reading of a partitioned table says: its schema, its groups, and the plan.

    With `soft` the plan is that of rows that carry probabilities.
    """
    if callable(amount.sampling_strategy):
        raise OptionError(
            "a strategy that asks for the labels does not go with a partitioned table",
            got=repr(amount.sampling_strategy),
            expected="a name, a ratio or final counts",
        )
    coded = tuple(str(name) for name, kind in target.kinds.items() if Kind.parse(kind).is_coded)
    pieces = source if isinstance(source, PartSource) else PartSource.open(source)
    roles = [str(target.name), *map(str, target.group_by)]
    refuse_unknown(pieces, roles, target.kinds)
    tasks = [ScanTask(part, pieces.schema, tuple(roles), coded) for part in pieces.parts]
    total: TableFacts | None = None
    for facts in work.results(scan, tasks, "reading"):
        total = facts if total is None else total.merge(facts)
        refuse_many_groups(total, roles)
    assert total is not None
    schema = schema_of(pieces, total, roles, target.kinds)
    groups = groups_of(schema, total)
    rules = read_constraints(constraints, schema)
    plan = (soft_amount(amount, groups, rules) if soft else amount).plan(groups)
    return Survey(pieces, total, schema, groups, plan, rules)


@dataclass(frozen=True)
class Workers:
    """Where tasks run, and who hears how far they are."""

    engine: str = "local"
    n_jobs: int = 1
    progress: Callable[[Progress], object] | None = None  # called with a `Progress` in parts
    start: float = field(default_factory=time.perf_counter)

    def say(self, step: str, done: int, total: int) -> None:
        """Report a step."""
        if self.progress is not None:
            self.progress(Progress(step, done, total, time.perf_counter() - self.start))

    def results(self, function: Callable[[Task], Result], tasks: Sequence[Task], step: str) -> Iterator[Result]:
        """Yield the results of tasks as they come, and report how many there are."""
        self.say(step, 0, len(tasks))
        calls = run(function, tasks, engine=self.engine, n_jobs=self.n_jobs)
        for done, (_, result) in enumerate(calls, start=1):
            self.say(step, done, len(tasks))
            yield result
