"""Checks that continuous and integer columns share."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import Column
from makeweight.table.kinds._values import Mask, Rejects, allow_missing, floats, missing_mask

MAX_DECIMALS = 12
#: Fewer different values than this may share a divisor by chance.
FEWEST_ON_GRID = 20


def finite_floats(series: pd.Series, name: object) -> tuple[np.ndarray, Mask]:
    """Return a real column's values and which are missing; refuse infinite ones.

    Raises SchemaError when a value is infinite, or is not a number.
    """
    missing = missing_mask(series)
    try:
        values = floats(series)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            "values are not numbers",
            where=f"column {name!r}",
            got=str(error),
            hint=f"--kind {name}=categorical, or clean the column first",
        ) from error
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise SchemaError(
            "infinite value",
            where=f"column {name!r}, row {row}",
            got=f"{int(infinite.sum())} such values",
            expected="finite numbers or missing values",
            hint="replace infinity by a missing value, or drop those rows",
        )
    return values, missing


def count_decimals(values: np.ndarray, dtype: object) -> int | None:
    """Return the smallest number of decimals that writes every value exactly, None beyond a dozen.

    >>> count_decimals(np.array([0.25, 1.5]), np.dtype(float))
    2
    """
    single = dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8 else None
    fewest = 0
    for part in (values[:1000], values):
        while fewest <= MAX_DECIMALS:
            rounded = np.round(part, fewest)
            exact = rounded.astype(single) == part.astype(single) if single is not None else rounded == part
            if exact.all():
                break
            fewest += 1
    return fewest if fewest <= MAX_DECIMALS else None


def common_divisor(values: np.ndarray, decimals: int | None, dtype: object) -> int:
    """Return the greatest common divisor of numbers in units of their last decimal.

    0 where all are zero; 1 where there are no decimals, or a float is too coarse to tell.

    >>> common_divisor(np.array([18.95, 20.0, 29.85]), 2, np.dtype(float))
    5
    """
    if decimals is None:
        return 1
    units = np.round(np.abs(values) * 10.0**decimals)
    if units.max(initial=0.0) > exact_units(dtype):
        return 1
    divisor = 0
    for part in (units[:1000], units):
        divisor = int(np.gcd.reduce(part.astype(np.int64), initial=0))
        if divisor == 1:
            break
    return divisor


def grid_of(column: Column, divisor: int) -> int:
    """Return the grid of a column whose values have this common divisor, 1 where that may be chance."""
    if column.decimals is None or column.low is None or column.high is None or column.origin:
        return 1
    most = max(abs(column.low), abs(column.high)) * 10.0**column.decimals
    if column.n_distinct < FEWEST_ON_GRID or round(most) > exact_units(column.dtype):
        return 1
    return max(1, divisor)


def exact_units(dtype: object) -> float:
    """Return up to which number units of the last decimal are counted without a slip."""
    return 2.0**-12 / _precision(dtype)


def read_numbers(series: pd.Series, origin: int = 0, step: int = 1) -> tuple[np.ndarray, Mask, Mask]:
    """Return proposed values in steps from the origin, which are missing, and which are not numbers at all."""
    missing = missing_mask(series)
    if origin or step > 1:
        values = np.array([_less(value, origin, step) for value in series.astype(object)], dtype=np.float64)
        return values, missing, np.isnan(values) & ~missing
    if pd.api.types.is_numeric_dtype(series.dtype):
        return floats(series), missing, np.zeros(len(series), dtype=bool)
    plain = series.map(lambda value: float(value) if isinstance(value, Decimal) else value)
    values = np.asarray(pd.to_numeric(plain, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))
    return values, missing, np.isnan(values) & ~missing


def _precision(dtype: object) -> float:
    return float(np.finfo(dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" else np.float64).eps)


def _less(value: Any, origin: int, step: int) -> float:
    """Return (value - origin) / step, exact where the value is a whole number; NaN where it is no number."""
    try:
        if int(value) == Decimal(str(value)):
            steps, rest = divmod(int(value) - origin, step)
            return steps + rest / step
        return (float(value) - origin) / step
    except (TypeError, ValueError, ArithmeticError):  # missing, or not a number
        return math.nan


def check_numbers(column: Column, series: pd.Series) -> tuple[np.ndarray, Rejects]:
    """Encode proposed numbers and say which break the column's range, decimals or missing values.

    `column`: continuous or integer. `series`: Series of shape (n,). Returns `values` (float64, shape (n,)): on the
    column's decimals. `rejects`: reason to rows.
    """
    values, missing, not_numbers = read_numbers(series, column.origin, column.step)
    rejects: Rejects = {}
    allow_missing(column, missing, rejects)
    present = ~missing & ~not_numbers
    rejects["not-a-number"] = not_numbers | (present & np.isinf(values))
    if column.low is not None and column.high is not None:
        # A bound may lie half a step of the dtype beside the decimal number that was meant by it.
        slack = max(1e-9, _precision(column.dtype) / 2) * max(1.0, abs(column.low), abs(column.high))
        with np.errstate(invalid="ignore"):
            rejects["out-of-range"] = present & ((values < column.low - slack) | (values > column.high + slack))
    if column.decimals is not None:
        with np.errstate(invalid="ignore"):
            on_grid = np.round(values, column.decimals)
            off = np.abs(values - on_grid) > 1e-9 + 4 * _precision(column.dtype) * np.abs(values)
        reason = "not-a-whole-number" if column.decimals == 0 else "too-many-decimals"
        rejects[reason] = present & off
        values = on_grid
    return values, {reason: mask for reason, mask in rejects.items() if mask.any()}
