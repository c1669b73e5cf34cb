"""How strongly the columns go together: among real rows, among synthetic rows, and the difference.

A square's size says how strong, whatever its colour; a hollow square is below zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from makeweight.page.svg import Ids, element, finite, picture
from makeweight.page.words import cut, number, real_number, signed

#: So many columns are drawn, those whose associations changed most; and so many pairs are written.
COLUMNS, PAIRS = 20, 60
#: Widths in the map's own units: the map, the most room for names.
SIDE, NAMES = 260, 92


@dataclass(frozen=True)
class Maps:
    """Three maps with their titles, and the pairs of columns behind them: real, synthetic, difference.

    Pairs that changed most come first.
    """

    drawings: Sequence[tuple[str, Markup]]
    pairs: Sequence[tuple[str, str, str, str, str]]
    left_out_columns: int
    left_out_pairs: int


def maps(ids: Ids, associations: Mapping[str, Any]) -> Maps | None:
    """Return the associations of real rows, of synthetic rows, and how they differ; None for one column."""
    columns, real, synthetic = associations["columns"], associations["real"], associations["synthetic"]
    size = range(len(columns))
    if len(columns) < 2:
        return None
    difference = [
        [
            synthetic[i][j] - real[i][j] if real_number(real[i][j]) and real_number(synthetic[i][j]) else None
            for j in size
        ]
        for i in size
    ]
    changed = [max((abs(v) for v in finite(difference[i][j] for j in size if j != i)), default=0.0) for i in size]
    kept = sorted(sorted(size, key=lambda i: -changed[i])[:COLUMNS])
    names = [columns[i] for i in kept]
    drawings = [
        (title, _map(ids, names, [[matrix[i][j] for j in kept] for i in kept], f"{title}: {words}"))
        for title, matrix, words in (
            ("Real rows", real, "association of every pair of columns, −1 to 1"),
            ("Synthetic rows", synthetic, "association of every pair of columns, −1 to 1"),
            ("Difference", difference, "synthetic minus real; hollow where it is below zero"),
        )
    ]
    pairs = sorted(
        ((i, j) for i in size for j in size if i < j),
        key=lambda pair: (real_number(difference[pair[0]][pair[1]]), -abs(difference[pair[0]][pair[1]] or 0.0), pair),
    )
    written = [
        (columns[i], columns[j], number(real[i][j], 2), number(synthetic[i][j], 2), signed(difference[i][j], 2))
        for i, j in pairs[:PAIRS]
    ]
    return Maps(drawings, written, len(columns) - len(kept), len(pairs) - len(written))


def _map(ids: Ids, names: Sequence[str], matrix: Sequence[Sequence[Any]], title: str) -> Markup:
    cell = SIDE / len(names)
    size = min(11.0, 0.84 * cell)
    letter = 0.64 * size
    short = [cut(column, int((NAMES - 6) / letter)) for column in names]
    margin = letter * max(map(len, short)) + 8
    labels, squares = [], []
    for i, text in enumerate(short):
        middle = (i + 0.5) * cell + 0.35 * size
        labels.append(element("text", text, x=margin - 5, y=middle, font_size=size))
        place = f"translate({margin + middle:.2f} {SIDE + 6}) rotate(-90)"
        labels.append(element("text", text, transform=place, font_size=size))
        for j, value in enumerate(matrix[i]):
            if i != j:
                squares.append(_square(margin + j * cell, i * cell, cell, value))
    return picture(
        ids,
        element("rect", x=margin, y=0, width=SIDE, height=SIDE, class_="frame"),
        *labels,
        *squares,
        title=title,
        description=f"{len(names)} columns. The table below names the pairs that changed most.",
        class_="map",
        viewBox=f"0 -1 {margin + SIDE + 1:.1f} {SIDE + margin + 2:.1f}",
    )


def _square(x: float, y: float, cell: float, value: Any) -> Markup | None:
    """Return a square whose area is the strength; a cross where there is none to draw."""
    if not finite([value]):
        middle = x + cell / 2, y + cell / 2
        return element("path", d=f"M{middle[0] - 2:.2f} {middle[1] - 2:.2f}l4 4m0-4l-4 4", class_="unknown")
    strength = min(abs(value), 1.0)
    if strength < 0.005:
        return None
    side = max(math.sqrt(strength) * (cell - 1), 1.0)
    at = (cell - side) / 2
    hollow = value < 0 and side > 2
    inset = 0.6 if hollow else 0.0
    return element(
        "rect",
        x=round(x + at + inset, 2),
        y=round(y + at + inset, 2),
        width=round(side - 2 * inset, 2),
        height=round(side - 2 * inset, 2),
        class_="square below" if hollow else "square",
    )
