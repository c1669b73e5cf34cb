"""One declarative file per experiment."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from makeweight.errors import FileProblem, OptionError, nearest
from makeweight.table.records import guarded

__all__ = ["Experiment", "ExperimentSettings", "PublishedNumber", "names", "read_experiment"]

#: Of the file of an experiment.
MOST_BYTES = 1_000_000

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
class ExperimentSettings:
    """Settings of all kinds of experiments; each kind reads its own.

    A published experiment has a `task`, ``imbalance`` or ``spurious``, and varies the ``ratio`` or ``augmentation``.
    `folds` are those of the calibration, `rows` those that a generator writes for one estimate of its distance from a
    law, `fresh` those of the law for one of its divergence.
    A simulation has `d` features, `n1` rare rows, `kappa` common rows per rare one, and may measure the generator
    quality score.
    """

    task: str = ""
    vary: str = ""
    folds: int = 5
    rows: int = 2000
    fresh: int = 256
    d: tuple[int, ...] = ()
    n1: tuple[int, ...] = ()
    kappa: tuple[int, ...] = ()
    quality: bool = False


@dataclass(frozen=True)
class PublishedNumber:
    """A published mean of a cell, with its standard deviation where that is published."""

    data: str
    learner: str
    arm: str
    step: int
    stage: str
    metric: str
    published: float
    published_sd: float = float("nan")


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
    settings : ExperimentSettings
    published : tuple of PublishedNumber
        Numbers of the paper that the experiment's file states.
    scales : mapping of str to mapping
        Name of a larger or smaller plan to the lists and settings that it replaces.
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
    settings: ExperimentSettings = ExperimentSettings()
    published: tuple[PublishedNumber, ...] = ()
    scales: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def select(self, **selection: Sequence[str] | Sequence[int] | None) -> Experiment:
        """Return the experiment with some of its data, arms, learners, steps or seeds.

        Arms are taken as they are: any generator of the registry is one. The others have to be in the file.

        Raises
        ------
        OptionError
            When a value is not in the experiment.
        """
        chosen: dict[str, Any] = {name: tuple(values) for name, values in selection.items() if values is not None}
        for name, values in chosen.items():
            known = getattr(self, name)
            for value in values if name != "arms" else ():
                if value not in known:
                    hint = nearest(str(value), known)
                    raise OptionError(f"not in the experiment {self.name!r}", where=name, got=repr(value), hint=hint)
        return replace(self, **chosen)

    def scaled(self, scale: str | None) -> Experiment:
        """Return the experiment with the lists and settings of one of its scales, ``[settings.scales.NAME]``.

        Raises
        ------
        OptionError
            When it has no scale of that name.
        """
        if scale is None:
            return self
        if scale not in self.scales:
            hint = nearest(scale, self.scales) if self.scales else "it has none"
            raise OptionError(f"the experiment {self.name!r} has no such scale", got=repr(scale), hint=hint)
        values = self.scales[scale]
        lists: dict[str, Any] = {name: _list(values, name, scale) for name in LISTS if name in values}
        own = {name: value for name, value in values.items() if name not in LISTS}
        return replace(self, settings=_settings({**asdict(self.settings), **own}, scale), **lists)


def names() -> list[str]:
    """Return the names of the experiments that come with the package.

    Examples
    --------
    >>> "imbalance" in names()
    True
    """
    entries = (entry.name for entry in files("makeweight.experiments").iterdir())
    return sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml"))


def read_experiment(name: str) -> Experiment:
    """Return an experiment.

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
        hint = "makeweight reproduce list names the experiments that come with the package"
        try:
            if path.stat().st_size > MOST_BYTES or not path.is_file():
                raise FileProblem("this is no file of an experiment", where=name, hint=hint)
            text = path.read_text(encoding="utf-8")
        except FileProblem:
            raise
        except (OSError, ValueError) as error:  # the latter where it is not UTF-8
            got = getattr(error, "strerror", None) or str(error)
            raise FileProblem("the experiment cannot be read", where=name[:80], got=got, hint=hint) from error
        return guarded(name, "the experiment", lambda: _parse(path.stem, text, name), hint=hint)
    if name not in names():
        raise OptionError("unknown experiment", got=repr(name), hint=nearest(name, names()))
    text = (files("makeweight.experiments") / f"{name}.toml").read_text(encoding="utf-8")
    return _parse(name, text, f"{name}.toml")


def _parse(name: str, text: str, where: str) -> Experiment:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError("the experiment is not TOML", where=where, got=str(error)) from error
    known = ["title", "kind", *LISTS, "metrics", "settings", "published"]
    _refuse_unknown(content, known, where)
    for key in known[:-2]:
        if key not in content:
            raise OptionError("a key is missing", where=where, expected=key)
    kind = content["kind"]
    if kind not in KINDS:
        raise OptionError("unknown kind", where=where, got=repr(kind), hint=nearest(kind, KINDS))
    lists: dict[str, Any] = {key: _list(content, key, where) for key in (*LISTS, "metrics")}
    settings = dict(content.get("settings", {}))
    return Experiment(
        name,
        content["title"],
        kind,
        scales=settings.pop("scales", {}),
        settings=_settings(settings, where),
        published=tuple(_stated(content.get("published", {}).get("numbers", []))),
        **lists,
    )


def _refuse_unknown(content: Mapping[str, object], known: Sequence[str], where: str) -> None:
    for key in content:
        if key not in known:
            raise OptionError("unknown key", where=where, got=repr(key), hint=nearest(key, known))


def _list(content: Mapping[str, object], key: str, where: str) -> tuple[object, ...]:
    values = content[key]
    if not isinstance(values, list | tuple) or not values:
        raise OptionError("not a list of values", where=f"{where}, {key}", got=repr(values))
    return tuple(values)


def _settings(content: Mapping[str, object], where: str) -> ExperimentSettings:
    defaults = {setting.name: setting.default for setting in fields(ExperimentSettings)}
    _refuse_unknown(content, list(defaults), f"{where}, settings")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    for key, value in values.items():
        if type(value) is not type(defaults[key]):
            raise OptionError("not a value of this setting", where=f"{where}, settings.{key}", got=repr(value))
    return ExperimentSettings(**values)


def _stated(entries: Sequence[Mapping[str, Any]]) -> Iterator[PublishedNumber]:
    """Yield the numbers of ``[[published.numbers]]``, which have a value per data set."""
    for entry in entries:
        cell = {name: entry[name] for name in ("learner", "arm", "stage", "metric")}
        for data, value in entry["values"].items():
            yield PublishedNumber(data=data, step=entry.get("step", 0), published=value, **cell)
