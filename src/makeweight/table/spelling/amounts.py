"""Numbers, dates and addresses in no one style: values that mean something, and so are no mere names of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from makeweight.table.spelling.base import texts_of
from makeweight.table.spelling.numbers import CURRENCY, UNIT

__all__ = ["amounts"]

NUMBER = r"\d{1,3}(?:[.,' ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?"
DATE = (
    r"\d{4}-\d\d?-\d\d?|\d\d?[-./]\d\d?[-./]\d{2,4}|\d\d?:\d\d-\d\d?:\d\d|"
    r"\d\d?[-. ](?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-. ]\d{2,4}"
)
ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}"
ONE = rf"[~≈<>≤≥±+−-]*\s?(?:{CURRENCY}\s*)?[-−]?(?:{DATE}|{ADDRESS}|{NUMBER})"
WITH_UNIT = rf"(?:\s?(?:{UNIT}|{CURRENCY}|[dhsDHMSWY]))"
BETWEEN = r"(?:\s*[/:x×^,;°'\"′″|–T]\s*|\s+-\s+|\s+)"
SEVERAL = rf"P?T?(?:{ONE}(?:{WITH_UNIT}+{BETWEEN}?|{BETWEEN}))*{ONE}{WITH_UNIT}*[NSEWZ'\"°′″]*"
NESTED = r"[\[({].*(?:\d.*[,:]|[,:].*\d).*[\])}]"
#: What a mere name of digits, blanks and hyphens does not have.
TELLING = r"[.,:/×°'\"′″~≈<>≤≥±%\[({]|\d\s?[a-zA-Z]|[^\d\s\w-]\s*\d|^PT?\d|^\d{4}-\d\d?-\d\d?|^\d\d?-[A-Za-z]{3,9}-\d"
#: So long a number beside a stroke is a name.
LONG = r"\d{5,}\s*/|/\s*\d{5,}"


def amounts(texts: pd.Series[Any]) -> np.ndarray:
    """Return 1 for every text that can be numbers, dates or addresses, in whatever style, 2 where it cannot be a name.

    >>> amounts(pd.Series(["3:103", "<155.3", "3x6 cm", "0d 3h", "10.0.0.7:80", "155", "u17", "030/123456"])).tolist()
    [2, 2, 2, 2, 2, 1, 0, 1]
    """
    values = texts_of(texts)
    known = pc.match_substring_regex(values, f"^(?:{SEVERAL}|{NESTED})$")
    telling = pc.and_not(pc.match_substring_regex(values, TELLING), pc.match_substring_regex(values, LONG))
    return np.asarray(known, dtype=np.int64) + np.asarray(pc.and_(known, telling), dtype=np.int64)
