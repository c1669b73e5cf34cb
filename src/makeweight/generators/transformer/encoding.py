"""Rows of a table as numbers: group columns, then learned columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from makeweight.generators.frame.known import KnownTable
from makeweight.generators.rows.foreign import UNKNOWN, encode_foreign
from makeweight.generators.rows.rounded import smoothing_unit
from makeweight.generators.transformer.contexts import ColumnSpec
from makeweight.table import Column, Table


def table_numbers(known: KnownTable, table: Table) -> np.ndarray:
    """Return the rows of the table itself; a missing attribute is a category of its own.

    Returns float64, shape (n, n_given + n_learned): NaN where a learned column is missing.
    """
    parts = [_own_category(column, table.encode(column.name)) for column in known.given]
    parts += [_as_numbers(column, table.encode(column.name)) for column in known.learned]
    return np.stack(parts, axis=1)


def frame_numbers(known: KnownTable, frame: pd.DataFrame, *, with_target: bool = True) -> np.ndarray:
    """Return rows that need not be of the table; unknown categories get a code that no context has.

    `frame`: DataFrame of shape (m, n_columns). `with_target`: whether the frame has the target; without it every label
    is 0. Returns float64, shape (m, n_given + n_learned).
    """
    parts = []
    for position, column in enumerate([*known.given, *known.learned]):
        if position == 0 and not with_target:
            parts.append(np.zeros(len(frame)))
            continue
        encoded = encode_foreign(column, frame)
        numbers = (_own_category if position < len(known.given) else _as_numbers)(column, encoded)
        if column.kind.is_coded:
            numbers[encoded == UNKNOWN] = column.n_distinct + 1
        parts.append(numbers)
    return np.stack(parts, axis=1)


def column_specs(known: KnownTable) -> list[ColumnSpec]:
    """Return what the network is told of the columns of `table_numbers`."""
    specs = [
        ColumnSpec(True) if column.kind.is_coded else ColumnSpec(False, column.decimals, smoothing_unit(column))
        for column in known.learned
    ]
    return [ColumnSpec(True)] * len(known.given) + specs


def decoded(known: KnownTable, rows: np.ndarray, *, every_row: bool = False) -> pd.DataFrame:
    """Return rows of numbers, shape (m, D), and what is computed from them, with the real dtypes.

    Rows for which something cannot be computed are left out, unless `every_row`.
    """
    columns = _encoded(known, rows)
    for column in known.learned:
        if not column.kind.is_coded:
            columns[column.name] = column.snap(columns[column.name])
    return known.decode(columns, every_row=every_row)


def whole_rows(known: KnownTable, rows: np.ndarray) -> np.ndarray:
    """Return rows of numbers, shape (m, D), with the columns that are computed from them in their places."""
    columns = known.with_derived(_encoded(known, rows))
    parts = [_as_numbers(column, columns[column.name]) for column in known.schema.learned]
    return np.column_stack([rows[:, : len(known.given)], *parts])


def _encoded(known: KnownTable, rows: np.ndarray) -> dict[Any, np.ndarray]:
    columns: dict[Any, np.ndarray] = {}
    for column, values in zip(known.learned, rows.T[len(known.given) :], strict=True):
        coded = column.kind.is_coded
        columns[column.name] = np.where(np.isnan(values), -1, values).astype(np.int32) if coded else values
    return columns


def _as_numbers(column: Column, encoded: np.ndarray) -> np.ndarray:
    """Return float64 with NaN for missing."""
    numbers = encoded.astype(np.float64)
    if column.kind.is_coded:
        numbers[encoded < 0] = np.nan
    return numbers


def _own_category(column: Column, codes: np.ndarray) -> np.ndarray:
    """Return float64 codes in which missing is the last category."""
    return np.where(codes < 0, column.n_distinct, codes).astype(np.float64)
