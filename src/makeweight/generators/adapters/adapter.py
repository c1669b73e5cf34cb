"""What adapters have in common: a plain frame to learn from, seeds, and one way from rows to a proposal."""

from __future__ import annotations

import abc
import contextlib
import importlib.util
import random
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError, MakeweightError
from makeweight.generators.adapters.plain import PlainTable
from makeweight.generators.base import Cost, Traits
from makeweight.generators.frame.options import WithOptions
from makeweight.plan import Group, Plan
from makeweight.table import Table

#: Two threads that seed the same global streams would write each other's rows.
_TURN = threading.RLock()


class Adapter(WithOptions, abc.ABC):
    """A generator of another package: it learns from a plain frame, and its rows are read back from one.

    A class of it names its options, `seconds_per_row`, and says how to learn (`_learn`) and how to write rows
    (`_rows`), both of which may draw from the global streams of Python, NumPy and torch.

    Attributes
    ----------
    seconds_per_row : tuple of float
        To fit and to write, roughly: for the forecast.
    """

    traits = Traits()
    seconds_per_row: ClassVar[tuple[float, float]] = (1e-2, 1e-3)
    _plain: PlainTable

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Have the other package learn from the rows."""
        self._check_options()
        self._plain = PlainTable.of(table)
        if self._plain.known.learned:
            with seeded(rng) as seed, naming(self._model_name(), "learn from these rows"):
                self._learn(self._frame(table), seed)
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write up to `n` rows of a group.

        Returns
        -------
        DataFrame of shape (at most n, n_learned)
            Rows of other groups, and with values that the table does not have, are left out; the remarks
            count them by reason.
        """
        condition = self._condition(group)
        if not self._plain.known.learned:
            return pd.DataFrame(index=range(n))
        with seeded(rng) as seed, naming(self._model_name(), "write rows"):
            rows = self._rows(condition, n, seed)
        return self._proposal(rows.iloc[:n].reset_index(drop=True), group)

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected, from the numbers of rows to learn from and to write."""
        fitting, writing = self.seconds_per_row
        return Cost(seconds=fitting * plan.n_real * (not hasattr(self, "_plain")) + writing * plan.n_synthetic)

    def _model_name(self) -> str:
        """Return what an error calls the model."""
        return type(self).__name__

    def _frame(self, table: Table) -> pd.DataFrame:
        """Return the rows as the other package is given them."""
        return self._plain.frame(table)

    def _condition(self, group: Group) -> dict[Any, Any]:
        """Return the group as column and value in that frame."""
        return dict(self._plain.condition(group))

    def _proposal(self, rows: pd.DataFrame, group: Group) -> pd.DataFrame:
        """Return its rows as a proposal."""
        return self._plain.proposal(rows, group)

    @abc.abstractmethod
    def _learn(self, frame: pd.DataFrame, seed: int) -> None:
        """Fit the model to the frame."""

    @abc.abstractmethod
    def _rows(self, condition: Mapping[Any, Any], n: int, seed: int) -> pd.DataFrame:
        """Return rows with the columns of the frame, of the group where the model can be told."""


@contextlib.contextmanager
def seeded(rng: np.random.Generator) -> Iterator[int]:
    """Seed the global streams of Python, NumPy and torch inside, and leave them as they were.

    Other packages draw from them. Threads take turns.

    Yields the seed, below 2**31, for models that have a stream of their own.

    >>> before = np.random.get_state()[2]
    >>> with seeded(np.random.default_rng(0)):
    ...     first = np.random.rand()
    >>> with seeded(np.random.default_rng(0)):
    ...     print(np.random.rand() == first)
    True
    >>> np.random.get_state()[2] == before
    True
    """
    seed = int(rng.integers(2**31))
    torch: Any = sys.modules.get("torch")
    with _TURN, contextlib.ExitStack() as stack:
        if torch is not None:
            stack.enter_context(torch.random.fork_rng())
            torch.manual_seed(seed)
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002 - others draw from it
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        yield seed


def need(*modules: str) -> None:
    """Raise ModuleNotFoundError, which the registry turns into the line to run, for the first that is not installed."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)


@contextlib.contextmanager
def naming(model: str, what: str) -> Iterator[None]:
    """Raise errors of another package inside as ours, so that rows that were accepted are kept.

    >>> with naming("SDVGenerator", "write rows"):
    ...     raise ValueError("no rows of these conditions")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    makeweight.errors.GeneratorError: SDVGenerator cannot write rows: got ValueError: no rows of these conditions...
    """
    try:
        yield
    except MakeweightError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        hint = "choose another generator: `makeweight generators` lists them"
        if isinstance(error, ImportError):
            hint = "a package that it needs is there and does not work: `makeweight doctor` imports each"
        got = f"{type(error).__name__}: {first}"[:300]
        raise GeneratorError(f"{model} cannot {what}", got=got, hint=hint) from error
