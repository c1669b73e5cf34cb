"""Rows that carry probabilities, for a table in pieces: one teacher; rows are labelled where they are written."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from makeweight.committee import Committee, soft_labels, teach
from makeweight.committee.teaching import with_known_identifiers
from makeweight.errors import SchemaError
from makeweight.measure.splits import Strata
from makeweight.measure.training import balancing_weights
from makeweight.partitioned.source import SourcePart, batches, to_arrow, to_frame
from makeweight.plan import Groups
from makeweight.table import Kind, Schema, Table

__all__ = ["TEACHER_ROWS", "refuse_taken"]

#: Rows that the teacher is fitted to at most, as many of every group as there are.
TEACHER_ROWS = 10_000
#: Column that every part file gets.
WEIGHT = "makeweight_weight"
#: Keeps the teacher's stream apart from those of the fit and the parts.
TEACHER_STREAM = 3


@dataclass(frozen=True, eq=False)
class Teacher:
    """A teacher, and what real rows weigh."""

    #: fitted to a sample, at the shares of the whole table; where there are grouping attributes, at equal shares of the
    #: groups
    teacher: Committee
    schema: Schema
    groups: Groups  # with the counts of the whole table
    labels: np.ndarray  # shape (k,); what the teacher's classes stand for, 0 to k - 1
    weights: np.ndarray  # shape (n_groups,); of a real row, by its group; their mean over the table is one
    sample: pd.DataFrame | None  # features of the rows that it was fitted to, where it reads identifiers
    seed: int  # of the identifiers that it is asked with

    def label(self, rows: pd.DataFrame, arrow: pa.Schema) -> pa.Table:
        """Return synthetic rows once per label, with the label's probability as their weight."""
        target, k = self.schema.target, len(self.labels)
        said = np.empty((0, k))
        if len(rows):
            features = rows[_features(self.schema)]
            if self.sample is not None:
                features = with_known_identifiers(features, self.sample, _kinds(self.schema), self.seed)
            said = self.teacher.predict_proba(features)
        soft = soft_labels(np.empty(0, dtype=np.int64), np.empty((0, k)), said)
        further = rows.iloc[soft.rows].reset_index(drop=True)
        further[target] = pd.Series(self.labels[soft.labels], dtype=object).astype(rows[target].dtype)
        return _weighed(to_arrow(further, arrow), soft.weights)

    def real(self, path: str, arrow: pa.Schema) -> Iterator[pa.Table]:
        """Yield the rows of a real part file with what they weigh."""
        row_groups = tuple(range(pyarrow.parquet.read_metadata(path).num_row_groups))
        for _, table in batches(SourcePart(path, row_groups, 0), arrow):
            weights = np.ones(table.num_rows)
            if len(self.groups.columns) > 1:
                local = Groups(Table(to_frame(table), self.schema))
                weights = self.weights[[self.groups.position(key) for key in local.keys]][local.codes]
            yield _weighed(table, weights)


def taught(sample: pa.Table, schema: Schema, groups: Groups, *, teacher: Any, seed: int, n_jobs: int) -> Teacher:
    """Return a teacher that is fitted to a sample."""
    frame = to_frame(sample)
    table = Table(frame, schema)
    local = Groups(table)
    Strata.of(table, local).check_teachable()
    positions = np.array([groups.position(key) for key in local.keys])[local.codes]
    attributes = [name for name in groups.columns if name != schema.target]
    counts = np.asarray(groups.counts, dtype=np.float64)
    even = counts.sum() / len(counts) / counts if attributes else np.ones(len(counts))
    # A row of the sample stands for those of its group that are not in it.
    stands_for = balancing_weights(positions) if attributes else (counts / np.bincount(positions))[positions]
    names = _features(schema)
    state = int(np.random.SeedSequence(seed, spawn_key=(TEACHER_STREAM,)).generate_state(1)[0])
    # Numbers in the place of labels: columns of Arrow hold what scikit-learn takes for no label.
    codes, labels = pd.factorize(frame[schema.target].to_numpy(dtype=object), sort=True)
    lesson = teach(
        frame[names],
        codes,
        frame[names].iloc[:0],
        teacher=teacher,
        kinds=_kinds(schema),
        groups=frame[attributes] if attributes else None,
        sample_weight=stands_for / stands_for.mean(),
        random_state=state,
        n_jobs=n_jobs,
    )
    fresh = any(column.kind is Kind.IDENTIFIER for column in schema.features)
    read = frame[names] if fresh and teacher is not True else None
    return Teacher(lesson.teacher, schema, groups, np.asarray(labels, dtype=object), even, read, state)


def refuse_taken(names: list[str]) -> None:
    """Refuse a table that has the column of weights.

    Raises SchemaError.
    """
    if WEIGHT in names:
        raise SchemaError(
            "the table already has the column that soft labels add",
            where=f"column {WEIGHT!r}",
            hint="drop or rename it",
        )


def _features(schema: Schema) -> list[Hashable]:
    return [name for name in schema.names if name != schema.target]


def _kinds(schema: Schema) -> dict[Hashable, str]:
    names = set(_features(schema))
    return {column.name: column.stated for column in schema.columns if column.name in names}


def _weighed(table: Any, weights: np.ndarray) -> Any:
    return table.append_column(WEIGHT, pa.array(weights, type=pa.float64()))
