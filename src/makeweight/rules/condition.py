"""Conditions: what one column of the rows that are asked for has to be."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import OptionError, nearest
from makeweight.rules.values import Meaning, Values, kept_columns, microseconds, values_of
from makeweight.table import Column, Kind, Schema
from makeweight.table.kinds import codec

__all__ = ["Condition", "read_conditions"]

EXAMPLE = "where={'age': (18, 30), 'city': ['Rome', 'Oslo'], 'paid': 'yes'}"


@dataclass(frozen=True, eq=False)
class Condition:
    """The values that a column may have."""

    column: Column
    values: tuple[Any, ...] = ()  # as `Values.data` has them; empty for a range
    #: of a range, ends included
    low: float = -math.inf
    high: float = math.inf
    missing: bool = False  # whether a missing value is one of them

    @property
    def reason(self) -> str:
        """Name in the ledger."""
        return f"where: {self.column.name}"

    @property
    def columns(self) -> tuple[Hashable, ...]:
        """The column that it reads."""
        return (self.column.name,)

    def holds(self, values: Mapping[Hashable, Values]) -> np.ndarray:
        """Tell which rows obey it, shape (n,)."""
        given = values[self.column.name]
        if self.values or self.missing:
            allowed = np.zeros(len(given.data), dtype=bool)
            for value in self.values:
                allowed |= _equal(given, value)
        else:
            allowed = (given.data >= self.low) & (given.data <= self.high)
        return np.asarray(np.where(given.missing, self.missing, allowed), dtype=bool)

    def allows(self, numbers: np.ndarray) -> np.ndarray:
        """Tell which encoded values it allows: codes or numbers as float64, NaN for missing."""
        coded = self.column.kind.is_coded
        encoded = np.where(np.isnan(numbers), -1, numbers).astype(np.int32) if coded else numbers
        return self.holds({self.column.name: values_of(self.column, encoded)})

    @property
    def exact(self) -> float | None:
        """The one encoded value that it allows; None where there are others, or it is missing."""
        if self.missing:
            return None
        if self.column.kind.is_coded:
            states = np.arange(self.column.n_distinct)
            allowed = states[self.holds({self.column.name: values_of(self.column, states)})]
            return float(allowed[0]) if len(allowed) == 1 else None
        if len(self.values) != 1:
            return None
        return float((self.values[0] - self.column.origin) / self.column.step)


def read_conditions(where: Mapping[Any, Any], schema: Schema) -> dict[Hashable, Condition]:
    """Return conditions by column.

    `where`: an end of a range that is None is open. None, or a NaN, stands for a missing value.

    >>> schema = Schema.infer(pd.DataFrame({"age": [18, 25, 31, 70], "city": ["Rome", "Oslo", "Rome", "Rome"]}))
    >>> conditions = read_conditions({"age": (20, 40), "city": "Oslo"}, schema)
    >>> conditions["age"].allows(np.array([18.0, 25.0])).tolist(), conditions["city"].exact
    ([False, True], 0.0)
    """
    if not isinstance(where, Mapping):
        raise OptionError(
            "where is no mapping", got=repr(where)[:80], expected="column to what it has to be", hint=EXAMPLE
        )
    kept, conditions = kept_columns(schema), {}
    for name, wanted in where.items():
        column = schema[name]
        if name in kept:
            raise OptionError(
                "where is about a column that is not learned",
                where=f"{column.label}, {column.kind.value}",
                got=kept[name],
                hint=f"state what the column is: kinds={{{name!r}: 'categorical'}}",
            )
        conditions[name] = _read(column, wanted)
    return conditions


def _read(column: Column, wanted: Any) -> Condition:
    if isinstance(wanted, tuple) and len(wanted) == 2:
        return _range(column, *wanted)
    several = list(wanted) if isinstance(wanted, list | tuple | set | frozenset | np.ndarray | pd.Index) else [wanted]
    if not several:
        raise OptionError("where allows no value", where=column.label, hint=EXAMPLE)
    missing = [_is_missing(value) for value in several]
    if any(missing) and not column.n_missing:
        raise OptionError("the column has no missing values", where=column.label, got=repr(wanted)[:80])
    values = tuple(_value(column, value) for value, gone in zip(several, missing, strict=True) if not gone)
    return Condition(column, values, missing=any(missing))


def _range(column: Column, low: Any, high: Any) -> Condition:
    meaning = _meaning(column)
    if meaning == "text":
        raise OptionError("a range needs numbers or dates", where=column.label, got=repr((low, high)), hint=EXAMPLE)
    ends = [
        end if given is None else _number(column, given, meaning) for given, end in ((low, -math.inf), (high, math.inf))
    ]
    least, most = _observed(column)
    if ends[0] > ends[1] or ends[0] > most or ends[1] < least:
        raise OptionError(
            "no row lies in the range",
            where=column.label,
            got=f"{low} to {high}",
            expected=f"a range within {_shown(column, least)} to {_shown(column, most)}",
        )
    return Condition(column, low=ends[0], high=ends[1])


def _value(column: Column, value: Any) -> Any:
    """Return a value as `Values.data` has it; refuse one that the column cannot have."""
    if column.kind.is_coded:
        codes, rejects = codec(column.kind).check(column, pd.Series([value], dtype=object))
        if rejects or codes[0] < 0:
            known = column.categories.tolist() if column.categories is not None else []
            raise OptionError(
                "the column has no such value", where=column.label, got=repr(value), hint=nearest(str(value), known)
            )
        return values_of(column, codes).data[0]
    number = _number(column, value, _meaning(column))
    encoded = np.array([(number - column.origin) / column.step])
    rounded = encoded if column.decimals is None else np.round(encoded, column.decimals)
    least, most = _observed(column)
    if not (least <= number <= most and np.isclose(encoded, rounded, rtol=1e-9, atol=1e-9).all()):
        raise OptionError(
            "the column has no such value",
            where=column.label,
            got=repr(value),
            expected=f"a value from {_shown(column, least)} to {_shown(column, most)}"
            + ("" if column.decimals is None else ", as fine as those of the column"),
        )
    return float(column.origin + rounded[0] * column.step)


def _number(column: Column, value: Any, meaning: Meaning) -> float:
    """Return a number, or the microseconds of a date or a duration."""
    try:
        if meaning in ("date", "duration"):
            return microseconds(value, meaning)
        if column.spelling is not None and isinstance(value, str):
            encoded = codec(column.kind).encode(column, pd.Series([value], dtype=object))
            if not np.isnan(encoded[0]):
                return float(column.origin + encoded[0] * column.step)
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise OptionError(f"not a {meaning}", where=column.label, got=repr(value), hint=EXAMPLE)
    return number


def _meaning(column: Column) -> Meaning:
    empty = np.empty(0, dtype=np.int32 if column.kind.is_coded else np.float64)
    return values_of(column, empty).meaning


def _observed(column: Column) -> tuple[float, float]:
    if column.kind.is_coded:
        levels = values_of(column, np.arange(column.n_distinct)).data
        return float(levels.min()), float(levels.max())
    low, high = (math.nan if end is None else end for end in (column.low, column.high))
    return column.origin + low * column.step, column.origin + high * column.step


def _shown(column: Column, number: float) -> str:
    if column.kind is not Kind.DATETIME:
        return f"{number:g}"
    unit = "timedelta64[us]" if _meaning(column) == "duration" else "datetime64[us]"
    return str(pd.Series(np.array([int(number)]).astype(unit)).iloc[0])


def _equal(values: Values, wanted: Any) -> np.ndarray:
    if values.meaning == "text":
        return np.asarray(values.data == wanted)
    return np.asarray(np.isclose(values.data, wanted, rtol=1e-12, atol=0.0))


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value))
