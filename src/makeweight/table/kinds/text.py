"""Free text: written by language models only; other generators keep a real row's text."""

from __future__ import annotations

import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._values import Mask, Rejects, allow_missing, column_of, missing_mask


def describe(series: pd.Series, reason: str, kind: Kind = Kind.TEXT) -> Column:
    """Count missing and distinct values of a real column.

    Raises SchemaError when values of the kind "text" are no texts.
    """
    missing = missing_mask(series)
    if kind is Kind.TEXT and not series[~missing].map(lambda value: isinstance(value, str)).all():
        raise SchemaError(
            "a column of the kind text has values that are no text",
            where=f"column {series.name!r}",
            got=str(series.dtype),
            hint=f"--kind {series.name}=categorical or {series.name}=identifier, or turn the values into text first",
        )
    return column_of(series, kind, reason, missing, int(series.nunique()))


def check(column: Column, series: pd.Series) -> tuple[pd.Series, Rejects]:
    """Say which proposed values the real column cannot have: missing where none is, or not text."""
    missing = missing_mask(series)
    rejects: Rejects = {}
    allow_missing(column, missing, rejects)
    not_text: Mask = ~missing & ~series.map(lambda value: isinstance(value, str)).to_numpy(dtype=bool)
    if not_text.any():
        rejects["not-text"] = not_text
    return series, rejects
