"""The one reader of columns that are written in a style, whatever carries them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.spelling.addresses import spelled_addresses
from makeweight.table.spelling.base import BLANKS, Spelling, any_match, by_distinct, texts_of
from makeweight.table.spelling.date_styles import spelled_dates
from makeweight.table.spelling.numbers import spelled_numbers
from makeweight.table.spelling.scientific import spelled_scientific

__all__ = ["Reading", "blanks_of", "may_be_dates", "read_spelled", "recognise", "texts_in"]

#: Values that are read before all of them are: most columns of text are told by their first values.
SAMPLE = 64
ROWS = 1_000
#: Whole numbers that may be dates without anything between: 202003, 20200314, 20200314150000.
DATE_LENGTHS = (6, 8, 14)
#: Digits of a time of day without anything between, as text: 0930.
CLOCK_LENGTH = 4
#: So many different whole numbers that all are dates are no chance.
ENOUGH_DATES = 13


@dataclass(frozen=True)
class Reading:
    """A column that is written in a style."""

    spelling: Spelling
    values: pd.Series  # Series of shape (n_rows,): int64, Float64 or datetime64
    blank: str | None = None  # the text that stands for a missing value
    note: str | None = None  # what was decided where the column alone does not tell


def read_spelled(series: pd.Series, kind: Kind | None = None, form: str | None = None) -> Reading | None:
    """Read a column of texts, or of whole numbers that are dates; None where it has no style that is known.

    >>> reading = read_spelled(pd.Series(["$1,037.50", "$12.00"]))
    >>> reading.values.tolist(), reading.spelling.write(pd.Series([999.5]))
    ([1037.5, 12.0], ['$999.50'])
    """
    if form is None and len(series) > ROWS:
        first = texts_of(texts_in(series.iloc[:ROWS]).dropna().unique()[:SAMPLE])
        first = first.filter(pc.invert(pc.is_in(first, pa.array(sorted(BLANKS), first.type))))
        if len(first) and recognise(first, kind, form) is None:
            return None
    series = texts_in(series)
    texts = texts_of(series.dropna().unique())
    blank = pc.is_in(texts, pa.array(sorted(BLANKS), texts.type))
    if not pc.any(pc.invert(blank)).as_py():
        return None
    present = texts.filter(pc.invert(blank))
    result = recognise(present, kind, form)
    if result is None:
        if form is not None:
            raise SchemaError(
                "the column is not written in this style",
                where=f"column {series.name!r}",
                got=repr(present[0].as_py()),
                expected=form,
                hint="a style of dates like %d/%m/%Y, or a number like 1.234,5",
            )
        return None
    spelling, note = result
    values = by_distinct(series, spelling.read)
    first_blank = texts.filter(blank)[0].as_py() if pc.any(blank).as_py() else None
    return Reading(spelling, values, first_blank, note)


def recognise(texts: pa.Array, kind: Kind | None = None, form: str | None = None) -> tuple[Spelling, str | None] | None:
    """Find the style of distinct texts, None where they have none that is known: every style has digits."""
    return _of(texts, kind, form) if form is not None or any_match(texts[:1], r"\d") else None


def _of(texts: pa.Array, kind: Kind | None, form: str | None) -> tuple[Spelling, str | None] | None:
    numeric = kind in (Kind.CONTINUOUS, Kind.INTEGER)
    if not numeric:
        digits = pc.min_max(pc.utf8_length(texts)).as_py() if pc.all(pc.ascii_is_decimal(texts)).as_py() else None
        chance = digits is not None and (
            digits["min"] not in (CLOCK_LENGTH, *DATE_LENGTHS) or len(texts) < ENOUGH_DATES
        )
        dates = None if chance and kind is None else spelled_dates(texts, stated=kind is Kind.DATETIME, form=form)
        if dates is not None or kind is Kind.DATETIME:
            return dates
    if form is not None and spelled_addresses(pa.array([form])) is not None:
        addresses = spelled_addresses(texts)
        return None if addresses is None else (addresses, None)
    numbers = spelled_numbers(texts, stated=numeric, integer=kind is Kind.INTEGER, form=form)
    if numbers is None and kind is not Kind.INTEGER and (scientific := spelled_scientific(texts)) is not None:
        return scientific, None
    if numbers is not None or numeric:
        return numbers
    addresses = spelled_addresses(texts)
    return None if addresses is None else (addresses, None)


def texts_in(series: pd.Series) -> pd.Series:
    """Return a series as it is, but whole numbers of any dtype as integers, which are written without a point."""
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_integer_dtype(series.dtype):
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(numbers)
        if (numbers[known] == np.round(numbers[known])).all() and (np.abs(numbers[known]) < 2**53).all():
            return pd.Series(pd.arrays.IntegerArray(np.nan_to_num(numbers).astype(np.int64), np.isnan(numbers)))
    return series


def blanks_of(column: Column, series: pd.Series) -> np.ndarray:
    """Tell which values are texts that stand for a missing value, in a column that has such texts."""
    if not isinstance(column.missing_value, str):
        return np.zeros(len(series), dtype=bool)
    return np.asarray(series.isin(BLANKS | {column.missing_value}), dtype=bool)


def may_be_dates(low: float, high: float) -> bool:
    """Tell whether whole numbers of a range may be dates without anything between."""
    return any(10 ** (length - 1) <= low and high < 10**length for length in DATE_LENGTHS)
