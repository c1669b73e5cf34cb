"""The tables as the checks see them: encoded in the terms of the real one, without original rows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError, nearest
from makeweight.plan import describe_group
from makeweight.quality.rows import KNOWN, ComparedRows, EncodedRows, GroupRows, row_ids
from makeweight.table import Column, Kind, Schema, Table
from makeweight.table.kinds import codec, in_another_style
from makeweight.table.kinds._numeric import read_numbers
from makeweight.table.kinds._values import dense

#: Added by `makeweight balance --provenance`, `--alpha` and `--synthetic-weight`.
PREFIX = "makeweight_"
MOST_DIGITS = 9
#: Numbers beyond are compared as this, so that their squares can be summed.
HUGE = 1e150
#: Real values that a tail is measured by, how far beyond is far, and the fewest values that have tails.
TAIL, FAR, FEWEST_FOR_TAILS = 10, 2.0, 100


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

    `real`, `synthetic`, `holdout`: not changed. `schema`: of `real`. `contains_real`: whether the real rows stand in
    `synthetic` too, and are to be left out; None finds out. Raises SchemaError when a column is lacking, or no
    synthetic row is left.
    """
    columns = tuple(sorted((c for c in schema.features if c.kind.is_learned), key=lambda c: str(c.name)))
    kept, removed = _unmarked(synthetic, contains_real)
    frames = {"real": real, "synthetic": synthetic.iloc[kept], **({} if holdout is None else {"held-out": holdout})}
    for what, frame in frames.items():
        _refuse_lacking(frame, schema, what)
    parts, levels, groups = _encode(frames, schema, columns)
    parts["synthetic"] = replace(parts["synthetic"], rows=kept[parts["synthetic"].rows])
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
    parts = {
        name: EncodedRows({}, {}, {}, np.zeros(len(frame), int), np.arange(len(frame)))
        for name, frame in frames.items()
    }
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


def _members(part: EncodedRows | None, position: int) -> np.ndarray:
    return np.empty(0, dtype=np.int64) if part is None else np.flatnonzero(part.group == position)


def _is_mark(name: Hashable) -> bool:
    return str(name).startswith(PREFIX)


def _unmarked(frame: pd.DataFrame, contains_real: bool | None) -> tuple[np.ndarray, int]:
    """Return the positions of the rows whose provenance says that they are synthetic, and the number of the others."""
    mark = f"{PREFIX}synthetic"
    if contains_real is False or mark not in frame.columns:
        return np.arange(len(frame)), 0
    is_synthetic = frame[mark].astype(str).str.casefold().isin(("true", "1", "1.0")).to_numpy()
    return np.flatnonzero(is_synthetic), int((~is_synthetic).sum())


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
    unknown: dict[str, pd.Series] = {}
    for what, frame in frames.items():
        part, series = parts[what], dense(frame[column.name])
        if column.categories is not None:
            series = _as_text(column, series)
        encoded, rejects = codec(column.kind).check(column, series)
        if "unknown-category" in rejects:
            unknown[what] = series[rejects["unknown-category"]].astype(str)
            rejects |= _not_states(column, series, rejects["unknown-category"])
        if column.kind in (Kind.CONTINUOUS, Kind.INTEGER):
            part.digits[column.name] = last_digits(read_numbers(series)[0])
        if column.categories is None:
            encoded = np.clip(np.where(rejects.get("not-a-number", False), np.nan, encoded), -HUGE, HUGE)
            if "out-of-range" in rejects:
                rejects["far-out-of-range"] = _far(
                    encoded, parts["real"].values[column.name], ends_at_zero=column.kind is not Kind.DATETIME
                )
            part.values[column.name] = encoded + 0.0
        else:
            part.values[column.name] = np.where(encoded < 0, -1, rank[encoded]).astype(np.int64)
        if column.spelling is not None:
            rejects["another-style"] = in_another_style(column, series) & ~np.isnan(encoded)
        for reason, mask in rejects.items():
            if mask.any():
                part.strange[reason, column.name] = np.asarray(mask, dtype=bool)
                part.examples[reason, column.name] = str(series.iloc[int(np.argmax(mask))])
    new = sorted({text for values in unknown.values() for text in values})
    for what, values in unknown.items():
        mask = parts[what].strange["unknown-category", column.name]
        parts[what].values[column.name][mask] = len(texts) + np.searchsorted(new, values.to_numpy(dtype=str))
    return sorted(texts) + new


def _not_states(column: Column, series: pd.Series, unknown: np.ndarray) -> dict[str, np.ndarray]:
    """Return the unknown values of a column of numbers that are no numbers, and those of a column of two states."""
    if column.kind is Kind.BOOLEAN:
        return {"third-state": unknown}
    if pd.api.types.is_numeric_dtype(column.dtype):
        return {"not-a-number": unknown & ~np.isfinite(read_numbers(series.astype(object))[0])}
    return {}


def _far(values: np.ndarray, real: np.ndarray, *, ends_at_zero: bool) -> np.ndarray:
    """Return which values lie further beyond the real ones than the outermost real ones lie apart.

    The outermost ten of each side say how heavy the tail is: the largest of 400 values of a normal law lies one
    standard deviation from the tenth, of a Cauchy law nine tenths of its size. More fresh rows reach further.
    What begins at zero, such as counts and amounts, has nothing below.
    """
    real = np.sort(real[~np.isnan(real)])
    if len(real) < FEWEST_FOR_TAILS:
        return np.zeros(len(values), dtype=bool)
    low, high = real[[0, -1]]
    reach = FAR * max(1.0, len(values) / len(real))
    with np.errstate(invalid="ignore"):
        below = values < (low if ends_at_zero and low == 0 else low - reach * (real[TAIL] - low))
        return np.asarray(below | (values > high + reach * (high - real[-1 - TAIL])))


def _as_text(column: Column, series: pd.Series) -> pd.Series:
    """Spell numbers as the categories do, where those are text and this file has numbers only."""
    assert column.categories is not None
    is_text = len(column.categories) and all(isinstance(value, str) for value in column.categories)
    if not is_text or not pd.api.types.is_numeric_dtype(series.dtype):
        return series
    spelled = series.astype(object).map(lambda v: v if pd.isna(v) else str(int(v)) if float(v).is_integer() else str(v))
    return spelled.where(series.notna(), None)


def last_digits(values: np.ndarray) -> np.ndarray:
    """Return the position of the last digit of numbers: decimals, or minus the number of final zeros.

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
