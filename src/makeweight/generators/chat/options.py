"""What the options of the chat generator take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from makeweight.generators.chat.prompt import STYLES
from makeweight.generators.frame.options import Option

__all__ = ["OPTIONS"]

#: A part of a price.
_DOLLARS = Option("price", float, 0)


def _is_price(value: Any) -> bool:
    return len(value) == 2 and all(map(_DOLLARS.allows, value))


def _is_description(value: Any) -> bool:
    return isinstance(value, str) or all(isinstance(text, str) for text in value.values())


OPTIONS = (
    Option(
        "model",
        str,
        test=bool,
        takes="a name that the endpoint knows",
        hint="--option model=NAME; most endpoints list theirs at base_url/models",
    ),
    Option("base_url", str, words=(None,), takes="an address"),
    Option("api_key", str, words=(None,), takes="text", saved=False),
    Option("rows_per_request", int, 1),
    Option("examples", int, 1),
    Option("concurrency", int, 1),
    Option("max_requests", int, 1, words=(None,)),
    Option("max_tokens", int, 1, words=(None,)),
    Option("max_cost", float, 0, words=(None,), takes="US dollars, 0 or more"),
    Option("cache_dir", (str, Path), words=(None,), takes="a folder", saved=False),
    Option("temperature", float, 0, 2),
    Option("description", (str, Mapping), words=(None,), test=_is_description, takes="text, or column to text"),
    Option("style", words=STYLES),
    Option("price", (tuple, list), words=(None,), test=_is_price, takes="two numbers, 0 or more"),
    Option("allow_remote", bool, saved=False),
    Option("replay", (str, Path), words=(None,), takes="a folder", saved=False),
    Option("timeout", float, 0, above=True, takes="seconds, above 0"),
    Option("retries", int, 0),
)
