"""The first reading of a partitioned table: schema, groups and plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from makeweight.engine import run
from makeweight.errors import OptionError
from makeweight.partitioned.facts import ScanTask, TableFacts, refuse_many_groups, scan
from makeweight.partitioned.schema import groups_of, refuse_unknown, schema_of
from makeweight.partitioned.source import Source
from makeweight.plan import Groups, Plan, Strategy
from makeweight.table import Kind, Schema

__all__ = ["Survey", "Watch", "results", "survey"]

#: Called with what is being done, and how many of how many parts of it are.
Watch = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Survey:
    """What one reading of a partitioned table says.

    Parameters
    ----------
    source : Source
    facts : TableFacts
    schema : Schema
    groups : Groups
        With the counts of the whole table.
    plan : Plan
    """

    source: Source
    facts: TableFacts
    schema: Schema
    groups: Groups
    plan: Plan


def survey(
    source: str | Path | Source,
    *,
    target: str,
    group_by: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    sampling_strategy: Strategy = "auto",
    augment: int = 0,
    engine: str = "local",
    n_jobs: int = 1,
    watch: Watch | None = None,
) -> Survey:
    """Read a partitioned table once: its schema, its groups, and the plan.

    Parameters
    ----------
    source : str, Path or Source
    target, group_by, kinds, sampling_strategy, augment, engine, n_jobs, watch
        As for `makeweight.partitioned.balance_partitions`.

    Returns
    -------
    Survey

    Raises
    ------
    FileProblem, SchemaError, PlanError, OptionError
        When table, groups or parameters do not fit.
    """
    if callable(sampling_strategy):
        raise OptionError(
            "a strategy that asks for the labels does not go with a partitioned table",
            got=repr(sampling_strategy),
            expected="a name, a ratio or final counts",
        )
    stated = dict(kinds or {})
    coded = tuple(name for name, kind in stated.items() if Kind.parse(kind).is_coded)
    pieces = source if isinstance(source, Source) else Source.open(source)
    roles = [target, *group_by]
    refuse_unknown(pieces, roles, stated)
    tasks = [ScanTask(part, pieces.schema, tuple(roles), coded) for part in pieces.parts]
    facts: TableFacts | None = None
    for found in results(scan, tasks, engine, n_jobs, "reading", watch):
        facts = found if facts is None else facts.merge(found)
        refuse_many_groups(facts, roles)
    assert facts is not None
    schema = schema_of(pieces, facts, roles, stated)
    groups = groups_of(schema, facts)
    plan = Plan.make(groups, sampling_strategy, augment=augment)
    return Survey(pieces, facts, schema, groups, plan)


def results(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    engine: str,
    n_jobs: int,
    step: str,
    watch: Watch | None,
) -> Iterator[Any]:
    """Yield the results of tasks as they come, and tell how many there are."""
    if watch is not None:
        watch(step, 0, len(tasks))
    for done, (_, result) in enumerate(run(function, tasks, engine=engine, n_jobs=n_jobs), start=1):
        if watch is not None:
            watch(step, done, len(tasks))
        yield result
