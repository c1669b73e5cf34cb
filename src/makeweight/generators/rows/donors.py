"""What generators that start from real rows share: which rows they keep, how they use them, and write new ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makeweight.generators.base import Cost
from makeweight.generators.frame.saving import SavedGenerator
from makeweight.generators.rows.moving import Standard
from makeweight.generators.rows.scores import NormalScores
from makeweight.plan import Groups, Plan
from makeweight.table import Column

__all__ = ["BLOCK", "CANDIDATES", "IGNORED", "MISMATCH", "Donors", "FromRows", "Kept", "evenly", "kept_rows", "streams"]

#: Rows are written in blocks of this size, and near rows looked for among this many, drawn for each block.
BLOCK = 256
CANDIDATES = 128

#: Encoded cells kept over all groups, and the fewest rows that a group keeps (if it has them).
MAX_CELLS = 4_000_000
MIN_ROWS = 500
#: What one differing category adds to a squared distance: as much as one continuous column does on average.
MISMATCH = 2.0
#: Stands for a category that is about to be replaced, which no distance may depend on.
IGNORED = -2
#: For the cost; the number of columns for the one before `fit`.
USUAL_COLUMNS, SECONDS_PER_CELL = 20, 1e-6


def kept_rows(
    groups: Groups, max_rows: int, n_columns: int, rng: np.random.Generator, *, max_cells: int = MAX_CELLS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to keep, group after group, and where each group begins among them.

    `max_rows`: per group; fewer where groups and columns are many, drawn at random. `max_cells`: encoded cells over all
    groups. Returns `rows` of shape (n_kept,); `start` of shape (n_groups + 1,).
    """
    most = min(max_rows, max(MIN_ROWS, max_cells // (len(groups) * max(1, n_columns))))
    by_group = np.split(np.argsort(groups.codes, kind="stable"), np.cumsum(groups.counts)[:-1])
    kept = [
        rows if len(rows) <= most else np.sort(stream.choice(rows, most, replace=False))
        for rows, stream in zip(by_group, rng.spawn(len(groups)), strict=True)
    ]
    return np.concatenate(kept), np.cumsum([0, *map(len, kept)])


def evenly(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` draws of 0 to size - 1 that use each equally often: one shuffle after another.

    >>> sorted(evenly(3, 6, np.random.default_rng(0)).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    rounds = np.tile(np.arange(size, dtype=np.int64), (-(-n // size), 1))
    return np.asarray(rng.permuted(rounds, axis=1)).ravel()[:n]


def streams(rng: np.random.Generator, *names: str) -> dict[str, np.random.Generator]:
    """Return streams of their own, by name."""
    return dict(zip(names, rng.spawn(len(names)), strict=True))


class FromRows(SavedGenerator):
    """A generator that keeps numbers as scores, and categories and missing states as codes."""

    _numeric: list[Column]
    _coded: list[Column]
    _with_missing: list[int]
    _scales: list[Standard | NormalScores]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        return self._known.notes

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected, from the number of cells to read and to write."""
        columns = len(self._known.learned) if hasattr(self, "_known") else plan.n_learned or USUAL_COLUMNS
        return Cost(seconds=0.2 + SECONDS_PER_CELL * columns * (plan.n_real + plan.n_synthetic))

    def _divide(self, numeric: Iterable[Hashable]) -> None:
        """Take these columns for numbers, the other learned ones for categories."""
        names = set(numeric)
        self._numeric = [column for column in self._known.learned if column.name in names]
        self._coded = [column for column in self._known.learned if column.name not in names]
        self._with_missing = [j for j, column in enumerate(self._numeric) if column.n_missing]

    def _columns(
        self, scores: np.ndarray, codes: np.ndarray, scales: Sequence[Standard | NormalScores]
    ) -> dict[Hashable, Any]:
        """Return scores of shape (n, d), on these scales, and codes of shape (n, q) as encoded columns."""
        columns: dict[Hashable, Any] = {}
        missing = iter(codes.T[len(self._coded) :] < 0)
        for column, scale, values in zip(self._numeric, scales, scores.T, strict=True):
            columns[column.name] = column.snap(scale.inverse(values))
            if column.n_missing:
                columns[column.name][next(missing)] = np.nan
        return columns | {column.name: values for column, values in zip(self._coded, codes.T, strict=False)}


@dataclass(frozen=True, eq=False)
class Kept:
    """Real rows that are kept, group after group."""

    scores: np.ndarray  # shape (n, d); without gaps: where a value is missing, the group's mean, or another row's score
    #: shape (n, q); categories; then, of numeric columns with missing values, -1 where it is missing, else 0
    codes: np.ndarray
    start: np.ndarray  # shape (n_groups + 1,)

    def of(self, position: int) -> slice:
        """Return the rows of a group."""
        return slice(int(self.start[position]), int(self.start[position + 1]))

    def size(self, position: int) -> int:
        """Return how many rows of a group are kept."""
        return int(self.start[position + 1] - self.start[position])


@dataclass(frozen=True, eq=False)
class Donors(Kept):
    """Real rows to write from, group after group."""

    whitened: np.ndarray  # shape (n, d); the scores, whitened
    observed: np.ndarray  # shape (n, d)
    rows: np.ndarray  # shape (n,); where they stand in the table

    def near(
        self,
        rows: np.ndarray,
        whitened: np.ndarray,
        codes: np.ndarray,
        candidates: np.ndarray,
        uniforms: np.ndarray,
        n_neighbors: int,
    ) -> np.ndarray:
        """Return one of the candidates nearest to each synthetic row; its donor only if there is no other."""
        there = self.whitened[candidates]
        distances = (there**2).sum(axis=1) - 2.0 * np.einsum("nj,kj->nk", whitened, there)
        for mine, theirs in zip(codes.T, self.codes[candidates].T, strict=True):
            distances += (MISMATCH * (mine != IGNORED))[:, None] * (mine[:, None] != theirs)
        distances[rows[:, None] == candidates] = np.inf
        k = min(n_neighbors, len(candidates))
        nearest = np.argpartition(distances, k - 1, axis=1)[:, :k]
        nearest.sort(axis=1)
        usable = np.isfinite(np.take_along_axis(distances, nearest, axis=1))
        nearest = np.take_along_axis(nearest, np.argsort(~usable, axis=1, kind="stable"), axis=1)
        picks = (uniforms * np.maximum(usable.sum(axis=1), 1)).astype(np.int64)
        return np.asarray(candidates[nearest[np.arange(len(rows)), picks]])
