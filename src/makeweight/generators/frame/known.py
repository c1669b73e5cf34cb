"""The table a generator was fitted to, as far as it remembers it: columns and groups, none of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.plan import Group, Groups, describe_group
from makeweight.table import Column, Kind, Schema, Table

__all__ = ["KnownTable", "too_few_rows"]


@dataclass(frozen=True, eq=False)
class KnownTable:
    """Columns and groups of a table.

    >>> from makeweight.generators.contract import example_table
    >>> known = KnownTable.of(example_table())
    >>> known.position(("rare",)), len(known.writer)
    (1, 0)
    """

    writer: Table  # without rows; it writes encoded columns with the real dtypes
    groups: tuple[Group, ...]  # in the order of their positions
    #: what the table has to have for a saved generator to be loaded with it: every column's kind and values, and the
    #: groups. Text columns, of which generators keep real values, count with all their values
    fingerprint: Mapping[str, str]

    @classmethod
    def of(cls, table: Table, groups: Groups | None = None) -> Self:
        """Return what is remembered of a table; its groups, where they are known, need not be looked up."""
        keys = (Groups(table) if groups is None else groups).keys
        return cls(Table(table.frame.iloc[:0].copy(), table.schema), tuple(keys), _fingerprint(table, keys))

    @property
    def schema(self) -> Schema:
        """Kinds of the columns."""
        return self.writer.schema

    @property
    def learned(self) -> tuple[Column, ...]:
        """The columns to write."""
        return tuple(self.schema.learned)

    @property
    def given(self) -> tuple[Column, ...]:
        """The target and the grouping attributes."""
        return tuple(self.schema[name] for name in self.schema.group_columns)

    @cached_property
    def _positions(self) -> dict[Group, int]:
        return {group: position for position, group in enumerate(self.groups)}

    def position(self, group: Group) -> int:
        """Return the position of a group."""
        if group not in self._positions:
            raise too_few_rows(self.schema.group_columns, group)
        return self._positions[group]

    def decode(self, columns: Mapping[Hashable, Any]) -> pd.DataFrame:
        """Return encoded columns as a frame with the real dtypes, in the order of the table."""
        return self.writer.decode({name: columns[name] for name in self.writer.frame.columns if name in columns})


def too_few_rows(columns: tuple[Hashable, ...], group: Group, n_real: int = 0, needed: int = 1) -> GeneratorError:
    """Return the error of a group that has no real row, or fewer than the generator needs."""
    return GeneratorError(
        f"the group has {'too few real rows for this generator' if n_real else 'no real row'}",
        where=describe_group(columns, group),
        got=f"{n_real} row{'s' * (n_real != 1)}",
        expected=f"{needed} or more",
        hint="leave the group out of the strategy, or choose a generator that needs fewer"
        + (": --generator smoothed-bootstrap" if n_real else ", or none: see `makeweight generators`"),
    )


def _fingerprint(table: Table, groups: object) -> dict[str, str]:
    schema = table.schema
    names = [column.name for column in schema.learned]
    digests = {schema[name].label: _digest(_values(schema[name])) for name in (*names, *schema.group_columns)}
    digests["groups"] = _digest(repr(groups))
    for column in schema.features:
        if column.kind is Kind.TEXT:
            values = pd.util.hash_pandas_object(table.frame[column.name], index=False)
            digests[column.label] = _digest(values.to_numpy().tobytes().hex())
    return digests


def _values(column: Column) -> str:
    categories = None if column.categories is None else column.categories.tolist()
    numbers = (column.low, column.high, column.decimals, column.origin, column.step)
    return repr((column.kind.value, str(column.dtype), column.n_missing > 0, numbers, categories))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
