"""What all spellings share: reading and writing the distinct values of a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["BLANKS", "Spelling", "all_match", "any_match", "by_distinct"]

#: What stands for a missing value in any column of text.
BLANKS = frozenset(("", "NA", "N/A", "n/a", "na", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "<NA>", "#N/A", "#NA"))


class Spelling(Protocol):
    """How a column writes its values: from texts to typed values, and back."""

    @property
    def form(self) -> str:
        """The style as text, which states it again: ``%d/%m/%Y``, ``$1,234.50``."""

    @property
    def what(self) -> str:
        """What the values are, for people."""

    def read(self, texts: pa.Array) -> pd.Series:
        """Return Int64, Float64 or datetime64 values of an Arrow array of texts; missing where there is none."""

    def write(self, values: pd.Series) -> list[str]:
        """Return the texts of typed values, none of which is missing."""


def all_match(texts: pa.Array, pattern: str) -> bool:
    """Tell whether every text matches a pattern from its first to its last character."""
    return bool(pc.all(pc.match_substring_regex(texts, f"^(?:{pattern})$")).as_py())


def any_match(texts: pa.Array, pattern: str) -> bool:
    """Tell whether a pattern occurs in any text."""
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def fields_of(texts: pa.Array, pattern: str) -> dict[str, pa.Array]:
    """Return the named groups of a pattern as Arrow arrays, null where a text does not match as a whole."""
    parts = pc.extract_regex(texts, f"^(?:{pattern})$")
    lacking = parts.is_null()
    return {
        field.name: pc.if_else(lacking, pa.scalar(None, field.type), parts.field(i))
        for i, field in enumerate(parts.type)
    }


def whole(field: pa.Array) -> np.ndarray:
    """Return a field of digits as whole numbers, -1 where it is null or blank."""
    plain = pc.if_else(pc.equal(field, ""), pa.scalar(None, field.type), field)
    return np.asarray(pc.cast(plain, pa.int64()).fill_null(-1))


def by_distinct(series: pd.Series, function: Callable[[pa.Array], pd.Series]) -> pd.Series:
    """Apply a function of Arrow texts to the distinct values of a series; missing values stay missing."""
    codes, distinct = pd.factorize(series)
    values = function(texts_of(distinct))
    if (codes < 0).any():
        codes = np.where(codes < 0, len(values), codes)
        values = values.reindex(np.arange(len(values) + 1))
    taken: pd.Series = values.take(codes)
    taken.index, taken.name = series.index, series.name
    return taken


def texts_of(values: Iterable[object]) -> pa.Array:
    """Return values as an Arrow array of texts without surrounding blanks."""
    texts: Sequence[str] = [str(value) for value in values]
    return pc.utf8_trim_whitespace(pa.array(texts, pa.large_string()))
