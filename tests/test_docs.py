"""What the pages for readers show is so: their Python runs, and their commands and options are there."""

import ast
import functools
import importlib
import importlib.util
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from makeweight.cli._app import app
from makeweight.generators.contract import CHECKS
from random_networks import random_gpt2, random_tabpfn

pytestmark = pytest.mark.usefixtures("quick_comparisons", "quick_committees")

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("*/*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"])
RUN = [
    page for page in PAGES if page.parent.name in ("how-to", "coming-from") and "```python" in page.read_text("utf-8")
]
#: Packages of others that a page may show; its blocks are run where they are installed.
OTHERS = {"be_great", "fairlearn", "mostlyai", "polars", "sdv", "tabicl", "tabpfn"}


def blocks(page: Path) -> list[str]:
    """Return the Python of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def lacking(block: str) -> set[str]:
    """Return the packages of others that a block imports and that are not installed."""
    names = set()
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return {name for name in names & OTHERS if importlib.util.find_spec(name) is None}


def run(page: Path) -> dict[str, object]:
    """Run the blocks of a page in one namespace, but for those whose packages are not there."""
    space: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        if not lacking(block):
            exec(compile(block, str(page), "exec"), space)
    return space


def put_stand_ins(page: Path, folder: Path, monkeypatch) -> None:
    """Put random weights of the same class where a page needs weights: nothing is fetched, and the calls are tried."""
    named = {name for block in blocks(page) for name in ("be_great", "tabpfn") if f"from {name} import" in block}
    present = {name for name in named if importlib.util.find_spec(name) is not None}
    if "be_great" in present:
        random_gpt2(folder / "distilgpt2")
    if "tabpfn" in present:
        random_tabpfn(folder)
        package = importlib.import_module("tabpfn")
        weights = {"model_path": next(folder.glob("*classifier*.ckpt")), "device": "cpu"}
        monkeypatch.setattr(package, "TabPFNClassifier", functools.partial(package.TabPFNClassifier, **weights))


@pytest.mark.parametrize("page", RUN, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    put_stand_ins(page, tmp_path, monkeypatch)
    assert run(page)
    missing = set().union(*map(lacking, blocks(page)))
    if missing:
        pytest.skip(f"all but the blocks of {', '.join(sorted(missing))}, not installed, ran")


def test_the_generator_of_the_page_passes_the_contract() -> None:
    space = run(DOCS / "how-to" / "write-a-generator.md")
    for check in CHECKS:
        check(space["Jitter"])


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield the page and the line of every command of ours that a page shows."""
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
        for line in re.findall(r"^(?:    |%%sh\n)(makeweight .*)$", text, flags=re.MULTILINE):
            yield os.fspath(page.relative_to(DOCS.parent)), line


@pytest.mark.parametrize(("page", "line"), sorted(set(command_lines())))
def test_commands_have_the_options_that_a_page_gives_them(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">", "&&")), None)]
    if words[1].startswith("-"):
        return
    context = click.Context(app)
    command = app.get_command(context, words[1])
    assert command is not None, words[1]
    known = {name for parameter in command.params for name in parameter.opts} | {"-h", "--help"}
    assert [word for word in words[2:] if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known] == []


def test_pages_for_readers_are_short() -> None:
    pages = [page for page in PAGES if page.parent.name in ("how-to", "explanation", "coming-from")] + [
        DOCS / "tutorial.md"
    ]
    words = {page: len(page.read_text(encoding="utf-8").split()) for page in pages}
    assert sum(words.values()) < 13_600, "a third of what the records hold"
    assert [page for page, n in words.items() if n > 1_500] == []
