"""What stands before a download: facts, and a question; where there is nobody to ask, the flag that says yes."""

import io
import sys

import pytest

from makeweight.errors import GeneratorError
from makeweight.generators.gate import Weights, may_fetch

FACTS = Weights("Model 3", "Licence X", False, "https://example.org/model")
TEXT = "Model 3: Licence X, no commercial use, from https://example.org/model, 1,234.5 MB"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def ask(monkeypatch, answer, stream=Terminal, yes=False):
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", stream(answer))
    monkeypatch.setattr(sys, "stderr", shown)
    try:
        may_fetch(FACTS, 1_234_500_000, yes)
    finally:
        monkeypatch.undo()
    return shown.getvalue()


@pytest.mark.parametrize("answer", ["y\n", "Yes\n", " y \n"])
def test_a_yes_is_a_yes(monkeypatch, answer):
    assert ask(monkeypatch, answer) == f"to be fetched: {TEXT}\nfetch it? [y/N] "


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yesterday\n"])
def test_anything_else_is_a_no(monkeypatch, answer):
    with pytest.raises(GeneratorError, match="were not fetched"):
        ask(monkeypatch, answer)


def test_where_there_is_nobody_to_ask_the_flag_is_named(monkeypatch):
    with pytest.raises(GeneratorError, match=r"Licence X, no commercial use.*1,234\.5 MB") as error:
        ask(monkeypatch, "y\n", stream=io.StringIO)
    assert "--option fetch=true" in error.value.hint
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(GeneratorError, match="would have to be fetched"):
        may_fetch(FACTS, 1, False)


def test_the_flag_says_yes_and_the_facts_are_still_said(monkeypatch):
    assert ask(monkeypatch, "", stream=io.StringIO, yes=True) == f"fetching {TEXT}\n"


@pytest.mark.parametrize(
    ("commercial", "words"), [(True, "commercial use allowed"), (None, "commercial use not known")]
)
def test_what_the_licence_allows_is_said(commercial, words):
    assert words in str(Weights("m", "L", commercial, "o"))
