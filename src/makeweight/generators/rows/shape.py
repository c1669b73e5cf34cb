"""A group's own shape: numbers that are written get the distribution that the group's real numbers have.

What a generator writes of a group borrows from the other groups, and that blurs its columns. Here a column that differs
by more than chance goes through a monotone map, to a blend of what is written and of the group's own distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from makeweight.generators.rows.rounded import smoothed
from makeweight.generators.rows.scores import NormalScores

__all__ = ["GroupShapes", "rows_to_write", "scores_of"]

#: A difference between two distribution functions counts beyond so many times what chance alone makes.
CAUTION = 2.0
#: A group's distribution function is read once every so many rows: between them what is written keeps its form.
STEP = 8
#: Where so many rows would have shown one beyond their range with this probability or less, the range is believed.
DOUBT = 0.01
#: Rows that are written to learn what a generator writes: so many per real row, no fewer and no more.
PER_ROW, FEWEST, MOST = 2, 100, 1_000


@dataclass(frozen=True, eq=False)
class _Curve:
    """A monotone map of scores: linear between its points, of slope one beyond them."""

    written: np.ndarray
    own: np.ndarray

    def forward(self, scores: np.ndarray) -> np.ndarray:
        return _interpolated(scores, self.written, self.own)

    def backward(self, scores: np.ndarray) -> np.ndarray:
        return _interpolated(scores, self.own, self.written)


def _interpolated(x: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    beyond = np.minimum(x - start[0], 0.0) + np.maximum(x - start[-1], 0.0)
    return np.asarray(np.interp(x, start, end) + beyond)


@dataclass(frozen=True, eq=False)
class GroupShape:
    """The maps of one group, one for each column; None where there are too few values to tell.

    With H the distribution function of what is written, and F that of the group's n real rows, column by column and
    on normal scores, a score s becomes the score t with G(t) = H(s), where G = w F + (1 - w) H. The weight is
    w = max(0, 1 - 2 e / d), with d the mean of (F - H)^2 and e what sampling alone adds to it, which falls as 1 / n: in
    other words n / (n + k), with a k of the column's own, and 0 where F and H differ no more than chance makes them.
    F is read at every eighth row and at both ends of every tie; in between, G has the form of H. So point masses keep
    the share that G gives them, and the density of what is written is smooth where H is.

    The group's range holds where it can be believed: if H puts so much beyond an end that n rows without one there
    would be rare (one in a hundred), G puts 1 / (n + 1) there, which is the chance of a new row to lie beyond, and as
    much nearer to the end as it is less **[derived]**.

    >>> rng = np.random.default_rng(0)
    >>> own, written = 0.5 * rng.normal(size=(200, 1)), rng.normal(size=(400, 1))
    >>> shape = GroupShape.fit(own, written, [np.empty((0, 2))])
    >>> new = shape.forward(rng.normal(size=(1_000, 1)))
    >>> float(new.std().round(1))
    0.5
    >>> bool(np.allclose(shape.forward(shape.backward(new)), new))
    True
    """

    curves: tuple[_Curve | None, ...]

    @classmethod
    def fit(cls, own: np.ndarray, written: np.ndarray, ties: Sequence[np.ndarray]) -> Self:
        """Read the maps off real rows and rows that were written.

        `own` of shape (n, d): normal scores of the group's real rows, NaN where missing. `written` of shape (m, d):
        those of rows that were written of the group. `ties` of shape (k, 2): the scores between which each value that
        repeats lies.
        """
        return cls(tuple(map(_curve, own.T, written.T, ties)))

    def forward(self, scores: np.ndarray) -> np.ndarray:
        """Return scores (n, d) as they are written in the group's own shape; NaN stays NaN."""
        return self._each(scores, _Curve.forward)

    def backward(self, scores: np.ndarray) -> np.ndarray:
        """Return the scores that become these: the inverse of `forward`."""
        return self._each(scores, _Curve.backward)

    def _each(self, scores: np.ndarray, way: Callable[[_Curve, np.ndarray], np.ndarray]) -> np.ndarray:
        out = scores.copy()
        for j, curve in enumerate(self.curves):
            if curve is not None:
                out[:, j] = way(curve, scores[:, j])
        return out


class GroupShapes:
    """The shapes of a table's groups, each read when it is first asked for.

    `scales`: of the numeric columns. `units`: of which a column's values are multiples, where it may be
    :func:`smoothed`. `real`: the normal scores of a group's real rows, by its position: (n, d), NaN
    where missing. `write`: the normal scores of rows that are written of a group, given its position, their number and
    a stream. `seed`: fixes the rows that are written. `wanted`: whether rows get the group's own shape; otherwise
    columns are only smoothed.
    """

    def __init__(
        self,
        scales: Sequence[NormalScores],
        units: Sequence[float | None],
        real: Callable[[int], np.ndarray],
        write: Callable[[int, int, np.random.Generator], np.ndarray],
        seed: int,
        *,
        wanted: bool,
    ) -> None:
        self.scales = scales
        columns = [smoothed(scale, unit) for scale, unit in zip(scales, units, strict=True)]
        self.written = [written for written, _ in columns]  # on which scores become numbers
        self._ties = [masses for _, masses in columns]
        self._wanted = wanted
        self._real, self._write, self._seed = real, write, seed
        self._shapes: dict[int, GroupShape] = {}

    def asked(self, position: int) -> tuple[int, np.random.Generator] | None:
        """Return how many rows are to be written of a group, and by which stream, before its shape can be read."""
        if not self._wanted or position in self._shapes:
            return None
        return rows_to_write(len(self._real(position))), np.random.default_rng([self._seed, position])

    def read(self, position: int, written: np.ndarray) -> None:
        """Read the shape of a group off the normal scores of the rows that were asked for."""
        self._shapes[position] = GroupShape.fit(self._real(position), written, self._ties)

    def of(self, position: int) -> GroupShape:
        """Return the shape of the group at a position."""
        asked = self.asked(position)
        if asked is not None:
            self.read(position, self._write(position, *asked))
        return self._shapes[position] if self._wanted else GroupShape((None,) * len(self._ties))

    def reshaped(self, position: int, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return numbers (n, d) that were written of a group in its own shape, and smoothed; NaN stays NaN."""
        out, shape = values.copy(), self.of(position)
        scores = shape.forward(scores_of(values, self.scales, rng))
        for j, (curve, scale, written) in enumerate(zip(shape.curves, self.scales, self.written, strict=True)):
            if curve is not None or written is not scale:
                out[:, j] = written.inverse(scores[:, j])
        return out


def rows_to_write(real: int) -> int:
    """Return how many rows are written of a group of so many real ones, to read its shape off them."""
    return min(MOST, max(FEWEST, PER_ROW * real))


def scores_of(values: np.ndarray, scales: Sequence[NormalScores], rng: np.random.Generator) -> np.ndarray:
    """Return the normal scores of numbers, both of shape (n, d); where a tie lies is drawn, and NaN stays NaN."""
    columns = zip(scales, values.T, rng.random(values.shape).T, strict=True)
    scores = [scale.locate(column, chance) for scale, column, chance in columns]
    return np.stack(scores, axis=1) if scores else np.empty((len(values), 0))


def _curve(own: np.ndarray, written: np.ndarray, ties: np.ndarray) -> _Curve | None:
    own, points = np.sort(own[~np.isnan(own)]), np.unique(written[~np.isnan(written)])
    n, m = len(own), len(points)
    if n < 2 or m < 2:
        return None
    raw = (np.arange(m) + 0.5) / m
    edges = _edges(own, ties)
    before = np.interp(edges, points, raw, left=0.0, right=1.0)
    inside = (before > 0.0) & (before < 1.0)
    weight = _weight(np.searchsorted(own, points, side="right") / n, raw, n, m)
    after = weight * np.searchsorted(own, edges) / n + (1.0 - weight) * before
    first, last = np.array([0.0]), np.array([1.0])
    knots = [np.concatenate([first, part[inside], last]) for part in (before, after)]
    ranks = np.interp(raw, knots[0], knots[1])
    target, ranks = _within(points, raw, ranks, _range(own, ties), n)
    if not weight and target is points:
        return None
    every = np.unique(np.concatenate([raw, ranks[(ranks > raw[0]) & (ranks < raw[-1])]]))
    return _Curve(np.interp(every, raw, points), np.interp(every, ranks, target))


def _weight(own: np.ndarray, written: np.ndarray, n: int, m: int) -> float:
    """Return the weight of a distribution function of n rows beside one of m, both (k,), by how far they differ."""
    chance = float((own * (1.0 - own)).mean() / n + (written * (1.0 - written)).mean() / m)
    return max(0.0, 1.0 - CAUTION * chance / max(float(((own - written) ** 2).mean()), chance))


def _edges(own: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Return where the distribution of sorted scores is read: every few rows, at the ends of a tie, not inside it."""
    at = np.arange(STEP, len(own), STEP) if len(own) > STEP else np.array([len(own) // 2])
    cuts = (own[at - 1] + own[at]) / 2
    holds = np.searchsorted(ties[:, 0], cuts, side="right") - 1
    split = np.array([tie >= 0 and cut < ties[tie, 1] for tie, cut in zip(holds, cuts, strict=True)], dtype=bool)
    return np.unique(np.concatenate([cuts[~split], ties[holds[split]].ravel()]))


def _range(own: np.ndarray, ties: np.ndarray) -> tuple[float, float]:
    """Return the ends of sorted scores: those of the whole tie where they lie in one."""
    ends = []
    for end, side in ((own[0], 0), (own[-1], 1)):
        tie = np.searchsorted(ties[:, 0], end, side="right") - 1
        ends.append(float(ties[tie, side] if tie >= 0 and end <= ties[tie, 1] else end))
    return ends[0], ends[1]


def _within(
    points: np.ndarray, raw: np.ndarray, ranks: np.ndarray, ends: tuple[float, float], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return points and their ranks, with little beyond the ends of a range that can be believed."""
    (low, high), surprising = ends, 1.0 - DOUBT ** (1.0 / n)
    reached = (np.interp(np.array(ends), points, part, left=0.0, right=1.0) for part in (raw, ranks))
    beyond, mass = (np.abs(np.array([0.0, 1.0]) - shares) for shares in reached)
    less = np.where(beyond > surprising, np.minimum(1.0, 1.0 / ((n + 1) * np.maximum(mass, 1e-12))), 1.0)
    if less.min() == 1.0 or mass.sum() > 1.0 - 1e-9:
        return points, ranks
    inner = np.array([end for end in ends if points[0] < end < points[-1]])
    ranks = np.concatenate([ranks, np.interp(inner, points, ranks)])
    points, order = np.unique(np.concatenate([points, inner]), return_index=True)
    ranks = ranks[order]
    grown = (1.0 - mass @ less) / (1.0 - mass.sum())
    middle = mass[0] * less[0] + (ranks - mass[0]) * grown
    under, over = points < low, points > high
    ranks = np.where(under, ranks * less[0], np.where(over, 1.0 - (1.0 - ranks) * less[1], middle))
    points[under] = low - (low - points[under]) * less[0]
    points[over] = high + (points[over] - high) * less[1]
    return points, ranks
