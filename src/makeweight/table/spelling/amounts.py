"""Numbers, dates and addresses in no one style: values that mean something, and so are no mere names of rows."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from makeweight.table.spelling.base import texts_of
from makeweight.table.spelling.numbers import CURRENCY, UNIT

__all__ = ["amounts"]

NUMBER = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?"
#: Weeks, quarters, halves and financial years.
PART_OF_YEAR = (
    r"\d{4}-?W\d\d(?:-?[1-7])?|Q[1-4]['’ /-]?\d\d(?:\d\d)?|[1-4]Q\d\d(?:\d\d)?|\d{4}[- /]?[HQST][1-4]|"
    r"FY ?['’]?\d\d(?:\d\d)?(?:[ -]?[HQ][1-4])?"
)
DATE = (
    rf"{PART_OF_YEAR}|\d\d?\.\d\d?\.|"
    r"\d{4}-\d\d?-\d\d?|\d\d?[-./]\d\d?[-./]\d{2,4}|\d\d?:\d\d-\d\d?:\d\d|"
    r"\d\d?[-. ](?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-. ]\d{2,4}"
)
ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
ONE = rf"[~≈<>≤≥±+−-]*\s?(?:{CURRENCY}\s*)?[-−]?(?:{DATE}|{ADDRESS}|{NUMBER})"
WITH_UNIT = rf"(?:\s?(?:{UNIT}|{CURRENCY}|[dhsDHMSWYwy]|mos?\b|yrs?\b))"
BETWEEN = r"(?:\s*[/:x×^,;°'\"′″|–T±]\s*|\s+-\s+|\s+)"
SEVERAL = (
    rf"P?T?(?:{ONE}(?:{WITH_UNIT}+{BETWEEN}?|{BETWEEN}))*{ONE}{WITH_UNIT}*[NSEWZ'\"°′″+]*"
    rf"(?:\s*[(\[]\s*{ONE}{WITH_UNIT}*\s*[)\]])?"
)
#: From one number to another, the last of which may have a unit or a word behind.
SPAN = re.compile(
    rf"(?:{CURRENCY}\s*)?(?P<low>{NUMBER})(?:\s?[^\W\d]{{1,5}}|%)?\s*[-–—]\s*"
    rf"(?:{CURRENCY}\s*)?(?P<high>{NUMBER})(?:%|\s?[^\W\d][^\d]{{0,15}})?"
)
NESTED = r"[\[({].*(?:\d.*[,:]|[,:].*\d).*[\])}]"
#: What a mere name of digits, blanks and hyphens does not have.
TELLING = (
    rf"^(?:{PART_OF_YEAR})$|[.,:/×°'\"′″~≈<>≤≥±%\[({{]|"
    r"\d\s?[a-zA-Z]|[^\d\s\w-]\s*\d|^PT?\d|^\d{4}-\d\d?-\d\d?|^\d\d?-[A-Za-z]{3,9}-\d"
)
#: So long a number beside a stroke is a name.
LONG = r"\d{5,}\s*/|/\s*\d{5,}"


def amounts(texts: pd.Series) -> np.ndarray:
    """Return 1 for every text that can be numbers, dates or addresses, in whatever style, 2 where it cannot be a name.

    >>> amounts(pd.Series(["3:103", "<155.3", "3x6 cm", "0d 3h", "10.0.0.7:80", "155", "u17", "030/123456"])).tolist()
    [2, 2, 2, 2, 2, 1, 0, 1]
    >>> amounts(pd.Series(["30-39", "1950-51", "52-17", "12-00345"])).tolist()  # spans, and names
    [2, 2, 0, 0]
    """
    values = texts_of(texts)
    known = pc.match_substring_regex(values, f"^(?:{SEVERAL}|{NESTED})$")
    telling = pc.and_not(pc.match_substring_regex(values, TELLING), pc.match_substring_regex(values, LONG))
    read = np.asarray(known, dtype=np.int64) + np.asarray(pc.and_(known, telling), dtype=np.int64)
    spans = np.array([_is_span(text or "") for text in values.to_pylist()], dtype=bool)
    return np.where(spans, 2, read)


def _is_span(text: str) -> bool:
    """Tell whether a text goes from one number up to another, or from one year to the next."""
    match = SPAN.fullmatch(text)
    if match is None:
        return False
    low, high = match["low"], match["high"]
    if len(low) == 4 and len(high) == 2 and low.isdecimal() and high.isdecimal():
        return (int(low) + 1) % 100 == int(high)
    if any(re.match(r"0\d", number) for number in (low, high)) or len(high) > len(low) + 1 + (low == "0"):
        return False
    return _value(low) < _value(high)


def _value(number: str) -> float:
    """Read a number with whatever stands between its thousands, to compare it with one of the same style."""
    return float(re.sub(r"[,' ]|[.](?=\d{3}(?:\D|$))", "", number))
