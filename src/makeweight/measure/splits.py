"""Folds that are stratified by group and keep equal rows together."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import PlanError
from makeweight.plan import Groups, describe_group
from makeweight.table import Table

__all__ = ["Strata", "check_teachable", "refuse_one_class"]

#: A row that occurs more often than both, in rows and as a share of its group, is spread over folds.
ATOM_ROWS, ATOM_SHARE = 10, 0.02
LEAVE_OUT = "leave the group out, or join it to another"


@dataclass(frozen=True, eq=False)
class Strata:
    """Which rows must be split alike, and which must stay together.

    A held-out row that equals a training row measures memory, not generalisation.

    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5] * 2, "y": ["a", "a", "b", "b"] * 2})
    >>> strata = Strata.of(Table(frame, Schema.infer(frame, target="y")))
    >>> assigned = strata.assign(2, np.random.default_rng(0))
    >>> bool((assigned[:4] == assigned[4:]).all()), strata.distinct().tolist()
    (True, [2, 2])
    """

    codes: np.ndarray  # shape (n,); group of every row
    units: np.ndarray  # shape (n,); rows equal in all learned columns share a number, except rows that occur very often
    names: tuple[str, ...]  # names of the groups

    @classmethod
    def of(cls, table: Table, groups: Groups | None = None) -> Strata:
        """Return the strata of a table with a target."""
        groups = Groups(table) if groups is None else groups
        known = [*(column.name for column in table.schema.learned), *table.schema.group_columns]
        codes = groups.codes.astype(np.int64)
        units = _units(pd.util.hash_pandas_object(table.frame[known], index=False), codes)
        return cls(codes, units, tuple(map(groups.describe, groups.keys)))

    def named(self, columns: Sequence[Hashable], keys: Sequence[tuple[Any, ...]]) -> Strata:
        """Return the same under other names of the columns that make the groups."""
        return replace(self, names=tuple(describe_group(tuple(columns), key) for key in keys))

    def distinct(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return how many different rows each group has, among all rows or some."""
        chosen = slice(None) if rows is None else rows
        pairs = pd.DataFrame({"group": self.codes[chosen], "unit": self.units[chosen]}).drop_duplicates()
        return np.bincount(pairs["group"], minlength=len(self.names))

    def check(self, folds: int) -> None:
        """Refuse folds that a group cannot fill with two different rows each."""
        different = self.distinct()
        rarest = int(different.argmin())
        if different[rarest] >= 2 * folds:
            return
        most = int(different[rarest]) // 2
        raise PlanError(
            "too few rows in a group for the folds",
            where=self.names[rarest],
            got=_rows(int(np.bincount(self.codes)[rarest]), int(different[rarest])),
            expected=f"{2 * folds} or more different rows: two per fold",
            hint=f"use {most} folds or fewer" if most > 1 else LEAVE_OUT,
        )

    def check_teachable(self) -> None:
        """Refuse a group that has no two different rows; see `check_teachable`."""
        check_teachable(self.names, np.bincount(self.codes), self.distinct())

    def assign(self, folds: int, rng: np.random.Generator, rows: np.ndarray | None = None) -> np.ndarray:
        """Return a fold per row, of all rows or of some."""
        codes, units = (self.codes, self.units) if rows is None else (self.codes[rows], self.units[rows])
        assigned = np.empty(len(codes), dtype=np.int64)
        for code in np.unique(codes):
            mine = np.flatnonzero(codes == code)
            unit, sizes = np.unique(units[mine], return_inverse=True, return_counts=True)[1:]
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


def check_teachable(names: Sequence[str], counts: np.ndarray, different: np.ndarray) -> None:
    """Refuse a group of which a teacher cannot hold a row out and still see one.

    `counts`, `different` of shape (g,): its rows, and those that differ.
    """
    rarest = int(different.argmin())
    if different[rarest] < 2:
        raise PlanError(
            "a teacher needs a row of every group to learn from, and another to be judged by",
            where=names[rarest],
            got=_rows(int(counts[rarest]), int(different[rarest])),
            expected="2 or more different rows",
            hint=LEAVE_OUT,
        )


def refuse_one_class(groups: Groups) -> None:
    """Refuse a target with a single class."""
    labels = {key[0] for key in groups.keys}
    if len(labels) < 2:
        raise PlanError(
            "the target has one class",
            where=f"column {groups.columns[0]!r}",
            got=", ".join(map(repr, labels)) or None,
            expected="at least two",
            hint="check the target column",
        )


def _rows(n: int, different: int) -> str:
    alike = f", {different} of them different" if n > different else ""
    return f"{n:,} {'row' if n == 1 else 'rows'}{alike}"


def _units(keys: pd.Series, codes: np.ndarray) -> np.ndarray:
    """Return a number per row, the same for equal rows, in order of appearance.

    Rows that occur very often get a number each: kept together, a row that is a quarter of its group would be in
    one fold alone.
    """
    units, _ = pd.factorize(keys)
    sizes, limits = np.bincount(units)[units], np.maximum(ATOM_ROWS, ATOM_SHARE * np.bincount(codes))[codes]
    common = np.flatnonzero(sizes > limits)
    units[common] = units.max() + 1 + np.arange(len(common))
    return np.unique(units, return_inverse=True)[1]
