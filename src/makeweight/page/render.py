"""One result, one page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jinja2

from makeweight.errors import OptionError, nearest
from makeweight.page.comparison import comparison_view
from makeweight.page.quality import quality_view
from makeweight.page.scaling import scaling_view
from makeweight.page.words import clean, command, count, linked, name, number, shown

__all__ = ["render"]

#: Of each format.
VERSIONS = {"makeweight.comparison": 2, "makeweight.quality": 1, "makeweight.scaling": 1}
#: Per format: its template, and what it shows of a result.
FORMATS: dict[str, tuple[str, Callable[[Mapping[str, Any]], Mapping[str, object]]]] = {
    "makeweight.comparison": ("comparison.html", comparison_view),
    "makeweight.quality": ("quality.html", quality_view),
    "makeweight.scaling": ("scaling.html", scaling_view),
}
#: What every result has, and what a result of each format has.
COMMON = ("verdict", "data", "groups", "ledger", "settings", "reproduce")
PARTS = {
    "makeweight.comparison": (
        "answer",
        "found",
        "curves",
        "estimators",
        "arms",
        "reference",
        "metrics",
        "results",
        "group_risks",
        "class_report",
        "failures",
        "cut",
    ),
    "makeweight.scaling": ("answer", "why", "next", "cut", "sizes", "risk", "gains", "gain_reach", "law"),
    "makeweight.quality": ("checks", "marginals", "associations", "distances", "sample"),
}


def render(result: Mapping[str, Any]) -> str:
    """Return a result as one HTML page that needs nothing but itself.

    The same result gives the same page, byte for byte.

    Parameters
    ----------
    result : mapping
        What ``to_dict`` of a `Comparison`, `QualityReport` or `ScalingCurve` returns, or the same read from JSON.

    Returns
    -------
    str
        To be written as UTF-8.

    Raises
    ------
    OptionError
        When the result is of another format or version, or a part of it is missing.

    Examples
    --------
    >>> render({"format": "makeweight.survey"})
    Traceback (most recent call last):
    makeweight.errors.OptionError: no page for such a result (format): got 'makeweight.survey', expected ...
    """
    kind = result.get("format")
    if kind not in FORMATS:
        raise OptionError(
            "no page for such a result",
            where="format",
            got=repr(kind),
            expected=" or ".join(FORMATS),
            hint=nearest(str(kind), FORMATS),
        )
    if result.get("version") != VERSIONS[kind]:
        raise OptionError(
            "the result is of another version",
            where=kind,
            got=repr(result.get("version")),
            expected=VERSIONS[kind],
            hint="make the page with the version of makeweight that made the result",
        )
    template, view = FORMATS[kind]
    result = _without_nan(result)
    missing = [part for part in (*COMMON, *PARTS[kind]) if part not in result]
    if missing:
        raise OptionError("the result is not complete", where=kind, got=f"nothing for {', '.join(missing)}")
    return _environment().get_template(template).render(result=result, view=view(result)).strip() + "\n"


def _without_nan(value: Any) -> Any:
    """Return a copy where what is not a number is None, as in JSON."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@cache
def _environment() -> jinja2.Environment:
    """Return the environment of the templates; everything that is written is escaped and cleaned."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("makeweight.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {write.__name__: write for write in (name, count, number, shown, linked, command)}
    return environment
