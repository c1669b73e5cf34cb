"""The one accept/reject loop: ask, check, count, ask again, and stop in bounded time."""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, cast

import joblib
import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.base import Cost, Generator, remarks_of, traits_of
from makeweight.generators.check import Checked, Checker, code_of
from makeweight.generators.frame.known import too_few_rows
from makeweight.generators.generation import Generation
from makeweight.generators.ledger import Ledger, LedgerEntry, accounts_of
from makeweight.generators.limits import Limits, ShortfallWarning, report_shortfall
from makeweight.generators.streams import PURPOSES, stream
from makeweight.plan import Group, GroupPlan, Groups, Plan
from makeweight.progress import Progress
from makeweight.rules import Rule
from makeweight.table import Column, Kind, Table
from makeweight.table.kinds import identifier

__all__ = ["Generation", "Limits", "ShortfallWarning", "fill"]

#: Rows asked for at once: bounds memory, and is fixed so that it never changes which rows are written.
CHUNK = 50_000
#: Makes fresh values of an identifier column.
Identifiers = Callable[[Column, int, np.random.Generator], "pd.Series"]


@dataclass
class _GroupTask:
    """One group and purpose: its account and its accepted rows so far."""

    plan: GroupPlan
    position: int
    entry: LedgerEntry
    frames: list[pd.DataFrame] = field(default_factory=list)


@dataclass
class _FillRun:
    """What all tasks of one call share."""

    generator: Generator
    table: Table
    groups: Groups
    checker: Checker
    seed: np.random.SeedSequence
    limits: Limits
    progress: Callable[[Progress], object] | None
    tasks: list[_GroupTask]
    start: float = field(default_factory=time.perf_counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    why: str = "interrupted"
    failures: list[tuple[int, GeneratorError]] = field(default_factory=list)

    def report(self, entry: LedgerEntry) -> None:
        if self.progress is None:
            return
        with self.lock:
            accounts = [task.entry for task in self.tasks]
            done, total, proposed = (
                sum(getattr(account, name) for account in accounts) for name in ("accepted", "requested", "proposed")
            )
            seconds = time.perf_counter() - self.start
            left = seconds * (total - done) / done if done else None
            detail = f"{entry.name} ({entry.purpose}), {done / max(1, proposed):.1%} accepted"
            self.progress(Progress("writing rows", done, total, seconds, left, detail))

    def exhausted(self) -> str | None:
        """Return which limit is reached, if one is."""
        limits, spent = self.limits, _spent(self.generator)
        if self.stop.is_set():
            return self.why
        if limits.max_seconds is not None and time.perf_counter() - self.start >= limits.max_seconds:
            return f"max_seconds={limits.max_seconds:g} reached"
        if limits.max_tokens is not None and spent.tokens >= limits.max_tokens:
            return f"max_tokens={limits.max_tokens} reached"
        if limits.max_cost is not None and (spent.money or 0.0) >= limits.max_cost:
            return f"max_cost={limits.max_cost:g} reached"
        return None


def fill(
    generator: Generator,
    table: Table,
    plan: Plan,
    *,
    seed: np.random.SeedSequence,
    groups: Groups | None = None,
    name: str | None = None,
    limits: Limits | None = None,
    n_jobs: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    rules: Sequence[Rule] = (),
    checker: Checker | None = None,
    identifiers: Identifiers | None = None,
) -> Generation:
    """Have a fitted generator write the rows of a plan, checked one by one.

    Per group it asks for what is missing, divided by the acceptance rate so far, and stops when the group is
    full, a limit is reached, or `Limits.patience` rounds brought nothing. The stream of random numbers of a
    round depends on the seed, the group, the purpose and the round alone.

    Parameters
    ----------
    generator : Generator
        Fitted to `table`.
    table : Table
    plan : Plan
    seed : numpy.random.SeedSequence
    groups : Groups, optional
        Of the table, where they are known already.
    name : str, optional
        Of the generator, for the provenance.
    limits : Limits, optional
    n_jobs : int, optional
        Threads that work on different groups at the same time.
    progress : callable, optional
        Called with a `Progress` after every round.
    rules : sequence of Rule
        What every row obeys besides; the others are rejected by the rule's name.
    checker : Checker, optional
        Where `table` is a sample: one that knows all real rows. It then decides on copies alone.
    identifiers : callable, optional
        Called with an identifier column, a number of rows and a stream: makes fresh values. By default they
        are new to `table`.

    Returns
    -------
    Generation

    Raises
    ------
    GenerationShortfall
        When a group stays short and `on_shortfall` is "raise"; it carries what was accepted.
    GeneratorError
        When the generator cannot write a group at all; it carries what was accepted of the others. With
        `on_shortfall` "warn" only when nothing was accepted.

    Examples
    --------
    >>> from makeweight.generators.registry import resolve
    >>> from makeweight.table import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "y": ["a", "b", "a", "a"]})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = resolve("random").fit(table, rng=np.random.default_rng(0))
    >>> plan = Plan.make(Groups(table))
    >>> fill(generator, table, plan, seed=np.random.SeedSequence(0)).frame
         x  y
    0  2.5  b
    1  2.5  b
    """
    limits = Limits() if limits is None else limits
    groups = Groups(table) if groups is None else groups
    traits = traits_of(generator)
    tasks = [_GroupTask(plan.groups[position], position, entry) for position, entry in accounts_of(plan)]
    for task in tasks if not traits.extrapolates else ():
        if task.plan.n_real < max(1, traits.min_rows):
            raise too_few_rows(groups.columns, task.plan.group, task.plan.n_real, max(1, traits.min_rows))
    checker = Checker(table, groups, traits, limits.copies, rules) if checker is None else checker
    run = _FillRun(generator, table, groups, checker, seed, limits, progress, tasks)
    try:
        if tasks:
            run.checker.prepare()
        joblib.Parallel(n_jobs=n_jobs or 1, prefer="threads")(
            joblib.delayed(_try_task)(run, number, limits.on_shortfall == "warn") for number in range(len(tasks))
        )
    except KeyboardInterrupt:
        run.stop.set()
        for task in tasks:
            if task.entry.shortfall:
                task.entry.stopped = "interrupted"
    generation = _assemble(run, plan, name or type(generator).__name__, identifiers)
    if run.failures and (limits.on_shortfall == "raise" or not len(generation)):
        _, error = min(run.failures, key=lambda failure: failure[0])
        error.generation = generation
        raise error
    hint = "choose another generator, ask for fewer rows, or go on with on_shortfall='warn'"
    if any(reason.startswith("copy-of") for reason in generation.ledger.rejected):
        hint = "allow copies of real rows (copies='accept'), " + hint
    limit = next((e.stopped.partition("=")[0] for e in generation.ledger if e.stopped.startswith("max_")), None)
    if limit is not None:
        hint = f"raise {limit}, " + hint
    report_shortfall(generation, generation.ledger, limits.on_shortfall, hint)
    return generation


def _try_task(run: _FillRun, number: int, goes_on: bool) -> None:
    """Fill one group; where the generator fails, keep what was accepted, and end the others or go on."""
    entry = run.tasks[number].entry
    try:
        _fill_task(run, run.tasks[number])
    except GeneratorError as error:
        entry.stopped = f"failed: {error.message}"
        run.failures.append((number, error))
        if not goes_on:
            run.why = f"{entry.name} failed"
            run.stop.set()


def _fill_task(run: _FillRun, task: _GroupTask) -> None:
    entry, limits = task.entry, run.limits
    began, idle = time.perf_counter(), 0
    most = limits.max_proposed or max(10_000, 200 * entry.requested)
    while entry.shortfall:
        reason = run.exhausted()
        if reason is None and entry.proposed >= most:
            reason = f"{entry.proposed} rows proposed"
        if reason is None and idle >= limits.patience:
            reason = f"{idle} rounds without an accepted row"
        if reason is not None:
            entry.stopped = reason
            break
        rng = np.random.default_rng(stream(run.seed, entry.group, entry.purpose, entry.rounds))
        n = min(_ask(entry), CHUNK, most - entry.proposed)
        proposal = run.generator.propose(entry.group, n, rng=rng)
        remarks = remarks_of(proposal)
        checked = run.checker.check(entry.group, proposal, entry.shortfall)
        entry.rounds += 1
        entry.proposed += checked.n_proposed + remarks.rejected.total()
        entry.accepted += checked.n_accepted
        entry.copies += checked.copies
        entry.rejected.update(checked.rejected)
        entry.rejected.update(remarks.rejected)
        idle = 0 if checked.n_accepted else idle + 1
        if checked.n_accepted:
            task.frames.append(_complete(run, entry.group, checked, rng))
        entry.seconds = time.perf_counter() - began
        run.report(entry)
        if remarks.stop is not None and entry.shortfall:
            entry.stopped = remarks.stop
            break
    else:
        entry.stopped = "full"


def _ask(entry: LedgerEntry) -> int:
    """Return what is missing divided by the acceptance rate so far; twice as much while that is zero."""
    if not entry.accepted:
        return entry.shortfall << min(entry.rounds, 16)
    return math.ceil(1.1 * entry.shortfall * entry.proposed / entry.accepted)


def _complete(run: _FillRun, group: Group, checked: Checked, rng: np.random.Generator) -> pd.DataFrame:
    """Write accepted rows with the real dtypes, and add what generators are not asked for."""
    table, n = run.table, checked.n_accepted
    columns: dict[Hashable, Any] = dict(checked.columns)
    for name, value in zip(run.groups.columns, group, strict=True):
        columns[name] = np.full(n, code_of(table.schema[name], value), dtype=np.int32)
    keepers: np.ndarray | None = None
    for column in table.schema.features:
        if column.name in columns or column.kind is Kind.IDENTIFIER:
            continue
        if column.kind is Kind.TEXT:
            if keepers is None:
                own = run.groups.rows(group)
                keepers = (own if len(own) else np.arange(len(table)))[rng.integers(0, len(own) or len(table), n)]
            columns[column.name] = table.frame[column.name].iloc[keepers]
        else:
            columns[column.name] = table.frame[column.name].iloc[np.zeros(n, dtype=np.int64)]
    return table.decode(columns)


def _assemble(run: _FillRun, plan: Plan, name: str, identifiers: Identifiers | None) -> Generation:
    schema, table = run.table.schema, run.table
    sizes = [sum(map(len, task.frames)) for task in run.tasks]
    frames = [dict(frame.items()) for task in run.tasks for frame in task.frames]  # a frame's pop costs all its columns
    for task in run.tasks:
        task.frames.clear()
    n = sum(sizes)
    columns: dict[Hashable, pd.Series] = {}
    for column in schema.columns:
        if column.kind is Kind.IDENTIFIER and column.name not in schema.group_columns:
            rng = np.random.default_rng(stream(run.seed, (str(column.name),), "balance", 0))
            columns[column.name] = (
                identifier.fresh(column, table.frame[column.name], n, rng)
                if identifiers is None
                else identifiers(column, n, rng)
            )
        elif frames:
            parts: Any = [frame.pop(column.name) for frame in frames]
            columns[column.name] = pd.concat(parts, ignore_index=True)
        else:
            columns[column.name] = table.frame[column.name].iloc[:0]
    names = [task.entry.name for task in run.tasks]
    purposes = [task.entry.purpose for task in run.tasks]
    provenance = pd.DataFrame(
        {
            "group": pd.Categorical(np.repeat(np.array(names, dtype=object), sizes)),
            "generator": pd.Categorical([name] * n),
            "purpose": pd.Categorical(np.repeat(np.array(purposes, dtype=object), sizes), list(PURPOSES)),
        }
    )
    return Generation(
        frame=pd.DataFrame(columns, copy=False),
        provenance=provenance,
        positions=np.repeat(np.array([task.position for task in run.tasks], dtype=np.int32), sizes),
        ledger=Ledger(tuple(task.entry for task in run.tasks), tuple(getattr(run.generator, "pretrained", ()))),
        plan=plan,
        schema=schema,
        generator=name,
        seconds=time.perf_counter() - run.start,
        spent=replace(_spent(run.generator), seconds=time.perf_counter() - run.start),
        seed=cast("int", run.seed.entropy),
        versions={
            "makeweight": version("makeweight"),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pandas": pd.__version__,
        },
        notes=_notes(run, n),
        details=dict(getattr(run.generator, "details", {})),
    )


def _notes(run: _FillRun, n: int) -> tuple[str, ...]:
    notes = []
    for column in run.table.schema.features if n else ():
        if column.kind is Kind.TEXT and not traits_of(run.generator).writes_text:
            notes.append(f"text column {column.name!r} keeps a real row's text")
        elif column.kind is Kind.IDENTIFIER:
            notes.append(f"identifier column {column.name!r} has fresh values, which carry no information")
    asked = {task.entry.group for task in run.tasks}
    for cell in run.groups.empty_cells() if len(run.groups.columns) > 1 else ():
        if cell not in asked:
            notes.append(f"empty cell: no real row has {run.groups.describe(cell)}")
    notes += [f"written with weights of others, {weights}" for weights in getattr(run.generator, "pretrained", ())]
    return (*notes, *getattr(run.generator, "notes", ()))


def _spent(generator: Generator) -> Cost:
    spent: Cost = getattr(generator, "spent", Cost())
    return spent
