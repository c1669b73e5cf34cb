"""Which generators there are, by name: the built-in ones and those of other packages."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from makeweight.errors import MissingDependency, OptionError, nearest
from makeweight.generators.base import Generator
from makeweight.generators.frame.options import SECRET, OptionRow, WithOptions, options_of

__all__ = ["CostClass", "GeneratorInfo", "available", "described", "names", "resolve", "stated_options"]

#: A package adds a generator with ``[project.entry-points."makeweight.generators"] name = "module:Class"``.
ENTRY_POINT_GROUP = "makeweight.generators"

#: What setting a generator to work takes: next to nothing, seconds in which a network that was trained
#: beforehand reads the table, the training of a model, or a paid service.
CostClass = Literal["instant", "pretrained", "trains", "remote"]


@dataclass(frozen=True)
class GeneratorInfo:
    """What a user should know before choosing a generator.

    Parameters
    ----------
    name : str
    summary, needs, good_for : str
        One line each.
    home : str
        ``module:class``.
    preset : mapping
        Constructor arguments that the name stands for.
    extra : str or None
        The optional extra of this package that installs what it needs.
    origin : str
        The package it comes from.
    problem : str or None
        Why it cannot be used here; None where it can.
    cost_class : {"instant", "pretrained", "trains", "remote"}
        Whether it is ready at once, has a pretrained network read the table for some seconds, trains a model
        on the table, or asks a service that may cost money.
    """

    name: str
    summary: str
    needs: str
    good_for: str
    home: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    extra: str | None = None
    origin: str = "makeweight"
    problem: str | None = None
    cost_class: CostClass = "instant"

    @property
    def usable(self) -> bool:
        """Whether it can be used here."""
        return self.problem is None

    def options(self) -> tuple[OptionRow, ...]:
        """Return what can be set with ``--option NAME=VALUE``.

        Raises
        ------
        MissingDependency
            When a package that it needs is not installed.
        """
        return tuple(row for row in options_of(self.load()) if row.name not in self.preset)

    def load(self) -> type[Generator]:
        """Import the class.

        Raises
        ------
        MissingDependency
            When a package that it needs is not installed.
        """
        module, _, name = self.home.partition(":")
        try:
            return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
        except ImportError as error:
            fix = f'pip install "makeweight[{self.extra}]"' if self.extra else f"install {error.name}"
            hint = f"{fix}, or choose another generator"
            raise MissingDependency(
                f"generator {self.name!r} needs a package that is not installed", got=str(error), hint=hint
            ) from error


# A table here, and not attributes of the classes: listing generators must import neither torch nor a client.
_RESAMPLER = "makeweight.generators.resampler:Resampler"
BUILT_IN = (
    GeneratorInfo(
        "transformer",
        "rows by a small transformer that was pretrained on synthetic tables and reads yours as context",
        "no download, no training; one row per group",
        "tables up to some ten thousand rows; few rare rows, columns whose relations all groups share",
        "makeweight.generators.transformer.generator:InContextTransformer",
        cost_class="pretrained",
    ),
    GeneratorInfo(
        "smoothed-bootstrap",
        "real rows moved by noise with the covariance of the whole table",
        "one row per group",
        "large tables, a quick answer; the reference that others have to beat",
        "makeweight.generators.smoothed_bootstrap:SmoothedBootstrap",
    ),
    GeneratorInfo(
        "transport",
        "rows of the largest group, moved to the mean and covariance of the group",
        "one row per group",
        "heavy tails and clusters that all groups share; the cheap rival of a learned generator",
        "makeweight.generators.transport:TransportGenerator",
    ),
    GeneratorInfo(
        "random",
        "exact copies of real rows",
        "one row per group",
        "a baseline; the same as weighting rows",
        _RESAMPLER,
        {"method": "random"},
    ),
    GeneratorInfo(
        "smote",
        "points between a row and one of its nearest neighbours",
        "two rows per group",
        "numeric tables; a baseline",
        _RESAMPLER,
        {"method": "smote"},
    ),
    GeneratorInfo(
        "smotenc",
        "SMOTE with the neighbours' most frequent categories",
        "two rows per group, one numeric column",
        "mixed tables; a baseline",
        _RESAMPLER,
        {"method": "smotenc"},
    ),
    GeneratorInfo(
        "borderline-smote",
        "SMOTE from rows whose neighbours are mostly of other groups",
        "two rows per group",
        "numeric tables with overlapping groups",
        _RESAMPLER,
        {"method": "borderline-smote"},
    ),
    GeneratorInfo(
        "adasyn",
        "SMOTE with more rows where other groups are near",
        "two rows per group",
        "numeric tables with overlapping groups",
        _RESAMPLER,
        {"method": "adasyn"},
    ),
    GeneratorInfo(
        "auto",
        "rows by the transformer or the smoothed bootstrap, whichever finds held-out real rows likelier",
        "seconds to compare",
        "when you do not know which; the generation's notes say which was taken and why",
        "makeweight.generators.auto:AutoGenerator",
        cost_class="pretrained",
    ),
    GeneratorInfo(
        "causal-lm",
        "a causal language model, fine-tuned on rows written as sentences",
        "a download, or model=scratch; minutes to train",
        "free text, meaningful names and categories, groups without rows",
        "makeweight.generators.causal_lm:CausalLMGenerator",
        extra="hf",
        cost_class="trains",
    ),
    GeneratorInfo(
        "chat",
        "rows by a prompted chat model, with fresh real rows as examples in every request",
        "an endpoint that speaks the chat-completions protocol, and a model's name",
        "few rows, columns whose names and values mean something, free text",
        "makeweight.generators.chat:ChatGenerator",
        extra="chat",
        cost_class="remote",
    ),
)


def names(cost_class: CostClass | None = None) -> list[str]:
    """Return the names of all generators, built-in ones first; of one cost class where it is given."""
    return [info.name for info in _catalogue() if cost_class in (None, info.cost_class)]


def available() -> list[GeneratorInfo]:
    """Return all generators, each with what keeps it from being used here, if anything does.

    Examples
    --------
    >>> [info.name for info in available() if info.usable][:2]
    ['transformer', 'smoothed-bootstrap']
    """
    infos = []
    for info in _catalogue():
        problem = None
        try:
            info.load()
        except MissingDependency as error:
            problem = f"{error.got}; {error.hint}"
        except AttributeError as error:
            problem = str(error)
        infos.append(replace(info, problem=problem))
    return infos


def described(name: str) -> GeneratorInfo:
    """Return what the registry says of a generator.

    Raises
    ------
    OptionError
        When there is none of that name.

    Examples
    --------
    >>> [row.name for row in described("smote").options()]
    ['k_neighbors', 'max_dummies', 'max_donors']
    """
    known = {info.name: info for info in _catalogue()}
    if name in known:
        return known[name]
    raise OptionError("unknown generator", got=repr(name), hint=nearest(name, names()))


def resolve(generator: str | Generator, options: Mapping[str, Any] | None = None) -> Generator:
    """Return the generator of a name, set up with options, or the instance that was given.

    Parameters
    ----------
    generator : str or Generator
    options : mapping of str to object, optional
        Constructor arguments. Text is read as a Python literal where it is one, so that the command line can
        pass ``temperature=0.7``.

    Returns
    -------
    Generator

    Raises
    ------
    OptionError
        When the name or an option is unknown, the object is no generator, or options come with an instance.
    MissingDependency
        When a package that the generator needs is not installed.

    Examples
    --------
    >>> resolve("smote", {"k_neighbors": "3"}).k_neighbors
    3
    """
    if not isinstance(generator, str):
        if isinstance(generator, type) or not isinstance(generator, Generator):
            raise OptionError(
                "not a generator",
                got=repr(generator),
                expected="a name, or an object with fit, propose and cost",
                hint=nearest("", names()),
            )
        if options:
            raise OptionError("options go with a generator's name", got=f"options {dict(options)} and an instance")
        return generator
    info = described(generator)
    cls = info.load()
    parameters = inspect.signature(cls).parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    arguments = dict(info.preset)
    for name, value in (options or {}).items():
        if name not in parameters and not open_ended:
            known = [parameter for parameter in parameters if parameter not in info.preset]
            raise OptionError(
                f"generator {generator!r} has no option {name!r}", hint=nearest(name, known) if known else "it has none"
            )
        arguments[name] = _read(value)
    instance: Generator = cls(**arguments)
    if options and isinstance(instance, WithOptions):
        instance._check_options()
    return instance


def stated_options(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Return constructor arguments as they may be written down: secrets are replaced by ``***``.

    Parameters
    ----------
    options : mapping of str to object, optional

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> stated_options({"model": "m", "api_key": "a-secret-key", "max_tokens": 100})
    {'model': 'm', 'api_key': '***', 'max_tokens': '100'}
    """
    return {name: "***" if name.lower().endswith(SECRET) else str(value) for name, value in (options or {}).items()}


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = {"true": True, "false": False, "none": None}
    if value.casefold() in plain:
        return plain[value.casefold()]
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):  # plain text
        return value


def _catalogue() -> list[GeneratorInfo]:
    known = {info.name for info in BUILT_IN}
    others = [_info_of(point) for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in known]
    return [*BUILT_IN, *sorted(others, key=lambda info: info.name)]


def _info_of(point: EntryPoint) -> GeneratorInfo:
    origin, see = point.dist.name if point.dist is not None else point.value, "see its documentation"
    home = f"{point.module}:{point.attr}"
    return GeneratorInfo(point.name, f"from the package {origin}", see, see, home, origin=origin)
