"""Numbers with thousands, decimal comma, currency, unit, percent or accounting brackets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.table.spelling.base import all_match, any_match, fields_of

CODES = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|HKD|SGD|INR|KRW|RUB|TRY|BRL|MXN|ZAR|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|"
    "ILS|AED|SAR|THB|IDR|MYR|PHP|VND|TWD|CLP|COP|ARS|PEN|UAH|EGP|NGN"
)
CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₩₽₺₫₪₴₦฿]|" + CODES + r"|kr\.?|Kr\.?|Fr\.?|SFr\.?|zł|Kč|Ft|Rs\.?|lei)"
#: Units that may stand right behind a number; after a blank any word may.
UNIT = (
    r"(?:%|‰|[°º][CF]?|[kcmµμn]?m[²³23]?|[kmµμn]?g|lbs?|oz|ft|yd|mi|ha|[mcd]l|[mµμn]s|min|hrs?|[kMG]?Wh?|[km]V|mA|"
    r"[kMG]?Hz|[khM]?Pa|m?bar|psi|k?J|k?cal|dB|[KkMGT]i?B|[kMG]?bps|mph|km/h|m/s|rpm|px|pt|pp|bps|"
    r"[KkMB]|[bmt]n|Mio\.?|Mrd\.?)"
)
GAP = r"[ \x{a0}\x{202f}]"
SEPARATORS = ".,'’ \u00a0\u202f"
BEFORE = rf"(?:{CURRENCY}{GAP}?|{UNIT}{GAP})"
AFTER = rf"(?:[.,][-–—]{{1,2}}|{GAP}?(?:{CURRENCY}|{UNIT})|{GAP}[^\d\s()+−-][^\d()]{{0,15}})"
DIGITS = r"\d[\d.,'’ \x{a0}\x{202f}]*\d|\d|[.,]\d+"
PATTERN = (
    rf"(?P<open>\(?)(?P<first>[-+−]?)(?P<before>{BEFORE}?)(?P<second>[-−]?)(?P<number>{DIGITS})"
    rf"(?P<after>{AFTER}?)(?P<last>-?)(?P<close>\)?)"
)
PLAIN = r"[+-]?\d+(?:\.\d+)?"
#: Ways to write a number below zero, by which of the four places is filled.
SIGNS = {"first": "{s}{b}{n}{a}", "second": "{b}{s}{n}{a}", "last": "{b}{n}{a}{s}", "open": "({b}{n}{a})"}


@dataclass(frozen=True)
class NumberSpelling:
    """How a column writes its numbers."""

    #: currency or unit, with its blank
    before: str = ""
    after: str = ""
    #: between thousands; before decimals
    group: str = ""
    mark: str = "."
    sign: str = "first"  # {"first", "second", "last", "open"}: where the minus stands, or brackets
    minus: str = "-"
    plus: bool = False  # whether numbers above zero have a sign as well
    #: decimals
    fewest: int = 0
    most: int = 0
    indian: bool = False  # whether groups have two digits before the last one

    @property
    def form(self) -> str:
        """An example that shows the separators, the currency and the unit."""
        style = replace(self, fewest=self.most, plus=False)
        return style.write(pd.Series([1234567.0 + (0.5 if self.most else 0)]))[0]

    @property
    def what(self) -> str:
        """What the values are, for people."""
        return f"numbers written like {self.form}"

    def read(self, texts: pa.Array) -> pd.Series:
        """Return Int64 or Float64 values, missing where a text is no number of this style."""
        parts = fields_of(texts, PATTERN)
        number = parts["number"]
        fits = pc.and_(pc.equal(parts["before"], self.before), pc.equal(parts["after"], self.after))
        fits = pc.and_(fits, pc.match_substring_regex(number, f"^(?:{_shape(self.group, self.mark, self.indian)})$"))
        fits = pc.fill_null(fits, fill_value=False)
        plain = pc.replace_substring(number, self.group, "") if self.group else number
        plain = pc.replace_substring(plain, self.mark, ".") if self.mark != "." else plain
        plain = pc.if_else(fits, plain, pa.scalar(None, plain.type))
        negative = pc.equal(parts["open"], "(")
        for place in ("first", "second", "last"):
            negative = pc.or_(negative, pc.is_in(parts[place], pa.array(["-", "−"], parts[place].type)))
        below = np.asarray(pc.fill_null(negative, fill_value=False))
        if self.most == 0 and all_match(plain.drop_null(), r"\d{1,18}"):
            values = pc.cast(plain, pa.int64())
            numbers = pd.Series(pd.arrays.IntegerArray(np.asarray(values.fill_null(0)), np.asarray(values.is_null())))
        else:
            values = pc.cast(plain, pa.float64())
            numbers = pd.Series(pd.arrays.FloatingArray(np.asarray(values.fill_null(0)), np.asarray(values.is_null())))
        return numbers.where(~below, -numbers)

    def write(self, values: pd.Series) -> list[str]:
        """Return numbers in the column's style."""
        return [self._text(value) for value in values.tolist()]

    def _text(self, value: float) -> str:
        head, _, tail = f"{abs(value):.{self.most}f}".partition(".") if self.most else (str(abs(round(value))), "", "")
        negative = value < 0 and (head.strip("0") != "" or tail.strip("0") != "")
        tail = (tail[: self.fewest] + tail[self.fewest :].rstrip("0")).ljust(self.fewest, "0")
        if self.group:
            head = self._grouped(head)
        number = f"{head}{self.mark}{tail}" if tail else head
        sign = self.minus if negative else "+" if self.plus and value > 0 else ""
        template = SIGNS[self.sign if negative else "first"]
        return template.format(s=sign, b=self.before, n=number, a=self.after)

    def _grouped(self, digits: str) -> str:
        if not self.indian:
            return f"{int(digits):,}".replace(",", self.group)
        last, rest = digits[-3:], digits[:-3]
        pairs = [rest[max(0, end - 2) : end] for end in range(len(rest), 0, -2)][::-1]
        return self.group.join([*pairs, last])


def _shape(group: str, mark: str, indian: bool) -> str:
    """Return the pattern of digits with these separators."""
    tail = rf"(?:{_escaped(mark)}\d*)?"
    if not group:
        return rf"\d+{tail}|{_escaped(mark)}\d+"
    between = _escaped(group)
    first, groups = r"[1-9]\d{0,2}", rf"(?:{between}\d{{3}})+"
    if indian:
        first, groups = r"[1-9]\d?", rf"(?:{between}\d\d)*{between}\d{{3}}"
    head = rf"{first}{groups}|\d{{1,3}}"
    return rf"(?:{head}){tail}"


def _escaped(text: str) -> str:
    return "\\" + text if text in ".,'" else text


def spelled_numbers(
    texts: pa.Array, *, stated: bool, integer: bool = False, form: str | None = None
) -> tuple[NumberSpelling, str | None] | None:
    """Find how a column writes its numbers.

    `texts`: the distinct values. `stated`: whether the user says that the column holds numbers: leading zeros are then
    no sign of codes. `integer`: whether the user says that they are whole. `form`: a number in the column's style,
    which decides. Returns (NumberSpelling, note) or None: the note says what was decided where the column alone does
    not tell.
    """
    if not any_match(texts[:1], r"\d"):
        return None
    parts = fields_of(texts, PATTERN)
    if parts["number"].null_count or not pc.all(pc.equal(pc.equal(parts["open"], "("), pc.equal(parts["close"], ")"))):
        return None
    spelling = _affixes(parts)
    if spelling is None:
        return None
    number = parts["number"]
    if not stated and any_match(number, r"^0\d"):
        return None
    is_money = any_match(pa.array([spelling.before + spelling.after], pa.large_string()), CURRENCY)
    separators, note = _separators(number, integer or is_money)
    if form is not None:
        example = spelled_numbers(pa.array([form], pa.large_string()), stated=True)
        if example is None or (example[0].before, example[0].after) != (spelling.before, spelling.after):
            return None
        separators, note = (example[0].group, example[0].mark, example[0].indian), None
        if not all_match(number, _shape(*separators)):
            return None
    if separators is None:
        return None
    group, mark, indian = separators
    decimals = pc.utf8_length(pc.replace_substring_regex(number, rf"^[^{_escaped(mark)}]*{_escaped(mark)}?", ""))
    lengths = pc.min_max(decimals).as_py()
    if integer and form is None and lengths["max"]:
        return None
    plain = number if not group else pc.replace_substring(number, group, "")
    if any_match(plain, r"\d{19}"):
        return None  # longer than any integer: names, not amounts
    return replace(spelling, group=group, mark=mark, indian=indian, fewest=lengths["min"], most=lengths["max"]), note


def _affixes(parts: dict[str, Any]) -> NumberSpelling | None:
    """Read currency, unit and sign; None where they differ within the column."""
    for side in ("before", "after"):
        if len(parts[side].unique()) > 1:
            return None
    minus = pa.array(["-", "−"], pa.large_string())
    places = {p: pc.is_in(parts[p].cast(pa.large_string()), minus) for p in ("first", "second", "last")}
    places["open"] = pc.equal(parts["open"], "(")
    used = [place for place, here in places.items() if pc.any(here).as_py()]
    if len(used) > 1:
        return None
    sign = used[0] if used else "first"
    signs = parts[sign].filter(places[sign]).unique().to_pylist() if used and sign != "open" else ["-"]
    plus = pc.equal(parts["first"], "+")
    every = pc.all(pc.or_(plus, pc.or_(places[sign], pc.match_substring_regex(parts["number"], "^[0.,]*$")))).as_py()
    if len(signs) > 1 or (pc.any(plus).as_py() and not every):
        return None
    return NumberSpelling(
        before=parts["before"][0].as_py(),
        after=parts["after"][0].as_py(),
        sign=sign,
        minus=signs[0],
        plus=bool(pc.any(plus).as_py()),
    )


def _separators(number: Any, integer: bool) -> tuple[tuple[str, str, bool] | None, str | None]:
    """Return what stands between thousands, before decimals, and whether groups are Indian."""
    present = [c for c in SEPARATORS if pc.any(pc.match_substring(number, c)).as_py()]

    def fits(group: str, mark: str) -> tuple[str, str, bool] | None:
        for indian in (False, True)[: 1 + (group == ",")]:
            if all_match(number, _shape(group, mark, indian)):
                return group, mark, indian
        return None

    if not present:
        return ("", ".", False), None
    if len(present) == 1:
        (only,) = present
        if only not in ".,":
            return fits(only, "."), None
        other = "," if only == "." else "."
        grouped, decimal = fits(only, other), fits("", only)
        if grouped is None or decimal is None:
            return grouped or decimal, None
        if only == "." and not integer:
            return decimal, None
        example = number[int(pc.index(pc.match_substring(number, only), value=True).as_py())].as_py()
        return grouped, f"{example} is read as {example.replace(only, '')}, with thousands"
    if len(present) == 2:
        for group, mark in (present, present[::-1]):
            if mark in ".," and (shape := fits(group, mark)) is not None:
                return shape, None
    return None, None
