"""What a comparison measures, where it runs, and what is said of it afterwards."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from makeweight.engine import check_engine
from makeweight.errors import OptionError
from makeweight.evaluation.budget import LEAST_SPLITS
from makeweight.generators.base import Generator
from makeweight.generators.check import CopyPolicy
from makeweight.generators.registry import stated_options
from makeweight.measure.brought import is_brought
from makeweight.measure.learners import LEARNERS

__all__ = ["ComparisonSettings", "Design", "Execution", "Reproduction", "repeated"]


#: Further whole numbers of a design, and the least that they can be.
MORE = (("soft_rows", 1), ("calibration_folds", 1))


@dataclass(frozen=True)
class Design:
    """What is measured.

    Parameters
    ----------
    repeats, folds : int
    splits : int, optional
        Number of the repeats x folds splits to run, from the first on; they are run whatever the time.
    augment : int, optional
        Rows per group of the augmented arm, on the whole table; by default as many as the largest group has.
    synthetic_weight : float, optional
        Of the chosen generator's rows, where real ones weigh 1. By default every row weighs the same.
    soft_rows : int, optional
        Synthetic rows with soft labels, on the whole table; by default those of `makeweight.committee.soft_counts`, or
        as many as there is time for.
    calibration_folds : int, optional
        Of the three inner folds, those on which calibrators of the chosen generator's rows are fitted: all by default,
        or one where there is no time to write rows for three, and enough rows for one.
    copies : {"auto", "reject", "accept"}
        What to do with exact copies of real rows.
    external : mapping of name to table, optional
        Synthetic rows written elsewhere, added to every training fold. They may have seen the rows that are
        held out; their arms are stamped, and do not count for the verdict.

    Raises
    ------
    OptionError
        When a value is out of its range.

    Examples
    --------
    >>> Design(repeats=2, folds=3).wanted[:4]
    ((0, 0), (0, 1), (0, 2), (1, 0))
    """

    repeats: int = 5
    folds: int = 5
    splits: int | None = None
    augment: int | None = None
    synthetic_weight: float | None = None
    soft_rows: int | None = None
    calibration_folds: int | None = None
    copies: CopyPolicy = "auto"
    external: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("repeats", 1), ("folds", 2), ("splits", LEAST_SPLITS), ("augment", 0), *MORE):
            value = getattr(self, name)
            if value is not None or name in ("repeats", "folds"):
                whole_number(name, value, least)
        if self.splits is not None and self.splits > self.repeats * self.folds:
            raise OptionError(
                "more splits are asked for than there are",
                got=f"{self.splits} splits",
                expected=f"{self.repeats * self.folds} at most, from {self.repeats} repeats of {self.folds} folds",
                hint=f"--repeats {-(-self.splits // self.folds)} --splits {self.splits}",
            )
        weight = self.synthetic_weight
        if weight is not None and not 0 < weight < float("inf"):
            raise OptionError(
                "synthetic_weight is what a synthetic row weighs beside a real one",
                got=repr(weight),
                expected="a number above 0",
            )

    @property
    def wanted(self) -> tuple[tuple[int, int], ...]:
        """The splits in their order: repeat and fold."""
        return tuple((repeat, fold) for repeat in range(self.repeats) for fold in range(self.folds))[: self.splits]


@dataclass(frozen=True)
class Execution:
    """Where a comparison runs, and what it is called.

    Parameters
    ----------
    engine : str
        As in `makeweight.engine.run`.
    log : Path, optional
        File to which each result is appended. With the file of an interrupted run of the same data
        and settings, that run goes on.
    name : str
        What the data are called in the commands that are suggested.
    read_options : sequence of str
        What else those commands need to read the data, such as ``("--no-header",)``.
    is_command : bool
        Whether the one thing to do is said as a command, rather than as Python.
    """

    engine: str = "local"
    log: Path | None = None
    name: str = "DATA"
    read_options: Sequence[str] = ()
    is_command: bool = False

    def __post_init__(self) -> None:
        check_engine(self.engine)


@dataclass(frozen=True)
class ExternalRows:
    """How many rows came from elsewhere, and how many of them equal real ones."""

    rows: int
    equal_to_real_rows: int


@dataclass(frozen=True)
class ComparisonSettings:
    """What was measured, and how, as plain values."""

    name: str
    generator: str
    options: dict[str, str]
    repeats: int
    splits: int
    folds: int
    inner_folds: int
    augment: int
    soft_rows: int
    calibration_folds: int
    copies: str
    random_state: int
    synthetic_weight: float | None
    max_seconds: float | None
    auto: dict[str, object]
    estimators: dict[str, str]
    engine: str
    n_jobs: int
    external: dict[str, ExternalRows]


@dataclass(frozen=True)
class Reproduction:
    """The command that runs the same splits again, its seed, and the versions that were used."""

    command: str
    seed: int
    versions: dict[str, str]


def whole_number(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number from `least` on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} is a whole number", got=repr(value), expected=f"{least} or more")


def evaluate_command(
    given: Sequence[str],
    design: Design,
    settings: ComparisonSettings,
    arms: Sequence[str] | None,
    splits: Sequence[tuple[int, int]],
) -> str:
    """Return the command that runs the same splits again."""
    words = [
        "makeweight",
        "evaluate",
        *given,
        "--estimator",
        ",".join(name if name in LEARNERS or is_brought(name) else f"MODULE:{name}" for name in settings.estimators),
        *([] if arms is None else ["--arm", ",".join(arms)]),
        "--repeats",
        str(splits[-1][0] + 1),
        "--folds",
        str(design.folds),
        "--splits",
        str(len(splits)),
        "--augment",
        str(settings.augment),
        "--soft-rows",
        str(settings.soft_rows),
        "--calibration-folds",
        str(settings.calibration_folds),
        "--copies",
        design.copies,
        *repeated("--external", [f"{name}=FILE" for name in design.external]),
        "--seed",
        str(settings.random_state),
        "--max-seconds",
        "0",
    ]
    return shlex.join(words)


def generator_words(
    generator: str | Generator, options: Mapping[str, Any] | None, weight: float | None = None
) -> list[str]:
    """Return a generator, its options and the weight of its rows as options of the command line."""
    name = generator if isinstance(generator, str) else type(generator).__name__
    return [
        "--generator",
        name,
        *repeated("--option", [f"{k}={v}" for k, v in stated_options(options).items()]),
        *([] if weight is None else ["--synthetic-weight", str(weight)]),
    ]


def repeated(option: str, values: Iterable[object]) -> list[str]:
    """Return an option with each of several values."""
    return [part for value in values for part in (option, str(value))]


def versions() -> dict[str, str]:
    """Return the versions that numbers may depend on."""
    packages = ("makeweight", "numpy", "pandas", "scikit-learn", "imbalanced-learn")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
