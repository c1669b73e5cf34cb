"""What the codecs share: missing values, and the way back to the original dtype."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from makeweight.errors import SchemaError
from makeweight.table.arrow import plain_arrow
from makeweight.table.column import Column, Kind

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Rejects = dict[str, Mask]

MISSING = "missing-not-seen"
#: Digits of the widest decimal type there is (Arrow, 256 bits).
MAX_PRECISION = 80


def missing_mask(series: pd.Series) -> Mask:
    """Tell which values are missing (None, NaN, NaT, pandas.NA)."""
    return np.asarray(series.isna(), dtype=bool)


def dense(series: pd.Series) -> pd.Series:
    """Return a column as one that pandas computes with: neither sparse, nor of foreign byte order or rare width."""
    if isinstance(series.dtype, pd.SparseDtype):
        sparse: Any = series.sparse
        series = pd.Series(sparse.to_dense())
    if isinstance(series.dtype, pd.ArrowDtype):
        plain = plain_arrow(pa.array(series.array), series.name)
        if plain.type != series.dtype.pyarrow_dtype:
            return pd.Series(pd.arrays.ArrowExtensionArray(plain), index=series.index, name=series.name)
        return series
    dtype = series.dtype
    return series if not isinstance(dtype, np.dtype) or dtype == _common(dtype) else series.astype(_common(dtype))


def _common(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that holds the same numbers and that every function of pandas knows."""
    if dtype == np.float16:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if dtype.kind == "f" and dtype.itemsize > 8 else dtype.newbyteorder("=")


def is_arrow_text(dtype: object) -> bool:
    """Tell whether a dtype is an Arrow type of texts."""
    return isinstance(dtype, pd.ArrowDtype) and str(dtype.pyarrow_dtype) in ("string", "large_string", "string_view")


def first_missing(series: pd.Series, missing: Mask) -> Any:
    """Return the object that stands for a missing value in a column of Python objects."""
    if series.dtype != object or not missing.any():
        return None
    return series.array[int(missing.argmax())]


def python_type_of(series: pd.Series, missing: Mask) -> type | None:
    """Return the one type of the values of a column of Python objects, None where they differ."""
    if series.dtype != object:
        return None
    types = {type(value) for value in series[~missing]}
    return types.pop() if len(types) == 1 else None


def column_of(series: pd.Series, kind: Kind, reason: str, missing: Mask, n_distinct: int, **values: Any) -> Column:
    """Return a column with what every kind records, and `values` that are its kind's own."""
    return Column(
        name=series.name,
        kind=kind,
        dtype=series.dtype,
        reason=reason,
        n_rows=len(series),
        n_missing=int(missing.sum()),
        n_distinct=n_distinct,
        python_type=python_type_of(series, missing),
        missing_value=first_missing(series, missing),
        **values,
    )


def range_of(values: np.ndarray) -> dict[str, float | None]:
    """Return `low` and `high` of values that are not missing."""
    return {"low": float(values.min()), "high": float(values.max())} if len(values) else {"low": None, "high": None}


def floats(series: pd.Series) -> np.ndarray:
    """Return numbers of any dtype (nullable, Arrow, Decimal objects) as float64 with NaN for missing."""
    if isinstance(series.dtype, np.dtype) and series.dtype != object:
        return series.to_numpy().astype(np.float64)
    if series.dtype == object:
        gone = missing_mask(series)
        return np.array([np.nan if g else float(v) for v, g in zip(series, gone, strict=True)], dtype=np.float64)
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))


def allow_missing(column: Column, missing: Mask, rejects: Rejects) -> None:
    """Reject missing values where the real column has none."""
    if not column.n_missing and missing.any():
        rejects[MISSING] = missing


def python_objects(column: Column, values: Iterable[Any], missing: Mask, make: Callable[[Any], Any]) -> pd.Series:
    """Write values as the Python objects that the original column holds."""
    out = np.empty(len(missing), dtype=object)
    for position, value in enumerate(values):
        out[position] = column.missing_value if missing[position] else make(value)
    return pd.Series(out, name=column.name, dtype=object)


def to_dtype(column: Column, values: pd.Series) -> pd.Series:
    """Cast a nullable series to the dtype of the real column."""
    try:
        cast: pd.Series = values.astype(column.dtype)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise SchemaError(
            "synthetic values do not fit the column's dtype",
            where=column.label,
            got=str(error),
            expected=str(column.dtype),
            hint="convert the column to a plain dtype first",
        ) from error
    cast.name = column.name
    return cast


def is_decimal(dtype: object) -> bool:
    """Tell whether a dtype is an Arrow decimal."""
    return isinstance(dtype, pd.ArrowDtype) and str(dtype).startswith("decimal")


def decimal_of(column: Column) -> Callable[[Any], Decimal]:
    """Return the function that writes a float as a Decimal with the column's digits, within its exact range."""
    digits = column.decimals if column.places is None else column.places
    context, unit = Context(prec=MAX_PRECISION), Decimal(1).scaleb(-(digits or 0))

    def write(value: float) -> Decimal:
        number = Decimal(float(value)).quantize(unit, context=context)
        if column.decimals is not None:
            number = Decimal(f"{value:.{column.decimals}f}").quantize(unit, context=context)
        if column.bounds is None or column.low is None or column.high is None:
            return number
        if column.low <= value <= column.high:  # a float may lie a little beside the bound that it stands for
            return min(max(number, column.bounds[0]), column.bounds[1])
        return number

    return write


def decimals_in(series: pd.Series, missing: Mask) -> dict[str, Any]:
    """Return digits behind the point and exact range of a column of Decimals, nothing for any other."""
    if not is_decimal(series.dtype) and python_type_of(series, missing) is not Decimal:
        return {}
    values = series[~missing].astype(object).unique()
    places = max((max(0, -int(value.as_tuple().exponent)) for value in values), default=0)
    return {"places": places, "bounds": (min(values), max(values)) if len(values) else None}
