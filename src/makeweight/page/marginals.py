"""Small multiples: the shares of a column's values among real and among synthetic rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.svg import Ids, Scale, element, finite, picture
from makeweight.page.words import cut, number, real_number, share

#: Of a categorical column so many values are drawn, the others in the table.
VALUES = 6
#: Width and height of a histogram in its own units; it is stretched to the width that there is.
WIDTH, HEIGHT = 100, 60


@dataclass(frozen=True)
class Marginal:
    """One column, overall or in one group: bars of a categorical one, or a histogram with the ends of its axis.

    The table has the shares of all values or intervals among real and synthetic rows.
    """

    column: str
    group: str | None
    drift: str
    statistic: str
    missing: str
    bars: Sequence[tuple[str, Markup, str, str]]
    drawing: Markup
    first: str
    last: str
    table: Sequence[tuple[str, str, str]]


def marginals(ids: Ids, columns: Sequence[Mapping[str, Any]]) -> list[Marginal]:
    """Return all columns drawn, those that drift most first; what could not be measured comes before them."""
    order = sorted(
        range(len(columns)),
        key=lambda i: (real_number(columns[i]["drift"]), -(finite([columns[i]["drift"]]) or [0.0])[0], i),
    )
    return [_marginal(ids, columns[i]) for i in order]


def _marginal(ids: Ids, column: Mapping[str, Any]) -> Marginal:
    real, synthetic = list(column["real"]), list(column["synthetic"])
    where = f" in {cut(column['group'])}" if column["group"] is not None else ""
    title = f"{cut(column['column'])}{where}"
    common = {
        "column": column["column"],
        "group": column["group"],
        "drift": number(column["drift"]),
        "statistic": column["statistic"],
        "missing": _missing(column["missing"]),
    }
    edges = column.get("edges")
    if edges is not None:
        written = [str(edge) for edge in column["edge_labels"]]
        names = [f"{a} to {b}" for a, b in itertools.pairwise(written)]
        description = f"Shares of real and synthetic rows; {column['statistic']} {number(column['drift'])}."
        drawing = _histogram(ids, edges, real, synthetic, title, description)
        first, last, drawn = written[0], written[-1], []
    else:
        names = [str(label) for label in column["labels"]]
        drawing, drawn = Markup(""), _bars(names, real, synthetic)
        first = last = ""
    table = [(n, share(r), share(s)) for n, r, s in zip(names, real, synthetic, strict=True)]
    return Marginal(**common, bars=drawn, drawing=drawing, first=first, last=last, table=table)


def _missing(shares: Mapping[str, Any]) -> str:
    """Return how many values are missing, where any is."""
    real, synthetic = shares["real"], shares["synthetic"]
    return f"{share(real)} real, {share(synthetic)} synthetic" if real or synthetic else ""


def _histogram(
    ids: Ids, edges: Sequence[float], real: Sequence[Any], synthetic: Sequence[Any], title: str, description: str
) -> Markup:
    """Return a drawing of real shares as a filled silhouette and synthetic ones as a line over it."""
    ends = finite(edges)
    scale = Scale(ends[0], ends[-1]) if ends[-1] > ends[0] else Scale(ends[0] - 0.5, ends[0] + 0.5)
    widths = [max(scale.at(b) - scale.at(a), 0.2) for a, b in itertools.pairwise(ends)]
    heights = [[(finite([v]) or [0.0])[0] / w for v, w in zip(s, widths, strict=True)] for s in (real, synthetic)]
    top = max(map(max, heights)) or 1.0

    def outline(values: Sequence[float]) -> str:
        steps, x = [f"0 {HEIGHT}"], 0.0
        for value, width in zip(values, widths, strict=True):
            y = f"{HEIGHT - (HEIGHT - 2) * value / top:.2f}"
            steps += [f"{x:.2f} {y}", f"{min(x + width, WIDTH):.2f} {y}"]
            x += width
        return "M" + "L".join([*steps, f"{min(x, WIDTH):.2f} {HEIGHT}"])

    return picture(
        ids,
        element("path", d=outline(heights[0]) + "Z", class_="silhouette real"),
        element("path", d=outline(heights[1]), class_="outline synthetic"),
        title=title,
        description=description,
        class_="histogram",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
    )


def _bars(names: Sequence[str], real: Sequence[Any], synthetic: Sequence[Any]) -> list[tuple[str, Markup, str, str]]:
    """Return a pair of bars for every value that is common or has changed."""
    pairs = [((finite([r]) or [0.0])[0], (finite([s]) or [0.0])[0]) for r, s in zip(real, synthetic, strict=True)]
    chosen = sorted(range(len(names)), key=lambda i: -max(pairs[i]))[:VALUES]
    scale = Scale(0.0, max((max(pair) for pair in pairs), default=0.0) or 1.0)
    drawn = []
    for i in chosen:
        marks = [
            element("rect", x=0, y=y, height=7, width=f"{scale.at(value):.2f}%", class_=f"bar {style}")
            for value, y, style in zip(pairs[i], (3, 11), ("real", "synthetic"), strict=True)
        ]
        bar = element("svg", *marks, class_="pair", aria_hidden="true")
        drawn.append((names[i], bar, share(real[i]), share(synthetic[i])))
    return drawn
