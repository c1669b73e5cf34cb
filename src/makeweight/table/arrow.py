"""Arrow types that pandas does not compute with: views, runs, halves and nested values."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from makeweight.errors import SchemaError

__all__ = ["plain_arrow"]


def plain_arrow(column: pa.Array | pa.ChunkedArray, name: object) -> pa.Array | pa.ChunkedArray:
    """Return a column of a type that pandas computes with: views as plain texts, runs as their values."""
    dtype = column.type
    if kinds.is_run_end_encoded(dtype):
        return plain_arrow(pc.run_end_decode(column), name)
    if isinstance(dtype, pa.BaseExtensionType):
        return plain_arrow(_storage(column), name)
    if kinds.is_nested(dtype):
        raise SchemaError(
            "a column of nested values cannot be learned",
            where=f"column {name!r}",
            got=str(dtype),
            expected="one plain value per row",
            hint="leave the column out, or turn it into plain columns first (a struct's fields, a list's length)",
        )
    if kinds.is_interval(dtype):
        raise SchemaError(
            "a column of months, days and nanoseconds cannot be learned",
            where=f"column {name!r}",
            got=str(dtype),
            expected="one length of time per row",
            hint="turn it into a duration, or leave the column out",
        )
    if kinds.is_dictionary(dtype) and _plain_type(dtype.value_type) != dtype.value_type:
        return column.cast(pa.dictionary(dtype.index_type, _plain_type(dtype.value_type), dtype.ordered))
    return column if _plain_type(dtype) == dtype else column.cast(_plain_type(dtype))


def _storage(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    return column.storage


def _plain_type(dtype: Any) -> Any:
    if kinds.is_string_view(dtype):
        return pa.large_string()
    return pa.large_binary() if kinds.is_binary_view(dtype) else dtype


def cast_arrow(column: pa.Array | pa.ChunkedArray, dtype: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return a column in a type that `plain_arrow` takes apart, or in any other."""
    if column.type == dtype:
        return column
    if kinds.is_dictionary(dtype):
        values = column.cast(column.type.value_type) if kinds.is_dictionary(column.type) else column
        return values.cast(dtype.value_type).dictionary_encode().cast(dtype)
    if kinds.is_run_end_encoded(dtype):
        values = cast_arrow(column, dtype.value_type)
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return pc.run_end_encode(values, dtype.run_end_type)
    if isinstance(dtype, pa.BaseExtensionType):
        values = cast_arrow(column, dtype.storage_type)
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        return pa.ExtensionArray.from_storage(dtype, values)
    return column.cast(dtype)
