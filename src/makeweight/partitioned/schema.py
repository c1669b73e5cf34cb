"""From facts to the schema and the groups, by the rules that hold for every table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.types as kinds

from makeweight.errors import SchemaError, nearest
from makeweight.partitioned.facts import ColumnFacts, TableFacts, lowest
from makeweight.partitioned.source import PartSource, decoded
from makeweight.plan import Group, Groups
from makeweight.table import Column, Kind, Schema, Table
from makeweight.table.column import MAX_CATEGORIES, stated_form
from makeweight.table.infer import FEW, infer_column, number_kind, string_kind, warnings_of
from makeweight.table.kinds import codec
from makeweight.table.kinds._numeric import MAX_DECIMALS, grid_of
from makeweight.table.schema import MAX_NUMERIC_LABELS, MOST_LABELS
from makeweight.table.spelling.reader import may_be_dates


class CountedGroups(Groups):
    """Groups whose rows were counted elsewhere.

    `table`: one row per cell.
    """

    def __init__(self, table: Table, counts: Mapping[Group, int]) -> None:
        super().__init__(table)
        self.counts = np.array([counts[key] for key in self.keys], dtype=np.int64)


def refuse_unknown(source: PartSource, roles: list[str], kinds_given: Mapping[str, str]) -> None:
    """Refuse names of columns that the table does not have, before it is read.

    Raises SchemaError.
    """
    for name in (*roles, *kinds_given):
        if name not in source.schema.names:
            raise SchemaError("unknown column", where=f"column {name!r}", hint=nearest(str(name), source.schema.names))
    if len(set(roles)) < len(roles):
        raise SchemaError("a column can be target or grouping attribute once", got=roles)


def schema_of(source: PartSource, facts: TableFacts, roles: list[str], stated: Mapping[str, str]) -> Schema:
    """Return what `Schema.infer` would say of the whole table.

    `facts`: of all parts. `roles`: target, then grouping attributes. Raises SchemaError as `Schema.infer`.
    """
    target, *attributes = roles
    if facts.missing_labels:
        labels = facts.columns[target]
        raise SchemaError(
            "the target is missing in some rows",
            where=f"column {target!r}",
            got=f"{labels.n_missing} of {labels.n_rows} rows, "
            f"the first of them {_place(source, facts.missing_labels[0])}",
            hint="drop those rows, or give them a label of their own",
        )
    columns = []
    for field in source.schema:
        known = facts.columns[field.name]
        dtype = _dtype(field.type)
        given = stated.get(field.name)
        spelled = None if field.name in roles else _spelled(known, field.name, dtype, given)
        if spelled is not None:
            spelled = replace(spelled, n_rows=known.n_rows, n_missing=known.n_missing, n_distinct=known.n_distinct)
            columns.append(spelled)
            continue
        if field.name in roles:
            role = "the target" if field.name == target else "a grouping attribute"
            kind, reason = Kind.CATEGORICAL, role
            _refuse_many(known, field.name, role)
        elif given is not None:
            kind, reason = Kind.parse(given), "declared"
        else:
            kind, reason = _kind_of(known, field, dtype)
        column = _column(source, known, field.name, dtype, kind, reason)
        columns.append(replace(column, warnings=(*column.warnings, *warnings_of(column))))
    n_labels = columns[source.schema.names.index(target)].n_states
    columns = [
        replace(column, warnings=(*column.warnings, "looks like a copy of the target"))
        if column.name not in roles and _determines(facts.columns[str(column.name)], column, n_labels)
        else column
        for column in columns
    ]
    return Schema(tuple(columns), target, tuple(attributes))


def groups_of(schema: Schema, facts: TableFacts) -> CountedGroups:
    """Return the groups with the rows that were counted."""
    columns: dict[Hashable, Any] = {}
    cells = list(facts.cells)
    for position, name in enumerate(schema.group_columns):
        distinct = facts.columns[str(name)].distinct
        values = _series(distinct.values, schema[name].dtype)
        where = pd.Index(distinct.hashes).get_indexer(np.array([cell[position] for cell in cells], dtype=np.uint64))
        taken = values.take(np.where(where < 0, 0, where)).reset_index(drop=True)
        columns[name] = taken.mask(where < 0)
    small = Schema(tuple(schema[name] for name in schema.group_columns), schema.target, schema.group_by)
    table = Table(pd.DataFrame(columns), small)
    plain = Groups(table)
    counts = {plain.keys[code]: facts.cells[cell] for cell, code in zip(cells, plain.codes, strict=True)}
    return CountedGroups(table, counts)


def _dtype(arrow: Any) -> Any:
    if kinds.is_floating(arrow):
        return np.dtype(arrow.to_pandas_dtype())
    return pd.ArrowDtype(decoded(arrow))


def _series(values: Any, dtype: Any) -> pd.Series:
    if isinstance(dtype, np.dtype):
        return pd.Series(values.to_numpy(zero_copy_only=False), dtype=dtype)
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def _place(source: PartSource, row: int) -> str:
    """Name a row by its file and its position in it."""
    first: dict[str, int] = {}
    for part in source.parts:
        if part.offset <= row:
            first.setdefault(part.path, part.offset)
    path = list(first)[-1]
    return f"row {row - first[path]} of {path}"


def _kind_of(facts: ColumnFacts, field: Any, dtype: Any) -> tuple[Kind, str]:
    arrow = decoded(field.type)
    if kinds.is_dictionary(field.type):
        return Kind.CATEGORICAL, "dtype category"
    if not facts.n_present:
        return Kind.CATEGORICAL, "every value is missing"
    if kinds.is_boolean(arrow):
        return Kind.BOOLEAN, f"dtype {dtype}"
    if facts.time is not None:
        return Kind.DATETIME, f"dtype {dtype}"
    n_distinct = facts.n_distinct
    if facts.low is not None or facts.infinite is not None:
        values = facts.distinct.values
        few = None if n_distinct > FEW else {float(value) for value in values.to_pylist()}
        return number_kind(
            field.name,
            n_present=facts.n_present,
            n_distinct=n_distinct,
            few=few,
            unique=n_distinct == facts.n_present,
            bounds=(int(facts.low), int(facts.high)) if _is_whole(facts) else None,
        )
    if facts.looks is not None:
        return string_kind(field.name, n_present=facts.n_present, n_distinct=n_distinct, looks=facts.looks[:, 1:])
    return Kind.CATEGORICAL, f"values of type {arrow}"


def _spelled(facts: ColumnFacts, name: str, dtype: Any, stated: str | None) -> Column | None:
    """Describe a column that is written in a style, where its different values are few enough to be at hand."""
    kind = None if stated is None else Kind.parse(stated)
    is_text = facts.looks is not None
    is_date = facts.low is not None and (kind is Kind.DATETIME or may_be_dates(facts.low, facts.high))
    if facts.distinct.values is None or not (is_text or is_date) or (kind is not None and not kind.is_numeric):
        return None
    few = _series(facts.distinct.values, dtype)
    few.name = name
    column = infer_column(few, kind, form=None if stated is None else stated_form(stated))
    return column if column.spelling is not None else None


def _is_whole(facts: ColumnFacts) -> bool:
    return facts.infinite is None and bool(facts.exact & 1)


def _column(source: PartSource, facts: ColumnFacts, name: str, dtype: Any, kind: Kind, reason: str) -> Column:
    """Describe a column by its codec, on a few values that span it, and put in the counts."""
    counts: dict[str, Any] = {"n_rows": facts.n_rows, "n_missing": facts.n_missing, "n_distinct": facts.n_distinct}
    if kind.is_coded:
        if facts.distinct.values is None:
            raise _too_many_categories(facts, name)
        few = _series(facts.distinct.values, dtype)
    elif kind is Kind.DATETIME and facts.time is not None:
        return replace(facts.time, name=name, dtype=dtype, kind=kind, reason=reason, **counts)
    elif facts.low is not None:
        few = pd.Series(pd.array([facts.low, facts.high], dtype=dtype))
    else:
        few = pd.Series(pd.array([facts.first[1]] if facts.first else [], dtype=dtype))
    few.name = name
    if kind in (Kind.CONTINUOUS, Kind.INTEGER):
        _refuse_unfit_numbers(source, facts, name, kind)
    column: Column = codec(kind).describe(few, reason)
    column = replace(column, **counts)
    if kind is Kind.CONTINUOUS:
        column = replace(column, decimals=lowest(facts.exact))
    if kind in (Kind.CONTINUOUS, Kind.INTEGER):
        units = 10 ** (MAX_DECIMALS - (column.decimals or 0))
        column = replace(column, grid=grid_of(column, facts.divisor // units))
    return column


def _refuse_unfit_numbers(source: PartSource, facts: ColumnFacts, name: str, kind: Kind) -> None:
    if facts.infinite is not None:
        row, count = facts.infinite
        raise SchemaError(
            "infinite value",
            where=f"column {name!r}, {_place(source, row)}",
            got=f"{count} such values",
            expected="finite numbers or missing values",
            hint="replace infinity by a missing value, or drop those rows",
        )
    if kind is Kind.INTEGER and facts.low is not None and not _is_whole(facts):
        raise SchemaError(
            "some values are not whole numbers", where=f"column {name!r}", hint=f"--kind {name}=continuous"
        )


def _too_many_categories(facts: ColumnFacts, name: str) -> SchemaError:
    return SchemaError(
        "too many distinct values for a category",
        where=f"column {name!r}",
        got=f"{facts.n_distinct:,} distinct values in {facts.n_rows:,} rows",
        expected=f"at most {MAX_CATEGORIES:,}, and 32 MiB of them",
        hint=f"--kind {name}=identifier (fresh values) or --kind {name}=text (a real row's value), or drop the column",
    )


def _refuse_many(facts: ColumnFacts, name: str, role: str) -> None:
    n_distinct = facts.n_distinct
    if n_distinct > MAX_NUMERIC_LABELS and n_distinct > MOST_LABELS * facts.n_rows:
        raise SchemaError(
            f"{role} has too many distinct values to form groups",
            where=f"column {name!r}",
            got=f"{n_distinct:,} distinct values in {facts.n_rows:,} rows",
            hint="name another column, or cut this one into bins (pandas.cut)",
        )


def _determines(facts: ColumnFacts, column: Column, n_labels: int) -> bool:
    """Tell whether every value goes with one label and every label with one value."""
    if not column.kind.is_coded or column.n_states != n_labels or column.n_rows < 10:
        return False
    return facts.pairs is not None and len(facts.pairs) == column.n_states
