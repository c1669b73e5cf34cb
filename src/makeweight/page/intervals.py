"""Arms as dots with intervals: a table per estimator and metric, its rows drawn and written side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.svg import Ids, Scale, element, finite, picture, scale_of, text_anchor
from makeweight.page.words import cut, decimals, number, p_value, real_number, signed

#: Where Holm's corrected p-value is below, a difference counts.
LEVEL = 0.05
#: What is known of an arm that failed.
UNKNOWN: dict[str, Any] = {"mean": None, "low": None, "high": None, "difference": None, "p_holm": None}


@dataclass(frozen=True)
class Axis:
    """A scale as drawn above a column of strips, which repeat the lines with the id `grid`."""

    scale: Scale
    grid: str
    drawing: Markup


def axis(ids: Ids, scale: Scale, *, title: str, description: str, reference: tuple[float, str] | None = None) -> Axis:
    """Return the axis of a column of strips: ticks, and a named line that they are compared with."""
    grid = ids("grid")
    lines, labels = [], []
    for at, text in scale.ticks(3):
        x, y = scale.x(at), 14 if reference is None else 30
        lines.append(element("line", x1=x, x2=x, y1=0, y2="100%", class_="grid"))
        labels.append(element("text", text, x=x, y=y, class_="tick", text_anchor=text_anchor(scale.at(at), 5)))
    if reference is not None and scale.holds(reference[0]):
        x, anchor = scale.x(reference[0]), text_anchor(scale.at(reference[0]), 20)
        lines.append(element("line", x1=x, x2=x, y1=0, y2="100%", class_="reference"))
        labels.append(element("text", reference[1], x=x, y=12, class_="reference-name", text_anchor=anchor))
    drawing = picture(
        ids,
        element("defs", element("g", *lines, id=grid)),
        *labels,
        title=title,
        description=description,
        class_="axis short" if reference is None else "axis",
    )
    return Axis(scale, grid, drawing)


def strip(on: Axis, mean: object, low: object, high: object, style: str) -> Markup:
    """Return one dot with its interval; beyond the axis an arrow points to where it is, and to where an interval goes.

    The style is the class of the mark: "control" is a circle, "synthetic" a diamond; "open" leaves it empty.
    """
    marks = [element("use", href=f"#{on.grid}")]
    if real_number(mean) and math.isfinite(mean):
        if real_number(low) and real_number(high):
            left, right = on.scale.x(low), on.scale.x(high)
            marks.append(element("line", x1=left, x2=right, y1="50%", y2="50%", class_=f"interval {style}"))
            for end, cut_off, shape in (
                (left, low < on.scale.low, "cut-low"),
                (right, high > on.scale.high, "cut-high"),
            ):
                if cut_off:
                    marks.append(element("use", href=f"#{shape}", x=end, y="50%", class_=f"cut {style}"))
        shape = "diamond" if "synthetic" in style else "dot"
        if not on.scale.holds(mean):
            shape = "beyond-high" if mean > on.scale.high else "beyond-low"
        marks.append(element("use", href=f"#{shape}", x=on.scale.x(mean), y="50%", class_=f"mark {style}"))
    return element("svg", *marks, class_="strip", aria_hidden="true")


def interval_text(ends: Sequence[object], places: int, *, sign: bool = False) -> str:
    """Return an interval as a text, such as ``[0.41, 0.44]``; nothing where there is none."""
    low, high = ends
    if not (real_number(low) and real_number(high)):
        return ""
    write = signed if sign else number
    return f"[{write(low, places)}, {write(high, places)}]"


@dataclass(frozen=True)
class ForestRow:
    """One arm: its level, and its difference to the arm that all are compared with."""

    arm: Mapping[str, Any]
    drawing: Markup
    measured: bool
    mean: str
    interval: str
    difference_drawing: Markup
    difference: str
    difference_interval: str
    p: str
    counts: bool
    best: bool


@dataclass(frozen=True)
class ForestPlot:
    """All arms of one estimator and metric; `outside` when some dots or ends of intervals are beyond the axis."""

    estimator: str
    metric: Mapping[str, Any]
    level: Axis
    difference: Axis | None
    rows: Sequence[ForestRow]
    best: str
    outside: bool


def forest(
    ids: Ids,
    metric: Mapping[str, Any],
    estimator: str,
    arms: Sequence[Mapping[str, Any]],
    results: Mapping[str, Mapping[str, Any]],
    compared_with: str,
) -> ForestPlot:
    """Return the arms of one estimator and metric, drawn and written in their order.

    Results are by the name of the arm; arms that failed are missing, or have no mean. Differences are to the arm with
    the label `compared_with`.
    """
    measured = [results[arm["name"]] for arm in arms if arm["name"] in results]
    differences = [row["difference"] for row in measured if row["difference"]]
    line = _reference(metric)
    about = f"{metric['label']} of every arm, {estimator}"
    level = axis(
        ids,
        scale_of(ends(measured), include=line[:1], pad=5),
        title=about,
        description=_described(metric, arms, results),
        reference=line or None,
    )
    against = None
    if differences:
        against = axis(
            ids,
            scale_of(ends(differences), include=[0.0], pad=5),
            title=f"Differences in {about}",
            description=f"Differences to {compared_with}; the numbers stand in the same rows.",
            reference=(0.0, "no difference"),
        )
    best = _best(metric, arms, results)
    places = decimals(widths(measured)), decimals(widths(differences))
    rows = [_row(arm, results.get(arm["name"], UNKNOWN), level, against, places, best) for arm in arms]
    beyond = [not level.scale.holds(value) for value in finite(ends(measured))]
    if against is not None:
        beyond += [not against.scale.holds(value) for value in finite(ends(differences))]
    return ForestPlot(estimator, metric, level, against, rows, _label(arms, best), any(beyond))


def _row(
    arm: Mapping[str, Any],
    result: Mapping[str, Any],
    level: Axis,
    against: Axis | None,
    places: tuple[int, int],
    best: str | None,
) -> ForestRow:
    style = "synthetic" if arm["synthetic"] else "control"
    difference = result["difference"] or UNKNOWN
    p = difference["p_holm"]
    counts = real_number(p) and p < LEVEL
    drawn = Markup("")
    if against is not None and result["difference"]:
        filled = style if counts else f"{style} open"
        drawn = strip(against, difference["mean"], difference["low"], difference["high"], filled)
    return ForestRow(
        arm=arm,
        drawing=strip(level, result["mean"], result["low"], result["high"], style),
        measured=real_number(result["mean"]),
        mean=number(result["mean"], places[0]),
        interval=interval_text((result["low"], result["high"]), places[0]),
        difference_drawing=drawn,
        difference=signed(difference["mean"], places[1]) if result["difference"] else "",
        difference_interval=interval_text((difference["low"], difference["high"]), places[1], sign=True),
        p=p_value(p) if result["difference"] else "",
        counts=counts,
        best=arm["name"] == best,
    )


def _reference(metric: Mapping[str, Any]) -> tuple[float, str] | tuple[()]:
    """Return what a constant prediction scores, and its name."""
    value = metric["reference"]
    if not real_number(value):
        return ()
    two = math.isclose(value, math.log(2), abs_tol=1e-4)
    return value, "ln 2: a constant" if two else f"{number(value).rstrip('0')}: a constant"


def ends(rows: Iterable[Mapping[str, Any]]) -> list[object]:
    """Return the means of risks or scores, and the ends of their intervals."""
    return [row[key] for row in rows for key in ("low", "mean", "high")]


def widths(rows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return how wide the intervals are that are known."""
    return [r["high"] - r["low"] for r in rows if real_number(r["low"]) and real_number(r["high"])]


def _best(
    metric: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]
) -> str | None:
    """Return the best arm among those that saw the same rows."""
    means: dict[str, float] = {
        arm["name"]: results[arm["name"]]["mean"]
        for arm in arms
        if not arm["external"] and real_number(results.get(arm["name"], UNKNOWN)["mean"])
    }
    choose = min if metric["lower_is_better"] else max
    return choose(means, key=lambda arm: means[arm]) if means else None


def _label(arms: Sequence[Mapping[str, Any]], arm: str | None) -> str:
    return next((cut(one["label"]) for one in arms if one["name"] == arm), "none")


def _described(
    metric: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]]
) -> str:
    means = finite(results.get(arm["name"], UNKNOWN)["mean"] for arm in arms)
    if not means:
        return "Nothing could be measured."
    better = "lower" if metric["lower_is_better"] else "higher"
    return (
        f"{len(means)} arms between {number(min(means))} and {number(max(means))}; {better} is better; "
        f"best: {_label(arms, _best(metric, arms, results))}. The numbers stand in the same rows."
    )
