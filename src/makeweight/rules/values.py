"""Encoded columns as what they mean: numbers, dates, durations, truth values and texts that can be compared."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from makeweight.table import Column, Kind, Schema
from makeweight.table.kinds.datetime import is_duration

__all__ = ["Rule", "Values", "values_of"]

Meaning = Literal["number", "date", "duration", "truth", "text"]
#: Microseconds, the unit of dates and durations.
DAY = 86_400_000_000.0


@dataclass(frozen=True, eq=False)
class Values:
    """Values of one kind."""

    meaning: Meaning
    #: float64 (dates: microseconds since 1970 on the wall clock; truth: 0 or 1), or objects for text. One value stands
    #: for every row
    data: np.ndarray
    missing: np.ndarray  # of the shape of `data`


class Rule(Protocol):
    """What every accepted row obeys; a row that does not is rejected by the rule's name."""

    @property
    def reason(self) -> str:
        """Name in the ledger."""
        ...

    @property
    def columns(self) -> tuple[Hashable, ...]:
        """The columns that it reads."""
        ...

    def holds(self, values: Mapping[Hashable, Values]) -> np.ndarray:
        """Tell which rows obey it, shape (n,)."""
        ...


def values_of(column: Column, encoded: np.ndarray) -> Values:
    """Return what the codes of a column mean.

    `column`: learned, or a target or grouping attribute. `encoded` of shape (n,): as `makeweight.table.Table.encode`
    returns it.

    >>> from makeweight import Schema
    >>> schema = Schema.infer(pd.DataFrame({"paid": [True, False, True]}))
    >>> values = values_of(schema["paid"], np.array([1, 0, -1]))
    >>> values.meaning, values.data.tolist(), values.missing.tolist()
    ('truth', [1.0, 0.0, 0.0], [False, False, True])
    """
    if column.kind.is_coded:
        missing = encoded < 0
        meaning, levels = _levels(column)
        data = levels[np.where(missing, 0, encoded)] if len(levels) else np.zeros(len(encoded))
        return Values(meaning, data, missing)
    missing = np.isnan(encoded)
    data = column.origin + np.where(missing, 0.0, encoded) * column.step
    if column.kind is not Kind.DATETIME:
        return Values("number", data, missing)
    return Values("duration" if is_duration(column.dtype, column.python_type) else "date", data, missing)


def _levels(column: Column) -> tuple[Meaning, np.ndarray]:
    categories: pd.Index = column.categories  # type: ignore[assignment]
    values = categories.tolist()
    if values and all(isinstance(value, bool | np.bool_) for value in values):
        return "truth", np.array(values, dtype=np.float64)
    if values and all(isinstance(value, int | float | np.number) for value in values):
        numbers = np.array(values, dtype=np.float64)
        return ("truth" if column.kind is Kind.BOOLEAN and set(numbers) <= {0.0, 1.0} else "number"), numbers
    return "text", np.array([str(value) for value in values], dtype=object)


def microseconds(value: Any, meaning: Meaning) -> float:
    """Return a date on the wall clock, or a duration, in microseconds.

    >>> microseconds("1970-01-02", "date") == microseconds("1 day", "duration") == DAY
    True
    """
    read: Any = pd.Timestamp(value).tz_localize(None) if meaning == "date" else pd.Timedelta(value)
    return float(read.as_unit("us").to_numpy().astype(np.int64))


def kept_columns(schema: Schema) -> dict[Hashable, str]:
    """Return the columns that no rule can be about, each with what is written into it."""
    grouping = set(schema.group_columns)
    return {
        column.name: "fresh values" if column.kind is Kind.IDENTIFIER else "text of a real row"
        for column in schema.columns
        if column.name not in grouping and not column.kind.is_learned
    }
