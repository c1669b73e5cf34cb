"""What is shown to people, and what is printed for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

#: Where no terminal cuts the lines, they may be long.
NO_TERMINAL = 240


def console(*, err: bool = False) -> Console:
    """Return a console on standard output or error that shows names and values exactly as they are."""
    shown = Console(stderr=err, markup=False, highlight=False, emoji=False)
    if not shown.is_terminal:
        shown.width = NO_TERMINAL
    return shown


def print_json(value: object) -> None:
    """Print one JSON object to standard output."""
    is_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=not is_unicode, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value as what JSON has; numbers that are not finite become null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def table(
    columns: Mapping[str, Mapping[str, Any]], rows: Iterable[Sequence[str | Text]], *, headings: bool = True
) -> Table:
    """Lay out rows under plain headings.

    `headings`: whether the headings are shown.
    """
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", show_header=headings)
    for heading, options in columns.items():
        grid.add_column(heading, **options)
    for row in rows:
        grid.add_row(*row)
    return grid


def show(out: Console, content: RenderableType, *, indent: int = 0) -> None:
    """Print something laid out, without the blanks that fill up its lines."""
    with out.capture() as captured:
        out.print(content, width=out.width - indent)
    lines = captured.get().splitlines()
    out.file.write("".join((" " * indent + line).rstrip() + "\n" for line in lines))
    out.file.flush()


def section(out: Console, title: str, content: RenderableType) -> None:
    """Print a titled block, with an empty line before it."""
    out.print()
    out.print(Text(title, style="bold"))
    show(out, content, indent=2)


NUMBER: dict[str, Any] = {"justify": "right", "no_wrap": True}
NAME: dict[str, Any] = {"overflow": "fold"}


def count(value: float) -> str:
    """Write a number of rows, such as ``12,345``."""
    return f"{int(value):,}"


def added(value: int) -> str:
    """Write a number of rows to add: ``+12``, or a dash for none."""
    return f"+{value:,}" if value else "-"


def share(part: float, whole: float) -> str:
    """Write a share in percent; a tiny share is not written as none, nor nearly all as all.

    >>> share(1, 4), share(1, 10_000_000), share(0, 4)
    ('25.0 %', '<0.1 %', '-')
    """
    if not part or not whole:
        return "-"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if percent > 99.9 and part < whole else f"{percent:.1f} %"


def seconds(value: float) -> str:
    """Write a length of time.

    >>> seconds(0.031), seconds(2.345), seconds(100), seconds(7260)
    ('0.03 s', '2.3 s', '1 min 40 s', '2 h 01 min')
    """
    if value < 1:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def per_second(rows: int, elapsed: float) -> str:
    """Write a speed in rows per second."""
    return f"{rows / max(elapsed, 1e-9):,.0f} rows/s"
