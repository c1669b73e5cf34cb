"""Nearest rows: whether synthetic rows lie nearer to rows that the generator has seen than to others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from makeweight.quality.nulls import ALL_GROUPS, QualityFinding, items_of, with_observed
from makeweight.quality.ranks import Stratum, area_items, area_of
from makeweight.quality.rows import ComparedRows, EncodedRows, GroupRows

LEVELS = np.linspace(0.0, 1.0, 41)
SHOWN_ROWS = 8
#: The curves are drawn from at most this many rows per side.
CURVE_ROWS = 2_000
NO_HOLDOUT = (
    "No held-out rows were given: whether the generator memorised its rows cannot be told from its rows "
    "alone. Set rows aside before generating, and name them with --holdout."
)


@dataclass(frozen=True)
class DistanceCurves:
    """Quantiles, at every level, of the distance to the nearest real row, of each kind of rows."""

    levels: list[float]
    synthetic: list[float]
    holdout: list[float] | None
    real: list[float]


@dataclass(frozen=True)
class RowPair:
    """A synthetic row and the real row nearest to it among those looked at, as texts by column."""

    group: str
    synthetic: dict[str, str]
    nearest: dict[str, str]
    distance: float


@dataclass(frozen=True, eq=False)
class _Near:
    """One group as points, and the nearest rows in it."""

    group: GroupRows
    real: np.ndarray
    synthetic: np.ndarray
    holdout: np.ndarray


class Distances:
    """Distances between rows of a group, all columns alike.

    A number is where it stands among the real and held-out rows of its group, from 0 to 1; a category and a
    missing value are at distance 1 from any other. Rows are then compared by the Euclidean distance.
    """

    def __init__(self, rows: ComparedRows) -> None:
        self.rows = rows

    @cached_property
    def _near(self) -> list[_Near]:
        return [self._points(group) for group in self.rows.samples(self.rows.judged, "distances")]

    def _points(self, group: GroupRows) -> _Near:
        parts = [(self.rows.real, group.real), (self.rows.synthetic, group.synthetic)]
        if self.rows.holdout is not None:
            parts.append((self.rows.holdout, group.holdout))
        sizes = np.cumsum([len(rows) for _, rows in parts])
        is_real = np.ones(sizes[-1], dtype=bool)
        is_real[sizes[0] : sizes[1]] = False
        columns = []
        for column in self.rows.columns:
            values = np.concatenate([part.values[column.name][rows] for part, rows in parts])
            columns += _axes(values, is_real)
        points = np.column_stack(columns)
        return _Near(
            group, points[: sizes[0]], points[sizes[0] : sizes[1]], points[sizes[1] :] if len(parts) > 2 else points[:0]
        )

    def nearest(self) -> QualityFinding:
        """MWQ06."""
        if refusal := self._refusal():
            return refusal
        names = [near.group.name for near in self._near]
        sizes = np.array([len(near.synthetic) for near in self._near], dtype=float)
        table = np.array([self._lean(near) for near in self._near])
        if len(names) > 1:
            table = np.vstack([table, sizes @ table / sizes.sum()])
            names.append(ALL_GROUPS)

        def describe(i: int, value: float, chance: tuple[float, float]) -> str:
            text = f"{names[i]}: rows lean {value:+.2f} towards the real rows"
            return f"{text} (chance: {chance[0]:+.2f} to {chance[1]:+.2f})"

        items = items_of(table, [(name, None) for name in names], describe)
        return QualityFinding(items, f"{items[-1].text}; 0 is what fresh rows do, 1 what copies do.")

    def _lean(self, near: _Near) -> np.ndarray:
        """Return by how much synthetic rows are nearer to real than to held-out rows, per draw.

        The nearest of all real and held-out rows is looked up once; then which of them are held-out rows is
        shuffled. Rows at the same place share the credit.
        """
        reference = np.vstack([near.holdout, near.real])
        places, at = np.unique(reference, axis=0, return_inverse=True)
        at = at.ravel()
        chosen = np.bincount(_nearest(near.synthetic, places)[0], minlength=len(places))
        credit = (chosen / np.bincount(at))[at] / len(near.synthetic)
        labels = with_observed(
            len(reference), len(near.real), self.rows.rng("nearest", near.group.name)
        )  # real rows are the marked ones
        base = len(near.real) / len(reference)
        return np.asarray((credit @ labels - base) / (1.0 - base))

    def membership(self) -> QualityFinding:
        """MWQ07."""
        if refusal := self._refusal():
            return refusal
        strata = {}
        for near in self._near:
            member, other = (-_nearest(points, near.synthetic)[1] for points in (near.real, near.holdout))
            strata[near.group.name] = [Stratum(other, member)]
        if len(strata) > 1:
            strata[ALL_GROUPS] = [stratum for (stratum,) in strata.values()]
        areas = {name: area_of(parts, self.rows.rng("membership", name)) for name, parts in strata.items()}
        items = area_items(areas)
        return QualityFinding(items, f"{items[-1].text}; 0.5 is a coin.")

    def _refusal(self) -> QualityFinding | None:
        if self.rows.holdout is None:
            return QualityFinding((), NO_HOLDOUT, "skipped")
        if not self.rows.columns:
            return QualityFinding((), "There is no column to measure distances by.", "not applicable")
        if not self.rows.judged:
            return QualityFinding((), "No group has 8 or more real, synthetic and held-out rows.", "skipped")
        return None

    def curves(self) -> DistanceCurves | None:
        """Return how far rows are from the nearest real row; None where no group can be compared."""
        if not self._shown:
            return None

        def quantiles(distances: Iterable[np.ndarray]) -> list[float]:
            return [float(q) for q in np.quantile(np.concatenate(list(distances)), LEVELS)]

        held = [near for near in self._shown if len(near.holdout)]
        return DistanceCurves(
            LEVELS.tolist(),
            quantiles(_nearest(near.synthetic, near.real)[1] for near in self._shown),
            quantiles(_nearest(near.holdout, near.real)[1] for near in held) if held else None,
            quantiles(_nearest_other(near.real) for near in self._shown),
        )

    @cached_property
    def _shown(self) -> list[_Near]:
        if not self.rows.columns:
            return []
        most = max(50, CURVE_ROWS // max(1, len(self.rows.compared)))
        return [self._points(self.rows.thinned(group, most, "curves")) for group in self.rows.compared]

    def sample(self) -> list[RowPair]:
        """Return a few synthetic rows, each with the real row nearest to it."""
        shown: list[RowPair] = []
        per_group = max(1, SHOWN_ROWS // max(1, len(self._shown)))
        for near in self._shown[:SHOWN_ROWS]:
            rng = self.rows.rng("rows shown", near.group.name)
            chosen = np.sort(rng.choice(len(near.synthetic), min(per_group, len(near.synthetic)), replace=False))
            partner, distance = _nearest(near.synthetic[chosen], near.real)
            ours = _texts(self.rows, self.rows.synthetic, near.group.synthetic[chosen])
            theirs = _texts(self.rows, self.rows.real, near.group.real[partner])
            shown += [
                RowPair(near.group.name, synthetic, real, float(d))
                for synthetic, real, d in zip(ours, theirs, distance, strict=True)
            ]
        return shown


def _texts(rows: ComparedRows, part: EncodedRows, positions: np.ndarray) -> list[dict[str, str]]:
    """Return rows as text, in the order of the real table's columns."""
    cells: dict[str, list[str]] = {}
    for column in rows.schema.features:
        if column.name not in part.values:
            continue
        values = part.values[column.name][positions]
        if column.kind.is_coded:
            levels = rows.levels[column.name]
            cells[str(column.name)] = ["(missing)" if v < 0 else levels[int(v)] for v in values]
        elif column.kind.value == "datetime":
            written = rows.table.decode({column.name: values})[column.name]
            cells[str(column.name)] = [
                "(missing)" if np.isnan(v) else str(t) for v, t in zip(values, written, strict=True)
            ]
        else:
            cells[str(column.name)] = [
                "(missing)" if np.isnan(v) else f"{v * column.step + column.origin:.6g}" for v in values
            ]
    return [{name: texts[i] for name, texts in cells.items()} for i in range(len(positions))]


def _axes(values: np.ndarray, is_real: np.ndarray) -> list[np.ndarray]:
    """Return the axes of one column: a number on [0, 1], a category as dummies at distance 1 from each other."""
    if values.dtype != np.float64:
        _, codes = np.unique(values, return_inverse=True)
        dummies = np.eye(int(codes.max()) + 1)[codes.ravel()] / np.sqrt(2.0)
        return list(dummies.T)
    gone = np.isnan(values)
    known = values[is_real & ~gone]
    place = np.full(len(values), 0.5)
    if len(known):
        ordered = np.sort(known)
        left = np.searchsorted(ordered, values[~gone], "left")
        right = np.searchsorted(ordered, values[~gone], "right")
        place[~gone] = (left + right) / (2 * len(ordered))
    return [place, gone.astype(float)] if gone.any() else [place]


def _nearest(points: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of, and the distance to, the nearest of some rows."""
    from sklearn.metrics import pairwise_distances_argmin_min

    position, distance = pairwise_distances_argmin_min(points, among)
    exact = np.sqrt(((points - among[position]) ** 2).sum(axis=1))  # the fast formula is off by 1e-8 for copies
    return position, np.minimum(exact, distance)


def _nearest_other(points: np.ndarray) -> np.ndarray:
    """Return every row's distance to the nearest of the others."""
    from sklearn.neighbors import NearestNeighbors

    if len(points) < 2:
        return np.empty(0)
    return np.asarray(NearestNeighbors(n_neighbors=2, algorithm="brute").fit(points).kneighbors(points)[0][:, 1])
