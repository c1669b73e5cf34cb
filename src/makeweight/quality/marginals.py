"""One column at a time, within each group: drift, rare categories, digits, and which values are missing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import wasserstein_distance

from makeweight.quality.nulls import PERMUTATIONS, QualityFinding, groups_of, items_of
from makeweight.quality.rows import ComparedRows, GroupRows, is_missing
from makeweight.table import Column

__all__ = ["ColumnShares"]

#: Numbers are compared on at most this many quantile bins, categories on the most frequent ones.
MOST_BINS = 100
MOST_LEVELS = 300
#: A category that fewer than this share of the rows has is rare.
RARE = 0.05
SHOWN_BINS = 24
#: A Wasserstein distance of one standard deviation weighs as much as half of the rows in the wrong place.
WASSERSTEIN_WEIGHT = 0.5


@dataclass(frozen=True, eq=False)
class _Binned:
    """One column of one group in bins, and how often synthetic rows fall into each, per draw."""

    column: Column
    group: GroupRows
    counts: np.ndarray
    totals: np.ndarray
    widths: np.ndarray | None
    levels: np.ndarray | None
    has_missing: bool

    @property
    def name(self) -> str:
        """The column in its group, for people."""
        return f"{self.column.name} in {self.group.name}"

    @cached_property
    def shares(self) -> np.ndarray:
        """Synthetic less real shares, of shape (bins, draws)."""
        return _differences(self.counts, self.totals)

    @property
    def drift(self) -> np.ndarray:
        """Kolmogorov-Smirnov distance of numbers, missing first; total variation of categories."""
        if self.levels is None:
            return np.asarray(np.abs(np.cumsum(self.shares, axis=0)).max(axis=0))
        return np.asarray(0.5 * np.abs(self.shares).sum(axis=0))

    @property
    def shift(self) -> np.ndarray | None:
        """Wasserstein distance of numbers in standard deviations, from the bins."""
        if self.widths is None:
            return None
        cumulative = np.abs(np.cumsum(self.shares[int(self.has_missing) :], axis=0))[:-1]
        return np.asarray(self.widths @ cumulative)


@dataclass(frozen=True)
class ColumnShares:
    """The values of one column in one group, as shares of few enough bins to be drawn."""

    column: str
    kind: str
    group: str
    n_real: int
    n_synthetic: int
    drift: float
    statistic: str  # what the drift is
    wasserstein: float | None  # in standard deviations, of numbers
    labels: list[str] | None  # of categories, the most frequent first; the last may stand for all others
    #: of the bins of numbers, and how the table would write them
    edges: list[float] | None
    edge_labels: list[str] | None
    #: shares of the rows; with edges, what is left to 1 is missing
    missing: dict[str, float]
    real: list[float]
    synthetic: list[float]
    p: float | None  # corrected for the number of columns and groups


class Marginals:
    """Counts of binned values of all columns and compared groups, as observed and under permutations."""

    def __init__(self, rows: ComparedRows) -> None:
        self.rows = rows

    @cached_property
    def _samples(self) -> list[GroupRows]:
        return self.rows.samples(self.rows.compared, "marginals")

    @cached_property
    def _labels(self) -> list[np.ndarray]:
        return [self.rows.labels(group, "marginals") for group in self._samples]

    @cached_property
    def binned(self) -> list[_Binned]:
        """All columns in all compared groups."""
        return [
            _bin_column(self.rows, column, group, labels)
            for group, labels in zip(self._samples, self._labels, strict=True)
            for column in self.rows.columns
        ]

    def drift(self) -> QualityFinding:
        """MWQ08."""
        if refusal := self.rows.refusal():
            return refusal
        statistics, owners, units = [], [], []
        for binned in self.binned:
            statistics.append(binned.drift)
            owners.append((binned, _measure(binned)))
            units.append(1.0)
            if binned.shift is not None:
                statistics.append(binned.shift)
                owners.append((binned, "Wasserstein distance in standard deviations"))
                units.append(WASSERSTEIN_WEIGHT)

        def describe(i: int, value: float, chance: tuple[float, float]) -> str:
            binned, measure = owners[i]
            return f"{binned.name}: {measure} {value:.2f} (chance: up to {chance[1]:.2f})"

        where = [(binned.group.name, str(binned.column.name)) for binned, _ in owners]
        items = items_of(np.array(statistics), where, describe, units=units)
        worst = max(items, key=lambda item: item.value)
        n_columns = len(self.rows.columns)
        looked_at = f"{n_columns} columns in {groups_of(len(self._samples))}"
        return QualityFinding(items, f"{looked_at}; the largest drift is {worst.text}.")

    def rare(self) -> QualityFinding:
        """MWQ11."""
        if refusal := self.rows.refusal():
            return refusal
        counts = [(group, *self._rare_in(group)) for group in self._samples]
        counts = [(group, present, lost) for group, present, lost in counts if present[1:].any()]
        if not counts:
            return QualityFinding((), "No group has rare categories.", "not applicable")
        expected = [float(present[1:].mean()) for _, present, _ in counts]

        def describe(i: int, value: float, chance: tuple[float, float]) -> str:
            group, present, lost = counts[i]
            text = f"{group.name}: {present[0]:.0f} rare categories are written, fresh rows would show "
            return text + f"{expected[i]:.1f}" + (f"; lacking are {', '.join(lost)}" if lost else "")

        items = items_of(
            np.array([1.0 - present / mean for (_, present, _), mean in zip(counts, expected, strict=True)]),
            [(group.name, None) for group, _, _ in counts],
            describe,
        )
        written = sum(present[0] for _, present, _ in counts)
        return QualityFinding(
            items, f"{written:.0f} rare categories are written; fresh rows would show {sum(expected):.0f}."
        )

    def _rare_in(self, group: GroupRows) -> tuple[np.ndarray, list[str]]:
        """Return how many rare categories are written, per draw, and the likeliest of those that are not."""
        present, lacking = np.zeros(PERMUTATIONS + 1), []
        for binned in self.binned:
            if binned.group.name != group.name or binned.levels is None:
                continue
            rare = (binned.totals < RARE * binned.totals.sum()) & (binned.totals > 1) & (binned.levels >= 0)
            is_written = binned.counts[rare] > 0
            present += is_written.sum(axis=0)
            names = self.rows.levels[binned.column.name]
            lacking += [
                (-float(row[1:].mean()), f"{binned.column.name}={names[level]}")
                for row, level in zip(is_written, binned.levels[rare], strict=True)
                if not row[0]
            ]
        return present, [name for _, name in sorted(lacking)[:5]]

    def digits(self) -> QualityFinding:
        """MWQ13."""
        ours, theirs = self.rows.real.digits, self.rows.synthetic.digits
        if not ours:
            return QualityFinding((), "There is no column of numbers.", "not applicable")
        names = sorted(ours, key=str)
        return self._patterns({str(name): (ours[name], theirs[name]) for name in names}, "last digits")

    def missing(self) -> QualityFinding:
        """MWQ14."""
        patterns = [
            np.column_stack([np.zeros(len(part), dtype=bool), *map(is_missing, part.values.values())])
            for part in (self.rows.real, self.rows.synthetic)
        ]
        if not any(mask.any() for mask in patterns):
            return QualityFinding((), "No value is missing in either table.", "not applicable")
        _, codes = np.unique(np.vstack(patterns), axis=0, return_inverse=True)
        real, synthetic = np.split(codes.ravel(), [len(self.rows.real)])
        return self._patterns({"": (real, synthetic)}, "missing values")

    def _patterns(self, codes: dict[str, tuple[np.ndarray, np.ndarray]], what: str) -> QualityFinding:
        """Compare the distribution of codes within groups by total variation."""
        if refusal := self.rows.refusal():
            return refusal
        statistics, where = [], []
        for group, labels in zip(self._samples, self._labels, strict=True):
            for name, (real, synthetic) in codes.items():
                here = np.concatenate([real[group.real], synthetic[group.synthetic]])
                counts, totals = _count(np.unique(here, return_inverse=True)[1].ravel(), labels)
                statistics.append(0.5 * np.abs(_differences(counts, totals)).sum(axis=0))
                where.append((group.name, name or None))

        def describe(i: int, value: float, chance: tuple[float, float]) -> str:
            group, name = where[i]
            place = f"{name} in {group}" if name else group
            return f"{what} of {place}: total variation {value:.2f} (chance: up to {chance[1]:.2f})"

        items = items_of(np.array(statistics), where, describe)
        worst = max(items, key=lambda item: item.value)
        return QualityFinding(items, f"The largest difference: {worst.text}.")

    def shown(self, finding: QualityFinding | None) -> list[ColumnShares]:
        """Return the shares of all columns, the most drifting first."""
        least: dict[tuple[str | None, str | None], float] = {}
        for item in () if finding is None else finding.items:
            place = item.group, item.column
            least[place] = min(least.get(place, 1.0), 1.0 if item.p is None else item.p)
        shown = [_shares(self.rows, b, least.get((b.group.name, str(b.column.name)))) for b in self.binned]
        return sorted(shown, key=lambda column: (-column.drift, column.column, column.group))


def _differences(counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return synthetic less real shares, of shape (bins, draws)."""
    n_synthetic = float(counts[:, 0].sum())
    n_real = float(totals.sum()) - n_synthetic
    return np.asarray(counts / n_synthetic - (totals[:, None] - counts) / n_real)


def _measure(binned: _Binned) -> str:
    return "Kolmogorov-Smirnov" if binned.levels is None else "total variation"


def _count(codes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count marked rows by code and draw."""
    n, width = len(codes), int(codes.max(initial=-1)) + 1
    one_hot = csr_array((np.ones(n, dtype=np.float32), (codes, np.arange(n))), shape=(width, n))
    return np.asarray(one_hot @ labels, dtype=np.float64), np.bincount(codes, minlength=width).astype(float)


def _bin_column(rows: ComparedRows, column: Column, group: GroupRows, labels: np.ndarray) -> _Binned:
    values = np.concatenate(
        [rows.real.values[column.name][group.real], rows.synthetic.values[column.name][group.synthetic]]
    )
    if values.dtype != np.float64:
        levels, codes = np.unique(values, return_inverse=True)
        codes = codes.ravel()
        if len(levels) > MOST_LEVELS:
            frequent = np.argsort(-np.bincount(codes), kind="stable")[: MOST_LEVELS - 1]
            merged = np.full(len(levels), MOST_LEVELS - 1)
            merged[np.sort(frequent)] = np.arange(MOST_LEVELS - 1)
            levels, codes = np.append(levels[np.sort(frequent)], -2), merged[codes]
        counts, totals = _count(codes, labels)
        return _Binned(column, group, counts, totals, None, levels, False)
    gone = np.isnan(values)
    present = values[~gone]
    distinct = np.unique(present)
    if len(distinct) > MOST_BINS:
        distinct = np.unique(np.quantile(present, np.linspace(0, 1, MOST_BINS + 1), method="higher"))
    codes = np.where(gone, 0, np.searchsorted(distinct, values, side="left") + gone.any())
    counts, totals = _count(codes, labels)
    spread = present.std() if len(present) else 0.0
    widths = np.diff(distinct) / spread if spread > 0 else None
    return _Binned(column, group, counts, totals, widths, None, bool(gone.any()))


def _shares(rows: ComparedRows, binned: _Binned, p: float | None) -> ColumnShares:
    name = binned.column.name
    real = rows.real.values[name][binned.group.real]
    synthetic = rows.synthetic.values[name][binned.group.synthetic]
    labels, edges, wasserstein = None, None, None
    if binned.levels is not None:
        labels, *shares = _bars(rows, binned)
    else:
        edges, wasserstein, *shares = _bins(real, synthetic)
    return ColumnShares(
        column=str(name),
        kind=binned.column.kind.value,
        group=binned.group.name,
        n_real=len(real),
        n_synthetic=len(synthetic),
        drift=float(binned.drift[0]),
        statistic=_measure(binned),
        wasserstein=wasserstein,
        labels=labels,
        edges=edges,
        edge_labels=None if edges is None else [_number(rows, binned.column, edge) for edge in edges],
        missing={"real": float(is_missing(real).mean()), "synthetic": float(is_missing(synthetic).mean())},
        real=shares[0],
        synthetic=shares[1],
        p=p,
    )


def _bars(rows: ComparedRows, binned: _Binned) -> tuple[list[str], list[float], list[float]]:
    """Return the most frequent categories and all others together, and their real and synthetic shares."""
    assert binned.levels is not None
    order = np.argsort(-binned.totals, kind="stable")
    top = order[: SHOWN_BINS - 1] if len(order) > SHOWN_BINS else order
    labels = [_level(rows, binned.column.name, int(level)) for level in binned.levels[top]]
    n_others = len(order) - len(top)

    def shares(counts: np.ndarray) -> list[float]:
        each = counts / max(1.0, counts.sum())
        return [*each[top].tolist(), *([max(0.0, 1.0 - float(each[top].sum()))] if n_others else [])]

    synthetic = binned.counts[:, 0]
    return labels + [f"({n_others} others)"] * (n_others > 0), shares(binned.totals - synthetic), shares(synthetic)


def _bins(real: np.ndarray, synthetic: np.ndarray) -> tuple[list[float], float | None, list[float], list[float]]:
    """Return the edges of bins of equal width, the Wasserstein distance, and the shares of real and synthetic rows."""
    present = [side[~np.isnan(side)] for side in (real, synthetic)]
    pooled = np.concatenate(present)
    edges, distance = _edges(pooled), None
    if all(len(side) for side in present) and pooled.std() > 0:
        distance = float(wasserstein_distance(*present) / pooled.std())
    shares = [
        (np.histogram(side, edges)[0] / n).tolist() if len(edges) > 1 else []
        for side, n in zip(present, (len(real), len(synthetic)), strict=True)
    ]
    return edges.tolist(), distance, shares[0], shares[1]


def _edges(pooled: np.ndarray) -> np.ndarray:
    """Return the ends of at most two dozen bins of equal width."""
    distinct = np.unique(pooled)
    if not len(distinct):
        return np.empty(0)
    if len(distinct) == 1:
        return np.array([distinct[0] - 0.5, distinct[0] + 0.5])
    return np.linspace(distinct[0], distinct[-1], min(SHOWN_BINS, len(distinct)) + 1)


def _level(rows: ComparedRows, name: Hashable, level: int) -> str:
    return {-1: "(missing)", -2: "(others)"}.get(level) or rows.levels[name][level]


def _number(rows: ComparedRows, column: Column, value: float) -> str:
    """Write an encoded number as the table does."""
    if column.kind.value == "datetime":
        return str(rows.table.decode({column.name: np.array([np.round(value)])})[column.name].iloc[0])
    return f"{value * column.step + column.origin:.6g}"
