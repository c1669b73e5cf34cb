"""Fresh identifiers for parts that are written apart from each other, and never see all real rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.types as kinds

from makeweight.errors import SchemaError
from makeweight.partitioned.facts import TableFacts
from makeweight.table import Column, Kind, Table
from makeweight.table.kinds import identifier
from makeweight.table.kinds._values import to_dtype
from makeweight.table.kinds.name_shape import NameShape

#: Strings are drawn freely where the odds of drawing one twice are below one in two to the power of this.
SAFE_BITS = 40
#: Real strings that fresh ones are like.
EXAMPLES = 1_000


@dataclass(frozen=True)
class FreshNames:
    """Makes identifiers that no real row and no other part has.

    Whole numbers go on after the largest real one; part by part, by the rows that were asked for before.
    Strings keep the shape of real ones; where that leaves too few for chance, a number is put behind that
    makes each of them longer than any real string, and differs in every row.
    """

    last: dict[str, int]  # largest real number, by column
    examples: dict[str, list[str]]
    longest: dict[str, int | None]  # characters of the longest real string; None where strings are drawn freely
    n_rows: int  # rows that are asked for in all

    @classmethod
    def of(cls, facts: TableFacts, sample: Table, n_rows: int) -> FreshNames:
        """Read off the facts what fresh identifiers have to keep clear of.

        Raises SchemaError when a column's type has no room for so many more.
        """
        last, examples, longest = {}, {}, dict[str, int | None]()
        for column in sample.schema.features:
            if column.kind is not Kind.IDENTIFIER:
                continue
            name, known = str(column.name), facts.columns[str(column.name)]
            if known.low is not None:
                last[name] = int(known.high)
                _refuse_overflow(column, last[name] + n_rows)
            else:
                real = sample.frame[name].dropna().astype(str).tolist()
                examples[name] = real[:: max(1, len(real) // EXAMPLES)]
                needed = 2 * math.log2(max(2, known.n_rows + n_rows)) + SAFE_BITS
                free = bool(real) and NameShape.of(examples[name]).bits >= needed
                longest[name] = None if free else known.longest
        return cls(last, examples, longest, n_rows)

    def make(self, column: Column, n: int, rng: np.random.Generator, before: int) -> pd.Series:
        """Make identifiers of one part.

        `before`: rows that are asked for in earlier parts. Returns Series of shape (n,).
        """
        name = str(column.name)
        if name in self.last:
            first = self.last[name] + 1 + before
            return to_dtype(column, pd.Series(range(first, first + n), dtype=object))
        real = self.examples[name] or ["row"]
        shaped = identifier.shaped(NameShape.of(real), n, rng) if n else []
        longest = self.longest[name]
        if longest is not None:
            width = len(str(self.n_rows))
            shaped = [f"{text}-{before + i:0{max(width, longest - len(text))}d}" for i, text in enumerate(shaped)]
        return to_dtype(column, pd.Series(shaped, dtype=object))


def _refuse_overflow(column: Column, highest: int) -> None:
    arrow = getattr(column.dtype, "pyarrow_dtype", None)
    if arrow is None or not kinds.is_integer(arrow):
        limit = 2**53
    else:
        limit = 2 ** (arrow.bit_width - (not kinds.is_unsigned_integer(arrow))) - 1
    if highest > limit:
        raise SchemaError(
            "no room for fresh identifiers",
            where=column.label,
            got=f"numbers up to {highest:,}",
            expected=f"at most {limit:,} in {column.dtype}",
            hint="use a wider integer type",
        )
