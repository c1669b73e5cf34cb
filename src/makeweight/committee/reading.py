"""Labelled rows as a committee reads them: features as given, and as a table whose kinds are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.classifier.inputs import read_features
from makeweight.classifier.training import take_rows
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups
from makeweight.sampler import _Input
from makeweight.table import Kind, Schema, Table
from makeweight.theory._checks import as_weights

__all__ = ["LabelledRows", "read_features", "take_rows"]


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows with labels, weights, and what must be split alike or kept together.

    Parameters
    ----------
    features : container of shape (n, d)
        As given.
    frame : DataFrame of shape (n, d)
        The same.
    kinds : dict of column to Kind
        Found on all rows.
    labels : ndarray of int, shape (n,)
        Positions in `classes`.
    classes : ndarray of shape (k,)
        Sorted.
    weights : ndarray of shape (n,)
    strata : Strata
    """

    features: Any
    frame: pd.DataFrame
    kinds: dict[Any, Kind]
    labels: np.ndarray
    classes: np.ndarray
    weights: np.ndarray
    strata: Strata

    @classmethod
    def read(cls, estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any, kinds: Any) -> LabelledRows:
        """Check what was given to an estimator's ``fit``; the estimator remembers the columns."""
        estimator.group_by = None
        given = _Input(estimator, X, y, groups)
        del estimator.group_by
        given.check_labels()
        schema = Schema.infer(given.frame, target=given.target, group_by=given.attributes, kinds=kinds)
        table = Table(given.frame, schema)
        cells = Groups(table)
        refuse_one_class(cells)
        labels, classes = pd.factorize(given.labels, sort=True)
        weights = as_weights(sample_weight, len(labels))
        own = {column.name: column.kind for column in schema.features if column.name in set(given.names)}
        frame = given.frame[given.names].reset_index(drop=True)
        return cls(given.X, frame, own, labels, np.asarray(classes), weights, Strata.of(table, cells))

    def __len__(self) -> int:
        return len(self.labels)

    def schema_of(self, frame: pd.DataFrame) -> Schema:
        """Return the schema of some rows: kinds of all, ranges and categories of these."""
        return Schema.infer(frame, kinds=self.kinds)
