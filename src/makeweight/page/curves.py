"""How near the synthetic rows are to the rows they were learned from, beside rows that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.svg import Ids, Scale, element, finite, picture, plot_frame
from makeweight.page.words import number, real_number, share

#: Height of the drawing in pixels, and of the plot above its axis.
HEIGHT, PLOT = 240, 216
#: The lines that there may be: key of the distances, class, meaning.
LINES = (
    ("synthetic", "curve synthetic", "synthetic rows"),
    ("holdout", "curve held-out", "held-out rows"),
    ("real", "curve real", "real rows, to the other real rows"),
)


@dataclass(frozen=True)
class Curves:
    """The drawing with its key of styles and meanings, and the table of distances behind it, by level."""

    drawing: Markup
    key: Sequence[tuple[str, str]]
    headings: Sequence[str]
    table: Sequence[tuple[str, Sequence[str]]]
    held_out: bool


def curves(ids: Ids, distances: Mapping[str, Any] | None) -> Curves | None:
    """Return a drawing of which share of the rows is nearer than a distance; None where nothing was measured.

    Distances have ``levels`` in [0, 1], and at every level the quantile of the distances to the nearest real row: of
    ``synthetic`` rows and, where they were measured, of ``holdout`` rows and of ``real`` rows.
    """
    if not distances:
        return None
    levels = distances["levels"]
    lines = [(key, style, meaning) for key, style, meaning in LINES if distances.get(key)]
    values = finite(value for key, _, _ in lines for value in distances[key])
    if not values:
        return None
    scale = Scale(0.0, max(values) or 1.0, pad=1)
    drawing = picture(
        ids,
        *plot_frame(scale, scale.ticks(4), HEIGHT, 8, PLOT, marks=True),
        _drawn(scale, levels, [(distances[key], style) for key, style, _ in reversed(lines)]),
        title="Distance to the nearest real row",
        description=_described(levels, [(meaning, distances[key]) for key, _, meaning in lines]),
        class_="curves",
        height=HEIGHT,
    )
    return Curves(
        drawing,
        [(style, meaning) for _, style, meaning in lines],
        [meaning for _, _, meaning in lines],
        [(share(level), [number(distances[key][i]) for key, _, _ in lines]) for i, level in enumerate(levels)],
        any(key == "holdout" for key, _, _ in lines),
    )


def _drawn(scale: Scale, levels: Sequence[float], lines: Sequence[tuple[Sequence[Any], str]]) -> Markup:
    shapes = []
    for distances, style in lines:
        points = [(d, level) for level, d in zip(levels, distances, strict=True) if real_number(d)]
        text = " ".join(f"{scale.at(max(d, 0.0)):.2f},{100 * (1 - level):.2f}" for d, level in points)
        shapes.append(element("polyline", points=text, class_=style))
    place = {"x": 0, "y": 8, "width": "100%", "height": PLOT - 8}
    return element("svg", *shapes, **place, viewBox="0 0 100 100", preserveAspectRatio="none")


def _described(levels: Sequence[float], lines: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """Return where the middle of each curve is, as a text."""
    middle = min(range(len(levels)), key=lambda i: abs(levels[i] - 0.5))
    middles = "; ".join(f"{meaning}: {number(values[middle])}" for meaning, values in lines)
    return f"{share(levels[middle])} of the rows are nearer than this, {middles}. The table below has the numbers."
