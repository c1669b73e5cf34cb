"""A table as other packages take it, and their rows as a proposal: what does not belong is counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.base import remark
from makeweight.generators.check import code_of
from makeweight.generators.frame.known import KnownTable
from makeweight.plan import Group
from makeweight.table import Column, Table

MISSING = "(missing)"
#: The values of a column that says where numbers are missing.
FLAGS = ("no", "yes")
#: Code of a text that is none of a column's.
UNKNOWN = -2


@dataclass(frozen=True, eq=False)
class PlainTable:
    """What other packages are given of a table: text for categories, float64 for numbers, no missing value.

    A missing category is a category of its own. Where numbers are missing, a column of "yes" and "no" says so,
    and the median stands in their place; written rows are read back the same way. Target and grouping
    attributes come first. Identifiers, free text and constant columns are left out.

    >>> from makeweight.generators.contract import example_table
    >>> table = example_table()
    >>> plain = PlainTable.of(table)
    >>> frame = plain.frame(table)
    >>> frame["job"].unique().tolist(), bool(frame.isna().any().any())
    (['cook', 'clerk', 'pilot', '(missing)'], False)
    >>> rows = plain.proposal(frame, ("rare",))
    >>> len(rows), rows.attrs["makeweight"].rejected
    (24, Counter({'wrong-group: y': 56}))
    """

    known: KnownTable
    names: dict[Hashable, str]  # under which name the frame has a column
    flags: dict[Hashable, str]  # under which name it says where the column is missing

    @classmethod
    def of(cls, table: Table) -> Self:
        """Return how a table is shown."""
        known = KnownTable.of(table)
        taken: set[str] = set()
        columns = (*known.given, *known.learned)
        names = {column.name: _free(str(column.name), taken) for column in columns}
        gaps = [column for column in known.learned if column.kind.is_numeric and column.n_missing]
        return cls(known, names, {column.name: _free(f"{names[column.name]} {MISSING}", taken) for column in gaps})

    @property
    def columns(self) -> tuple[Column, ...]:
        """Target, grouping attributes and learned columns."""
        return (*self.known.given, *self.known.learned)

    @property
    def categorical(self) -> list[str]:
        """Names of the columns of text."""
        coded = [self.names[column.name] for column in self.columns if column.kind.is_coded]
        return [*coded, *self.flags.values()]

    def frame(self, table: Table) -> pd.DataFrame:
        """Return the rows of the table it was made of.

        Returns shape (n_rows, n_names + n_flags).
        """
        shown: dict[str, Any] = {}
        for column in self.columns:
            values = table.encode(column.name)
            if column.kind.is_coded:
                shown[self.names[column.name]] = np.array(_texts(column), dtype=object)[values]
                continue
            missing = np.isnan(values)
            if column.name in self.flags:
                shown[self.flags[column.name]] = np.array(FLAGS, dtype=object)[missing.astype(int)]
            shown[self.names[column.name]] = np.where(missing, np.nanmedian(values), values)
        return pd.DataFrame(shown)

    def condition(self, group: Group) -> dict[str, str]:
        """Return what a group is called in the frame."""
        self.known.position(group)
        return {
            self.names[column.name]: _texts(column)[code_of(column, value)]
            for column, value in zip(self.known.given, group, strict=True)
        }

    def proposal(self, rows: pd.DataFrame, group: Group) -> pd.DataFrame:
        """Return another package's rows as a proposal for a group.

        `rows`: with the columns of `frame`. Numbers are put on the column's decimals, and nothing else is changed.
        Returns shape (n_valid, n_learned); its remarks count the others by the first reason, in the words of the one
        check.
        """
        lacking = [name for name in (*self.names.values(), *self.flags.values()) if name not in rows.columns]
        if lacking:
            raise GeneratorError(
                "the model wrote rows without a column",
                got=f"no {lacking[0]!r}",
                expected="the columns it was fitted to",
            )
        reasons = np.full(len(rows), "", dtype=object)
        encoded: dict[Hashable, np.ndarray] = {}
        for column in self.known.learned:
            values, faults = self._read(rows, column)
            encoded[column.name] = values
            for reason, mask in faults.items():
                reasons[mask & (reasons == "")] = f"{reason}: {column.name}"
        for column, value in zip(self.known.given, group, strict=True):
            codes = _codes(column, rows[self.names[column.name]])
            reasons[(codes != code_of(column, value)) & (reasons == "")] = f"wrong-group: {column.name}"
        valid = reasons == ""
        frame = self.known.decode({name: values[valid] for name, values in encoded.items()})
        if not encoded:
            frame = pd.DataFrame(index=range(int(valid.sum())))
        return remark(frame, rejected=Counter(reasons[~valid].tolist()))

    def _read(self, rows: pd.DataFrame, column: Column) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        written = rows[self.names[column.name]]
        if column.kind.is_coded:
            codes = _codes(column, written)
            return codes, {"unknown-category": codes == UNKNOWN}
        values = on_grid(column, np.asarray(pd.to_numeric(written, errors="coerce"), dtype=np.float64))
        missing = np.zeros(len(rows), dtype=bool)
        if column.name in self.flags:
            missing = (rows[self.flags[column.name]].astype(str) == FLAGS[1]).to_numpy()
        with np.errstate(invalid="ignore"):
            outside = ~missing & ((values < column.low) | (values > column.high))
        return np.where(missing, np.nan, values), {
            "not-a-number": ~missing & ~np.isfinite(values),
            "out-of-range": outside,
        }


def on_grid(column: Column, values: np.ndarray) -> np.ndarray:
    """Return numbers on the column's decimals, and on its grid; its range is left to the check.

    >>> from makeweight import Schema
    >>> column = Schema.infer(pd.DataFrame({"x": [0.1, 0.2, 0.9] * 9}))["x"]
    >>> on_grid(column, np.array([0.4321, 7.0])).tolist()
    [0.4, 7.0]
    """
    if column.decimals is None or column.unit is None:
        return values
    return np.asarray(np.round(np.round(values / column.unit) * column.unit, column.decimals))


def _free(name: str, taken: set[str]) -> str:
    """Return the name, with underscores where it is taken, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _texts(column: Column) -> list[str]:
    """Return the text of every code; the last, which -1 points to, is that of a missing value."""
    texts = [str(value) for value in column.categories] if column.categories is not None else []
    if len({*texts, MISSING}) <= len(texts):  # two values read alike: their positions do not
        texts = [str(position) for position in range(len(texts))]
    return [*texts, MISSING]


def _codes(column: Column, written: pd.Series) -> np.ndarray:
    texts = _texts(column)
    codes = np.asarray(pd.Index(texts).get_indexer(pd.Index(written.astype(str)))).astype(np.int32)
    codes[codes < 0] = UNKNOWN
    codes[codes == len(texts) - 1] = -1 if column.n_missing else UNKNOWN
    return codes
