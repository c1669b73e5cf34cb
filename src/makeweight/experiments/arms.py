"""Arms that see the same rows: what each makes of a training table, and what a classifier then predicts."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight.experiments.judging import balanced_loss, judge
from makeweight.experiments.records import Measurement
from makeweight.generators.writing import write_rows
from makeweight.measure.calibration import balanced_platt
from makeweight.measure.learners import fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities as probabilities_of
from makeweight.measure.splits import Strata
from makeweight.measure.training import balancing_weights, undersampled
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table
from makeweight.theory import logit_shift

#: Arms without a synthetic row.
SIMPLE = NOTHING, WEIGHTS, UNDERSAMPLE = "nothing", "weights", "undersample"


@dataclass(frozen=True, eq=False)
class VisibleRows:
    """What an arm may see.

    `frame` has the training rows, numbers only. Where there are `external` rows, from elsewhere, the arm adds those,
    whatever its name.
    """

    frame: pd.DataFrame
    label: str
    group_by: Sequence[str] = ()
    external: pd.DataFrame | None = None

    def table(self) -> Table:
        """Return the training rows as a table."""
        return Table(self.frame, Schema.infer(self.frame, target=self.label, group_by=self.group_by))

    def labels(self) -> np.ndarray:
        """Return the label of every training row, shape (n,)."""
        return self.frame[self.label].to_numpy(np.int64)


@dataclass(frozen=True, eq=False)
class Trained:
    """Training rows of an arm, their weights of shape (n,), and those of them that it added."""

    rows: pd.DataFrame
    weights: np.ndarray
    synthetic: pd.DataFrame


def train_arm(arm: str, visible: VisibleRows, seed: int) -> Trained:
    """Return the training rows that an arm makes of the rows that it may see.

    An arm is ``nothing``, ``weights``, ``undersample``, or a generator, which is fitted to these rows and brings every
    group up to the largest.
    """
    frame = visible.frame
    ones, none = np.ones(len(frame)), frame.iloc[:0]
    if visible.external is None and arm == NOTHING:
        return Trained(frame, ones, none)
    if visible.external is None and arm in (WEIGHTS, UNDERSAMPLE):
        codes = Groups(visible.table()).codes
        if arm == WEIGHTS:
            return Trained(frame, balancing_weights(codes), none)
        rows = frame.iloc[undersampled(codes, np.random.default_rng(seed))].reset_index(drop=True)
        return Trained(rows, np.ones(len(rows)), none)
    added = visible.external
    if added is None:
        added = balanced_rows(arm, frame, visible.label, visible.group_by, seed)[frame.columns]
    rows = pd.concat([frame, added], ignore_index=True)
    return Trained(rows, np.ones(len(rows)), added)


def balanced_rows(
    generator: str, frame: pd.DataFrame, label: str, group_by: Sequence[str], seed: int, *, augment: int = 0
) -> pd.DataFrame:
    """Return the rows that bring every group up to the largest, and `augment` more of each.

    They are by a generator of the registry that saw the table and nothing else.
    """
    fit_seed, seed_of_rows = np.random.SeedSequence(seed).spawn(2)
    table = Table(frame, Schema.infer(frame, target=label, group_by=group_by))
    groups = Groups(table)
    plan = Plan.make(groups, augment=augment)
    return write_rows(table, plan, generator, seed=seed_of_rows, fit_seed=fit_seed, groups=groups).frame


def predict(
    trained: Trained, held: pd.DataFrame, label: str, learners: Sequence[str], seed: int
) -> dict[str, np.ndarray]:
    """Return every classifier's probabilities of label 1 for the held-out rows, by the classifier's name."""
    X, y = trained.rows.drop(columns=label).to_numpy(np.float64), trained.rows[label].to_numpy(np.int64)
    features = held.drop(columns=label).to_numpy(np.float64)
    probabilities = {}
    for name in learners:
        model = fit_estimator(_learner(name, seed, len(X)), X, y, trained.weights, seed)
        probabilities[name] = probabilities_of(model, features, np.array([0, 1]))[:, 1]
    return probabilities


def _learner(name: str, seed: int, n_rows: int) -> Any:
    """Return a classifier by its name in `makeweight.measure`, or a small neural network."""
    if name != "mlp":
        return make_learner(name, seed, n_rows)
    network = MLPClassifier((64, 64), early_stopping=False, max_iter=200, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def out_of_fold(
    arm: str, visible: VisibleRows, learners: Sequence[str], seed: int, folds: int
) -> dict[str, np.ndarray]:
    """Return every classifier's probabilities for the training rows, each by a fit without its fold.

    A generator is fitted inside each fold: rows that were written after looking at a held-out row would make
    the calibration over-confident.
    """
    strata = Strata.of(visible.table())
    assigned = strata.assign(folds, np.random.default_rng([seed, zlib.crc32(b"folds")]))
    probabilities = {name: np.empty(len(assigned)) for name in learners}
    for fold in range(folds):
        held = assigned == fold
        trained = train_arm(arm, replace(visible, frame=visible.frame[~held].reset_index(drop=True)), seed)
        for name, values in predict(trained, visible.frame[held], visible.label, learners, seed).items():
            probabilities[name][held] = values
    return probabilities


def readouts(arm: str, labels: np.ndarray, probabilities: np.ndarray, held_out: np.ndarray) -> dict[str, np.ndarray]:
    """Return an arm's probabilities as they are, after balanced Platt scaling and after a logit shift, by name.

    Labels and held-out probabilities are of the training rows, the others of the rows to judge. Only ``nothing`` is
    shifted: the other arms are balanced already.
    """
    stages = {"as is": probabilities, "platt": balanced_platt(held_out, labels, labels).apply(probabilities)}
    if arm == NOTHING:
        shares = np.bincount(labels) / len(labels)
        stages["shift"] = np.asarray(logit_shift(shares).apply(probabilities))
    return stages


def measure_arm(
    arm: str,
    visible: VisibleRows,
    trained: Trained,
    test: pd.DataFrame,
    *,
    learners: Sequence[str],
    seed: int,
    folds: int,
    further: Callable[[np.ndarray], Mapping[str, float]] = lambda probabilities: {},
) -> Iterator[Measurement]:
    """Yield how an arm does on the test rows with every classifier.

    Stages ``as is``, ``platt`` and ``shift`` hold the balanced log-loss and the `further` metrics of these
    probabilities; stage ``ranking`` holds what calibration cannot change.
    """
    label = visible.label
    predicted = predict(trained, test, label, learners, seed)
    held_out = out_of_fold(arm, visible, learners, seed, folds)
    labels = test[label].to_numpy(np.int64)
    for learner in learners:
        stages = readouts(arm, visible.labels(), predicted[learner], held_out[learner])
        for stage, probabilities in stages.items():
            values = {"bce": balanced_loss(labels, probabilities), **further(probabilities)}
            for metric, value in values.items():
                yield Measurement(stage, metric, value, learner)
        for metric, value in judge(labels, predicted[learner]).items():
            if metric != "bce":
                yield Measurement("ranking", metric, value, learner)


def copied(added: pd.DataFrame, train: pd.DataFrame) -> Measurement:
    """Return the share of added rows that are equal to a training row."""
    known = set(map(tuple, train.to_numpy(np.float64).tolist()))
    rows = added[train.columns].to_numpy(np.float64).tolist()
    return Measurement("rows", "copies", float(np.mean([tuple(row) in known for row in rows])), "all")
