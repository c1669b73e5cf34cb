"""A fitted generator that is asked for rows under conditions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.generators.base import Cost, Generator
from makeweight.plan import Group, Plan
from makeweight.rules import Condition
from makeweight.table import Table

__all__ = ["Conditioned", "spoken_for"]


def spoken_for(generator: Any) -> Any:
    """Return the fitted generator that does the work: the one that was picked, where one picks among others."""
    return getattr(generator, "picked", generator)


class Conditioned:
    """A fitted generator that is asked for rows under conditions.

    One that has ``propose_where(group, n, conditions, *, rng)`` writes such rows; of any other the rows that do not
    obey are rejected, one by one, by the check.

    `generator`: fitted.
    """

    def __init__(self, generator: Generator, conditions: Mapping[Hashable, Condition]) -> None:
        self._generator, self._conditions = generator, conditions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)  # traits, spent, notes and details, where it has them

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Return itself: it is fitted already."""
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write up to `n` rows of a group, that obey the conditions where the generator can see to it."""
        inner = spoken_for(self._generator)
        if hasattr(inner, "propose_where"):
            rows: pd.DataFrame = inner.propose_where(group, n, self._conditions, rng=rng)
            return rows
        return self._generator.propose(group, n, rng=rng)

    def cost(self, plan: Plan) -> Cost:
        """Return what the plan is expected to take where every row obeys."""
        return self._generator.cost(plan)
