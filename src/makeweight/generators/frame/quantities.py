"""What the cells of a column stand for as numbers, how it rounds them, and what floats lose of them."""

from __future__ import annotations

import numpy as np

from makeweight.rules import values_of
from makeweight.table import Column, Kind

#: Codes of more values are not looked at as numbers.
MOST_LEVELS = 2_000
#: A rule that rounds is believed of a column with so many values; with fewer it has to be exact.
MANY_VALUES = 20
#: What counts as equal, in units of a column's last decimal, or of the spread of most values (in 64 and 32 bits).
SLACK, RELATIVE, SINGLE = 1e-6, 1e-9, 1e-6
DAY = 86_400_000_000.0


def is_number(column: Column) -> bool:
    """Tell whether the cells of a column stand for numbers."""
    return column.kind.is_numeric or _levels(column) is not None


def _levels(column: Column) -> np.ndarray | None:
    """Return the numbers that codes stand for, 0 and 1 for flags; None for any other column."""
    if not column.kind.is_coded or column.n_distinct > MOST_LEVELS:
        return None
    if column.kind is Kind.BOOLEAN:
        return np.arange(2.0) if column.n_distinct == 2 else None
    values = values_of(column, np.arange(column.n_distinct))
    return values.data if values.meaning == "number" else None


def as_numbers(column: Column, encoded: np.ndarray) -> np.ndarray:
    """Return what encoded numbers, flags and dates (in days) stand for; NaN where missing."""
    levels = _levels(column)
    if levels is not None:
        return np.where(encoded < 0, np.nan, levels[np.maximum(encoded, 0)])
    values = values_of(column, encoded)
    scale = DAY if column.kind is Kind.DATETIME else 1.0
    return np.where(values.missing, np.nan, values.data / scale)


def from_numbers(column: Column, numbers: np.ndarray) -> np.ndarray:
    """Return numbers as the column encodes them, rounded like its own, whatever their range; -1 for no code at all."""
    levels = _levels(column)
    if levels is not None:
        order = np.argsort(levels)
        middles = (levels[order][1:] + levels[order][:-1]) / 2
        nearest = order[np.searchsorted(middles, numbers)]
        known = np.abs(levels[nearest] - numbers) <= SLACK * np.maximum(1.0, np.abs(numbers))  # of NaN it is not
        return np.where(known, nearest, -1).astype(np.int32)
    steps = (numbers * (DAY if column.kind is Kind.DATETIME else 1.0) - column.origin) / column.step
    if column.decimals is None or column.unit is None:
        return np.asarray(steps)
    return np.asarray(np.round(np.round(steps / column.unit) * column.unit, column.decimals) + 0.0)


def unit_of(column: Column) -> float:
    """Return the unit of a column's last decimal, on the scale of `as_numbers`; 0 where there is none."""
    scale = DAY if column.kind is Kind.DATETIME else 1.0
    return (column.unit or 0.0) * column.step / scale


def may_round(column: Column) -> bool:
    """Tell whether a rule may leave what rounding leaves; of codes and few values it has to be exact."""
    return not column.kind.is_coded and (column.decimals is None or column.n_distinct >= MANY_VALUES)


def lost_by_floats(column: Column, numbers: np.ndarray) -> float:
    """Return what floats lose of numbers, on the scale of `as_numbers`; infinite where that is no longer small.

    Beside the spread of most values, so that neither a far origin nor a far value hides what differs.
    """
    known = numbers[np.isfinite(numbers)]
    single = isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" and column.dtype.itemsize < 8
    if not len(known):
        return np.inf
    distinct = np.unique(known)
    spread = float(np.subtract(*np.quantile(distinct, [0.75, 0.25])))
    largest = np.abs(known).max()
    spacing = 8.0 * float(largest) * float(np.finfo(np.float32 if single else np.float64).eps)
    unit = unit_of(column)
    if spacing > 1e-3 * spread or (unit and spacing > 0.1 * unit):
        return np.inf
    return (SINGLE if single else RELATIVE) * spread + spacing


def widest(column: Column, lost: float) -> float:
    """Return how far apart a rule's residuals may lie, on the scale of `as_numbers`."""
    return 2.0 * lost + unit_of(column) * (1.0 + SLACK if may_round(column) else SLACK)


def states_of(column: Column, encoded: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Return which entry of a lookup each cell has; the last one where it is missing."""
    if column.kind.is_coded:
        return np.where(encoded < 0, column.n_distinct, encoded).astype(np.int64)
    return np.where(np.isnan(encoded), len(cuts) + 1, np.searchsorted(cuts, encoded, side="right"))
