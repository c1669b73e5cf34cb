"""Two columns at a time: how strongly they go together, within groups, and how columns go with the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from makeweight.quality.nulls import QualityFinding, items_of
from makeweight.quality.rows import ComparedRows, GroupRows
from makeweight.quality.strength import Blocks, associate, encode
from makeweight.table import Column

MOST_COLUMNS = 40
#: Rows per side and group; the time grows with their number times the square of the number of levels.
MOST_ROWS = 2_000
#: Real associations below this are too weak to say how much of them is retained.
CLEAR = 0.1
#: Half of the real associations lost is a fault, however weak they are.
RETAINED = 0.5


@dataclass(frozen=True)
class AssociationMaps:
    """Associations of every pair of columns, averaged over groups by their synthetic rows."""

    columns: list[str]
    real: list[list[float]]
    synthetic: list[list[float]]
    retained: float | None  # share of the real associations that the synthetic rows keep
    cut: int  # columns that are not among them


class Associations:
    """Association matrices of real and synthetic rows, with what chance would give."""

    def __init__(self, rows: ComparedRows) -> None:
        self.rows = rows
        self._matrices: list[tuple[GroupRows, np.ndarray, np.ndarray]] = []

    @cached_property
    def _samples(self) -> list[GroupRows]:
        samples = self.rows.samples(self.rows.compared, "association")
        return [self.rows.thinned(group, MOST_ROWS, "association", "rows") for group in samples]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns whose pairs are looked at: of very many, those that go together most."""
        varied = [column for column in self.rows.columns if column.n_states > 1]
        if len(varied) <= MOST_COLUMNS or not self._samples:
            return tuple(varied)
        group = max(self._samples, key=lambda g: (len(g.real) + len(g.synthetic), g.name))
        blocks = encode(self.rows, varied, group)
        strength = np.abs(associate(blocks, blocks, np.ones((len(blocks.matrix), 1)))[0]).sum(axis=1)
        kept = np.sort(np.argsort(-strength, kind="stable")[:MOST_COLUMNS])
        return tuple(varied[i] for i in kept)

    def pairs(self) -> QualityFinding:
        """MWQ09."""
        if refusal := self.rows.refusal(columns="pair"):
            return refusal
        if len(self.columns) < 2:
            return QualityFinding((), "There are fewer than two columns to pair.", "not applicable")
        upper = np.triu_indices(len(self.columns), 1)
        names = [f"{self.columns[i].name} with {self.columns[j].name}" for i, j in zip(*upper, strict=True)]
        statistics, owners = [], []
        for group in self._samples:
            blocks = encode(self.rows, self.columns, group)
            labels = self.rows.labels(group, "association")
            ours, theirs = associate(blocks, blocks, labels), associate(blocks, blocks, 1.0 - labels)
            self._matrices.append((group, theirs[0], ours[0]))
            gaps = np.abs(ours - theirs)[:, *upper].T
            statistics += [gaps, np.sqrt((gaps**2).mean(axis=0))[None]]
            owners += [(group.name, name) for name in names] + [(group.name, "all pairs, root mean square")]
        retained = self._retained()
        return _judge(np.vstack(statistics), owners, retained, "pair of columns")

    def with_label(self) -> QualityFinding:
        """MWQ10."""
        target = self.rows.schema.target
        labels_seen = {group.label for group in self._samples}
        if len(labels_seen) < 2:
            return QualityFinding(
                (),
                "The synthetic rows that can be compared have one label only; MWQ17 judges whether they deserve it.",
                "not applicable",
            )
        columns = self.columns
        if not columns:
            return QualityFinding((), "There is no column to go with the label.", "not applicable")
        order = sorted(labels_seen)
        drawn = [self.rows.labels(group, "label") for group in self._samples]
        weighed = [
            np.where(draws > 0, 1.0 / len(group.synthetic), 1.0 / len(group.real))
            for group, draws in zip(self._samples, drawn, strict=True)
        ]
        codes = [np.full(len(draws), order.index(g.label)) for g, draws in zip(self._samples, drawn, strict=True)]
        real = np.concatenate([group.real for group in self._samples])
        synthetic = np.concatenate([group.synthetic for group in self._samples])
        blocks = encode(self.rows, columns, replace(self._samples[0], real=real, synthetic=synthetic))
        is_synthetic, weights, label = (
            np.concatenate(
                [part[: len(g.real)] for g, part in zip(self._samples, parts, strict=True)]
                + [part[len(g.real) :] for g, part in zip(self._samples, parts, strict=True)]
            )
            for parts in (drawn, weighed, codes)
        )
        response = Blocks(np.eye(len(order))[label], np.array([0]), np.array([False]))
        ours = associate(blocks, response, weights * is_synthetic)[:, :, 0]
        theirs = associate(blocks, response, weights * (1.0 - is_synthetic))[:, :, 0]
        gaps = np.abs(ours - theirs).T
        retained = _share_retained(theirs[0], ours[0])
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

    def maps(self) -> AssociationMaps | None:
        """Return the matrices, averaged over groups; None where no pair was measured."""
        if not self._matrices:
            return None
        weights = np.array([len(group.synthetic) for group, _, _ in self._matrices], dtype=float)
        weights /= weights.sum()
        real, synthetic = (
            sum(w * matrices[side] for w, matrices in zip(weights, self._matrices, strict=True)) for side in (1, 2)
        )
        varied = sum(column.n_states > 1 for column in self.rows.columns)
        return AssociationMaps(
            [str(column.name) for column in self.columns],
            np.asarray(real).tolist(),
            np.asarray(synthetic).tolist(),
            self._retained(),
            varied - len(self.columns),
        )


def _judge(
    statistics: np.ndarray, owners: Sequence[tuple[str, str]], retained: float | None, what: str
) -> QualityFinding:
    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        group, name = owners[i]
        return f"{name}{f' in {group}' if group else ''}: {value:.2f} apart (chance: up to {chance[1]:.2f})"

    items = items_of(statistics, [(group or None, name) for group, name in owners], describe)
    worst = max(items, key=lambda item: item.value)
    kept = "" if retained is None else f" {max(retained, 0.0):.0%} of the real associations are retained."
    return QualityFinding(
        items,
        f"The {what} that differs most: {worst.text}.{kept}",
        grave=retained is not None and retained < RETAINED,
        facts={} if retained is None else {"retained": retained},
    )


def _share_retained(real: np.ndarray, synthetic: np.ndarray) -> float | None:
    clear = np.abs(real) >= CLEAR
    if not clear.any():
        return None
    return float(real[clear] @ synthetic[clear] / (real[clear] @ real[clear]))
