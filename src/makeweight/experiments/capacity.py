"""Kullback-Leibler divergence of a generator against the rows it sees, beside the theorem's rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from makeweight.errors import OptionError
from makeweight.evaluation import generator_in_context
from makeweight.experiments.records import ExperimentTask, Measurement
from makeweight.experiments.spec import Experiment
from makeweight.theory import BayesianNetwork, Density, GaussianDensity, divergence_from_rows

__all__ = ["OWN", "VERSION", "CapacitySettings", "fingerprint", "law", "measure", "tasks"]

VERSION = 1
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

    Parameters
    ----------
    name : str
        ``gaussian-D``: D columns, correlations 0.5 to the power of their distance. ``network-D``: a random
        chain of D columns of three categories.

    Raises
    ------
    OptionError

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
    """Yield the estimated divergence of a generator's rows from the law of its context rows."""
    truth, kind = law(task.data)
    step = task.step or 0
    rng = np.random.default_rng([task.seed, step, len(task.data)])
    context = truth.sample(step, rng)
    rows = generator_in_context(task.arm, n_rows=task.settings.rows, kind=kind)(context, 0, rng)
    divergence = divergence_from_rows(truth, rows, rng=rng)
    yield Measurement(divergence.method, "kl", float(divergence.estimate))
    yield Measurement(divergence.method, "standard_error", float(divergence.standard_error))
    yield Measurement(divergence.method, "bias", float(divergence.bias))
