"""Rows that need not be of the table a generator was fitted to, as numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.generators.check import code_of
from makeweight.plan import Group
from makeweight.table import Column
from makeweight.table.kinds import codec
from makeweight.table.kinds._values import dense

__all__ = ["UNKNOWN", "encode_foreign", "positions_of"]

#: The code of a category that the table lacks.
UNKNOWN = -3


def encode_foreign(column: Column, frame: pd.DataFrame) -> np.ndarray:
    """Return a column of other rows as `Table.encode` does, with `UNKNOWN` for categories that are new.

    `column`: of the table. `frame` of shape (m, n_columns). Returns shape (m,).
    """
    if column.name not in frame.columns:
        raise SchemaError("a column is missing", where=column.label, hint=nearest(str(column.name), frame.columns))
    values, rejects = codec(column.kind).check(column, dense(frame[column.name]))
    values = np.array(values)
    if column.kind.is_coded and "unknown-category" in rejects:
        values[rejects["unknown-category"]] = UNKNOWN
    return values


def positions_of(frame: pd.DataFrame, columns: Sequence[Column], groups: Sequence[Group]) -> np.ndarray:
    """Return the position of every row's group among groups, -1 where it is none of them.

    `frame` of shape (m, n_columns). `columns`: the target and the grouping attributes. Returns shape (m,).
    """
    codes = np.stack([encode_foreign(column, frame) for column in columns], axis=1)
    positions = {
        tuple(code_of(column, value) for column, value in zip(columns, group, strict=True)): position
        for position, group in enumerate(groups)
    }
    return np.array([positions.get(tuple(row), -1) for row in codes.tolist()], dtype=np.int64)
