"""Which generators there are, by name: the built-in ones and those of other packages."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from makeweight.errors import MissingDependency, OptionError, nearest
from makeweight.generators.base import Generator
from makeweight.generators.catalogue import BUILT_IN, CostClass, GeneratorInfo
from makeweight.generators.frame.options import SECRET, WithOptions

__all__ = [
    "CostClass",
    "GeneratorInfo",
    "able",
    "available",
    "described",
    "name_of",
    "names",
    "resolve",
    "stated_options",
]

#: A package adds a generator with ``[project.entry-points."makeweight.generators"] name = "module:Class"``.
ENTRY_POINT_GROUP = "makeweight.generators"

#: What a generator is called elsewhere, in small letters and figures alone.
ELSEWHERE = {
    "begreat": "causal-lm",
    "copula": "gaussian-copula",
    "ctgansynthesizer": "ctgan",
    "gaussiancopulasynthesizer": "gaussian-copula",
    "great": "causal-lm",
    "randomoversampler": "random",
    "ros": "random",
    "tabpfnunsupervisedmodel": "tabpfn",
    "tabularargn": "mostlyai",
    "tvaesynthesizer": "tvae",
}

_OBJECTS = "makeweight.generators.adapters.any_object"


def names(cost_class: CostClass | None = None) -> list[str]:
    """Return the names of all generators, built-in ones first; of one cost class where it is given."""
    return [info.name for info in _catalogue() if cost_class in (None, info.cost_class)]


def available() -> Iterator[GeneratorInfo]:
    """Import one generator after the other, and yield what is said of it and what keeps it from being used here.

    Examples
    --------
    >>> [info.name for info in available() if info.usable][:2]
    ['transformer', 'smoothed-bootstrap']
    """
    for info in _catalogue():
        problem = None
        try:
            cls = info.load()
            if info.origin != "makeweight" and cls.__doc__:
                info = replace(info, summary=f"{cls.__doc__.strip().splitlines()[0].rstrip('.')} ({info.origin})")
        except MissingDependency as error:
            problem = f"{error.got}; {error.hint}"
        except AttributeError as error:
            problem = str(error)
        yield replace(info, problem=problem)


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
    known = {info.name: info for info in BUILT_IN}
    if name not in known:  # reading what other packages add takes longer than many a fit
        known = {info.name: info for info in _catalogue()}
    if name in known:
        return known[name]
    elsewhere = ELSEWHERE.get("".join(letter for letter in name.casefold() if letter.isalnum()))
    hint = f"here it is {elsewhere!r}" if elsewhere else nearest(name, names())
    raise OptionError("unknown generator", got=repr(name), hint=hint)


def able(method: str) -> list[str]:
    """Return the names of the generators that have a method besides those of the protocol, such as ``log_prob``.

    Examples
    --------
    >>> able("predict_proba")
    ['transformer']
    """
    return [info.name for info in available() if info.usable and hasattr(info.load(), method)]


def name_of(generator: object) -> str | None:
    """Return the name of a generator's class; None where it has none, or a name stands for more than the class.

    Examples
    --------
    >>> name_of(resolve("transport"))
    'transport'
    """
    own = (info for info in available() if info.usable and not info.preset)
    return next((info.name for info in own if info.load() is type(generator)), None)


def resolve(generator: str | Generator, options: Mapping[str, Any] | None = None) -> Generator:
    """Return the generator of a name, set up with options, or the instance that was given.

    Parameters
    ----------
    generator : str, Generator, or object with ``fit`` and ``sample``
        The last becomes a `makeweight.generators.adapters.any_object.AnyObject`.
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
            objects = importlib.import_module(_OBJECTS)
            if objects.fits_and_samples(generator):
                wrapped: Generator = objects.AnyObject(generator, **(options or {}))
                return wrapped
            raise OptionError(
                "not a generator",
                got=repr(generator),
                expected="a name, or an object with fit, propose and cost, or with fit and sample",
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
