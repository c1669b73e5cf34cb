"""Records that the package or a user keeps as JSON: bounded before they are read, and of the expected shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from makeweight.errors import FileProblem, MakeweightError

__all__ = ["MOST_CHARACTERS", "guarded", "parse_json", "read_record", "typed"]

T = TypeVar("T")

#: Bytes of a record, and of a text on the command line.
MOST_BYTES, MOST_CHARACTERS = 256_000_000, 1_000_000


def parse_json(text: str) -> Any:
    """Return what a JSON text holds.

    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except (json.JSONDecodeError, RepeatedKeyError):
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("a number has too many digits") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, whose keys are all different: of two that are equal, JSON drops one in silence."""
    entries = dict(pairs)
    if len(entries) < len(pairs):
        twice = next(key for i, (key, _) in enumerate(pairs) if key in dict(pairs[:i]))
        raise RepeatedKeyError(f"the key {twice!r} stands there twice")
    return entries


class RepeatedKeyError(ValueError):
    """An object has two entries of one name."""


def read_record(path: str | Path, what: str, *, hint: str) -> dict[str, Any]:
    """Return the JSON object in a file."""
    path = Path(path)
    try:
        if not path.is_file():
            problem = "it is not there" if not path.exists() else "it is not a file"
            raise FileProblem(f"{what} cannot be read", where=str(path), got=problem, hint=hint)
        if path.stat().st_size > MOST_BYTES:
            raise FileProblem(
                f"{what} is too long",
                where=str(path),
                got=f"{path.stat().st_size:,} bytes",
                expected=f"at most {MOST_BYTES:,}",
                hint=hint,
            )
        content = parse_json(path.read_text(encoding="utf-8"))
    except FileProblem:
        raise
    except OSError as error:
        raise FileProblem(
            f"{what} cannot be read", where=str(path), got=error.strerror or str(error), hint=hint
        ) from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise FileProblem(f"{what} is damaged", where=str(path), got=str(error), hint=hint) from error
    if not isinstance(content, dict):
        raise FileProblem(
            f"{what} is damaged", where=str(path), got=type(content).__name__, expected="an object", hint=hint
        )
    return content


def guarded(path: str | Path, what: str, parse: Callable[[], T], *, hint: str) -> T:
    """Return what `parse` makes of a record's content."""
    try:
        return parse()
    except MakeweightError as error:
        error.hint = error.hint or hint
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        got = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FileProblem(f"{what} is damaged", where=str(path), got=got, hint=hint) from error


def typed(cls: type[T], values: Mapping[str, Any]) -> T:
    """Return a dataclass of plain values, each of the type that its field states.

    >>> from dataclasses import make_dataclass
    >>> Point = make_dataclass("Point", [("x", float), ("name", str | None)])
    >>> typed(Point, {"x": 1, "name": None})
    Point(x=1, name=None)
    >>> typed(Point, {"x": "1", "name": None})
    Traceback (most recent call last):
    TypeError: x: got str, expected float
    """
    hints = get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    for name, value in values.items():
        if not _is_of(value, hints[name]):
            shown = getattr(hints[name], "__name__", str(hints[name]))
            raise TypeError(f"{name}: got {type(value).__name__}, expected {shown}")
    return cls(**values)


def _is_of(value: object, hint: Any) -> bool:
    """Return whether a plain value is of a type: lists stand for tuples, whole numbers for floats."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return True
    if origin in (Union, UnionType):
        return any(_is_of(value, part) for part in inner)
    if origin is Literal:
        return value in inner
    if origin in (tuple, list):
        if not isinstance(value, list | tuple):
            return False
        if origin is list or inner[-1:] == (Ellipsis,):
            return all(_is_of(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(_is_of(v, t) for v, t in zip(value, inner, strict=True))
    if origin is dict:
        return isinstance(value, dict) and all(_is_of(v, inner[1]) for v in value.values())
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint if origin is None else origin)
