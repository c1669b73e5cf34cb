"""Rows as sentences: ``age is 39, job is "clerk, part time", income is missing``.

Any value survives: `parse(render(row)) == row` for commas, quotes, line ends, " is ", and the very word
"missing". A plain value is written as it is; every other one as a JSON string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds import codec

__all__ = ["MISSING", "parse", "render", "to_texts"]

#: Written for a missing value; the text "missing" itself is written in quotes.
MISSING = "missing"
_BETWEEN, _IS = ", ", " is "
_DECODER = json.JSONDecoder(strict=False)


def render(row: Mapping[str, str | None]) -> str:
    """Write a row as a sentence, in the order of the mapping.

    >>> render({"age": "39", "city": "New York, NY", "job": None, "note": "missing"})
    'age is 39, city is "New York, NY", job is missing, note is "missing"'
    """
    return _BETWEEN.join(
        _token(name) + _IS + (MISSING if value is None else _token(value)) for name, value in row.items()
    )


def parse(sentence: str) -> dict[str, str | None]:
    """Read a row back from a sentence.

    >>> parse('age is 39, city is "New York, NY", job is missing')
    {'age': '39', 'city': 'New York, NY', 'job': None}
    """
    row: dict[str, str | None] = {}
    position, end = 0, len(sentence)
    while position < end:
        name, position, _ = _read(sentence, position, _IS)
        if not sentence.startswith(_IS, position):
            raise _not_a_row(sentence, position, "' is ' after a column name")
        value, position, quoted = _read(sentence, position + len(_IS), ",")
        if name in row:
            raise SchemaError("a row names a column twice", where=f"column {name!r}", got=sentence[:200])
        row[name] = None if value == MISSING and not quoted else value
        if position < end:
            if not sentence.startswith(_BETWEEN, position) or position + len(_BETWEEN) == end:
                raise _not_a_row(sentence, position, "', ' and a further column after a value")
            position += len(_BETWEEN)
    return row


def to_texts(column: Column, values: pd.Series) -> list[str | None]:
    """Write the values of a column as text, numbers with the column's decimals; None for missing.

    >>> from makeweight.table import Schema
    >>> frame = pd.DataFrame({"price": [1.5, 2.25, None]})
    >>> to_texts(Schema.infer(frame)["price"], frame["price"])
    ['1.50', '2.25', None]
    """
    missing = values.isna().to_numpy(dtype=bool)
    if column.kind in (Kind.CONTINUOUS, Kind.INTEGER):
        numbers = np.asarray(codec(column.kind).encode(column, values))
        return [None if np.isnan(number) else _number(column, number) for number in numbers]
    if column.kind is Kind.DATETIME:
        return [
            None if gone else value.isoformat() if hasattr(value, "isoformat") else str(value)
            for value, gone in zip(values, missing, strict=True)
        ]
    return [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]


def _number(column: Column, number: float) -> str:
    if column.kind is Kind.INTEGER:
        return str(int(number) * column.step + column.origin)
    return repr(float(number)) if column.decimals is None else f"{number:.{column.decimals}f}"


def _token(text: str) -> str:
    plain = (
        text == text.strip()
        and text.isprintable()
        and not set(',"') & set(text)
        and _IS not in f" {text} "
        and text not in ("", MISSING)
    )
    return text if plain else json.dumps(text, ensure_ascii=False)


def _read(sentence: str, position: int, stop: str) -> tuple[str, int, bool]:
    """Return the token at a position, where it ends, and whether it was quoted."""
    if sentence.startswith('"', position):
        try:
            token, end = _DECODER.raw_decode(sentence, position)
        except json.JSONDecodeError:
            raise _not_a_row(sentence, position, "a closing quotation mark") from None
        return token, end, True
    end = sentence.find(stop, position)
    end = len(sentence) if end < 0 else end
    if end == position:
        raise _not_a_row(sentence, position, "a column name or a value")
    return sentence[position:end], end, False


def _not_a_row(sentence: str, position: int, expected: str) -> SchemaError:
    near = sentence[max(0, position - 20) : position + 40]
    return SchemaError("text is not a row", where=f"character {position}", got=repr(near), expected=expected)
