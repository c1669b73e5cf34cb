"""The quality report as text: the verdict first, then what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from makeweight.cli import _show

if TYPE_CHECKING:
    from makeweight.quality.checks import Check
    from makeweight.quality.marginals import ColumnShares
    from makeweight.quality.result import GroupSizes, QualityResult

STYLES = {"issue": "bold red", "tip": "yellow", "undecided": "yellow", "passed": "green"}
SHOWN = 12
DRIFTS = 8
FEW = " (too few rows)"
TEXT_WIDTH = 100


def print_quality(out: Console, result: QualityResult) -> None:
    """Print a quality report."""
    out.width = min(out.width, TEXT_WIDTH)
    data, checks = result.data, result.checks
    out.print(Text(result.verdict.answer, style="bold"))
    out.print(Text(f"next: {result.verdict.next}"))
    out.print(Text(result.verdict.sentence))
    for drawer, title in (("issue", "issues"), ("tip", "tips")):
        _findings(out, title, [check for check in checks if check.drawer == drawer])
    out.print()
    names = [f"{data.real or 'real'}: {data.n_real:,} rows"]
    names.append(f"{data.synthetic or 'synthetic'}: {data.n_synthetic:,} rows")
    if data.n_holdout is not None:
        names.append(f"{data.holdout or 'held out'}: {data.n_holdout:,} rows")
    out.print(Text("; ".join(names)))
    for note in data.notes:
        out.print(Text(f"note: {note}"))
    _groups(out, result.groups)
    _numbers(out, "undecided", [check for check in checks if check.drawer == "undecided"])
    _numbers(out, "passed", [check for check in checks if check.drawer == "passed"])
    _blind(out, [check for check in checks if check.blind])
    _others(out, [check for check in checks if check.drawer in ("skipped", "not applicable", "muted")])
    _drifts(out, result.marginals or [])


def _groups(out: Console, groups: Sequence[GroupSizes]) -> None:
    held = any(group.n_holdout for group in groups)
    number = _show.NUMBER
    columns = {"group": _show.NAME, "real": number, "synthetic": number, **({"held out": number} if held else {})}
    lines = [
        (
            group.group + ("" if group.compared or not group.n_synthetic else FEW),
            _show.count(group.n_real),
            _show.count(group.n_synthetic),
            *([_show.count(group.n_holdout)] if held else []),
        )
        for group in groups[:SHOWN]
    ]
    _show.section(out, "groups", _show.table(columns, lines))
    if len(groups) > SHOWN:
        out.print(f"  and {len(groups) - SHOWN:,} more: --json has them all")


def _findings(out: Console, title: str, checks: Sequence[Check]) -> None:
    if not checks:
        return
    out.print()
    out.print(Text(f"{title} ({len(checks)})", style="bold"))
    for check in checks:
        title = check.info.title[0].lower() + check.info.title[1:]
        remark = check.fault if check.drawer == "issue" else f"not quite: {title}"
        heading = Text(remark, style=STYLES[check.drawer])
        heading.append(f" ({check.code}, {check.severity})", style="dim")
        _show.show(out, heading, indent=2)
        _show.show(out, Text(check.explanation), indent=4)
        _show.show(out, Text(f"{check.info.why} See {check.info.anchor}.", style="dim"), indent=4)


def _numbers(out: Console, drawer: str, checks: Sequence[Check]) -> None:
    if not checks:
        return
    columns: dict[str, dict[str, Any]] = {
        "code": {"no_wrap": True, "style": STYLES[drawer]},
        "check": {},
        "value": _show.NUMBER,
        "chance": _show.NUMBER,
        "limit": _show.NUMBER,
    }
    lines = [
        (
            check.code,
            check.info.title,
            "" if check.value is None else _number(check.value),
            "" if check.chance is None else f"to {_number(check.chance[1])}",
            "" if check.value is None else f"{check.info.issue:g}",
        )
        for check in checks
    ]
    beyond = ": beyond the limit, no further than chance alone goes" if drawer == "undecided" else ""
    _show.section(out, f"{drawer} ({len(checks)}){beyond}", _show.table(columns, lines))


def _blind(out: Console, blind: Sequence[Check]) -> None:
    if blind:
        text = f"With so few rows, chance alone exceeds the limits of {', '.join(c.code for c in blind)}: "
        _show.show(out, Text(text + "faults of that size would go unnoticed."), indent=2)


def _number(value: float) -> str:
    """Write a number with two decimals; what rounds to nothing has no sign.

    >>> _number(-0.001), _number(-0.25)
    ('0.00', '-0.25')
    """
    return f"{value:z.2f}"


def _others(out: Console, checks: Sequence[Check]) -> None:
    if not checks:
        return
    reasons: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        reasons.setdefault((check.drawer, check.explanation), []).append(check.code)
    out.print()
    out.print(Text(f"not judged ({len(checks)})", style="bold"))
    for (drawer, reason), codes in reasons.items():
        _show.show(out, Text(f"{', '.join(codes)} {drawer}: {reason}"), indent=2)


def _drifts(out: Console, marginals: Sequence[ColumnShares]) -> None:
    if not marginals:
        return
    columns = {"column": _show.NAME, "group": _show.NAME, "drift": _show.NUMBER, "measure": {}}
    lines = [(column.column, column.group, f"{column.drift:.2f}", column.statistic) for column in marginals[:DRIFTS]]
    _show.section(out, "columns that drift most", _show.table(columns, lines))
    if len(marginals) > DRIFTS:
        out.print(f"  and {len(marginals) - DRIFTS:,} more: --json has them")
