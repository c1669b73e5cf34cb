"""The options of a generator as data: their check, their error, their table and scikit-learn's get_params."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any, Self

from makeweight.errors import OptionError, nearest

__all__ = ["SECRET", "Option", "OptionRow", "SearchableOptions", "WithOptions", "option", "options_of"]

#: How the names of options end whose values are never written down.
SECRET = ("key", "token", "secret", "password")
#: Where a field keeps its option.
OPTION = "option"


@dataclass(frozen=True)
class Option:
    """One argument of a generator's constructor, and the values it takes.

    Parameters
    ----------
    types : type or tuple of type
        ``int`` stands for any whole number, ``float`` for any real number; neither includes True and False.
    low, high : float
        Range of a number, ends included.
    above : bool
        Whether a number has to be above `low`.
    words : tuple of object
        Single values that are taken besides, such as "auto" and None.
    test : callable, optional
        What else has to hold of a value.
    takes : str
        What it takes, in words; by default what types, range and words say.
    hint : str, optional
        For the error.
    saved : bool
        Whether `save` writes it down.

    Examples
    --------
    >>> share = Option(float, 0, 1, words=("auto",))
    >>> share.allows(0.5), share.allows("auto"), share.allows(2), share.allows(True)
    (True, True, False, False)
    >>> print(share)
    "auto" or a number in [0, 1]
    """

    types: type | tuple[type, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    words: tuple[object, ...] = ()
    test: Callable[[Any], bool] | None = None
    takes: str = ""
    hint: str | None = None
    saved: bool = True

    def allows(self, value: object) -> bool:
        """Tell whether the option takes a value."""
        if any(value is word or (isinstance(value, str) and value == word) for word in self.words):
            return True
        types = self.types if isinstance(self.types, tuple) else (self.types,)
        return any(self._is_a(value, kind) for kind in types) and (self.test is None or self.test(value))

    def _is_a(self, value: Any, kind: type) -> bool:
        if kind not in (int, float):
            return isinstance(value, kind)
        is_number = isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        if self.takes:
            return self.takes
        values = [f'"{word}"' if isinstance(word, str) else str(word) for word in self.words]
        for kind in self.types if isinstance(self.types, tuple) else (self.types,):
            if kind in (int, float):
                values.append(("a whole number" if kind is int else "a number") + self._range())
            else:
                values.append({bool: "True or False", str: "text"}.get(kind, kind.__name__))
        return " or ".join(values)

    def _range(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f" in {'(' if self.above else '['}{self.low:g}, {self.high:g}]"
        if math.isfinite(self.low):
            return f" above {self.low:g}" if self.above else f", {self.low:g} or more"
        return ""


def option(
    default: Any, types: type | tuple[type, ...] = (), low: float = -math.inf, high: float = math.inf, **more: Any
) -> Any:
    """Return the field of a dataclass that is an option with a default; the others are `Option`'s parameters."""
    return field(default=default, metadata={OPTION: Option(types, low, high, **more)})


@dataclass(frozen=True)
class OptionRow:
    """One line of the table of a generator's options."""

    name: str
    takes: str  # the values, in words
    default: str  # as in Python
    meaning: str  # first sentence of the documentation


class WithOptions:
    """A generator that is a dataclass whose fields are made by `option`: the arguments of its constructor.

    `get_params` and `set_params` are scikit-learn's, so that ``sklearn.base.clone`` and a grid over
    ``generator__bandwidth`` work.

    Examples
    --------
    >>> @dataclass(eq=False, repr=False)
    ... class Blur(WithOptions):
    ...     width: float = option(1.0, float, 0, above=True)
    >>> Blur().set_params(width=2.0)
    Blur(width=2.0)
    >>> Blur(width=-1)._check_options()
    Traceback (most recent call last):
    makeweight.errors.OptionError: option out of range (width): got -1, expected a number above 0
    """

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return the options by name."""
        return {entry.name: entry.metadata[OPTION] for entry in fields(cls) if OPTION in entry.metadata}  # type: ignore[arg-type]

    @classmethod
    def saved_options(cls) -> list[str]:
        """Return the names of the options that `save` writes down."""
        return [name for name, option in cls.options().items() if option.saved]

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the options by name; with `deep` those of objects among them too, as ``name__inner``."""
        params = {name: getattr(self, name) for name in self.options()}
        for name, value in list(params.items()) if deep else ():
            if hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": entry for inner, entry in value.get_params().items()}
        return params

    def set_params(self, **params: object) -> Self:
        """Set options by name, ``name__inner`` for those of an object among them.

        Raises
        ------
        OptionError
            When there is no option of that name.
        """
        known = list(self.options())
        for name, value in params.items():
            own, _, inner = name.partition("__")
            if own not in known:
                raise OptionError(f"{type(self).__name__} has no option {own!r}", hint=nearest(own, known))
            if inner:
                getattr(self, own).set_params(**{inner: value})
            else:
                setattr(self, own, value)
        return self

    def _check_options(self) -> None:
        """Refuse the first option that has a value it does not take."""
        for name, option in self.options().items():
            value = getattr(self, name)
            if not option.allows(value):
                got = None if name.endswith(SECRET) else repr(value)
                raise OptionError("option out of range", where=name, got=got, expected=option, hint=option.hint)

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self)).parameters
        changed = [
            f"{name}={'***' if name.endswith(SECRET) else repr(value)}"
            for name, value in self.get_params(deep=False).items()
            if value is not defaults[name].default and repr(value) != repr(defaults[name].default)
        ]
        return f"{type(self).__name__}({', '.join(changed)})"


class SearchableOptions:
    """Parameters of an estimator with ``generator`` and ``options``, with the generator's own below them.

    ``generator__bandwidth`` sets an option of a generator whether it is given by its name or as an object, and
    ``options__bandwidth`` one of a generator that is given by its name. A grid or a search takes both.
    """

    generator: Any
    options: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with `deep` those of the generator that are stated, too."""
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        if deep and isinstance(self.generator, str) and isinstance(self.options, Mapping):
            for name, value in self.options.items():
                params |= {f"generator__{name}": value, f"options__{name}": value}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name, ``generator__name`` for options of the generator."""
        named = isinstance(params.get("generator", self.generator), str)
        inner = {
            key: key.partition("__")[2]
            for key in params
            if key.startswith("options__") or (named and key.startswith("generator__"))
        }
        super().set_params(**{key: value for key, value in params.items() if key not in inner})  # type: ignore[misc]
        if inner:
            self.options = {**(self.options or {}), **{name: params[key] for key, name in inner.items()}}
        return self


def options_of(cls: type) -> tuple[OptionRow, ...]:
    """Return the options of a generator's class, in the order of its constructor.

    Examples
    --------
    >>> from makeweight.generators.transport import TransportGenerator
    >>> row = options_of(TransportGenerator)[2]
    >>> row.name, row.takes, row.default
    ('recombine', 'a number in [0, 1]', '0.2')
    """
    declared = {name: str(option) for name, option in cls.options().items()} if issubclass(cls, WithOptions) else {}
    meanings = dict(_meanings(cls))
    return tuple(
        OptionRow(
            name,
            declared.get(name, ""),
            "" if parameter.default is parameter.empty else repr(parameter.default),
            meanings.get(name, ""),
        )
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    )


def _meanings(cls: type) -> Iterator[tuple[str, str]]:
    """Yield the names in the section on parameters, each with its first sentence."""
    _, _, section = (inspect.getdoc(cls) or "").partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w[\w ]*\n---", section)[0]
    for entry in re.split(r"\n(?=\S)", section):
        head, _, text = entry.partition("\n")
        sentence = re.split(r"(?<=\.)\s", " ".join(text.split()))[0]
        for name in head.partition(" : ")[0].split(", "):
            yield name, sentence
