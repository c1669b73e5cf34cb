"""Real, synthetic and held-out rows in the terms of the real table, in an order that no shuffling changes."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from makeweight.quality.nulls import QualityFinding, with_observed
from makeweight.table import Column, Schema, Table

#: Groups with fewer rows on a side are not compared: no test would see anything in them.
FEWEST = 8
#: Rows per side that are looked at where a check takes long; shares and copies are counted on all rows.
ROWS_PER_GROUP = 5_000
ROWS_IN_ALL = 10_000
MOST_GROUPS = 50
#: Not a strange value, but one that should not be there: an identifier of a real row.
KNOWN = "real-identifier"


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """The rows of one table, encoded as the real table's columns are."""

    #: dict of name to ndarray of shape (n,): float64 with NaN for missing, or int64 codes with -1 for missing; codes
    #: beyond the real categories stand for values that the real column does not have
    values: dict[Hashable, np.ndarray]
    #: dict of name to ndarray of int, shape (n,): position of the last digit of a number: 2 for 0.25, 0 for 7, -1 for
    #: 30
    digits: dict[Hashable, np.ndarray]
    strange: dict[tuple[str, Hashable], np.ndarray]  # values that the real column cannot have
    #: int, shape (n,): position in the comparison's groups; -1 for a label or attribute that the real table does not
    #: have
    group: np.ndarray
    rows: np.ndarray  # int, shape (n,): position in the table that was given, from 0
    examples: dict[tuple[str, Hashable], str] = field(default_factory=dict)  # a strange value of each kind

    def __len__(self) -> int:
        return len(self.group)

    def take(self, rows: np.ndarray) -> EncodedRows:
        """Return some of the rows."""
        return EncodedRows(
            {name: values[rows] for name, values in self.values.items()},
            {name: values[rows] for name, values in self.digits.items()},
            {key: mask[rows] for key, mask in self.strange.items()},
            self.group[rows],
            self.rows[rows],
            self.examples,
        )

    def ordered(self) -> EncodedRows:
        """Return the rows in an order that depends on their values alone."""
        keys = [*self.strange.values(), *self.digits.values(), *self.values.values(), self.group]
        return self.take(np.lexsort(keys))


@dataclass(frozen=True, eq=False)
class GroupRows:
    """The rows of one group, with its label and its cell of attributes: positions in each part."""

    name: str
    label: str
    cell: str
    position: int
    real: np.ndarray
    synthetic: np.ndarray
    holdout: np.ndarray


@dataclass(frozen=True, eq=False)
class ComparedRows:
    """All that the checks look at."""

    schema: Schema  # of the real table
    table: Table  # the real table
    columns: tuple[Column, ...]  # features that are compared, sorted by name
    levels: dict[Hashable, list[str]]  # what the codes of a column stand for
    real: EncodedRows
    synthetic: EncodedRows
    holdout: EncodedRows | None
    groups: tuple[GroupRows, ...]  # all groups
    removed: int  # original rows that stood in the synthetic table
    ignored: tuple[str, ...]  # columns of the synthetic table that the real one does not have
    seed: int

    def rng(self, *path: str) -> np.random.Generator:
        """Return the stream of one check and group; it depends on nothing else."""
        words = np.frombuffer(hashlib.sha256("\0".join(path).encode()).digest()[:16], dtype=np.uint32)
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=tuple(words.tolist())))

    @property
    def compared(self) -> tuple[GroupRows, ...]:
        """Groups with enough rows on both sides; of very many, those with most synthetic rows."""
        enough = [g for g in self.groups if min(len(g.real), len(g.synthetic)) >= FEWEST]
        enough.sort(key=lambda g: (-len(g.synthetic), g.name))
        return tuple(sorted(enough[:MOST_GROUPS], key=lambda g: g.position))

    @property
    def judged(self) -> tuple[GroupRows, ...]:
        """Compared groups that have enough held-out rows too."""
        return tuple(g for g in self.compared if len(g.holdout) >= FEWEST)

    def refusal(self, *, columns: str = "compare") -> QualityFinding | None:
        """Return why nothing can be compared, for want of rows or of columns; None where it can."""
        if not self.compared:
            return QualityFinding((), f"No group has {FEWEST} or more rows in both tables.", "skipped")
        if not self.columns:
            return QualityFinding((), f"There is no column to {columns}.", "not applicable")
        return None

    def samples(self, groups: Sequence[GroupRows], *path: str) -> list[GroupRows]:
        """Return groups with at most as many rows on each side as bound the time."""
        return [self.sample(group, len(groups), *path) for group in groups]

    def labels(self, group: GroupRows, purpose: str) -> np.ndarray:
        """Return which rows are called synthetic, as observed and then shuffled: shape (n, 1 + draws)."""
        n_synthetic = len(group.synthetic)
        return with_observed(len(group.real) + n_synthetic, n_synthetic, self.rng(purpose, group.name))

    def thinned(self, group: GroupRows, most: int, *path: str) -> GroupRows:
        """Return the group with at most so many rows on each side."""
        rng = self.rng(*path, group.name)
        real, synthetic, holdout = (
            side if len(side) <= most else np.sort(rng.choice(side, most, replace=False))
            for side in (group.real, group.synthetic, group.holdout)
        )
        return replace(group, real=real, synthetic=synthetic, holdout=holdout)

    def sample(self, group: GroupRows, n_groups: int, *path: str) -> GroupRows:
        """Return one of so many groups with at most as many rows on each side as bound the time."""
        most = min(ROWS_PER_GROUP, max(200, ROWS_IN_ALL // max(1, n_groups)))

        def draw(rows: np.ndarray, side: str) -> np.ndarray:
            if len(rows) <= most:
                return rows
            return np.sort(self.rng("sample", group.name, side, *path).choice(rows, most, replace=False))

        return replace(
            group,
            real=draw(group.real, "real"),
            synthetic=draw(group.synthetic, "synthetic"),
            holdout=draw(group.holdout, "holdout"),
        )


def row_ids(*parts: EncodedRows) -> list[np.ndarray]:
    """Number the distinct rows of several parts together, group included: equal rows, equal numbers."""
    ids = np.concatenate([part.group for part in parts]).astype(np.int64)
    for name in parts[0].values:
        codes, distinct = pd.factorize(np.concatenate([part.values[name] for part in parts]))
        ids = pd.factorize(ids * (len(distinct) + 1) + codes + 1)[0].astype(np.int64)
    return list(np.split(ids, np.cumsum([len(part) for part in parts])[:-1]))


def is_missing(values: np.ndarray) -> np.ndarray:
    """Return which encoded values are missing."""
    return np.isnan(values) if values.dtype == np.float64 else values < 0
