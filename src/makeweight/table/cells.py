"""Cells of text: what the values of a column are, and how new values are spelled in its style.

Everything is worked out on the distinct cells of a column, and carried over to the rows by position.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.errors import SchemaError
from makeweight.table.column import Kind
from makeweight.table.spelling.base import BLANKS, all_match, any_match
from makeweight.table.spelling.date_styles import spelled_dates
from makeweight.table.spelling.reader import recognise
from makeweight.table.spelling.scientific import spelled_scientific

__all__ = ["Style"]

#: What stands for a missing value in a column whose other cells are numbers or dates.
NO_NUMBERS = frozenset(("None", "none", "NONE"))
#: What often stands for one, but has to be declared.
SUSPECTS = ("?", "-", "--", ".", "*", "unknown", "Unknown")
NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
WHOLE = r"^[+-]?\d+$"
LEADING_ZERO = r"^[+-]?0\d"
ISO = r"^\d{4}-\d\d-\d\d"
NULLABLE = {"int64": "Int64", "uint64": "UInt64", "bool": "boolean"}


@dataclass(frozen=True)
class Style:
    """How a column spells its values."""

    spell: Callable[[Any], str] = str  # from a value that is not missing to its text
    missing: str = ""  # what the column most often writes for a missing value
    lead: str = ""  # what stands before every value

    def render(self, values: pd.Series) -> pa.Array:
        """Return the values as an Arrow array of text."""
        codes, distinct = pd.factorize(values)
        texts = [self.lead + self.spell(value) for value in distinct]
        return pa.array(np.array([*texts, self.missing], dtype=object)[codes], pa.large_string())


@dataclass(frozen=True)
class _Distinct:
    """The distinct cells of a column: trimmed texts, how many rows have each, and which are missing."""

    raw: Any
    trimmed: Any
    counts: np.ndarray
    codes: np.ndarray
    gone: np.ndarray

    def values(self) -> Any:
        return self.trimmed.filter(pa.array(~self.gone))

    def treat_as_missing(self, markers: Collection[str]) -> _Distinct:
        also = np.asarray(pc.is_in(self.trimmed, pa.array(sorted(markers), pa.string())))
        return _Distinct(self.raw, self.trimmed, self.counts, self.codes, self.gone | also)

    def spread(self, values: pd.Series) -> pd.Series:
        """Carry one value per distinct cell that is not missing over to the rows."""
        positions = np.cumsum(~self.gone) - 1
        where = np.where(self.gone, -1, positions)[self.codes]
        lacking = where < 0
        if lacking.any():
            dtype: Any = NULLABLE.get(str(values.dtype), values.dtype)
            values = values.astype(dtype)
            where = np.where(lacking, len(values), where)
            return values.reindex(np.arange(len(values) + 1)).take(where).reset_index(drop=True)
        return values.take(where).reset_index(drop=True)

    @property
    def marker(self) -> str:
        """The text that most often stands for a missing value."""
        if not self.gone.any():
            return ""
        return str(self.raw[int(np.where(self.gone, self.counts, -1).argmax())].as_py())


def read_column(
    cells: pa.Array | pa.ChunkedArray,
    name: str,
    *,
    missing: Collection[str] = (),
    kind: Kind | None = None,
    decimal_comma: bool = False,
) -> tuple[pd.Series, Style, str | None]:
    """Find what a column of text holds.

    Cells that are blank or a usual marker ("NA", "NaN", "NULL" ...) are missing. What is left is plain numbers
    (unless one has a leading zero, as codes have), ISO dates, "true" and "false", or strings, which may still be
    numbers or dates of another style (`makeweight.table.spelling.reader`).

    `cells`: Arrow array of string, shape (n_rows,). `missing`: further texts that stand for a missing value. `kind`:
    what the user says the column is. `decimal_comma`: whether "1,5" is a number. Returns `values` (Series of shape
    (n_rows,)): int64, float64, bool (Int64, boolean with missing values), datetime64 or string. `note`: what a user
    should look at. Raises SchemaError when the values are not of the stated kind.

    >>> values, style, _ = read_column(pa.array(["1.50", "", "2.25"]), "price")
    >>> values.tolist(), style.render(pd.Series([2.0, None])).to_pylist()
    ([1.5, nan, 2.25], ['2.00', ''])
    """
    whole = pa.chunked_array([cells]) if isinstance(cells, pa.Array) else cells
    encoded = whole.combine_chunks().dictionary_encode()
    raw = encoded.dictionary
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    lead = " " if len(raw) and pc.all(pc.starts_with(raw, " ")).as_py() else ""
    trimmed = pc.utf8_trim_whitespace(raw)
    nothing = np.zeros(len(raw), dtype=bool)
    cells_ = _Distinct(raw, trimmed, np.bincount(codes, minlength=len(raw)), codes, nothing)
    cells_ = cells_.treat_as_missing(BLANKS | {text.strip() for text in missing})
    typed = None
    if kind not in (Kind.CATEGORICAL, Kind.TEXT):
        for candidate in (cells_, cells_.treat_as_missing(NO_NUMBERS)):
            typed = _typed(candidate, name, kind, decimal_comma)
            if typed is not None:
                cells_ = candidate
                break
    note = None
    if typed is None:
        note = _suspicion(cells_)
        texts = pc.utf8_slice_codeunits(raw, len(lead), None) if lead else raw
        typed = _series(texts.filter(pa.array(~cells_.gone))), str
    values, spell = typed
    return cells_.spread(values).rename(name), Style(spell, cells_.marker, lead), note


_Typed = tuple["pd.Series", Callable[[Any], str]]


def _series(values: Any) -> pd.Series:
    return pd.Series(values.to_pandas())


def _typed(cells: _Distinct, name: str, kind: Kind | None, decimal_comma: bool) -> _Typed | None:
    """Read numbers, dates or truth values; None where the cells are something else."""
    values = cells.values()
    if not len(values):
        return None
    if kind is Kind.DATETIME:
        return _dates(values)
    stated = kind in (Kind.CONTINUOUS, Kind.INTEGER)
    typed = _numbers(values, decimal_comma, codes=not stated)
    if typed is None and stated and recognise(values, kind) is None:
        _refuse_no_numbers(cells, name)
    if typed is not None or stated or kind is Kind.IDENTIFIER:
        return typed
    return _dates(values) or _truths(values)


def _numbers(values: Any, decimal_comma: bool, codes: bool) -> _Typed | None:
    comma = decimal_comma and not any_match(values, r"\.")
    points = pc.replace_substring(values, ",", ".") if comma else values
    if not all_match(points, NUMBER) or (codes and any_match(points, LEADING_ZERO)):
        return None
    if all_match(points, WHOLE):
        plain = pc.replace_substring_regex(points, r"^\+", "")
        for dtype in (pa.int64(), pa.uint64()):
            try:
                return _series(pc.cast(plain, dtype)), str
            except pa.ArrowInvalid:  # too large for this one
                continue
        return None  # longer than any integer: names, not amounts
    return _series(pc.cast(points, pa.float64())), _number_speller(points, comma)


def _number_speller(values: Any, comma: bool) -> Callable[[float], str]:
    """Write with as many decimals (or, with exponents, digits) as the column has."""
    scientific = spelled_scientific(pc.cast(values, pa.large_string()))
    if scientific is not None:

        def spell(value: float) -> str:
            return scientific.write(pd.Series([value]))[0]
    elif any_match(values, "[eE]"):
        mantissas = pc.replace_substring_regex(pc.replace_substring_regex(values, "[eE].*", ""), r"^[^1-9]*|\.", "")
        digits = max(1, pc.max(pc.utf8_length(mantissas)).as_py())

        def spell(value: float) -> str:
            return min(repr(float(value)), f"{value:.{digits}g}", key=len)
    else:
        lengths = pc.min_max(pc.utf8_length(pc.replace_substring_regex(values, r"^[^.]*\.?", ""))).as_py()
        fewest, most = lengths["min"], lengths["max"]

        def spell(value: float) -> str:
            text = repr(float(value + 0.0))
            if "e" in text or len(text.partition(".")[2]) > most:
                text = f"{value + 0.0:.{most}f}"
            head, _, tail = text.partition(".")
            tail = (tail[:fewest] + tail[fewest:].rstrip("0")).ljust(fewest, "0")
            return f"{head}.{tail}" if tail else head

    return (lambda value: spell(value).replace(".", ",")) if comma else spell


def _dates(values: Any) -> _Typed | None:
    """Read ISO dates and times that are all written in one way; other styles stay text until the schema is typed."""
    if not any_match(values[:1], ISO):
        return None
    result = spelled_dates(pc.cast(values, pa.large_string()))
    if result is None or not result[0].form.startswith("%Y-%m-%d") or "%z" in result[0].parts:
        return None
    spelling, _ = result
    read = spelling.read(values)
    if spelling.parts[-1] == "Z":
        read = read.dt.tz_localize("UTC")
    return read, lambda value: spelling.write(pd.Series([value.tz_localize(None)]))[0]


def _truths(values: Any) -> _Typed | None:
    texts = values.to_pylist()
    if sorted(text.casefold() for text in texts) != ["false", "true"]:
        return None
    spelled = {text.casefold() == "true": text for text in texts}
    return pd.Series([text.casefold() == "true" for text in texts]), lambda value: spelled[bool(value)]


def _refuse_no_numbers(cells: _Distinct, name: str) -> None:
    bad = ~np.asarray(pc.match_substring_regex(cells.trimmed, NUMBER)) & ~cells.gone
    position = int(bad.argmax())
    text = cells.trimmed[position].as_py()
    row = int((cells.codes == position).argmax())
    raise SchemaError(
        "values are not numbers",
        where=f"column {name!r}, row {row}",
        got=repr(text),
        hint=f"--missing {text!r} if it stands for a missing value",
    )


def _suspicion(cells: _Distinct) -> str | None:
    """Tell of a text that looks as if it stood for a missing value, and was not declared."""
    here = ~cells.gone
    is_number = np.asarray(pc.match_substring_regex(cells.trimmed, NUMBER)) & here
    others = np.flatnonzero(here & ~is_number)
    if is_number.sum() > 10 and 1 <= len(others) <= 2:
        text, rows = cells.trimmed[int(others[0])].as_py(), int(cells.counts[others].sum())
        return f"all numbers but {text!r} ({rows} rows): if that stands for missing, --missing {text!r}"
    for suspect in SUSPECTS:
        at = pc.index(cells.trimmed, suspect).as_py()
        if at >= 0 and here[at]:
            return f"{suspect!r} in {cells.counts[at]} rows: if that stands for missing, --missing {suspect!r}"
    return None
