"""How near the synthetic rows are to the rows they were learned from, beside rows that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.svg import Ids, Scale, element, finite, picture
from makeweight.page.words import number, real_number, share

__all__ = ["Curves", "curves"]

#: Height of the drawing in pixels, of which the axis takes the lowest.
HEIGHT, AXIS = 240, 24


#: The lines that there may be: key of the distances, class, meaning.
LINES = (
    ("synthetic", "curve synthetic", "synthetic rows"),
    ("holdout", "curve held-out", "held-out rows"),
    ("real", "curve real", "real rows, to the other real rows"),
)


@dataclass(frozen=True)
class Curves:
    """The drawing, and the numbers behind it.

    Parameters
    ----------
    drawing : Markup
    key : sequence of (style, meaning)
        Of the lines.
    headings : sequence of str
        Of the table's columns after the level.
    table : sequence of (level, distances)
    held_out : bool
        Whether there is a line of held-out rows.
    """

    drawing: Markup
    key: Sequence[tuple[str, str]]
    headings: Sequence[str]
    table: Sequence[tuple[str, Sequence[str]]]
    held_out: bool


def curves(ids: Ids, distances: Mapping[str, Any] | None) -> Curves | None:
    """Draw which share of the rows is nearer than a distance; None where nothing was measured.

    Parameters
    ----------
    distances : mapping or None
        ``levels`` in [0, 1], and at every level the quantile of the distances to the nearest real row: of
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
    plot = HEIGHT - AXIS
    parts: list[Markup] = []
    for level in (0.25, 0.5, 0.75, 1.0):
        y = 8 + (plot - 8) * (1 - level)
        parts.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{100 * level:.0f} %", x="100%", y=y - 3, class_="height"))
    for at, text in scale.ticks(4):
        position = scale.at(at)
        anchor = "start" if position < 5 else "end" if position > 95 else "middle"
        parts.append(element("line", x1=scale.x(at), x2=scale.x(at), y1=plot, y2=plot + 4, class_="grid"))
        parts.append(element("text", text, x=scale.x(at), y=HEIGHT - 6, class_="tick", text_anchor=anchor))
    parts.append(element("line", x1=0, x2="100%", y1=plot, y2=plot, class_="base"))
    drawn = [
        element(
            "polyline",
            points=" ".join(
                f"{scale.at(max(d, 0.0)):.2f},{100 * (1 - level):.2f}"
                for level, d in zip(levels, distances[key], strict=True)
                if real_number(d)
            ),
            class_=style,
        )
        for key, style, _ in reversed(lines)
    ]
    stretched = element(
        "svg",
        *drawn,
        x=0,
        y=8,
        width="100%",
        height=plot - 8,
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
    )
    drawing = picture(
        ids,
        *parts,
        stretched,
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


def _described(levels: Sequence[float], lines: Sequence[tuple[str, Sequence[Any]]]) -> str:
    """Say where the middle of each curve is."""
    middle = min(range(len(levels)), key=lambda i: abs(levels[i] - 0.5))
    told = "; ".join(f"{meaning}: {number(values[middle])}" for meaning, values in lines)
    return f"{share(levels[middle])} of the rows are nearer than this, {told}. The table below has the numbers."
