"""Delimited text (CSV, TSV): finding the dialect, splitting into cells, and writing lines.

Cells are texts and stay texts here; what they mean is `makeweight.table.cells`' business. The bytes of a file
are kept, so that real rows can be written back exactly as they were.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from makeweight.errors import FileProblem, SchemaError
from makeweight.table.spelling.base import BLANKS

DELIMITERS = (",", ";", "\t", "|")
BOM = b"\xef\xbb\xbf"
SAMPLE = 1 << 16
CHUNK = 100_000
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
FOREIGN = (
    (b"PAR1", "a Parquet file", "rename it to end in .parquet"),
    (b"ARROW1", "a Feather file", "rename it to end in .feather"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "export the sheet as CSV"),
    (b"\x1f\x8b", "compressed with gzip", "gunzip -c FILE | makeweight ... -"),
)


class Quoting(Enum):
    """Which cells of a column are written in quotes."""

    NEEDED = "where needed"
    VALUES = "all but missing values"
    ALL = "all"


@dataclass(frozen=True)
class Dialect:
    """How a file writes its table."""

    delimiter: str = ","
    line_end: str = "\n"
    bom: bool = False  # whether it starts with a byte-order mark
    header: bool = True  # whether the first line names the columns
    quoting: tuple[Quoting, ...] = ()  # per column; empty stands for `Quoting.NEEDED` everywhere
    quoted_names: bool = False  # whether the names of the columns are in quotes

    def start(self, names: Sequence[str]) -> bytes:
        """Return what comes before the first row."""
        line = b""
        if self.header:
            mode = Quoting.ALL if self.quoted_names else Quoting.NEEDED
            cells = [_quote(pa.array([name]), mode, self.delimiter)[0].as_py() for name in names]
            line = (self.delimiter.join(cells) + self.line_end).encode()
        return (BOM if self.bom else b"") + line

    def lines(self, columns: Sequence[pa.Array]) -> Iterator[bytes]:
        """Write rows."""
        n_rows = len(columns[0])
        modes = [*self.quoting, *[Quoting.NEEDED] * (len(columns) - len(self.quoting))]
        for begin in range(0, n_rows, CHUNK):
            parts = [
                _quote(column.slice(begin, CHUNK), mode, self.delimiter)
                for column, mode in zip(columns, modes, strict=True)
            ]
            if len(parts) == 1:  # an empty line would be no row
                parts[0] = pc.if_else(pc.equal(parts[0], ""), _large('""'), parts[0])
            lines = _join(*parts, between=self.delimiter).to_pylist()
            yield (self.line_end.join(lines) + self.line_end).encode()


def _quote(cells: pa.Array, mode: Quoting, delimiter: str) -> pa.Array:
    cells = pc.cast(cells, pa.large_string())
    needed = pc.match_substring_regex(cells, '["\r\n' + re.escape(delimiter) + "]")
    if mode is Quoting.ALL:
        needed = pc.is_valid(cells)
    elif mode is Quoting.VALUES:
        needed = pc.or_(needed, pc.invert(pc.is_in(cells, pa.array(sorted(BLANKS), pa.large_string()))))
    if not pc.any(needed).as_py():
        return cells
    doubled = pc.replace_substring(cells, '"', '""')
    return pc.if_else(needed, _join(_large('"'), doubled, _large('"'), between=""), cells)


def _large(text: str) -> Any:
    return pa.scalar(text, pa.large_string())


def _join(*parts: Any, between: str) -> Any:
    return pc.binary_join_element_wise(*parts, _large(between))


@dataclass(frozen=True, eq=False)
class DelimitedText:
    """A file of delimited text, checked: every row has one cell per column."""

    raw: bytes
    dialect: Dialect
    names: tuple[str, ...]  # columns; ``c1``, ``c2``, ... where the file has no names.
    where: str  # the file, for messages

    @classmethod
    def parse(cls, raw: bytes, *, where: str, delimiter: str | None = None, header: bool = True) -> DelimitedText:
        """Find the dialect of a file and the names of its columns."""
        _refuse_foreign(raw, where)
        body = raw.removeprefix(BOM)
        if not body.strip():
            raise FileProblem("the file is empty", where=where, hint="check how it was written")
        sample = _decode(body[: SAMPLE + 4], where, cut=len(body) > SAMPLE)
        delimiter = delimiter or _sniff(sample)
        records = _records(sample, delimiter, complete=len(body) <= SAMPLE)
        first = records[0] if records else []
        n_columns = len(first) or 1
        names = tuple(f"c{i + 1}" for i in range(n_columns))
        if header:
            names = _named([text.strip() for text, _ in first], names)
        dialect = Dialect(
            delimiter=delimiter,
            line_end=_line_end(sample),
            bom=raw.startswith(BOM),
            header=header,
            quoting=_quoting(records[header:], n_columns),
            quoted_names=header and all(quoted for _, quoted in first),
        )
        return cls(raw, dialect, names, where)

    def cells(self) -> pa.Table:
        """Return the cells as an Arrow table of strings, without the line of names."""
        n_columns = len(self.names)
        plain = {f"f{i}": pa.string() for i in range(n_columns)}
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(owned_by_arrow(self.raw)),
                arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=1 << 24),
                arrow_csv.ParseOptions(delimiter=self.dialect.delimiter, newlines_in_values=b'"' in self.raw),
                arrow_csv.ConvertOptions(
                    column_types=plain, strings_can_be_null=False, quoted_strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise _diagnose(self, str(error)) from None
        last = table.column(n_columns - 1)[-1].as_py()
        if "\n" in last and not self.raw.rstrip(b"\r\n").endswith(b'"'):
            raise _diagnose(self, "a quote is not closed")
        return table.slice(int(self.dialect.header)).rename_columns(list(self.names))

    def body(self) -> bytes:
        """Return the file as it was, ending where a further row can begin."""
        return self.raw.rstrip(b"\r\n") + self.dialect.line_end.encode()


def owned_by_arrow(raw: bytes) -> pa.Buffer:
    """Copy bytes to where Python is not needed to let go of them.

    Arrow's threads let go of what they have read a little after the reading; where the interpreter is ending
    by then, letting go of a Python object ends the process with an abort.
    """
    buffer = pa.allocate_buffer(len(raw))
    memoryview(buffer).cast("B")[:] = raw
    return buffer


def refuse_values_as_names(text: DelimitedText, cells: pa.Table) -> None:
    """Refuse a first line that holds values: every name is a number, or a value of its own column.

    Raises SchemaError.
    """
    names = [name.strip("'\"") for name in text.names]
    numbers = [NUMBER.fullmatch(name) is not None for name in names]
    all_values = all(numbers)
    if not all_values and cells.num_rows:
        all_values = all(
            is_number or pc.any(pc.equal(cells.column(i), text.names[i])).as_py() for i, is_number in enumerate(numbers)
        )
    if all_values:
        raise SchemaError(
            "the first line holds values, not the names of columns",
            where=text.where,
            got=", ".join(text.names[:4]) + (", ..." if len(names) > 4 else ""),
            hint=f"--no-header names the columns c1 to c{len(names)}"
            + f" (the last one is c{len(names)})" * (len(names) > 2),
        )


def _refuse_foreign(raw: bytes, where: str) -> None:
    for magic, what, hint in FOREIGN:
        if raw.startswith(magic):
            raise FileProblem("not delimited text", where=where, got=what, hint=hint)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileProblem(
            "wrong encoding",
            where=where,
            got="UTF-16",
            expected="UTF-8",
            hint="iconv -f UTF-16 -t UTF-8 OLD.csv > NEW.csv",
        )
    if b"\0" in raw[:SAMPLE]:
        raise FileProblem("not delimited text", where=where, got="binary data", expected="UTF-8 text")


def _decode(part: bytes, where: str, *, cut: bool = False) -> str:
    try:
        return part.decode()
    except UnicodeDecodeError as error:
        if cut and error.start >= len(part) - 4:
            return part[: error.start].decode()
        line = part.count(b"\n", 0, error.start) + 1
        raise FileProblem(
            "wrong encoding",
            where=f"{where}, line {line}",
            got=f"byte 0x{part[error.start]:02x} ({error.reason})",
            expected="UTF-8",
            hint="find out the encoding, then: iconv -f LATIN1 -t UTF-8 OLD.csv > NEW.csv",
        ) from None


def _named(first: list[str], positions: tuple[str, ...]) -> tuple[str, ...]:
    """Call a column without a name by its position, where that name is free."""
    return tuple(
        name or (position if position not in first else "") for name, position in zip(first, positions, strict=True)
    )


def _sniff(sample: str) -> str:
    """Return the delimiter that splits the first lines into the most cells, the same number in each."""

    def score(delimiter: str) -> tuple[bool, int]:
        sizes = [len(record) for record in _records(sample, delimiter, complete=False)[:50]]
        sizes = sizes or [len(record) for record in _records(sample, delimiter, complete=True)]
        return (len(set(sizes)) == 1 and sizes[0] > 1, sizes[0])

    return max(DELIMITERS, key=score)


def _records(sample: str, delimiter: str, *, complete: bool) -> list[list[tuple[str, bool]]]:
    """Split the first lines into cells, each with whether it was quoted; a line cut short is left out."""
    d = re.escape(delimiter)
    cell = re.compile(rf'(?:"((?:[^"]|"")*)"|([^{d}\r\n]*))({d}|\r\n|\n|\r|\Z)')
    records: list[list[tuple[str, bool]]] = []
    record: list[tuple[str, bool]] = []
    position = 0
    while position < len(sample):
        match = cell.match(sample, position) or re.compile(r"()([^\r\n]*)(\r\n|\n|\r|\Z)").match(sample, position)
        assert match is not None
        quoted, bare, end = match.groups()
        is_quoted = sample[position] == '"' and quoted is not None
        record.append((quoted.replace('""', '"') if is_quoted else bare or "", is_quoted))
        position = match.end()
        if end != delimiter:
            if (record != [("", False)]) and (end or complete):
                records.append(record)
            record = []
    if record and complete:  # the last cell of the file is empty
        records.append([*record, ("", False)])
    return records


def _line_end(sample: str) -> str:
    match = re.search(r"\r\n|\n|\r", sample)
    return match.group() if match else "\n"


def _quoting(records: list[list[tuple[str, bool]]], n_columns: int) -> tuple[Quoting, ...]:
    modes = []
    for i in range(n_columns):
        cells = [record[i] for record in records if len(record) > i]
        values = [quoted for text, quoted in cells if text not in BLANKS]
        if not values or not all(values):
            modes.append(Quoting.NEEDED)
        else:
            modes.append(Quoting.ALL if all(quoted for _, quoted in cells) else Quoting.VALUES)
    return tuple(modes)


def _diagnose(text: DelimitedText, problem: str) -> FileProblem:
    """Read the file again, slowly, and say in which line it goes wrong."""
    where, expected = text.where, len(text.names)
    content = _decode(text.raw.removeprefix(BOM), where)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=text.dialect.delimiter, strict=True)
    begin, limit = 0, csv.field_size_limit(len(content) + 1)
    try:
        for record in reader:
            line, begin = begin + 1, reader.line_num
            if record and len(record) != expected:
                break
        else:
            return FileProblem("the file cannot be read as a table", where=where, got=problem)
    except csv.Error as error:
        return FileProblem(
            "a quote is not closed, or is followed by text",
            where=f"{where}, from line {begin + 1}",
            got=str(error),
            hint="write a quote inside a quoted cell twice",
        )
    finally:
        csv.field_size_limit(limit)
    if line == _first_row(content, text.dialect.header) and len(record) == expected + 1:
        hint = "the rows have one cell more than there are names: is a name missing in the first line?"
    else:
        hint = f"open line {line}: a cell with a delimiter inside has to be in quotes"
    return FileProblem(
        "a row has the wrong number of cells",
        where=f"{where}, line {line}",
        got=len(record),
        expected=expected,
        hint=hint,
    )


def _first_row(content: str, header: bool) -> int:
    return 2 if header and content[:1] not in "\r\n" else 1
