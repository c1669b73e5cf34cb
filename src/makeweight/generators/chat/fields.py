"""The columns that a model is asked for: their names in a prompt, their values as text, what they can be."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from makeweight.plan import Group
from makeweight.table import Column, Kind, Schema
from makeweight.table.kinds import codec
from makeweight.table.text import to_texts

JsonSchema = dict[str, object]
#: Categories that are listed in a prompt, and that a JSON schema is closed over, at most.
LISTED = 60
ENUMERATED = 200


@dataclass(frozen=True)
class Field:
    """One column as a model sees it."""

    label: str  # its name in prompts and answers; no other field has it
    column: Column
    position: int | None = None  # where a group names its value; None where the column does not make groups

    @property
    def is_number(self) -> bool:
        """Whether its values are written as JSON numbers."""
        return self.column.kind in (Kind.CONTINUOUS, Kind.INTEGER)

    @property
    def needed(self) -> bool:
        """Whether a row without it is no row: the columns that generators write."""
        return self.position is None

    def literal(self, text: str | None) -> str:
        """Return a value, given as text, as JSON."""
        if text is None:
            return "null"
        if self.is_number:
            return text
        return json.dumps(self._values_by_text.get(text, text), ensure_ascii=False)

    @cached_property
    def _values_by_text(self) -> dict[str, object]:
        """Categories that JSON has a type for, by their text."""
        categories = self.column.categories
        if categories is None:
            return {}
        plain = [value.item() if isinstance(value, np.generic) else value for value in categories]
        return {str(value): value for value in plain if isinstance(value, bool | int | float)}

    def options(self, group: Group) -> list[Any] | None:
        """Return its values in rows of a group as JSON has them; None where they are too many or no list."""
        categories = self.column.categories
        if categories is None:
            return None
        if self.position is not None:
            values = [group[self.position]]
        elif len(categories) > ENUMERATED:
            return None
        else:
            values = [*categories, None] if self.column.n_missing else [*categories]
        return [json.loads(self.literal(None if value is None else str(value))) for value in values]

    def schema(self, group: Group) -> JsonSchema:
        """Return the JSON schema of its values in rows of a group."""
        options = self.options(group)
        if options is not None:
            kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
            types = list(dict.fromkeys(kinds[type(option)] for option in options))
            if {"integer", "number"} <= set(types):
                types.remove("integer")  # whole numbers are numbers
            return {"type": types[0] if len(types) == 1 else types, "enum": options}
        kind = {Kind.CONTINUOUS: "number", Kind.INTEGER: "integer"}.get(self.column.kind, "string")
        schema: JsonSchema = {"type": [kind, "null"] if self.column.n_missing else kind}
        if self.is_number and self.column.low is not None and self.column.high is not None:
            low, high = self._limits
            schema |= {"minimum": json.loads(low), "maximum": json.loads(high)}
        return schema

    @cached_property
    def _limits(self) -> tuple[str, str]:
        """The observed range as text."""
        values = codec(self.column.kind).decode(self.column, np.array([self.column.low, self.column.high]))
        low, high = to_texts(self.column, values)
        return str(low), str(high)

    def describe(self, meaning: str | None = None) -> str:
        """Return one line that says what its values are."""
        column, kind = self.column, self.column.kind
        facts = [meaning] if meaning else []
        if kind.is_numeric and column.low is not None:
            low, high = self._limits
            what = {Kind.INTEGER: "whole number", Kind.DATETIME: "date or time"}.get(kind, "number")
            decimals = (
                f" with at most {column.decimals} decimals" if kind is Kind.CONTINUOUS and column.decimals else ""
            )
            facts.append(f"{what}{decimals} from {low} to {high}")
        elif kind.is_coded:
            options = [self.literal(str(value)) for value in column.categories[:LISTED]]  # type: ignore[index]
            more = column.n_distinct - len(options)
            facts.append("one of " + ", ".join(options) + (f" and {more} more, as in the examples" if more else ""))
        else:
            facts.append("free text")
        if column.n_missing:
            facts.append(f"missing in {column.missing_share:.0%} of the rows")
        return f"- {self.label}: " + "; ".join(facts)


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """Return the columns that a model is asked for: what makes the groups, then learned columns and text.

    Identifiers and constant columns are neither sent nor asked for.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"age": [31, 45, 62], "paid": ["yes", "no", "yes"]})
    >>> [field.label for field in fields_of(Schema.infer(frame, target="paid"))]
    ['paid', 'age']
    """
    columns = [(schema[name], i) for i, name in enumerate(schema.group_columns)]
    wanted: Sequence[tuple[Column, int | None]] = [
        *columns,
        *((c, None) for c in schema.features if c.is_learned or c.kind is Kind.TEXT),
    ]
    labels = _labels([column.name for column, _ in wanted])
    return tuple(Field(labels[column.name], column, position) for column, position in wanted)


def _labels(names: Sequence[Hashable]) -> Mapping[Hashable, str]:
    labels: dict[Hashable, str] = {}
    for name in names:
        label = str(name).strip() or "unnamed"
        while label in labels.values():
            label += "_"
        labels[name] = label
    return labels
