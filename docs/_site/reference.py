"""The pages of the reference, written from the package itself before the site is built."""

from __future__ import annotations

import inspect
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from makeweight.errors import MissingDependency
from makeweight.generators.registry import available
from public_names import PUBLIC, exports

FOLDER = "reference/generated"


def write_pages(root: Path) -> None:
    """Write one page per heading of the public names, and one of the generators' options."""
    folder = root / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    homes: dict[int, str] = {}
    for heading, patterns in PUBLIC.items():
        lines = [heading, "=" * len(heading), ""]
        for module, names in exports(patterns):
            lines += module_lines(module, names, homes)
        (folder / f"{heading.lower().replace(' ', '-')}.rst").write_text("\n".join(lines), encoding="utf-8")
    (folder / "options.rst").write_text("\n".join(option_lines()), encoding="utf-8")


def module_lines(module: ModuleType, names: list[str], homes: dict[int, str]) -> Iterator[str]:
    """Yield a section on a module: what it is, a table of its names, and each name where it is first met."""
    title = f"``{module.__name__}``"
    yield from (title, "-" * len(title), "", first_sentence(module), "")
    yield from (".. list-table::", "   :widths: 35 65", "   :class: names", "")
    new = []
    for name in names:
        value = getattr(module, name)
        shared = inspect.isclass(value) or inspect.isfunction(value)
        home = homes.setdefault(id(value), f"{module.__name__}.{name}") if shared else f"{module.__name__}.{name}"
        new += [name] if home == f"{module.__name__}.{name}" else []
        yield f"   * - :py:obj:`{name} <{home}>`"
        yield f"     - {first_sentence(value) if shared else ''}"
    yield ""
    for name in new:
        value = getattr(module, name)
        if inspect.isclass(value):
            yield from (f".. autoclass:: {module.__name__}.{name}", "   :members:", "")
        elif inspect.isfunction(value):
            yield from (f".. autofunction:: {module.__name__}.{name}", "")
        else:
            yield from (f".. py:data:: {module.__name__}.{name}", f"   :type: {type(value).__name__}", "")


def first_sentence(value: object) -> str:
    """Return the first sentence of the documentation."""
    paragraph = (inspect.getdoc(value) or "").split("\n\n")[0]
    return marked_up(re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0])


def marked_up(line: str) -> str:
    """Return a line of a docstring in which |x| is the size of x, and the name of a page leads there."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(part if part.startswith("`") else _linked(part.replace("|", r"\|")) for part in parts)


def _linked(text: str) -> str:
    """Return text in which the name of a page leads to it."""
    return re.sub(r"\b(docs/([\w/-]+)\.md)\b", r":doc:`\1 </\2>`", text)


def option_lines() -> Iterator[str]:
    """Yield the options of every generator, as its class declares them."""
    title = "Options of the generators"
    yield from (title, "=" * len(title), "")
    yield "``makeweight generators NAME`` prints the same table. Set an option with ``--option KEY=VALUE`` on the"
    yield "command line, with ``options={...}`` in Python, or as an argument of the class."
    for info in available():
        yield from ("", info.name, "-" * len(info.name), "", f"Writes {info.summary}.", "")
        yield from (f"Needs {info.needs}. Good for {info.good_for}.", "")
        home = info.home.replace(":", ".")
        yield from (f"Class: :py:class:`{home}`.", "")
        try:
            rows = info.options()
        except MissingDependency as error:
            yield f"This site was built where it cannot be used: {literal(str(error))}."
            continue
        if not rows:
            yield "It has no options."
            continue
        yield from (".. list-table::", "   :header-rows: 1", "   :widths: 16 28 14 42", "")
        yield from ("   * - option", "     - takes", "     - default", "     - meaning")
        for row in rows:
            yield from (f"   * - ``{row.name}``", f"     - {literal(row.takes)}", f"     - ``{row.default}``")
            yield f"     - {row.meaning}"


def literal(text: str) -> str:
    """Return words in which no character is markup."""
    return re.sub(r"([*`|_\\])", r"\\\1", text)
