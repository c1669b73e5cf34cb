"""Which kind is a column, and why: the rules, in the order in which they are asked."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.column import MAX_CATEGORIES, Column, Kind
from makeweight.table.kinds import codec, datetime
from makeweight.table.kinds._values import dense, first_missing, floats, is_arrow_text, missing_mask, python_type_of
from makeweight.table.kinds.identifier import check_of
from makeweight.table.kinds.integer import is_epoch
from makeweight.table.spelling.amounts import amounts
from makeweight.table.spelling.reader import Reading, may_be_dates, read_spelled, texts_in

__all__ = ["FEW", "READ", "infer_column", "looks_of", "number_kind", "string_kind", "warnings_of"]

FEW = 10
#: Share of words, at most, among dates or numbers.
FEW_WORDS = 0.05
ROWS_PER_CODE = 10
ENOUGH_ROWS = 10
#: Strings that are read to see how many words they have.
READ = 1000
NAMED_LIKE_AN_IDENTIFIER = re.compile(r"(?i:(^|[_\W])(id|uuid|guid|key|index|rowid|no|nr))$|[a-z]I[dD]$")


def infer_column(
    series: pd.Series, kind: Kind | None = None, reason: str = "declared", form: str | None = None
) -> Column:
    """Find the kind of a column and describe it.

    `series`: a real column, with its name. `kind`: given where the user or the role of the column decides. `reason`:
    why, where `kind` is given. `form`: the style of its dates or numbers, where the user states it.

    >>> infer_column(pd.Series([0, 1, 1, 0], name="smoker")).reason
    '0 and 1 only'
    >>> infer_column(pd.Series(["14/03/2020", "2/11/2020"], name="day")).reason
    'dates written %-d/%m/%Y'
    """
    original, series = series, dense(series)
    reading = _reading(series, kind, form)
    foreign = None
    if kind is None:
        kind, reason = _kind_of(series) if reading is None else _spelled_kind(series, reading)
        if kind in (Kind.TEXT, Kind.IDENTIFIER) and _is_text(series):
            foreign = _but_for_a_few(series)
            kind = kind if foreign is None else Kind.TEXT
    if reading is None or not kind.is_numeric:
        rare = kind in (Kind.CONTINUOUS, Kind.INTEGER) and isinstance(original.dtype, np.dtype)
        column = codec(kind).describe(original if rare else series, reason)  # its width tells its decimals
    else:
        named: pd.Series = reading.values.copy(deep=False)
        named.name = series.name
        typed = codec(kind).describe(named, reason)
        column = replace(
            typed,
            dtype=series.dtype,
            spelling=reading.spelling,
            python_type=python_type_of(series, missing_mask(series)),
            missing_value=first_missing(series, missing_mask(series)) if reading.blank is None else reading.blank,
            warnings=(*typed.warnings, *([reading.note.replace("COL", str(series.name))] if reading.note else [])),
        )
    more = () if foreign is None else (foreign,)
    return replace(column, warnings=(*column.warnings, *warnings_of(column), *more))


def _but_for_a_few(series: pd.Series) -> str | None:
    """Say in what style a column is written but for a few words, such as "unknown"; None where there are none."""
    present = series[~missing_mask(series)].astype(str)
    words = ~present.str.contains(r"\d", regex=True).to_numpy(dtype=bool)
    n = int(words.sum())
    if not 0 < n <= FEW_WORDS * len(present):
        return None
    reading = read_spelled(present[~words])
    if reading is None:
        return None
    named = present[words].unique()
    shown = ", ".join(repr(str(word)) for word in named[:3])
    rows = f"{n:,} row{'s' * (n > 1)}"
    return f"but for {shown} ({rows}) {reading.spelling.what}: --missing {shlex.quote(str(named[0]))} reads them so"


def _reading(series: pd.Series, kind: Kind | None, form: str | None) -> Reading | None:
    if kind is not None and not kind.is_numeric:
        return None
    dtype = series.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        if kind not in (None, Kind.DATETIME):
            return None
        if pd.api.types.is_complex_dtype(dtype) or not series.notna().any():
            return None
        low, high = series.min(), series.max()
        if not low < high or not may_be_dates(low, high):
            return None
        if not pd.api.types.is_integer_dtype(texts_in(series).dtype):
            return None
        reading = read_spelled(series, Kind.DATETIME if kind else None, form)
        is_date = reading is not None and pd.api.types.is_datetime64_any_dtype(reading.values.dtype)
        return reading if is_date else None
    return read_spelled(series, kind, form) if _is_text(series) else None


def _is_text(series: pd.Series) -> bool:
    if series.dtype == object:
        return python_type_of(series, missing_mask(series)) is str
    return isinstance(series.dtype, pd.StringDtype) or is_arrow_text(series.dtype)


def _spelled_kind(series: pd.Series, reading: Reading) -> tuple[Kind, str]:
    """Return the kind of a column that was read from texts."""
    values, what = reading.values, reading.spelling.what
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return Kind.DATETIME, what
    present = values.dropna()
    if what == "IPv4 addresses":
        repeated = present.nunique() <= len(present) / 2
        return (Kind.CATEGORICAL if repeated else Kind.INTEGER), what
    kind, reason = _numeric_kind(series, present)
    return (kind, reason) if reading.spelling.form.isdecimal() else (kind, f"{reason}, {what}")


def warnings_of(column: Column) -> list[str]:
    """Return what a user should know before relying on a column."""
    if column.n_rows and column.n_missing == column.n_rows:
        return ["every value is missing: synthetic values are missing too"]
    if column.n_states == 1 and column.n_rows > 1:
        return ["constant: synthetic rows get the same value"]
    if column.kind is Kind.IDENTIFIER:
        return ["identifier: carries no information, is not learned, and synthetic rows get fresh values"]
    if column.kind is Kind.TEXT:
        return ["free text: only language models write it, other generators keep a real row's text"]
    return []


def _kind_of(series: pd.Series) -> tuple[Kind, str]:
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
        if inferred == "mixed" and all(isinstance(value, np.number) for value in present):
            return _numeric_kind(series, present)
        if inferred == "boolean":
            return Kind.BOOLEAN, "bool objects"
        if inferred in ("integer", "floating", "mixed-integer-float", "decimal"):
            return _numeric_kind(series, present)
        if inferred in ("datetime", "datetime64", "date", "timedelta", "timedelta64"):
            return Kind.DATETIME, f"{inferred} objects"
    return _string_kind(present)


def _numeric_kind(series: pd.Series, present: pd.Series) -> tuple[Kind, str]:
    distinct = present.unique()
    as_floats = floats(present)
    whole = bool((np.isfinite(as_floats) & (as_floats == np.round(as_floats))).all())
    is_float = pd.api.types.is_float_dtype(present.dtype) or python_type_of(present, missing_mask(present)) is float
    if whole and is_float and np.abs(as_floats).max() > 2**53:
        whole = False  # a float that large has no digits to count by
    bounds = (int(min(present)), int(max(present))) if whole else None
    step = 1
    if bounds is not None and bounds[1] - bounds[0] >= 2**53:
        step = math.gcd(*(int(value) - bounds[0] for value in distinct))
    unique = len(distinct) == len(present)
    if unique and bounds is not None and len(present) >= ENOUGH_ROWS:
        first = [str(int(value)) for value in distinct[:READ]]
        check = check_of(first) and check_of([str(int(value)) for value in distinct])
        if check is not None:
            return Kind.IDENTIFIER, f"every value is different, and ends in a check digit ({check})"
    return number_kind(
        series.name,
        n_present=len(present),
        n_distinct=len(distinct),
        few={float(value) for value in distinct} if len(distinct) <= FEW else None,
        unique=unique,
        bounds=bounds,
        step=step,
    )


def number_kind(
    name: object,
    *,
    n_present: int,
    n_distinct: int,
    few: set[float] | None,
    unique: bool,
    bounds: tuple[int, int] | None,
    step: int = 1,
) -> tuple[Kind, str]:
    """Tell the kind of a column of numbers from what is known of them.

    `name`: of the column. `n_present`, `n_distinct`: values that are not missing, and different ones. `few`: the
    different values, where they are at most `FEW`. `unique`: whether every value is different. `bounds`: smallest and
    largest value where all are whole numbers. `step`: what divides all differences.
    """
    if few == {0.0, 1.0}:
        return Kind.BOOLEAN, "0 and 1 only"
    if n_distinct == 2 and n_present >= ENOUGH_ROWS:
        return Kind.CATEGORICAL, "two distinct numbers"
    if bounds is None:
        return Kind.CONTINUOUS, "numbers with a fractional part"
    unique = unique and n_present >= ENOUGH_ROWS
    spread = bounds[1] - bounds[0]
    if unique and spread + 1 == n_present:
        return Kind.IDENTIFIER, "every value is different, and they count through"
    if unique and NAMED_LIKE_AN_IDENTIFIER.search(str(name)):
        return Kind.IDENTIFIER, "every value is different, and the name says so"
    if 2 < n_distinct <= FEW and n_present >= ROWS_PER_CODE * n_distinct:
        return Kind.CATEGORICAL, f"{n_distinct} distinct whole numbers: codes"
    if spread // step >= 2**53 and n_distinct <= min(n_present / 2, MAX_CATEGORIES):
        return Kind.CATEGORICAL, f"{n_distinct} distinct whole numbers, too far apart to be a measurement: codes"
    if is_epoch(bounds):
        return Kind.INTEGER, "whole numbers, as nanoseconds since 1970"
    if spread // step >= 2**53:
        return Kind.IDENTIFIER, "whole numbers that spread too widely to be a measurement"
    return Kind.INTEGER, "whole numbers"


def _string_kind(present: pd.Series) -> tuple[Kind, str]:
    try:
        n_distinct = int(present.nunique())
    except TypeError:
        return Kind.CATEGORICAL, "objects"
    types = set(map(type, present.iloc[:READ]))
    if (
        types == {str}
        and n_distinct == 2
        and {str(value).casefold() for value in present.unique()} == {"false", "true"}
    ):
        return Kind.BOOLEAN, "true and false"
    if types != {str}:
        names = ", ".join(sorted(kind.__name__ for kind in types))
        return Kind.CATEGORICAL, f"objects of type {names}"
    first = present[: READ if n_distinct > len(present) / 2 else 0]  # how repeated strings look plays no part
    return string_kind(present.name, n_present=len(present), n_distinct=n_distinct, looks=looks_of(first))


def looks_of(texts: pd.Series) -> np.ndarray:
    """Return the number of gaps between words of every text, and whether it holds `amounts`, (n, 2)."""
    gaps = texts.astype(str).str.count(r"\s+")
    return np.stack([np.asarray(gaps, dtype=np.int64), amounts(texts)], axis=1)


def string_kind(name: object, *, n_present: int, n_distinct: int, looks: np.ndarray) -> tuple[Kind, str]:
    """Tell the kind of a column of strings from what is known of them, and the looks of its first `READ` values."""
    share = n_distinct / n_present
    if share <= 0.5:
        return Kind.CATEGORICAL, f"{n_distinct} distinct strings"
    words = float(looks[:, 0].mean()) + 1
    if share == 1 and n_present >= ENOUGH_ROWS and words <= 2:
        mean_something = (looks[:, 1] > 0).mean() >= 1 - FEW_WORDS and (looks[:, 1] == 2).mean() >= 0.5
        if mean_something and not NAMED_LIKE_AN_IDENTIFIER.search(str(name)):
            return Kind.TEXT, "numbers, dates or addresses, not all in one style that is known"
        return Kind.IDENTIFIER, "every value is different"
    if n_present >= ENOUGH_ROWS and words >= 3:
        return Kind.TEXT, f"{share:.0%} of the values are different, {words:.0f} words each"
    if n_present >= 50 and share > 0.9 and n_distinct <= MAX_CATEGORIES:
        return Kind.TEXT, f"{share:.0%} of the values are different"
    return Kind.CATEGORICAL, f"{n_distinct} distinct strings"
