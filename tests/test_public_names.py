"""What the last release promised is still there, and what is public is in the reference."""

import re
from pathlib import Path

import pytest

import makeweight
from public_names import PUBLIC, exports, public_names

ROOT = Path(__file__).resolve().parent.parent
PROMISED = dict(
    re.fullmatch(r"([\w.]+)(?:\((.*)\))?", line).groups()
    for line in (ROOT / "docs" / "public-names.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
)


def test_every_public_name_of_the_last_release_is_still_there() -> None:
    names = public_names()
    assert len(PROMISED) > 150
    assert sorted(set(PROMISED) - set(names)) == []


@pytest.mark.parametrize("name", sorted(name for name, parameters in PROMISED.items() if parameters))
def test_every_parameter_of_the_last_release_is_still_taken(name: str) -> None:
    assert [p for p in PROMISED[name].split(", ") if p not in public_names_once()[name]] == []


_NAMES: dict[str, list[str]] = {}


def public_names_once() -> dict[str, list[str]]:
    _NAMES.update(_NAMES or public_names())
    return _NAMES


def test_every_module_that_is_public_says_what_it_exports() -> None:
    every = [(module, names) for patterns in PUBLIC.values() for module, names in exports(patterns)]
    assert len(every) == len({module.__name__ for module, _ in every}) > 25
    assert [(module.__name__, name) for module, names in every for name in names if not hasattr(module, name)] == []


def test_the_version_is_the_same_everywhere() -> None:
    for file, pattern in (("pyproject.toml", r'^version = "(.+)"'), ("CITATION.cff", r"^version: (.+)")):
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.findall(pattern, text, flags=re.MULTILINE) == [makeweight.__version__]
