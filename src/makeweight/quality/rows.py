"""Real, synthetic and held-out rows in the terms of the real table, in an order that no shuffling changes."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.plan import describe_group
from makeweight.quality.nulls import QualityFinding
from makeweight.table import Column, Kind, Schema, Table
from makeweight.table.kinds import codec
from makeweight.table.kinds._numeric import read_numbers
from makeweight.table.kinds._values import dense

__all__ = ["KNOWN", "ComparedRows", "EncodedRows", "GroupRows", "is_missing", "read_rows", "row_ids"]

#: Groups with fewer rows on a side are not compared: no test would see anything in them.
FEWEST = 8
#: Rows per side that are looked at where a check takes long; shares and copies are counted on all rows.
ROWS_PER_GROUP = 5_000
ROWS_IN_ALL = 10_000
MOST_GROUPS = 50
#: Added by `makeweight balance --provenance`, `--alpha` and `--synthetic-weight`.
PREFIX = "makeweight_"
MOST_DIGITS = 9
#: Not a strange value, but one that should not be there: an identifier of a real row.
KNOWN = "real-identifier"


@dataclass(frozen=True, eq=False)
class EncodedRows:
    """The rows of one table, encoded as the real table's columns are.

    Parameters
    ----------
    values : dict of name to ndarray of shape (n,)
        float64 with NaN for missing, or int64 codes with -1 for missing; codes beyond the real categories
        stand for values that the real column does not have.
    digits : dict of name to ndarray of int, shape (n,)
        Position of the last digit of a number: 2 for 0.25, 0 for 7, -1 for 30.
    strange : dict of (reason, name) to ndarray of bool
        Values that the real column cannot have.
    group : ndarray of int, shape (n,)
        Position in the comparison's groups; -1 for a label or attribute that the real table does not have.
    """

    values: dict[Hashable, np.ndarray]
    digits: dict[Hashable, np.ndarray]
    strange: dict[tuple[str, Hashable], np.ndarray]
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.group)

    def take(self, rows: np.ndarray) -> EncodedRows:
        """Return some of the rows."""
        return EncodedRows(
            {name: values[rows] for name, values in self.values.items()},
            {name: values[rows] for name, values in self.digits.items()},
            {key: mask[rows] for key, mask in self.strange.items()},
            self.group[rows],
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
    """All that the checks look at.

    Parameters
    ----------
    schema : Schema
        Of the real table.
    table : Table
        The real table.
    columns : tuple of Column
        Features that are compared, sorted by name.
    levels : dict of name to list of str
        What the codes of a column stand for.
    real, synthetic : EncodedRows
    holdout : EncodedRows or None
    groups : tuple of GroupRows
        All groups.
    removed : int
        Original rows that stood in the synthetic table.
    ignored : tuple of str
        Columns of the synthetic table that the real one does not have.
    seed : int
    """

    schema: Schema
    table: Table
    columns: tuple[Column, ...]
    levels: dict[Hashable, list[str]]
    real: EncodedRows
    synthetic: EncodedRows
    holdout: EncodedRows | None
    groups: tuple[GroupRows, ...]
    removed: int
    ignored: tuple[str, ...]
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


def read_rows(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    holdout: pd.DataFrame | None,
    schema: Schema,
    *,
    contains_real: bool | None,
    seed: int,
) -> ComparedRows:
    """Return the rows of all tables in the terms of the real one.

    Parameters
    ----------
    real, synthetic, holdout : DataFrame
        Not changed.
    schema : Schema
        Of `real`.
    contains_real : bool or None
        Whether the real rows stand in `synthetic` too, and are to be left out; None finds out.
    seed : int

    Raises
    ------
    SchemaError
        When a column is lacking, or no synthetic row is left.
    """
    columns = tuple(sorted((c for c in schema.features if c.kind.is_learned), key=lambda c: str(c.name)))
    synthetic, removed = _without_marked(synthetic, contains_real)
    frames = {"real": real, "synthetic": synthetic, **({} if holdout is None else {"held-out": holdout})}
    for what, frame in frames.items():
        _refuse_lacking(frame, schema, what)
    parts, levels, groups = _encode(frames, schema, columns)
    if contains_real is not False and not removed:
        parts["synthetic"], removed = _without_real(parts["real"], parts["synthetic"], contains_real)
    if not len(parts["synthetic"]):
        raise SchemaError("the synthetic table has no synthetic rows", got=f"{removed:,} rows, all of them real")
    held = parts.get("held-out")
    return ComparedRows(
        schema,
        Table(real, schema),
        columns,
        levels,
        parts["real"],
        parts["synthetic"],
        held,
        tuple(
            GroupRows(
                describe_group(schema.group_columns, values),
                str(values[0]),
                str(values[1:]),
                i,
                *(_members(part, i) for part in (parts["real"], parts["synthetic"], held)),
            )
            for i, values in enumerate(groups)
        ),
        removed,
        tuple(sorted(str(name) for name in synthetic.columns if name not in schema and not _is_mark(name))),
        seed,
    )


def _encode(
    frames: dict[str, pd.DataFrame], schema: Schema, columns: Sequence[Column]
) -> tuple[dict[str, EncodedRows], dict[Hashable, list[str]], list[tuple[str | None, ...]]]:
    """Return the encoded tables, what the codes of their columns stand for, and the values of every group."""
    by_role = [schema[name] for name in schema.group_columns]
    levels: dict[Hashable, list[str]] = {}
    parts = {name: EncodedRows({}, {}, {}, np.zeros(len(frame), int)) for name, frame in frames.items()}
    cells = {name: np.zeros(len(frame), dtype=np.int64) for name, frame in frames.items()}
    known = {name: np.ones(len(frame), dtype=bool) for name, frame in frames.items()}
    for column in (*by_role, *columns):
        levels[column.name] = _read_column(column, frames, parts)
        if column.name in schema.group_columns:
            width = len(levels[column.name]) + 1
            for name, part in parts.items():
                codes = part.values.pop(column.name)
                known[name] &= (codes < column.n_distinct) & ((codes >= 0) | (column.n_missing > 0))
                cells[name] = cells[name] * width + codes % width
    _mark_known_identifiers(schema, frames["real"], frames["synthetic"], parts["synthetic"])
    keys = np.unique(np.concatenate([cells[name][known[name]] for name in frames]))
    groups = [_group_values(int(key), by_role, levels) for key in keys]
    names = np.array([describe_group(schema.group_columns, values) for values in groups], dtype=object)
    order = np.argsort(names, kind="stable")
    rank = np.argsort(order)
    for name, part in parts.items():
        places = rank[np.clip(np.searchsorted(keys, cells[name]), 0, len(keys) - 1)]
        parts[name] = replace(part, group=np.where(known[name], places, -1)).ordered()
    return parts, levels, [groups[i] for i in order]


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


def _members(part: EncodedRows | None, position: int) -> np.ndarray:
    return np.empty(0, dtype=np.int64) if part is None else np.flatnonzero(part.group == position)


def _is_mark(name: Hashable) -> bool:
    return str(name).startswith(PREFIX)


def _without_marked(frame: pd.DataFrame, contains_real: bool | None) -> tuple[pd.DataFrame, int]:
    """Return the rows whose provenance says that they are synthetic, and the number of the others."""
    mark = f"{PREFIX}synthetic"
    if contains_real is False or mark not in frame.columns:
        return frame, 0
    is_synthetic = frame[mark].astype(str).str.casefold().isin(("true", "1", "1.0")).to_numpy()
    return frame[is_synthetic], int((~is_synthetic).sum())


def _without_real(real: EncodedRows, synthetic: EncodedRows, contains_real: bool | None) -> tuple[EncodedRows, int]:
    """Return the rows without the original ones, where all of those stand in a longer table, and their number."""
    if len(synthetic) <= len(real) and not contains_real:
        return synthetic, 0
    ours, theirs = row_ids(real, synthetic)
    width = int(max(ours.max(initial=-1), theirs.max(initial=-1))) + 1
    needed = np.bincount(ours, minlength=width)
    lacking = int(np.maximum(needed - np.bincount(theirs, minlength=width), 0).sum())
    if lacking and contains_real:
        raise SchemaError(
            "the real rows are not all in the synthetic table",
            got=f"{lacking:,} of {len(real):,} lacking",
            hint="leave out --contains-real, or give the table that was balanced as REAL",
        )
    if lacking:
        return synthetic, 0
    known = np.zeros(len(theirs), dtype=bool)
    for (reason, _), mask in synthetic.strange.items():
        known |= mask & (reason == KNOWN)
    order = np.lexsort([~known, theirs])  # of equal rows, the originals are those with the identifiers
    starts = np.searchsorted(theirs[order], theirs[order])
    among_equals = np.empty(len(theirs), dtype=np.int64)
    among_equals[order] = np.arange(len(theirs)) - starts
    return synthetic.take(np.flatnonzero(among_equals >= needed[theirs])), len(real)


def _refuse_lacking(frame: pd.DataFrame, schema: Schema, what: str) -> None:
    if not frame.columns.is_unique:
        raise SchemaError("two columns have one name", where=f"{what} table")
    lacking = [name for name in schema.names if name not in frame.columns]
    if lacking:
        raise SchemaError(
            f"the {what} table lacks a column of the real one",
            where=f"column {lacking[0]!r}",
            got=f"{len(lacking)} lacking" if len(lacking) > 1 else None,
            hint=nearest(str(lacking[0]), [n for n in frame.columns if n not in schema] or frame.columns),
        )
    if not len(frame):
        raise SchemaError(f"the {what} table has no rows")


def _read_column(column: Column, frames: dict[str, pd.DataFrame], parts: dict[str, EncodedRows]) -> list[str]:
    """Encode one column of all tables, and return what its codes stand for."""
    texts = [] if column.categories is None else [str(value) for value in column.categories]
    rank = np.argsort(np.argsort(texts, kind="stable"), kind="stable")  # codes do not depend on the rows' order
    unknown: dict[str, pd.Series[Any]] = {}
    for what, frame in frames.items():
        part, series = parts[what], dense(frame[column.name])
        if column.categories is not None:
            series = _as_text(column, series)
        encoded, rejects = codec(column.kind).check(column, series)
        for reason, mask in rejects.items():
            if reason == "unknown-category":
                unknown[what] = series[mask].astype(str)
            part.strange[reason, column.name] = np.asarray(mask, dtype=bool)
        if column.kind in (Kind.CONTINUOUS, Kind.INTEGER):
            part.digits[column.name] = last_digits(read_numbers(series)[0])
        if column.categories is not None:
            encoded = np.where(encoded < 0, -1, rank[encoded])
        part.values[column.name] = encoded + 0.0 if encoded.dtype == np.float64 else encoded.astype(np.int64)
    new = sorted({text for values in unknown.values() for text in values})
    for what, values in unknown.items():
        mask = parts[what].strange["unknown-category", column.name]
        parts[what].values[column.name][mask] = len(texts) + np.searchsorted(new, values.to_numpy(dtype=str))
    return sorted(texts) + new


def _as_text(column: Column, series: pd.Series[Any]) -> pd.Series[Any]:
    """Spell numbers as the categories do, where those are text and this file has numbers only."""
    assert column.categories is not None
    is_text = len(column.categories) and all(isinstance(value, str) for value in column.categories)
    if not is_text or not pd.api.types.is_numeric_dtype(series.dtype):
        return series
    spelled = series.astype(object).map(lambda v: v if pd.isna(v) else str(int(v)) if float(v).is_integer() else str(v))
    return spelled.where(series.notna(), None)


def last_digits(values: np.ndarray) -> np.ndarray:
    """Return the position of the last digit of numbers: decimals, or minus the number of final zeros.

    Examples
    --------
    >>> last_digits(np.array([0.25, 7.0, 30.0, 0.0, np.nan]))
    array([ 2,  0, -1,  0,  0])
    """
    digits = np.zeros(len(values), dtype=np.int64)
    present = np.isfinite(values) & (values != 0)
    left = present.copy()
    slack = 1e-9 + 1e-12 * np.abs(np.where(present, values, 0.0))
    for position in range(-6, MOST_DIGITS + 1):
        if not left.any():
            break
        with np.errstate(invalid="ignore"):
            fits = left & (np.abs(np.round(values, position) - values) <= slack)
        digits[fits] = position
        left &= ~fits
    digits[left] = MOST_DIGITS + 1
    return digits


def _group_values(key: int, columns: Sequence[Column], levels: dict[Hashable, list[str]]) -> tuple[str | None, ...]:
    values: list[str | None] = []
    for column in reversed(columns):
        width = len(levels[column.name]) + 1
        code, key = key % width, key // width
        values.insert(0, levels[column.name][code] if code < width - 1 else None)
    return tuple(values)


def _mark_known_identifiers(schema: Schema, real: pd.DataFrame, synthetic: pd.DataFrame, part: EncodedRows) -> None:
    """Mark the rows that carry an identifier of a real row."""
    for column in schema.features:
        if column.kind is Kind.IDENTIFIER:
            known = set(real[column.name].dropna().astype(str))
            part.strange[KNOWN, column.name] = synthetic[column.name].astype(str).isin(known).to_numpy()
