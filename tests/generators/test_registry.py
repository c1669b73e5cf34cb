"""Generators by name, with options, and those of other packages."""

import sys
from importlib.metadata import EntryPoint

import pytest

from generators_for_tests import Shuffler
from makeweight.errors import MissingDependency, OptionError
from makeweight.generators import registry
from makeweight.generators.base import Generator
from makeweight.generators.registry import ELSEWHERE, available, names, resolve

#: Extras whose packages cannot all be installed side by side.
FOREIGN = {"arf", "mostlyai", "sdv", "tabicl", "tabpfn"}


@pytest.mark.parametrize("info", available(), ids=lambda info: info.name)
def test_every_name_makes_a_generator(info):
    if info.usable:
        assert isinstance(resolve(info.name), Generator)
    else:
        with pytest.raises(MissingDependency, match="needs a package"):
            resolve(info.name)


def test_everything_is_said_of_every_generator():
    for info in available():
        assert info.usable or (info.extra in FOREIGN and f'"makeweight[{info.extra}]"' in info.problem)
        assert info.summary
        assert info.needs
        assert info.good_for


def test_what_a_generator_is_called_elsewhere_is_none_of_ours():
    assert set(ELSEWHERE.values()) <= set(names())
    assert not set(ELSEWHERE) & set(names())


def test_instances_pass_through():
    generator = Shuffler()
    assert resolve(generator) is generator


@pytest.mark.parametrize(
    ("call", "says", "hint"),
    [
        (lambda: resolve("smot"), "unknown generator", "did you mean 'smote'?"),
        (lambda: resolve("GReaT"), "unknown generator", "here it is 'causal-lm'"),
        (lambda: resolve("TabularARGN"), "unknown generator", "here it is 'mostlyai'"),
        (lambda: resolve("CTGAN-Synthesizer"), "unknown generator", "here it is 'ctgan'"),
        (lambda: resolve("BorderlineSMOTE"), "unknown generator", "did you mean 'borderline-smote'?"),
        (lambda: resolve("smote", {"k_neighbours": 3}), "no option", "did you mean 'k_neighbors'?"),
        (lambda: resolve(Shuffler), "not a generator", "known: "),
        (lambda: resolve(object()), "not a generator", "known: "),
        (lambda: resolve(Shuffler(), {"a": 1}), "go with a generator's name", None),
    ],
)
def test_what_is_unknown_is_refused(call, says, hint):
    with pytest.raises(OptionError, match=says) as error:
        call()
    if hint:
        assert hint in error.value.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("None", None), ("[1, 2]", [1, 2]), ("a b", "a b"), (7, 7)],
)
def test_options_are_read_as_literals(text, value):
    assert registry._read(text) == value


def entry_point(name, value):
    return EntryPoint(name=name, value=value, group=registry.ENTRY_POINT_GROUP)


def test_other_packages_add_generators(monkeypatch):
    points = [
        entry_point("shuffler", "generators_for_tests:Shuffler"),
        entry_point("absent", "no_such_package:Thing"),
        entry_point("lost", "generators_for_tests:Lost"),
        entry_point("smote", "generators_for_tests:Shuffler"),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    assert isinstance(resolve("shuffler"), Shuffler)
    assert type(resolve("smote")) is not Shuffler
    problems = {info.name: info.problem for info in available()}
    assert problems["shuffler"] is None
    assert "no_such_package" in problems["absent"]
    assert "Lost" in problems["lost"]
    with pytest.raises(MissingDependency, match="needs a package") as error:
        resolve("absent")
    assert "install no_such_package" in error.value.hint


def test_a_missing_extra_is_named(monkeypatch):
    info = registry.GeneratorInfo("x", "s", "n", "g", "makeweight_missing:X", extra="hf")
    monkeypatch.setitem(sys.modules, "makeweight_missing", None)
    with pytest.raises(MissingDependency) as error:
        info.load()
    assert error.value.hint == 'pip install "makeweight[hf]", or choose another generator'
