"""One codec per kind of column, all with the same functions.

`describe(series, reason)` reads a real column; `encode(column, series)` turns its values into numbers;
`check(column, series)` encodes proposed values and says which the real column cannot have;
`decode(column, values)` writes numbers back with the real column's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from makeweight.table.column import Column, Kind
from makeweight.table.kinds import boolean, categorical, continuous, datetime, identifier, integer, text
from makeweight.table.kinds._values import Rejects, missing_mask, python_objects, to_dtype
from makeweight.table.spelling.base import by_distinct
from makeweight.table.spelling.reader import blanks_of, texts_in

__all__ = ["codec", "in_another_style"]


@dataclass(frozen=True)
class Codec:
    """Reads, checks and writes columns of one kind, in the column's own style where it has one."""

    kind: ModuleType  # the functions for typed values

    def describe(self, series: pd.Series, reason: str) -> Column:
        """Return what is known of a real column."""
        column: Column = self.kind.describe(series, reason)
        return column

    def encode(self, column: Column, series: pd.Series) -> np.ndarray:
        """Return the values of a column as numbers."""
        if column.spelling is not None:
            column, series = _typed(column), typed_values(column, series)
        return np.asarray(self.kind.encode(column, series))

    def check(self, column: Column, series: pd.Series) -> tuple[Any, Rejects]:
        """Encode proposed values, and say by reason which the real column cannot have."""
        if column.spelling is not None:
            values, unread = typed_values(column, series), in_another_style(column, series)
            if unread.any():  # numbers and dates that are not written in the column's style
                values = values.astype(object).where(~unread, series.astype(object))
            column, series = _typed(column), values
        result: tuple[Any, Rejects] = self.kind.check(column, series)
        return result

    def decode(self, column: Column, values: np.ndarray) -> pd.Series:
        """Write numbers with the dtype and in the style of the real column."""
        if column.spelling is None:
            decoded: pd.Series = self.kind.decode(column, values)
            return decoded
        typed: pd.Series = self.kind.decode(_typed(column), values)
        codes, distinct = pd.factorize(typed)
        texts = np.array([*column.spelling.write(pd.Series(distinct)), None], dtype=object)[codes]
        if pd.api.types.is_numeric_dtype(column.dtype):
            return to_dtype(column, pd.Series([None if text is None else int(text) for text in texts], dtype="Int64"))
        written = python_objects(column, texts, codes < 0, lambda text: text)
        return written if column.dtype == object else to_dtype(column, written)


_CODECS: dict[Kind, Codec] = {
    Kind.CONTINUOUS: Codec(continuous),
    Kind.INTEGER: Codec(integer),
    Kind.CATEGORICAL: Codec(categorical),
    Kind.BOOLEAN: Codec(boolean),
    Kind.DATETIME: Codec(datetime),
    Kind.TEXT: Codec(text),
    Kind.IDENTIFIER: Codec(identifier),
}
_DTYPES: dict[Kind, Any] = {
    Kind.CONTINUOUS: pd.Float64Dtype(),
    Kind.INTEGER: pd.Int64Dtype(),
    Kind.DATETIME: np.dtype("datetime64[us]"),
}


def codec(kind: Kind) -> Codec:
    """Return what reads, checks and writes columns of a kind."""
    return _CODECS[kind]


def typed_values(column: Column, series: pd.Series) -> pd.Series:
    """Return a column's values as numbers or dates, whatever it is written in."""
    return series if column.spelling is None else by_distinct(texts_in(series), column.spelling.read)


def in_another_style(column: Column, series: pd.Series) -> np.ndarray:
    """Tell which values are not written in a column's style, where it has one."""
    if column.spelling is None:
        return np.zeros(len(series), dtype=bool)
    unread = missing_mask(typed_values(column, series)) & ~missing_mask(series) & ~blanks_of(column, series)
    return np.asarray(unread, dtype=bool)


def _typed(column: Column) -> Column:
    return replace(column, spelling=None, dtype=_DTYPES[column.kind], python_type=None, missing_value=None)
