"""The one way from a table to synthetic rows: fit a copy of the generator, then fill the plan."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from makeweight.errors import OptionError
from makeweight.generators.base import Generator
from makeweight.generators.fill import Generation, Limits, fill
from makeweight.generators.registry import resolve
from makeweight.plan import Groups, Plan
from makeweight.progress import Progress
from makeweight.rules import Constraints, check_rows, read_constraints
from makeweight.table import Table
from makeweight.table.memory import refuse_rows

__all__ = ["FIT_STREAM", "RandomState", "fit_generator", "seed_sequence", "write_rows"]

#: What every ``random_state`` takes: a seed, a generator, which moves on by a draw, or None.
RandomState = int | np.integer[Any] | np.random.Generator | np.random.RandomState | None
#: Key of the stream that a generator learns with; the rounds of `fill` have streams of their own.
FIT_STREAM = 1
#: More groups than this are worth a warning; each takes a while even where the generator is quick.
MANY_GROUPS, SECONDS_PER_GROUP = 100, 0.02


def write_rows(
    table: Table,
    plan: Plan,
    generator: str | Generator,
    *,
    seed: np.random.SeedSequence,
    fit_seed: np.random.SeedSequence | None = None,
    options: Mapping[str, Any] | None = None,
    groups: Groups | None = None,
    name: str | None = None,
    limits: Limits | None = None,
    n_jobs: int | None = None,
    progress: Callable[[Progress], object] | None = None,
    on_fit: Callable[[Generator], object] | None = None,
    constraints: Constraints | None = None,
) -> Generation:
    """Return the rows of a plan, written by a copy of the generator that learned from the table.

    `table`: all rows that the generator may see. `plan`: of the groups of `table`. Without a synthetic row in it
    nothing is fitted. `generator`: it is copied before it is fitted, so the object that comes in stays as it is.
    `fit_seed`: of the fit; by default derived from `seed`. `options`: constructor arguments of a generator given by
    name. `groups`, `limits`, `n_jobs`, `progress`: as in `makeweight.generators.fill.fill`. `name`: of the generator,
    for the provenance; by default the name in the registry or the class. `on_fit`: called with the fitted generator
    before it writes a row. `constraints`: what every row obeys: a real row that does not is an error, a synthetic one
    is rejected by that name.

    >>> import pandas as pd
    >>> from makeweight.table import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "y": ["a", "b", "a", "a"]})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> plan = Plan.make(Groups(table))
    >>> write_rows(table, plan, "random", seed=np.random.SeedSequence(0)).frame["x"].tolist()
    [2.5, 2.5]
    """
    refuse_rows(plan.n_synthetic, len(table.schema.columns))
    rules = read_constraints(constraints, table.schema)
    check_rows(table, rules)
    if name is None:
        name = generator if isinstance(generator, str) else type(generator).__name__
    if plan.n_synthetic:
        fitted = fit_generator(table, generator, seed=seed, fit_seed=fit_seed, options=options)
        _warn_of_many_groups(fitted, plan)
        if on_fit is not None:
            on_fit(fitted)
    else:
        fitted = resolve(generator, options)
    return fill(
        fitted,
        table,
        plan,
        seed=seed,
        groups=groups,
        name=name,
        limits=limits,
        n_jobs=n_jobs,
        progress=progress,
        rules=rules,
    )


def fit_generator(
    table: Table,
    generator: str | Generator,
    *,
    seed: np.random.SeedSequence,
    fit_seed: np.random.SeedSequence | None = None,
    options: Mapping[str, Any] | None = None,
) -> Generator:
    """Return a copy of a generator that learned from a table.

    `generator`: it is copied before it is fitted, so the object that comes in stays as it is. `fit_seed`: of the fit;
    by default derived from `seed`. `options`: constructor arguments of a generator given by name. Raises OptionError
    when there is no generator of that name, or an option does not fit it. Raises GeneratorError when it cannot learn
    from the table.
    """
    own = fit_seed or np.random.SeedSequence(seed.entropy, spawn_key=(FIT_STREAM,))
    return copy.deepcopy(resolve(generator, options)).fit(table, rng=np.random.default_rng(own))


def _warn_of_many_groups(generator: Generator, plan: Plan) -> None:
    """Say what it costs that every one of very many groups is written by itself."""
    n_groups = sum(entry.n_synthetic > 0 for entry in plan)
    if n_groups > MANY_GROUPS:
        seconds = generator.cost(plan).seconds
        least = max(seconds or 0.0, n_groups * SECONDS_PER_GROUP)
        fewest = min(entry.n_real for entry in plan if entry.n_synthetic)
        warnings.warn(
            f"{n_groups:,} groups get {plan.n_synthetic:,} synthetic rows, each group by itself, "
            f"which takes about {least:,.0f} seconds; "
            f"the smallest has {fewest:,} real row{'' if fewest == 1 else 's'} to learn from. "
            "Fewer labels or grouping attributes cost less",
            UserWarning,
            stacklevel=3,
        )


def seed_sequence(random_state: RandomState) -> np.random.SeedSequence:
    """Return the seed that a random state stands for; a generator or RandomState moves on by one draw.

    >>> seed_sequence(3).entropy
    3
    """
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**63)))
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(int(random_state.randint(2**31)))
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool) and random_state >= 0:
        return np.random.SeedSequence(int(random_state))
    raise OptionError(
        "not a random state", got=repr(random_state), expected="a whole number from 0 on, a generator, or None"
    )
