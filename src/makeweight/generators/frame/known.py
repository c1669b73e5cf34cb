"""The table a generator was fitted to, as far as it remembers it: columns and groups, none of the rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.frame.derived import LOOKUP, Derived
from makeweight.generators.frame.deriving import find_derived
from makeweight.generators.rows.foreign import encode_foreign
from makeweight.plan import Group, Groups, describe_group
from makeweight.table import Column, Kind, Schema, Table

__all__ = ["Allows", "KnownTable", "too_few_rows"]

#: Tells which encoded numbers (n,), NaN for missing, are allowed.
Allows = Callable[[np.ndarray], np.ndarray]


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
    #: columns that others determine, in an order in which they can be computed
    derived: tuple[Derived, ...] = ()
    covers: bool = False  # whether these are learned nevertheless, and computed anew when all is written

    @classmethod
    def of(cls, table: Table, groups: Groups | None = None, *, derive: bool = False, covers: bool = False) -> Self:
        """Return what is remembered of a table; its groups, where they are known, need not be looked up.

        `derive`: look for columns that others determine. `covers`: have them learned nevertheless.
        """
        keys = (Groups(table) if groups is None else groups).keys
        derived = find_derived(table) if derive else ()
        writer = Table(table.frame.iloc[:0].copy(), table.schema)
        return cls(writer, tuple(keys), _fingerprint(table, keys), derived, covers)

    @property
    def schema(self) -> Schema:
        """Kinds of the columns."""
        return self.writer.schema

    @cached_property
    def learned(self) -> tuple[Column, ...]:
        """The columns to write.

        Marks on single values of a number are learned, too, and computed anew when all is written: they tell of other
        columns what the number, somewhere in the middle of its range, does not.
        """
        derived = set() if self.covers else {rule.column for rule in self.derived if not rule.marks}
        return tuple(column for at, column in enumerate(self.schema.learned) if at not in derived)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the columns that are computed."""
        if not self.derived:
            return ()
        said = "; ".join(rule.says(self.schema.learned) for rule in reversed(self.derived))
        return (f"columns that others determine in all {self.derived[0].rows:,} rows are computed: {said}",)

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

    def decode(self, columns: Mapping[Hashable, Any], *, every_row: bool = False) -> pd.DataFrame:
        """Return encoded columns as a frame with the real dtypes, in the order of the table; others are computed.

        Rows for which a column cannot be computed that always has a value are left out, unless `every_row`.
        """
        columns = self.with_derived(columns)
        impossible = [columns[column.name] for column in self._always_computed]
        if impossible and not every_row:
            gone = [values < 0 if values.dtype.kind == "i" else np.isnan(values) for values in impossible]
            kept = np.flatnonzero(~np.any(gone, axis=0))
            columns = {
                name: values.iloc[kept] if isinstance(values, pd.Series) else values[kept]
                for name, values in columns.items()
            }
        return self.writer.decode({name: columns[name] for name in self.writer.frame.columns if name in columns})

    @property
    def _always_computed(self) -> list[Column]:
        computed = [self.schema.learned[rule.column] for rule in self.derived]
        return [column for column in computed if not column.n_missing]

    def with_derived(self, columns: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return encoded columns with those that follow from them, which may lie outside of their observed range."""
        every, columns = self.schema.learned, dict(columns)
        for rule in self.derived:
            sources = {source: columns[every[source].name] for source in rule.sources}
            columns[every[rule.column].name] = rule.values_of(every, sources)
        return columns

    def computed(self, frame: pd.DataFrame) -> dict[Hashable, pd.Series]:
        """Return the columns that follow from those of a frame, with the real dtypes."""
        if not self.derived:
            return {}
        columns = self.with_derived({column.name: encode_foreign(column, frame) for column in self.learned})
        names = [self.schema.learned[rule.column].name for rule in self.derived]
        return dict(self.writer.decode({name: columns[name] for name in names}).items())

    def settled(self, frame: pd.DataFrame, filled: pd.DataFrame) -> dict[Hashable, pd.Series]:
        """Return columns of `filled` in which a cell that was missing in `frame` is what a known total leaves for it.

        Where a column that a formula gives is known, and one of its sources alone is not.
        """
        every, out = self.schema.learned, dict[Hashable, pd.Series]()
        for rule in self.derived if len(frame) else ():
            names = [every[source].name for source in rule.sources]
            gaps = frame[names].isna().to_numpy()
            alone = frame[every[rule.column].name].notna().to_numpy() & (gaps.sum(axis=1) == 1)
            if rule.form == LOOKUP or not alone.any() or len(set(rule.sources)) < len(rule.sources):
                continue
            encoded = {j: encode_foreign(every[j], filled) for j in (rule.column, *rule.sources)}
            for j, source in enumerate(rule.sources):
                rows = alone & gaps[:, j]
                column, values = every[source], rule.source_of(source, every, encoded)
                if column.kind.is_numeric:
                    rows &= ~np.isnan(values)
                    values = column.snap(values)
                else:
                    rows &= values >= 0
                if rows.any():
                    [(name, found)] = self.writer.decode({column.name: values[rows]}).items()
                    out[name] = out.get(name, filled[name]).copy()
                    out[name].iloc[np.flatnonzero(rows)] = found.to_numpy()
        return out

    def binds(self, frame: pd.DataFrame) -> bool:
        """Tell whether a frame has a row in which a column is known that others determine, and not all of these."""
        names = [column.name for column in self.schema.learned]
        for rule in self.derived:
            sources = frame[[names[source] for source in rule.sources]]
            if (frame[names[rule.column]].notna() & sources.isna().any(axis=1)).any():
                return True
        return False

    def carried(self, allowed: Mapping[Hashable, Allows]) -> dict[Hashable, Allows]:
        """Return what is allowed of columns that are written, by name, given what is allowed of all.

        What is asked of a column that follows from one other becomes a condition on that one; rows of sums and the like
        have to be rejected.
        """
        every = self.schema.learned
        left = dict(allowed)
        for rule in self.derived[::-1]:
            own, source = left.pop(every[rule.column].name, None), every[rule.sources[0]].name
            if own is not None and len(rule.sources) == 1:
                own = partial(_looked_up, rule, every, own)
                other = left.get(source)
                left[source] = own if other is None else partial(_both, own, other)
        return left

    def log_prob_derived(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-probability of what is computed, given the rest of each row, shape (m,).

        A rule that n rows obey holds for another one with probability (n + 1) / (n + 2); where it does not, every value
        of the column is as likely **[derived]**.
        """
        every, total = self.schema.learned, np.zeros(len(frame))
        if self.derived:
            encoded = {at: encode_foreign(column, frame) for at, column in enumerate(every)}
            for rule in self.derived:
                least = math.log(rule.rows + 2.0)
                broken = -least - math.log(max(2, every[rule.column].n_states))
                total += np.where(rule.agrees(every, encoded), math.log(rule.rows + 1.0) - least, broken)
        return total


def _looked_up(rule: Derived, columns: Sequence[Column], allows: Allows, numbers: np.ndarray) -> np.ndarray:
    """Tell which numbers of a source, NaN where missing, give a value that is allowed."""
    [source] = rule.sources
    coded = columns[source].kind.is_coded
    encoded = np.where(np.isnan(numbers), -1, numbers).astype(np.int32) if coded else numbers
    values = rule.values_of(columns, {source: encoded}).astype(np.float64)
    return allows(np.where(values < 0, np.nan, values) if columns[rule.column].kind.is_coded else values)


def _both(first: Allows, second: Allows, numbers: np.ndarray) -> np.ndarray:
    return first(numbers) & second(numbers)


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
