"""The groups of a table: which cells of label x grouping attributes it has, and which row is in which."""

from __future__ import annotations

import itertools
from collections.abc import Hashable
from typing import Any, cast

import numpy as np
import pandas as pd

from makeweight.errors import PlanError, nearest
from makeweight.table import Table

__all__ = ["Group", "Groups", "describe_group"]

#: The values of the target and the grouping attributes that name a group; None is a missing attribute.
Group = tuple[Hashable, ...]


class Groups:
    """The cells of label x grouping attributes that a table has, and which row is in which.

    Parameters
    ----------
    table : Table
        With a target in its schema.

    Attributes
    ----------
    keys : tuple of Group
        Non-empty cells: labels in their sorted order, then the attributes'.
    codes : ndarray of int32, shape (n_rows,)
        Position in `keys` of every row.
    counts : ndarray of int64, shape (n_groups,)
        Real rows per group.

    Raises
    ------
    PlanError
        When the schema names no target.

    Examples
    --------
    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "y": ["a", "b", "a"]})
    >>> groups = Groups(Table(frame, Schema.infer(frame, target="y")))
    >>> dict(zip(groups.keys, groups.counts.tolist()))
    {('a',): 2, ('b',): 1}
    """

    def __init__(self, table: Table) -> None:
        if table.schema.target is None:
            raise PlanError("a table without a target has no groups", hint="name the target column")
        self.columns = table.schema.group_columns
        self.n_learned = len(table.schema.learned)
        columns = [table.schema[name] for name in self.columns]
        sizes = [column.n_distinct + 1 for column in columns]  # -1, a missing value, is the last level
        levels = [table.encode(column.name) % size for column, size in zip(columns, sizes, strict=True)]
        cells, codes = np.unique(np.ravel_multi_index(levels, sizes), return_inverse=True)
        self.codes = codes.astype(np.int32)
        self.counts = np.bincount(codes, minlength=len(cells)).astype(np.int64)
        self._values = [(*cast("pd.Index", column.categories).tolist(), None) for column in columns]
        self.keys: tuple[Group, ...] = tuple(
            tuple(values[level] for values, level in zip(self._values, cell, strict=True))
            for cell in zip(*np.unravel_index(cells, sizes), strict=True)
        )
        self._positions = {key: position for position, key in enumerate(self.keys)}

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, group: object) -> bool:
        return group in self._positions

    def position(self, group: Group) -> int:
        """Return the position of a group in `keys`; KeyError when it has no rows."""
        return self._positions[group]

    def rows(self, group: Group) -> np.ndarray:
        """Return the positions of a group's rows in the table; empty for an empty cell."""
        return np.flatnonzero(self.codes == self._positions.get(group, -1))

    def describe(self, group: Group) -> str:
        """Return a group as text."""
        return describe_group(self.columns, group)

    def empty_cells(self) -> list[Group]:
        """Return the combinations of observed labels and attribute values that have no row."""
        seen = [sorted({key[i] for key in self.keys}, key=str) for i in range(len(self.columns))]
        return [cell for cell in itertools.product(*seen) if cell not in self._positions]

    def resolve(self, name: Any) -> Group:
        """Return the group that a user names by its label, values, description, or pairs of column and value.

        Raises
        ------
        PlanError
            When no combination of observed values has that name.
        """
        parts = name if isinstance(name, tuple) else (name,)
        if parts and all(isinstance(part, tuple) and len(part) == 2 for part in parts):
            named = {str(column): value for column, value in parts}
            if named.keys() == {str(column) for column in self.columns}:
                parts = tuple(named[str(column)] for column in self.columns)
        elif isinstance(name, str) and (name,) not in self:
            described = [key for key in self.keys if self.describe(key) == name]
            if len(described) == 1:
                return described[0]
        if len(parts) != len(self.columns) and isinstance(name, str):
            parts = tuple(part.strip().rpartition("=")[2] for part in name.split(","))
        if len(parts) == len(self.columns):
            matches = [_value_of(part, values) for part, values in zip(parts, self._values, strict=True)]
            if all(matched for matched, _ in matches):
                return tuple(value for _, value in matches)
        known = [self.describe(key) if len(self.columns) > 1 else key[0] for key in self.keys]
        raise PlanError(
            f"no group {name!r}",
            expected=f"values of {', '.join(map(str, self.columns))}",
            hint=nearest(str(name), known),
        )


def describe_group(columns: tuple[Hashable, ...], group: Group) -> str:
    """Return a group as text.

    Examples
    --------
    >>> describe_group(("y", "sex"), ("b", None))
    'y=b, sex=(missing)'
    """
    return ", ".join(
        f"{name}={'(missing)' if value is None else value}" for name, value in zip(columns, group, strict=True)
    )


def _value_of(part: Any, values: tuple[Hashable, ...]) -> tuple[bool, Hashable]:
    for value in values:
        if value == part and isinstance(value, bool) == isinstance(part, bool | np.bool_):
            return True, value
    if part is None or (isinstance(part, float) and np.isnan(part)):
        return True, None
    texts = [value for value in values if str(value) == str(part)]
    return (True, texts[0]) if len(texts) == 1 else (False, None)
