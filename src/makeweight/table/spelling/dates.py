"""Dates, times, months and durations in the styles that people write them in."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from makeweight.table.spelling.base import fields_of, whole

#: Number of characters, by directive; others are one or two digits.
WIDE = {"Y": "{:04d}", "y": "{:02d}"}
SHORT = {"Y": r"\d{4}", "y": r"\d\d", "Q": "[1-4]", "f": r"\d{1,9}", "L": r"\d{1,4}"}
LIMITS = {
    "m": (1, 12),
    "d": (1, 31),
    "H": (0, 23),
    "I": (1, 12),
    "M": (0, 59),
    "S": (0, 59),
    "Q": (1, 4),
    "Y": (1, 9999),
}
#: Two-digit years from here on are of the last century, as in POSIX.
PIVOT = 69
#: The year of days without one, which has a 29 February.
LEAP = 1972
DAY, HOUR, MINUTE, SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000


@dataclass(frozen=True)
class DateSpelling:
    """How a column writes its dates and times."""

    #: directives as in `time.strftime`, and what stands between them. ``%-d`` has no leading zero, ``%L`` are hours
    #: beyond a day, ``%Q`` is a quarter, and ``%3f`` a fraction of three digits.
    parts: tuple[str, ...]
    #: names as the column writes them
    months: tuple[str, ...] = ()
    days: tuple[str, ...] = ()
    halves: tuple[str, ...] = ("AM", "PM")
    #: wall-clock times in microseconds at which the offset from UTC changes, and the offset from there on
    offsets: tuple[tuple[int, str], ...] = ()

    @property
    def form(self) -> str:
        """The style as `time.strftime` writes it."""
        return "".join(self.parts)

    @property
    def letters(self) -> set[str]:
        """The directives without their signs."""
        return {part[-1] for part in self.parts if is_directive(part)}

    @property
    def order(self) -> str:
        """The order of year, month and day."""
        return "".join(part[-1] for part in self.parts if part[0] == "%" and part[-1] in "Yymd")

    @property
    def what(self) -> str:
        """What the values are, for people."""
        has = self.letters
        if "L" in has:
            return f"durations written {self.form}"
        date, clock = bool(has & set("Yy")), bool(has & set("HI"))
        return f"{'dates and times' if date and clock else 'dates' if date else 'times'} written {self.form}"

    def read(self, texts: pa.Array) -> pd.Series:
        """Return datetime64 values, missing where a text is no date of this style."""
        fields = self.fields(texts)
        numbers: dict[str, np.ndarray] = {}
        for i, field in fields.items():
            letter = self.parts[i][-1]
            if letter in "bBp":
                known = self.halves if letter == "p" else self.months
                at = pc.index_in(pc.utf8_lower(field), pa.array([k.lower() for k in known], field.type))
                numbers["p" if letter == "p" else "m"] = np.asarray(at.fill_null(-9), dtype=np.int64) + (letter != "p")
            elif letter == "f":
                numbers["f"] = whole(pc.utf8_slice_codeunits(pc.utf8_rpad(field, 6, "0"), 0, 6))
            elif letter not in "aAz":
                numbers[letter] = whole(field)
        ticks, fits = _ticks(numbers)
        values = pd.Series(np.where(fits, ticks, 0).astype("datetime64[us]"))
        return values.where(fits)

    def fields(self, texts: pa.Array) -> dict[int, pa.Array]:
        """Return what stands in the place of each directive, null where a text is of another style."""
        pattern = "".join(
            f"(?P<f{i}>{self._pattern(i)})" if is_directive(part) else re.escape(part)
            for i, part in enumerate(self.parts)
        )
        return {int(name[1:]): field for name, field in fields_of(texts, pattern).items()}

    def write(self, values: pd.Series) -> list[str]:
        """Return dates and times in the column's style."""
        return [self._text(stamp) for stamp in values.to_numpy().astype("datetime64[us]").tolist()]

    def _pattern(self, i: int) -> str:
        letter = self.parts[i][-1]
        if letter in "bBaAp":
            return r"[\pL.]+"
        if letter == "z":
            return r"[+-]\d\d:?\d\d"
        beside = self.parts[max(0, i - 1) : i] + self.parts[i + 1 : i + 2]
        run_on = any(is_directive(part) and part[-1] not in "bBaAp" for part in beside)
        return SHORT.get(letter, r"\d\d" if run_on or letter in "MS" else r"\d{1,2}")

    def _text(self, stamp: dt.datetime) -> str:
        out = []
        for part in self.parts:
            if not is_directive(part):
                out.append(part)
                continue
            letter = part[-1]
            if letter in "bB":
                out.append(self.months[stamp.month - 1])
            elif letter in "aA":
                out.append(self.days[stamp.weekday()])
            elif letter == "p":
                out.append(self.halves[stamp.hour >= 12])
            elif letter == "z":
                out.append(self._offset(stamp))
            elif letter == "f":
                out.append(f"{stamp.microsecond:06d}".ljust(9, "0")[: int(part[1:-1])])
            else:
                number = _field(stamp, letter)
                out.append(
                    str(number) if part[1] == "-" or letter == "Q" else WIDE.get(letter, "{:02d}").format(number)
                )
        return "".join(out)

    def _offset(self, stamp: dt.datetime) -> str:
        tick = int(np.datetime64(stamp, "us").astype(np.int64))
        at = int(np.searchsorted([start for start, _ in self.offsets], tick, side="right")) - 1
        return self.offsets[max(0, at)][1]


def is_directive(part: str) -> bool:
    """Tell whether a part of a style stands for a field, not for itself."""
    return len(part) > 1 and part[0] == "%"


def _field(stamp: dt.datetime, letter: str) -> int:
    hours = (stamp - dt.datetime(1970, 1, 1)) // dt.timedelta(hours=1) if letter == "L" else 0
    return {
        "Y": stamp.year,
        "y": stamp.year % 100,
        "m": stamp.month,
        "d": stamp.day,
        "H": stamp.hour,
        "I": (stamp.hour - 1) % 12 + 1,
        "M": stamp.minute,
        "S": stamp.second,
        "Q": (stamp.month + 2) // 3,
        "L": hours,
    }[letter]


def _ticks(numbers: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return microseconds since 1970, and which fields are a moment that exists."""
    first = next(iter(numbers.values()))
    fits = np.ones(len(first), dtype=bool)
    for letter, values in numbers.items():
        low, high = LIMITS.get(letter, (0, 10**9))
        fits &= (values >= low) & (values <= high)
    safe = {letter: np.where(fits, values, 1) for letter, values in numbers.items()}
    years = safe.get("Y", np.full(len(first), LEAP if "d" in safe else 1970))
    if "y" in safe:
        years = safe["y"] + np.where(safe["y"] >= PIVOT, 1900, 2000)
    months = safe["Q"] * 3 - 2 if "Q" in safe else safe.get("m", np.ones_like(first))
    start = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (months - 1)
    days = start.astype("datetime64[D]") + (safe.get("d", np.ones_like(first)) - 1)
    fits &= days.astype("datetime64[M]") == start
    hours = safe.get("H", safe.get("L", np.zeros_like(first)))
    if "I" in safe:
        hours = safe["I"] % 12 + 12 * safe["p"]
    ticks = days.astype("datetime64[us]").astype(np.int64) + hours * HOUR
    zero = np.zeros_like(first)
    return ticks + safe.get("M", zero) * MINUTE + safe.get("S", zero) * SECOND + safe.get("f", zero), fits
