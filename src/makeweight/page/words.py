"""How numbers and names are written: aligned, honest about what is missing, and harmless.

Everything that came from a table is hostile: names may hold markup, control characters, writing from right to
left, or a megabyte of text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeGuard

from markupsafe import Markup

#: What stands where there is no number.
MISSING = "–"
#: Names are cut to this many characters; the whole name is in the tooltip, up to `LONGEST`.
NAME, LONGEST = 80, 400
#: Characters that HTML, or an encoder, does not allow.
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def clean(value: Any) -> Any:
    r"""Return a value; in a text, the characters that no HTML file may hold become U+FFFD.

    >>> clean("a\x00b"), clean(3)
    ('a\ufffdb', 3)
    """
    if not isinstance(value, str):
        return value
    text = FORBIDDEN.sub("\ufffd", value)
    return Markup(text) if isinstance(value, Markup) else text


def cut(text: object, length: int = NAME) -> str:
    """Return a text shortened to at most so many characters, with an ellipsis in its middle.

    >>> cut("education.num", 9), cut("age", 9)
    ('educ….num', 'age')
    """
    whole = " ".join(clean(str(text)).split())
    if len(whole) <= length:
        return whole
    tail = (length - 1) // 2
    return f"{whole[: length - 1 - tail]}…{whole[len(whole) - tail :]}"


def name(text: object, length: int = NAME) -> Markup:
    """Return a name of the user's table: isolated, escaped, cut where long, never empty."""
    short = cut(text, length)
    whole = clean(str(text))
    if not short:
        return Markup('<bdi class="empty">(empty)</bdi>')
    if short == whole:
        return Markup("<bdi>{}</bdi>").format(short)
    return Markup('<bdi title="{}">{}</bdi>').format(cut(whole, LONGEST), short)


def linked(text: object, codes: Collection[str]) -> Markup:
    """Return a text in which the codes of checks lead to the checks.

    >>> print(linked("MWQ04 < 1", ["MWQ04"]))
    <a href="#MWQ04">MWQ04</a> &lt; 1
    """
    parts = re.split(r"\b(MWQ[0-9]+)\b", clean(str(text)))
    return Markup("").join(
        Markup('<a href="#{}">{}</a>').format(part, part) if part in codes else part for part in parts
    )


def command(text: str) -> Markup:
    """Return a command so that its lines do not break within the name of an option.

    >>> print(command("makeweight report a.csv --fail-on=issue"))
    makeweight report a.csv <span class="option">--fail-on</span>=issue
    """
    parts = re.split(r"(?<= )(-[-a-z]+)", clean(text))
    return Markup("").join(
        Markup('<span class="option">{}</span>').format(part) if i % 2 else part for i, part in enumerate(parts)
    )


def file_name(path: str) -> str:
    r"""Return the last part of a path, of any system.

    >>> file_name("data/adult.csv"), file_name("C:\\adult.csv"), file_name("adult.csv"), file_name("/")
    ('adult.csv', 'adult.csv', 'adult.csv', '/')
    """
    return re.split(r"[\\/]", path)[-1] or path


def real_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number and not NaN; a boolean is not."""
    if isinstance(value, float):
        return not math.isnan(value)
    return isinstance(value, int) and not isinstance(value, bool)


def count(value: object) -> str:
    """Return a number of rows as a text.

    >>> count(12345), count(None), count(10**18), count(-3)
    ('12,345', '–', '1.0 × 10¹⁸', '−3')
    """
    if not real_number(value):
        return MISSING
    if abs(value) >= 1e12:
        return number(value, 1)
    return f"{round(value):,}".replace("-", "−")


def number(value: object, places: int = 3) -> str:
    """Return a number with fixed decimals; a huge one as a power of ten.

    >>> number(0.69315), number(-1.5, 1), number(float("nan")), number(float("inf")), number(-4.2e12, 1)
    ('0.693', '−1.5', '–', '∞', '−4.2 × 10¹²')
    """
    if not real_number(value):
        return MISSING
    if isinstance(value, int) and abs(value) > 1e300:
        return "over 10³⁰⁰" if value > 0 else "under −10³⁰⁰"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) >= 1e7:
        mantissa, exponent = f"{value:.{places}e}".split("e")
        power = str(int(exponent)).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
        return f"{mantissa} × 10{power}".replace("-", "−")
    text = f"{value:,.{places}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def signed(value: object, places: int = 3) -> str:
    """Return a difference with its sign; what rounds to nothing has none.

    >>> signed(0.0123), signed(-0.5, 1), signed(0.0001)
    ('+0.012', '−0.5', '0.000')
    """
    text = number(value, places)
    positive = real_number(value) and value > 0 and text.strip("0.,") != ""
    return f"+{text}" if positive else text


def share(value: object) -> str:
    """Return a share in percent as a text; a tiny one is not written as none.

    >>> share(0.256), share(0.00001), share(0), share(1)
    ('25.6 %', '<0.1 %', '0 %', '100 %')
    """
    if not real_number(value) or math.isinf(value):
        return MISSING
    if value in (0, 1):
        return f"{value * 100:.0f} %"
    return "<0.1 %" if 0 < value < 0.001 else f"{number(100 * value, 1)} %"


def p_value(value: object) -> str:
    """Return a p-value as a text.

    >>> p_value(0.0123), p_value(1e-9), p_value(1.0)
    ('0.012', '<0.001', '1')
    """
    if not real_number(value):
        return MISSING
    return "<0.001" if value < 0.001 else "1" if value >= 0.9995 else number(value, 3)


def decimals(widths: Iterable[object]) -> int:
    """Return how many decimals show intervals of these widths: the last one counts 5 to 50 times in a width.

    >>> decimals([0.1, 0.2]), decimals([0.01]), decimals([0.004]), decimals([])
    (3, 3, 4, 3)
    """
    known = sorted(w for w in widths if real_number(w) and 0 < w < math.inf)
    if not known:
        return 3
    return min(max(math.ceil(-math.log10(known[len(known) // 2] / 5) - 1e-9), 3), 6)


def shown(value: object) -> str:
    """Return any value of a result as a text: of a check, a setting, a threshold.

    >>> shown(0.123456), shown(2.0), shown(True), shown([1, 2]), shown({"a": None}), shown(None)
    ('0.123', '2', 'yes', '1, 2', 'a: –', '–')
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        if value and abs(value) < 0.01:
            return number(value, min(2 - math.floor(math.log10(abs(value))), 12))
        text = number(value, 3)
        return text.rstrip("0").rstrip(".") if text[-1].isdigit() and "." in text else text
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(shown(item) for item in value)
    return cut(value, LONGEST)
