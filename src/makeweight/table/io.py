"""Reading and writing tables: CSV, TSV, Parquet, Feather, standard input and output.

Real rows are written back exactly as they were read. A file appears under its name only when it is complete.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet

from makeweight.errors import FileProblem, SchemaError, nearest
from makeweight.table.cells import Style, read_column
from makeweight.table.column import Kind
from makeweight.table.containers import append_rows, to_frame
from makeweight.table.delimited import DelimitedText, Dialect, refuse_values_as_names

__all__ = [
    "STANDARD",
    "TableFile",
    "check_destination",
    "format_of",
    "read_table",
    "replace_file",
    "write_table",
]

#: The name of standard input and of standard output.
STANDARD = "-"
FORMATS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
COMPRESSED = {
    ".gz": "gunzip -c",
    ".bz2": "bunzip2 -c",
    ".xz": "xz -dc",
    ".zst": "zstd -dc",
    ".zip": "unzip -p",
}


@dataclass(frozen=True, eq=False)
class TableFile:
    """A table as it was read, with what it takes to write it back.

    Parameters
    ----------
    source : str
        Path, or "standard input".
    format : {"csv", "tsv", "parquet", "feather"}
    frame : DataFrame of shape (n_rows, n_columns)
        The values, typed.
    text : DelimitedText or None
        The file, where it is text.
    styles : dict of name to Style
        How each column of a text file spells its values.
    arrow : pyarrow.Table or None
        The table, where the file is binary.
    notes : dict of name to str
        What a user should look at, by column.
    """

    source: str
    format: str
    frame: pd.DataFrame
    text: DelimitedText | None = None
    styles: dict[str, Style] = field(default_factory=dict)
    arrow: Any = None
    notes: dict[str, str] = field(default_factory=dict)


def read_table(
    source: str | Path,
    *,
    header: bool = True,
    missing: Collection[str] = (),
    kinds: Mapping[str, Kind] | None = None,
) -> TableFile:
    """Read a table.

    Parameters
    ----------
    source : str or Path
        A file ending in .csv, .tsv, .parquet or .feather, or "-" for standard input.
    header : bool
        Whether the first line of a text file names the columns; else they are called ``c1``, ``c2``, ...
    missing : collection of str
        Texts that stand for a missing value, besides the blank cell and the usual ones.
    kinds : mapping of column to Kind, optional
        What the user says the columns are.

    Returns
    -------
    TableFile

    Raises
    ------
    FileProblem
        When there is no such file, or it cannot be read as a table.
    SchemaError
        When there are no rows, no names, or two columns of one name.
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

    Parameters
    ----------
    file : TableFile
        The real rows.
    rows : DataFrame of shape (n_synthetic, n_columns)
        With the columns and dtypes of ``file.frame``.
    destination : str or Path
        A file, which is replaced if it exists; or "-" for standard output.
    extra : DataFrame, optional
        Further columns for all rows that are written.
    synthetic_only : bool
        Leave the real rows out.

    Raises
    ------
    FileProblem
        When the file cannot be written. There is then no file, or the one that was there.
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


def check_destination(destination: str | Path, *, force: bool = False) -> None:
    """Refuse a place where nothing can be written, or where there is something already.

    Raises
    ------
    FileProblem
    """
    name = str(destination)
    if name == STANDARD:
        return
    format_of(name)
    check_place(name, force=force)


def check_place(name: str, *, force: bool = False) -> None:
    """Refuse a file of any kind that cannot be written, or is there already.

    Raises
    ------
    FileProblem
    """
    path = Path(name)
    if path.is_dir():
        raise FileProblem("the output is a directory", where=name, hint="name a file in it")
    if not path.parent.is_dir():
        raise FileProblem("no such directory", where=str(path.parent), hint=f"mkdir -p {path.parent}")
    if path.is_file() and not force:
        raise FileProblem("the output file exists", where=name, hint="--force replaces it, or choose another name")
    if not path.exists() or path.is_file():
        _refuse_unwritable(path)


def _refuse_unwritable(path: Path) -> None:
    """Put a file there and take it away: permissions alone do not tell what a file system takes."""
    probe = _temporary(path.resolve())
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        probe.unlink()
    except OSError as error:
        raise FileProblem(
            "the directory cannot be written to", where=str(path.parent), got=error.strerror or str(error)
        ) from error


def _temporary(target: Path) -> Path:
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"


def format_of(name: str) -> str:
    """Return the format that a file's name stands for.

    Raises
    ------
    FileProblem
        When it stands for none.

    Examples
    --------
    >>> format_of("rows.TSV")
    'tsv'
    """
    suffix = Path(name).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if not Path(name).is_file() and Path(name).exists():  # a pipe or a device
        return "csv"
    hint = "rename the file, or give text as standard input: -"
    if suffix in COMPRESSED:
        hint = f"{COMPRESSED[suffix]} {name} | makeweight ... -"
    raise FileProblem(
        "unknown kind of file",
        where=name,
        got=repr(suffix) if suffix else "a name without an extension",
        expected=".csv, .tsv, .parquet or .feather",
        hint=hint,
    )


def _load(name: str) -> tuple[bytes, str, str]:
    if name == STANDARD:
        raw = sys.stdin.buffer.read()
        magic = {b"PAR1": "parquet", b"ARRO": "feather"}
        return raw, "standard input", magic.get(raw[:4], "csv")
    path = Path(name)
    if path.is_dir():
        raise FileProblem("a directory is no table", where=name, hint="name a file in it")
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        hint = near if near.startswith("did you mean") else f"the working directory is {Path.cwd()}"
        raise FileProblem("no such file", where=name, hint=hint)
    format_ = format_of(name)
    try:
        return path.read_bytes(), name, format_
    except OSError as error:
        raise FileProblem("cannot read the file", where=name, got=error.strerror or str(error)) from error


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


def _read_binary(raw: bytes, where: str, format_: str) -> Any:
    read = pyarrow.parquet.read_table if format_ == "parquet" else pyarrow.feather.read_table
    if not raw:
        raise FileProblem("the file is empty", where=where, hint="check how it was written")
    try:
        return read(pa.BufferReader(raw))
    except (pa.ArrowException, OSError) as error:
        raise FileProblem(
            f"cannot be read as {format_.title()}",
            where=where,
            got=str(error).splitlines()[0],
            hint="the ending of the name says what is expected: .csv, .tsv, .parquet or .feather",
        ) from error


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
    made = [style.render(rows[name]) for style, name in zip(styles, file.frame.columns, strict=True)]
    for part in dialect.lines([*made, *_extra_cells(extra, n_real, n_real + len(rows))]):
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
    if format_ == "parquet":
        pyarrow.parquet.write_table(table, stream)
    else:
        pyarrow.feather.write_feather(table, stream)


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write to a temporary file beside the path, and rename it when it is complete and on the disk.

    Parameters
    ----------
    path : Path
        Keeps its permissions where it exists; a link keeps pointing to its file.
    write : callable
        Gets the open temporary file.

    Raises
    ------
    OSError
        When the disk is full or may not be written to; there is then no file, or the one that was there.
    """
    if path.exists() and not path.is_file():  # a pipe or a device has no name to be renamed to
        with path.open("wb") as stream:
            write(stream)
        return
    target = path.resolve()
    temporary = _temporary(target)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
