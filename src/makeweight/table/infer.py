"""Which kind is a column, and why: the rules, in the order in which they are asked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import MAX_CATEGORIES, Column, Kind
from makeweight.table.kinds import codec, datetime
from makeweight.table.kinds._values import dense, missing_mask

__all__ = ["FEW", "READ", "count_gaps", "infer_column", "number_kind", "string_kind", "warnings_of"]

FEW = 10
ROWS_PER_CODE = 10
ENOUGH_ROWS = 10
#: Strings that are read to see how many words they have.
READ = 1000
NAMED_LIKE_AN_IDENTIFIER = re.compile(r"(?i:(^|[_\W])(id|uuid|guid|key|index|rowid|no|nr))$|[a-z]I[dD]$")


def infer_column(series: pd.Series[Any], kind: Kind | None = None, reason: str = "declared") -> Column:
    """Find the kind of a column and describe it.

    Parameters
    ----------
    series : Series
        A real column, with its name.
    kind : Kind, optional
        Given where the user or the role of the column decides.
    reason : str
        Why, where `kind` is given.

    Returns
    -------
    Column

    Raises
    ------
    SchemaError
        When no kind fits, or the given one does not.

    Examples
    --------
    >>> infer_column(pd.Series([0, 1, 1, 0], name="smoker")).reason
    '0 and 1 only'
    """
    series = dense(series)
    if kind is None:
        kind, reason = _kind_of(series)
    column: Column = codec(kind).describe(series, reason)
    return replace(column, warnings=(*column.warnings, *warnings_of(column)))


def warnings_of(column: Column) -> list[str]:
    """Return what a user should know before relying on a column."""
    if column.n_rows and column.n_missing == column.n_rows:
        return ["every value is missing: synthetic values are missing too"]
    if column.n_states == 1 and column.n_rows > 1:
        return ["constant: synthetic rows get the same value"]
    if column.kind is Kind.IDENTIFIER:
        return ["identifier: not learned, synthetic rows get fresh values"]
    if column.kind is Kind.TEXT:
        return ["free text: only language models write it, other generators keep a real row's text"]
    return []


def _kind_of(series: pd.Series[Any]) -> tuple[Kind, str]:
    dtype = series.dtype
    present = series[~missing_mask(series)]
    if isinstance(dtype, pd.CategoricalDtype):
        return Kind.CATEGORICAL, "dtype category"
    if not len(present):
        return Kind.CATEGORICAL, "every value is missing"
    if pd.api.types.is_bool_dtype(dtype):
        return Kind.BOOLEAN, f"dtype {dtype}"
    if str(dtype).startswith(datetime.DTYPES):
        return Kind.DATETIME, f"dtype {dtype}"
    if pd.api.types.is_complex_dtype(dtype) or isinstance(dtype, pd.IntervalDtype | pd.PeriodDtype):
        raise SchemaError(
            "dtype is not supported",
            where=f"column {series.name!r}",
            got=str(dtype),
            expected="numbers, booleans, strings, categories, dates or durations",
            hint="convert the column, or drop it",
        )
    if pd.api.types.is_numeric_dtype(dtype):
        return _numeric_kind(series, present)
    if pd.api.types.is_object_dtype(dtype):
        inferred = pd.api.types.infer_dtype(present, skipna=True)
        if inferred == "boolean":
            return Kind.BOOLEAN, "bool objects"
        if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):
            return _numeric_kind(series, present)
        if inferred in ("datetime", "datetime64", "date", "timedelta", "timedelta64"):
            return Kind.DATETIME, f"{inferred} objects"
    return _string_kind(present)


def _numeric_kind(series: pd.Series[Any], present: pd.Series[Any]) -> tuple[Kind, str]:
    distinct = present.unique()
    numbers = np.asarray(distinct, dtype=object if present.dtype == object else None)
    few = {float(value) for value in numbers} if len(distinct) <= FEW else None
    as_floats = pd.Series(present).to_numpy(dtype=np.float64, na_value=np.nan)
    whole = bool((np.isfinite(as_floats) & (as_floats == np.round(as_floats))).all())
    return number_kind(
        series.name,
        n_present=len(present),
        n_distinct=len(distinct),
        few=few,
        unique=len(distinct) == len(present),
        bounds=(int(min(present)), int(max(present))) if whole else None,
    )


def number_kind(
    name: object,
    *,
    n_present: int,
    n_distinct: int,
    few: set[float] | None,
    unique: bool,
    bounds: tuple[int, int] | None,
) -> tuple[Kind, str]:
    """Tell the kind of a column of numbers from what is known of them.

    Parameters
    ----------
    name : hashable
        Of the column.
    n_present, n_distinct : int
        Values that are not missing, and different ones.
    few : set of float or None
        The different values, where they are at most `FEW`.
    unique : bool
        Whether every value is different.
    bounds : tuple of int or None
        Smallest and largest value where all are whole numbers.

    Returns
    -------
    kind : Kind
    reason : str
    """
    if few == {0.0, 1.0}:
        return Kind.BOOLEAN, "0 and 1 only"
    if n_distinct == 2 and n_present >= ENOUGH_ROWS:
        return Kind.CATEGORICAL, "two distinct numbers"
    if bounds is None:
        return Kind.CONTINUOUS, "numbers with a fractional part"
    unique = unique and n_present >= ENOUGH_ROWS
    spread = bounds[1] - bounds[0]
    if spread >= 2**53:
        return Kind.IDENTIFIER, "whole numbers that spread too widely to be a measurement"
    if unique and spread + 1 == n_present:
        return Kind.IDENTIFIER, "every value is different, and they count through"
    if unique and NAMED_LIKE_AN_IDENTIFIER.search(str(name)):
        return Kind.IDENTIFIER, "every value is different, and the name says so"
    if 2 < n_distinct <= FEW and n_present >= ROWS_PER_CODE * n_distinct:
        return Kind.CATEGORICAL, f"{n_distinct} distinct whole numbers: codes"
    return Kind.INTEGER, "whole numbers"


def _string_kind(present: pd.Series[Any]) -> tuple[Kind, str]:
    try:
        n_distinct = int(present.nunique())
    except TypeError:
        return Kind.CATEGORICAL, "objects"
    types = set(map(type, present.iloc[:READ]))
    if types != {str}:
        names = ", ".join(sorted(kind.__name__ for kind in types))
        return Kind.CATEGORICAL, f"objects of type {names}"
    return string_kind(
        n_present=len(present), n_distinct=n_distinct, words=float(count_gaps(present[:READ]).mean()) + 1
    )


def count_gaps(texts: pd.Series[Any]) -> np.ndarray:
    """Return the number of gaps between words of every text."""
    return np.asarray(texts.astype(str).str.count(r"\s+"), dtype=np.int64)


def string_kind(*, n_present: int, n_distinct: int, words: float) -> tuple[Kind, str]:
    """Tell the kind of a column of strings from what is known of them.

    Parameters
    ----------
    n_present, n_distinct : int
        Values that are not missing, and different ones.
    words : float
        Words in the first `READ` values on average.

    Returns
    -------
    kind : Kind
    reason : str
    """
    share = n_distinct / n_present
    if share == 1 and n_present >= ENOUGH_ROWS and words <= 2:
        return Kind.IDENTIFIER, "every value is different"
    if n_present >= ENOUGH_ROWS and share > 0.5 and words >= 3:
        return Kind.TEXT, f"{share:.0%} of the values are different, {words:.0f} words each"
    if n_present >= 50 and share > 0.9 and n_distinct <= MAX_CATEGORIES:
        return Kind.TEXT, f"{share:.0%} of the values are different"
    return Kind.CATEGORICAL, f"{n_distinct} distinct strings"
