"""Columns as numbers for whoever predicts: what reading needs, without a row of the table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.table.column import Column, Kind
from makeweight.table.kinds import codec
from makeweight.table.kinds._values import dense
from makeweight.table.kinds.datetime import is_duration

__all__ = ["FrameReader", "check_has"]

#: What of a column decides how its values are read, beside categories and type; all of it plain values.
READ = ("name", "reason", "n_rows", "n_missing", "n_distinct", "decimals", "origin", "step", "zone", "spelling")


class FrameReader:
    """Reads some columns of any frame as numbers, as the table that they were learned from reads them.

    Its state is made of plain values, so that it can be saved without pickle.

    `columns`: learned or grouping ones.

    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"age": [31, 45, 62], "paid": ["yes", "no", "yes"]})
    >>> reader = FrameReader(Schema.infer(frame).columns)
    >>> [values.tolist() for values in reader.read(pd.DataFrame({"paid": ["no", "never"], "age": [18, 99]}))]
    [[18.0, 99.0], [0, -1]]
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)

    def read(self, frame: pd.DataFrame) -> list[np.ndarray]:
        """Return every column as `Table.encode` does; a category that the table does not have is -1.

        Raises SchemaError when a column is missing, or its values cannot be read.
        """
        return [self._values(column, frame) for column in self.columns]

    def _values(self, column: Column, frame: pd.DataFrame) -> np.ndarray:
        check_has(frame, [column.name])
        try:
            return np.asarray(codec(column.kind).encode(column, dense(frame[column.name])))
        except (TypeError, ValueError) as error:
            if isinstance(error, SchemaError):
                raise
            raise SchemaError(
                "the values are not of the kind that was learned",
                where=column.label,
                got=str(error).splitlines()[0],
                expected=column.kind.value,
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        return {"columns": [_plain(column) for column in self.columns]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.columns = tuple(_column(**plain) for plain in state["columns"])


def check_has(frame: pd.DataFrame, names: Sequence[Hashable]) -> None:
    """Refuse a frame that lacks a column."""
    for name in names:
        if name not in frame.columns:
            raise SchemaError(
                "the rows lack a column that was learned",
                where=f"column {name!r}",
                hint=nearest(str(name), frame.columns),
            )


def _plain(column: Column) -> dict[str, Any]:
    return {
        **{name: getattr(column, name) for name in READ},
        "kind": column.kind.value,
        "duration": is_duration(column.dtype, column.python_type),
        "categories": None if column.categories is None else column.categories.tolist(),
    }


def _column(kind: str, duration: bool, categories: list[Any] | None, **plain: Any) -> Column:
    values = None if categories is None else pd.Index(categories)
    dtype = np.dtype("timedelta64[us]") if duration else np.dtype(object)
    return Column(kind=Kind(kind), dtype=dtype, categories=values, **plain)
