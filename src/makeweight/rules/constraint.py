"""Constraints: conditions on several columns that every row obeys, real or synthetic."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from makeweight.errors import OptionError, SchemaError
from makeweight.rules.expression import Expression
from makeweight.rules.values import Rule, Values, kept_columns, values_of
from makeweight.table import Schema, Table

__all__ = ["Constraint", "Constraints", "check_rows", "read_constraints", "texts_of"]

#: As users write them: expressions by name, or expressions that are their own names.
Constraints = Mapping[str, str] | Sequence[str] | str
#: Rows that are named in an error.
SHOWN = 5


@dataclass(frozen=True, eq=False)
class Constraint:
    """One condition that every row obeys."""

    name: str
    expression: Expression

    @property
    def reason(self) -> str:
        """Name in the ledger."""
        return f"constraint: {self.name}"

    @property
    def columns(self) -> tuple[Hashable, ...]:
        """The columns that it reads."""
        return tuple(dict.fromkeys(self.expression.names.values()))

    def holds(self, values: Mapping[Hashable, Values]) -> np.ndarray:
        """Tell which rows obey it, shape (n,); a row with a missing value breaks nothing."""
        n_rows = max(len(values[name].data) for name in self.columns)
        return ~self.expression.false(values, n_rows)


def texts_of(constraints: Constraints | None) -> dict[str, str]:
    """Return expressions by name, as users write them.

    >>> texts_of("start <= end")
    {'start <= end': 'start <= end'}
    """
    if constraints is None:
        return {}
    if isinstance(constraints, str):
        constraints = [constraints]
    if not isinstance(constraints, Mapping):
        constraints = {text: text for text in constraints}
    return {str(name): text for name, text in constraints.items()}


def read_constraints(constraints: Constraints | None, schema: Schema) -> tuple[Constraint, ...]:
    """Return constraints that a table can be asked for.

    >>> import pandas as pd
    >>> schema = Schema.infer(pd.DataFrame({"start": [1, 2, 5], "end": [4, 2, 6]}))
    >>> read_constraints({"dates": "start <= end"}, schema)[0].reason
    'constraint: dates'
    """
    texts = texts_of(constraints)
    read = tuple(Constraint(name, Expression.read(text, schema.names)) for name, text in texts.items())
    kept = kept_columns(schema)
    for constraint in read:
        for name in constraint.columns:
            if name in kept:
                raise OptionError(
                    "a constraint is about a column that is not learned",
                    where=constraint.expression.text[:80],
                    got=f"{schema[name].label}, {schema[name].kind.value}: {kept[name]}",
                    hint=f"leave it out, or state what the column is: kinds={{{name!r}: 'categorical'}}",
                )
    return read


def check_rows(table: Table, rules: Iterable[Rule], first: int = 0) -> None:
    """Refuse a table of which a row breaks a constraint; its rows are counted from `first` on."""
    for rule in rules:
        values = {name: values_of(table.schema[name], table.encode(name)) for name in rule.columns}
        broken = np.flatnonzero(~rule.holds(values))
        if len(broken):
            row = table.frame.iloc[broken[0]]
            shown = ", ".join(f"{name}={row[name]}" for name in rule.columns)
            broken += first
            listed = ", ".join(map(str, broken[:SHOWN].tolist())) + (", ..." if len(broken) > SHOWN else "")
            raise SchemaError(
                "real rows break a constraint",
                where=rule.reason,
                got=f"{len(broken):,} of {len(table):,} rows, counted from 0: {listed}; row {broken[0]} has {shown}",
                expected="rows that all obey it",
                hint="mend or drop those rows, or say the constraint as it is",
            )
