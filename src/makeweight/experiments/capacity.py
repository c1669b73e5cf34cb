"""Kullback-Leibler divergence of a generator against the rows it sees, beside the theorem's rate."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from makeweight.errors import OptionError
from makeweight.evaluation import generator_in_context
from makeweight.experiments.spec import Experiment
from makeweight.experiments.written import about_generator
from makeweight.theory import BayesianNetwork, Density, GaussianDensity, divergence_from_rows

__all__ = ["VERSION", "about_arm", "about_data", "fingerprint", "law", "measure", "tasks"]

VERSION = 1
KINDS = {"gaussian": "continuous", "network": "categorical"}
#: Correlation of neighbouring columns of the Gaussian law.
CORRELATION = 0.5


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


def tasks(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """Yield a task per law, generator, number of context rows (the step) and seed."""
    settings = {"rows": experiment.settings.get("rows", 2000)}
    for data, arm, step, seed in product(experiment.data, experiment.arms, experiment.steps, experiment.seeds):
        yield {"data": data, "arm": arm, "step": step, "seed": seed, "settings": settings}


def about_data(task: dict[str, Any]) -> str:
    """Return the name of the task's law."""
    return str(task["data"])


def fingerprint(task: dict[str, Any], folder: Path) -> str:
    """Return the law's name: rows are drawn from it."""
    law(task["data"])
    return str(task["data"])


def about_arm(task: dict[str, Any]) -> dict[str, Any]:
    """Return what identifies the generator beyond its name."""
    return about_generator(task["arm"])


def measure(task: dict[str, Any], folder: Path) -> Iterator[dict[str, Any]]:
    """Draw context rows from the law, have rows written, and estimate the divergence from the law."""
    truth, kind = law(task["data"])
    rng = np.random.default_rng([task["seed"], task["step"], len(task["data"])])
    context = truth.sample(task["step"], rng)
    call = generator_in_context(task["arm"], n_rows=task["settings"]["rows"], kind=kind)
    made = call(context, 0, rng)
    found = divergence_from_rows(truth, made, rng=rng)
    for metric in ("estimate", "standard_error", "bias"):
        name = "kl" if metric == "estimate" else metric
        yield {"stage": found.method, "metric": name, "value": float(getattr(found, metric))}
