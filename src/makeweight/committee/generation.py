"""A generation whose rows, and the real ones, have the labels that a teacher gives them; it brings no scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from makeweight.committee.soft import SoftLabels
from makeweight.generators.generation import Generation

if TYPE_CHECKING:
    from makeweight.committee.teaching import Lesson

__all__ = ["SoftGeneration"]


@dataclass(frozen=True, eq=False, repr=False)
class SoftGeneration(Generation):
    """Synthetic rows, and the labels that a teacher gives to them and to the real rows.

    ``frame`` and ``provenance`` are those of the rows as they were written, each with the label of its group.
    """

    lesson: Lesson = field(kw_only=True)  # the teacher, and what it says of every row
    #: rows once per label: 0 to n - 1 are the real ones, the synthetic ones follow
    labels: SoftLabels = field(kw_only=True)
    #: shape (r - n, n_columns); what stands below the real rows in the training set: real rows with another label, then
    #: synthetic rows, once per label; with the columns, order and dtypes of the real table
    further: pd.DataFrame = field(kw_only=True)
    n_real: int = field(kw_only=True)

    @property
    def sample_weight(self) -> np.ndarray:
        """Of the real rows and those of `further` below them, shape (r,)."""
        return self.labels.weights

    @property
    def probabilities(self) -> pd.DataFrame:
        """What the teacher says of each row of the training set, a column per label, shape (r, k)."""
        said = self.lesson.probabilities[self.labels.rows]
        return pd.DataFrame(said, columns=pd.Index(self.lesson.teacher.classes_, dtype=object))

    @property
    def is_synthetic(self) -> np.ndarray:
        """Which rows of the training set are synthetic, shape (r,)."""
        return np.asarray(self.labels.rows >= self.n_real)

    def origin(self) -> pd.DataFrame:
        """Return the provenance of every row of the training set, with None for real ones, shape (r, 3)."""
        rows = self.labels.rows - self.n_real
        columns = {
            name: np.where(rows < 0, None, self.provenance[name].astype(object).to_numpy()[np.maximum(rows, 0)])
            if len(self)
            else np.full(len(rows), None)
            for name in self.provenance
        }
        return pd.DataFrame(columns, dtype=object)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the rows as plain values for JSON."""
        teacher = self.lesson.teacher
        said: dict[str, object] = {
            "members": dict(zip(teacher.members_, teacher.weights_.round(6).tolist(), strict=True)),
            "log_loss": round(teacher.loss_, 6),
            "rows": len(self.labels.rows),
        }
        return {**super().to_dict(), "teacher": said}
