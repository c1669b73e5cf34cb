"""The quality report as text: the verdict first, then what it rests on."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from makeweight.cli import _show

STYLES = {"issue": "bold red", "tip": "yellow", "passed": "green"}
SHOWN = 12
DRIFTS = 8
FEW = " (too few rows)"
TEXT_WIDTH = 100


def print_quality(out: Console, result: dict[str, Any]) -> None:
    """Print a quality report.

    Parameters
    ----------
    out : Console
    result : dict
        As `QualityReport.to_dict` returns it.
    """
    out.width = min(out.width, TEXT_WIDTH)
    verdict, data = result["verdict"], result["data"]
    out.print(Text(verdict["sentence"], style="bold"))
    out.print(Text(f"next: {verdict['next']}"))
    out.print()
    names = [f"{data[side] or side}: {data[f'n_{side}']:,} rows" for side in ("real", "synthetic")]
    if data["n_holdout"] is not None:
        names.append(f"{data['holdout'] or 'held out'}: {data['n_holdout']:,} rows")
    out.print(Text("; ".join(names)))
    for note in data["notes"]:
        out.print(Text(f"note: {note}"))
    _groups(out, result["groups"])
    checks = result["checks"]
    for drawer, title in (("issue", "issues"), ("tip", "tips")):
        _findings(out, title, [check for check in checks if check["drawer"] == drawer])
    _passed(out, [check for check in checks if check["drawer"] == "passed"])
    _others(out, [check for check in checks if check["drawer"] in ("skipped", "not applicable", "muted")])
    _drifts(out, result["marginals"] or [])


def _groups(out: Console, groups: list[dict[str, Any]]) -> None:
    held = any(group["n_holdout"] for group in groups)
    number = _show.NUMBER
    columns = {
        "group": _show.NAME,
        "real": number,
        "synthetic": number,
        **({"held out": number} if held else {}),
    }
    lines = [
        (
            group["group"] + ("" if group["compared"] or not group["n_synthetic"] else FEW),
            _show.count(group["n_real"]),
            _show.count(group["n_synthetic"]),
            *([_show.count(group["n_holdout"])] if held else []),
        )
        for group in groups[:SHOWN]
    ]
    _show.section(out, "groups", _show.table(columns, lines))
    if len(groups) > SHOWN:
        out.print(f"  and {len(groups) - SHOWN:,} more: --json has them all")


def _findings(out: Console, title: str, checks: list[dict[str, Any]]) -> None:
    if not checks:
        return
    out.print()
    out.print(Text(f"{title} ({len(checks)})", style="bold"))
    for check in checks:
        heading = Text(f"{check['code']} ", style=STYLES[check["drawer"]])
        title = check["title"][0].lower() + check["title"][1:]
        said = check["fault"] if check["drawer"] == "issue" else f"not quite: {title}"
        heading.append(f"{said} ({check['severity']})", style="bold")
        _show.show(out, heading, indent=2)
        _show.show(out, Text(check["explanation"]), indent=4)
        _show.show(out, Text(f"{check['why']} See {check['anchor']}.", style="dim"), indent=4)


def _passed(out: Console, checks: list[dict[str, Any]]) -> None:
    if not checks:
        return
    columns: dict[str, dict[str, Any]] = {
        "code": {"no_wrap": True, "style": STYLES["passed"]},
        "check": {},
        "found": _show.NUMBER,
        "chance": _show.NUMBER,
        "limit": _show.NUMBER,
    }
    lines = [
        (
            check["code"],
            check["title"],
            "" if check["value"] is None else _number(check["value"]),
            "" if check["null_interval"] is None else f"to {_number(check['null_interval'][1])}",
            "" if check["value"] is None else f"{check['threshold']:g}",
        )
        for check in checks
    ]
    _show.section(out, f"passed ({len(checks)})", _show.table(columns, lines))
    blind = [check for check in checks if check["blind"]]
    if blind:
        text = f"With so few rows, chance alone exceeds the limits of {', '.join(c['code'] for c in blind)}: "
        _show.show(out, Text(text + "faults of that size would go unnoticed."), indent=2)


def _number(value: float) -> str:
    """Write a number with two decimals; what rounds to nothing has no sign.

    Examples
    --------
    >>> _number(-0.001), _number(-0.25)
    ('0.00', '-0.25')
    """
    return f"{value:z.2f}"


def _others(out: Console, checks: list[dict[str, Any]]) -> None:
    if not checks:
        return
    reasons: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        reasons.setdefault((check["drawer"], check["explanation"]), []).append(check["code"])
    out.print()
    out.print(Text(f"not judged ({len(checks)})", style="bold"))
    for (drawer, reason), codes in reasons.items():
        _show.show(out, Text(f"{', '.join(codes)} {drawer}: {reason}"), indent=2)


def _drifts(out: Console, marginals: list[dict[str, Any]]) -> None:
    if not marginals:
        return
    columns = {"column": _show.NAME, "group": _show.NAME, "drift": _show.NUMBER, "measure": {}}
    lines = [
        (entry["column"], entry["group"], f"{entry['drift']:.2f}", entry["statistic"]) for entry in marginals[:DRIFTS]
    ]
    _show.section(out, "columns that drift most", _show.table(columns, lines))
    if len(marginals) > DRIFTS:
        out.print(f"  and {len(marginals) - DRIFTS:,} more: --json has them")
