"""A table in an order of its own, and folds in which no row has its equal on the other side."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import PlanError, SchemaError, nearest
from makeweight.plan import Groups
from makeweight.table import Kind, Schema, Table

__all__ = ["Problem", "canonical", "seed_of"]

#: A row that occurs more often than both, in rows and as a share of its group, is spread over folds.
ATOM_ROWS, ATOM_SHARE = 10, 0.02


def refuse_one_class(groups: Groups) -> None:
    """Refuse a target with which there is nothing to tell apart.

    Raises
    ------
    PlanError
    """
    labels = {key[0] for key in groups.keys}
    if len(labels) < 2:
        raise PlanError(
            "the target has one class",
            where=f"column {groups.columns[0]!r}",
            got=", ".join(map(repr, labels)) or None,
            expected="at least two",
            hint="check the target column",
        )


@dataclass(frozen=True, eq=False)
class Problem:
    """The real rows of a comparison, in an order that does not depend on the order they came in.

    Parameters
    ----------
    frame : DataFrame of shape (n, d)
        Columns sorted by name, rows by a hash of their content.
    target : hashable
    group_by : tuple of hashable
    kinds : dict of column to Kind
        Of the features, found on the whole table.
    codes : ndarray of int, shape (n,)
        Group of every row.
    labels : ndarray of int, shape (n,)
        Class of every row.
    units : ndarray of int, shape (n,)
        Rows equal in all columns that are learned have one number, but for rows that occur very often.
    group_names, class_names : tuple of str
    fingerprint : str
        Hash of the rows and columns, whatever their order.
    """

    frame: pd.DataFrame
    target: Hashable
    group_by: tuple[Hashable, ...]
    kinds: dict[Hashable, Kind]
    codes: np.ndarray
    labels: np.ndarray
    units: np.ndarray
    group_names: tuple[str, ...]
    class_names: tuple[str, ...]
    fingerprint: str

    @classmethod
    def read(
        cls,
        frame: pd.DataFrame,
        target: Hashable,
        group_by: Sequence[Hashable] = (),
        kinds: Mapping[Any, Any] | None = None,
    ) -> Problem:
        """Order a table, and find its groups.

        Raises
        ------
        SchemaError
            When a column is unknown or cannot be used.
        PlanError
            When the target has one class.
        """
        Schema.infer(frame, target=target, group_by=group_by, kinds=kinds)  # refuses what cannot be used
        ordered = canonical(frame)
        schema = Schema.infer(ordered, target=target, group_by=group_by, kinds=kinds)
        groups = Groups(Table(ordered, schema))
        refuse_one_class(groups)
        labels, classes = pd.factorize(ordered[target], sort=True)
        known = [*(column.name for column in schema.learned), *schema.group_columns]
        units = _units(pd.util.hash_pandas_object(ordered[known], index=False), groups.codes)
        return cls(
            ordered,
            target,
            tuple(group_by),
            {column.name: column.kind for column in schema.features},
            groups.codes.astype(np.int64),
            labels.astype(np.int64),
            units,
            tuple(map(groups.describe, groups.keys)),
            tuple(map(str, classes.tolist())),
            _digest(ordered),
        )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def counts(self) -> np.ndarray:
        """Real rows per group."""
        return np.bincount(self.codes)

    @property
    def label_of_group(self) -> np.ndarray:
        """Class of every group."""
        found = np.zeros(len(self.group_names), dtype=np.int64)
        found[self.codes] = self.labels
        return found

    @property
    def prior(self) -> np.ndarray:
        """Class shares when every group weighs the same."""
        held = np.bincount(self.label_of_group, minlength=len(self.class_names))
        return np.asarray(held / held.sum())

    def check_folds(self, folds: int) -> None:
        """Refuse folds that a group cannot fill.

        Raises
        ------
        PlanError
            Naming the group.
        """
        pairs = pd.DataFrame({"group": self.codes, "unit": self.units}).drop_duplicates()
        different = np.bincount(pairs["group"])
        rarest = int(different.argmin())
        if different[rarest] < 2 * folds:
            n_rows = int(self.counts[rarest])
            alike = f", {different[rarest]} of them different" if n_rows > different[rarest] else ""
            most = int(different[rarest]) // 2
            hint = f"use {most} folds or fewer" if most > 1 else "leave the group out, or join it to another"
            raise PlanError(
                "too few rows in a group for the folds",
                where=self.group_names[rarest],
                got=f"{n_rows} rows{alike}",
                expected=f"{2 * folds} or more different rows: two per fold",
                hint=hint,
            )

    def assign(self, rows: np.ndarray, folds: int, seed: np.random.SeedSequence) -> np.ndarray:
        """Return a fold per row, stratified by group; equal rows are in one fold.

        Parameters
        ----------
        rows : ndarray of int
            Positions in `frame`.
        folds : int
        seed : numpy.random.SeedSequence

        Returns
        -------
        ndarray of int, shape of `rows`
        """
        rng = np.random.default_rng(seed)
        assigned = np.empty(len(rows), dtype=np.int64)
        codes = self.codes[rows]
        for code in np.unique(codes):
            mine = np.flatnonzero(codes == code)
            unit, sizes = np.unique(self.units[rows[mine]], return_inverse=True, return_counts=True)[1:]
            order = rng.permutation(len(sizes))
            fold_of = np.empty(len(sizes), dtype=np.int64)
            if sizes.max() == 1:
                fold_of[order] = np.arange(len(order)) % folds
            else:
                filled = [(0, fold) for fold in range(folds)]
                for position in order:
                    size, fold = filled[0]
                    fold_of[position] = fold
                    heapq.heapreplace(filled, (size + int(sizes[position]), fold))
            assigned[mine] = fold_of[unit]
        return assigned

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


def _units(keys: pd.Series[Any], codes: np.ndarray) -> np.ndarray:
    """Number rows by content; a content that is an atom of its group's distribution gets one per row.

    Kept together, a row that is, say, a quarter of its group would be all of one fold and none of the others.
    """
    units, _ = pd.factorize(keys)
    sizes, limits = np.bincount(units)[units], np.maximum(ATOM_ROWS, ATOM_SHARE * np.bincount(codes))[codes]
    common = np.flatnonzero(sizes > limits)
    units[common] = units.max() + 1 + np.arange(len(common))
    return np.unique(units, return_inverse=True)[1]


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with columns sorted by name and rows by a hash of their content.

    Examples
    --------
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

    Examples
    --------
    >>> seed_of(0, "smote", 1).generate_state(1) == seed_of(0, "smote", 1).generate_state(1)
    array([ True])
    """
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return np.random.SeedSequence([random_state, int.from_bytes(digest[:16], "little")])


def match_columns(frame: pd.DataFrame, problem: Problem, name: str) -> pd.DataFrame:
    """Return rows of another table in the columns and the order of a problem.

    Raises
    ------
    SchemaError
        When a column is missing, or a label is none of the real ones.
    """
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
