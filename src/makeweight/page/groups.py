"""Groups: how many rows before and after, and the risk of every arm in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.intervals import Axis, axis, ends, interval_text, strip, widths
from makeweight.page.svg import Ids, Scale, element, finite, scale_of
from makeweight.page.words import count, cut, decimals, number, real_number

#: So many groups stand side by side; of more, those with the highest risk.
SIDE_BY_SIDE = 6
STYLES = ("real", "synthetic", "held-out")


@dataclass(frozen=True)
class Bars:
    """Counts of rows per group, as bars, with a key of their classes and meanings, and as numbers.

    The drawing stands above the bars and describes them; tall bars need a higher row.
    """

    headings: Sequence[str]
    tall: bool
    key: Sequence[tuple[str, str]]
    drawing: Markup
    rows: Sequence[tuple[str, Markup, Sequence[str]]]


def bars(ids: Ids, groups: Sequence[Mapping[str, Any]], parts: Mapping[str, tuple[str, str]], *, stacked: bool) -> Bars:
    """Return one bar per group and part, on one scale; each begins where the one before it ended if `stacked`.

    `parts` has per key of a count the heading of its numbers and what its bar means.
    """
    keys = [key for key in parts if finite(group.get(key) for group in groups)]
    scale = Scale(0.0, max(finite(group.get(key) for group in groups for key in keys), default=0.0) or 1.0)
    above = axis(ids, scale, title="Rows per group", description=_extent(groups, keys))
    rows = [
        (
            group["group"],
            _bar(above, [group.get(key) for key in keys], stacked=stacked),
            [count(group.get(key)) for key in keys],
        )
        for group in groups
    ]
    key = [(f"bar {style}", parts[key][1]) for style, key in zip(STYLES, keys, strict=False)]
    return Bars([parts[key][0] for key in keys], not stacked and len(keys) > 2, key, above.drawing, rows)


def _bar(on: Axis, values: Sequence[Any], *, stacked: bool) -> Markup:
    """Return the bars of a group in the middle of its row, one after the other or one below the other."""
    drawn, scale = [], on.scale
    begin, top = 0.0, -7.0 if stacked else -5.5 * len(values) + 1
    for i, value in enumerate(values):
        (end,) = finite([value]) or [0.0]
        if end > begin:
            width = f"{max(scale.at(end) - scale.at(begin), 0.3):.2f}%"
            place = {"y": top, "height": 14} if stacked else {"y": top + 11 * i, "height": 9}
            drawn.append(element("rect", x=scale.x(begin), width=width, class_=f"bar {STYLES[i]}", **place))
        begin = end if stacked else 0.0
    middle = element("svg", *drawn, x=0, y="50%", height=1, overflow="visible")
    return element("svg", element("use", href=f"#{on.grid}"), middle, class_="strip", aria_hidden="true")


def _extent(groups: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> str:
    """Return how many groups there are, and how large, as a text."""
    sizes = finite(group.get(keys[0]) for group in groups) if keys else []
    if not sizes:
        return "No rows."
    return (
        f"{len(groups)} groups of {count(min(sizes))} to {count(max(sizes))} rows. The numbers stand in the same rows."
    )


@dataclass(frozen=True)
class Cell:
    """The risk of one arm in one group."""

    drawing: Markup
    mean: str
    interval: str
    worst: bool


@dataclass(frozen=True)
class RiskTable:
    """The risks of all arms of one estimator in the groups shown."""

    estimator: str
    what: str
    groups: Sequence[str]
    axes: Sequence[Axis]
    rows: Sequence[tuple[Mapping[str, Any], Sequence[Cell]]]
    left_out: int


def risk_tables(
    ids: Ids,
    risks: Sequence[Mapping[str, Any]],
    arms: Sequence[Mapping[str, Any]],
    estimators: Mapping[str, str],
    what: Mapping[str, str],
) -> list[RiskTable]:
    """Return the risk of every arm by group, per estimator and risk, each with how it is shown by its name."""
    tables = []
    for key, label in what.items():
        for estimator, name in estimators.items():
            own = {(r["arm"], r["group"]): r[key] for r in risks if r["estimator"] == estimator}
            if finite(risk["mean"] for risk in own.values()):
                tables.append(_risk_table(ids, own, arms, name, label))
    return tables


def _risk_table(
    ids: Ids,
    own: Mapping[tuple[str, str], Mapping[str, Any]],
    arms: Sequence[Mapping[str, Any]],
    estimator: str,
    what: str,
) -> RiskTable:
    groups = list(dict.fromkeys(group for _, group in own))
    shown = groups
    if len(groups) > SIDE_BY_SIDE:
        known = {g: finite(r["mean"] for (_, group), r in own.items() if group == g) for g in groups}
        shown = sorted(groups, key=lambda group: -max(known[group], default=0.0))[:SIDE_BY_SIDE]
    kept = [risk for (_, group), risk in own.items() if group in shown]
    scale, places = scale_of(ends(kept), pad=6), decimals(widths(kept))
    axes = [
        axis(
            ids,
            scale,
            title=f"{what} of every arm in {cut(group)}, {estimator}",
            description="The numbers stand in the same cells.",
        )
        for group in shown
    ]
    rows = []
    for arm in arms:
        all_means = {g: own[arm["name"], g]["mean"] for g in groups if (arm["name"], g) in own}
        means = {g: mean for g, mean in all_means.items() if real_number(mean)}
        apart = len(means) > 1 and max(means.values()) - min(means.values()) > 1e-9
        worst = max(means, key=lambda g: means[g]) if apart else None
        cells = []
        for drawn, group in zip(axes, shown, strict=True):
            risk = own.get((arm["name"], group), {"mean": None, "low": None, "high": None})
            style = "synthetic" if arm["synthetic"] else "control"
            cells.append(
                Cell(
                    strip(drawn, risk["mean"], risk["low"], risk["high"], style),
                    number(risk["mean"], places),
                    interval_text((risk["low"], risk["high"]), places),
                    group == worst,
                )
            )
        rows.append((arm, cells))
    return RiskTable(estimator, what, shown, axes, rows, len(groups) - len(shown))
