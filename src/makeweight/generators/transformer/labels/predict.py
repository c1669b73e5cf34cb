"""Probabilities of labels of rows, by a context."""

from __future__ import annotations

from functools import partial

import numpy as np

from makeweight.errors import OptionError
from makeweight.generators.transformer.labels.evidence import collect
from makeweight.generators.transformer.labels.model import LabelModel, inputs_of
from makeweight.generators.transformer.threads import run_all

__all__ = ["label_probabilities"]

PART = 4_096  # rows that are labelled at once


def label_odds(
    model: LabelModel,
    known: np.ndarray,
    categorical: np.ndarray,
    label: np.ndarray,
    asked: np.ndarray,
    *,
    trees: int | None = None,
    random_state: int = 0,
) -> np.ndarray:
    """Log-ratio of the densities of rows under label 1 and label 0.

    `known` (shape (N, D)): rows whose label is known: numbers, codes from 0 on, NaN where missing. The order of columns
    means nothing. `categorical` (bool, shape (D,)): which columns hold codes. `label` (shape (N,)): 0 or 1. `asked`
    (shape (M, D)): rows to label; what is said of one does not depend on the others. `trees`: of the forest; as many as
    in training by default. `random_state`: draws the trees. Returns float64, shape (M,): log-odds of label 1 if both
    labels were equally frequent. Raises OptionError if a label has no row.

    >>> from makeweight.generators.transformer.labels.config import LabelModelConfig
    >>> from makeweight.generators.transformer.labels.model import untrained
    >>> x = np.linspace(-1, 1, 40)[:, None]
    >>> model = untrained(LabelModelConfig(), np.random.default_rng(0))
    >>> odds = label_odds(model, x, np.array([False]), x[:, 0] > 0, np.array([[-0.9], [0.9]]))
    >>> (odds > 0).tolist()
    [False, True]
    """
    if not 0 < label.sum() < len(label):
        raise OptionError("both labels need rows", where="label", got=f"{int(label.sum())} of {len(label)} rows are 1")
    given, count = label.astype(np.float32)[None], model.config.trees if trees is None else trees

    def odds(rows: np.ndarray) -> np.ndarray:
        values = np.concatenate([known, rows]).astype(np.float32)[None]
        rng = np.random.default_rng(random_state)  # the same trees for every part
        evidence = collect(values, np.asarray(categorical)[None], given, count, rng)
        return np.asarray(model(inputs_of(evidence, model.config.most_columns))[0].astype(np.float64))

    parts = [asked[start : start + PART] for start in range(0, len(asked), PART)]
    return np.concatenate([*run_all([partial(odds, rows) for rows in parts], 1), np.zeros(0)])


def label_probabilities(
    model: LabelModel,
    known: np.ndarray,
    categorical: np.ndarray,
    label: np.ndarray,
    asked: np.ndarray,
    *,
    trees: int | None = None,
    random_state: int = 0,
) -> np.ndarray:
    """Probabilities of several labels, each against the rest, at their shares among the known rows.

    `model`, `known`, `categorical`, `asked`, `trees`, `random_state`: as in :func:`label_odds`. `label` (int, shape
    (N,)): codes 0 … K−1, each with at least a row; K is 2 or more. Returns float64, shape (M, K): rows sum to one.

    >>> from makeweight.generators.transformer.labels.config import LabelModelConfig
    >>> from makeweight.generators.transformer.labels.model import untrained
    >>> x = np.linspace(-1, 1, 60)[:, None]
    >>> label = np.repeat([0, 1, 2], 20)
    >>> model = untrained(LabelModelConfig(), np.random.default_rng(0))
    >>> p = label_probabilities(model, x, np.array([False]), label, np.array([[-0.9], [0.0], [0.9]]))
    >>> p.argmax(1).tolist(), p.sum(1).round(6).tolist()
    ([0, 1, 2], [1.0, 1.0, 1.0])
    """
    count = int(label.max()) + 1
    options = range(1, 2) if count == 2 else range(count)
    against = []
    for code in options:
        own = label == code
        odds = label_odds(model, known, categorical, own, asked, trees=trees, random_state=random_state)
        against.append(1 / (1 + np.exp(-np.clip(odds + np.log(own.sum() / (~own).sum()), -30, 30))))
    if count == 2:
        return np.stack([1 - against[0], against[0]], 1)
    parts = np.stack(against, 1)
    shares: np.ndarray = parts / parts.sum(1, keepdims=True)
    return shares
