"""Any object that fits a frame and samples rows."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError
from makeweight.generators.adapters.adapter import Adapter
from makeweight.generators.adapters.plain import on_grid
from makeweight.generators.base import Cost
from makeweight.generators.frame.options import option
from makeweight.plan import Group, Plan
from makeweight.table import Table

__all__ = ["AnyObject"]

#: Names of the second argument of `sample` that is the group, and of one that is a seed.
CONDITIONS, SEEDS = ("condition", "conditions"), ("random_state", "seed")


def fits_and_samples(model: object) -> bool:
    """Tell whether an object, not a class, has ``fit`` and ``sample``."""
    return not isinstance(model, type) and all(callable(getattr(model, name, None)) for name in ("fit", "sample"))


@dataclass(eq=False, repr=False)
class AnyObject(Adapter):
    """Any object with ``fit(frame)`` and ``sample(n)``, or ``sample(n, condition)`` where it can be told the group.

    ``makeweight.balance`` and the sampler take the object itself and wrap it. It is copied before it is fitted.
    Rows of other groups, and with values that the table does not have, are rejected and counted.

    Parameters
    ----------
    model : object
        ``fit`` is given target, grouping attributes and learned columns; ``sample`` returns a DataFrame or an
        array with these columns. Has ``sample`` an argument ``condition``, it is a dict of column to value, and
        the columns of it need not come back. An argument ``random_state`` or ``seed`` is given a whole number;
        the global streams of Python, NumPy and torch are seeded in any case.
    values : {"real", "plain"}
        Whether it is given the columns as they are in the table, or text for categories and float64 for numbers
        and dates, without missing values.

    Examples
    --------
    >>> from makeweight.generators.contract import example_table
    >>> class Bootstrap:
    ...     def fit(self, frame):
    ...         self.frame = frame
    ...     def sample(self, n, condition):
    ...         own = (self.frame[list(condition)] == pd.Series(condition)).all(axis=1)
    ...         return self.frame[own].sample(n, replace=True)
    >>> generator = AnyObject(Bootstrap()).fit(example_table(), rng=np.random.default_rng(0))
    >>> len(generator.propose(("rare",), 5, rng=np.random.default_rng(1)))
    5
    """

    model: Any = option(None, object, test=fits_and_samples, takes="an object with fit and sample")
    values: str = option("real", words=("real", "plain"))

    def cost(self, plan: Plan) -> Cost:
        """Return no seconds: nothing is known of the object."""
        return Cost()

    def _model_name(self) -> str:
        return type(self.model).__name__

    def _frame(self, table: Table) -> pd.DataFrame:
        if self.values == "plain":
            return super()._frame(table)
        return table.frame[[column.name for column in self._plain.columns]].copy()

    def _condition(self, group: Group) -> dict[Any, Any]:
        if self.values == "plain":
            return super()._condition(group)
        self._plain.known.position(group)
        return dict(zip((column.name for column in self._plain.known.given), group, strict=True))

    def _proposal(self, rows: pd.DataFrame, group: Group) -> pd.DataFrame:
        if self.values == "plain":
            return super()._proposal(rows, group)
        for column in self._plain.known.learned:
            plain = column.decimals is not None and not column.origin and column.step == 1
            if plain and column.name in rows and pd.api.types.is_float_dtype(rows[column.name].dtype):
                numbers = rows[column.name].to_numpy(dtype=np.float64, na_value=np.nan)
                rows[column.name] = on_grid(column, numbers)
        return rows

    def _learn(self, frame: pd.DataFrame, seed: int) -> None:
        self._fitted = copy.deepcopy(self.model)
        self._columns = list(frame.columns)
        self._fitted.fit(frame)

    def _rows(self, condition: Mapping[Any, Any], n: int, seed: int) -> pd.DataFrame:
        parameters = inspect.signature(self._fitted.sample).parameters
        keyword = next((name for name in CONDITIONS if name in parameters), None)
        options: dict[str, Any] = {name: seed for name in SEEDS if name in parameters}
        if keyword is not None:
            options[keyword] = dict(condition)
        rows: Any = self._fitted.sample(n, **options)
        if isinstance(rows, np.ndarray) and rows.shape[1:] == (len(self._columns),):
            rows = pd.DataFrame(rows, columns=self._columns)
        if not isinstance(rows, pd.DataFrame):
            raise GeneratorError(
                f"sample of {type(self.model).__name__} returned no rows",
                got=type(rows).__name__,
                expected=f"a DataFrame, or an array of {len(self._columns)} columns",
            )
        lacking = [name for name in condition if name not in rows.columns]
        if keyword is None and lacking:
            raise GeneratorError(
                f"rows of {type(self.model).__name__} do not say of which group they are",
                got=f"no column {lacking[0]!r}",
                expected="target and grouping attributes among the columns, or an argument condition",
            )
        complete: pd.DataFrame = rows.copy()
        for name in lacking:
            complete[name] = condition[name]
        return complete
