"""The command that goes on where an interrupted one stopped."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = ["again"]

#: A value that is nobody else's business, in `--option api_key=...`.
_SECRET = re.compile(r"(?i)^((?:--[\w-]+=)?\w*(?:key|token|secret|password))=.*$", re.DOTALL)


def again(given: Sequence[str]) -> str:
    """Return the command line to type after an interrupt, with `--resume` or `--force` where it needs one.

    >>> again(["evaluate", "my data.csv", "--target", "y"])
    "makeweight evaluate 'my data.csv' --target y"
    >>> again(["balance", "a.csv", "--option", "api_key=sk-1"])
    "makeweight balance a.csv --option 'api_key=***'"
    """
    more = _more(given)
    kept = _without(given, "--resume") if "--resume" in more else given
    words = [_SECRET.sub(r"\1=***", word) for word in kept]
    return shlex.join(["makeweight", *words, *more])


def _more(given: Sequence[str]) -> list[str]:
    """Return what the command lacks to take up what is there."""
    command = next((word for word in given if not word.startswith("-")), "")
    output = _value(given, "-o", "--output")
    place = None if output in (None, "-") else Path(str(output))
    if command == "pretrain" and place is not None and "--decay" not in given:
        checkpoint = place / "checkpoint.pt"
        return ["--resume", str(checkpoint)] if checkpoint.is_file() else []
    if command not in ("balance", "sample") or place is None:
        return []
    if _value(given, "--engine"):
        from makeweight.partitioned.folder import WORK

        return ["--resume"] if (place / WORK).is_dir() and "--resume" not in given else []
    return ["--force"] if place.exists() and "--force" not in given else []


def _without(given: Sequence[str], name: str) -> list[str]:
    """Return the words without an option and its value."""
    previous = ["", *given[:-1]]
    return [
        word
        for word, before in zip(given, previous, strict=True)
        if not (word == name or before == name or word.startswith(f"{name}="))
    ]


def _value(given: Sequence[str], *names: str) -> str | None:
    """Return what an option was given, as `--name value`, `--name=value` or `-nvalue`."""
    for word, following in zip(given, [*given[1:], None], strict=True):
        if word in names:
            return following
        for name in names:
            if word.startswith(f"{name}=") or (len(name) == 2 and word.startswith(name)):
                return word[len(name) :].removeprefix("=")
    return None
