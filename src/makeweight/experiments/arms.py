"""Arms that see the same rows: what each makes of a training table, and what a classifier then predicts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight.experiments.judging import readout
from makeweight.experiments.written import balanced_rows
from makeweight.measure.learners import fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities
from makeweight.measure.splits import Strata
from makeweight.measure.training import balancing_weights, undersampled
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.theory import logit_shift

__all__ = ["NOTHING", "UNDERSAMPLE", "WEIGHTS", "Trained", "out_of_fold", "readouts", "train_arm"]

NOTHING, WEIGHTS, UNDERSAMPLE = "nothing", "weights", "undersample"


@dataclass(frozen=True, eq=False)
class Trained:
    """Training rows of an arm.

    Attributes
    ----------
    rows : DataFrame
    weights : ndarray of shape (n,)
    synthetic : DataFrame
        Those of the rows that an arm added.
    """

    rows: pd.DataFrame
    weights: np.ndarray
    synthetic: pd.DataFrame


def train_arm(
    arm: str,
    frame: pd.DataFrame,
    label: str,
    group_by: Sequence[str],
    seed: int,
    external: pd.DataFrame | None = None,
) -> Trained:
    """Return what an arm makes of the rows that it may see.

    Parameters
    ----------
    arm : str
        ``nothing``, ``weights``, ``undersample``, or a generator, which is fitted to these rows and brings
        every group up to the largest.
    frame : DataFrame
    label : str
    group_by : sequence of str
    seed : int
    external : DataFrame, optional
        Rows from elsewhere; the arm then is to add them, whatever its name.
    """
    frame = frame.reset_index(drop=True)
    ones, none = np.ones(len(frame)), frame.iloc[:0]
    if external is not None:
        rows = pd.concat([frame, external], ignore_index=True)
        return Trained(rows, np.ones(len(rows)), external)
    if arm == NOTHING:
        return Trained(frame, ones, none)
    if arm in (WEIGHTS, UNDERSAMPLE):
        codes = Groups(Table(frame, Schema.infer(frame, target=label, group_by=group_by))).codes
        if arm == WEIGHTS:
            return Trained(frame, balancing_weights(codes), none)
        rows = frame.iloc[undersampled(codes, np.random.default_rng(seed))].reset_index(drop=True)
        return Trained(rows, np.ones(len(rows)), none)
    made = balanced_rows(arm, frame, label, group_by, seed).frame[frame.columns]
    rows = pd.concat([frame, made], ignore_index=True)
    return Trained(rows, np.ones(len(rows)), made)


def predict(
    trained: Trained, rows: pd.DataFrame, label: str, learners: Sequence[str], seed: int
) -> dict[str, np.ndarray]:
    """Return every classifier's probabilities of label 1 for some rows."""
    X, y = trained.rows.drop(columns=label).to_numpy(np.float64), trained.rows[label].to_numpy(np.int64)
    held = rows.drop(columns=label).to_numpy(np.float64)
    found = {}
    for name in learners:
        model = fit_estimator(_learner(name, seed, len(X)), X, y, trained.weights, seed)
        found[name] = probabilities(model, held, np.array([0, 1]))[:, 1]
    return found


def _learner(name: str, seed: int, n_rows: int) -> Any:
    """Return a classifier of `makeweight.measure`, or a small neural network."""
    if name != "mlp":
        return make_learner(name, seed, n_rows)
    network = MLPClassifier((64, 64), early_stopping=False, max_iter=200, random_state=seed)
    return make_pipeline(StandardScaler(), network)


def out_of_fold(
    arm: str,
    frame: pd.DataFrame,
    label: str,
    group_by: Sequence[str],
    learners: Sequence[str],
    seed: int,
    folds: int,
    external: pd.DataFrame | None = None,
) -> dict[str, np.ndarray]:
    """Return every classifier's probabilities for the training rows, each by a fit without its fold.

    A generator is fitted inside each fold: rows that were written after looking at a held-out row would make
    the calibration over-confident.
    """
    frame = frame.reset_index(drop=True)
    strata = Strata.of(Table(frame, Schema.infer(frame, target=label, group_by=group_by)))
    assigned = strata.assign(folds, np.random.default_rng([seed, zlib.crc32(b"folds")]))
    found = {name: np.empty(len(frame)) for name in learners}
    for fold in range(folds):
        held = assigned == fold
        trained = train_arm(arm, frame[~held], label, group_by, seed, external)
        for name, predicted in predict(trained, frame[held], label, learners, seed).items():
            found[name][held] = predicted
    return found


def readouts(
    arm: str, trained: Trained, labels: np.ndarray, probabilities: np.ndarray, held_out: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what is done to an arm's probabilities: nothing, a logit shift, balanced Platt scaling.

    Parameters
    ----------
    arm : str
        Only ``nothing`` is shifted: the others are balanced already.
    trained : Trained
    labels : ndarray of int
        Of the training rows.
    probabilities : ndarray
        Of the rows to judge.
    held_out : ndarray
        Out-of-fold probabilities of the training rows.
    """
    made = {"as is": probabilities, "platt": readout(probabilities, held_out, labels)}
    if arm == NOTHING:
        shares = np.bincount(labels) / len(labels)
        made["shift"] = np.asarray(logit_shift(shares).apply(probabilities))
    return made
