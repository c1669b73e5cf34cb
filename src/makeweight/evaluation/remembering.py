"""Generators and committees that are asked the same twice and work once."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self, cast

import numpy as np
import pandas as pd

from makeweight.committee import Committee
from makeweight.generators.base import Cost, Generator
from makeweight.generators.writing import RandomState
from makeweight.plan import Group, Plan
from makeweight.table import Table


@dataclass
class Memory:
    """Answers by what was asked, and the seconds that they have saved; copies are the same memory."""

    answers: dict[Hashable, tuple[Any, float]] = field(default_factory=dict)
    saved: float = 0.0

    def __deepcopy__(self, memo: dict[int, Any]) -> Memory:
        return self

    def once(self, asked: Hashable, work: Callable[[], Any]) -> Any:
        """Return what work returned when the same was asked."""
        if asked in self.answers:
            result, seconds = self.answers[asked]
            self.saved += seconds
            return result
        began = time.perf_counter()
        result = work()
        self.answers[asked] = result, time.perf_counter() - began
        return result


class Remembering:
    """Wraps a generator; equal rows and equal random streams get what was learned and written before.

    Copies share what they remember, so that classifiers that validate on the same folds with the same seed
    fit the generator once, not once each. What is asked, and what is drawn from a stream, is the same as
    without.

    `generator`: unfitted; never changed.

    >>> from makeweight.generators.contract import example_table
    >>> from makeweight.generators.registry import resolve
    >>> table, generator = example_table(), Remembering(resolve("smoothed-bootstrap"))
    >>> first, second = (copy.deepcopy(generator).fit(table, rng=np.random.default_rng(0)) for _ in range(2))
    >>> first.fitted is second.fitted
    True
    """

    def __init__(self, generator: Generator, memory: Memory | None = None) -> None:
        self.generator = generator
        self.memory = memory or Memory()

    def __deepcopy__(self, memo: dict[int, Any]) -> Remembering:
        return Remembering(self.generator, self.memory)

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

        def answered() -> tuple[Any, Any, int]:
            return work(), rng.bit_generator.state, _seeds(rng).n_children_spawned

        result, state, spawned = self.memory.once(asked, answered)
        rng.bit_generator.state = state
        _seeds(rng).spawn(spawned - _seeds(rng).n_children_spawned)
        return result


class RememberingCommittee(Committee):
    """A committee that was asked the same before answers what it answered; clones share what they remember.

    >>> X, y = pd.DataFrame({"x": np.arange(40.0)}), np.repeat([0, 1], 20)
    >>> committee = RememberingCommittee(["lr"], random_state=0, memory=Memory())
    >>> first, second = (copy.deepcopy(committee).fit(X, y) for _ in range(2))
    >>> first.oof_ is second.oof_
    True
    """

    def __init__(
        self,
        members: str | Sequence[Any] = "auto",
        *,
        kinds: Mapping[Any, str] | None = None,
        cv: int = 5,
        repeats: str | int = "auto",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(members, kinds=kinds, cv=cv, repeats=repeats, random_state=random_state, n_jobs=n_jobs)
        self.memory = memory

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Fit the members, unless that was done before with the same rows and the same random state."""

        def fitted() -> dict[str, Any]:
            super(RememberingCommittee, self).fit(X, y, groups=groups, sample_weight=sample_weight)
            return dict(vars(self))

        self.learned = (_hashed(X), _hashed(y), _hashed(groups), _hashed(sample_weight), self.random_state)
        self.__dict__.update((self.memory or Memory()).once(self.learned, fitted))
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities of shape (n, k), those of before where the same was asked."""
        work = partial(super().predict_proba, X)
        return np.asarray((self.memory or Memory()).once((self.learned, _hashed(X)), work))


def _hashed(rows: Any) -> bytes:
    """Return what equal rows, labels or weights have in common."""
    return pd.util.hash_pandas_object(pd.DataFrame(rows), index=False).to_numpy().tobytes()


def _state(rng: np.random.Generator) -> str:
    """Return what the next numbers of a stream, and the streams spawned from it, depend on."""
    return repr((rng.bit_generator.state, _seeds(rng).state))


def _seeds(rng: np.random.Generator) -> np.random.SeedSequence:
    return cast(np.random.SeedSequence, rng.bit_generator.seed_seq)
