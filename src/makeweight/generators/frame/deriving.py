"""The search for columns that others determine, by what every real row says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from makeweight.generators.frame.derived import LOOKUP, PAIRS, PRODUCT, SUM, Derived, formula
from makeweight.generators.frame.quantities import (
    MANY_VALUES,
    as_numbers,
    is_number,
    lost_by_floats,
    may_round,
    states_of,
    unit_of,
    widest,
)
from makeweight.rules import values_of
from makeweight.table import Column, Kind, Table

__all__ = ["find_derived"]

#: Rows that are searched; what is found there is held against all rows.
SEARCHED = 2_000
#: Tables with more learned columns are not searched; products and ratios are looked for among so many numbers.
MOST_COLUMNS, MOST_FACTORS = 300, 60
#: Products and ratios are looked for in columns of so many patterns of missing cells.
MOST_PATTERNS = 8
#: A rule needs so many rows beyond those that set it, and so many nats that they would have been otherwise.
FEWEST_ROWS, EVIDENCE = 30, 50.0
#: Most terms of a sum.
MOST_TERMS = 100
#: A column that is computed varies at least so much beside its sources.
STEADY = 0.4
#: Where so many columns that seemed to be sums were none, sums are not looked for any more.
MOST_FAILURES = 10
#: What least squares leave, beside what a rule with the right factors leaves.
NEARLY = 1.2


def find_derived(table: Table) -> tuple[Derived, ...]:
    """Return what follows from other learned columns in every row of a table, in an order that can be computed.

    A column follows from another one if it has one value for each of the other's (codes and their meaning, bands of a
    number), and from others if it is their sum with factors, or a product or ratio of two, up to its own rounding. A
    rule is believed if, were the column independent of the others, as much agreement would have a chance of e^-50.

    >>> import pandas as pd
    >>> from makeweight.table import Schema
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"w": rng.integers(40, 99, 90), "h": rng.normal(1.7, 0.1, 90).round(2)})
    >>> frame["bmi"] = (frame["w"] / frame["h"] ** 2).round(1)
    >>> table = Table(frame, Schema.infer(frame))
    >>> [rule.says(table.schema.learned) for rule in find_derived(table)]
    ['bmi = w / h²']
    """
    columns = table.schema.learned
    if not 1 < len(columns) <= MOST_COLUMNS or len(table) < FEWEST_ROWS:
        return ()
    search = _Search(table)
    for column in reversed(range(len(columns))):
        for rule in search.rules(column):
            if search.holds(rule):
                search.take(rule)
                break
    return tuple(reversed(search.found))


class _Search:
    """Columns that may still be sources, and what was found."""

    def __init__(self, table: Table) -> None:
        self.columns = columns = table.schema.learned
        self._table, self._n = table, len(table)
        self.free, self.found = list(range(len(columns))), list[Derived]()
        self._failures = 0
        self._summed: dict[bytes, frozenset[int]] = {}
        self._promised: dict[bytes, dict[int, list[tuple[str, int, int]]]] = {}
        at = np.unique(np.linspace(0, self._n - 1, min(self._n, SEARCHED)).astype(np.int64))
        cells = {j: table.encode(column.name, at) for j, column in enumerate(columns)}
        states = np.stack([_factorized(values) for values in cells.values()], axis=1)
        own = np.arange(len(at))
        if states.max() > len(at) // 10:  # where something is measured, a row that is there twice says nothing twice
            own = np.sort(np.unique(states, axis=0, return_index=True)[1])
        self._rows, self._whole = len(own), len(own) == self._n
        self._few = max(MANY_VALUES, len(own) // 50)  # a number of so few values is like a code
        self._cells = {j: values[own] for j, values in cells.items()}
        self._state = {j: _factorized(values) for j, values in self._cells.items()}
        self._sources = {j: _Source(column, self._cells[j]) for j, column in enumerate(columns)}
        numbers = {j: as_numbers(c, self._cells[j]) for j, c in enumerate(columns) if is_number(c)}
        lost = {j: lost_by_floats(columns[j], values) for j, values in numbers.items()}
        self._width = {j: widest(columns[j], slack) for j, slack in lost.items() if slack < np.inf}
        self._number = {j: numbers[j] for j in self._width}

    def take(self, rule: Derived) -> None:
        """Believe a rule: its column is no source of others."""
        self.found.append(rule)
        self.free.remove(rule.column)
        self._failures -= rule.form == SUM

    def holds(self, rule: Derived) -> bool:
        """Tell whether all rows of the table agree."""
        return bool(rule.agrees(self.columns, {j: self._all(j) for j in (rule.column, *rule.sources)}).all())

    def rules(self, column: int) -> Iterator[Derived]:
        """Yield what the rows that are searched say of a column, and may be computed; the rest may not say so."""
        return (rule for rule in self._said(column) if rule.form == LOOKUP or self._computes(rule))

    def _computes(self, rule: Derived) -> bool:
        """Tell whether a formula can be relied on in rows that are not real.

        Not where it needs no rounding in real rows, and would in others: then one of its sources should follow. Nor
        where the column varies much less than its sources: what these are wrong by is then large beside it.
        """
        column, y = self.columns[rule.column], self._number[rule.column]
        known = ~np.isnan(y)
        own, sources = y[known], [self._number[source][known] for source in rule.sources]
        if len(sources) > 1:
            sizes = [np.std(part) for part in sources]
            if rule.form == SUM:
                sizes = [abs(factor) * size for factor, size in zip(rule.factors, sizes, strict=True)]
                size = np.std(own)
            else:  # relative to the mean: errors of factors are relative
                sizes = [part / max(abs(np.mean(x)), 1e-300) for part, x in zip(sizes, sources, strict=True)]
                sizes = [part for part in sizes if part < 1.0]
                size = np.std(own) / max(abs(np.mean(own)), 1e-300)
            if sizes and size < STEADY * max(sizes):
                return False
        unit, cells = unit_of(column), dict(zip(rule.sources, sources, strict=True))
        if not unit or np.ptp(own - rule.total(cells)) > 1e-3 * unit:
            return True
        rng = np.random.default_rng(0)
        other = (rule.total({j: rng.permutation(values) for j, values in cells.items()}) - rule.offset) / unit
        other = other[np.isfinite(other)]
        return bool((np.abs(other - np.round(other)) < 1e-3).mean() > 0.99)

    def _said(self, column: int) -> Iterator[Derived]:
        """Yield what may be said of a column: read off codes, sums, read off numbers, products and ratios."""
        others = [source for source in self.free if source != column]
        state = self._state[column]
        surprise = -np.log(np.bincount(state) / len(state))[state]  # nats of every cell, if independent
        repeats = 2 * state.max() < len(state)
        for source in others if repeats else ():
            if self.columns[source].kind.is_coded:
                yield from self._lookup(column, source, surprise)
        known = ~np.isnan(self._number[column]) if column in self._number else np.zeros(0, dtype=bool)
        counts = known.sum() >= FEWEST_ROWS and surprise.sum() >= EVIDENCE
        if counts:
            yield from self._sum(column, others, known, float(surprise[known].sum()))
        for source in others if repeats else ():
            if not self.columns[source].kind.is_coded:
                yield from self._lookup(column, source, surprise)
        if counts and may_round(self.columns[column]):
            yield from self._pairs(column, known)

    def _fit(self, column: int, known: np.ndarray) -> _Fit:
        return _Fit(self._number[column][known], unit_of(self.columns[column]), self._width[column])

    def _lookup(self, column: int, source: int, surprise: np.ndarray) -> Iterator[Derived]:
        about, own = self.columns[source], self.columns[column]
        if (
            about.n_states == own.n_states
            and self._order_tells[source] < self._order_tells[column]
            and (about.kind.is_numeric or own.n_distinct <= self._few)
        ):
            return  # two names of one thing: the one whose order says more of other columns is written
        found = self._sources[source].entries(self._state[column])
        if found is None:
            return
        cuts, first = found
        seen, nats, rows = first[first >= 0], surprise.sum(), self._rows
        if not about.kind.is_coded and about.n_distinct > self._few:  # rows of one number may be of one thing
            _, once, counts = np.unique(self._cells[source], return_index=True, return_counts=True)
            often = np.maximum(1.0, counts / np.median(counts))  # a missing cell, or what stands for one, is no person
            nats, rows = float(surprise[once] @ often), round(often.sum())
        cost = surprise[seen].sum() + len(cuts) * np.log(rows)
        if rows - len(seen) < FEWEST_ROWS or nats - cost < EVIDENCE:
            return
        cells = self._all(column)
        found = _Source(about, self._all(source)).entries(_factorized(cells))
        if found is not None:
            missing = cells < 0 if own.kind.is_coded else np.isnan(cells)
            values = tuple(None if row < 0 or missing[row] else float(cells[row]) for row in found[1])
            yield Derived(column, (source,), LOOKUP, self._n, cuts=tuple(found[0].tolist()), values=values)

    @cached_property
    def _order_tells(self) -> np.ndarray:
        """How much the order of each column says of other numbers: mean size of rank correlations, 0 for codes."""
        told = np.zeros(len(self.columns))
        numeric = [j for j, column in enumerate(self.columns) if column.kind.is_numeric]
        if not numeric:
            return told
        ranks = np.stack([self._state[j] for j in numeric])
        ranks = ranks - ranks.mean(1, keepdims=True)
        ranks /= np.maximum(ranks.std(1, keepdims=True), 1e-300) * np.sqrt(ranks.shape[1])
        told[numeric] = np.abs(ranks @ ranks.T).mean(1)  # a number always tells of itself
        return told

    def _all(self, column: int) -> np.ndarray:
        """Return the cells of a column in all rows of the table."""
        return self._table.encode(self.columns[column].name) if not self._whole else self._cells[column]

    def _sum(self, column: int, others: list[int], known: np.ndarray, nats: float) -> Iterator[Derived]:
        if self._failures == MOST_FAILURES or column not in self._sums(known):
            return
        self._failures += 1
        numbers = [j for j in others if j in self._number and not (known & np.isnan(self._number[j])).any()]
        fit = self._fit(column, known)
        cells = np.stack([self._number[j][known] for j in numbers]) if numbers else np.empty((0, len(fit.y)))
        chosen = fit.terms(cells) if numbers else None
        solved = None if chosen is None else fit.solve(cells[chosen])
        if chosen is None or solved is None:
            return
        if nats > EVIDENCE + 10.0 * len(chosen) and len(fit.y) > FEWEST_ROWS + 5 * len(chosen):
            sources = tuple(numbers[j] for j in chosen)
            yield Derived(column, sources, SUM, self._n, fit.width, factors=solved[0], offset=solved[1])

    def _sums(self, known: np.ndarray) -> frozenset[int]:
        """Return which columns all other columns together nearly fix, of all that are known in the same rows."""
        key = known.tobytes()
        if key not in self._summed:
            whole = [j for j, values in self._number.items() if not (known & np.isnan(values)).any()]
            x = np.stack([self._number[j][known] for j in whole])
            x -= x.mean(1, keepdims=True)
            scale = np.maximum(x.std(1), 1e-300)
            x /= scale[:, None]
            values, vectors = np.linalg.eigh(x @ x.T / x.shape[1])
            left = scale / np.sqrt((vectors**2 / np.maximum(values, 1e-14)).sum(1))
            widths = np.array([self._width[j] for j in whole])
            self._summed[key] = frozenset(np.array(whole)[left <= 0.5 * widths + 1e-6 * scale].tolist())
        return self._summed[key]

    def _pairs(self, column: int, known: np.ndarray) -> Iterator[Derived]:
        fit = self._fit(column, known)
        for form, *sources in self._promising(known).get(column, ()):
            if set(sources) <= set(self.free):
                feature = formula(form, *(self._number[source][known] for source in sources))
                solved = fit.solve(feature[None])
                if solved is not None:
                    yield Derived(column, tuple(sources), form, self._n, fit.width, factors=solved[0], offset=solved[1])

    def _promising(self, known: np.ndarray) -> dict[int, list[tuple[str, int, int]]]:
        """Return formulas of two that few rows do not contradict, by column; of all columns known in the same rows."""
        key = known.tobytes()
        if key not in self._promised and len(self._promised) == MOST_PATTERNS:
            return {}
        if key not in self._promised:
            rows = np.flatnonzero(known)
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, 200).astype(np.int64))]
            plain = {j: x for j, x in self._number.items() if self.columns[j].kind is not Kind.DATETIME}
            whole = [j for j, values in plain.items() if not (known & np.isnan(values)).any()][:MOST_FACTORS]
            asked = [j for j in plain if may_round(self.columns[j]) and (~np.isnan(plain[j]) == known).all()]
            found: dict[int, list[tuple[str, int, int]]] = {j: [] for j in asked}
            if asked and len(whole) > 1:
                x, y = (np.stack([self._number[j][rows] for j in some]) for some in (whole, asked))
                widths = np.array([self._width[j] for j in asked])
                for form in PAIRS:
                    for a, first in enumerate(whole):
                        for b, j in zip(*np.nonzero(_promises(formula(form, x[a], x), y, widths)), strict=True):
                            if asked[j] not in (first, whole[b]) and (b >= a if form == PRODUCT else b != a):
                                found[asked[j]].append((form, first, whole[b]))
            self._promised[key] = found
        return self._promised[key]


@dataclass(frozen=True, eq=False)
class _Source:
    """A column (n,) that another may be read off."""

    about: Column
    cells: np.ndarray

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.cells, kind="stable")

    @cached_property
    def _twins(self) -> tuple[np.ndarray, np.ndarray]:
        """Some rows with the same code, two by two."""
        same = np.flatnonzero(np.diff(self.cells[self._order]) == 0)
        same = same[np.linspace(0, max(len(same) - 1, 0), min(len(same), 50)).astype(np.int64)]
        return self._order[same], self._order[same + 1]

    def entries(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the cuts, and for every entry of a lookup a row that has it, -1 where none has.

        `state` (n,): of the column that may be read off. None where rows of one entry differ.
        """
        cuts, size = np.empty(0), self.about.n_distinct + 1
        if self.about.kind.is_coded:
            one, other = self._twins
            if (state[one] != state[other]).any():
                return None
        else:
            order = self._order[: int((~np.isnan(self.cells)).sum())]
            turns = np.flatnonzero(np.diff(state[order])) + 1
            if 2 * len(turns) > len(state):
                return None
            low, high = self.cells[order[turns - 1]], self.cells[order[turns]]
            if (low == high).any():
                return None
            cuts, size = _round_cuts(self.about, low, high), len(turns) + 2
        at = states_of(self.about, self.cells, cuts)
        first = np.full(size, -1)
        first[at[::-1]] = np.arange(len(at))[::-1]
        return (cuts, first) if (state[first[at]] == state).all() else None


def _round_cuts(column: Column, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the roundest number above each lower and up to each higher one; of dates the first of a year, or month."""
    if column.kind is Kind.DATETIME and not len(low):
        return low
    if column.kind is Kind.DATETIME:
        ends = [values_of(column, end).data.astype(np.int64).astype("datetime64[us]") for end in (low, high)]
        cuts = np.asarray((low + high) / 2)
        for period in ("D", "M", "Y"):  # the largest that begins in between has the last word
            begins = ends[1].astype(f"datetime64[{period}]").astype("datetime64[us]")
            encoded = (begins.astype(np.float64) - column.origin) / column.step
            cuts = np.where(begins > ends[0], encoded, cuts)
        return cuts
    cuts = np.asarray((low + high) / 2)
    for power in range(-6, 13):
        for part in (1.0, 2.0, 5.0):
            unit = part * 10.0**power
            place = np.floor(high / unit) * unit
            cuts = np.where(place > low, place, cuts)
    return cuts


def _promises(features: np.ndarray, y: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Tell which features (m, n) leave no more of which columns (k, n) than rounding; shape (m, k)."""
    usable = np.isfinite(features).all(1)
    x = np.where(usable[:, None], features, 0.0)
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    variance = np.maximum((x**2).sum(1), 1e-300)[:, None]
    left = (y**2).sum(1) - (x @ y.T) ** 2 / variance
    lost = 1e-13 * (y**2).sum(1)
    return np.asarray(usable[:, None] & (left <= y.shape[1] * (0.4 * widths) ** 2 + lost))


@dataclass(frozen=True, eq=False)
class _Fit:
    """A column of numbers (n,) that may be a sum of features, up to its own rounding."""

    y: np.ndarray
    unit: float  # of the last decimal; 0 where there is none
    width: float  # from the smallest to the largest residual of a rule that holds

    def _residual(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return factors and residual of least squares with an offset, the residual's middle taken off."""
        middle, scale = features.mean(1, keepdims=True), np.maximum(features.std(1, keepdims=True), 1e-300)
        design = np.concatenate([(features - middle) / scale, np.ones((1, features.shape[1]))])
        factors = np.linalg.lstsq(design.T, self.y, rcond=None)[0]
        return factors[:-1] / scale[:, 0], self.y - factors @ design

    def _nearly(self, residual: np.ndarray) -> bool:
        return bool(np.ptp(residual) <= NEARLY * self.width)

    def terms(self, features: np.ndarray) -> list[int] | None:
        """Return the fewest features (m, n) that leave next to nothing, None where all of them leave more."""
        chosen, rows = list(range(len(features))), len(self.y)
        if rows < 2 * len(chosen) + FEWEST_ROWS:
            return None
        some = np.unique(np.linspace(0, rows - 1, min(rows, max(400, 3 * len(chosen)))).astype(np.int64))
        few, features = _Fit(self.y[some], self.unit, self.width), features[:, some]
        if not few._nearly(few._residual(features)[1]):
            return None
        size = features.std(1)
        large = np.flatnonzero(np.abs(few._residual(features)[0]) * size > 0.1 * self.width).tolist()
        if large and few._nearly(few._residual(features[large])[1]):
            chosen = large
        if len(chosen) > MOST_TERMS:
            return None
        chunk = len(chosen) // 2
        while chunk:  # the smallest, many at once
            weights = np.abs(few._residual(features[chosen])[0]) * size[chosen]
            rest = [chosen[at] for at in np.sort(np.argsort(weights, kind="stable")[chunk:])]
            if few._nearly(few._residual(features[rest])[1]):
                chosen, chunk = rest, min(chunk, len(rest) // 2)
            else:
                chunk //= 2
        for feature in list(chosen) if len(chosen) > 1 else ():
            rest = [other for other in chosen if other != feature]
            if rest and few._nearly(few._residual(features[rest])[1]):
                chosen = rest
        return chosen

    def solve(self, features: np.ndarray) -> tuple[tuple[float, ...], float] | None:
        """Return round factors, and an offset, that leave rounding alone; None where there are none."""
        if not np.isfinite(features).all():
            return None
        factors, residual = self._residual(features)
        if not self._nearly(residual):
            return None
        rounds = [np.array([float(f"{f:.{digits - 1}e}") for f in factors]) for digits in (1, 2, 3, 4, 5, 6, 12)]
        with np.errstate(divide="ignore"):
            rounds.insert(3, 1.0 / np.round(1.0 / factors))  # thirds and sevenths
        for rounded in rounds:
            left = self.y - rounded @ features
            if np.isfinite(rounded).all() and rounded.all() and np.ptp(left) <= self.width:
                return None if self._slips(left) else (tuple(rounded.tolist()), self._offset(left))
        return None

    def _slips(self, left: np.ndarray) -> bool:
        """Tell whether a rule needs no rounding, and is one unit off in some rows nevertheless."""
        if not self.unit or np.ptp(left) <= 0.5 * self.unit:
            return False
        steps = (left - left[0]) / self.unit
        return bool(np.abs(steps - np.round(steps)).max() < 1e-3)

    def _offset(self, left: np.ndarray) -> float:
        """Return the roundest offset within which all of the residual is rounding."""
        middle = float(left.min() + left.max()) / 2
        steps = [0.0, *(self.unit / 2 * np.round(2 * middle / self.unit + k) for k in (0, -1, 1) if self.unit)]
        for step in (*steps, *(float(f"{middle:.{digits}e}") for digits in range(6))):
            if np.abs(left - step).max() <= self.width / 2:
                return float(step)
        return middle


def _factorized(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(values, return_inverse=True)[1])
