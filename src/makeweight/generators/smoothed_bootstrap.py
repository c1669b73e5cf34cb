"""The shared-covariance smoothed bootstrap: real rows of the group, moved by noise that all groups share."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np
import pandas as pd

from makeweight.generators.base import Traits
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.frame.options import option
from makeweight.generators.frame.saving import SavedState, flat, part, parts
from makeweight.generators.rows.bandwidth import Smoothing, choose_smoothing
from makeweight.generators.rows.donors import BLOCK, CANDIDATES, IGNORED, Donors, FromRows, evenly, kept_rows, streams
from makeweight.generators.rows.foreign import UNKNOWN, encode_foreign, positions_of
from makeweight.generators.rows.likelihood import HALF_BIN, Kernels
from makeweight.generators.rows.residuals import SharedResiduals
from makeweight.generators.rows.rounded import smoothing_unit
from makeweight.generators.rows.scores import MAX_LUMPS, NormalScores, lumps
from makeweight.generators.rows.shape import GroupShapes
from makeweight.plan import Group, Groups
from makeweight.table import Kind, Table

__all__ = ["SmoothedBootstrap"]

#: The residuals that are the noise are themselves smoothed, with this constant ("a good start").
RESIDUAL_FACTOR = 0.8
#: Categories are taken to be drawn anew at least so often when a likelihood is asked for.
LEAST_SHARE = 1e-3


@dataclass(eq=False, repr=False)
class SmoothedBootstrap(FromRows):
    """Real rows of the group, shrunk to the group's mean, plus noise with the covariance of all groups.

    1. Numbers and dates become normal scores by the empirical distribution of the whole table
       (`makeweight.generators.rows.scores.NormalScores`); a number with few values, most of them lumps that
       stand out of their neighbours (hours per week, a code, an amount that is nearly always zero), is
       resampled like a category instead (`makeweight.generators.rows.scores.lumps`).
    2. With m_g the group's mean, r_k the residual (row less group mean) of a row k of *any* group, and
       S the covariance of all residuals, a synthetic row of group g from its real row i is

           z = m_g + a (z_i - m_g) + h (sqrt(1 - t²) r_k + t ε),    ε ~ N(0, S),

       with t = .8 N^(-1/(d+4)) for N rows and d columns, and
       a² (n_g - 1)/n_g + h² = (n_g + 1)/n_g, which makes the covariance that of a new row.
    3. h = c n_g^(-1/(d+4)), with c from the leave-one-out likelihood of all groups.
    4. A category, and whether a number is missing, is kept from row i or is drawn anew, with a probability
       chosen by the same likelihood: all that are drawn anew in a row come from one of the group's rows
       that are near in everything else (a step of Gibbs sampling, which leaves shares as they are).
    5. Columns of scores get the group's own shape where it differs by more than chance
       (`makeweight.generators.rows.shape.GroupShape`).
    6. Scores go back through the quantile function, into the column's range and onto its decimals; that of rounded
       measurements is smooth on their grid (`makeweight.generators.rows.rounded.smoothed`).

    A rare group so keeps its own mean and borrows shape from the rows of all groups: with few rows the noise
    takes over, with many the rows themselves. Every real row is used equally often.

    Parameters
    ----------
    bandwidth : float or "auto"
        The constant c, positive. Larger is smoother; "auto" takes the likeliest of a grid from .3 to 2.5.
    recombine : float or "auto"
        Probability in [0, 1] with which a category comes from a near row; "auto" takes the likeliest of .02,
        .05, .1 and .2 (in a table of categories only, of .2, .35 and .5).
    n_neighbors : int
        Near rows from which one is drawn.
    borrowed_rows : float
        How many rows' worth a group borrows from the others: its mean is drawn to the mean of the groups'
        means by as much, and its near rows are rows of any group with probability
        ``borrowed_rows / (n_g - 1 + borrowed_rows)``.
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
    Text columns keep the text of row i. The rows of one call depend on the table, the group and the stream
    only; the first rows of a longer request are those of a shorter one. The defaults were chosen on simulated
    tables and on withheld training rows of the published splits, never on their test rows;
    ``benchmarks/quality.py`` measures the result.

    References
    ----------
    Smoothed bootstrap with kept covariance: Silverman and Young 1987; for rare classes (ROSE): Menardi and
    Torelli 2014. Sharing residuals and bandwidth over groups, and the weights, are derived here.

    Examples
    --------
    >>> from makeweight import Schema
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=60).round(1), "z": rng.normal(size=60).round(1)})
    >>> frame["y"] = ["rare"] * 5 + ["common"] * 55
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = SmoothedBootstrap().fit(table, rng=rng)
    >>> rows = generator.propose(("rare",), 100, rng=np.random.default_rng(1))
    >>> rows.shape, bool(rows["x"].between(frame["x"].min(), frame["x"].max()).all())
    ((100, 2), True)
    """

    traits = Traits()
    saved_as = "smoothed-bootstrap"
    saved_facts = ("seed", *(field.name for field in dataclasses.fields(Smoothing)))
    learns_derived = True
    saved_arrays = ("donors", "shared", "levels", "marginal")

    bandwidth: float | str = option("auto", float, 0, above=True, words=("auto",))
    recombine: float | str = option("auto", float, 0, 1, words=("auto",))
    n_neighbors: int = option(15, int, 1)
    borrowed_rows: float = option(1.0, float, 0)
    max_donors: int = option(20_000, int, 1)
    own_shape: bool = option(True, bool)
    derive: bool = option(True, bool)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Read marginals, group means, shared residuals and bandwidths off real rows."""
        self._check_options()
        groups = Groups(table)
        self._known = KnownTable.of(table, groups, derive=self.derive, covers=self.learns_derived)
        to_keep, to_break_ties, to_leave_out, to_shape = rng.spawn(4)
        self._seed = int(to_shape.integers(2**62))
        rows, start = kept_rows(groups, self.max_donors, len(self._known.learned), to_keep)
        self._keep_texts(table, rows)
        scores, codes = self._read(table, rows, to_break_ties)
        self._shared = SharedResiduals.fit(scores, start, self.borrowed_rows)
        self._whitened_means = self._shared.whiten(self._shared.means)
        observed = ~np.isnan(scores)
        complete = np.where(observed, scores, np.repeat(self._shared.means, np.diff(start), axis=0))
        self._donors = Donors(complete, codes, start, self._shared.whiten(complete), observed, rows)
        self._smoothing: Smoothing = choose_smoothing(
            self._donors.whitened,
            codes,
            start,
            self._shared.whiten(self._shared.overall[None])[0],
            borrowed=self.borrowed_rows,
            factor=None if self.bandwidth == "auto" else float(self.bandwidth),
            share=None if self.recombine == "auto" else float(self.recombine),
            rng=to_leave_out,
        )
        self._know_shapes()
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group.

        Returns
        -------
        DataFrame of shape (n, n_learned + n_text)
        """
        position = self._known.position(group)
        scores, codes, order = self._written(position, n, rng)
        columns = self._columns(self._shapes.of(position).forward(scores), codes, self._shapes.written)
        for name, levels in self._levels.items():
            columns[name] = np.where(columns[name] < 0, np.nan, levels[columns[name]])
        return self._known.decode(columns | {name: texts.iloc[order] for name, texts in self._texts.items()})

    def _written(self, position: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return scores and codes of rows before they get the group's own shape, and the rows they start from."""
        own = streams(rng, "order", "residuals", "noise", "candidates", "others", "picks")
        order = evenly(self._donors.size(position), n, own["order"]) + int(self._donors.start[position])
        scores = np.empty((n, len(self._numeric)))
        codes = np.empty((n, self._donors.codes.shape[1]), dtype=np.int32)
        for first in range(0, n, BLOCK):
            block = slice(first, first + BLOCK)
            scores[block], codes[block] = self._block(position, order[block], own)
        return scores, codes, order

    def _know_shapes(self) -> None:
        """Read a group's own shape when it is first written."""
        scales = cast("list[NormalScores]", self._scales)
        units = list(map(smoothing_unit, self._numeric))
        self._shapes = GroupShapes(scales, units, self._real, self._present, self._seed, wanted=self.own_shape)

    def _real(self, position: int) -> np.ndarray:
        own = self._donors.of(position)
        return np.where(self._donors.observed[own], self._donors.scores[own], np.nan)

    def _present(self, position: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return scores of rows as they are written, NaN where a value is missing."""
        scores, codes, _ = self._written(position, n, rng)
        for k, j in enumerate(self._with_missing, start=len(self._coded)):
            scores[codes[:, k] < 0, j] = np.nan
        return scores

    def log_prob(self, frame: pd.DataFrame) -> np.ndarray:
        """Log-density of rows given their group, of the law that is written from with normal noise.

        The mixture over the group's rows i of N(z; m + a (z_i - m), h^2 S), times, for every category, the
        probability that it is kept or drawn anew from the group's rows (with one row of the whole table on
        top): the law whose leave-one-out likelihood chose the bandwidths. What a value owns is taken back through
        the map to the group's own shape first, and columns that are computed count as if they were not. The residuals
        that are the noise are taken for normal, and categories that are drawn anew for drawn alone **[derived]**.

        Parameters
        ----------
        frame : DataFrame of shape (m, n_columns)
            With the target, the grouping attributes and the learned columns.

        Returns
        -------
        ndarray of float64, shape (m,)
            A number counts with the mass of a tenth of a normal score's standard deviation, or of all its
            ties, as in the transformer's ``log_prob``. -inf for groups and categories that the table lacks.
        """
        positions = positions_of(frame, self._known.given, self._known.groups)
        low, high, codes = self._intervals(frame)
        total = np.full(len(frame), -np.inf)
        simulated = np.random.default_rng(0).spawn(len(self._known.groups))
        for position in np.unique(positions[positions >= 0]):
            rows = positions == position
            kernels, shape = self._kernels(position), self._shapes.of(position)
            ends = shape.backward(low[rows]), shape.backward(high[rows])
            total[rows] = kernels.log_mass(*ends, codes[rows], simulated[position])
        return total

    def _keep_texts(self, table: Table, rows: np.ndarray) -> None:
        self._texts = {
            column.name: table.frame[column.name].iloc[rows].reset_index(drop=True)
            for column in table.schema.features
            if column.kind is Kind.TEXT
        }

    def _read(self, table: Table, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the donors' normal scores and codes, one column of the table at a time."""
        self._scales = []
        self._levels: dict[Hashable, np.ndarray] = {}
        numeric: list[Hashable] = []
        scores: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        learned = self._known.learned
        for column, stream in zip(learned, rng.spawn(len(learned)), strict=True):
            values = table.encode(column.name) if column.kind.is_numeric else table.encode(column.name, rows)
            levels = lumps(values) if column.kind.is_numeric and column.n_distinct <= MAX_LUMPS else None
            if levels is not None:
                self._levels[column.name] = levels
                present = values[rows]
                values = np.where(np.isnan(present), -1, np.searchsorted(levels, present))
            if column.kind.is_coded or levels is not None:
                codes.append(values.astype(np.int32))
                continue
            numeric.append(column.name)
            self._scales.append(NormalScores.fit(values[~np.isnan(values)]))
            scores.append(self._scales[-1].transform(values[rows], stream.random(len(rows))))
        self._divide(numeric)
        codes += [np.where(np.isnan(scores[j]), -1, 0).astype(np.int32) for j in self._with_missing]
        return _side_by_side(scores, len(rows), np.float64), _side_by_side(codes, len(rows), np.int32)

    def _state(self) -> SavedState:
        positions = {column.name: j for j, column in enumerate(self._known.learned)}
        marginals = zip(self._numeric, self._scales, strict=True)
        arrays = flat(
            donors=self._donors,
            shared=self._shared,
            levels={positions[name]: levels for name, levels in self._levels.items()},
            marginal={positions[column.name]: marginal for column, marginal in marginals},
        )
        return SavedState({"seed": self._seed, **dataclasses.asdict(self._smoothing)}, arrays)

    def _restore(self, table: Table, state: SavedState, folder: Path) -> None:
        arrays, learned = state.arrays, self._known.learned
        numeric = parts(arrays, "marginal")
        self._levels = {learned[j].name: arrays[f"levels.{j}"] for j in parts(arrays, "levels")}
        self._scales = [part(arrays, f"marginal.{j}", NormalScores) for j in numeric]
        self._divide(learned[j].name for j in numeric)
        self._donors = part(arrays, "donors", Donors)
        self._keep_texts(table, self._donors.rows)
        self._shared = part(arrays, "shared", SharedResiduals)
        self._whitened_means = self._shared.whiten(self._shared.means)
        facts = dict(state.facts)
        self._seed = int(facts.pop("seed"))
        self._smoothing = Smoothing(**facts)
        self._know_shapes()

    def _block(
        self, position: int, rows: np.ndarray, streams: dict[str, np.random.Generator]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and codes of one synthetic row for each donor."""
        donors, shared = self._donors, self._shared
        n, d = donors.scores.shape
        a, h = self._smoothing.weights(donors.size(position))
        t = min(1.0, RESIDUAL_FACTOR * n ** (-1.0 / (d + 4)))
        others = streams["residuals"].integers(0, n, len(rows))
        other_groups = np.searchsorted(donors.start, others, side="right") - 1
        gaussian = streams["noise"].standard_normal((len(rows), d))
        residuals = donors.whitened[others] - self._whitened_means[other_groups]
        noise = h * (np.sqrt(1.0 - t * t) * residuals + t * gaussian)
        mean = self._whitened_means[position]
        whitened = mean + a * (donors.whitened[rows] - mean) + noise
        scores, codes = shared.color(whitened), donors.codes[rows]
        if codes.shape[1]:
            self._recombine(position, rows, whitened, scores, codes, a, streams)
        return scores, codes

    def _recombine(
        self,
        position: int,
        rows: np.ndarray,
        whitened: np.ndarray,
        scores: np.ndarray,
        codes: np.ndarray,
        a: float,
        streams: dict[str, np.random.Generator],
    ) -> None:
        """Take some categories and missing states from a near row; `scores` and `codes` are changed."""
        donors = self._donors
        first, size = int(donors.start[position]), donors.size(position)
        chosen = streams["candidates"].choice(size, CANDIDATES, replace=False) if size > CANDIDATES else np.arange(size)
        anywhere = streams["others"].integers(0, len(donors.codes), CANDIDATES)
        uniforms = streams["picks"].random((len(rows), 2 + codes.shape[1]))
        takes = uniforms[:, 2:] < self._smoothing.share
        kept = np.where(takes, IGNORED, codes)
        near = donors.near(rows, whitened, kept, first + chosen, uniforms[:, 0], self.n_neighbors)
        borrows = uniforms[:, 1] * (size - 1 + self.borrowed_rows) < self.borrowed_rows
        if borrows.any():
            near[borrows] = donors.near(
                rows[borrows], whitened[borrows], kept[borrows], anywhere, uniforms[borrows, 0], self.n_neighbors
            )
        for k, j in enumerate(self._with_missing, start=len(self._coded)):
            # A value that was missing has the score of the mean so far: it gets the near row's.
            appears = takes[:, k] & (codes[:, k] < 0) & donors.observed[near, j]
            scores[appears, j] += a * (donors.scores[near[appears], j] - self._shared.means[position, j])
        np.copyto(codes, donors.codes[near], where=takes)

    def _intervals(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the scores that the values of rows own, low and high, and their codes."""
        values = [encode_foreign(column, frame) for column in self._numeric]
        scales = zip(self._shapes.written, values, strict=True)
        ends = [scale.interval(column, HALF_BIN) for scale, column in scales]
        codes = []
        for column in self._coded:
            encoded, levels = encode_foreign(column, frame), self._levels.get(column.name)
            if levels is not None:
                at = np.minimum(np.searchsorted(levels, encoded), len(levels) - 1)
                encoded = np.where(np.isnan(encoded), -1, np.where(levels[at] == encoded, at, UNKNOWN))
            codes.append(encoded)
        codes += [np.where(np.isnan(values[j]), -1, 0) for j in self._with_missing]
        low, high = (_side_by_side([end[k] for end in ends], len(frame), np.float64) for k in (0, 1))
        return low, high, _side_by_side(codes, len(frame), np.int32)

    def _kernels(self, position: int) -> Kernels:
        donors, shared, own = self._donors, self._shared, self._donors.of(position)
        a, h = self._smoothing.weights(donors.size(position))
        mean = shared.means[position]
        elsewhere = []
        for everybody, mine in zip(donors.codes.T, donors.codes[own].T, strict=True):
            overall = np.bincount(everybody + 1) / len(everybody)
            counts = np.bincount(mine + 1, minlength=len(overall))
            elsewhere.append((counts + overall) / (len(mine) + 1))
        centres = mean + a * (donors.scores[own] - mean)
        share = max(self._smoothing.share, LEAST_SHARE)
        return Kernels(centres, h * shared.factor, donors.codes[own], elsewhere, share)


def _side_by_side(columns: list[np.ndarray], n: int, dtype: type) -> np.ndarray:
    return np.stack(columns, axis=1) if columns else np.empty((n, 0), dtype=dtype)
