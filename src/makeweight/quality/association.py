"""Two columns at a time: how strongly they go together, within groups, and how columns go with the label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import rankdata

from makeweight.quality.marginals import nothing_to_compare
from makeweight.quality.nulls import Finding, items_of, with_observed
from makeweight.quality.rows import Comparison, GroupRows
from makeweight.table import Column

__all__ = ["Associations"]

MOST_COLUMNS = 40
MOST_LEVELS = 12
#: Rows per side and group; the time grows with their number times the square of the number of levels.
MOST_ROWS = 2_000
#: Real associations below this are too weak to say how much of them is retained.
CLEAR = 0.1
#: Half of the real associations lost is a fault, however weak they are.
RETAINED = 0.5


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Columns as numbers: ranks of numbers, one dummy per level of categories.

    Parameters
    ----------
    matrix : ndarray of shape (n, d)
    starts : ndarray of int, shape (k,)
        First position of every column.
    is_number : ndarray of bool, shape (k,)
    """

    matrix: np.ndarray
    starts: np.ndarray
    is_number: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(np.append(self.starts, self.matrix.shape[1]))


class Associations:
    """Association matrices of real and synthetic rows, with what chance would give.

    Numbers with numbers: Spearman's rank correlation. Numbers with categories: the correlation ratio of
    ranks. Categories with categories: Cramér's V. The last two are corrected for the bias of few rows
    (Bergsma 2013 for V; Kelley's epsilon squared for the ratio).

    Parameters
    ----------
    rows : Comparison
    """

    def __init__(self, rows: Comparison) -> None:
        self.rows = rows
        self._matrices: list[tuple[GroupRows, np.ndarray, np.ndarray]] = []

    @cached_property
    def _samples(self) -> list[GroupRows]:
        compared = self.rows.compared
        drawn = [self.rows.sample(group, len(compared), "association") for group in compared]
        return [_fewer(self.rows, group) for group in drawn]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns whose pairs are looked at: of very many, those that go together most."""
        varied = [column for column in self.rows.columns if column.n_states > 1]
        if len(varied) <= MOST_COLUMNS or not self._samples:
            return tuple(varied)
        group = max(self._samples, key=lambda g: (len(g.real) + len(g.synthetic), g.name))
        blocks = _encode(self.rows, varied, group)
        strength = np.abs(_associate(blocks, blocks, np.ones(len(blocks.matrix)))).sum(axis=1)
        kept = np.sort(np.argsort(-strength, kind="stable")[:MOST_COLUMNS])
        return tuple(varied[i] for i in kept)

    def pairs(self) -> Finding:
        """MWQ09."""
        if not self._samples:
            return nothing_to_compare()
        if len(self.columns) < 2:
            return Finding((), "There are fewer than two columns to pair.", "not applicable")
        upper = np.triu_indices(len(self.columns), 1)
        names = [f"{self.columns[i].name} with {self.columns[j].name}" for i, j in zip(*upper, strict=True)]
        statistics, owners = [], []
        for group in self._samples:
            blocks = _encode(self.rows, self.columns, group)
            labels = _labels(self.rows, group, "association")
            gaps = np.empty((len(names), labels.shape[1]))
            for draw in range(labels.shape[1]):
                ours = _associate(blocks, blocks, labels[:, draw])
                theirs = _associate(blocks, blocks, 1.0 - labels[:, draw])
                gaps[:, draw] = np.abs(ours - theirs)[upper]
                if not draw:
                    self._matrices.append((group, theirs, ours))
            statistics += [gaps, np.sqrt((gaps**2).mean(axis=0))[None]]
            owners += [(group.name, name) for name in names] + [(group.name, "all pairs, root mean square")]
        retained = self._retained()
        return _judge(np.vstack(statistics), owners, retained, "pair of columns")

    def with_label(self) -> Finding:
        """MWQ10."""
        target = self.rows.schema.target
        labels_seen = {group.label for group in self._samples}
        if len(labels_seen) < 2:
            return Finding(
                (), "The synthetic rows that can be compared have one label only; MWQ17 judges whether they "
                "deserve it.", "not applicable",
            )  # fmt: skip
        columns = self.columns
        if not columns:
            return Finding((), "There is no column to go with the label.", "not applicable")
        order = sorted(labels_seen)
        drawn = [_labels(self.rows, group, "label") for group in self._samples]
        weighed = [
            np.where(draws > 0, 1.0 / len(group.synthetic), 1.0 / len(group.real))
            for group, draws in zip(self._samples, drawn, strict=True)
        ]
        codes = [
            np.full(len(draws), order.index(g.label)) for g, draws in zip(self._samples, drawn, strict=True)
        ]
        real = np.concatenate([group.real for group in self._samples])
        synthetic = np.concatenate([group.synthetic for group in self._samples])
        blocks = _encode(self.rows, columns, replace(self._samples[0], real=real, synthetic=synthetic))
        is_synthetic, weights, label = (
            np.concatenate(
                [part[: len(g.real)] for g, part in zip(self._samples, parts, strict=True)]
                + [part[len(g.real) :] for g, part in zip(self._samples, parts, strict=True)]
            )
            for parts in (drawn, weighed, codes)
        )
        response = _Blocks(np.eye(len(order))[label], np.array([0]), np.array([False]))
        gaps = np.empty((len(columns), is_synthetic.shape[1]))
        for draw in range(gaps.shape[1]):
            ours = _associate(blocks, response, weights[:, draw] * is_synthetic[:, draw])[:, 0]
            theirs = _associate(blocks, response, weights[:, draw] * (1.0 - is_synthetic[:, draw]))[:, 0]
            gaps[:, draw] = np.abs(ours - theirs)
            if not draw:
                retained = _share_retained(theirs, ours)
        owners: list[tuple[str, str]] = [("", f"{column.name} with {target}") for column in columns]
        owners.append(("", f"all columns with {target}, root mean square"))
        statistics = np.vstack([gaps, np.sqrt((gaps**2).mean(axis=0))[None]])
        return _judge(statistics, owners, retained, "column with the label")

    def _retained(self) -> float | None:
        """Return the slope of synthetic on real associations, over groups and clear pairs."""
        upper = np.triu_indices(len(self.columns), 1)
        real = np.concatenate([matrix[upper] for _, matrix, _ in self._matrices])
        synthetic = np.concatenate([matrix[upper] for _, _, matrix in self._matrices])
        return _share_retained(real, synthetic)

    def shown(self) -> dict[str, Any] | None:
        """Return the matrices, averaged over groups by their synthetic rows, as plain values."""
        if not self._matrices:
            return None
        weights = np.array([len(group.synthetic) for group, _, _ in self._matrices], dtype=float)
        weights /= weights.sum()
        real, synthetic = (
            sum(w * matrices[side] for w, matrices in zip(weights, self._matrices, strict=True))
            for side in (1, 2)
        )
        varied = sum(column.n_states > 1 for column in self.rows.columns)
        return {
            "columns": [str(column.name) for column in self.columns],
            "real": np.asarray(real).tolist(), "synthetic": np.asarray(synthetic).tolist(),
            "retained": self._retained(), "cut": varied - len(self.columns),
        }  # fmt: skip


def _judge(
    statistics: np.ndarray, owners: Sequence[tuple[str, str]], retained: float | None, what: str
) -> Finding:
    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        group, name = owners[i]
        return f"{name}{f' in {group}' if group else ''}: {value:.2f} apart (chance: up to {chance[1]:.2f})"

    items = items_of(statistics, [(group or None, name) for group, name in owners], describe)
    worst = max(items, key=lambda item: item.value)
    kept = "" if retained is None else f" {max(retained, 0.0):.0%} of the real associations are retained."
    return Finding(
        items, f"The {what} that differs most: {worst.text}.{kept}",
        grave=retained is not None and retained < RETAINED,
        facts={} if retained is None else {"retained": retained},
    )  # fmt: skip


def _share_retained(real: np.ndarray, synthetic: np.ndarray) -> float | None:
    clear = np.abs(real) >= CLEAR
    if not clear.any():
        return None
    return float(real[clear] @ synthetic[clear] / (real[clear] @ real[clear]))


def _fewer(rows: Comparison, group: GroupRows) -> GroupRows:
    rng = rows.rng("association", "rows", group.name)
    sides = [
        side if len(side) <= MOST_ROWS else np.sort(rng.choice(side, MOST_ROWS, replace=False))
        for side in (group.real, group.synthetic)
    ]
    return replace(group, real=sides[0], synthetic=sides[1])


def _labels(rows: Comparison, group: GroupRows, purpose: str) -> np.ndarray:
    n = len(group.real) + len(group.synthetic)
    return with_observed(n, len(group.synthetic), rows.rng(purpose, group.name))


def _encode(rows: Comparison, columns: Sequence[Column], group: GroupRows) -> _Blocks:
    """Turn columns into blocks, by rules that do not know which rows are synthetic."""
    blocks, starts, kinds, at = [], [], [], 0
    for column in columns:
        name: Hashable = column.name
        values = np.concatenate(
            [rows.real.values[name][group.real], rows.synthetic.values[name][group.synthetic]]
        )
        is_number = values.dtype == np.float64
        block = _ranks(values) if is_number else _dummies(values)
        blocks.append(block)
        starts.append(at)
        kinds.append(is_number)
        at += block.shape[1]
    return _Blocks(np.hstack(blocks), np.array(starts), np.array(kinds, dtype=bool))


def _ranks(values: np.ndarray) -> np.ndarray:
    gone = np.isnan(values)
    ranks = np.zeros(len(values))
    if not gone.all():
        found = rankdata(values[~gone])
        ranks[~gone] = found / len(found) - found.mean() / len(found)
    return ranks[:, None]


def _dummies(codes: np.ndarray) -> np.ndarray:
    levels, found = np.unique(codes, return_inverse=True)
    found = found.ravel()
    if len(levels) > MOST_LEVELS:
        order = np.argsort(-np.bincount(found), kind="stable")
        merged = np.full(len(levels), MOST_LEVELS - 1)
        merged[order[: MOST_LEVELS - 1]] = np.arange(MOST_LEVELS - 1)
        found = merged[found]
    return np.eye(int(found.max()) + 1)[found]


def _associate(left: _Blocks, right: _Blocks, weights: np.ndarray) -> np.ndarray:
    """Return the associations of all left with all right columns, of the rows as they are weighted."""
    here = weights > 0
    w = weights[here] / weights[here].sum()
    n = 1.0 / float(w @ w)  # as many equal rows as the weights are worth
    x, y = left.matrix[here], right.matrix[here]
    cross = (x * w[:, None]).T @ y
    mean_x, mean_y = w @ x, w @ y
    out = np.zeros((len(left.starts), len(right.starts)))
    numbers_x, numbers_y = left.starts[left.is_number], right.starts[right.is_number]
    var_x = w @ x**2 - mean_x**2
    var_y = w @ y**2 - mean_y**2
    covariance = (cross - np.outer(mean_x, mean_y))[np.ix_(numbers_x, numbers_y)]
    scale = np.sqrt(np.outer(np.maximum(var_x[numbers_x], 0), np.maximum(var_y[numbers_y], 0)))
    out[np.ix_(left.is_number, right.is_number)] = _ratio(covariance, scale)
    if (~left.is_number).any() and (~right.is_number).any():
        out[np.ix_(~left.is_number, ~right.is_number)] = _cramer(left, right, cross, mean_x, mean_y, n)
    if left.is_number.any() and (~right.is_number).any():
        out[np.ix_(left.is_number, ~right.is_number)] = _correlation_ratio(
            cross[numbers_x], mean_x[numbers_x], var_x[numbers_x], right, mean_y, n
        )
    if (~left.is_number).any() and right.is_number.any():
        out[np.ix_(~left.is_number, right.is_number)] = _correlation_ratio(
            cross[:, numbers_y].T, mean_y[numbers_y], var_y[numbers_y], left, mean_x, n
        ).T
    return out


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    clear = below > 1e-12
    return np.where(clear, above / np.where(clear, below, 1.0), 0.0)


def _sums(blocks: _Blocks, values: np.ndarray, axis: int) -> np.ndarray:
    """Sum the positions of every category's levels along an axis."""
    summed = np.add.reduceat(values, blocks.starts, axis=axis)
    return np.compress(~blocks.is_number, summed, axis=axis)


def _cramer(
    left: _Blocks, right: _Blocks, cross: np.ndarray, mean_x: np.ndarray, mean_y: np.ndarray, n: float
) -> np.ndarray:
    expected = np.outer(mean_x, mean_y)
    parts = _ratio((cross - expected) ** 2, expected)
    phi = _sums(right, _sums(left, parts, 0), 1)
    r = _sums(left, (mean_x > 0).astype(float), 0)[:, None]
    c = _sums(right, (mean_y > 0).astype(float), 0)[None, :]
    corrected = np.maximum(0.0, phi - (r - 1) * (c - 1) / max(n - 1, 1.0))
    fewer = np.minimum(r - (r - 1) ** 2 / max(n - 1, 1.0), c - (c - 1) ** 2 / max(n - 1, 1.0)) - 1
    return np.asarray(np.sqrt(np.clip(_ratio(corrected, np.maximum(fewer, 0.0)), 0.0, 1.0)))


def _correlation_ratio(
    cross: np.ndarray, mean: np.ndarray, variance: np.ndarray, blocks: _Blocks, shares: np.ndarray, n: float
) -> np.ndarray:
    """Return the square root of epsilon squared of numbers (rows) by categories (columns)."""
    between = _ratio(cross**2, np.broadcast_to(shares, cross.shape))
    explained = _ratio(_sums(blocks, between, 1) - mean[:, None] ** 2, variance[:, None])
    k = _sums(blocks, (shares > 0).astype(float), 0)[None, :]
    unbiased = 1.0 - (1.0 - explained) * max(n - 1, 1.0) / np.maximum(n - k, 1.0)
    return np.asarray(np.sqrt(np.clip(unbiased, 0.0, 1.0)))
