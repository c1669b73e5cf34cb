"""A generator that is asked the same twice and works once."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Self, cast

import numpy as np
import pandas as pd

from makeweight.generators.base import Cost, Generator
from makeweight.plan import Group, Plan
from makeweight.table import Table


@dataclass(frozen=True, eq=False)
class _Answer:
    """What a generator returned, where it left the random stream, and how long it took."""

    result: Any
    state: Any
    spawned: int
    seconds: float


@dataclass
class _Memory:
    """Answers by what was asked, and the seconds that they have saved."""

    answers: dict[Hashable, _Answer] = field(default_factory=dict)
    saved: float = 0.0


class Remembering:
    """Wraps a generator; equal rows and equal random streams get what was learned and written before.

    Copies share what they remember, so that classifiers that validate on the same folds with the same seed
    fit the generator once, not once each. What is asked, and what is drawn from a stream, is the same as
    without.

    Parameters
    ----------
    generator : Generator
        Unfitted; never changed.

    Examples
    --------
    >>> from makeweight.generators.contract import example_table
    >>> from makeweight.generators.registry import resolve
    >>> table, generator = example_table(), Remembering(resolve("smoothed-bootstrap"))
    >>> first, second = (copy.deepcopy(generator).fit(table, rng=np.random.default_rng(0)) for _ in range(2))
    >>> first.fitted is second.fitted
    True
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self.memory = _Memory()

    def __deepcopy__(self, memo: dict[int, Any]) -> Remembering:
        twin = Remembering(self.generator)
        twin.memory = self.memory
        return twin

    def __getattr__(self, name: str) -> Any:
        """Return the generator's traits, notes and details."""
        if name in ("get_params", "set_params"):  # a clone would copy the generator and lose the memory
            raise AttributeError(name)
        return getattr(self.__dict__.get("fitted", self.__dict__["generator"]), name)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Fit the generator to real rows, unless it was fitted to them before."""
        rows = pd.util.hash_pandas_object(table.frame, index=False).to_numpy()
        self.learned = (tuple(table.frame.columns), rows.tobytes(), _state(rng))
        self.fitted: Generator = self._once(
            self.learned, rng, lambda: copy.deepcopy(self.generator).fit(table, rng=rng)
        )
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Return rows of a group, those of before where the same was asked."""
        asked = (self.learned, group, n, _state(rng))
        rows: pd.DataFrame = self._once(asked, rng, lambda: self.fitted.propose(group, n, rng=rng))
        return rows.copy()

    def cost(self, plan: Plan) -> Cost:
        """Return what the generator is expected to take."""
        return self.generator.cost(plan)

    def _once(self, asked: Hashable, rng: np.random.Generator, work: Callable[[], Any]) -> Any:
        """Return what work returned when the same was asked, and leave the stream where it left it."""
        answers = self.memory.answers
        if asked not in answers:
            began = time.perf_counter()
            result = work()
            answers[asked] = _Answer(
                result, rng.bit_generator.state, _seeds(rng).n_children_spawned, time.perf_counter() - began
            )
            return result
        answer = answers[asked]
        rng.bit_generator.state = answer.state
        _seeds(rng).spawn(answer.spawned - _seeds(rng).n_children_spawned)
        self.memory.saved += answer.seconds
        return answer.result


def _state(rng: np.random.Generator) -> str:
    """Return what the next numbers of a stream, and the streams spawned from it, depend on."""
    return repr((rng.bit_generator.state, _seeds(rng).state))


def _seeds(rng: np.random.Generator) -> np.random.SeedSequence:
    return cast(np.random.SeedSequence, rng.bit_generator.seed_seq)
