"""Reading and writing tables: CSV, TSV, Parquet, Feather, standard input and output.

Real rows are written back exactly as they were read. A file appears under its name only when it is complete.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from makeweight.errors import FileProblem, SchemaError
from makeweight.table.cells import Style, read_column
from makeweight.table.column import Kind
from makeweight.table.containers import append_rows, to_frame
from makeweight.table.delimited import DelimitedText, Dialect, owned_by_arrow, refuse_values_as_names
from makeweight.table.files import STANDARD, format_of, no_such, read_pipe, refuse_impossible, replace_file
from makeweight.table.memory import refuse_too_large

__all__ = ["TableFile", "read_table", "write_real_rows", "write_table"]


@dataclass(frozen=True, eq=False)
class TableFile:
    """A table as it was read, with what it takes to write it back."""

    source: str  # path, or "standard input"
    format: str  # {"csv", "tsv", "parquet", "feather"}
    frame: pd.DataFrame  # DataFrame of shape (n_rows, n_columns): the values, typed
    text: DelimitedText | None = None  # the file, where it is text
    styles: dict[str, Style] = field(default_factory=dict)  # how each column of a text file spells its values
    arrow: pa.Table | None = None  # the table, where the file is binary
    notes: dict[str, str] = field(default_factory=dict)  # what a user should look at, by column


def read_table(
    source: str | Path, *, header: bool = True, missing: Collection[str] = (), kinds: Mapping[str, Kind] | None = None
) -> TableFile:
    """Read a table.

    `source`: a file ending in .csv, .tsv, .parquet or .feather, or "-" for standard input. `header`: whether the first
    line of a text file names the columns; else they are called ``c1``, ``c2``, ... `missing`: texts that stand for a
    missing value, besides the blank cell and the usual ones. `kinds`: what the user says the columns are.
    """
    name = str(source)
    raw, where, format_ = _load(name)
    if format_ in ("csv", "tsv"):
        return _read_text(raw, where, format_, header, missing, kinds or {})
    if missing or not header:
        raise FileProblem(
            "only text files lack names or spell missing values",
            where=where,
            got=format_.title(),
            hint="leave out --no-header and --missing",
        )
    table = _read_binary(raw, where, format_)
    if not table.num_rows:
        raise _no_rows(where, table.num_columns)
    return TableFile(where, format_, to_frame(table), arrow=table)


def write_table(
    file: TableFile,
    rows: pd.DataFrame,
    destination: str | Path,
    *,
    extra: pd.DataFrame | None = None,
    synthetic_only: bool = False,
) -> None:
    """Write the real rows as they were, then the synthetic ones.

    `file`: the real rows. `rows` of shape (n_synthetic, n_columns): with the columns and dtypes of ``file.frame``.
    `destination`: a file, which is replaced if it exists; or "-" for standard output. `extra`: further columns for all
    rows that are written. `synthetic_only`: leave the real rows out.
    """
    name = str(destination)
    format_ = file.format if name == STANDARD else format_of(name)

    def write(stream: IO[bytes]) -> None:
        if format_ in ("csv", "tsv"):
            _write_text(file, rows, stream, format_, extra, synthetic_only)
        else:
            _write_binary(file, rows, stream, format_, extra, synthetic_only)

    if name == STANDARD:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        replace_file(Path(name), write)
    except OSError as error:
        if isinstance(error, FileProblem | BrokenPipeError):
            raise
        raise FileProblem("cannot write the file", where=name, got=error.strerror or str(error)) from error


def _load(name: str) -> tuple[bytes, str, str]:
    if name == STANDARD:
        raw = sys.stdin.buffer.read()
        magic = {b"PAR1": "parquet", b"ARRO": "feather"}
        return raw, "standard input", magic.get(raw[:4], "csv")
    path = Path(name)
    refuse_impossible(name)
    if path.is_dir():
        raise FileProblem("a directory is no table", where=name, hint="name a file in it")
    if path.is_char_device() or path.is_block_device():
        raise FileProblem("a device is no table", where=name, hint="name a file, or give text as standard input: -")
    if not path.exists():
        raise no_such("file", name)
    format_ = format_of(name)
    try:
        if path.is_fifo():
            return read_pipe(path), name, format_
        refuse_too_large(path)
        return path.read_bytes(), name, format_
    except FileProblem:
        raise
    except OSError as error:
        hint = "check that the file is there and may be read"
        raise FileProblem("cannot read the file", where=name, got=error.strerror or str(error), hint=hint) from error


def _read_text(
    raw: bytes, where: str, format_: str, header: bool, missing: Collection[str], kinds: Mapping[str, Kind]
) -> TableFile:
    text = DelimitedText.parse(raw, where=where, delimiter="\t" if format_ == "tsv" else None, header=header)
    cells = text.cells()
    if header:
        refuse_values_as_names(text, cells)
    _refuse_names(text, where)
    if not cells.num_rows:
        raise _no_rows(where, len(text.names))
    columns, styles, notes = {}, {}, {}
    for position, name in enumerate(text.names):
        columns[name], styles[name], note = read_column(
            cells.column(position),
            name,
            missing=missing,
            kind=kinds.get(name),
            decimal_comma=text.dialect.delimiter != ",",
        )
        if note:
            notes[name] = note
    return TableFile(where, format_, pd.DataFrame(columns, copy=False), text, styles, notes=notes)


def _refuse_names(text: DelimitedText, where: str) -> None:
    twice = sorted({name for name in text.names if text.names.count(name) > 1})
    if twice:
        what = "two columns have no name" if twice == [""] else "two columns have one name"
        raise SchemaError(
            what,
            where=f"{where}, line 1: " + ", ".join(map(repr, twice)),
            hint="rename one of them, or, if the first line holds values, --no-header",
        )


def _no_rows(where: str, n_columns: int) -> SchemaError:
    return SchemaError(
        "the table has no rows",
        where=where,
        got=f"0 rows x {n_columns} columns",
        hint="there is nothing to learn from: check how the file was written",
    )


def _read_binary(raw: bytes, where: str, format_: str) -> pa.Table:
    read = pyarrow.parquet.read_table if format_ == "parquet" else pyarrow.feather.read_table
    if not raw:
        raise FileProblem("the file is empty", where=where, hint="check how it was written")
    try:
        return read(pa.BufferReader(owned_by_arrow(raw)))
    except (pa.ArrowException, OSError) as error:
        raise FileProblem(
            f"cannot be read as {format_.title()}",
            where=where,
            got=str(error).splitlines()[0],
            hint="the ending of the name says what is expected: .csv, .tsv, .parquet or .feather",
        ) from error


def write_real_rows(file: TableFile, rows: np.ndarray, destination: str) -> None:
    """Write some rows of a table as they were read, in its own format."""

    def write(stream: IO[bytes]) -> None:
        if file.format in ("parquet", "feather"):
            table = file.arrow if file.arrow is not None else pa.Table.from_pandas(file.frame, preserve_index=False)
            _write_arrow(table.take(pa.array(rows)), stream, file.format)
            return
        dialect = file.text.dialect if file.text is not None else Dialect()
        stream.write(dialect.start([str(name) for name in file.frame.columns]))
        for part in dialect.lines([cells.take(pa.array(rows)) for cells in _real_cells(file)]):
            stream.write(part)

    try:
        replace_file(Path(destination), write)
    except OSError as error:
        raise FileProblem("cannot write the file", where=destination, got=error.strerror or str(error)) from error


def _write_text(
    file: TableFile,
    rows: pd.DataFrame,
    stream: IO[bytes],
    format_: str,
    extra: pd.DataFrame | None,
    synthetic_only: bool,
) -> None:
    dialect = file.text.dialect if file.text is not None else Dialect()
    if format_ != file.format:
        dialect = replace(dialect, delimiter="\t" if format_ == "tsv" else ",")
    names = [str(name) for name in file.frame.columns]
    n_real = 0 if synthetic_only else len(file.frame)
    if file.text is not None and extra is None and format_ == file.format and n_real:
        stream.write(file.text.body())
    else:
        more = [] if extra is None else [str(name) for name in extra.columns]
        stream.write(dialect.start([*names, *more]))
        if n_real:
            for part in dialect.lines([*_real_cells(file), *_extra_cells(extra, 0, n_real)]):
                stream.write(part)
    styles = [file.styles.get(name, Style()) for name in names]
    new = [style.render(rows[name]) for style, name in zip(styles, file.frame.columns, strict=True)]
    for part in dialect.lines([*new, *_extra_cells(extra, n_real, n_real + len(rows))]):
        stream.write(part)


def _real_cells(file: TableFile) -> list[Any]:
    if file.text is None:
        return [Style().render(file.frame[name]) for name in file.frame.columns]
    cells = file.text.cells()
    return [cells.column(position) for position in range(cells.num_columns)]


def _extra_cells(extra: pd.DataFrame | None, begin: int, end: int) -> list[Any]:
    if extra is None:
        return []
    part = extra.iloc[begin:end]
    truths = {True: "true", False: "false"}
    return [Style(truths.__getitem__ if part[name].dtype == bool else str).render(part[name]) for name in part.columns]


def _write_binary(
    file: TableFile,
    rows: pd.DataFrame,
    stream: IO[bytes],
    format_: str,
    extra: pd.DataFrame | None,
    synthetic_only: bool,
) -> None:
    real = file.arrow
    if real is None:
        real = pa.Table.from_pandas(file.frame, preserve_index=False)
    table = append_rows(real.slice(0, 0) if synthetic_only else real, rows)
    if extra is not None:
        for name in extra.columns:
            table = table.append_column(str(name), pa.array(extra[name], from_pandas=True))
    _write_arrow(table, stream, format_)


def _write_arrow(table: Any, stream: IO[bytes], format_: str) -> None:
    if format_ == "parquet":
        pyarrow.parquet.write_table(table, stream)
    else:
        pyarrow.feather.write_feather(table, stream)
