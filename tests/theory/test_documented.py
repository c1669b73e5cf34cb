"""Every public function of the theory is in its text, and names its source."""

import inspect
from pathlib import Path

import pytest

from makeweight import theory

TEXT = (Path(__file__).parents[2] / "docs" / "theory.md").read_text(encoding="utf-8")
SOURCES = (
    "arxiv",
    "source",
    "derived",
    "textbook",
    "docs/theory.md",
    "design of this project",
    "(20",
    "bayes",
)
FUNCTIONS = [name for name in theory.__all__ if inspect.isfunction(getattr(theory, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_in_the_text_and_name_their_source(name: str) -> None:
    documentation = (getattr(theory, name).__doc__ or "").lower()
    assert f"`{name}`" in TEXT
    assert "examples" in documentation
    assert any(word in documentation for word in SOURCES)
