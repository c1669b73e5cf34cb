"""Kullback-Leibler divergence of a generator against the rows it sees, beside the theorem's rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.experiments.spec import Experiment
from makeweight.experiments.written import about_generator
from makeweight.generators.registry import resolve
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.theory.published.capacity import divergence_from_rows
from makeweight.theory.published.densities import BayesianNetwork, Density, GaussianDensity

__all__ = ["VERSION", "about_arm", "about_data", "fingerprint", "generator_in_context", "law", "measure", "tasks"]

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


def generator_in_context(
    generator: str,
    *,
    n_rows: int = 2000,
    options: Mapping[str, Any] | None = None,
    width_option: str | None = None,
    kind: str = "continuous",
) -> Callable[[np.ndarray, int, np.random.Generator], np.ndarray]:
    """Return a function that shows a generator context rows and returns rows that it wrote.

    The context is split into two groups at random, which therefore have the same law, and both are asked for: a
    generator that needs another group to tell from has one, and one that shares rows between groups may.

    Parameters
    ----------
    generator : str
        A name of the registry.
    n_rows : int
        Rows written per call, even.
    options : mapping of str to object, optional
        Options of the generator.
    width_option : str, optional
        The option that the width of the curve sets; without one the width is not used.
    kind : {"continuous", "categorical"}
        Of all columns; categories are the codes of a discrete law.

    Returns
    -------
    callable
        ``call(context, width, rng) -> rows`` of shape (n_rows, d), for
        `makeweight.theory.published.capacity.capacity_curve`.

    Raises
    ------
    OptionError
        When `n_rows` is odd or `kind` unknown.

    Examples
    --------
    >>> from makeweight.theory.published.capacity import capacity_curve
    >>> from makeweight.theory.published.densities import GaussianDensity
    >>> points = capacity_curve(
    ...     GaussianDensity(np.zeros(2), np.eye(2)), generator_in_context("smoothed-bootstrap", n_rows=800),
    ...     n_context=[20, 500], widths=[1], rng=np.random.default_rng(0), repeats=3)
    >>> points[0].divergence.estimate > points[1].divergence.estimate
    True
    """
    if n_rows < 2 or n_rows % 2:
        raise OptionError("rows come in two groups", where="n_rows", got=n_rows, expected="an even number")
    if kind not in ("continuous", "categorical"):
        raise OptionError("unknown kind", got=repr(kind), expected="continuous or categorical")

    def call(context: np.ndarray, width: int, rng: np.random.Generator) -> np.ndarray:
        chosen = dict(options or {})
        if width_option is not None:
            chosen[width_option] = width
        names = [f"x{j}" for j in range(context.shape[1])]
        frame = pd.DataFrame(context, columns=names)
        frame["group"] = rng.permutation(np.arange(len(frame)) % 2)
        schema = Schema.infer(frame, target="group", kinds=dict.fromkeys(names, kind))
        table = Table(frame, schema)
        fitted = resolve(generator, chosen).fit(table, rng=rng)
        parts = [
            fitted.propose(group, n_rows // 2, rng=stream)
            for group, stream in zip(Groups(table).keys, rng.spawn(2), strict=True)
        ]
        written = pd.concat(parts)
        for column in schema.features:
            if not column.is_learned:  # constant in the context
                written[column.name] = frame[column.name].iloc[0]
        return written[names].to_numpy(dtype=np.float64)

    return call


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
