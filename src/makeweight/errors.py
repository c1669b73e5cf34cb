"""The exception tree.

Every error has one shape: what failed, where (column, group, row), what was got, what was expected, and a
hint with something to run or to change. Each class is also the built-in exception a caller would expect.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

__all__ = [
    "EngineError",
    "FileProblem",
    "GenerationShortfall",
    "GeneratorError",
    "MakeweightError",
    "MissingDependency",
    "OptionError",
    "PlanError",
    "SchemaError",
    "nearest",
]


class MakeweightError(Exception):
    """Base of every error that makeweight raises on purpose.

    Parameters
    ----------
    what : str
        What failed, in one sentence without a full stop.
    where : str, optional
        The column, group, row or file it concerns.
    got, expected : object, optional
        What was found, and what would have been right.
    hint : str, optional
        What to do about it, with a line to run or to write where there is one.

    Examples
    --------
    >>> from makeweight.errors import SchemaError
    >>> print(SchemaError("unknown column", where="column 'agee'", hint="did you mean 'age'?"))
    unknown column (column 'agee')
    hint: did you mean 'age'?
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        got: object = None,
        expected: object = None,
        hint: str | None = None,
    ) -> None:
        self.what, self.where, self.got, self.expected, self.hint = what, where, got, expected, hint
        super().__init__(self._text())

    @property
    def message(self) -> str:
        """Everything but the hint, on one line."""
        text = self.what + (f" ({self.where})" if self.where else "")
        details = [
            f"{name} {value}" for name, value in (("got", self.got), ("expected", self.expected)) if value is not None
        ]
        return text + (": " + ", ".join(details) if details else "")

    def _text(self) -> str:
        return self.message + (f"\nhint: {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.__dict__.copy(), self.args)


def _rebuild(cls: type[MakeweightError], state: dict[str, Any], args: tuple[object, ...]) -> MakeweightError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class SchemaError(MakeweightError, ValueError):
    """A table, or a column of it, is not what it was said to be or cannot be used."""


class PlanError(MakeweightError, ValueError):
    """The groups, the strategy or the weights asked for do not fit the table."""


class OptionError(MakeweightError, ValueError):
    """A parameter or an option has an unknown name or a value out of its range."""


class FileProblem(MakeweightError, OSError):
    """A file could not be read, or may not be written."""


class MissingDependency(MakeweightError, ImportError):
    """An optional package that the request needs is not installed."""


class GeneratorError(MakeweightError, RuntimeError):
    """A generator cannot be fitted to this table, or cannot write this group.

    Attributes
    ----------
    generation : makeweight.generators.fill.Generation or None
        What was accepted before it failed, with the ledger; None where it had not begun to write.
    """

    generation: Any = None


class EngineError(MakeweightError, RuntimeError):
    """The processes or the cluster that tasks were to run on are not there, or went away."""


class GenerationShortfall(MakeweightError, RuntimeError):
    """Fewer rows than asked for could be accepted.

    Attributes
    ----------
    generation : makeweight.generators.fill.Generation
        What was accepted, with the ledger that says why the rest was not.
    """

    def __init__(self, what: str, *, generation: Any = None, **details: Any) -> None:
        super().__init__(what, **details)
        self.generation = generation


def nearest(name: str, known: Iterable[object], otherwise: str = "") -> str:
    """Write the clause of a hint that names the known name that is close, whatever its case, or lists a few.

    Where none is close, it is `otherwise` if that is given.

    Examples
    --------
    >>> nearest("incme", ["income", "age"])
    "did you mean 'income'?"
    >>> nearest("CHURN", ["COUNTRY", "Churn"]), nearest("outcome", ["income", "age"])
    ("did you mean 'Churn'?", "known: 'income', 'age'")
    """
    options = [str(option) for option in known]
    folded = {option.casefold(): option for option in reversed(options)}
    cutoff = 0.66 if len(name) < 5 else 0.75  # one letter of three, or one in four
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=cutoff)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if otherwise:
        return otherwise
    shown = ", ".join(repr(option) for option in options[:10])
    return f"known: {shown}" + (f", and {len(options) - 10} more" if len(options) > 10 else "")
