"""Whole numbers, whatever dtype holds them."""

from __future__ import annotations

import math
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
    decimals_in,
    floats,
    is_decimal,
    missing_mask,
    python_objects,
    range_of,
    to_dtype,
)

__all__ = ["is_epoch"]

EXACT = 2**53
MICROSECOND = 1_000


def describe(series: pd.Series, reason: str) -> Column:
    """Read range, grid and missing values off a real column of whole numbers.

    Raises SchemaError when a value is not whole, or the range is too wide to be held exactly.
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
    origin, step = 0, 1
    warnings: tuple[str, ...] = ()
    if len(present) and np.abs(present).max() >= EXACT:
        exact = _exact(series, missing)
        origin = min(exact)
        step = max(1, math.gcd(*(value - origin for value in exact))) if max(exact) - origin >= EXACT else 1
        if (max(exact) - origin) // step >= EXACT and is_epoch((origin, max(exact))):
            step, warnings = MICROSECOND, ("nanoseconds are rounded to microseconds",)
        if (max(exact) - origin) // step >= EXACT:
            raise SchemaError(
                "whole numbers spread too widely to be a measurement",
                where=f"column {series.name!r}",
                got=f"{origin} to {max(exact)}",
                expected="a range below 2**53",
                hint=f"--kind {series.name}=identifier",
            )
        present = np.array([(value - origin) // step for value in exact], dtype=np.float64)
    present = np.unique(present)
    column = column_of(
        series, Kind.INTEGER, reason, missing, len(present), decimals=0, origin=origin, step=step, **range_of(present)
    )
    column = replace(column, warnings=warnings, places=0 if decimals_in(series, missing) else None)
    return replace(column, grid=grid_of(column, common_divisor(present, 0, column.dtype)))


def encode(column: Column, series: pd.Series) -> np.ndarray:
    """Return values less the origin as float64 with NaN for missing."""
    if not column.origin and column.step == 1:
        return floats(series) + 0.0
    missing = missing_mask(series)
    values = np.full(len(series), np.nan)
    values[~missing] = [(value - column.origin) // column.step for value in _exact(series, missing)]
    return values


check = check_numbers


def decode(column: Column, values: np.ndarray) -> pd.Series:
    """Write encoded values with the dtype of the real column."""
    missing = np.isnan(values)
    if column.dtype == object or is_decimal(column.dtype):
        kind: Any = Decimal if is_decimal(column.dtype) else column.python_type or int
        written = python_objects(column, values, missing, lambda v: kind(int(v) * column.step + column.origin))
        return written if column.dtype == object else to_dtype(column, written)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f":
        return pd.Series((values * column.step + column.origin).astype(column.dtype), name=column.name)
    filled = np.where(missing, 0.0, values)
    large = column.origin + int(filled.max(initial=0.0)) * column.step > np.iinfo(np.int64).max
    whole: Any = np.uint64 if large or column.dtype == np.dtype(np.uint64) else np.int64
    # Two's complement: what a product or an origin below zero wraps around, the sum brings back.
    origin = np.array([column.origin % 2**64], dtype=np.uint64).astype(whole)
    numbers = filled.astype(np.int64).astype(whole) * whole(column.step) + origin
    if isinstance(column.dtype, np.dtype):
        return pd.Series(numbers.astype(column.dtype), name=column.name)
    return to_dtype(column, pd.Series(pd.arrays.IntegerArray(numbers, missing)))


def is_epoch(bounds: tuple[int, int]) -> bool:
    """Tell whether whole numbers may be nanoseconds since 1970, between 1973 and 2100."""
    return bounds[0] >= 10**17 and bounds[1] <= 41 * 10**17 and bounds[1] - bounds[0] >= EXACT


def _exact(series: pd.Series, missing: Mask) -> list[int]:
    return [int(value) for value in series[~missing]]
