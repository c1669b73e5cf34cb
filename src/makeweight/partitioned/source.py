"""A table in many pieces: a folder of Parquet files, or one file with many row groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pyarrow.types as kinds

from makeweight.errors import FileProblem, SchemaError
from makeweight.table.containers import append_rows
from makeweight.table.files import no_such

__all__ = ["PartSource"]

ENDINGS = (".parquet", ".pq")
#: Row groups of one file are read by one task until it has this many rows.
ROWS_PER_TASK = 262_144
#: Rows in memory at a time, whatever the size of a row group.
BATCH = 65_536


@dataclass(frozen=True)
class SourcePart:
    """Row groups of one file, one after another."""

    path: str
    row_groups: tuple[int, ...]
    offset: int  # position of the first row in the whole table


@dataclass(frozen=True)
class PartSource:
    """A partitioned table, as its files' footers describe it."""

    path: str
    files: tuple[str, ...]  # in the order in which a person would number them: part.2 comes before part.10
    parts: tuple[SourcePart, ...]
    schema: pa.Schema  # of every file
    n_rows: int

    @classmethod
    def open(cls, path: str | Path) -> PartSource:
        """Read the footers of all files and see that they are pieces of one table."""
        files = _files(Path(path))
        parts: list[SourcePart] = []
        schema, n_rows = None, 0
        for file in files:
            metadata = _footer(file)
            own = metadata.schema.to_arrow_schema()
            _refuse_unknown_types(own, file)
            schema = own if schema is None else _agreed(schema, own, files[0], file)
            for row_groups, count in _tasks(metadata):
                parts.append(SourcePart(str(file), row_groups, n_rows))
                n_rows += count
        if not n_rows:
            raise SchemaError(
                "the table has no rows",
                where=str(path),
                got=f"0 rows in {len(files)} files",
                hint="there is nothing to learn from: check how the files were written",
            )
        return cls(str(path), tuple(map(str, files)), tuple(parts), schema, n_rows)


def batches(part: SourcePart, schema: pa.Schema) -> Iterator[tuple[int, pa.Table]]:
    """Read a part, a bounded number of rows at a time.

    Returns `offset`: position of the first row in the whole table. `table`: with the columns and types of `schema`.
    """
    offset = part.offset
    with pa.parquet.ParquetFile(part.path) as file:
        for read in _together(file.iter_batches(BATCH, row_groups=list(part.row_groups), use_threads=False)):
            table = pa.concat_tables(
                [
                    pa.table([_cast(piece.column(f.name), f.type) for f in schema], schema=schema)
                    for piece in (pa.Table.from_batches([batch]) for batch in read)
                ]
            )
            yield offset, table
            offset += table.num_rows


def _together(read: Iterator[Any]) -> Iterator[list[Any]]:
    """Put small batches together, since there is one for every row group at least."""
    together: list[Any] = []
    rows = 0
    for batch in read:
        together.append(batch)
        rows += batch.num_rows
        if rows >= BATCH // 2:
            yield together
            together, rows = [], 0
    if together:
        yield together


def decoded(dtype: pa.DataType) -> pa.DataType:
    """Return the type of a column's values: that of the dictionary where there is one."""
    if kinds.is_null(dtype):
        return pa.string()
    return dtype.value_type if kinds.is_dictionary(dtype) else dtype


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a piece of a table as a frame whose dtypes do not depend on how the table was cut.

    Floats are NumPy's, with NaN for missing; all other columns keep their Arrow type, whether or not this
    piece has missing values. A dictionary is read as its values, since every piece may have one of its own.
    """
    columns: dict[str, pd.Series] = {}
    for field in table.schema:
        column = table.column(field.name)
        if kinds.is_floating(field.type):
            columns[field.name] = column.to_pandas()
        else:
            columns[field.name] = pd.Series(pd.arrays.ArrowExtensionArray(column.cast(decoded(field.type))))
    return pd.DataFrame(columns, copy=False)


def to_arrow(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    """Return synthetic rows with exactly the columns and types of the real files."""
    plain = pa.schema([f for f in schema if not kinds.is_null(f.type)], metadata=schema.metadata)
    table = append_rows(plain.empty_table(), rows[plain.names])
    for position, field in enumerate(schema):
        if kinds.is_null(field.type):
            table = table.add_column(position, field, pa.nulls(len(rows)))
    return table


def _cast(column: Any, dtype: Any) -> Any:
    if kinds.is_dictionary(dtype) and column.type != dtype:
        return column.cast(dtype.value_type).dictionary_encode().cast(dtype)
    return column if column.type == dtype else column.cast(dtype)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        if path.suffix.lower() not in ENDINGS:
            raise FileProblem(
                "only Parquet can be read in pieces",
                where=str(path),
                got=repr(path.suffix),
                expected=".parquet, or a folder of such files",
                hint="leave out --engine",
            )
        return [path]
    if not path.is_dir():
        raise no_such("file or folder", str(path))
    seen = [entry for entry in path.iterdir() if entry.name[0] not in "._"]
    nested = sorted(entry.name for entry in seen if entry.is_dir())
    if nested:
        raise FileProblem(
            "folders in a folder are not read",
            where=str(path),
            got=f"{nested[0]!r}" + (f" and {len(nested) - 1} more" if len(nested) > 1 else ""),
            hint="put the part files into one folder, with the values of such folders as columns",
        )
    files = [entry for entry in seen if entry.suffix.lower() in ENDINGS]
    if not files:
        raise FileProblem(
            "no Parquet file in the folder",
            where=str(path),
            expected="names that end in .parquet",
            got=", ".join(sorted(entry.name for entry in seen)[:5]) or "an empty folder",
        )
    return sorted(files, key=_number)


def _number(path: Path) -> tuple[Any, ...]:
    pieces = re.split(r"(\d+)", path.name)
    return (*((int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces), path.name)


def _footer(path: Path) -> Any:
    try:
        return pa.parquet.read_metadata(path)
    except (pa.ArrowException, OSError) as error:
        raise FileProblem(
            "cannot be read as Parquet",
            where=str(path),
            got=str(error).splitlines()[0],
            hint="a file that is still being written, or is none: take it out of the folder",
        ) from error


def _refuse_unknown_types(schema: Any, path: Path) -> None:
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise SchemaError(
            "two columns have one name", where=f"{path}: " + ", ".join(map(repr, twice)), hint="rename one of them"
        )
    for field in schema:
        if kinds.is_nested(field.type):
            raise SchemaError(
                "values cannot be used as categories",
                where=f"column {field.name!r} in {path}",
                got=str(field.type),
                hint="drop the column, or turn its lists and structs into plain values",
            )


def _agreed(schema: Any, own: Any, first: Path, path: Path) -> Any:
    """Return the schema of two files; a column without a value in one of them has the other's type."""
    for name in [*schema.names, *own.names]:
        if name not in own.names or name not in schema.names:
            lacking, having = (path, first) if name not in own.names else (first, path)
            raise SchemaError(
                "part files have different columns",
                where=f"column {name!r}",
                got=f"it is in {having.name} and not in {lacking.name}",
                hint="write all parts with the same columns, or take one file out of the folder",
            )
    for field in own:
        position = schema.get_field_index(field.name)
        known = schema.field(position).type
        if _plain(field.type) == _plain(known) or kinds.is_null(field.type):
            continue
        if not kinds.is_null(known):
            raise SchemaError(
                "part files have different types",
                where=f"column {field.name!r}",
                got=f"{known} in {first.name}, {field.type} in {path.name}",
                hint="write all parts with the same types",
            )
        schema = schema.set(position, field)
    return schema


def _plain(dtype: Any) -> Any:
    """Return a type as one of those that hold the same values."""
    if kinds.is_dictionary(dtype):
        return pa.dictionary(pa.int32(), _plain(dtype.value_type), dtype.ordered)
    return pa.string() if kinds.is_large_string(dtype) or kinds.is_string_view(dtype) else dtype


def _tasks(metadata: Any) -> Iterator[tuple[tuple[int, ...], int]]:
    """Put small row groups together."""
    together: list[int] = []
    rows = 0
    for position in range(metadata.num_row_groups):
        count = metadata.row_group(position).num_rows
        if together and rows + count > ROWS_PER_TASK:
            yield tuple(together), rows
            together, rows = [], 0
        together.append(position)
        rows += count
    if rows:
        yield tuple(together), rows
