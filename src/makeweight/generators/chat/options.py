"""What the options of the chat generator can be."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makeweight.errors import OptionError
from makeweight.generators.chat.prompt import STYLES

if TYPE_CHECKING:
    from makeweight.generators.chat.generator import ChatGenerator

__all__ = ["check_options"]


def check_options(generator: ChatGenerator) -> None:
    """Refuse options out of their range; say nothing of the key.

    Raises
    ------
    OptionError
    """
    if not (isinstance(generator.model, str) and generator.model):
        raise OptionError(
            "no model is named",
            got=repr(generator.model),
            expected="a name that the endpoint knows",
            hint="--option model=NAME; most endpoints list theirs at base_url/models",
        )
    whole = "a whole number, 1 or more"
    checks: tuple[tuple[str, bool, str], ...] = (
        ("rows_per_request", _is_count(generator.rows_per_request), whole),
        ("examples", _is_count(generator.examples), whole),
        ("concurrency", _is_count(generator.concurrency), whole),
        ("retries", generator.retries == 0 or _is_count(generator.retries), "a whole number, 0 or more"),
        ("max_requests", generator.max_requests is None or _is_count(generator.max_requests), whole),
        ("max_tokens", generator.max_tokens is None or _is_count(generator.max_tokens), whole),
        ("max_cost", generator.max_cost is None or _is_number(generator.max_cost), "US dollars, 0 or more"),
        ("temperature", _is_number(generator.temperature, 2.0), "a number in [0, 2]"),
        ("timeout", _is_number(generator.timeout) and generator.timeout > 0, "seconds, above 0"),
        ("style", generator.style in STYLES, " or ".join(STYLES)),
        ("price", generator.price is None or _is_price(generator.price), "two numbers, 0 or more"),
        ("description", _is_description(generator.description), "text, or a mapping of column to text"),
        ("allow_remote", isinstance(generator.allow_remote, bool), "True or False"),
        ("cache_dir", _is_path(generator.cache_dir), "a folder"),
        ("replay", _is_path(generator.replay), "a folder"),
        ("base_url", generator.base_url is None or isinstance(generator.base_url, str), "an address"),
    )
    for name, is_right, expected in checks:
        if not is_right:
            raise OptionError("option out of range", where=name, got=repr(getattr(generator, name)), expected=expected)
    if generator.api_key is not None and not isinstance(generator.api_key, str):
        raise OptionError("option out of range", where="api_key", expected="text")


def _is_number(value: Any, high: float = float("inf")) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) <= high


def _is_count(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def _is_price(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(_is_number(part) for part in value)


def _is_description(value: Any) -> bool:
    return (
        value is None
        or isinstance(value, str)
        or (isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()))
    )


def _is_path(value: Any) -> bool:
    return value is None or isinstance(value, str | Path)
