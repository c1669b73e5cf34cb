"""Files that a command writes besides tables: refused before any work, and whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from makeweight.cli import _show
from makeweight.errors import FileProblem, OptionError

PAGE, JSON, FIGURE = (".html", ".htm"), (".json",), (".svg", ".png", ".pdf")


def check(option: str, path: str | None, endings: tuple[str, ...], *, force: bool) -> None:
    """Refuse a file that cannot be written, that is there already, or whose ending says another kind.

    `option`: as the user writes it, such as ``"--html"``. `path`: None is not asked for. `endings`: those that the
    option takes. `force`: whether a file that is there is replaced. Raises OptionError, FileProblem.

    >>> check("--html", "report.pdf", PAGE, force=False)
    Traceback (most recent call last):
    ...
    makeweight.errors.OptionError: --html writes no such file: got 'report.pdf', expected .html or .htm
    hint: --html report.html
    """
    if path is None:
        return
    if Path(path).suffix.lower() not in endings:
        raise OptionError(
            f"{option} writes no such file",
            got=repr(path),
            expected=" or ".join(endings),
            hint=f"{option} {Path(path).with_suffix(endings[0]) if Path(path).name else 'FILE' + endings[0]}",
        )
    from makeweight.table.files import check_place

    check_place(path, force=force)


def write(path: str, content: str | bytes) -> None:
    """Write a file, or leave what was there.

    Raises FileProblem.
    """
    from makeweight.table.files import replace_file

    data = content.encode() if isinstance(content, str) else content
    try:
        replace_file(Path(path), lambda stream: stream.write(data))
    except OSError as error:
        raise FileProblem("cannot write the file", where=path, got=error.strerror or str(error)) from error


def write_json(path: str, value: object) -> None:
    """Write one JSON object; numbers that are not finite become null."""
    write(path, json.dumps(_show.plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
