"""Rows as each learner gets them: a matrix, or the frame for one that chooses its columns by itself."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from makeweight.measure.learners import Learner, reads_frame
from makeweight.measure.matrix import Matrix
from makeweight.table import Table
from makeweight.table.containers import append_rows

__all__ = ["LearnerRows"]


class LearnerRows:
    """Training rows, further rows and held-out rows, for any learner.

    The matrix is read off the training rows alone. The others have the columns of the table.

    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5], "y": [0, 1, 0]})
    >>> rows = LearnerRows(Table(frame, Schema.infer(frame, target="y")), frame[:1], frame[1:])
    >>> rows.train("lr", np.array([2]), np.array([True])).tolist(), rows.held("lr").shape
    ([[3.5], [1.5]], (2, 1))
    """

    def __init__(self, table: Table, further: pd.DataFrame, held: pd.DataFrame) -> None:
        self._table, self._parts = table, (table.frame, further, held)

    @cached_property
    def matrix(self) -> Matrix:
        """What turns rows into numbers."""
        return Matrix(self._table)

    @cached_property
    def matrices(self) -> tuple[np.ndarray, ...]:
        """Training, further and held-out rows as matrices."""
        first = self.matrix.transform(self._parts[0])
        return first, *(self.matrix.transform(part) if len(part) else first[:0] for part in self._parts[1:])

    @cached_property
    def frames(self) -> tuple[pd.DataFrame, ...]:
        """The same with their columns as they come, without the target."""
        names = [name for name in self._table.frame.columns if name != self._table.schema.target]
        return tuple(part[names] for part in self._parts)

    def train(self, learner: Learner, rows: np.ndarray, further: np.ndarray) -> Any:
        """Return some training rows, and below them some further ones."""
        if reads_frame(learner):
            frame, written, _ = self.frames
            frame, written = frame.iloc[rows], written[further] if further.dtype == bool else written.iloc[further]
            return append_rows(frame, written) if len(written) else frame
        real, more, _ = self.matrices
        return np.concatenate([real[rows], more[further]])

    def held(self, learner: Learner) -> Any:
        """Return the held-out rows."""
        return self.frames[2] if reads_frame(learner) else self.matrices[2]
