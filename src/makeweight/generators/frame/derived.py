"""How a column follows from others: what a rule is, what it gives, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makeweight.generators.frame.quantities import as_numbers, from_numbers, states_of, unit_of
from makeweight.table import Column

__all__ = ["Derived"]

#: Formulas of two numbers, besides sums.
PRODUCT = "{} × {}"
PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    PRODUCT: lambda a, b: a * b,
    "{} / {}": lambda a, b: a / b,
    "{} / {}²": lambda a, b: a / b**2,
}
#: From the value of a formula and one of its numbers, the first or the second.
INVERSES: dict[str, tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], ...]] = {
    PRODUCT: (lambda value, b: value / b, lambda value, a: value / a),
    "{} / {}": (lambda value, b: value * b, lambda value, a: a / value),
    "{} / {}²": (lambda value, b: value * b**2, lambda value, a: np.sqrt(a / value)),
}
LOOKUP, SUM = "lookup", "sum"


@dataclass(frozen=True)
class Derived:
    """How a column follows from others, all by their positions among the learned columns.

    With `form` "lookup" it is read off the one source: `values` by its code, or by where its number lies between the
    `cuts`; the last value is that of a missing one. Otherwise it is `offset` plus the sum of `factors` times sources,
    or plus the factor times a formula of two, rounded like the column; missing where a source is.

    >>> double = Derived(1, (0,), "sum", 50, factors=(2.0,))
    >>> import pandas as pd
    >>> from makeweight.table import Schema
    >>> columns = Schema.infer(pd.DataFrame({"x": [0.5, 1.5, 2.5], "y": [1, 3, 5]})).learned
    >>> double.values_of(columns, {0: np.array([0.5, np.nan])})
    array([ 1., nan])
    """

    column: int
    sources: tuple[int, ...]
    form: str
    rows: int  # real rows that say so: all of the table
    width: float = 0.0  # of numbers: from the smallest to the largest that a row may differ
    factors: tuple[float, ...] = ()
    offset: float = 0.0
    cuts: tuple[float, ...] = ()
    values: tuple[float | None, ...] = ()

    @property
    def marks(self) -> bool:
        """Whether it marks single values among a number's, as what was not measured: the same lies on both sides."""
        beside = self.values[:-1] if self.cuts else ()
        return len(set(beside)) < len(beside)

    def values_of(self, columns: Sequence[Column], encoded: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return the column (n,), encoded, from its sources; numbers may lie outside of the observed range."""
        column = columns[self.column]
        if self.form == LOOKUP:
            values = np.array([np.nan if value is None else value for value in self.values])
            found = values[states_of(columns[self.sources[0]], encoded[self.sources[0]], np.array(self.cuts))]
            return np.where(np.isnan(found), -1, found).astype(np.int32) if column.kind.is_coded else found
        # A column that was cut off has an offset of half a unit: what lies on the cut belongs beyond it.
        tie = np.sign(self.offset) * 1e-6 * unit_of(column)
        return from_numbers(column, self._total(columns, encoded) - tie)

    def agrees(self, columns: Sequence[Column], encoded: Mapping[int, np.ndarray]) -> np.ndarray:
        """Tell which rows (n,) obey it."""
        column, given = columns[self.column], encoded[self.column]
        if self.form == LOOKUP:
            expected = self.values_of(columns, encoded)
            return np.asarray((given == expected) | ((given != given) & (expected != expected)))
        numbers, total = as_numbers(column, given), self._total(columns, encoded)
        near = np.abs(numbers - total) <= self.width / 2
        return np.asarray(near | (np.isnan(numbers) & np.isnan(total)))

    def _total(self, columns: Sequence[Column], encoded: Mapping[int, np.ndarray]) -> np.ndarray:
        return self.total({source: as_numbers(columns[source], encoded[source]) for source in self.sources})

    def total(self, numbers: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return what the formula gives (n,), by what its sources stand for; NaN where it gives nothing."""
        parts = [numbers[source] for source in self.sources]
        if self.form != SUM:
            parts = [formula(self.form, *parts)]
        total = self.offset + sum(factor * part for factor, part in zip(self.factors, parts, strict=True))
        return np.asarray(np.where(np.isfinite(total), total, np.nan))

    def source_of(self, source: int, columns: Sequence[Column], encoded: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return one source of a formula (n,), encoded, from the column and the other sources."""
        numbers = {j: as_numbers(columns[j], encoded[j]) for j in (self.column, *self.sources) if j != source}
        left = numbers[self.column] - self.offset
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.form == SUM:
                terms = zip(self.factors, self.sources, strict=True)
                rest = sum(factor * numbers[j] for factor, j in terms if j != source)
                found = (left - rest) / self.factors[self.sources.index(source)]
            else:
                first, (other,) = source == self.sources[0], [numbers[j] for j in self.sources if j != source]
                found = INVERSES[self.form][0 if first else 1](left / self.factors[0], other)
        return from_numbers(columns[source], np.where(np.isfinite(found), found, np.nan))

    def says(self, columns: Sequence[Column]) -> str:
        """Return it in words, for a user."""
        names = [str(columns[source].name) for source in self.sources]
        if self.form == LOOKUP:
            return f"{columns[self.column].name} follows from {names[0]}"
        if self.form != SUM:
            terms = [(self.factors[0], self.form.format(*names))]
        else:
            terms = list(zip(self.factors, names, strict=True))
        text = "".join(
            f" {'-' if factor < 0 else '+'} {'' if abs(factor) == 1 else f'{abs(factor):.12g} × '}{name}"
            for factor, name in terms
        )
        offset = f" {'-' if self.offset < 0 else '+'} {abs(self.offset):.12g}" if self.offset else ""
        return f"{columns[self.column].name} = {(text + offset).removeprefix(' + ').lstrip()}"


def read_derived(rules: Sequence[Mapping[str, Any]]) -> tuple[Derived, ...]:
    """Return rules that were saved as plain values.

    >>> import dataclasses
    >>> rule = Derived(1, (0,), "sum", 50, factors=(2.0,))
    >>> read_derived([dataclasses.asdict(rule)]) == (rule,)
    True
    """
    plain: list[dict[str, Any]] = [
        {name: tuple(value) if isinstance(value, list) else value for name, value in rule.items()} for rule in rules
    ]
    return tuple(Derived(**rule) for rule in plain)


def formula(form: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a formula of two numbers; not finite where it has no value."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return PAIRS[form](a, b)
