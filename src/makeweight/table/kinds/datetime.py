"""Dates, times with or without zone, and durations: a whole number of steps since the first one seen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._values import (
    Rejects,
    allow_missing,
    column_of,
    missing_mask,
    python_objects,
    python_type_of,
    range_of,
    to_dtype,
)

__all__ = ["DTYPES", "STEPS", "is_duration"]

#: Steps that a column may move in, in microseconds: a day, an hour, a minute, a second, a millisecond.
STEPS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)

DTYPES = ("datetime64", "timedelta64", "timestamp", "date32", "date64", "duration")
PYTHON_TYPES = (dt.datetime, dt.date, dt.timedelta, pd.Timestamp, pd.Timedelta, np.datetime64, np.timedelta64)

#: From what pandas computes with to the objects of a column.
PLAIN: dict[type | None, Callable[[Any], Any]] = {
    dt.date: lambda value: value.date(),
    dt.datetime: lambda value: value.to_pydatetime(),
    dt.timedelta: lambda value: value.to_pytimedelta(),
}


def is_duration(column_or_dtype: object, python_type: type | None = None) -> bool:
    """Tell whether a dtype (or the type of Python objects) is a length of time."""
    return str(column_or_dtype).startswith(("timedelta", "duration")) or python_type in (dt.timedelta, pd.Timedelta)


def describe(series: pd.Series, reason: str) -> Column:
    """Read range, resolution and missing values off a real column.

    Raises SchemaError when values are not dates or times.
    """
    missing = missing_mask(series)
    kind = python_type_of(series, missing)
    if not str(series.dtype).startswith(DTYPES) and kind not in PYTHON_TYPES:
        raise SchemaError(
            "values are not dates",
            where=f"column {series.name!r}",
            got=str(series.dtype),
            expected="datetimes, dates or durations",
            hint="convert the column with pandas.to_datetime first",
        )
    zone = next((getattr(value, "tzinfo", None) for value in series[~missing]), None) if kind is not None else None
    ticks = _ticks(series, is_duration(series.dtype, kind), zone)[~missing]
    origin = int(ticks.min()) if len(ticks) else 0
    step = next(step for step in STEPS if not len(ticks) or not ((ticks - origin) % step).any())
    values = (ticks - origin) / step
    n_distinct = len(np.unique(ticks))
    return column_of(
        series,
        Kind.DATETIME,
        reason,
        missing,
        n_distinct,
        decimals=0,
        origin=origin,
        step=step,
        zone=zone,
        **range_of(values),
    )


def encode(column: Column, series: pd.Series) -> np.ndarray:
    """Return steps since the origin as float64 with NaN for missing."""
    missing = missing_mask(series)
    ticks = _ticks(series, is_duration(column.dtype, column.python_type), column.zone)
    return np.where(missing, np.nan, (ticks - column.origin) / column.step)


def check(column: Column, series: pd.Series) -> tuple[np.ndarray, Rejects]:
    """Encode proposed values and say which the real column cannot have."""
    missing = missing_mask(series)
    duration = is_duration(column.dtype, column.python_type)
    if series.dtype == object or isinstance(series.dtype, pd.StringDtype):
        zone = _zone_of(column)
        if duration:
            series = pd.to_timedelta(series, errors="coerce")
        else:
            series = pd.to_datetime(series, errors="coerce", utc=zone is not None, format="mixed")
            series = series.dt.tz_convert(zone) if zone is not None else series
    unreadable = missing_mask(series) & ~missing
    values = np.where(missing | unreadable, np.nan, encode(column, series))
    rejects: Rejects = {"not-a-date": unreadable}
    allow_missing(column, missing, rejects)
    present = ~missing & ~unreadable
    with np.errstate(invalid="ignore"):
        if column.low is not None and column.high is not None:
            rejects["out-of-range"] = present & ((values < column.low) | (values > column.high))
        rejects["finer-than-column"] = present & (np.abs(values - np.round(values)) > 1e-6)
    return np.round(values), {reason: mask for reason, mask in rejects.items() if mask.any()}


def decode(column: Column, values: np.ndarray) -> pd.Series:
    """Write encoded values with the dtype of the real column."""
    missing = np.isnan(values)
    steps = np.where(missing, 0.0, np.round(values)).astype(np.int64)
    ticks = column.origin + steps * column.step
    if is_duration(column.dtype, column.python_type):
        written = pd.Series(ticks.astype("timedelta64[us]"))
    else:
        written = pd.Series(ticks.astype("datetime64[us]"))
    written = written.mask(missing)
    zone = _zone_of(column)
    if zone is not None:
        # A wall-clock time that occurs twice is the earlier one; one that never occurs moves forward.
        earlier = np.ones(len(written), dtype=bool)
        written = written.dt.tz_localize(zone, ambiguous=earlier, nonexistent="shift_forward")
    if column.dtype == object:
        return python_objects(column, written, missing, PLAIN.get(column.python_type, lambda value: value))
    return to_dtype(column, written)


def _zone_of(column: Column) -> Any:
    return column.zone or getattr(column.dtype, "tz", None) or _arrow_zone(column.dtype)


def _arrow_zone(dtype: Any) -> str | None:
    return getattr(dtype.pyarrow_dtype, "tz", None) if isinstance(dtype, pd.ArrowDtype) else None


def _ticks(series: pd.Series, duration: bool, zone: dt.tzinfo | None = None) -> np.ndarray:
    """Return microseconds on the wall clock (or of a duration) as int64; missing values are arbitrary."""
    try:
        if isinstance(series.dtype, pd.ArrowDtype):
            own = _arrow_zone(series.dtype)
            plain: Any = "timedelta64[us]" if duration else f"datetime64[us, {own}]" if own else "datetime64[us]"
            series = series.astype(plain)
        elif series.dtype == object:
            dates: Any = pd.to_timedelta(series) if duration else pd.to_datetime(series, utc=zone is not None)
            series = dates if zone is None else dates.dt.tz_convert(zone)
    except (TypeError, ValueError) as error:
        raise SchemaError(
            "values are not dates",
            where=f"column {series.name!r}",
            got=str(error).splitlines()[0],
            hint=f"--kind {series.name}=categorical or --kind {series.name}=text",
        ) from error
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_localize(None)
    unit = "timedelta64[us]" if duration else "datetime64[us]"
    return series.to_numpy().astype(unit).astype(np.int64)
