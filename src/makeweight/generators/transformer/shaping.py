"""Groups' own shapes for rows that the network writes, and the way back for rows whose probability is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import ndtr, ndtri

from makeweight.generators.rows.likelihood import HALF_BIN
from makeweight.generators.rows.scores import NormalScores
from makeweight.generators.rows.shape import GroupShapes, scores_of
from makeweight.generators.transformer.contexts import Request
from makeweight.generators.transformer.decode import RowModel


class Shaping:
    """The shapes of a table's groups, on its rows of numbers.

    `codes` of shape (n_groups, n_given): of each group's label and grouping attributes. `write`: rows of numbers (n, D)
    as the network writes them, given a group's position, and per request their number and a stream. `wanted`: whether
    rows get their group's own shape at all.
    """

    def __init__(
        self,
        rows: RowModel,
        codes: np.ndarray,
        write: Callable[[int, Sequence[Request]], list[np.ndarray]],
        seed: int,
        *,
        wanted: bool,
    ) -> None:
        self._rows, self._codes, self._write, self._seed = rows, codes, write, seed
        numeric = np.flatnonzero([not column.categorical for column in rows.columns])
        self._numeric = numeric[~np.isnan(rows.values[:, numeric]).all(0)]
        self._scales = [NormalScores.fit(real[~np.isnan(real)]) for real in rows.values[:, self._numeric].T]
        units = [rows.columns[column].unit for column in self._numeric]
        self._shapes = GroupShapes(self._scales, units, self._real, self._written, seed, wanted=wanted)

    def real(self, position: int) -> np.ndarray:
        """Return the real rows of a group."""
        own = self._rows.values[:, : self._codes.shape[1]] == self._codes[position]
        return np.asarray(self._rows.values[own.all(1)])

    def _real(self, position: int) -> np.ndarray:
        rng = np.random.default_rng([self._seed, position])
        return scores_of(self.real(position)[:, self._numeric], self._scales, rng)

    def _written(self, position: int, n: int, rng: np.random.Generator) -> np.ndarray:
        [to_break_ties] = rng.spawn(1)
        [rows] = self._write(position, [(n, rng)])
        return scores_of(rows[:, self._numeric], self._scales, to_break_ties)

    def written(self, position: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows (n, D) as the network writes them; those that the group's shape is read off are written along."""
        asked = self._shapes.asked(position)
        if asked is None:
            return self._write(position, [(n, rng)])[0]
        [to_break_ties] = asked[1].spawn(1)
        rows, others = self._write(position, [(n, rng), asked])
        self._shapes.read(position, scores_of(others[:, self._numeric], self._scales, to_break_ties))
        return rows

    def reshaped(self, position: int, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return rows (n, D) that were written of a group in its own shape."""
        out, at = rows.copy(), self._numeric
        values = self._shapes.reshaped(position, rows[:, at], rng)
        out[:, at] = self._rows.tidy(values.T, at).T
        return out

    def unshaped(self, position: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows from which the group's own shape makes these, and by how much the log of their mass differs.

        A value owns an interval of scores, and that comes from an interval of scores that are written. The network is
        asked for the value in the middle of it, and the mass that this value has is taken in proportion: exact where
        what is written is even over both intervals **[derived]**.
        """
        out, change = rows.copy(), np.zeros(len(rows))
        curves = self._shapes.of(position).curves
        for at, scale, written, curve in zip(self._numeric, self._scales, self._shapes.written, curves, strict=True):
            present = ~np.isnan(rows[:, at])
            if (curve is None and written is scale) or not present.any():
                continue
            ends = [
                ndtr(end if curve is None else curve.backward(end))
                for end in written.interval(rows[present, at], HALF_BIN)
            ]
            middle = scale.inverse(ndtri((ends[0] + ends[1]) / 2))
            out[present, at] = self._rows.tidy(middle[None], np.array([at]))[0]
            owned = [ndtr(end) for end in scale.interval(out[present, at], HALF_BIN)]
            with np.errstate(divide="ignore"):
                change[present] += np.log(ends[1] - ends[0]) - np.log(owned[1] - owned[0])
        return out, change
