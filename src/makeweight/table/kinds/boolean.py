"""Two states: bool of any dtype, or numbers that are 0 and 1 only."""

from __future__ import annotations

import numpy as np
import pandas as pd

import makeweight.table.kinds.categorical as categorical
from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._values import Rejects

TEXTS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


def describe(series: pd.Series, reason: str) -> Column:
    """Read the two states off a real column.

    Raises SchemaError when there are more than two.
    """
    column = categorical.describe(series, reason, kind=Kind.BOOLEAN)
    if column.n_distinct > 2:
        raise SchemaError(
            "a boolean column has at most two values",
            where=column.label,
            got=f"{column.n_distinct} values",
            hint=f"--kind {series.name}=categorical",
        )
    return column


encode = categorical.encode
decode = categorical.decode


def check(column: Column, series: pd.Series) -> tuple[np.ndarray, Rejects]:
    """Encode proposed values; "true", "No" and the like are read where the column holds bool or 0 and 1."""
    assert column.categories is not None
    if series.dtype == object or isinstance(series.dtype, pd.StringDtype):
        truths = {bool(value): value for value in column.categories if value in (0, 1)}
        if len(truths) == column.n_distinct:
            read = series.map(
                lambda v: truths.get(TEXTS[v.casefold()], v) if isinstance(v, str) and v.casefold() in TEXTS else v
            )
            return categorical.check(column, read.astype(object))
    return categorical.check(column, series)
