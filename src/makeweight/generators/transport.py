"""Transport: residuals of a large group, moved to the mean and the covariance of a small one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.generators.base import Traits
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.frame.options import option
from makeweight.generators.frame.saving import SavedState, flat, part, parts
from makeweight.generators.rows.donors import (
    BLOCK,
    CANDIDATES,
    IGNORED,
    MISMATCH,
    FromRows,
    Kept,
    evenly,
    kept_rows,
    streams,
)
from makeweight.generators.rows.moving import Standard, centred, filled, is_bent, root
from makeweight.generators.rows.scores import NormalScores
from makeweight.generators.rows.shape import GroupShapes, scores_of
from makeweight.plan import Group, Groups
from makeweight.table import Table
from makeweight.theory import shrunk_covariance

__all__ = ["TransportGenerator"]

#: A source with fewer rows than this is joined by all other groups.
MIN_SOURCE = 50
#: Share of a group's near rows that come from any group, in rows: a group of one row has no other.
BORROWED_NEIGHBOURS = 0.5
#: Smoothing of residuals that have to be used more than once, as in the smoothed bootstrap.
SMOOTHING_FACTOR = 0.8


@dataclass(eq=False, repr=False)
class TransportGenerator(FromRows):
    """Residuals of a large group, moved to the mean and covariance of the group to be written.

    1. Numbers and dates are standardised; those with a point mass or skewed residuals become normal scores
       by the distribution of the whole table.
    2. The *source* of a group g is the largest other group, or all other groups together where that one has
       fewer than fifty rows. With r_k a residual of the source (row less mean of its own group), a synthetic row is

           z = m_g + S_g^(1/2) S_0^(-1/2) r_k,

       which has the mean m_g and the covariance S_g of the group and every higher moment of the source: tails,
       clusters, kinks.
    3. Covariances are shrunk (`makeweight.theory.shrunk_covariance`), and S_g is drawn to the
       source's as if by `borrowed_rows` rows: a group of one row has the shape of the source.
    4. Every residual is used equally often. A source with fewer than fifty rows, or fewer than the group to
       be written (as for the largest group itself), would repeat itself: its residuals then get normal noise
       of the same covariance, sqrt(1 - t²) r_k + t ε, with t = .8 N^(-1/(d+4)) for N residuals of d columns.
    5. Categories, and whether a number is missing, are not those of the row that is moved, which tell of the
       group that it comes from: they are taken together from one of the group's own rows near the synthetic
       row. Each is then, with probability `recombine`, taken from another near row.
    6. Columns of numbers get the group's own shape where it differs by more than chance
       (`makeweight.generators.rows.shape.GroupShape`).

    The cheap rival of every generator: right where groups differ by an affine map, and it has as many
    different residuals as the largest group has rows, however rare the group.

    Parameters
    ----------
    space : {"auto", "normal-scores", "standardised"}
        Where residuals are moved. Standardised values are the map of docs/theory.md itself, exact where
        groups differ by an affine map. Normal scores keep point masses (many zeros), signs and skewed columns
        in shape, but bend distances where groups lie far apart. "auto" takes normal scores for columns of
        which one value has more than a tenth of the rows, or whose residuals, within their 2nd and 98th
        percentile, have a skewness above .75.
    borrowed_rows : float
        How many rows' worth of the source's covariance a group is given, 0 or more.
    recombine : float
        Probability in [0, 1].
    n_neighbors : int
        Near rows from which one is drawn.
    max_donors : int
        Rows kept of each group, drawn at random; fewer in tables of many groups and columns.
    own_shape : bool
        Whether columns of numbers get the group's own distribution where it differs by more than chance.
    derive : bool
        Whether columns that others determine in every real row (sums, products, ratios, codes and their meaning) are
        computed from them instead of written.

    Raises
    ------
    OptionError
        In `fit`, when a parameter is out of its range.
    GeneratorError
        In `propose`, when the group has no real row.

    Notes
    -----
    Text columns are left out. In a table without numbers there is nothing to move: rows are then
    recombinations of the group's own. Where no group has two rows, residuals are those around the mean of
    the table.

    References
    ----------
    docs/theory.md, "Borrowing from the majority" (derived there), after the idea of arXiv 2510.26046 that the
    majority has rows to spare to learn from.

    Examples
    --------
    >>> from makeweight import Schema
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.standard_t(5, 400), "z": rng.standard_t(5, 400)})
    >>> frame["y"] = ["rare"] * 20 + ["common"] * 380
    >>> frame.loc[:19, "x"] += 2
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> rows = TransportGenerator().fit(table, rng=rng).propose(("rare",), 300, rng=rng)
    >>> rows.shape, bool(abs(rows["x"].mean() - frame["x"][:20].mean()) < 0.2)
    ((300, 2), True)
    """

    traits = Traits()
    saved_as = "transport"
    saved_facts = ("seed",)
    saved_arrays = ("kept", "scores", "standard", "marginal", "normal")

    space: str = option("auto", words=("auto", "normal-scores", "standardised"))
    borrowed_rows: float = option(10.0, float, 0)
    recombine: float = option(0.2, float, 0, 1)
    n_neighbors: int = option(5, int, 1)
    max_donors: int = option(20_000, int, 1)
    own_shape: bool = option(True, bool)
    derive: bool = option(True, bool)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Keep the rows, or a random subset of large groups, on the scale on which they are moved."""
        self._check_options()
        groups = Groups(table)
        self._known = KnownTable.of(table, groups, derive=self.derive)
        self._divide(column.name for column in self._known.learned if column.kind.is_numeric)
        to_keep, to_break_ties, to_fill, to_shape = rng.spawn(4)
        rows, start = kept_rows(groups, self.max_donors, len(self._known.learned), to_keep)
        scores, codes = self._read(table, rows, start, to_break_ties)
        self._keep(Kept(filled(scores, start, to_fill), codes, start), int(to_shape.integers(2**62)))
        return self

    def _keep(self, kept: Kept, seed: int) -> None:
        self._kept, self._seed = kept, seed
        # rows that are moved repeat no value, and smoothing would move them again
        units = [None] * len(self._marginals)
        self._shapes = GroupShapes(self._marginals, units, self._real, self._present, seed, wanted=self.own_shape)
        sums = np.add.reduceat(kept.scores, kept.start[:-1], axis=0)
        self._means = sums / np.diff(kept.start)[:, None]

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group.

        Returns
        -------
        DataFrame of shape (n, n_learned)
        """
        position = self._known.position(group)
        [to_break_ties] = rng.spawn(1)
        columns = self._written(position, n, rng)
        values = self._shapes.reshaped(position, self._numbers(columns, n), to_break_ties)
        for column, numbers in zip(self._numeric, values.T, strict=True):
            columns[column.name] = column.snap(numbers)
        return self._known.decode(columns)

    def _real(self, position: int) -> np.ndarray:
        return np.asarray(self._normal[self._kept.of(position)])

    def _present(self, position: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return the normal scores of rows as they are written."""
        [to_break_ties] = rng.spawn(1)
        return scores_of(self._numbers(self._written(position, n, rng), n), self._marginals, to_break_ties)

    def _numbers(self, columns: dict[Hashable, Any], n: int) -> np.ndarray:
        values = [columns[column.name] for column in self._numeric]
        return np.stack(values, axis=1) if values else np.empty((n, 0))

    def _written(self, position: int, n: int, rng: np.random.Generator) -> dict[Hashable, Any]:
        """Return the columns of rows before they get the group's own shape."""
        own = streams(rng, "order", "noise", "candidates", "anywhere", "picks")
        residuals, covariance = self._source(position)
        shape = root(self._covariance(position, covariance), 0.5)
        size, d = residuals.shape
        repeats = size < max(MIN_SOURCE, self._kept.size(position))
        t = min(1.0, SMOOTHING_FACTOR * size ** (-1.0 / (d + 4))) if repeats else 0.0
        order = evenly(size, n, own["order"])
        scores = np.empty((n, d))
        codes = np.empty((n, self._kept.codes.shape[1]), dtype=np.int32)
        for first in range(0, n, BLOCK):
            block = slice(first, first + BLOCK)
            moved = residuals[order[block]]
            if t:
                moved = np.sqrt(1.0 - t * t) * moved + t * own["noise"].standard_normal(moved.shape)
            scores[block] = self._means[position] + np.einsum("nj,ij->ni", moved, shape)
            codes[block] = self._categories(position, scores[block], own)
        return self._columns(scores, codes, self._scales)

    def _read(
        self, table: Table, rows: np.ndarray, start: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return scores with NaN where missing, and codes, one column of the table at a time."""
        self._scales, self._marginals = [], []
        scores = np.empty((len(rows), len(self._numeric)))
        self._normal = np.empty_like(scores)
        for j, (column, stream) in enumerate(zip(self._numeric, rng.spawn(len(self._numeric)), strict=True)):
            values = table.encode(column.name)
            observed = values[~np.isnan(values)]
            values = values[rows]
            bends = self.space == "normal-scores" or (self.space == "auto" and is_bent(values, start))
            self._marginals.append(NormalScores.fit(observed))
            self._normal[:, j] = self._marginals[j].transform(values, stream.random(len(rows)))
            scale = Standard.fit(observed)
            self._scales.append(self._marginals[j] if bends else scale)
            scores[:, j] = self._normal[:, j] if bends else scale.transform(values)
        codes = np.empty((len(rows), len(self._coded) + len(self._with_missing)), dtype=np.int32)
        for j, column in enumerate(self._coded):
            codes[:, j] = table.encode(column.name, rows)
        for j, numeric in enumerate(self._with_missing, start=len(self._coded)):
            codes[:, j] = np.where(np.isnan(scores[:, numeric]), -1, 0)
        return scores, codes

    def _state(self) -> SavedState:
        scales = dict(enumerate(self._scales))
        arrays = flat(
            kept=self._kept,
            scores={j: scale for j, scale in scales.items() if isinstance(scale, NormalScores)},
            standard={j: scale for j, scale in scales.items() if isinstance(scale, Standard)},
            marginal={j: self._marginals[j] for j, scale in scales.items() if isinstance(scale, Standard)},
            normal=self._normal,
        )
        return SavedState({"seed": self._seed}, arrays)

    def _restore(self, table: Table, state: SavedState, folder: Path) -> None:
        self._divide(column.name for column in self._known.learned if column.kind.is_numeric)
        bent = parts(state.arrays, "scores")
        self._scales = [
            part(state.arrays, f"scores.{j}", NormalScores)
            if j in bent
            else part(state.arrays, f"standard.{j}", Standard)
            for j in range(len(self._numeric))
        ]
        self._marginals = [
            scale if isinstance(scale, NormalScores) else part(state.arrays, f"marginal.{j}", NormalScores)
            for j, scale in enumerate(self._scales)
        ]
        self._normal = state.arrays["normal"]
        self._keep(part(state.arrays, "kept", Kept), int(state.facts["seed"]))

    def _source(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Return whitened residuals to move to a group, of others where there are any, and their covariance."""
        kept = self._kept
        sizes = np.diff(kept.start)
        others = [other for other in np.argsort(-sizes, kind="stable").tolist() if other != position]
        if others and sizes[others[0]] >= MIN_SOURCE:
            others = others[:1]
        parts = [self._residuals(other) for other in others if sizes[other] > 1]
        if not parts:  # groups of one row: what varies is what differs between rows
            parts = [self._residuals(position)] if sizes[position] > 1 else [centred(kept.scores)]
        residuals = np.concatenate(parts)
        covariance = shrunk_covariance(residuals) if residuals.shape[1] else np.empty((0, 0))
        return np.einsum("nj,ij->ni", residuals, root(covariance, -0.5)), covariance

    def _residuals(self, position: int) -> np.ndarray:
        return centred(self._kept.scores[self._kept.of(position)])

    def _covariance(self, position: int, source: np.ndarray) -> np.ndarray:
        """Return the covariance of a group, drawn to that of the source."""
        own = self._kept.scores[self._kept.of(position)]
        weight = len(own) - 1
        if not weight or not own.shape[1]:
            return source
        total = weight + self.borrowed_rows
        return np.asarray((weight * shrunk_covariance(own) + self.borrowed_rows * source) / total)

    def _categories(self, position: int, scores: np.ndarray, streams: dict[str, np.random.Generator]) -> np.ndarray:
        """Return categories and missing states for synthetic rows, from real rows near them."""
        kept, n, q = self._kept, len(scores), self._kept.codes.shape[1]
        if not q:
            return np.empty((n, 0), dtype=np.int32)
        own, size = kept.of(position), kept.size(position)
        chosen = np.arange(own.start, own.stop)
        if size > CANDIDATES:
            chosen = streams["candidates"].choice(chosen, CANDIDATES, replace=False)
        anywhere = streams["anywhere"].integers(0, len(kept.codes), CANDIDATES)
        uniforms = streams["picks"].random((n, 3 + q))
        first = self._near(scores, None, chosen, uniforms[:, 0])
        codes = kept.codes[first]
        swaps = uniforms[:, 3:] < self.recombine
        if not swaps.any():
            return np.asarray(codes)
        fixed = np.where(swaps, IGNORED, codes)  # no code is that: a column that is swapped matches none
        second = self._near(scores, fixed, chosen, uniforms[:, 1])
        afar = uniforms[:, 2] * (size - 1 + BORROWED_NEIGHBOURS) < BORROWED_NEIGHBOURS
        if afar.any():
            second[afar] = self._near(scores[afar], fixed[afar], anywhere, uniforms[afar, 1])
        return np.asarray(np.where(swaps, kept.codes[second], codes))

    def _near(
        self, scores: np.ndarray, codes: np.ndarray | None, candidates: np.ndarray, uniforms: np.ndarray
    ) -> np.ndarray:
        """Return, for each row, one of the candidates nearest to it."""
        there = self._kept.scores[candidates]
        distances = (there**2).sum(axis=1) - 2.0 * np.einsum("nj,kj->nk", scores, there)
        if codes is not None:
            for mine, theirs in zip(codes.T, self._kept.codes[candidates].T, strict=True):
                distances += MISMATCH * (mine[:, None] != theirs)
        # Candidates may be equally near: which of them are taken must not depend on their order.
        turn = (uniforms * len(candidates)).astype(np.int64)
        distances = distances + 1e-9 * ((np.arange(len(candidates)) + turn[:, None]) % len(candidates))
        k = min(self.n_neighbors, len(candidates))
        nearest = np.sort(np.argpartition(distances, k - 1, axis=1)[:, :k], axis=1)
        return np.asarray(candidates[nearest[np.arange(len(scores)), (uniforms * 997 % 1 * k).astype(np.int64)]])
