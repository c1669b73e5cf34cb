"""Rows as text in segments: group columns first, then the other columns in any order.

A row reads as `makeweight.table.text.render` writes it, ``y is rare, colour is red, size is 0.5``, and is
cut into segments, ``y is`` / `` rare`` / ``, colour is`` / `` red`` and so on, each of which is turned into
tokens by itself. So no token ever crosses the border of a value, and a value is the same tokens wherever
it stands.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.generators.check import code_of
from makeweight.plan import Group
from makeweight.table import Column, Kind, Schema, Table
from makeweight.table.kinds import codec
from makeweight.table.text import render, to_texts

#: Columns whose numbers have no fixed number of decimals are written with this many significant digits.
SIGNIFICANT = 6
MAX_DECIMALS = 17
#: Dates with at most this many possible values are spelled out one by one.
MAX_DATES = 20_000


@dataclass(frozen=True, eq=False)
class ColumnText:
    """How the values of one column are written."""

    column: Column  # numbers always have a number of decimals here, be it one that is chosen for writing
    label: str  # the name as text, unlike that of any other column
    #: of a column with few possible values, all of them; the position is the encoded value
    values: tuple[str, ...] | None

    @classmethod
    def of(cls, column: Column, label: str, series: pd.Series) -> ColumnText:
        """Work out how a real column is written."""
        if column.kind.is_coded:
            assert column.categories is not None
            return cls(column, label, _distinct_texts(list(column.categories)))
        if column.kind is Kind.CONTINUOUS and column.decimals is None:
            numbers = np.abs(np.asarray(codec(column.kind).encode(column, series)))
            return cls(replace(column, decimals=_enough_decimals(column, numbers)), label, None)
        if column.kind is Kind.DATETIME and column.high is not None and column.high < MAX_DATES:
            steps = codec(column.kind).decode(column, np.arange(column.high + 1))
            texts = [text for text in to_texts(column, steps) if text is not None]
            if len(set(texts)) == int(column.high) + 1:
                return cls(column, label, tuple(texts))
        return cls(column, label, None)

    @property
    def name_segment(self) -> str:
        """What stands before the value: the name and "is"."""
        return render({self.label: "x"})[: -len(" x")]

    def value_segment(self, text: str | None) -> str:
        """A value, with the blank before it and in quotes where it needs them; None for missing."""
        return render({self.label: text})[len(self.name_segment) :]

    def write(self, series: pd.Series) -> list[str | None]:
        """Return the values of a real column as text, None for missing."""
        if self.values is not None:
            encoded = np.asarray(codec(self.column.kind).encode(self.column, series))
            missing = encoded < 0 if self.column.kind.is_coded else np.isnan(encoded)
            codes = np.where(missing, 0, encoded).astype(np.int64)
            return [None if gone else self.values[code] for code, gone in zip(codes, missing, strict=True)]
        texts = to_texts(self.column, series)
        if self.column.kind is Kind.CONTINUOUS:  # what is rounded to nothing has no sign
            return [
                text[1:] if text is not None and text.startswith("-") and not float(text) else text for text in texts
            ]
        return texts

    def of_value(self, value: Hashable) -> str | None:
        """Return one value of a grouping column as text; None for missing."""
        assert self.values is not None
        return None if value is None else self.values[code_of(self.column, value)]

    def read(self, texts: Sequence[str | None]) -> np.ndarray | None:
        """Return texts that the grammar wrote as encoded values; None where a check has to read them."""
        if self.values is not None:
            positions: dict[str | None, int] = {text: position for position, text in enumerate(self.values)} | {
                None: -1
            }
            codes = np.array([positions[text] for text in texts], dtype=np.int32)
            return codes if self.column.kind.is_coded else np.where(codes < 0, np.nan, codes.astype(float))
        if self.column.kind not in (Kind.INTEGER, Kind.CONTINUOUS):
            return None
        read, origin, step = (
            (int, self.column.origin, self.column.step) if self.column.kind is Kind.INTEGER else (float, 0, 1)
        )
        return np.array(
            [math.nan if text is None else (read(text) - origin) / step for text in texts], dtype=np.float64
        )


class RowText:
    """The columns of a table that are written, and how.

    `table`: real rows; only their dtypes and spellings are kept.

    >>> frame = pd.DataFrame({"x": [0.5, 1.25, 2.0], "y": ["a", "b, c", "a"]})
    >>> rows = RowText(Table(frame, Schema.infer(frame, target="y")))
    >>> rows.prompt(("b, c",))
    ['y is', ' "b, c"']
    >>> rows.cells(Table(frame, rows.schema))[0]
    [' 0.50', ' 1.25', ' 2.00']
    """

    def __init__(self, table: Table) -> None:
        schema: Schema = table.schema
        self.schema = schema
        self._writer = Table(table.frame.iloc[:0].copy(), schema)
        plain = [str(name) for name in schema.names]
        labels = {
            name: text if plain.count(text) == 1 else repr(name) for name, text in zip(schema.names, plain, strict=True)
        }
        self.groups = [ColumnText.of(schema[name], labels[name], table.frame[name]) for name in schema.group_columns]
        self.columns = [
            ColumnText.of(column, labels[column.name], table.frame[column.name])
            for column in schema.features
            if column.is_learned or (column.kind is Kind.TEXT and column.n_distinct > 0)
        ]

    def names(self) -> list[str]:
        """Return the segments that stand before the values of the columns."""
        return [", " + spelling.name_segment for spelling in self.columns]

    def cells(self, table: Table) -> list[list[str]]:
        """Return the value segments of a table, column by column."""
        return [
            [spelling.value_segment(text) for text in spelling.write(table.frame[spelling.column.name])]
            for spelling in self.columns
        ]

    def prompt(self, group: Group) -> list[str]:
        """Return the segments with which every row of a group begins."""
        segments: list[str] = []
        for spelling, value in zip(self.groups, group, strict=True):
            before = ", " if segments else ""
            segments += [before + spelling.name_segment, spelling.value_segment(spelling.of_value(value))]
        return segments

    def frame(self, texts: Sequence[Sequence[str | None]]) -> pd.DataFrame:
        """Return rows that the grammar wrote, typed by the schema.

        `texts`: column by column, None for missing.
        """
        written: dict[Hashable, pd.Series] = {}
        for spelling, values in zip(self.columns, texts, strict=True):
            name, encoded = spelling.column.name, spelling.read(values)
            if encoded is None:
                written[name] = pd.Series(list(values), dtype=object)
            else:
                written[name] = self._writer.decode({name: encoded})[name]
        return pd.DataFrame(written)

    def unchecked(self, rows: Sequence[dict[str, str | None] | None]) -> pd.DataFrame:
        """Return rows that a model wrote freely, as they are: the check decides.

        A row that is none, or that lacks a column or has one too many, becomes one that no check accepts.

        `rows`: text by column label, group columns included. Returns DataFrame of shape (n_rows, n_columns).
        """
        spellings = [*self.groups, *self.columns]
        labels = {spelling.label for spelling in spellings}
        whole = [row if row is not None and row.keys() == labels else None for row in rows]
        columns: dict[Hashable, pd.Series] = {}
        for spelling in spellings:
            values = np.empty(len(whole), dtype=object)
            for position, row in enumerate(whole):
                values[position] = _Unreadable() if row is None else self._freely(spelling, row)
            columns[spelling.column.name] = pd.Series(values, dtype=object)
        return pd.DataFrame(columns)

    def _freely(self, spelling: ColumnText, row: dict[str, str | None]) -> Any:
        text, column = row[spelling.label], spelling.column
        if text is None or not column.kind.is_coded:
            return text
        assert spelling.values is not None
        assert column.categories is not None
        return column.categories[spelling.values.index(text)] if text in spelling.values else text


class _Unreadable:
    """Stands in every cell of a row that is none; equal to no value of any column."""

    def __repr__(self) -> str:
        return "(unreadable)"


def _distinct_texts(values: list[Any]) -> tuple[str, ...]:
    """Return the values as text, or as Python writes them where two would look alike."""
    texts = [str(value) for value in values]
    return tuple(texts if len(set(texts)) == len(texts) else [repr(value) for value in values])


def _enough_decimals(column: Column, numbers: np.ndarray) -> int:
    """Return how many decimals keep the significant digits of range and typical value."""
    sizes = numbers[np.isfinite(numbers) & (numbers > 0)]
    spread = (column.high or 0.0) - (column.low or 0.0)
    smallest = min([value for value in (float(np.median(sizes)), spread) if value > 0])
    return int(np.clip(SIGNIFICANT - 1 - math.floor(math.log10(smallest)), 0, MAX_DECIMALS))
