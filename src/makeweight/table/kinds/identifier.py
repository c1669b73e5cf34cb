"""Names of rows: never learned; synthetic rows get fresh ones that no real row has."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd

import makeweight.table.kinds.text as text
from makeweight.errors import SchemaError
from makeweight.table.column import Column, Kind
from makeweight.table.kinds._values import is_decimal, missing_mask, python_type_of, to_dtype
from makeweight.table.kinds.name_shape import ENOUGH, NameShape, common

__all__ = ["check_of", "fresh", "shaped"]

ROUNDS = 20
#: Rounds within the bounds of the real names' numbers, before the bounds are widened.
WITHIN_BOUNDS = 10
#: Names drawn for each that is missing after the first round.
AGAIN = 4
ENOUGH_TO_COUNT = 10
DIGIT_VALUES = {character: str(value) for value, character in enumerate("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


def describe(series: pd.Series, reason: str) -> Column:
    """Read missing values off a real column and see that fresh values can be made.

    Raises SchemaError when values are neither whole numbers, strings nor UUIDs.
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


def fresh(column: Column, real: pd.Series, n: int, rng: np.random.Generator) -> pd.Series:
    """Make `n` identifiers that differ from each other and from the real ones.

    Whole numbers go on after the largest, and so do numbers behind a fixed prefix. Other strings keep the shape of
    real ones (`NameShape`: a number stays within its bounds, a letter a letter, and what all have in common stays), and
    get a suffix where that leaves too few. Check digits are right where they are right in the real column.

    `real`: the real column. Returns shape (n,), with the dtype of the real column.
    """
    present = real[~missing_mask(real)]
    if _holds_numbers(real):
        return _next_numbers(column, present, n, rng)
    if _type(real) is uuid.UUID:
        values: list[Any] = [uuid.UUID(value) for value in _like([str(value) for value in present], n, rng)]
    else:
        values = _like(present.astype(str).tolist(), n, rng)
    return to_dtype(column, pd.Series(values, dtype=object))


def _type(series: pd.Series) -> type | None:
    return python_type_of(series.astype(object), missing_mask(series))


def _holds_numbers(series: pd.Series) -> bool:
    if pd.api.types.is_integer_dtype(series.dtype):
        return True
    present = series[~missing_mask(series)]
    if pd.api.types.is_float_dtype(series.dtype):
        return bool((present == present.round()).all())
    is_number = is_decimal(series.dtype) or (series.dtype == object and _is_number(_type(series)))
    return is_number and all(value == int(value) for value in present)


def _is_number(kind: type | None) -> bool:
    return kind is not None and issubclass(kind, int | float | Decimal | np.number) and kind is not bool


def _next_numbers(column: Column, present: pd.Series, n: int, rng: np.random.Generator) -> pd.Series:
    taken = {int(value) for value in present}
    texts = [str(value) for value in taken]
    numbers: list[int] = list(range(max(taken, default=0) + 1, max(taken, default=0) + 1 + n))
    if check_of(texts) is not None:
        numbers = [int(value) for value in _like(texts, n, rng)]
    dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
    if isinstance(dtype, np.dtype) and dtype.kind in "iu" and n and max(numbers) > np.iinfo(dtype).max:
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
    kind: Any = Decimal if is_decimal(column.dtype) else _type(present) if column.dtype == object else int
    return to_dtype(column, pd.Series([(kind or int)(number) for number in numbers], dtype=object))


def _like(real: list[str], n: int, rng: np.random.Generator) -> list[str]:
    taken = dict.fromkeys(real)
    n_real = len(taken)
    taken.update(dict.fromkeys(_counted_on(list(taken), n)))
    if real and len(taken) < n_real + n:
        shape = NameShape.of(real)
        for turn in range(ROUNDS):
            widen = 2 ** max(0, turn + 1 - WITHIN_BOUNDS)
            missing = n_real + n - len(taken)
            taken.update(dict.fromkeys(shaped(shape, missing if turn == 0 else AGAIN * missing, rng, widen)))
            if len(taken) >= n_real + n:
                break
    number = 0
    while len(taken) < n_real + n:
        number += 1
        taken[f"{real[number % len(real)] if real else 'row'}-{number}"] = None
    return list(islice(taken, n_real, n_real + n))


def _counted_on(real: list[str], n: int) -> Iterable[str]:
    """Return names that go on counting, where the real ones are a fixed text around a number that counts."""
    if len(real) < ENOUGH_TO_COUNT or check_of(real) is not None:
        return ()
    prefix = re.sub(r"\d+$", "", real[0][: common(real)])
    suffix = re.sub(r"^\d+", "", real[0][len(real[0]) - common([value[::-1] for value in real]) :])
    inner = [value[len(prefix) : len(value) - len(suffix)] for value in real]
    if not all(number.isdecimal() and number.isascii() for number in inner):
        return ()
    numbers = [int(number) for number in inner]
    if len(set(numbers)) < len(real) or max(numbers) - min(numbers) >= 2 * len(real):
        return ()
    width = min(map(len, inner)) if any(number[0] == "0" for number in inner) else 0
    return [f"{prefix}{number:0{width}d}{suffix}" for number in range(max(numbers) + 1, max(numbers) + 1 + n)]


def shaped(shape: NameShape, n: int, rng: np.random.Generator, widen: int = 1) -> list[str]:
    """Draw `n` strings of the shape of real ones; check digits that are right in all real ones are right in them."""
    values = shape.draw(n, rng, widen)
    check = check_of(shape.real)
    return values if check is None else [_CHECKS[check][1](value) for value in values]


def check_of(texts: Sequence[str]) -> str | None:
    """Return the name of the check digits that all texts end in (or begin with, in an IBAN), None where there are none.

    >>> check_of([_CHECKS["Luhn"][1](f"{4_000_000_000 + 7 * i}0") for i in range(30)])
    'Luhn'
    """
    if len(texts) < ENOUGH:
        return None
    for name, (valid, _) in _CHECKS.items():
        if all(map(valid, texts)):
            return name
    return None


def _luhn(digits: str) -> int:
    """Return the Luhn sum of digits that have their check digit, 0 modulo 10 where it is right."""
    odd = sum(int(digit) for digit in digits[::-2])
    return odd + sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])


def _ean(digits: str) -> int:
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))


def _digits_of(value: str) -> str:
    return re.sub(r"[ -]", "", value)


def _with_last(value: str, digit: str) -> str:
    return value[:-1] + digit


def _iban(value: str) -> int:
    plain = _digits_of(value)
    return int("".join(DIGIT_VALUES[character] for character in plain[4:] + plain[:4])) % 97


def _iban_repaired(value: str) -> str:
    return value[:2] + f"{98 - _iban(value[:2] + '00' + value[4:]):02d}" + value[4:]


def _mod97(value: str) -> int:
    return int(_digits_of(value)) % 97


def _isbn10(value: str) -> int:
    return sum((10 if c == "X" else int(c)) * (10 - i) for i, c in enumerate(_digits_of(value))) % 11


def _isbn10_repaired(value: str) -> str:
    digit = -_isbn10(_with_last(value, "0")) % 11
    return _with_last(value, "X" if digit == 10 else str(digit))


def _is_digits(value: str, least: int, most: int) -> bool:
    plain = _digits_of(value)
    return plain.isdecimal() and plain.isascii() and least <= len(plain) <= most and value[-1].isdecimal()


#: Name of a check to what tells whether a text passes it, and what makes it pass.
_CHECKS: dict[str, tuple[Callable[[str], bool], Callable[[str], str]]] = {
    "IBAN": (lambda v: re.fullmatch(r"[A-Z]{2}\d\d[ A-Z0-9]{8,36}", v) is not None and _iban(v) == 1, _iban_repaired),
    "Luhn": (
        lambda v: _is_digits(v, 8, 24) and _luhn(_digits_of(v)) % 10 == 0,
        lambda v: _with_last(v, str(-_luhn(_digits_of(_with_last(v, "0"))) % 10)),
    ),
    "EAN": (
        lambda v: _is_digits(v, 8, 14) and _ean(_digits_of(v)) % 10 == 0,
        lambda v: _with_last(v, str(-_ean(_digits_of(_with_last(v, "0"))) % 10)),
    ),
    "ISBN-10": (
        lambda v: re.fullmatch(r"[\d-]{9,12}[\dX]", v) is not None and len(_digits_of(v)) == 10 and _isbn10(v) == 0,
        _isbn10_repaired,
    ),
    "mod 97": (
        lambda v: _is_digits(v, 8, 24) and v[-2:].isdecimal() and _mod97(v) == 1,
        lambda v: v[:-2] + f"{(1 - _mod97(v[:-2] + '00')) % 97:02d}",
    ),
}
