"""How far a generator is from a known law, against the context rows it sees and the law's columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment
from makeweight.generators.base import Generator
from makeweight.generators.registry import resolve
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.theory.published.capacity import Divergence, divergence_from_density, energy_distance
from makeweight.theory.published.densities import (
    BayesianNetwork,
    Density,
    GaussianDensity,
    fit_bayesian_network,
    fit_gaussian,
)

__all__ = ["ContextLaw"]

VERSION = 3
#: The law's own family, fitted to the context: what a generator could know that knows the structure.
STRUCTURE = "right-structure"
OWN: tuple[str, ...] = (STRUCTURE,)
KINDS = {"gaussian": "continuous", "network": "categorical"}
#: Correlation of neighbouring columns of the Gaussian law.
CORRELATION = 0.5


@dataclass(frozen=True)
class CapacitySettings:
    """Settings of a task: the rows that a generator writes, and the fresh rows whose likelihood is asked for."""

    rows: int
    fresh: int


def law(name: str) -> tuple[Density, str]:
    """Return a law of rows and the kind of its columns.

    ``gaussian-D`` has D columns with correlations 0.5 to the power of their distance; ``network-D`` is a random chain
    of D columns of three categories. Another name is an OptionError.

    >>> law("gaussian-2")[0].sample(3, np.random.default_rng(0)).shape
    (3, 2)
    """
    family, _, columns = name.partition("-")
    if family not in KINDS or not columns.isdigit() or int(columns) < 2:
        raise OptionError("unknown law", got=repr(name), expected="gaussian-D or network-D, D 2 or more")
    d = int(columns)
    if family == "gaussian":
        distance = np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
        return GaussianDensity(np.zeros(d), CORRELATION**distance), KINDS[family]
    chain = [(column - 1,) if column else () for column in range(d)]
    return BayesianNetwork.random([3] * d, chain, np.random.default_rng(d)), KINDS[family]


@dataclass(frozen=True, eq=False)
class ContextLaw:
    """The law of the rows that a generator writes after it has seen a context: a `Density` for `capacity_curve`.

    The context is split into two groups at random, which therefore have the same law, and both are asked for alike: a
    generator that needs another group to tell from has one, and one that shares rows between groups may.

    >>> truth, kind = law("network-2")
    >>> rng = np.random.default_rng(0)
    >>> context = ContextLaw.fit("smoothed-bootstrap", truth.sample(200, rng), kind, rng)
    >>> context.sample(4, rng).shape
    (4, 2)
    >>> float(np.exp(context.log_prob(truth.support)).sum().round(6))
    1.0
    """

    generator: Generator
    table: Table

    @classmethod
    def fit(cls, generator: str, context: np.ndarray, kind: str, rng: np.random.Generator) -> Self:
        """Show a generator a context of shape (n, d), whose columns are all continuous, or all categorical."""
        names = [f"x{j}" for j in range(context.shape[1])]
        frame = pd.DataFrame(context, columns=names)
        frame["group"] = rng.permutation(np.arange(len(frame)) % 2)
        table = Table(frame, Schema.infer(frame, target="group", kinds=dict.fromkeys(names, kind)))
        return cls(resolve(generator).fit(table, rng=rng), table)

    @property
    def _names(self) -> list[str]:
        return [str(column.name) for column in self.table.schema.features]

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows that the generator writes, shape (n, d), half of each group; an odd n is an OptionError."""
        if n < 2 or n % 2:
            raise OptionError("rows come in two groups", where="n", got=n, expected="an even number")
        streams = zip(Groups(self.table).keys, rng.spawn(2), strict=True)
        written = pd.concat([self.generator.propose(group, n // 2, rng=stream) for group, stream in streams])
        for column in self.table.schema.features:
            if not column.is_learned:  # constant in the context
                written[column.name] = self.table.frame[column.name].iloc[0]
        return written[self._names].to_numpy(dtype=np.float64)

    @property
    def has_density(self) -> bool:
        """Whether `log_prob` answers: the generator has one, and no column is a number."""
        numbers = any(column.kind.is_numeric for column in self.table.schema.features)
        return hasattr(self.generator, "log_prob") and not numbers

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Return log-probabilities of rows of category codes (m, d); -inf for a code that the context lacks.

        What generators say of a number is the mass of an interval of the context's own scores, which is no density of
        numbers between its rows: for columns of numbers, as for a generator without likelihood, it is an OptionError.
        """
        if not self.has_density:
            raise OptionError(
                "no likelihood of rows",
                where=type(self.generator).__name__,
                expected="a generator with log_prob, and categorical columns",
                hint="measure its rows: energy_distance",
            )
        frame = pd.DataFrame(rows, columns=self._names)
        likelihood = cast(Any, self.generator).log_prob
        logs = np.logaddexp(*(likelihood(frame.assign(group=label)) for label in (0, 1))) - np.log(2)
        for column in self.table.schema.features:
            if not column.is_learned:
                logs[frame[column.name] != self.table.frame[column.name].iloc[0]] = -np.inf
        return np.asarray(logs)


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[CapacitySettings]]:
    """Yield a task per law, generator, number of context rows (the step) and seed."""
    settings = CapacitySettings(experiment.settings.rows, experiment.settings.fresh)
    for data, arm, step, seed in product(experiment.data, experiment.arms, experiment.steps, experiment.seeds):
        yield ExperimentTask(data, arm, seed, settings, step=step)


def fingerprint(task: ExperimentTask[CapacitySettings], folder: Path) -> str:
    """Return the law's name: rows are drawn from it."""
    law(task.data)
    return task.data


def measure(task: ExperimentTask[CapacitySettings], folder: Path) -> Iterator[Measurement]:
    """Yield how far a generator is from the law of its context rows.

    Its rows have an energy distance from the law. Where it says how likely rows are, it has a Kullback-Leibler
    divergence, too, which needs none of its rows: exact over all possible rows, or over as many fresh rows of the law.
    """
    truth, kind = law(task.data)
    step = task.step or 0
    rng = np.random.default_rng([task.seed, step, len(task.data)])
    context = truth.sample(step, rng)
    if task.arm == STRUCTURE:
        yield from _numbers("divergence", divergence_from_density(truth, _structured(truth, context), rng=rng))
        return
    written = ContextLaw.fit(task.arm, context, kind, rng)
    yield from _numbers("distance", energy_distance(truth, written.sample(task.settings.rows, rng), rng=rng))
    if written.has_density:  # all arms are asked for the same fresh rows
        fresh = np.random.default_rng([task.seed, step, len(task.data), 1])
        yield from _numbers("divergence", divergence_from_density(truth, written, rng=fresh, n=task.settings.fresh))


def _structured(truth: Density, context: np.ndarray) -> Density:
    if isinstance(truth, BayesianNetwork):
        return fit_bayesian_network(context, truth.levels, truth.parents)
    return fit_gaussian(context)


def _numbers(metric: str, value: Divergence) -> Iterator[Measurement]:
    yield Measurement(value.method, metric, value.estimate)
    yield Measurement(value.method, f"{metric}_error", value.standard_error)
