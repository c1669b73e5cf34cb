"""pandas, polars, Arrow and NumPy tables: in as a pandas frame, out as what came in."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import SchemaError
from makeweight.table.arrow import cast_arrow, plain_arrow

__all__ = ["append_rows", "append_values", "as_container", "empty_like", "to_frame", "to_series", "with_plain_names"]


def to_frame(data: Any) -> pd.DataFrame:
    """Return a table as a pandas frame, without copying where that is possible.

    `data` of shape (n_rows, n_columns): columns of an array are called ``x0``, ``x1``, ...

    >>> to_frame(np.array([[1.5, 2.0]])).columns.tolist()
    ['x0', 'x1']
    """
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, np.ndarray) and data.ndim == 2:
        return pd.DataFrame(data, columns=[f"x{i}" for i in range(data.shape[1])], copy=False)
    if _is(data, "polars", "DataFrame"):
        for name, dtype in data.schema.items():
            _check_polars(name, dtype)
        return _arrow_frame(data.to_arrow())
    if _is(data, "pyarrow", "Table"):
        return _arrow_frame(data)
    hint = "call .collect() first" if _is(data, "polars", "LazyFrame") else "convert it to a pandas frame"
    raise SchemaError(
        "not a table",
        got=type(data).__name__,
        expected="a pandas or polars DataFrame, a pyarrow Table or a two-dimensional array",
        hint=hint,
    )


def to_series(values: Any, n_rows: int) -> pd.Series:
    """Return one column (Series of pandas or polars, Arrow array, ndarray, list) as a pandas Series."""
    if _is(values, "polars", "Series") or hasattr(values, "combine_chunks") or type(values).__module__ == "pyarrow.lib":
        import pyarrow as pa

        if _is(values, "polars", "Series"):
            _check_polars(values.name or "target", values.dtype)
        column = values.to_arrow() if _is(values, "polars", "Series") else values
        name = getattr(values, "name", None) or "target"
        series = _arrow_frame(pa.table({name: column}))[name]
    else:
        series = values if isinstance(values, pd.Series) else pd.Series(values)
    if len(series) != n_rows:
        raise SchemaError("lengths differ", got=f"{len(series)} values", expected=f"{n_rows}, one per row")
    return series


def _check_polars(name: str, dtype: Any) -> None:
    """Refuse types of polars that Arrow does not have."""
    if str(dtype) in ("Object", "Int128", "UInt128"):
        raise SchemaError(
            "polars does not hand columns of this type on",
            where=f"column {name!r}",
            got=str(dtype),
            expected="a type that Arrow has",
            hint="cast it to Int64, Decimal or String, or leave the column out",
        )


def with_plain_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns are named by texts or whole numbers, which stand for any labels it has.

    >>> levels = pd.MultiIndex.from_tuples([("p", "a"), ("p", "b")])
    >>> with_plain_names(pd.DataFrame([[1, 2]], columns=levels)).columns.tolist()
    ['p.a', 'p.b']
    """
    labels = list(frame.columns)
    if not isinstance(frame.columns, pd.MultiIndex) and all(
        isinstance(label, str | int) and not isinstance(label, bool) for label in labels
    ):
        return frame
    names: dict[str, None] = {}
    for label in labels:
        name = ".".join(map(str, label)) if isinstance(label, tuple) else str(label)
        while name in names:
            name += "_"
        names[name] = None
    return frame.set_axis(list(names), axis=1)


def append_rows(data: Any, rows: pd.DataFrame) -> Any:
    """Put synthetic rows below the real ones, in the container of the real ones.

    >>> real = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    >>> append_rows(real, real.iloc[:1])["n"].tolist()
    [1, <NA>, 1]
    """
    if isinstance(data, pd.DataFrame):
        return _append_pandas(data, rows)
    new = as_container(data, rows)
    if isinstance(data, np.ndarray):
        return np.concatenate([data, new])
    if _is(data, "polars", "DataFrame"):
        import polars as pl

        return pl.concat([data, new])
    import pyarrow as pa

    return pa.concat_tables([data, new])


def as_container(like: Any, rows: pd.DataFrame) -> Any:
    """Return rows of a pandas frame in the container of others, with their types.

    >>> as_container(np.zeros((0, 2)), pd.DataFrame({"x0": [1], "x1": [2]}))
    array([[1., 2.]])
    """
    if isinstance(like, pd.DataFrame):
        return rows
    if isinstance(like, np.ndarray):
        return rows.to_numpy(dtype=like.dtype)
    if _is(like, "polars", "DataFrame"):
        import polars as pl

        return pl.from_pandas(rows[like.columns]).cast(dict(like.schema))
    import pyarrow as pa

    new = pa.Table.from_pandas(rows[like.column_names], preserve_index=False)
    columns = [cast_arrow(new.column(field.name), field.type) for field in like.schema]
    return pa.table(columns, schema=like.schema)


def empty_like(data: Any) -> Any:
    """Return the container of a table without its rows."""
    return data.slice(0, 0) if _is(data, "pyarrow", "Table") else data[:0]


def append_values(values: Any, new: pd.Series) -> Any:
    """Put synthetic values below the real ones, in the container of the real ones."""
    if isinstance(values, list):
        return values + new.tolist()
    if isinstance(values, pd.Series):
        joined = pd.concat([values, new.astype(values.dtype)], ignore_index=True).astype(values.dtype)
        joined.name = values.name
        return joined
    if _is(values, "polars", "Series"):
        import polars as pl

        return pl.concat([values, pl.from_pandas(new).cast(values.dtype)])
    if type(values).__module__ == "pyarrow.lib":
        import pyarrow as pa

        added = cast_arrow(pa.array(new, from_pandas=True), values.type)
        chunked = isinstance(values, pa.ChunkedArray)
        return pa.chunked_array([*values.chunks, added]) if chunked else pa.concat_arrays([values, added])
    array = np.asarray(values)
    added = new.to_numpy(dtype=array.dtype)
    return np.concatenate([array, added.reshape(-1, *array.shape[1:])])


def _append_pandas(real: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    if not len(rows):
        return real.reset_index(drop=True)
    names = list(real.columns)
    rows = rows if list(rows.columns) != names and len(rows.columns) == len(names) else rows[names]
    plain = [range(real.shape[1])]
    joined = pd.concat([real.set_axis(*plain, axis=1), rows.set_axis(*plain, axis=1)], ignore_index=True)
    lost = {i: dtype for i, dtype in enumerate(real.dtypes) if joined.dtypes[i] != dtype}
    return (joined.astype(lost) if lost else joined).set_axis(real.columns, axis=1)


def _arrow_frame(table: Any) -> pd.DataFrame:
    """Convert Arrow columns losing no value and no dtype: to NumPy only where nothing is missing."""
    import pyarrow.types as kinds

    columns: dict[str, pd.Series] = {}
    if len(set(table.column_names)) < table.num_columns:
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        raise SchemaError("two columns have one name", where=", ".join(map(repr, twice)), hint="rename one of them")
    for name in table.column_names:
        column = plain_arrow(table.column(name), name)
        plain = (kinds.is_integer(column.type) or kinds.is_boolean(column.type)) and not column.null_count
        if plain or kinds.is_floating(column.type) or kinds.is_dictionary(column.type):
            columns[name] = column.to_pandas()
        else:
            columns[name] = pd.Series(pd.arrays.ArrowExtensionArray(column))
    return pd.DataFrame(columns, copy=False)


def _is(data: Any, package: str, name: str) -> bool:
    """Tell whether `data` is of a class of a package, without importing it."""
    module = sys.modules.get(package)
    return module is not None and isinstance(data, getattr(module, name))
