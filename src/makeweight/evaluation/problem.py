"""A table in an order of its own, with its groups and classes."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.table.schema import GroupBy

__all__ = ["EvaluationProblem"]


@dataclass(frozen=True, eq=False)
class EvaluationProblem:
    """The real rows of a comparison, in an order that does not depend on the order they came in.

    Columns of `frame` are sorted by name, rows by a hash of their content; `fingerprint` is a hash of both. `kinds` are
    those of the features in the whole table, `labels` the class number of every row.
    """

    frame: pd.DataFrame
    target: Hashable
    group_by: tuple[Hashable, ...]
    kinds: dict[Hashable, str]
    strata: Strata
    labels: np.ndarray
    class_names: tuple[str, ...]
    fingerprint: str

    @classmethod
    def read(
        cls, frame: pd.DataFrame, target: Hashable, group_by: GroupBy = (), kinds: Mapping[Any, Any] | None = None
    ) -> EvaluationProblem:
        """Return a table in its own order, with its groups."""
        # refuses what cannot be used
        attributes = Schema.infer(frame, target=target, group_by=group_by, kinds=kinds).group_by
        ordered = canonical(frame)
        schema = Schema.infer(ordered, target=target, group_by=attributes, kinds=kinds)
        table = Table(ordered, schema)
        groups = Groups(table)
        refuse_one_class(groups)
        labels, classes = pd.factorize(ordered[target], sort=True)
        return cls(
            ordered,
            target,
            attributes,
            {column.name: column.stated for column in schema.features},
            Strata.of(table, groups),
            labels.astype(np.int64),
            tuple(map(str, classes.tolist())),
            _digest(ordered),
        )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def codes(self) -> np.ndarray:
        """Group of every row."""
        return self.strata.codes

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the groups."""
        return self.strata.names

    @property
    def counts(self) -> np.ndarray:
        """Real rows per group."""
        return np.bincount(self.codes)

    @property
    def label_of_group(self) -> np.ndarray:
        """Class of every group."""
        labels = np.zeros(len(self.group_names), dtype=np.int64)
        labels[self.codes] = self.labels
        return labels

    @property
    def prior(self) -> np.ndarray:
        """Class shares when every group weighs the same."""
        held = np.bincount(self.label_of_group, minlength=len(self.class_names))
        return np.asarray(held / held.sum())

    def equal_rows(self, rows: pd.DataFrame) -> int:
        """Return how many of other rows equal a real one in all columns."""
        ours, theirs = (
            pd.util.hash_pandas_object(part[list(self.frame.columns)].astype(str), index=False)
            for part in (self.frame, rows)
        )
        return int(theirs.isin(ours).sum())

    def table(self, rows: np.ndarray) -> Table:
        """Return some rows as a table: kinds of the whole, ranges and categories of these rows alone."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        schema = Schema.infer(frame, target=self.target, group_by=self.group_by, kinds=self.kinds)
        return Table(frame, schema)


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with columns sorted by name and rows by a hash of their content.

    >>> frame = pd.DataFrame({"b": [1, 2, 3], "a": ["x", "y", "z"]})
    >>> shuffled = frame[["a", "b"]].iloc[[2, 0, 1]]
    >>> canonical(frame).equals(canonical(shuffled))
    True
    """
    columns = sorted(frame.columns, key=lambda name: (str(name), type(name).__name__))
    ordered = frame[columns]
    keys = pd.util.hash_pandas_object(ordered, index=False).to_numpy()
    return ordered.iloc[np.argsort(keys, kind="stable")].reset_index(drop=True)


def _digest(ordered: pd.DataFrame) -> str:
    digest = hashlib.sha256(repr([(str(n), str(t)) for n, t in ordered.dtypes.items()]).encode())
    digest.update(pd.util.hash_pandas_object(ordered, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def seed_of(random_state: int, *parts: object) -> np.random.SeedSequence:
    """Return a seed that depends on nothing but the random state and what is named.

    >>> seed_of(0, "smote", 1).generate_state(1) == seed_of(0, "smote", 1).generate_state(1)
    array([ True])
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return np.random.SeedSequence([random_state, int.from_bytes(digest[:16], "little")])


def match_columns(frame: pd.DataFrame, problem: EvaluationProblem, name: str) -> pd.DataFrame:
    """Return rows of another table in the columns and the order of a problem."""
    for column in problem.frame.columns:
        if column not in frame.columns:
            raise SchemaError(
                "the external rows lack a column",
                where=f"{name}, column {column!r}",
                hint=nearest(str(column), frame.columns),
            )
    if not len(frame):
        raise SchemaError("there are no external rows", where=name, got="0 rows")
    rows = canonical(frame[list(problem.frame.columns)])
    unknown = set(rows[problem.target].astype(str)) - set(problem.class_names)
    if unknown:
        raise SchemaError(
            "the external rows have a label that no real row has",
            where=name,
            got=sorted(unknown)[:5],
            expected=f"labels of column {problem.target!r}",
        )
    return rows
