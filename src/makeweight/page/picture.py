"""The picture of a comparison: what every arm gains beyond doing nothing, and what people count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.intervals import Axis, axis, ends, interval_text, strip, widths
from makeweight.page.svg import Ids, Scale, element, finite, picture, plot_frame, scale_of
from makeweight.page.words import cut, decimals, number, real_number, share, signed

LEVEL = 0.05
#: Height of a curve's drawing in pixels, of the plot in it, and its free edge on top.
HEIGHT, PLOT, TOP = 240, 214, 8
#: Classes of the lines: doing nothing, and up to three others.
LINES = ("curve held-out", "curve synthetic", "curve real", "curve other")


@dataclass(frozen=True)
class Gain:
    """What an arm gains in one measure: the drawing, the level, the gain with its interval, and whether it is shown."""

    drawing: Markup
    level: str
    gain: str
    interval: str
    shown: bool


@dataclass(frozen=True)
class GainRow:
    """One arm in the picture; an arm that failed has no gains."""

    label: str
    is_reference: bool
    is_best: bool
    is_external: bool
    gains: Sequence[Gain | None]


@dataclass(frozen=True)
class GainPlot:
    """All calibrated arms of one estimator, with the axes of their gains; more is better on both."""

    estimator: str
    axes: Sequence[Axis | None]
    rows: Sequence[GainRow]
    outside: bool


def gain_plot(
    ids: Ids, result: Mapping[str, Any], estimator: str, name: str, measures: Sequence[tuple[str, str, bool]]
) -> GainPlot:
    """Return the picture of one estimator; a measure is a metric, its label, and whether less is better."""
    arms = [arm for arm in result["arms"] if arm["calibrated"]]
    rows_of = {(row["metric"], row["arm"]): row for row in result["results"] if row["estimator"] == estimator}
    answer, columns, axes, outside = result["answer"], [], [], False
    for metric, label, lower in measures:
        rows = {arm["name"]: rows_of.get((metric, arm["name"])) for arm in arms}
        gains = {arm: _gain(row["difference"], lower) for arm, row in rows.items() if row and row["difference"]}
        against = None
        if gains:
            scale = scale_of(ends(gains.values()), include=[0.0], pad=4, far=6.0)
            about = f"Gain in {label} of every arm, {name}"
            reading = "Right of the line is better than doing nothing. The numbers stand in the same rows."
            against = axis(ids, scale, title=about, description=reading, reference=(0.0, "doing nothing"))
            outside |= any(not scale.holds(value) for value in finite(ends(gains.values())))
        places = decimals(widths(gains.values()))
        columns.append({arm["name"]: _cell(rows[arm["name"]], gains, against, arm, places) for arm in arms})
        axes.append(against)
    drawn = [
        GainRow(
            cut(arm["label"].removesuffix(" + calibration")),
            arm["name"] == result["reference"],
            (estimator, arm["name"]) == (answer["estimator"], answer["arm"]),
            arm["external"],
            [column[arm["name"]] for column in columns],
        )
        for arm in arms
    ]
    return GainPlot(name, axes, drawn, outside)


def _gain(difference: Mapping[str, Any], lower: bool) -> Mapping[str, Any]:
    """Return a difference with its sign turned where less is better."""
    if not lower or not all(real_number(difference[key]) for key in ("mean", "low", "high")):
        return difference
    return {**difference, "mean": -difference["mean"], "low": -difference["high"], "high": -difference["low"]}


def _cell(
    row: Mapping[str, Any] | None,
    gains: Mapping[str, Mapping[str, Any]],
    against: Axis | None,
    arm: Mapping[str, Any],
    places: int,
) -> Gain | None:
    if row is None or not real_number(row["mean"]):
        return None
    gain = gains.get(arm["name"])
    if gain is None or against is None:
        drawing = (
            Markup("")
            if against is None
            else element("svg", element("use", href=f"#{against.grid}"), class_="strip", aria_hidden="true")
        )
        return Gain(drawing, number(row["mean"]), "", "", False)
    is_shown = real_number(gain["p_holm"]) and gain["p_holm"] < LEVEL
    style = ("synthetic" if arm["synthetic"] else "control") + ("" if is_shown else " open")
    return Gain(
        strip(against, gain["mean"], gain["low"], gain["high"], style),
        number(row["mean"]),
        signed(gain["mean"], places),
        interval_text((gain["low"], gain["high"]), places, sign=True),
        is_shown,
    )


@dataclass(frozen=True)
class CountedArm:
    """How many of 100 cases an arm finds, how many more that is than nothing finds, and its worst group."""

    label: str
    drawing: Markup
    found: str
    more: str
    worst: str
    is_reference: bool


def counted_arms(ids: Ids, result: Mapping[str, Any], estimator: str) -> tuple[Axis, list[CountedArm]] | None:
    """Return the counts of the arms that have curves, of one estimator; None where nothing was counted."""
    drawn = list(dict.fromkeys(curve["arm"] for curve in result["curves"]))
    labels = {arm["name"]: cut(arm["label"].removesuffix(" + calibration")) for arm in result["arms"]}
    written = [arm["name"] for arm in result["arms"] if arm["synthetic"]]
    rows = {row["arm"]: row for row in result["found"] if row["estimator"] == estimator and row["arm"] in drawn}
    rows = {arm: row for arm, row in rows.items() if finite([row["found"]["mean"]])}
    if not rows:
        return None
    scale = Scale(0.0, 100.0, pad=0.0)
    above = axis(ids, scale, title="Cases found of 100", description="The numbers stand in the same rows.")
    arms = []
    for name in drawn:
        if name not in rows:
            continue
        row, is_reference = rows[name], name == result["reference"]
        (mean,) = finite([row["found"]["mean"]])
        style = "bar synthetic" if name in written else "bar real"
        bar = element("rect", x=0, y=-7.0, width=scale.x(100 * mean), height=14, class_=style)
        middle = element("svg", bar, x=0, y="50%", height=1, overflow="visible")
        grid = element("use", href=f"#{above.grid}")
        difference, worst = row["difference"], ""
        more = ""
        if difference:
            more = signed(_hundred(difference["mean"]), 1)
            more += " " + interval_text([_hundred(difference[end]) for end in ("low", "high")], 1, sign=True)
        if row["worst_group"] is not None and row["worst"]:
            worst = f"{number(_hundred(row['worst']['mean']), 0)} in {cut(row['worst_group'], 40)}"
        drawing = element("svg", grid, middle, class_="strip", aria_hidden="true")
        arms.append(CountedArm(labels[name], drawing, number(100 * mean, 0), more, worst, is_reference))
    return above, arms


def _hundred(value: Any) -> Any:
    return 100 * value if real_number(value) else None


@dataclass(frozen=True)
class Curve:
    """A drawing of lines, with its key and the table behind it."""

    title: str
    across: str
    drawing: Markup
    key: Sequence[tuple[str, str]]
    headings: Sequence[str]
    table: Sequence[Sequence[str]]


def curve_pair(ids: Ids, result: Mapping[str, Any], estimator: str, cases: str) -> list[Curve]:
    """Return precision against recall, and what came true against what was stated, of one estimator."""
    labels = {arm["name"]: cut(arm["label"].removesuffix(" + calibration")) for arm in result["arms"]}
    curves = [curve for curve in result["curves"] if curve["estimator"] == estimator][: len(LINES)]
    if not curves:
        return []
    precision = [
        [(point["recall"], point["precision"]) for point in curve["points"] if finite(point.values())]
        for curve in curves
    ]
    stated = [[(one["stated"], one["observed"]) for one in curve["bins"]] for curve in curves]
    names = [labels[curve["arm"]] for curve in curves]
    return [
        _curve(
            ids, "Precision and recall", f"share of {cases} found", "share of alarms that are right", precision, names
        ),
        _curve(ids, "Are the probabilities right?", "stated probability", "share that came true", stated, names, True),
    ]


def _curve(
    ids: Ids,
    title: str,
    across: str,
    up: str,
    lines: Sequence[Sequence[tuple[Any, Any]]],
    names: Sequence[str],
    diagonal: bool = False,
) -> Curve:
    scale = Scale(0.0, 1.0, pad=1)
    ticks = [(at, f"{100 * at:.0f} %") for at in (0.0, 0.25, 0.5, 0.75, 1.0)]
    shapes = [element("polyline", points="1,100 99,0", class_="diagonal")] if diagonal else []
    for line, style in reversed(list(zip(lines, LINES, strict=False))):
        known = [(x, y) for x, y in line if len(finite([x, y])) == 2]
        points = " ".join(f"{scale.at(x):.2f},{100 * (1 - min(max(y, 0.0), 1.0)):.2f}" for x, y in known)
        shapes.append(element("polyline", points=points, class_=style))
    place = {"x": 0, "y": TOP, "width": "100%", "height": PLOT - TOP}
    inside = element("svg", *shapes, **place, viewBox="0 0 100 100", preserveAspectRatio="none")
    drawing = picture(
        ids,
        *plot_frame(scale, ticks, HEIGHT, TOP, PLOT),
        inside,
        title=title,
        description=f"{up}, by {across}; the table below has the numbers.",
        class_="curves",
        height=HEIGHT,
    )
    table = [
        [name, *(share(value) for value in point)]
        for name, line in zip(names, lines, strict=True)
        for point in line[:: max(1, len(line) // 10)]
    ]
    return Curve(title, across, drawing, list(zip(LINES, names, strict=False)), ["Arm", across, up], table)
