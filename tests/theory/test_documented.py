"""Every public function of the theory is in its text and names its source; the text's tables and example hold."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

from makeweight import theory
from makeweight.theory import published

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
SOURCES = ("arxiv", "source", "derived", "textbook", "docs/theory.md", "design of this project", "(20", "bayes")
NAMES = {name: getattr(theory, name) for name in theory.__all__}
for module in pkgutil.iter_modules(published.__path__, published.__name__ + "."):
    room = importlib.import_module(module.name)
    NAMES |= {name: getattr(room, name) for name in room.__all__}
FUNCTIONS = sorted(name for name, value in NAMES.items() if inspect.isfunction(value))
#: | number | statement | source | functions | tests |
STATEMENTS = re.findall(r"^\| (\d+) \| .+ \| .+ \| (.+) \| (.+) \|$", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_in_the_text_and_name_their_source(name: str) -> None:
    documentation = (NAMES[name].__doc__ or "").lower()
    assert f"`{name}`" in TEXT
    assert "examples" in documentation
    assert any(word in documentation for word in SOURCES)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name in theory.__all__])
def test_functions_state_shapes_and_errors(name: str) -> None:
    """What the product calls: parameters and what comes back; errors where something is checked."""
    documentation, code = NAMES[name].__doc__, inspect.getsource(NAMES[name])
    assert "Parameters\n" in documentation
    assert "Returns\n" in documentation
    checks = re.search(r"\braise |\b(as_(matrix|vector|binary|codes|weights)|count|fraction|choice|_share)\(", code)
    assert not checks or "Raises\n" in documentation


@pytest.mark.parametrize("name", sorted(name for name, value in NAMES.items() if inspect.isclass(value)))
def test_public_methods_have_an_example(name: str) -> None:
    own = [getattr(value, "__func__", value) for key, value in vars(NAMES[name]).items() if not key.startswith("_")]
    methods = [value for value in own if inspect.isfunction(value)]
    text = "\n".join(inspect.getdoc(value) or "" for value in (NAMES[name], *methods))
    shown = "\n".join(line for line in text.splitlines() if line.startswith((">>>", "...")))
    assert [method.__name__ for method in methods if f".{method.__name__}(" not in shown] == []


def test_statements_are_numbered_through() -> None:
    assert [int(number) for number, _, _ in STATEMENTS] == list(range(1, len(STATEMENTS) + 1))
    assert len(STATEMENTS) > 15


@pytest.mark.parametrize(("number", "functions", "tests"), STATEMENTS)
def test_statements_name_functions_and_tests_that_exist(number: str, functions: str, tests: str) -> None:
    named = re.findall(r"`(\w+)(?:\.\w+)?`", functions)
    assert named
    assert set(named) <= set(NAMES)
    checks = re.findall(r"`(\w+)::(\w+)`", tests)
    assert checks
    for file, test in checks:
        assert f"def {test}(" in (ROOT / "tests" / "theory" / f"{file}.py").read_text(encoding="utf-8")


def test_the_worked_example_prints_what_it_says() -> None:
    example = TEXT.split("## From a table to a decision")[1].split("\n## ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", example, flags=re.DOTALL))
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(
        doctest.DocTestParser().get_doctest(code, {}, "docs/theory.md", None, None)
    )
    assert result.attempted > 5
    assert result.failed == 0
