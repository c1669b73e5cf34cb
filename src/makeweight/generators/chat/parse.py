"""Rows from what a model wrote. Data only: nothing is evaluated, and every row that is not read has a reason.

Three readers (JSON, sentences, CSV) look for rows wherever they are in a text: between prose, in code
fences, after numbers. The reader of the style that was asked for comes first; another one is tried only where
it finds nothing.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from makeweight.generators.chat.prompt import Style
from makeweight.table.text import render

#: Characters read of one answer, rows taken from it, and places at which JSON may fail to begin.
MAX_CHARACTERS = 4_000_000
MAX_ROWS = 10_000
MAX_FALSE_STARTS = 2_000
#: Characters of one line of CSV.
MAX_LINE = 200_000
FENCE = re.compile(r"^\s*(```|~~~)\w*\s*$")
LEAD = re.compile(r"^\s*(?:[-*•]\s+|(?:row\s*)?\(?\d{1,4}[.):]\s+)", re.IGNORECASE)
#: What stands between a value and the next column: a comma, or a full stop where there is none.
SEPARATOR = re.compile(r"(?:[,;]?\s*\band|[,;]|\.)\s*[*_`(\"']*$")
#: Half of a character, which no file can hold.
SURROGATE = re.compile("[\ud800-\udfff]")
#: What was written for one cell, as text or as JSON has it, and a row of them by label; None is missing.
Cell = str | int | float | bool | None
Row = dict[str, Cell]
TRUNCATED, NO_ROWS = "truncated-row", "answer-without-rows"
_DECODER = json.JSONDecoder(strict=False)


@dataclass
class Parsed:
    """The rows of a text."""

    rows: list[Row] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)  # what looked like a row and was none, by reason
    needed: Sequence[str] = ()  # labels that a row cannot do without
    header: list[str | None] | None = None  # the labels that stand before rows without labels

    @property
    def is_empty(self) -> bool:
        """Whether nothing looked like a row."""
        return not (self.rows or self.rejected)

    def add(self, row: Mapping[str, Cell]) -> None:
        """Take a row, or count why it is none: it lacks a column, or a value is no text that a file can hold."""
        lacking = [label for label in self.needed if label not in row]
        broken = [label for label, value in row.items() if isinstance(value, str) and SURROGATE.search(value)]
        if lacking:
            self.rejected[f"missing-column: {lacking[0]}"] += 1
        elif broken:
            self.rejected[f"not-unicode: {broken[0]}"] += 1
        else:
            self.rows.append(dict(row))


def read_rows(text: str, labels: Sequence[str], *, needed: Sequence[str], style: Style, cut: bool = False) -> Parsed:
    """Return the rows of an answer.

    `labels`: names of the columns, in the order in which they were asked for. `needed`: those that a row cannot do
    without. `style` ({"json", "sentence", "csv"}): what was asked for. `cut`: whether the model was stopped before it
    had finished: its last row is then no row.

    >>> text = "Sure! 1. a is 1, b is New York, NY 2."
    >>> read_rows(text, ["a", "b"], needed=["a", "b"], style="sentence").rows
    [{'a': '1', 'b': 'New York, NY 2.'}]
    >>> read_rows('{"rows": [{"a": 1, "b": "x"}, {"a": 2,', ["a", "b"], needed=["a", "b"], style="json").rows
    [{'a': 1, 'b': 'x'}]
    """
    text = text[:MAX_CHARACTERS]
    readers = {"json": _read_json, "sentence": _read_sentences, "csv": _read_csv}
    names = _Names(labels)
    order = sorted(readers, key=lambda name: name != style)
    if not names.has_header(text):
        order.sort(key=lambda name: name == "csv")  # without a header, anything with commas looks like CSV
    for name in order:
        parsed = Parsed(needed=needed)
        readers[name](text, names, parsed, cut)
        if not parsed.is_empty:
            return parsed
    return Parsed(rejected=Counter({NO_ROWS: 1}))


class _Names:
    """Finds the label that a model means: the same, or the same but for case, blanks and units."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = list(labels)
        self._exact = set(labels)
        plain = [_plain(label) for label in labels]
        self._plain = {p: label for p, label in zip(plain, labels, strict=True) if p and plain.count(p) == 1}

    def label(self, name: str) -> str | None:
        if name in self._exact:
            return name
        return self._plain.get(_plain(name))

    def header(self, cells: Sequence[str]) -> list[str | None] | None:
        """Return the labels of a header line; None where the cells are not one."""
        if len(cells) > 2 * len(self.labels) + 10:
            return None
        labels = [self.label(cell.strip().strip("`*_ ").strip('"').strip()) for cell in cells]
        known = [label for label in labels if label is not None]
        is_header = len(known) == len(set(known)) and 2 * len(known) > max(len(cells), len(self.labels))
        return labels if is_header else None

    def has_header(self, text: str) -> bool:
        """Tell whether one of the first lines is a header."""
        delimiters = (",", "|", "\t")
        lines = [line for line in text[:10_000].split("\n") if any(d in line for d in delimiters)]
        return any(self.header(_cells(line, d)) is not None for line in lines for d in delimiters if d in line)


def _plain(name: str) -> str:
    return "".join(c for c in re.sub(r"\(.*?\)|\[.*?\]", "", name).casefold() if c.isalnum())


def _read_json(text: str, names: _Names, parsed: Parsed, cut: bool) -> None:
    """Take every JSON object that names a column, wherever it is."""
    position = failures = 0
    while len(parsed.rows) < MAX_ROWS and failures < MAX_FALSE_STARTS:
        start = min((i for i in (text.find("{", position), text.find("[", position)) if i >= 0), default=-1)
        if start < 0:
            break
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            failures, position = failures + 1, start + 1
            continue
        _take_json(value, names, parsed)
    if not parsed.is_empty and failures and _open_object(text, position, names):
        parsed.rejected[TRUNCATED] += 1


def _take_json(value: Any, names: _Names, parsed: Parsed) -> None:
    """Take rows from a decoded value: an object is a row, or holds a list of them."""
    if isinstance(value, dict):
        row = {label: v for key, v in value.items() if (label := names.label(key)) is not None}
        if row and not any(isinstance(v, list | dict) for v in row.values()):
            parsed.add(row)
            return
        columns = value.get("columns")
        if isinstance(columns, list):
            parsed.header = names.header([str(column) for column in columns]) or parsed.header
        value = [part for part in value.values() if part is not columns]
    elif value and not any(isinstance(v, list | dict) for v in value):
        _take_list(value, names, parsed)
    for part in value:
        if isinstance(part, list | dict):
            _take_json(part, names, parsed)


def _take_list(cells: list[Any], names: _Names, parsed: Parsed) -> None:
    if parsed.header is None and all(isinstance(cell, str) for cell in cells):
        parsed.header = names.header(cells)
        if parsed.header is not None:
            return
    labels = parsed.header or names.labels
    if len(cells) == len(labels):
        parsed.add({lb: c for lb, c in zip(labels, cells, strict=True) if lb is not None})
    elif 2 * len(cells) >= len(labels) and len(cells) > 1:
        parsed.rejected["wrong-number-of-columns"] += 1


def _open_object(text: str, position: int, names: _Names) -> bool:
    """Tell whether a text ends inside an object that names a column."""
    tail = text[max(position, text.rfind("{")) if position < len(text) else position :]
    return any(json.dumps(label, ensure_ascii=False) in tail for label in names.labels)


def _read_sentences(text: str, names: _Names, parsed: Parsed, cut: bool) -> None:
    """Take every line in which a column is something."""
    start = _sentence_pattern(names.labels)
    lines = text.split("\n")
    if not any(start.search(line) for line in lines[:MAX_ROWS]):
        return
    waiting = ""
    for line in lines:
        if len(parsed.rows) >= MAX_ROWS:
            break
        line = waiting + line
        waiting = ""
        rows = _sentence_rows(line, start, names)
        if rows and line.rstrip().endswith(",") and len(rows[-1]) < len(names.labels):
            waiting = line.rstrip() + " "
            continue
        for row in rows:
            parsed.add(row)
    for row in _sentence_rows(waiting, start, names):
        parsed.add(row)
    if cut and lines[-1].strip() and parsed.rows and _sentence_rows(lines[-1], start, names)[-1:] == parsed.rows[-1:]:
        parsed.rows.pop()
        parsed.rejected[TRUNCATED] += 1


def _sentence_pattern(labels: Sequence[str]) -> re.Pattern[str]:
    """Return a pattern for the beginning of a column in a sentence, as `render` writes it or nearly so."""
    written = {label: render({label: None})[: -len(" is missing")] for label in labels}
    tokens = sorted({*labels, *written.values()}, key=len, reverse=True)
    return re.compile(
        r"(?:^|(?<=[\s,;.:(*`\"']))[*`]*[\"']?(?P<label>"
        + "|".join(re.escape(token) for token in tokens)
        + r")[\"']?[*`]*\s+is\s+",
        re.IGNORECASE,
    )


def _sentence_rows(line: str, start: re.Pattern[str], names: _Names) -> list[Row]:
    """Return the rows of one line; a column that comes again begins another row."""
    rows: list[Row] = []
    row: Row = {}
    match = start.search(line)
    while match is not None:
        name = match["label"]
        label = names.label(name) or names.label(_decoded(name)) or name
        value, end = _sentence_value(line, match.end(), start)
        if label in row:
            rows.append(row)
            row = {}
        row[label] = value
        match = start.search(line, end)
    return [*rows, row] if row else rows


def _decoded(name: str) -> str:
    if not name.startswith('"'):
        return name
    try:
        return str(json.loads(name))
    except ValueError:  # a quotation mark of its own
        return name


def _sentence_value(line: str, position: int, start: re.Pattern[str]) -> tuple[str | None, int]:
    """Return a value and where it ends: a JSON string, or all before the next column."""
    if line.startswith('"', position):
        try:
            value, end = _DECODER.raw_decode(line, position)
        except ValueError:  # an opening mark without a closing one
            value, end = None, position
        if isinstance(value, str):
            return value, end
    following = start.search(line, position)
    while following is not None and not _ends(line, position, following.start()):
        following = start.search(line, following.end())
    if following is None:
        value, end = line[position:], len(line)
    else:
        end = following.start()
        value = SEPARATOR.sub("", line[position:end]) if end > position else ""
    return (None if value.strip(" .,;") == "missing" else value.strip().rstrip(",")), end


def _ends(line: str, position: int, at: int) -> bool:
    """Tell whether what stands before a place closes a value."""
    before = line[max(position, at - 20) : at].rstrip(" *_`(\"'")
    return before.endswith((",", ";", ".", "and")) or at == position


def _read_csv(text: str, names: _Names, parsed: Parsed, cut: bool) -> None:
    """Take the lines below a header; without a header, lines with as many cells as there are columns."""
    lines = [line for line in _whole_lines(text) if line.strip() and not FENCE.match(line)]
    delimiter = "|" if sum(line.count("|") for line in lines) > 2 * len(lines) else ","
    if delimiter == "," and sum(line.count("\t") for line in lines) > len(lines):
        delimiter = "\t"
    labels: list[str | None] | None = None
    header: list[str] = []
    for position, line in enumerate(lines):
        if len(parsed.rows) >= MAX_ROWS:
            break
        cells = _cells(line, delimiter)
        if labels is None:
            labels = names.header(cells)
            if labels is not None:
                header = cells
                continue
        elif cells == header:
            continue
        if delimiter == "|" and not set(line) - set("|-: "):
            continue  # the rule below the header of a table in Markdown
        expected: Sequence[str | None] = labels or names.labels
        if len(cells) != len(expected):
            cells = _cells(LEAD.sub("", line, count=1), delimiter)
        if len(cells) != len(expected) or (len(cells) < 2 and labels is None):
            if labels is not None and len(cells) > 1 and 2 * len(cells) >= len(expected):
                parsed.rejected["wrong-number-of-columns"] += 1
            continue
        if cut and position == len(lines) - 1:
            parsed.rejected[TRUNCATED] += 1
            continue
        cells[0] = LEAD.sub("", cells[0], count=1)
        row = {lb: cell.strip() for lb, cell in zip(expected, cells, strict=True) if lb is not None}
        parsed.add(row)


def _whole_lines(text: str) -> Iterable[str]:
    """Return lines, those joined again that a quoted cell spans."""
    waiting: list[str] = []
    for line in text.split("\n"):
        waiting.append(line.rstrip("\r"))
        if sum(part.count('"') for part in waiting) % 2 == 0 or len(waiting) > 20:
            yield "\n".join(waiting)
            waiting = []
    yield from waiting


def _cells(line: str, delimiter: str) -> list[str]:
    if len(line) > MAX_LINE:
        return []
    if delimiter == "|":
        line = line.strip().strip("|")
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a cell longer than any cell is
        return []
