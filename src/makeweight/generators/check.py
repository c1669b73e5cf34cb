"""Which proposed rows a real table could have: the one check that every generator's rows go through."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.base import Traits
from makeweight.plan import Group, Groups
from makeweight.rules import Rule, values_of
from makeweight.table import Column, Kind, Schema, Table
from makeweight.table.kinds import codec
from makeweight.table.kinds._values import dense

__all__ = ["COPY", "SURPLUS", "Checker", "CopyPolicy", "code_of", "fingerprints", "first_reasons", "mix"]

CopyPolicy = Literal["auto", "reject", "accept"]
COPY = "copy-of-a-real-row"
SURPLUS = "surplus"
#: A table with a larger share of duplicate rows has copies by nature; they are not rejected by default.
FEW_DUPLICATES = 0.05
#: Nor are they where the columns allow fewer than this many distinct rows per row of the table.
ROOM_PER_ROW = 20


@dataclass(frozen=True)
class Checked:
    """The rows of one proposal that were accepted, and why the others were not."""

    columns: dict[Hashable, Any]  # encoded accepted values; text as it is
    n_accepted: int
    n_proposed: int
    copies: int
    rejected: Counter[str]


class Checker:
    """Checks proposed rows against the schema, the group and the real rows.

    `groups`: of the table. `traits`: of the generator. `copies`: {"auto", "reject", "accept"}; whether exact copies of
    real rows are rejected. "auto" rejects them unless the generator copies on purpose, the real table itself has many
    duplicates, or its columns allow few distinct rows. `rules`: what every row obeys besides.
    """

    def __init__(
        self, table: Table, groups: Groups, traits: Traits, copies: CopyPolicy = "auto", rules: Sequence[Rule] = ()
    ) -> None:
        self.table, self.groups, self.rules = table, groups, tuple(rules)
        self.n_real = len(table)
        self._policy, self._traits = copies, traits

    @cached_property
    def rejects_copies(self) -> bool:
        """Whether exact copies of real rows are rejected."""
        if self._policy != "auto":
            return self._policy == "reject"
        if self._traits.copies:
            return False
        return self.duplicate_share <= FEW_DUPLICATES and self._has_room

    @cached_property
    def duplicate_share(self) -> float:
        """Share of real rows that repeat another row of their group in all learned columns."""
        return 1.0 - len(np.unique(self._real)) / max(1, len(self._real))

    @cached_property
    def _has_room(self) -> bool:
        room = sum(math.log(max(1.0, _n_values(column))) for column in self.table.schema.learned)
        return room >= math.log(ROOM_PER_ROW * max(1, self.n_real))

    @cached_property
    def _real(self) -> np.ndarray:
        return fingerprints(self.table, self.groups.codes)

    @cached_property
    def _real_by_group(self) -> dict[int, np.ndarray]:
        order = np.argsort(self.groups.codes, kind="stable")
        parts = np.split(self._real[order], np.cumsum(self.groups.counts)[:-1])
        return {position: np.unique(part) for position, part in enumerate(parts)}

    def prepare(self) -> None:
        """Compute what is shared by all groups, before threads ask for it."""
        _ = (self.rejects_copies, self._real_by_group)

    def check(self, group: Group, frame: pd.DataFrame, n_wanted: int) -> Checked:
        """Accept up to `n_wanted` of the proposed rows."""
        schema = self.table.schema
        unknown = [name for name in frame.columns if name not in schema]
        if unknown:
            raise GeneratorError("the generator wrote unknown columns", got=unknown, expected=schema.names)
        n = len(frame)
        written = [c for c in schema.features if c.is_learned or (c.kind is Kind.TEXT and c.name in frame.columns)]
        columns, reasons = first_reasons(frame, written, self.groups.columns, group, schema)
        self._judge(group, columns, reasons)
        is_copy = self._copies(group, columns, reasons == "")
        if self.rejects_copies:
            reasons[is_copy] = COPY
        accepted = np.flatnonzero(reasons == "")
        reasons[accepted[n_wanted:]] = SURPLUS
        accepted = accepted[:n_wanted]
        kept = {
            name: values.iloc[accepted] if isinstance(values, pd.Series) else values[accepted]
            for name, values in columns.items()
        }
        rejected = Counter(reasons[reasons != ""].tolist())
        return Checked(kept, len(accepted), n, int(is_copy.sum()), rejected)

    def _judge(self, group: Group, columns: dict[Hashable, Any], reasons: np.ndarray) -> None:
        """Reject rows that break a rule, by the name of the first one."""
        for rule in self.rules:
            valid = np.flatnonzero(reasons == "")
            if not len(valid):
                return
            values = {}
            for name in rule.columns:
                column = self.table.schema[name]
                if name in columns:
                    encoded = columns[name][valid]
                elif name in self.groups.columns:
                    encoded = np.full(len(valid), code_of(column, group[self.groups.columns.index(name)]), np.int32)
                else:  # constant
                    encoded = np.repeat(self.table.encode(name, np.zeros(1, dtype=np.int64)), len(valid))
                values[name] = values_of(column, encoded)
            reasons[valid[~rule.holds(values)]] = rule.reason

    def _copies(self, group: Group, columns: dict[Hashable, Any], valid: np.ndarray) -> np.ndarray:
        is_copy = np.zeros(len(valid), dtype=bool)
        learned = self.table.schema.learned
        if learned and group in self.groups and valid.any():
            position = self.groups.position(group)
            prints = np.full(int(valid.sum()), position, dtype=np.uint64)
            for column in learned:
                prints = mix(prints, column.name, columns[column.name][valid])
            is_copy[valid] = self._are_real(position, prints)
        return is_copy

    def _are_real(self, position: int, prints: np.ndarray) -> np.ndarray:
        """Tell which fingerprints are those of real rows of a group."""
        return np.isin(prints, self._real_by_group[position])


def first_reasons(
    frame: pd.DataFrame, columns: Iterable[Column], given: Iterable[Hashable], group: Group, schema: Schema
) -> tuple[dict[Hashable, Any], np.ndarray]:
    """Return the encoded columns of proposed rows, and the first reason why each row is not valid.

    `frame` of shape (n, n_columns). `columns`: those that every row needs. `given`: the target and the grouping
    attributes: checked where the frame has them. `group`: for which the rows were proposed. Returns `encoded`;
    `reasons` of shape (n,), empty where a row is valid.
    """
    reasons = np.full(len(frame), "", dtype=object)
    encoded: dict[Hashable, Any] = {}
    for column in columns:
        if column.name not in frame.columns:
            reasons[reasons == ""] = f"missing-column: {column.name}"
            continue
        encoded[column.name], rejects = codec(column.kind).check(column, dense(frame[column.name]))
        for reason, mask in rejects.items():
            reasons[mask & (reasons == "")] = f"{reason}: {column.name}"
    for name, value in zip(given, group, strict=True):
        if name in frame.columns:
            codes, _ = codec(schema[name].kind).check(schema[name], frame[name])
            reasons[(codes != code_of(schema[name], value)) & (reasons == "")] = f"wrong-group: {name}"
    return encoded, reasons


def fingerprints(table: Table, positions: np.ndarray) -> np.ndarray:
    """Return 64 bits per row that are the same for rows of one group with equal learned columns.

    `positions` of shape (n_rows,): position of every row's group. Returns shape (n_rows,).
    """
    prints = positions.astype(np.uint64)
    for column in table.schema.learned:
        prints = mix(prints, column.name, table.encode(column.name))
    return prints


def code_of(column: Column, value: Hashable) -> int:
    """Return the code of one value of a grouping column; -1 for missing."""
    categories = cast("pd.Index", column.categories)
    return -1 if value is None else int(categories.get_indexer(pd.Index([value], dtype=categories.dtype))[0])


def _n_values(column: Column) -> float:
    if column.kind.is_coded:
        return column.n_states
    if column.decimals is None or column.low is None or column.high is None:
        return math.inf
    return (column.high - column.low) * 10.0**column.decimals / column.grid + 1


def mix(prints: np.ndarray, name: Hashable, values: np.ndarray) -> np.ndarray:
    """Fold one encoded column into the rows' 64-bit fingerprints.

    `prints` of shape (n_rows,). `name`: of the column: equal values of two columns leave different traces. `values` of
    shape (n_rows,). Returns shape (n_rows,).

    >>> zeros = mix(np.zeros(2, dtype=np.uint64), "x", np.array([0.0, -0.0]))
    >>> bool(zeros[0] == zeros[1])
    True
    """
    if values.dtype == np.float64:
        plain = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, one zero
        bits = plain.view(np.uint64)
    else:
        bits = values.astype(np.int64).view(np.uint64)
    salt = np.uint64(int.from_bytes(hashlib.sha256(repr(name).encode()).digest()[:8], "little"))
    mixed = (prints * np.uint64(0x9E3779B97F4A7C15)) ^ (bits + salt)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))
