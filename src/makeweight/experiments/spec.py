"""One declarative file per experiment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from makeweight.errors import FileProblem, OptionError, nearest

__all__ = ["KINDS", "Experiment", "names", "read_experiment"]

#: What an experiment can be, and the module that measures it.
KINDS = {
    "published": "makeweight.experiments.published",
    "same-information": "makeweight.experiments.same_information",
    "opal": "makeweight.experiments.opal",
    "capacity": "makeweight.experiments.capacity",
    "simulation": "makeweight.experiments.simulation",
}
LISTS = ("data", "arms", "learners", "steps", "seeds")


@dataclass(frozen=True)
class Experiment:
    """What is measured.

    Attributes
    ----------
    name, title, kind : str
    data, arms, learners : tuple of str
    steps, seeds : tuple of int
    metrics : tuple of str
        Those that are shown; the first leads.
    settings : dict
        Of the kind.
    published : dict of str to object
        Numbers of the paper that are in no file, with their source.
    """

    name: str
    title: str
    kind: str
    data: tuple[str, ...]
    arms: tuple[str, ...]
    learners: tuple[str, ...]
    steps: tuple[int, ...]
    seeds: tuple[int, ...]
    metrics: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Any] = field(default_factory=dict)

    def select(self, **wanted: Sequence[Any] | None) -> Experiment:
        """Keep some of the data, arms, learners, steps or seeds.

        Arms are taken as they are: any generator of the registry is one. The others have to be in the file.

        Raises
        ------
        OptionError
            When a value is not in the experiment.
        """
        chosen: dict[str, tuple[Any, ...]] = {}
        for name, values in wanted.items():
            if values is None:
                continue
            known = getattr(self, name)
            for value in values:
                if name != "arms" and value not in known:
                    raise OptionError(
                        f"not in the experiment {self.name!r}",
                        where=name,
                        got=repr(value),
                        hint=nearest(str(value), known),
                    )
            chosen[name] = tuple(values)
        return replace(self, **chosen)  # type: ignore[arg-type]

    def scaled(self, scale: str | None) -> Experiment:
        """Return the experiment with the lists and settings of one of its scales, ``[settings.scales.NAME]``.

        Raises
        ------
        OptionError
            When it has no scale of that name.
        """
        if scale is None:
            return self
        known = self.settings.get("scales", {})
        if scale not in known:
            raise OptionError(
                f"the experiment {self.name!r} has no such scale",
                got=repr(scale),
                hint=nearest(scale, known) if known else "it has none",
            )
        found = known[scale]
        lists = {name: tuple(found[name]) for name in LISTS if name in found}
        settings = {**self.settings, **{name: value for name, value in found.items() if name not in LISTS}}
        return replace(self, settings=settings, **lists)  # type: ignore[arg-type]


def names() -> list[str]:
    """Return the names of the experiments that come with the package.

    Examples
    --------
    >>> "imbalance" in names()
    True
    """
    found = (entry.name for entry in files("makeweight.experiments").iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def read_experiment(name: str) -> Experiment:
    """Read an experiment.

    Parameters
    ----------
    name : str
        One of `names()`, or the path of a file that ends in ``.toml``.

    Returns
    -------
    Experiment

    Raises
    ------
    OptionError
        When there is none of that name, or the file says something that is not understood.
    FileProblem
        When the file cannot be read.

    Examples
    --------
    >>> read_experiment("imbalance").seeds
    (1, 2, 6, 8, 42)
    """
    if name.endswith(".toml"):
        path = Path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise FileProblem("the experiment cannot be read", where=name, got=error.strerror) from error
        return _parse(path.stem, text, name)
    if name not in names():
        raise OptionError("unknown experiment", got=repr(name), hint=nearest(name, names()))
    text = (files("makeweight.experiments") / f"{name}.toml").read_text(encoding="utf-8")
    return _parse(name, text, f"{name}.toml")


def _parse(name: str, text: str, where: str) -> Experiment:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError("the experiment is not TOML", where=where, got=str(error)) from error
    known = ["title", "kind", *LISTS, "metrics", "settings", "published"]
    for key in found:
        if key not in known:
            raise OptionError("unknown key", where=where, got=repr(key), hint=nearest(key, known))
    for key in known[:-2]:
        if key not in found:
            raise OptionError("a key is missing", where=where, expected=key)
    if found["kind"] not in KINDS:
        raise OptionError("unknown kind", where=where, got=repr(found["kind"]), hint=nearest(found["kind"], KINDS))
    for key in (*LISTS, "metrics"):
        if not isinstance(found[key], list) or not found[key]:
            raise OptionError("not a list of values", where=f"{where}, {key}", got=repr(found[key]))
    lists = {key: tuple(found[key]) for key in (*LISTS, "metrics")}
    return Experiment(
        name,
        found["title"],
        found["kind"],
        settings=found.get("settings", {}),
        published=found.get("published", {}),
        **lists,
    )
