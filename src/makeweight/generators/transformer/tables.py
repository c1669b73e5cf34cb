"""Tasks from tables that people made: any column, cut in two, is a label for the others.

As from the prior, rows are drawn by label alone, with an imbalance that is log-uniform; rows to label are drawn evenly
of both labels, and no row is in both parts. A column that gives the label away by itself is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from makeweight.errors import FileProblem, GeneratorError, SchemaError
from makeweight.table import Schema
from makeweight.table.files import FORMATS, no_such
from makeweight.table.io import read_table
from makeweight.table.reading import FrameReader

__all__ = ["RealTable", "RealTables", "RealTasks"]

FEWEST = 3  # rows of a label to learn from
FEWEST_ASKED = 4  # rows of the rarer label to be labelled, or as many as an even half has
FEW_VALUES = 10  # a number of so few different values may be a label by one of them
OF_FEW_VALUES = 0.5  # of the tasks have a label of categories or of few values, where the table has such a column
ONE_VALUE = 0.7  # of these are one value against the rest; else the column is cut, as a number is
TRIES, TABLE_TRIES = 20, 500  # columns that are looked at of a table, and tables in a row, before giving up
GIVES_AWAY = 0.985  # area under the ROC curve
FEWEST_TABLES = 8  # of a shape: with fewer, tables would be learned by heart
MOST_ROWS = 20_000  # of a table that are kept


@dataclass(frozen=True)
class RealTable:
    """A table as numbers.

    `values` (float32, shape (R, D)): codes from 0 on in `categorical` (bool, shape (D,)) columns; NaN where missing.
    """

    name: str
    values: np.ndarray
    categorical: np.ndarray

    @classmethod
    def read(cls, path: Path) -> RealTable:
        """Read a file; identifiers, texts and columns of one value are left out. Raises FileProblem or SchemaError."""
        frame = read_table(path).frame
        if len(frame) > MOST_ROWS:
            frame = frame.sample(MOST_ROWS, random_state=0)
        try:
            columns = [column for column in Schema.infer(frame).learned if column.n_distinct > 1]
        except SchemaError as error:
            where = f"{path.name}, {error.where}"
            raise SchemaError(
                error.what, where=where, got=error.got, expected=error.expected, hint=error.hint
            ) from error
        read = FrameReader(columns).read(frame)
        coded = np.array([not column.kind.is_numeric for column in columns], bool)
        values = [
            np.where(column < 0, np.nan, column) if code else column for column, code in zip(read, coded, strict=True)
        ]
        return cls(path.stem, np.stack([*values], 1).astype(np.float32) if values else np.empty((len(frame), 0)), coded)


@dataclass(frozen=True)
class RealTasks:
    """Tasks of one shape, the rows to learn from first: `values` (B, R, D), `categorical` (B, D), `label` (B, R)."""

    values: np.ndarray
    categorical: np.ndarray
    label: np.ndarray


class RealTables:
    """A source of tasks.

    `tables`: of at least two columns. `max_ratio`: largest imbalance.

    >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    >>> source = RealTables([RealTable(str(k), x, np.zeros(4, bool)) for k in range(8)], 40.0)
    >>> source.has(40, 16, 3), source.has(40, 16, 4)
    (True, False)
    >>> source.draw(5, 40, 16, 3, np.random.default_rng(0)).values.shape
    (5, 56, 3)
    """

    def __init__(self, tables: Sequence[RealTable], max_ratio: float) -> None:
        self.tables, self.max_ratio = tuple(tables), max_ratio
        self._rows = np.array([len(table.values) for table in tables], int)
        self._columns = np.array([len(table.categorical) for table in tables], int)
        self._few = [table.categorical | _few_values(table.values) for table in tables]

    @classmethod
    def read(cls, folder: str | Path, max_ratio: float, rows: int, queries: int) -> RealTables:
        """Read all tables of a folder; enough of them have to suffice for `rows` to learn from and `queries` to label.

        Raises FileProblem where they do not, or one cannot be read; SchemaError where one is no table.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise no_such("folder", str(folder))
        paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in FORMATS]
        tables = [RealTable.read(path) for path in paths]
        source = cls([table for table in tables if len(table.categorical) > 1], max_ratio)
        if not source.has(rows, queries, 1):
            raise FileProblem(
                "too few tables to learn from",
                where=str(folder),
                got=f"{len(source._fitting(rows, queries, 1))} of {rows + queries // 2} rows and two columns at least",
                expected=f"{FEWEST_TABLES} or more such files, that end in {', '.join(FORMATS)}",
            )
        return source

    def has(self, rows: int, queries: int, columns: int) -> bool:
        """Whether enough tables are of this shape or larger."""
        return len(self._fitting(rows, queries, columns)) >= FEWEST_TABLES

    def _fitting(self, rows: int, queries: int, columns: int) -> np.ndarray:
        return np.flatnonzero((self._rows >= rows + queries // 2) & (self._columns > columns))

    def draw(self, count: int, rows: int, queries: int, columns: int, rng: np.random.Generator) -> RealTasks:
        """Draw `count` tasks: `rows` to learn from, `queries` to label, `columns` beside the label.

        Raises GeneratorError if no table has a column that can be a label.
        """
        fitting = self._fitting(rows, queries, columns)
        chance = np.minimum(self._rows[fitting], 5_000) ** 0.25
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        failed = 0
        while len(parts) < count:
            part = self._task(int(rng.choice(fitting, p=chance / chance.sum())), rows, queries, columns, rng)
            failed = failed + 1 if part is None else 0
            if failed == TABLE_TRIES:
                raise GeneratorError(
                    "no column of these tables can be a label",
                    where=f"{len(fitting)} tables of {rows} rows and {columns} columns at least",
                    expected="columns that others say something of, with rows enough on both sides",
                )
            if part is not None:
                parts.append(part)
        return RealTasks(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))

    def _task(
        self, position: int, rows: int, queries: int, columns: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Draw a task from a table; None where no label was found that has rows and columns enough."""
        table, few = self.tables[position], self._few[position]
        for _ in range(TRIES):
            pool = np.flatnonzero(few) if few.any() and rng.random() < OF_FEW_VALUES else np.arange(len(few))
            target = int(rng.choice(pool))
            label = _cut(table.values[:, target], bool(few[target]), rng)
            chosen = None if label is None else _rows(label, rows, queries, self.max_ratio, rng)
            if label is None or chosen is None:
                continue
            own = (label[chosen] == 1).astype(np.float32)
            others = rng.permutation(np.delete(np.arange(len(few)), target))
            values = table.values[np.ix_(chosen, others)]
            told = _tells(values, table.categorical[others], own)
            use = np.flatnonzero(~told & ~np.isnan(values[:rows]).all(0))[:columns]
            if len(use) == columns:
                return values[:, use], table.categorical[others[use]], own
        return None


def _few_values(values: np.ndarray) -> np.ndarray:
    return np.array([len(np.unique(column[~np.isnan(column)])) <= FEW_VALUES for column in values.T], bool)


def _cut(values: np.ndarray, few: bool, rng: np.random.Generator) -> np.ndarray | None:
    """Cut a column in two: 1, 0, and -1 where it is missing. None if all values are the same."""
    told = ~np.isnan(values)
    present = values[told]
    if not len(present) or (present == present[0]).all():
        return None
    at = present[rng.integers(len(present))]
    if few and rng.random() < ONE_VALUE:
        one = values == at
    else:
        one = values >= at if rng.random() < 0.5 else values > at
    return np.where(told, one, -1).astype(np.int8)


def _rows(label: np.ndarray, rows: int, queries: int, max_ratio: float, rng: np.random.Generator) -> np.ndarray | None:
    """Draw rows to learn from, in any order, then rows to label. None if there are too few of a label."""
    rare, common = (rng.permutation(np.flatnonzero(label == value)) for value in rng.permutation(2))
    known = max(FEWEST, round(rows / (1 + max_ratio ** rng.random())))
    asked = min(queries // 2, len(rare) - known)
    if asked < min(FEWEST_ASKED, queries // 2) or len(common) < rows - known + queries - asked:
        return None
    first = rng.permutation(np.concatenate([rare[:known], common[: rows - known]]))
    return np.concatenate([first, rare[known:][:asked], common[rows - known :][: queries - asked]])


def _tells(values: np.ndarray, categorical: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Which columns give the label away by themselves, shape (D,)."""
    found = np.zeros(values.shape[1], bool)
    ones = label.sum()
    for j, coded in enumerate(categorical):
        column = np.where(np.isnan(values[:, j]), -1.0, values[:, j])
        if coded:  # by the share of the label among its rows
            code = column.astype(int) + 1
            column = (np.bincount(code, label) / np.maximum(np.bincount(code), 1))[code]
        _, place, size = np.unique(column, return_inverse=True, return_counts=True)
        rank = (np.cumsum(size) - (size + 1) / 2)[place]
        area = (rank[label == 1].sum() - ones * (ones - 1) / 2) / (ones * (len(label) - ones))
        found[j] = max(area, 1 - area) > GIVES_AWAY
    return found
