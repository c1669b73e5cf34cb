"""What a column can have, as a regular expression."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from makeweight.generators.causal_lm.rows import ColumnText
from makeweight.table import Kind
from makeweight.table.text import MISSING

#: Free text may be this much longer than the longest real one, and no longer than this many characters.
LONGER, MAX_CHARACTERS = 1.25, 4_000
SPECIAL = frozenset(r"\.+*?()|[]{}^$/-&~#")


def number_pattern(low: int, high: int, decimals: int) -> str:
    r"""Return the regular expression of all numbers from low to high with a fixed number of decimals.

    `low`, `high`: in units of the last decimal.

    >>> number_pattern(-5, 25, 1)
    '-0\\.[1-5]|[0-1]\\.[0-9]|2\\.[0-5]'
    >>> number_pattern(8, 123, 0)
    '[8-9]|[1-9][0-9]|1[0-1][0-9]|12[0-3]'
    """
    parts = []
    if low < 0:
        parts += ["-" + part for part in _naturals(max(1, -high), -low, decimals)]
    if high >= 0:
        parts += _naturals(max(0, low), high, decimals)
    return "|".join(parts)


def _naturals(low: int, high: int, decimals: int) -> list[str]:
    parts = []
    for length in range(decimals + 1, max(decimals + 1, len(str(high))) + 1):
        first = max(low, 10 ** (length - 1) if length > decimals + 1 else 0)
        last = min(high, 10**length - 1)
        if first <= last:
            for digits in _between(str(first).zfill(length), str(last).zfill(length)):
                point = ["\\."] if decimals else []
                parts.append("".join(digits[: length - decimals] + point + digits[length - decimals :]))
    return parts


def _between(low: str, high: str) -> list[list[str]]:
    """Return the digits that numbers of one length between two can have, as few alternatives as possible."""
    if not low:
        return [[]]
    if low[0] == high[0]:
        return [[low[0], *rest] for rest in _between(low[1:], high[1:])]
    width = len(low) - 1
    first, last = int(low[0]), int(high[0])
    before: list[list[str]] = []
    after: list[list[str]] = []
    if low[1:] != "0" * width:
        before = [[low[0], *rest] for rest in _between(low[1:], "9" * width)]
        first += 1
    if high[1:] != "9" * width:
        after = [[high[0], *rest] for rest in _between("0" * width, high[1:])]
        last -= 1
    middle = [[f"[{first}-{last}]" if first < last else str(first), *["[0-9]"] * width]]
    return before + (middle if first <= last else []) + after


def pattern_of(spelling: ColumnText, real: Sequence[str]) -> str:
    """Return the regular expression of a column's value segments.

    `real`: the real value segments; free text and long dates take their shape from them.
    """
    column = spelling.column
    if spelling.values is not None:
        options = "|".join(_literal(spelling.value_segment(text)[1:]) for text in spelling.values)
    elif column.kind in (Kind.INTEGER, Kind.CONTINUOUS):
        assert column.low is not None
        assert column.high is not None
        assert column.decimals is not None
        scale = 10.0**column.decimals
        low, high = math.ceil(column.low * scale - 1e-6), math.floor(column.high * scale + 1e-6)
        if column.kind is Kind.INTEGER:
            low, high = (int(end) * column.step + column.origin for end in (column.low, column.high))
        options = number_pattern(low, high, column.decimals)
    elif column.kind is Kind.DATETIME:
        options = _date_pattern(real)
    else:
        options = _text_pattern(real)
    if column.n_missing:
        options += "|" + MISSING
    return f" ({options})"


def _literal(text: str) -> str:
    return "".join("\\" + letter if letter in SPECIAL else letter for letter in text)


def _date_pattern(real: Sequence[str]) -> str:
    """Return the shapes that dates have; days that no month has, and the ends of the range, stay possible."""
    texts = {segment[1:] for segment in real if segment[1:] != MISSING}
    years = sorted(int(text[:4]) for text in texts if text[:4].isdigit())
    shapes = set()
    for text in texts:
        shape = "".join("9" if letter.isdigit() else letter for letter in text)
        if shape.startswith("9999-99-99") and years:
            day = f"({number_pattern(years[0], years[-1], 0)})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            clock = shape[10:]
            if clock.startswith("T99:99:99"):
                zone = text[19:].lstrip(".0123456789")
                fraction = clock[9 : len(clock) - len(zone)]
                tail = "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]" + _digits(fraction) + _literal(zone)
                shapes.add(day + tail)
                continue
            shapes.add(day + _digits(clock))
        else:
            shapes.add(_digits(shape))
    return "|".join(sorted(shapes))


def _digits(shape: str) -> str:
    return "".join("[0-9]" if letter == "9" else _literal(letter) for letter in shape)


def _text_pattern(real: Sequence[str]) -> str:
    """Return the texts of up to a length, plain or in quotes as a row writes them."""
    longest = max((len(segment) for segment in real), default=1)
    most = min(MAX_CHARACTERS, math.ceil(LONGER * longest))
    escape = r'\\(["\\/bfnrt]|u00[01][0-9a-f])'
    quoted = r'"([^"\\\x00-\x1f]|' + escape + r"){0," + str(most) + '}"'
    plain = r'[^",\s\x00-\x1f]([^",\x00-\x1f]{0,' + str(most) + r'}[^",\s\x00-\x1f])?'
    return quoted + "|" + plain


def read_value(segment: str) -> str | None:
    """Return the text of a value segment; None where it stands for a missing value.

    >>> read_value(' "New York, NY"'), read_value(" missing"), read_value(" 3")
    ('New York, NY', None, '3')
    """
    token = segment.removeprefix(" ")
    if token == MISSING:
        return None
    return str(json.loads(token, strict=False)) if token.startswith('"') else token
