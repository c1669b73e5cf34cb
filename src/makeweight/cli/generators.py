"""``makeweight generators``."""

from __future__ import annotations

from typing import Any

import click
from rich.text import Text

from makeweight.cli import _show
from makeweight.cli._options import json_option
from makeweight.generators import DEFAULT_GENERATOR

ROOMY = 160


@click.command()
@json_option
def command(as_json: bool) -> None:
    """List the generators: what each needs, and what it is good for."""
    from makeweight.generators.registry import available

    found = available()
    if as_json:
        fields = ("name", "summary", "needs", "good_for", "origin", "usable", "problem")
        _show.print_json({"generators": [{name: getattr(info, name) for name in fields} for info in found]})
        return
    out = _show.console()
    columns: dict[str, dict[str, Any]] = {
        "generator": {"no_wrap": True},
        "writes": {},
        "needs": {},
        "good for": {},
    }
    rows: list[tuple[str | Text, ...]] = []
    for info in found:
        rows.append((_name(info.name, info.usable), info.summary, info.needs, info.good_for))
        if out.width < ROOMY:  # cells take several lines: keep generators apart
            rows.append(("",) * len(columns))
    _show.show(out, _show.table(columns, rows))
    for info in found:
        if info.problem:
            out.print()
            out.print(f"{info.name} cannot be used here: {info.problem}")
    out.print()
    out.print(
        f"Choose one with --generator NAME (default: {DEFAULT_GENERATOR}), and set its options with --option KEY=VALUE."
    )


def _name(name: str, usable: bool) -> Text:
    return Text(name, style="bold" if usable else "dim strike")
