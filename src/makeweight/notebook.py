"""Short tables for notebooks: escaped, without scripts or styles that leave the cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["html_block"]

#: Lines of a table that are shown.
MOST_LINES = 12


def html_block(
    title: str,
    facts: Iterable[tuple[str, object]],
    headings: Sequence[str] = (),
    lines: Sequence[Sequence[object]] = (),
) -> str:
    """Return a title, a line of facts and a small table as HTML.

    >>> html_block("Rows", [("n", 3)])
    '<div><b>Rows</b> <span>n: 3</span></div>'
    """
    text = " · ".join(f"{escape(str(name))}: {escape(str(value))}" for name, value in facts)
    block = f"<div><b>{escape(title)}</b> <span>{text}</span>"
    if headings:
        head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in line) + "</tr>" for line in lines[:MOST_LINES]
        )
        block += f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if len(lines) > MOST_LINES:
            block += f"<span>and {len(lines) - MOST_LINES} more</span>"
    return block + "</div>"
