"""Records that the package or a user keeps as JSON: bounded before they are read, and of the expected shape."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from makeweight.errors import FileProblem

__all__ = ["MOST_BYTES", "parse_json", "parse_record", "read_record"]

T = TypeVar("T")

#: Bytes of a record, and of a text on the command line.
MOST_BYTES, MOST_CHARACTERS = 256_000_000, 1_000_000


def parse_json(text: str) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    ValueError
        Also where it is nested too deeply, or a number has too many digits.

    Examples
    --------
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ValueError: nested too deeply
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("a number has too many digits") from None


def read_record(path: str | Path, what: str, *, hint: str, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file.

    Parameters
    ----------
    path : path
    what : str
        What the file is, for errors: "the manifest".
    hint : str
        What to do where it is damaged.
    most_bytes : int
        The file is refused before it is read where it is longer.

    Raises
    ------
    FileProblem
        When it cannot be read, is too long, or holds no JSON object.
    """
    path = Path(path)
    try:
        if not path.is_file():
            problem = "it is not there" if not path.exists() else "it is not a file"
            raise FileProblem(f"{what} cannot be read", where=str(path), got=problem, hint=hint)
        if path.stat().st_size > most_bytes:
            raise FileProblem(
                f"{what} is too long",
                where=str(path),
                got=f"{path.stat().st_size:,} bytes",
                expected=f"at most {most_bytes:,}",
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


def parse_record(
    path: str | Path, what: str, content: Mapping[str, Any], parse: Callable[[Mapping[str, Any]], T], *, hint: str
) -> T:
    """Return what a record stands for.

    Raises
    ------
    FileProblem
        When a field is missing, unknown or of another type.
    """
    try:
        return parse(content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError) as error:
        got = f"{type(error).__name__}: {error}"[:200]
        raise FileProblem(f"{what} is damaged", where=str(path), got=got, hint=hint) from error
