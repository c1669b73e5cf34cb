"""What one reading of a partitioned table finds out: the schema and the groups, from facts that add up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from makeweight.errors import SchemaError
from makeweight.generators.check import mix
from makeweight.partitioned.distinct import Distinct, hashes_of
from makeweight.partitioned.source import SourcePart, batches, to_frame
from makeweight.table import Column, Kind
from makeweight.table.column import MAX_CATEGORIES
from makeweight.table.infer import READ, looks_of
from makeweight.table.kinds import codec
from makeweight.table.kinds._numeric import MAX_DECIMALS, common_divisor
from makeweight.table.kinds._values import floats
from makeweight.table.kinds.datetime import STEPS

#: Different numbers that are counted exactly; no rule asks for more.
NUMBERS = 2**14
#: A copy of the target has no more states than this.
MAX_STATES = 1_000
MISSING_HASH = np.uint64(0)
#: Values of target and attributes, as hashes, to the number of rows.
Cells = Counter[tuple[int, ...]]


@dataclass(frozen=True)
class ScanTask:
    """A part to be read for the facts."""

    part: SourcePart
    schema: pa.Schema
    roles: tuple[str, ...]  # target and grouping attributes
    coded: tuple[str, ...] = ()  # further columns that the user says are categories


@dataclass(frozen=True)
class ColumnFacts:
    """What is known of a column, such that two pieces' facts make those of both in any order."""

    n_rows: int
    n_missing: int
    distinct: Distinct
    #: exact smallest and largest number
    low: Any = None
    high: Any = None
    exact: int = 2 ** (MAX_DECIMALS + 1) - 1  # bit d is set when d decimals write every number exactly
    divisor: int = 0  # of all numbers, in units of the last of `MAX_DECIMALS` decimals; 0 where none is known
    infinite: tuple[int, int] | None = None  # position of the first row with an infinite value, and number of such rows
    time: Column | None = None  # origin, step and range of dates and durations
    first: tuple[int, Any] | None = None  # the first value and its position
    #: int64, shape (at most READ, 3): positions of the first texts, and how they look
    looks: np.ndarray | None = None
    longest: int = 0  # characters of the longest text
    pairs: frozenset[int] | None = None  # hashes of the pairs of value and label; None when there are too many

    @property
    def n_present(self) -> int:
        """Values that are not missing."""
        return self.n_rows - self.n_missing

    @property
    def n_distinct(self) -> int:
        """Different values; an estimate where they are very many."""
        return self.distinct.number(self.n_present)

    def merge(self, other: ColumnFacts) -> ColumnFacts:
        """Return the facts of both pieces."""
        pairs = None
        if self.pairs is not None and other.pairs is not None:
            pairs = self.pairs | other.pairs
        return ColumnFacts(
            n_rows=self.n_rows + other.n_rows,
            n_missing=self.n_missing + other.n_missing,
            distinct=self.distinct.merge(other.distinct),
            low=_either(min, self.low, other.low),
            high=_either(max, self.high, other.high),
            exact=self.exact & other.exact,
            divisor=math.gcd(self.divisor, other.divisor),
            infinite=_either(lambda a, b: (min(a[0], b[0]), a[1] + b[1]), self.infinite, other.infinite),
            time=_either(_merge_times, self.time, other.time),
            first=_either(lambda a, b: a if a[0] <= b[0] else b, self.first, other.first),
            looks=_either(_merge_looks, self.looks, other.looks),
            longest=max(self.longest, other.longest),
            pairs=pairs if pairs is None or len(pairs) <= MAX_STATES else None,
        )


@dataclass(frozen=True)
class TableFacts:
    """Facts of all columns, and the rows of every cell of label x attributes."""

    columns: dict[str, ColumnFacts]
    cells: Cells
    missing_labels: tuple[int, ...] = ()  # positions of the first rows without a label

    def merge(self, other: TableFacts) -> TableFacts:
        """Return the facts of both pieces."""
        return TableFacts(
            {name: facts.merge(other.columns[name]) for name, facts in self.columns.items()},
            self.cells + other.cells,
            tuple(sorted((*self.missing_labels, *other.missing_labels))[:5]),
        )

    @classmethod
    def of(cls, task: ScanTask, offset: int, table: pa.Table) -> TableFacts:
        """Read the facts off one batch of rows."""
        frame = to_frame(table)
        codes: dict[str, np.ndarray] = {}
        hashes: dict[str, np.ndarray] = {}
        columns: dict[str, ColumnFacts] = {}
        order = [*task.roles, *(name for name in task.schema.names if name not in task.roles)]
        for name in order:
            series = frame[name]
            values, code = _encode(series)
            hashed = np.append(hashes_of(values), MISSING_HASH)
            coded = name in task.roles or name in task.coded
            facts = _column_facts(series, values, hashed[:-1], code, offset, coded)
            if name in task.roles:
                codes[name], hashes[name] = code, hashed
            target = task.roles[0]
            pairs = _pairs(hashed, code, hashes[target], codes[target])
            columns[name] = replace(facts, pairs=pairs)
        labels = codes[task.roles[0]]
        missing = tuple((offset + np.flatnonzero(labels < 0)[:5]).tolist())
        return cls(columns, _cells([codes[r] for r in task.roles], [hashes[r] for r in task.roles]), missing)


def scan(task: ScanTask) -> TableFacts:
    """Read one part and return its facts.

    Raises SchemaError when target or attributes have far too many values to form groups.
    """
    total: TableFacts | None = None
    for offset, table in batches(task.part, task.schema):
        facts = TableFacts.of(task, offset, table)
        total = facts if total is None else total.merge(facts)
        refuse_many_groups(total, task.roles)
    assert total is not None
    return total


def refuse_many_groups(facts: TableFacts, roles: Iterable[str]) -> None:
    """Raise before the cells of a column that is no label fill the memory."""
    for position, name in enumerate(roles):
        if facts.columns[name].distinct.is_cut:
            role = "a grouping attribute" if position else "the target"
            raise SchemaError(
                f"{role} has too many distinct values to form groups",
                where=f"column {name!r}",
                got=f"more than {MAX_CATEGORIES:,}",
                hint="name another column, or cut this one into bins before",
            )


def _encode(series: pd.Series) -> tuple[Any, np.ndarray]:
    """Return the different values, and every row's position among them, -1 for missing."""
    if isinstance(series.dtype, np.dtype):
        array = pa.array(series.to_numpy() + series.dtype.type(0), from_pandas=True)  # one zero, no NaN
    else:
        array = pa.array(series.array)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    encoded = array.dictionary_encode()
    return encoded.dictionary, encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)


def _column_facts(
    series: pd.Series, values: Any, hashed: np.ndarray, code: np.ndarray, offset: int, coded: bool
) -> ColumnFacts:
    dtype = values.type
    present = np.flatnonzero(code >= 0)
    is_text = kinds.is_string(dtype) or kinds.is_large_string(dtype)
    is_number = kinds.is_integer(dtype) or kinds.is_floating(dtype) or kinds.is_decimal(dtype)
    numbers_only = (is_number or kinds.is_temporal(dtype)) and not coded
    limit = NUMBERS if numbers_only else MAX_CATEGORIES
    counts = np.bincount(code[present], minlength=len(values))
    facts = ColumnFacts(
        n_rows=len(series),
        n_missing=len(series) - len(present),
        distinct=Distinct.of(hashed, counts, values, limit),
        first=(offset + int(present[0]), values[int(code[present[0]])].as_py()) if len(present) else None,
    )
    if not len(present):
        return facts
    if is_number:
        return _number_facts(facts, series, values, present, offset)
    if kinds.is_timestamp(dtype) or kinds.is_date(dtype) or kinds.is_duration(dtype):
        return replace(facts, time=codec(Kind.DATETIME).describe(series, ""))
    if is_text:
        first = present[:READ]
        looks = np.column_stack([offset + first, looks_of(series.iloc[first])])
        return replace(facts, looks=looks, longest=int(pc.max(pc.utf8_length(values)).as_py()))
    return facts


def _number_facts(facts: ColumnFacts, series: pd.Series, values: Any, present: np.ndarray, offset: int) -> ColumnFacts:
    numbers = floats(series)[present]
    finite = np.isfinite(numbers)
    whole = kinds.is_integer(values.type)
    exact = facts.exact if whole else exact_decimals(numbers[finite], series.dtype)
    decimals = lowest(exact)
    divisor = common_divisor(numbers[finite], decimals, series.dtype)
    divisor *= 10 ** (MAX_DECIMALS - (decimals or 0))
    facts = replace(facts, exact=exact, divisor=divisor)
    if whole or kinds.is_decimal(values.type):
        bounds = pc.min_max(values).as_py()
        return replace(facts, low=bounds["min"], high=bounds["max"])
    if not finite.all():
        rows = present[~finite]
        return replace(facts, infinite=(offset + int(rows[0]), len(rows)))
    return replace(facts, low=float(numbers.min()), high=float(numbers.max()))


def lowest(exact: int) -> int | None:
    """Return the smallest number of decimals that writes every number exactly, None beyond a dozen.

    >>> lowest(0b1100), lowest(0)
    (2, None)
    """
    return (exact & -exact).bit_length() - 1 if exact else None


def exact_decimals(values: np.ndarray, dtype: object) -> int:
    """Return the numbers of decimals that write every value exactly, as the bits of a whole number.

    Unlike the smallest such number, these of two pieces make those of both.

    >>> bin(exact_decimals(np.array([0.25, 1.5]), np.dtype(float)))[-4:]
    '1100'
    """
    single = dtype if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize < 8 else None
    exact = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for decimals in range(MAX_DECIMALS + 1):
            for part in (values[:READ], values):
                rounded = np.round(part, decimals)
                same = rounded.astype(single) == part.astype(single) if single else rounded == part
                if not same.all():
                    break
            else:
                exact |= 1 << decimals
    return exact


def _pairs(hashed: np.ndarray, code: np.ndarray, labels: np.ndarray, label_code: np.ndarray) -> frozenset[int] | None:
    """Return hashes of the pairs of value and label, None when there are too many."""
    if len(hashed) > MAX_STATES or len(labels) > MAX_STATES:
        return None
    pairs = np.unique(code.astype(np.int64) % len(hashed) * len(labels) + label_code % len(labels))
    if len(pairs) > MAX_STATES:
        return None
    values, others = hashed[pairs // len(labels)], labels[pairs % len(labels)]
    return frozenset(mix(values, "label", others).tolist())


def _cells(codes: list[np.ndarray], hashes: list[np.ndarray]) -> Cells:
    cells, counts = np.unique(np.stack(codes), axis=1, return_counts=True)
    keys = (hashed[cell].tolist() for hashed, cell in zip(hashes, cells, strict=True))
    return Counter(dict(zip(zip(*keys, strict=True), counts.tolist(), strict=True)))


def _either(combine: Any, one: Any, other: Any) -> Any:
    if one is None or other is None:
        return other if one is None else one
    return combine(one, other)


def _merge_looks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    both = np.concatenate([one, other])
    return both[np.argsort(both[:, 0], kind="stable")[:READ]]


def _merge_times(one: Column, other: Column) -> Column:
    """Return the earlier origin, the later end, and the largest step that divides all differences."""
    origin = min(one.origin, other.origin)
    ends = [column.origin + round(column.high or 0.0) * column.step for column in (one, other)]
    # Every step of a column divides the longer ones, so their greatest common divisor is one of them, or that
    # of the difference of the origins.
    divisor = math.gcd(one.step, other.step, one.origin - other.origin)
    step = next(step for step in STEPS if divisor % step == 0)
    return replace(one, origin=origin, step=step, high=(max(ends) - origin) / step)
