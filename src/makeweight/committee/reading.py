"""Labelled rows as a committee reads them: features as given, and as a frame whose kinds are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.labelled import LabelledRows
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups, Target
from makeweight.table import Schema, Table
from makeweight.theory._checks import as_weights

__all__ = ["CommitteeRows"]


@dataclass(frozen=True, eq=False)
class CommitteeRows:
    """Rows with labels, weights, and what must be split alike or kept together."""

    features: Any  # shape (n, d); as given
    frame: pd.DataFrame  # shape (n, d); the same
    kinds: dict[Any, str]  # found on all rows
    labels: np.ndarray  # shape (n,); positions in `classes`
    classes: np.ndarray  # shape (k,); sorted
    weights: np.ndarray  # shape (n,)
    strata: Strata

    @classmethod
    def read(
        cls, estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any, kinds: Mapping[Any, Any] | None
    ) -> CommitteeRows:
        """Check what was given to an estimator's ``fit``; the estimator remembers the columns."""
        given = LabelledRows(estimator, X, y, groups)
        given.check_labels()
        table = Table(given.frame, Target(given.target, tuple(given.attributes), kinds or {}).schema(given.frame))
        cells = Groups(table)
        refuse_one_class(cells)
        labels, classes = pd.factorize(given.labels, sort=True)
        return cls(
            given.X,
            given.frame[given.names].reset_index(drop=True),
            {column.name: column.stated for column in table.schema.features if column.name in set(given.names)},
            labels.astype(np.int64),
            np.asarray(classes),
            as_weights(sample_weight, len(labels)),
            Strata.of(table, cells),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def schema_of(self, frame: pd.DataFrame) -> Schema:
        """Return the schema of some rows: kinds of all, ranges and categories of these."""
        return Schema.infer(frame, kinds=self.kinds)
