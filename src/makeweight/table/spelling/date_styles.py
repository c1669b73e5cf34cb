"""In which style a column writes its dates: what a first value can be, and what all the others leave of that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.table.spelling.base import any_match
from makeweight.table.spelling.dates import DateSpelling, is_directive

__all__ = ["spelled_dates"]

#: Names of the months: English first, then other languages of spreadsheets.
MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "da": "januar februar marts april maj juni juli august september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "en, as newspapers shorten": "Jan Feb March April May June July Aug Sept Oct Nov Dec",
    "en, with Sept": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
CASES: tuple[Callable[[str], str], ...] = (str, str.upper, str.lower, str.title)
WORDS = (
    "T at of de den le um h Uhr Z th st nd rd 年 月 日 時 分 秒 년 월 일 "
    "UTC GMT WET WEST CET CEST EET EEST MSK BST IST JST KST EST EDT CST CDT MST MDT PST PDT AEST AEDT"
)
LITERALS = frozenset(WORDS.split())
TOKEN = re.compile(r"\d+|[AaPp]\.[Mm]\.|[^\W\d_]+|.", re.DOTALL)
ZONE = re.compile(r"(?:(?<=\d)|(?<=GMT)|(?<=UTC)) ?([+-]\d\d:?\d\d)$")
CLOCK = re.compile(r"(?:(?<![\d:])|(?<=\d{4}:)|(?<=[A-Za-z]\d\d:))\d{1,3}(:\d\d){1,2}([.,]\d{1,9})?(?![\d:])")
ORDERS = ("Ymd", "dmY", "mdY", "Ydm", "dmy", "mdy", "ymd")
#: Days that every month has.
MONTH = 28
#: Directives of digits without anything between them, by their number.
COMPACT = {4: "%H%M", 6: "%Y%m", 8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
#: The same of a time of day that stands behind a date.
COMPACT_CLOCK = {4: "%H%M", 6: "%H%M%S"}


def spelled_dates(
    texts: pa.Array, *, stated: bool = False, form: str | None = None
) -> tuple[DateSpelling, str | None] | None:
    """Find how a column writes its dates.

    Return the style and, where the column alone does not tell, what was decided. Mixed leading zeros are no obstacle
    where the user has `stated` that they are dates.
    """
    first = texts[0].as_py()
    if not 4 <= len(first) <= 60 or not re.search(r"\d", first):
        return None
    fitting: dict[str, DateSpelling] = {}
    for parts in _candidates(first):
        spelling = _styled(DateSpelling(parts), texts, stated or form is not None)
        if spelling is not None and (form is None or _plain(form) == _plain(spelling.form)):
            fitting.setdefault(spelling.order, spelling)
    if "Ymd" in fitting:
        fitting.pop("Ydm", None)
    if fitting.keys() & {"dmy", "mdy"} and "-" not in first:
        fitting.pop("ymd", None)
    if fitting.keys() == {"d", "y"}:
        return _day_or_year(first, texts, fitting)
    if len(fitting) < 2:
        return next(((spelling, None) for spelling in fitting.values()), None)
    likely = ("dmY", "dmy") if "." in first else ("mdY", "mdy")
    chosen = next((fitting[order] for order in likely if order in fitting), next(iter(fitting.values())))
    others = [_plain(spelling.form) for spelling in fitting.values() if spelling is not chosen]
    return chosen, (
        f"{first} is read as {_plain(chosen.form)} and could be {' or '.join(others)}: "
        f"--kind COL=datetime:{others[0]} decides"
    )


def _day_or_year(first: str, texts: pa.Array, fitting: dict[str, DateSpelling]) -> tuple[DateSpelling, str]:
    """Decide whether the number beside the name of a month is a day: it is where it stands first, or is any of 28."""
    many = len(pc.unique(pc.extract_regex(texts, r"(?P<number>\d+)").field(0))) >= MONTH
    day = first[0].isdecimal() or many
    chosen, other = (fitting[order] for order in (("d", "y") if day else ("y", "d")))
    what, decides = ("day", "year") if day else ("year", "day")
    return chosen, (
        f"the number in {first} is read as a {what} and could be a {decides}: "
        f"--kind COL=datetime:{_plain(other.form)} decides"
    )


def _plain(form: str) -> str:
    """Return a style with leading zeros, which is how a person states it."""
    return form.replace("%-", "%")


def _styled(spelling: DateSpelling, texts: pa.Array, stated: bool) -> DateSpelling | None:
    """Read leading zeros, names and offsets off a column; None where it is not written in one style."""
    fields = spelling.fields(texts)
    if any(field.null_count for field in fields.values()):
        return None
    parts = list(spelling.parts)
    if parts == ["%H", "%M"] and not stated and not any_match(texts, "^0"):
        return None  # 2003 and its like are more often years
    months: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    halves = spelling.halves
    short: dict[int, bool | None] = {}
    for i, field in fields.items():
        letter = parts[i][-1]
        if letter == "b":
            months = _month_names(field.unique().to_pylist())
        elif letter == "a":
            days = _day_names(field.unique().to_pylist())
        elif letter == "p":
            word = field[0].as_py()
            halves = (word.translate(str.maketrans("Pp", "Aa")), word.translate(str.maketrans("Aa", "Pp")))
        elif letter == "f" and len(pc.utf8_length(field).unique()) > 1:
            return None
        elif letter in "mdHIL":
            single, zero = pc.any(pc.equal(pc.utf8_length(field), 1)).as_py(), any_match(field, r"^0\d")
            if single and zero and not stated:
                return None
            short[i] = True if single and not zero else False if zero else None
    unpadded = any(short.values()) and False not in short.values()
    for i, is_short in short.items():
        if is_short or (is_short is None and unpadded):
            parts[i] = f"%-{parts[i][-1]}"
    if ("%b" in parts and not months) or ("%a" in parts and not days):
        return None
    styled = DateSpelling(tuple(parts), months, days, halves)
    values = styled.read(texts)
    if values.isna().any():
        return None
    if not stated and any(part in ("%Y", "%y") for part in parts) and not values.dt.year.between(1700, 2300).all():
        return None
    if not stated and styled.letters & {"L"} and (styled.order or (values < pd.Timestamp("1970-01-02")).all()):
        return None  # times of day
    if days and any(
        name.lower() != days[day].lower()
        for name, day in zip(fields[parts.index("%a")].to_pylist(), values.dt.day_of_week.tolist(), strict=True)
    ):
        return None
    return replace(styled, offsets=_offsets(fields[parts.index("%z")], values)) if "%z" in parts else styled


def _month_names(words: list[str]) -> tuple[str, ...]:
    """Return the names of the months as a column writes them, nothing where a word is none."""
    given = {word.lower() for word in words}
    for names in MONTHS.values():
        for width in (3, 20):
            twelve = [name[:width] for name in names.split()]
            if given <= {name.lower() for name in twelve}:
                case = next((c for c in CASES if {c(name) for name in twelve} >= set(words)), str)
                return tuple(map(case, twelve))
    return ()


def _day_names(words: list[str]) -> tuple[str, ...]:
    for width in (3, 20):
        seven = [name[:width] for name in DAYS.split()]
        case = next((c for c in CASES if {c(name) for name in seven} >= set(words)), None)
        if case is not None:
            return tuple(map(case, seven))
    return ()


def _offsets(field: pa.Array, values: pd.Series) -> tuple[tuple[int, str], ...]:
    """Return when the offset from UTC changes along the wall clock."""
    ticks = values.to_numpy().astype("datetime64[us]").astype(np.int64)
    order = np.argsort(ticks, kind="stable")
    changes: list[tuple[int, str]] = []
    for tick, offset in zip(ticks[order].tolist(), np.array(field.to_pylist(), dtype=object)[order], strict=True):
        if not changes or changes[-1][1] != offset:
            changes.append((tick, offset))
    return tuple(changes)


def _candidates(first: str) -> Iterator[tuple[str, ...]]:
    """Yield the ways to read one text, with every number given a directive."""
    text = first
    tail: tuple[str, ...] = ()
    clock = CLOCK.search(text)
    zone = ZONE.search(text) if clock else None
    if zone is not None:
        text, tail = text[: zone.start(1)], ("%z",)
        clock = CLOCK.search(text)
    head, middle, rest = (
        (text, "", "") if clock is None else (text[: clock.start()], clock.group(), text[clock.end() :])
    )
    before, after = TOKEN.findall(head), TOKEN.findall(rest)
    named = _named([*before, *after])
    if named is None:
        return
    half = "%p" in named
    between = _clock(middle, half) if clock else ()
    tokens = [*named[: len(before)], *([middle] if clock else []), *named[len(before) :]]
    numbers = [i for i, token in enumerate(tokens) if token.isdigit() and not (clock and i == len(before))]
    if half and clock is None:  # 3 PM
        at = tokens.index("%p")
        hour = next((i for i in reversed(numbers) if i < at), None)
        if hour is None:
            return
        tokens[hour] = "%I"
        numbers.remove(hour)
    for order in _orders([tokens[i] for i in numbers], tokens, bool(clock) or half):
        parts = list(tokens)
        for i, letter in zip(numbers, order, strict=True):
            compact = {"C": COMPACT, "K": COMPACT_CLOCK}.get(letter)
            parts[i] = compact[len(tokens[i])] if compact else f"%{letter}"
        if clock:
            for inner in between:
                at = len(before)
                yield _joined([*parts[:at], *inner, *parts[at + 1 :], *tail])
        else:
            yield _joined([*parts, *tail])


def _named(tokens: list[str]) -> list[str] | None:
    """Replace names of months, days and halves of the day; None where a word is none of these."""
    out = []
    for i, token in enumerate(tokens):
        if not token[0].isalpha() or token in LITERALS:
            out.append(token)
        elif re.fullmatch(r"(?i)[ap]\.?m\.?", token):
            out.append("%p")
        elif _month_names([token]):
            out.append("%b")
        elif token[:3].title() in {day[:3] for day in DAYS.split()} and token.title() in {
            *DAYS.split(),
            token[:3].title(),
        }:
            out.append("%a")
        elif token == "Q" and i + 1 < len(tokens) and tokens[i + 1].isdigit():
            out.append(token)
        else:
            return None
    return out if out.count("%b") <= 1 and out.count("%p") <= 1 else None


def _clock(text: str, half: bool) -> tuple[tuple[str, ...], ...]:
    pieces = re.split(r"([:.,])", text)
    out = []
    for hour in ("%I",) if half else ("%H", "%L"):
        directives = [hour, "%M", "%S"]
        parts = [
            f"%{len(piece)}f" if i and pieces[i - 1] in ".," else directives[i // 2] if i % 2 == 0 else piece
            for i, piece in enumerate(pieces)
        ]
        out.append(tuple(parts))
    return tuple(out)


def _orders(numbers: list[str], tokens: list[str], clock: bool) -> Iterator[str]:
    """Yield what the numbers of a date can stand for, most common first."""
    named = "%b" in tokens
    lengths = [len(number) for number in numbers]
    if not numbers and clock:
        yield ""
    elif "Q" in tokens and sorted(lengths) == [1, 4]:
        yield "QY" if lengths[0] == 1 else "YQ"
    elif named and len(numbers) == 2:
        yield from ("Yd",) if lengths[0] == 4 else ("dY",) if lengths[1] == 4 else ("dy",)
    elif named and len(numbers) == 1 and not clock:
        yield from ("Y",) if lengths[0] == 4 else ("d", "y")
    elif lengths in ([8, 4], [8, 6]) and not clock:  # 20200314T150000
        yield "CK"
    elif "h" in tokens and len(numbers) == 2 and lengths[1] == 2 and not clock:  # 13h30
        yield "HM"
    elif len(numbers) == 3:
        for order in ORDERS:
            pairs = list(zip(order, lengths, strict=True))
            if all(
                length == 4 if letter == "Y" else length == 2 if letter == "y" else length <= 2
                for letter, length in pairs
            ):
                yield order
    elif len(numbers) == 2 and not clock and sorted(lengths)[1] == 4 and sorted(lengths)[0] <= 2 and "." not in tokens:
        yield "Ym" if lengths[0] == 4 else "mY"
    elif len(numbers) == 1 and lengths[0] in COMPACT and (not clock or lengths[0] == 8):
        yield "C"


def _joined(parts: list[str]) -> tuple[str, ...]:
    """Put literals together, so that equal styles are equal."""
    out: list[str] = []
    for text in parts:
        for part in re.findall("%[YmdHMS]", text) if text.count("%") > 1 else [text]:
            if out and not is_directive(part) and not is_directive(out[-1]):
                out[-1] += part
            else:
                out.append(part)
    return tuple(out)
