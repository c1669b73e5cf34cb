"""Whole numbers, whatever dtype holds them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._numeric import check_numbers, common_divisor, finite_floats, grid_of
from makeweight.table.kinds._values import (
    Mask,
    column_of,
    floats,
    is_decimal,
    missing_mask,
    python_objects,
    range_of,
    to_dtype,
)

EXACT = 2**53


def describe(series: pd.Series[Any], reason: str) -> Column:
    """Read range, grid and missing values off a real column of whole numbers.

    Raises
    ------
    SchemaError
        When a value is not whole, or the range is too wide to be held exactly.
    """
    values, missing = finite_floats(series, series.name)
    present = values[~missing]
    whole = present == np.round(present)
    if not whole.all():
        raise SchemaError(
            "value is not a whole number",
            where=f"column {series.name!r}",
            got=present[~whole][0],
            hint=f"--kind {series.name}=continuous",
        )
    origin = 0
    if len(present) and np.abs(present).max() >= EXACT:
        exact = _exact(series, missing)
        origin = min(exact)
        if max(exact) - origin >= EXACT:
            raise SchemaError(
                "whole numbers spread too widely to be a measurement",
                where=f"column {series.name!r}",
                got=f"{origin} to {max(exact)}",
                expected="a range below 2**53",
                hint=f"--kind {series.name}=identifier",
            )
        present = np.array([value - origin for value in exact], dtype=np.float64)
    present = np.unique(present)
    column = column_of(
        series, Kind.INTEGER, reason, missing, len(present), decimals=0, origin=origin, **range_of(present)
    )
    return replace(column, grid=grid_of(column, common_divisor(present, 0, column.dtype)))


def encode(column: Column, series: pd.Series[Any]) -> np.ndarray:
    """Return values less the origin as float64 with NaN for missing."""
    if not column.origin:
        return floats(series) + 0.0
    missing = missing_mask(series)
    values = np.full(len(series), np.nan)
    values[~missing] = [value - column.origin for value in _exact(series, missing)]
    return values


check = check_numbers


def decode(column: Column, values: np.ndarray) -> pd.Series[Any]:
    """Write encoded values with the dtype of the real column."""
    missing = np.isnan(values)
    if column.dtype == object or is_decimal(column.dtype):
        kind = column.python_type if column.python_type in (float, Decimal) else int
        if is_decimal(column.dtype):
            kind = Decimal
        written = python_objects(column, values, missing, lambda v: kind(int(v) + column.origin))
        return written if column.dtype == object else to_dtype(column, written)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return pd.Series((values + column.origin).astype(column.dtype), name=column.name)
    filled = np.where(missing, 0.0, values)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "u":
        unsigned = filled.astype(np.uint64) + np.uint64(column.origin)
        return pd.Series(unsigned.astype(column.dtype), name=column.name)
    signed = filled.astype(np.int64)
    if column.origin > np.iinfo(np.int64).max - EXACT:
        nullable = pd.Series(pd.arrays.IntegerArray(signed.astype(np.uint64) + np.uint64(column.origin), missing))
    else:
        nullable = pd.Series(pd.arrays.IntegerArray(signed + np.int64(column.origin), missing))
    return to_dtype(column, nullable)


def _exact(series: pd.Series[Any], missing: Mask) -> list[int]:
    return [int(value) for value in series[~missing]]
