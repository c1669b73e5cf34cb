"""Numbers with a fractional part."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from makeweight.table.column import Column, Kind
from makeweight.table.kinds._numeric import (
    MAX_DECIMALS,
    check_numbers,
    common_divisor,
    count_decimals,
    finite_floats,
    grid_of,
)
from makeweight.table.kinds._values import (
    column_of,
    decimal_of,
    decimals_in,
    floats,
    is_decimal,
    python_objects,
    range_of,
    to_dtype,
)


def describe(series: pd.Series, reason: str) -> Column:
    """Read range, decimals, grid and missing values off a real column."""
    values, missing = finite_floats(series, series.name)
    present = np.unique(values[~missing])
    exact = decimals_in(series, missing)
    decimals: int | None = exact["places"] if exact else count_decimals(present, series.dtype)
    if exact and (exact["places"] > MAX_DECIMALS or np.abs(present).max(initial=0.0) * 10.0 ** exact["places"] > 2**53):
        decimals = None  # more digits than a float holds
    bounds = range_of(present)
    column = column_of(series, Kind.CONTINUOUS, reason, missing, len(present), decimals=decimals, **exact, **bounds)
    return replace(column, grid=grid_of(column, common_divisor(present, column.decimals, column.dtype)))


def encode(column: Column, series: pd.Series) -> np.ndarray:
    """Return values as float64 with NaN for missing."""
    values = floats(series) + 0.0  # -0.0 and 0.0 are one value
    # A single-precision 0.1 is read as the 0.1 that was meant, so that equal values have equal codes.
    return values if column.decimals is None else np.round(values, column.decimals)


check = check_numbers


def decode(column: Column, values: np.ndarray) -> pd.Series:
    """Write encoded values with the dtype of the real column."""
    missing = np.isnan(values)
    if column.dtype == object or is_decimal(column.dtype):
        make: Any = column.python_type or float
        if make is Decimal or is_decimal(column.dtype):
            make = decimal_of(column)
        written = python_objects(column, values, missing, make)
        return written if column.dtype == object else to_dtype(column, written)
    if isinstance(column.dtype, np.dtype):
        return pd.Series(values.astype(column.dtype), name=column.name)
    nullable = pd.Series(pd.arrays.FloatingArray(np.where(missing, 0.0, values), missing))
    return to_dtype(column, nullable)
