"""The numeric matrix that a table of any kind becomes for a classifier."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd

from makeweight.table import Column, Table
from makeweight.table.reading import FrameReader

__all__ = ["Matrix"]

#: Categories that get a column of their own; rarer ones share none.
MOST_CATEGORIES = 50


class Matrix:
    """A numeric matrix of a table's learned columns, read off training rows alone.

    Numbers and dates are as they are, with the training median for missing and a column that says so where
    the training rows have missing values; categories get a column each, up to the 50 most frequent.
    Identifiers, texts and constant columns are left out; grouping attributes are in.

    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [1.5, None, 2.5], "c": ["a", "b", "a"], "y": [0, 1, 0]})
    >>> matrix = Matrix(Table(frame, Schema.infer(frame, target="y")))
    >>> matrix.transform(frame)
    array([[1.5, 0. , 1. , 0. ],
           [2. , 1. , 0. , 1. ],
           [2.5, 0. , 1. , 0. ]])
    """

    def __init__(self, table: Table) -> None:
        schema = table.schema
        self._reader = FrameReader([c for c in schema.columns if c.is_learned and c.name != schema.target])
        self._medians: dict[Hashable, float] = {}
        self._frequent: dict[Hashable, np.ndarray] = {}
        for column in self._reader.columns:
            values = table.encode(column.name)
            if column.kind.is_numeric:
                self._medians[column.name] = float(np.nanmedian(values))
            else:
                counts = np.bincount(values[values >= 0], minlength=column.n_distinct)
                self._frequent[column.name] = np.sort(np.argsort(-counts, kind="stable")[:MOST_CATEGORIES])

    def transform(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the matrix of a frame with the training rows' columns, of shape (n_rows, n_outputs)."""
        values = self._reader.read(frame)
        parts = [self._part(*pair) for pair in zip(self._reader.columns, values, strict=True)]
        return np.concatenate(parts, axis=1) if parts else np.zeros((len(frame), 1))

    def _part(self, column: Column, values: np.ndarray) -> np.ndarray:
        if column.kind.is_coded:
            is_it = values[:, None] == self._frequent[column.name]
            return np.asarray(is_it.astype(np.float64))
        missing = np.isnan(values)
        filled = np.where(missing, self._medians[column.name], values)
        return np.stack([filled, missing], axis=1) if column.n_missing else filled[:, None]
