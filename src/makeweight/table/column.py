"""What is known of one column: its kind, why it was taken for that, and the values it can have."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import OptionError, nearest
from makeweight.table.spelling.base import Spelling

__all__ = ["MAX_CATEGORIES", "Column", "Kind", "stated_form"]

#: More distinct values than this make a column text or an identifier, not a category.
MAX_CATEGORIES = 100_000


class Kind(StrEnum):
    """How the values of a column are read, checked and written."""

    CONTINUOUS = "continuous"
    INTEGER = "integer"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    IDENTIFIER = "identifier"

    @classmethod
    def parse(cls, name: str) -> Kind:
        """Return the kind called `name`.

        A style may stand behind a colon; `stated_form` returns it.

        Raises
        ------
        OptionError
            When there is no kind of that name.

        Examples
        --------
        >>> Kind.parse("integer"), Kind.parse("datetime:%d/%m/%Y")
        (<Kind.INTEGER: 'integer'>, <Kind.DATETIME: 'datetime'>)
        """
        try:
            return cls(name.partition(":")[0])
        except ValueError:
            raise OptionError(
                "unknown kind of column", got=repr(name), hint=nearest(name, [kind.value for kind in cls])
            ) from None

    @property
    def is_numeric(self) -> bool:
        """Whether values are encoded as float64 with NaN for missing."""
        return self in (Kind.CONTINUOUS, Kind.INTEGER, Kind.DATETIME)

    @property
    def is_coded(self) -> bool:
        """Whether values are encoded as int32 positions in the categories with -1 for missing."""
        return self in (Kind.CATEGORICAL, Kind.BOOLEAN)

    @property
    def is_learned(self) -> bool:
        """Whether generators learn columns of this kind; text and identifiers are not learned."""
        return self.is_numeric or self.is_coded


def stated_form(kind: str) -> str | None:
    """Return the style that a stated kind names: ``%d/%m/%Y`` of ``datetime:%d/%m/%Y``; None without one."""
    return kind.partition(":")[2] or None


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a schema."""

    name: Hashable  # as in the frame
    kind: Kind
    dtype: Any  # as in the frame; synthetic values come back with it
    reason: str  # why the column was taken for its kind
    #: rows, missing values, and distinct values that are not missing
    n_rows: int
    n_missing: int
    n_distinct: int
    #: observed range, in the units of `encode`; numeric kinds only
    low: float | None = None
    high: float | None = None
    decimals: int | None = None  # number of decimals of the observed values; None where there is no such number
    grid: int = 1  # numbers are multiples of so many units of the last decimal: 5 where prices end in 0 or 5
    categories: pd.Index | None = None  # observed values of a categorical or boolean column
    #: an integer or a datetime is encoded as (value - origin) / step
    origin: int = 0
    step: int = 1
    python_type: type | None = None  # type of the values of a column of Python objects
    missing_value: Any = None  # what stands for a missing value in a column of Python objects
    #: how a column of text writes its numbers, dates or addresses, or a column of whole numbers its dates
    spelling: Spelling | None = None
    zone: tzinfo | None = None  # of a column of Python objects with dates
    places: int | None = None  # digits behind the point of a column of Decimals
    bounds: tuple[Decimal, Decimal] | None = None  # exact range of a column of Decimals
    warnings: tuple[str, ...] = ()  # what a user should know before relying on the column

    @property
    def missing_share(self) -> float:
        """Missing values per row, in [0, 1]."""
        return self.n_missing / self.n_rows if self.n_rows else 0.0

    @property
    def n_states(self) -> int:
        """Distinct values, counting missing as one."""
        return self.n_distinct + (self.n_missing > 0)

    @property
    def is_learned(self) -> bool:
        """Whether generators have something to learn: a learned kind with at least two states."""
        return self.kind.is_learned and self.n_states > 1

    @property
    def unit(self) -> float | None:
        """Of which all values are multiples, as they are encoded; None where there is no number of decimals."""
        return None if self.decimals is None else self.grid / 10.0**self.decimals

    @property
    def stated(self) -> str:
        """The kind, with its style where it has one, as a user would state it."""
        return self.kind.value if self.spelling is None else f"{self.kind.value}:{self.spelling.form}"

    @property
    def label(self) -> str:
        """The name as it is shown in messages."""
        return f"column {self.name!r}"

    def widen(self, low: float | None = None, high: float | None = None) -> Column:
        """Allow values outside the observed range.

        Parameters
        ----------
        low, high : float, optional
            New bounds, in the units of the column (numbers only).

        Returns
        -------
        Column

        Raises
        ------
        OptionError
            When the column is not a number.
        """
        if self.kind not in (Kind.CONTINUOUS, Kind.INTEGER):
            raise OptionError("only numbers have a range that can be widened", where=self.label, got=self.kind.value)
        new_low = self.low if low is None else (float(low) - self.origin) / self.step
        new_high = self.high if high is None else (float(high) - self.origin) / self.step
        return replace(self, low=new_low, high=new_high)

    def snap(self, values: np.ndarray) -> np.ndarray:
        """Move encoded numbers into the observed range, and onto the column's decimals and grid.

        Parameters
        ----------
        values : ndarray of float64
            Encoded values of a numeric column; NaN is kept.

        Returns
        -------
        ndarray of float64

        Examples
        --------
        >>> import pandas as pd
        >>> from makeweight import Schema
        >>> column = Schema.infer(pd.DataFrame({"x": [0.1, 0.2, 0.9] * 9}))["x"]
        >>> column.snap(np.array([0.4321, 7.0]))
        array([0.4, 0.9])
        """
        snapped = np.asarray(np.clip(values, self.low, self.high))
        if self.decimals is None or self.unit is None:
            return snapped
        if self.grid > 1 and self.low is not None and self.high is not None:
            least, most = np.ceil(self.low / self.unit - 1e-3), np.floor(self.high / self.unit + 1e-3)
            snapped = np.clip(np.round(snapped / self.unit), least, most) * self.unit
        return np.round(snapped, self.decimals)
