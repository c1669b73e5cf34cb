"""Registry generators as laws of rows, for the capacity curve of `makeweight.theory`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.generators.registry import resolve
from makeweight.plan import Groups
from makeweight.table import Schema, Table

__all__ = ["generator_in_context"]


def generator_in_context(
    generator: str,
    *,
    n_rows: int = 2000,
    options: Mapping[str, Any] | None = None,
    width_option: str | None = None,
    kind: str = "continuous",
) -> Callable[[np.ndarray, int, np.random.Generator], np.ndarray]:
    """Return a function that shows a generator context rows and returns rows that it wrote.

    The context is split into two groups at random, which so have the same law, and both are asked for: a
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
        ``call(context, width, rng) -> rows`` of shape (n_rows, d), for `makeweight.theory.capacity_curve`.

    Raises
    ------
    OptionError
        When `n_rows` is odd or `kind` unknown.

    Examples
    --------
    >>> from makeweight.theory import GaussianDensity, capacity_curve
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
