"""``makeweight generators``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from makeweight.cli import _show
from makeweight.cli._options import json_option
from makeweight.generators import DEFAULT_GENERATOR

if TYPE_CHECKING:
    from makeweight.generators.registry import GeneratorInfo

ROOMY = 160


@click.command()
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the generators: what each needs and is good for; or the options of the one called NAME."""
    from makeweight.generators.registry import available, described

    if name is not None:
        _show_options(described(name), as_json)
        return
    infos = list(available())
    if as_json:
        fields = ("name", "summary", "needs", "good_for", "origin", "licence", "usable", "problem")
        _show.print_json({"generators": [{name: getattr(info, name) for name in fields} for info in infos]})
        return
    out = _show.console()
    columns: dict[str, dict[str, Any]] = {"generator": {"no_wrap": True}, "writes": {}, "needs": {}, "good for": {}}
    rows: list[tuple[str | Text, ...]] = []
    for info in infos:
        rows.append((_name(info.name, info.usable), info.summary, info.needs, info.good_for))
        if out.width < ROOMY:  # cells take several lines: keep generators apart
            rows.append(("",) * len(columns))
    _show.show(out, _show.table(columns, rows))
    for problem, names in _alike(infos, "problem").items():
        out.print()
        out.print(f"{names} cannot be used here: {problem}")
    for licence, names in _alike(infos, "licence").items():
        out.print()
        out.print(f"licence of {names}: {licence}")
    out.print()
    out.print(
        f"Choose one with --generator NAME (default: {DEFAULT_GENERATOR}), and set its options with --option KEY=VALUE "
        "(`makeweight generators NAME` lists them)."
    )


def _alike(infos: list[GeneratorInfo], field: str) -> dict[str, str]:
    """Return what is said of generators in a field, where something is, with their names."""
    texts = dict.fromkeys(getattr(info, field) for info in infos if getattr(info, field))
    return {text: ", ".join(info.name for info in infos if getattr(info, field) == text) for text in texts}


def _show_options(info: GeneratorInfo, as_json: bool) -> None:
    rows = info.options()
    if as_json:
        _show.print_json({"generator": info.name, "options": [asdict(row) for row in rows]})
        return
    columns: dict[str, dict[str, Any]] = {"option": {"no_wrap": True}, "takes": {}, "default": {}, "meaning": {}}
    _show.show(_show.console(), _show.table(columns, [(r.name, r.takes, r.default, r.meaning) for r in rows]))


def _name(name: str, usable: bool) -> Text:
    return Text(name, style="bold" if usable else "dim strike")
