"""What `balance` did: for people on standard error, and as a dict for programs."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from makeweight.cli import _show

if TYPE_CHECKING:
    from makeweight.cli._request import BalanceOutcome, BalanceRequest
    from makeweight.generators.base import Cost
    from makeweight.generators.generation import Generation
    from makeweight.generators.ledger import Ledger, LedgerEntry
    from makeweight.plan import Plan

SHOWN = 40


def report_of(outcome: BalanceOutcome) -> dict[str, object]:
    """Return what was done as plain values."""
    request, generation = outcome.request, outcome.generation
    after = _accepted(generation.ledger)
    report = generation.to_dict()
    report["groups"] = [
        counts | {"n_after": entry.n_real + after.get(str(counts["group"]), 0)}
        for entry, counts in zip(generation.plan, generation.plan.counts(), strict=True)
    ]
    n_real = len(outcome.file.frame)
    return {
        "source": outcome.file.source,
        "output": request.output,
        "target": request.target,
        "group_by": generation.schema.group_by,
        "n_real": n_real,
        "n_synthetic": len(generation),
        "n_written": outcome.n_written,
        "rows_per_second": len(generation) / max(generation.seconds, 1e-9),
        "total_seconds": outcome.seconds,
        "interrupted": generation.ledger.interrupted,
        **report,
    }


def with_teacher(cost: Cost, request: BalanceRequest, plan: Plan, n_columns: int, most_rows: int | None = None) -> Cost:
    """Return what a plan is expected to take with the committee that says what its rows are.

    `most_rows`: real rows that it is fitted to at most.
    """
    if not request.soft_labels:
        return cost
    from makeweight.committee import Committee  # it brings scikit-learn

    of_label: dict[Any, int] = {}
    for entry in plan:
        of_label[entry.group[0]] = of_label.get(entry.group[0], 0) + entry.n_real
    share = 1.0 if most_rows is None else min(1.0, most_rows / plan.n_real)
    n_rows, n_rarest = (max(1, round(share * n)) for n in (plan.n_real, min(of_label.values())))
    teaching = Committee().forecast(n_rows, n_columns, n_rarest).seconds / max(1, request.jobs)
    return replace(cost, seconds=cost.seconds + teaching)


def print_plan(request: BalanceRequest, source: str, plan: Plan, cost: Cost, **more: str | None) -> None:
    """Print the plan of a dry run, as text or as JSON; `more` is the prompt, where a generator has one."""
    from makeweight.plan import describe_group

    if request.as_json:
        counts = {"groups": plan.counts(), "n_real": plan.n_real, "n_synthetic": plan.n_synthetic}
        _show.print_json({"source": source, "generator": request.generator, **counts, "expected": asdict(cost), **more})
        return
    out, prompt = _show.console(), more.get("prompt")
    rows = plan.groups
    columns = {"group": _show.NAME, **dict.fromkeys(("rows", "balance", "augment", "after"), _show.NUMBER)}
    lines = [
        (
            describe_group(plan.columns, row.group),
            _show.count(row.n_real),
            _show.added(row.n_balance),
            _show.added(row.n_augment),
            _show.count(row.n_real + row.n_synthetic),
        )
        for row in rows[:SHOWN]
    ]
    out.print(f"{request.data}: {plan.n_real:,} rows, {plan.n_synthetic:,} to write with {request.generator}")
    _show.section(out, "plan", _show.table(columns, lines))
    _more(out, len(rows))
    expected = f"about {_show.seconds(cost.seconds)}"
    if cost.requests:
        expected += f", {cost.requests:,} requests"
    if cost.tokens:
        expected += f", {cost.tokens:,} tokens"
    if cost.money or cost.money is None:
        expected += f", {'an unknown price' if cost.money is None else f'{cost.money:.2f} US dollars'}"
    if cost.downloads:
        expected += f", a download of {' and '.join(cost.downloads)}"
    if prompt is not None:
        _show.section(out, "one request", Text(prompt))
    out.print()
    out.print(f"expected: {expected}; nothing was written (--dry-run)")


def print_generation(out: Console, outcome: BalanceOutcome, *, written: bool = True) -> None:
    """Print groups before and after, the ledger, the time it took, and where the rows are."""
    request, generation = outcome.request, outcome.generation
    out.print(f"{outcome.file.source}: {len(outcome.file.frame):,} rows x {outcome.file.frame.shape[1]} columns")
    print_groups(out, generation.plan, generation.ledger)
    print_ledger(out, generation.ledger)
    out.print()
    speed = _show.per_second(len(generation), generation.seconds)
    out.print(
        f"{len(generation):,} rows by {generation.generator} "
        f"in {_show.seconds(generation.seconds)} ({speed}), {_show.seconds(outcome.seconds)} in all, "
        f"seed {generation.seed}"
    )
    for note in [*generation.notes, *_teaching(generation, outcome.n_written)]:
        out.print(f"note: {note}")
    if generation.ledger.interrupted:
        out.print("interrupted: " + ("the rows accepted so far are kept" if written else "nothing was written"))
    elif written and generation.ledger.shortfall:
        out.print(f"warning: {generation.ledger.shortfall:,} rows short, see the ledger")
    if written:
        place = "standard output" if request.output == "-" else request.output
        out.print(f"wrote {outcome.n_written:,} rows to {place}")


def _teaching(generation: Generation, n_written: int) -> list[str]:
    """Say who labelled the rows, and how they carry it."""
    from makeweight.committee import SoftGeneration

    if not isinstance(generation, SoftGeneration):
        return []
    teacher = generation.lesson.teacher
    members = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(teacher.members_, teacher.weights_, strict=True))
    drawn = (generation.sample_weight == 1.0).all()
    stands = (
        "twice, with labels drawn from what they say" if drawn else "once per label, for what makeweight_weight says"
    )
    return [
        f"labels by a committee ({members}), log-loss {teacher.loss_:.3f} nats on rows that it had not seen",
        f"every row stands {stands}; {n_written:,} rows in all are for fitting a learner, not for counting",
    ]


def _accepted(ledger: Ledger) -> dict[str, int]:
    accepted: dict[str, int] = {}
    for entry in ledger:
        accepted[entry.name] = accepted.get(entry.name, 0) + entry.accepted
    return accepted


def print_groups(out: Console, plan: Plan, ledger: Ledger) -> None:
    """Print the groups before and after."""
    from makeweight.plan import describe_group

    rows, accepted = plan.groups, _accepted(ledger)
    total = plan.n_real + ledger.accepted
    lines = []
    for row in rows[:SHOWN]:
        after = row.n_real + accepted.get(describe_group(plan.columns, row.group), 0)
        lines.append(
            (
                describe_group(plan.columns, row.group),
                _show.count(row.n_real),
                _show.share(row.n_real, plan.n_real),
                _show.count(after),
                _show.share(after, total),
            )
        )
    columns = {"group": _show.NAME, "before": _show.NUMBER, " ": _show.NUMBER, "after": _show.NUMBER, "": _show.NUMBER}
    _show.section(out, "groups", _show.table(columns, lines))
    _more(out, len(rows))


def print_ledger(out: Console, ledger: Ledger) -> None:
    """Print what was asked for and what came of it."""
    entries = list(ledger)
    if not entries:
        out.print()
        out.print("nothing to write: every group has the rows it is to have")
        return
    number = _show.NUMBER
    columns = {"group": _show.NAME, "purpose": {"no_wrap": True}}
    columns |= dict.fromkeys(("requested", "accepted", "proposed", "copies", "seconds"), number)
    lines = [
        (
            entry.name,
            entry.purpose,
            _show.count(entry.requested),
            _show.count(entry.accepted),
            _show.count(entry.proposed),
            _show.count(entry.copies),
            f"{entry.seconds:.2f}",
        )
        for entry in entries[:SHOWN]
    ]
    _show.section(out, "ledger", _show.table(columns, lines))
    _more(out, len(entries))
    troubles = [line for entry in entries for line in _troubles(entry)]
    for line in troubles[:SHOWN]:
        _show.show(out, line, indent=2)
    _more(out, len(troubles))


def _troubles(entry: LedgerEntry) -> list[str]:
    """Say why rows of a group were rejected, and why it is short."""
    lines = []
    if entry.rejected:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in entry.rejected.most_common(6))
        lines.append(f"rejected for {entry.name}: {reasons}")
    if entry.shortfall:
        lines.append(f"short by {entry.shortfall:,} for {entry.name}: {entry.stopped}")
    return lines


def _more(out: Console, n: int) -> None:
    if n > SHOWN:
        out.print(f"  and {n - SHOWN:,} more: --json has them all")
