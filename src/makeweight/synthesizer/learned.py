"""What a synthesizer remembers of its table, and how it shows itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError, OptionError, PlanError, SchemaError
from makeweight.generators.base import Generator
from makeweight.generators.conditioned import spoken_for
from makeweight.generators.registry import able
from makeweight.notebook import html_block
from makeweight.plan import Groups, Target
from makeweight.rules import Condition, Constraints, check_rows, read_conditions, read_constraints
from makeweight.table import Table
from makeweight.table.containers import empty_like, to_frame
from makeweight.table.schema import GroupBy, column_names

#: The column that stands for the target where there is none, and its only value.
NO_TARGET, ROW = "kind", "row"


class LearnedTable:
    """The table that a generator learned from, with a column of one label where it has no target."""

    generator: str | Generator
    kinds: Mapping[Any, str] | None
    constraints: Constraints | None
    generator_: Generator
    _n_samples: int

    def _seed(self, entropy: Any) -> None:
        self._entropy, self._n_samples = entropy, 0

    def _read(self, data: Any, target: Hashable | None, group_by: GroupBy) -> None:
        """Take a table, with a column of one label where it has no target."""
        frame = to_frame(data)
        by = list(column_names(group_by, frame.columns))
        self._no_target = target is None
        if target is None:
            if by:
                raise PlanError(
                    "grouping attributes go with a target",
                    got=f"group_by={by}",
                    hint="name the target, or leave them out",
                )
            target = NO_TARGET
            while target in frame.columns:
                target += "_"
            frame = frame.assign(**{target: ROW})
        schema = Target(target, tuple(by), self.kinds or {}).schema(frame)
        self._rules = read_constraints(self.constraints, schema)
        self._table = Table(frame, schema)
        check_rows(self._table, self._rules)
        self._empty, self.schema_, self.groups_ = empty_like(data), schema, Groups(self._table)
        self.classes_ = np.asarray(schema[target].categories)

    @property
    def _name(self) -> str:
        return self.generator if isinstance(self.generator, str) else type(self.generator).__name__

    def _check_fitted(self) -> None:
        if not hasattr(self, "generator_"):
            raise GeneratorError("nothing was learned yet", hint="Synthesizer().fit(data, target=...)")

    def _able(self, method: str) -> Any:
        """Return a method of the generator, or say which generators have it."""
        self._check_fitted()
        inner = spoken_for(self.generator_)
        if not hasattr(inner, method):
            names = able(method)
            raise OptionError(
                f"this generator has no {method}",
                got=repr(self._name),
                expected=" or ".join(map(repr, names)),
                hint=f"Synthesizer({names[0]!r}).fit(data, target=...)",
            )
        return getattr(inner, method)

    def _conditions(self, where: Mapping[Any, Any] | None) -> dict[Hashable, Condition]:
        if self._no_target and where and self.schema_.target in where:
            raise SchemaError("unknown column", where=f"column {self.schema_.target!r}")
        return read_conditions(where or {}, self.schema_)

    def _frame(self, data: Any, needed: tuple[Hashable, ...]) -> pd.DataFrame:
        """Return rows as a frame with the columns that are needed; those that are learned are needed always."""
        self._check_fitted()
        frame = to_frame(data)
        if self._no_target:
            frame = frame.assign(**{str(self.schema_.target): ROW})
        lacking = [name for name in (*needed, *(c.name for c in self.schema_.learned)) if name not in frame.columns]
        if lacking:
            raise SchemaError(
                "columns are missing", got=f"no {', '.join(map(str, lacking[:5]))}", hint="give the columns of fit"
            )
        return frame

    def _shown(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.drop(columns=[self.schema_.target]) if self._no_target else frame

    def __repr__(self) -> str:
        if not hasattr(self, "generator_"):
            return f"Synthesizer({self._name!r}, not fitted)"
        return f"Synthesizer({self._name!r}, fitted to {self._size()}, {self._groups_text()})"

    def _size(self) -> str:
        return f"{len(self._table):,} rows x {len(self.schema_.columns) - self._no_target} columns"

    def _groups_text(self) -> str:
        if self._no_target:
            return "no target"
        return f"{len(self.groups_)} groups by {', '.join(map(str, self.schema_.group_columns))}"

    def _repr_html_(self) -> str:
        if not hasattr(self, "generator_"):
            return html_block("Synthesizer", [("generator", self._name), ("fitted", "no")])
        facts = [("generator", self._name), ("fitted to", self._size()), ("groups", self._groups_text())]
        if self._no_target:
            return html_block("Synthesizer", facts)
        counts = zip(self.groups_.keys, self.groups_.counts.tolist(), strict=True)
        lines = [(self.groups_.describe(key), f"{count:,}") for key, count in counts]
        return html_block("Synthesizer", facts, ("group", "real rows"), lines)
