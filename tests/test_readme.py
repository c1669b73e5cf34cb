"""What the README says is there is there, and its example runs."""

import re
import textwrap
from pathlib import Path

import pytest

from makeweight.generators.registry import names

README = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")


def test_every_generator_is_listed():
    assert [name for name in names() if f"`{name}`" not in README] == []


def test_every_linked_page_and_heading_is_there():
    root = Path(__file__).resolve().parent.parent
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links
    assert [page for page, _, _ in links if not (root / page).exists()] == []
    for page, _, anchor in links:
        headings = re.findall(r"^#+ (.+)$", (root / page).read_text("utf-8"), flags=re.MULTILINE) if anchor else []
        slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
        assert not anchor or anchor in slugs, f"{page}#{anchor}"


@pytest.mark.parametrize(
    ("example", "output"), re.findall(r"```python\n(.*?)```\n\n((?:    [^\n]*\n)+)", README, flags=re.DOTALL)
)
def test_the_examples_print_what_the_readme_says(example, output, capsys):
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == textwrap.dedent(output)


def test_it_is_one_screen():
    assert README.count("```python") == 1
    assert len(README.split()) < 500
    assert "|---" not in README, "figures are on the site"
