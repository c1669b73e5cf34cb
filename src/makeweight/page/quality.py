"""What the page of a quality report shows: whether the synthetic table is any good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from makeweight.page.curves import curves
from makeweight.page.groups import bars
from makeweight.page.intervals import interval_text
from makeweight.page.maps import maps
from makeweight.page.marginals import Marginal, marginals
from makeweight.page.svg import Ids
from makeweight.page.words import count, cut, file_name, number, p_value, share, shown

#: Drawer: its class, whether it is open from the start, and what stands before the title, which says what is
#: so when the check passes. An issue shows its fault instead.
DRAWERS = {
    "issue": ("bad", True, ""),
    "tip": ("caution", True, "Not quite:"),
    "undecided": ("even", True, "Not sure:"),
    "passed": ("good", False, "✓"),
    "not applicable": ("even", False, ""),
    "skipped": ("even", False, "Not known:"),
    "muted": ("even", False, ""),
}
#: Code of a verdict that no issue led to: tone of the page, and the word on its badge.
VERDICTS = {"no-fault": ("good", "No fault found"), "not-judged": ("even", "Not judged")}
#: So many columns are shown at once, so many more behind a fold; so many rows and cells of rows.
SHOWN, FOLDED, ROWS, CELLS = 9, 60, 6, 40
#: Key of a count: its heading, and what its bar means.
BARS = {
    "n_real": ("real", "real rows"),
    "n_synthetic": ("synthetic", "synthetic rows"),
    "n_holdout": ("held out", "held-out rows"),
}
#: Where no rows were held out.
UNHELD = {key: bar for key, bar in BARS.items() if key != "n_holdout"}
PRIVATE = "It holds real rows and values of the real table: share it only with whom you would share the table."


@dataclass(frozen=True)
class CheckCard:
    """One check, its numbers as texts, and the places that its explanation does not name."""

    code: str
    title: str
    severity: str
    measured: bool
    unknown: bool
    value: str
    interval: str
    limits: str
    explanation: str
    blind: str
    places: Sequence[str]
    why: str
    measure: str
    chance: str
    anchor: str


@dataclass(frozen=True)
class Drawer:
    """The checks that ended alike."""

    label: str
    style: str
    anchor: str
    open: bool
    before: str
    checks: Sequence[CheckCard]


def quality_view(result: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what the template shows of a quality report."""
    ids = Ids()
    drawers = _drawers(result["checks"])
    issues = len(drawers[0].checks)
    tone, badge = VERDICTS.get(result["verdict"]["code"], ("bad", f"{issues} issue{'s' if issues != 1 else ''}"))
    data = result["data"]
    first, rest = _columns(marginals(ids, result["marginals"] or []))
    view = {
        "headline": result["verdict"]["answer"],
        "lead": result["verdict"]["sentence"],
        "next": result["verdict"]["next"],
        "question": "Is it any good?",
        "subject": file_name(data["synthetic"] or "synthetic rows"),
        "tone": tone,
        "badge": badge,
        "facts": _facts(result),
        "codes": [check["code"] for check in result["checks"]],
        "drawers": drawers,
        "bars": bars(ids, result["groups"], BARS if data["n_holdout"] else UNHELD, stacked=False),
        "groups_lead": _groups_lead(data),
        "marginals": first,
        "more_marginals": rest[:FOLDED],
        "left_out_marginals": max(len(rest) - FOLDED, 0),
        "maps": maps(ids, result["associations"]) if result["associations"] else None,
        "left_out": _left_out(data),
        "associations_note": _associations_note(result["associations"]),
        "curves": curves(ids, result["distances"]),
        "sample": [_pair(pair) for pair in (result["sample"] or [])[:ROWS]],
        "private": PRIVATE,
    }
    sections = [
        ("checks", "Checks", True),
        ("groups", "Groups", True),
        ("columns", "Columns", view["marginals"]),
        ("associations", "Associations", view["maps"]),
        ("distances", "Distances", view["curves"]),
        ("sample", "Rows side by side", view["sample"]),
        ("ledger", "Ledger", result["ledger"]),
        ("reproduce", "Reproduce", True),
    ]
    return {**view, "sections": [(anchor, label) for anchor, label, is_shown in sections if is_shown]}


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    data = result["data"]
    return [
        ("real rows", count(data["n_real"])),
        ("synthetic rows", count(data["n_synthetic"])),
        ("held-out rows", count(data["n_holdout"]) if data["n_holdout"] else "none"),
        ("columns", count(data["n_columns"])),
        ("target", cut(data["target"])),
        ("groups by", ", ".join(cut(column, 40) for column in data["group_by"]) or "the target alone"),
        ("seed", str(result["reproduce"]["seed"])),
    ]


def _groups_lead(data: Mapping[str, Any]) -> str:
    text = "Rows of each group in the real table and in the synthetic one"
    return text + (", and rows held out." if data["n_holdout"] else "; no rows were held out.")


def _left_out(data: Mapping[str, Any]) -> list[str]:
    """Return what the checks did not look at, as texts."""
    lines = [cut(note, 400) for note in data["notes"]]
    columns = [f"{cut(one['column'], 40)} ({cut(one['reason'])})" for one in data["not_compared"]]
    if columns:
        more = f"; and {len(columns) - 20} more" if len(columns) > 20 else ""
        lines.append(f"Columns that were not compared: {'; '.join(columns[:20])}{more}")
    return lines


def _associations_note(associations: Mapping[str, Any] | None) -> str:
    """Return how much of the associations is kept, and how many columns are not among them, as a text."""
    if not associations:
        return ""
    kept, cut_off = associations["retained"], associations["cut"]
    text = [f"{share(max(kept, 0.0))} of the real associations are retained."] if kept is not None else []
    return " ".join([*text, *([f"{count(cut_off)} columns were not looked at."] if cut_off else [])])


def _drawers(checks: Sequence[Mapping[str, Any]]) -> list[Drawer]:
    """Return the drawers with their checks, the gravest first."""
    drawers = []
    for drawer, (style, is_open, before) in DRAWERS.items():
        inside = [_card(check) for check in checks if check["drawer"] == drawer]
        label = f"{drawer}s" if drawer in ("issue", "tip") and len(inside) != 1 else drawer
        drawers.append(Drawer(label, style, drawer.replace(" ", "-"), is_open, before, inside))
    return drawers


def _card(check: Mapping[str, Any]) -> CheckCard:
    fault, explanation = check["fault"], check["explanation"].casefold()
    limits = []
    if check["tip_threshold"] is not None:
        limits.append(f"tip {shown(check['tip_threshold'])}")
    if check["threshold"] is not None:
        limits.append(f"issue {shown(check['threshold'])}")
    chance = []
    if check["null_interval"]:
        chance.append(f"Chance alone gives {interval_text(check['null_interval'], 3)}")
    if check["p_holm"] is not None:
        chance.append(f"p = {p_value(check['p_holm'])} after Holm's correction")
    return CheckCard(
        code=check["code"],
        title=fault[:1].upper() + fault[1:] if check["drawer"] == "issue" else check["title"],
        severity=check["severity"],
        measured=check["value"] is not None,
        unknown=check["drawer"] in ("issue", "tip", "undecided", "skipped"),
        value=number(check["value"]) if isinstance(check["value"], float) else shown(check["value"]),
        interval=interval_text(check["interval"], 3) if check["interval"] else "",
        limits=f"limits: {', '.join(limits)}" if limits else "",
        explanation=check["explanation"],
        blind=check["blind"],
        places=[item["text"] for item in check["items"] if item["text"].casefold() not in explanation],
        why=check["why"],
        measure=check["measure"],
        chance="; ".join(chance) + "." if chance else "",
        anchor=check["anchor"],
    )


def _columns(drawn: Sequence[Marginal]) -> tuple[list[Marginal], list[Marginal]]:
    """Return the columns shown first, each where it drifts most, and the rest behind a fold."""
    worst: dict[str, Marginal] = {}
    for marginal in drawn:
        worst.setdefault(marginal.column, marginal)
    first = list(worst.values())[:SHOWN]
    return first, [m for m in drawn if not any(m is one for one in first)]


def _pair(pair: Mapping[str, Any]) -> Mapping[str, object]:
    """Return a synthetic row beside its nearest real row; of many columns, those that differ come first."""
    synthetic, real = pair["synthetic"], pair["nearest"]
    cells = [(column, value, real.get(column), value != real.get(column)) for column, value in synthetic.items()]
    left_out = 0
    if len(cells) > CELLS:
        cells = sorted(cells, key=lambda cell: not cell[3])
        left_out = len(cells) - CELLS
    return {
        "distance": number(pair["distance"]),
        "group": pair.get("group"),
        "cells": cells[:CELLS],
        "left_out": left_out,
    }
