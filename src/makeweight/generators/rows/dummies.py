"""A mixed table as a matrix of numbers in which distances make sense, and back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Self

import numpy as np

from makeweight.errors import GeneratorError
from makeweight.generators.rows.moving import Standard
from makeweight.table import Column, Schema, Table

__all__ = ["Dummies"]


@dataclass(frozen=True, eq=False)
class _Numeric:
    """A numeric column: standardised, the median where a value is missing, and whether one is."""

    column: Column
    scale: Standard
    median: float

    @classmethod
    def fit(cls, column: Column, values: np.ndarray) -> Self:
        observed = values[~np.isnan(values)]
        return cls(column, Standard.fit(observed), float(np.median(observed)))

    @property
    def width(self) -> int:
        return 1 + (self.column.n_missing > 0)

    def encode(self, values: np.ndarray) -> np.ndarray:
        missing = np.isnan(values)
        scores = self.scale.transform(np.where(missing, self.median, values))
        return np.stack([scores, missing.astype(np.float64)][: self.width], axis=1)

    def decode(self, block: np.ndarray) -> np.ndarray:
        values = self.column.snap(self.scale.inverse(block[:, 0]))
        return values if self.width == 1 else np.where(block[:, 1] > 0.5, np.nan, values)


class Dummies:
    """Columns as standardised numbers, missing indicators, and one-hot or coded categories.

    Standardised numbers have a standard deviation of one, and two categories are one apart, as in SMOTENC
    with the median standard deviation. A missing category is a category of its own.

    `one_hot`: whether a category becomes one column per state, or stays one column of codes.

    `categorical`: positions of the columns that hold codes; empty with `one_hot`. `width`: number of columns of the
    matrix.
    """

    def __init__(self, schema: Schema, *, one_hot: bool) -> None:
        self._columns = schema.learned
        self._one_hot = one_hot
        self._numeric: dict[Hashable, _Numeric] = {}
        self._parts: list[tuple[Column, slice]] = []
        self.categorical: list[int] = []
        self.width = self.n_dummies = 0
        for column in self._columns:
            numeric_width = 1 + (column.n_missing > 0)
            coded_width = column.n_states if one_hot else 1
            width = numeric_width if column.kind.is_numeric else coded_width
            if not one_hot:
                first = self.width + column.kind.is_numeric
                self.categorical.extend(range(first, self.width + width))
            self.n_dummies += column.n_states if column.kind.is_coded else numeric_width
            self._parts.append((column, slice(self.width, self.width + width)))
            self.width += width

    @property
    def has_numeric(self) -> bool:
        """Whether a column is numeric."""
        return any(column.kind.is_numeric for column in self._columns)

    @property
    def has_coded(self) -> bool:
        """Whether a column is of categories, or a number that can be missing."""
        return any(column.kind.is_coded or column.n_missing for column in self._columns)

    def check_size(self, most: int) -> None:
        """Refuse a table that would become too wide."""
        coded = [column for column in self._columns if column.kind.is_coded]
        n_dummies = sum(column.n_states for column in coded)
        if n_dummies <= most:  # numbers take the columns that they have
            return
        widest = max(coded, key=lambda c: c.n_states)
        raise GeneratorError(
            "the table has too many categories for one column each",
            where=widest.label,
            got=f"{n_dummies:,} columns, {widest.n_states:,} of them for this one",
            expected=f"at most {most:,}",
            hint="use --generator smoothed-bootstrap, which has no such limit, or raise max_dummies",
        )

    def fit_encode(self, table: Table, rows: np.ndarray) -> np.ndarray:
        """Learn location and scale from all rows, and return the matrix of some.

        `rows` of shape (n,). Returns shape (n, width).
        """
        matrix = np.zeros((len(rows), self.width))
        for column, place in self._parts:
            if column.kind.is_numeric:
                values = table.encode(column.name)
                part = self._numeric[column.name] = _Numeric.fit(column, values)
                matrix[:, place] = part.encode(values[rows])
                continue
            codes = table.encode(column.name, rows)
            states = np.where(codes < 0, column.n_distinct, codes)
            if self._one_hot:
                matrix[np.arange(len(rows)), place.start + states] = np.sqrt(0.5)
            else:
                matrix[:, place.start] = states
        return matrix

    def decode(self, matrix: np.ndarray, uniforms: np.ndarray | None = None) -> dict[Hashable, np.ndarray]:
        """Return encoded columns.

        `matrix` of shape (n, width). `uniforms` of shape (n, n_columns) in [0, 1): draw every one-hot category with the
        weight it has in its row, rather than take the heaviest. Returns shape (n,).
        """
        columns: dict[Hashable, np.ndarray] = {}
        for position, (column, place) in enumerate(self._parts):
            block = matrix[:, place]
            if column.kind.is_numeric:
                columns[column.name] = self._numeric[column.name].decode(block)
                continue
            if not self._one_hot:
                states = block[:, 0].astype(np.int32)
            elif uniforms is None:
                states = block.argmax(axis=1).astype(np.int32)
            else:
                shares = np.cumsum(np.clip(block, 0.0, None), axis=1)
                states = (shares <= uniforms[:, [position]] * shares[:, [-1]]).sum(axis=1).astype(np.int32)
            columns[column.name] = np.where(states == column.n_distinct, -1, states).astype(np.int32)
        return columns
