"""Training sets of real and synthetic rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from makeweight.classifier.borrowing import borrow_frames, correctable
from makeweight.generators.fill import Generation
from makeweight.generators.writing import seed_sequence, write_rows
from makeweight.labelled import take_rows
from makeweight.measure.splits import Strata
from makeweight.plan import Groups, Plan
from makeweight.sampler import SyntheticOverSampler
from makeweight.table import Schema, Table
from makeweight.table.containers import append_rows
from makeweight.theory import BorrowedRows, Take


@dataclass(frozen=True, eq=False)
class Pool:
    """Synthetic features per group number; sizes are prefixes.

    `weights` are factors on every row's weight, one where no density ratio corrects it. `borrowed` has what shows the
    generator's bias, for groups that are corrected with signed weights. No generation means that no row was asked for.
    """

    frames: dict[int, pd.DataFrame]
    weights: dict[int, np.ndarray]
    generation: Generation | None
    borrowed: dict[int, BorrowedRows[pd.DataFrame]] = field(default_factory=dict)


#: correct(real rows of a group, its synthetic rows, rng): factors on the weights of the synthetic rows.
Correct = Callable[[pd.DataFrame, pd.DataFrame, Schema, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class RealRows:
    """The real rows that a classifier is fitted to."""

    X: Any  # shape (n, d); as the estimator gets it
    labels: np.ndarray  # shape (n,)
    frame: pd.DataFrame  # features, target and grouping attributes, as generators get them
    names: list[Any]  # names of the features in `frame`
    schema: Schema  # of `frame`
    groups: Groups
    classes: np.ndarray  # shape (k,); sorted labels
    sampler: SyntheticOverSampler  # how rows are written
    #: shape (n,); of the real rows, positive; a synthetic row weighs what a real row of its group does on average
    weights: np.ndarray
    correct: Correct | None = None
    signed: bool = False  # whether rows are borrowed that a correction with signed weights needs

    @cached_property
    def strata(self) -> Strata:
        """Groups of the rows, and which rows are equal."""
        return Strata.of(Table(self.frame, self.schema), self.groups)

    @property
    def codes(self) -> np.ndarray:
        """Group number of every row."""
        return self.groups.codes

    @property
    def label_codes(self) -> np.ndarray:
        """Class number of every row."""
        return np.searchsorted(self.classes, self.labels)

    @property
    def label_of_group(self) -> np.ndarray:
        """Class number of every group."""
        labels = np.zeros(len(self.groups), dtype=np.int64)
        labels[self.codes] = self.label_codes
        return labels

    def write(self, rows: np.ndarray, sizes: Mapping[Any, int], rng: np.random.Generator) -> Pool:
        """Return what a generator writes that is fitted to some of the real rows, and to nothing else.

        Kinds of columns are those of the whole table; ranges, categories and decimals are read off `rows`.
        """
        wanted = {code: n for code, n in sizes.items() if n}
        if not wanted:
            return Pool({}, {}, None)
        frame, codes = self.frame.iloc[rows].reset_index(drop=True), self.codes[rows]
        generation, schema = self._generate(frame, wanted, rng)
        written, keys = [entry.group for entry in generation.plan], self.groups.keys
        frames, weights = {}, {}
        for code, stream in zip(wanted, rng.spawn(len(wanted)), strict=True):
            own = generation.frame[generation.positions == written.index(keys[code])].reset_index(drop=True)
            weights[code] = np.ones(len(own))
            if self.correct is not None:
                weights[code] = self.correct(frame[codes == code], own, schema, stream)
            frames[code] = own[self.names]
        borrowed = {}
        if self.signed:
            counts = np.bincount(codes, minlength=len(keys))
            for code in sorted(set(correctable(counts).tolist()) & set(wanted)):
                n = min(wanted[code], int(counts.max() - counts[code]))
                (stream,) = rng.spawn(1)
                borrowed[code] = borrow_frames(frame, schema, codes, code, n, self._written, stream)
        return Pool(frames, weights, generation, borrowed)

    def _written(self, frame: pd.DataFrame, sizes: Mapping[int, int], rng: np.random.Generator) -> pd.DataFrame:
        """Return what a generator writes that learns from some rows."""
        return self._generate(frame, sizes, rng)[0].frame

    def _generate(
        self, frame: pd.DataFrame, sizes: Mapping[int, int], rng: np.random.Generator
    ) -> tuple[Generation, Schema]:
        """Return what a generator writes that is fitted to some rows, real or moved, and the schema of these."""
        schema = Schema.infer(
            frame,
            target=self.schema.target,
            group_by=self.schema.group_by,
            kinds={column.name: column.stated for column in self.schema.features},
        )
        keys, table = self.groups.keys, Table(frame, schema)
        own = Groups(table)
        wanted = {keys[code]: int(own.counts[own.position(keys[code])]) + n for code, n in sizes.items()}
        generation = write_rows(
            table,
            Plan.make(own, wanted),
            self.sampler.generator,
            seed=seed_sequence(rng),
            groups=own,
            options=self.sampler.options,
            limits=self.sampler.limits,
            n_jobs=self.sampler.n_jobs,
            constraints=self.sampler.constraints,
        )
        return generation, schema

    def shares(self, rows: np.ndarray, takes: Mapping[Any, Take]) -> np.ndarray:
        """Return the class shares, by weight, of real rows and synthetic ones, shape (k,)."""
        counts = np.bincount(self.codes[rows], minlength=len(self.groups))
        mean = np.bincount(self.codes[rows], self.weights[rows], minlength=len(counts)) / counts
        mass = mean * (counts + [take.mass for take in takes.values()])
        totals = np.bincount(self.label_of_group, mass, minlength=len(self.classes))
        return np.asarray(totals / totals.sum())

    def training_set(
        self, rows: np.ndarray, pool: Pool, takes: Mapping[Any, Take]
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        """Return features, labels and weights of real rows and prefixes of a pool.

        Real rows come first, then synthetic ones, then borrowed ones, whose weights may be negative.
        """
        parts, labels, weights = [], [self.labels[rows]], [self.weights[rows]]
        codes, of_group = self.codes[rows], self.label_of_group

        def add(part: pd.DataFrame, code: int, own: np.ndarray) -> None:
            parts.append(part)
            labels.append(np.repeat(self.classes[of_group[code]], len(part)))
            weights.append(own * self.weights[rows][codes == code].mean())

        for code, take in takes.items():
            if take.n_total:
                part = pool.frames[code].iloc[: take.n_total]
                own = np.repeat([1.0, _snapped(take)], [take.n_balance, take.n_augment])
                add(part, code, own[: len(part)] * pool.weights[code][: len(part)])
        for code, take in takes.items():
            if take.correction and code in pool.borrowed:
                borrowed = pool.borrowed[code]
                part = pd.concat(borrowed.rows, ignore_index=True)
                add(part[self.names], code, borrowed.weights(take.correction * take.mass))
        X = take_rows(self.X, rows)
        if parts:
            X = append_rows(X, pd.concat(parts, ignore_index=True))
        return X, np.concatenate(labels), np.concatenate(weights)


def _snapped(take: Take) -> float:
    """Return the weight of augmentation rows; one where it differs from one only by a rounded number."""
    return 1.0 if abs(take.weight - 1.0) * max(1, take.n_augment) <= 0.5 else take.weight
