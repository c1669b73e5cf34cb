"""Typed values from what a model wrote for them; what cannot be read is left for the check to reject."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from makeweight.generators.chat.fields import Field
from makeweight.generators.chat.parse import Row
from makeweight.table import Kind

#: Texts that stand for a missing value where they are none of the column's values.
MISSING = frozenset({"", "missing", "(missing)", "null", "none", "nan", "na", "n/a", "<na>", "nat"})
NUMBER = r"[+-]?(?=\.?[0-9])(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][+-]?\d+)?"
#: Numbers beyond are none that a table could hold.
LARGEST = 1e300
#: A number with a currency before it, or a unit after it.
WITH_UNIT = re.compile(rf"^(?:[$€£¥]|USD|EUR)?\s*({NUMBER})\s*(?:(?![eE]\b)[A-Za-zµ°%²³/]{{1,15}}\.?)?[.;]?$", re.ASCII)


def to_frame(rows: Sequence[Row], fields: Sequence[Field]) -> pd.DataFrame:
    """Return rows as a frame of the table's columns.

    Returns DataFrame of shape (n_rows, n_fields): without the grouping columns
    that a row lacks.
    """
    columns: dict[Any, pd.Series] = {}
    for field in fields:
        if not field.needed and not all(field.label in row for row in rows):
            continue
        reader = Reader(field)
        values = [reader.read(row.get(field.label)) for row in rows]
        columns[field.column.name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows)))


class Reader:
    """Reads the values of one column; what cannot be read as one comes back as it was written.

    >>> from makeweight import Schema
    >>> from makeweight.generators.chat.fields import fields_of
    >>> frame = pd.DataFrame({"pay": [1500.5, 900.25], "city": ["Rome", "None"], "y": ["a", "b"]})
    >>> pay, city = map(Reader, fields_of(Schema.infer(frame, target="y"))[1:])
    >>> pay.read("1,234.5 EUR"), city.read("rome"), city.read("None")
    (1234.5, 'Rome', 'None')
    """

    def __init__(self, field: Field) -> None:
        self.kind = field.column.kind
        categories = field.column.categories
        values = [] if categories is None else categories.tolist()
        self._by_text = {str(value): value for value in values}
        folded = [str(value).strip().casefold() for value in values]
        times = Counter(folded)
        self._by_folded = {f: v for f, v in zip(folded, values, strict=True) if times[f] == 1}
        self._can_be_missing = field.column.n_missing > 0
        self._by_number = {
            float(value): value
            for value in values
            if isinstance(value, int | float | np.number) or (isinstance(value, str) and _is_number(value))
        }

    def read(self, value: object) -> Any:
        """Return a typed value; None for a missing one."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, list | dict):
            return str(value)
        if self.kind is Kind.TEXT:
            return None if value == "" and self._can_be_missing else str(value)
        if self.kind.is_coded:
            return self._category(value)
        if isinstance(value, str) and value.strip().rstrip(".;").casefold() in MISSING:
            return None
        return number(value) if self.kind in (Kind.CONTINUOUS, Kind.INTEGER) else value

    def _category(self, value: object) -> Any:
        if isinstance(value, str):
            for text in (value, value.strip(), value.strip().rstrip(".;")):
                if text in self._by_text:
                    return self._by_text[text]
                if text.casefold() in self._by_folded:
                    return self._by_folded[text.casefold()]
            if value.strip().rstrip(".;").casefold() in MISSING:
                return None
        as_number = number(value)
        if not isinstance(as_number, str) and float(as_number) in self._by_number:
            return self._by_number[float(as_number)]
        return value


def number(value: object) -> Any:
    """Return the number that was written, or the text where it is none.

    >>> number("1,234.5"), number("13.2 cm"), number("45%"), number("0.0."), number("1.234,5"), number(7)
    (1234.5, 13.2, 45, 0.0, '1.234,5', 7)
    >>> number("e9 $"), number("1e999"), number(float("inf"))
    ('e9 $', '1e999', 'inf')
    """
    if isinstance(value, int | float):
        return value if abs(value) <= LARGEST else f"{value:.20}" if isinstance(value, float) else "a huge number"
    match = WITH_UNIT.match(str(value).strip())
    if match is None:
        return value
    plain = match[1].replace(",", "")
    if re.fullmatch(r"[+-]?\d{1,30}", plain):
        return int(plain)
    return float(plain) if math.isfinite(float(plain)) else value


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text) is not None
