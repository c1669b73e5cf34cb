"""Energy distance of a generator from a law against the context rows it sees, beside the theorem's rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment
from makeweight.generators.registry import resolve
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.theory.published.capacity import energy_distance
from makeweight.theory.published.densities import BayesianNetwork, Density, GaussianDensity

__all__ = ["CapacitySettings", "law", "measure", "tasks"]

VERSION = 2
OWN: tuple[str, ...] = ()
KINDS = {"gaussian": "continuous", "network": "categorical"}
#: Correlation of neighbouring columns of the Gaussian law.
CORRELATION = 0.5


@dataclass(frozen=True)
class CapacitySettings:
    """Settings of a task: the rows that a generator writes."""

    rows: int


def law(name: str) -> tuple[Density, str]:
    """Return a law of rows and the kind of its columns.

    ``gaussian-D`` has D columns with correlations 0.5 to the power of their distance; ``network-D`` is a random chain
    of D columns of three categories. Another name is an OptionError.

    Examples
    --------
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


def rows_in_context(
    generator: str, context: np.ndarray, n_rows: int, kind: str, rng: np.random.Generator
) -> np.ndarray:
    """Return rows that a generator wrote after it saw the context, shape (n_rows, d).

    The context, of shape (n, d), is split into two groups at random, which therefore have the same law, and both are
    asked for: a generator that needs another group to tell from has one, and one that shares rows between groups may.
    `kind`, continuous or categorical, is of all columns. An odd number of rows is an OptionError.
    """
    if n_rows < 2 or n_rows % 2:
        raise OptionError("rows come in two groups", where="n_rows", got=n_rows, expected="an even number")
    names = [f"x{j}" for j in range(context.shape[1])]
    frame = pd.DataFrame(context, columns=names)
    frame["group"] = rng.permutation(np.arange(len(frame)) % 2)
    schema = Schema.infer(frame, target="group", kinds=dict.fromkeys(names, kind))
    table = Table(frame, schema)
    fitted = resolve(generator).fit(table, rng=rng)
    streams = zip(Groups(table).keys, rng.spawn(2), strict=True)
    written = pd.concat([fitted.propose(group, n_rows // 2, rng=stream) for group, stream in streams])
    for column in schema.features:
        if not column.is_learned:  # constant in the context
            written[column.name] = frame[column.name].iloc[0]
    return written[names].to_numpy(dtype=np.float64)


def tasks(experiment: Experiment) -> Iterator[ExperimentTask[CapacitySettings]]:
    """Yield a task per law, generator, number of context rows (the step) and seed."""
    settings = CapacitySettings(experiment.settings.rows)
    for data, arm, step, seed in product(experiment.data, experiment.arms, experiment.steps, experiment.seeds):
        yield ExperimentTask(data, arm, seed, settings, step=step)


def fingerprint(task: ExperimentTask[CapacitySettings], folder: Path) -> str:
    """Return the law's name: rows are drawn from it."""
    law(task.data)
    return task.data


def measure(task: ExperimentTask[CapacitySettings], folder: Path) -> Iterator[Measurement]:
    """Yield the energy distance of a generator's rows from the law of its context rows."""
    truth, kind = law(task.data)
    step = task.step or 0
    rng = np.random.default_rng([task.seed, step, len(task.data)])
    context = truth.sample(step, rng)
    rows = rows_in_context(task.arm, context, task.settings.rows, kind, rng)
    distance = energy_distance(truth, rows, rng=rng)
    yield Measurement(distance.method, "distance", float(distance.estimate))
    yield Measurement(distance.method, "standard_error", float(distance.standard_error))
