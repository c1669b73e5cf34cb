"""Names of rows: never learned; synthetic rows get fresh ones that no real row has."""

from __future__ import annotations

import uuid
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd

import makeweight.table.kinds.text as text
from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._values import missing_mask, python_type_of, to_dtype

ROUNDS = 20


def describe(series: pd.Series[Any], reason: str) -> Column:
    """Read missing values off a real column and see that fresh values can be made.

    Raises
    ------
    SchemaError
        When values are neither whole numbers, strings nor UUIDs.
    """
    column = text.describe(series, reason, kind=Kind.IDENTIFIER)
    if not _holds_numbers(series) and _type(series) not in (str, uuid.UUID):
        raise SchemaError(
            "identifiers are whole numbers, strings or UUIDs",
            where=column.label,
            got=str(series.dtype),
            hint=f"--kind {series.name}=categorical, or drop the column",
        )
    return column


def fresh(column: Column, real: pd.Series[Any], n: int, rng: np.random.Generator) -> pd.Series[Any]:
    """Make `n` identifiers that differ from each other and from the real ones.

    Whole numbers go on after the largest; strings keep the shape of real ones (a digit stays a digit, a
    letter a letter of the same case), and get a suffix where that leaves too few.

    Parameters
    ----------
    column : Column
    real : Series
        The real column.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    Series of shape (n,)
        With the dtype of the real column.
    """
    present = real[~missing_mask(real)]
    if _holds_numbers(real):
        return _next_numbers(column, present, n)
    if _type(real) is uuid.UUID:
        values: list[Any] = [uuid.UUID(bytes=rng.bytes(16), version=4) for _ in range(n)]
    else:
        values = _like(present.astype(str).tolist(), n, rng)
    return to_dtype(column, pd.Series(values, dtype=object))


def _type(series: pd.Series[Any]) -> type | None:
    return python_type_of(series.astype(object), missing_mask(series))


def _holds_numbers(series: pd.Series[Any]) -> bool:
    present = series[~missing_mask(series)]
    if pd.api.types.is_integer_dtype(series.dtype):
        return True
    if pd.api.types.is_float_dtype(series.dtype):
        return bool((present == present.round()).all())
    return series.dtype == object and _type(series) is int


def _next_numbers(column: Column, present: pd.Series[Any], n: int) -> pd.Series[Any]:
    taken = {int(value) for value in present}
    first = max(taken, default=0) + 1
    numbers: list[int] = list(range(first, first + n))
    dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
    if dtype.kind in "iu" and n and numbers[-1] > np.iinfo(dtype).max:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        free = (value for value in chain(range(high + 1), range(-1, low - 1, -1)) if value not in taken)
        numbers = list(islice(free, n))
        if len(numbers) < n:
            raise SchemaError(
                "no room for fresh identifiers",
                where=column.label,
                got=f"{n} wanted",
                expected=f"at most {len(numbers)} more in {dtype}",
                hint="use a wider integer dtype",
            )
    return to_dtype(column, pd.Series(numbers, dtype=object))


def _like(real: list[str], n: int, rng: np.random.Generator) -> list[str]:
    taken = dict.fromkeys(real)
    n_real = len(taken)
    for _ in range(ROUNDS if real else 0):
        if len(taken) == n_real + n:
            break
        taken.update(dict.fromkeys(shaped(real, n_real + n - len(taken), rng)))
    number = 0
    while len(taken) < n_real + n:
        number += 1
        taken[f"{real[number % len(real)] if real else 'row'}-{number}"] = None
    return list(islice(taken, n_real, None))


def shaped(real: list[str], n: int, rng: np.random.Generator) -> list[str]:
    """Draw `n` strings whose characters are of the same class, position by position, as a real string's.

    Parameters
    ----------
    real : list of str
        One or more.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    list of str
        Not all different.
    """
    templates = np.array(real, dtype=np.str_)[rng.integers(0, len(real), n)]
    width = max(1, templates.dtype.itemsize // 4)
    letters = np.ascontiguousarray(templates).view(np.uint32).reshape(n, width).copy()
    hexadecimal = all(set(value.casefold()) <= set("0123456789abcdef-") for value in real)
    for first, last in (("0", "9"), ("a", "f" if hexadecimal else "z"), ("A", "F" if hexadecimal else "Z")):
        here = (letters >= ord(first)) & (letters <= ord(last))
        letters[here] = rng.integers(ord(first), ord(last) + 1, int(here.sum()), dtype=np.uint32)
    return [str(value) for value in letters.view(f"U{width}").ravel()]
