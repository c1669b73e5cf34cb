"""The classifiers of a comparison: quick ones by default, library settings by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from makeweight.classifier.training import fit_estimator
from makeweight.errors import OptionError, nearest
from makeweight.evaluation.estimators import ESTIMATORS, Matrix, make_estimator
from makeweight.table import Schema, Table

__all__ = ["LEARNERS", "FrameClassifier", "make_learner", "softened"]

#: A tree of the quick forest is grown from at most so many rows.
TREE_ROWS = 3000
#: Share of the uniform distribution in every probability, so that each log-loss is finite.
UNIFORM_SHARE = 2e-3


def _forest(seed: int, n_rows: int) -> Any:
    return RandomForestClassifier(
        50, min_samples_leaf=3, max_samples=min(1.0, TREE_ROWS / n_rows), random_state=seed, n_jobs=1
    )


def _boosted(seed: int, n_rows: int) -> Any:
    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed)


def _xgb(seed: int, n_rows: int) -> Any:
    return make_estimator("xgb", seed).set_params(max_depth=3, learning_rate=0.1, n_estimators=100)


def _at_defaults(name: str) -> Callable[[int, int], Any]:
    return lambda seed, n_rows: make_estimator(name, seed)


#: Name to a function from a seed and the number of training rows to a classifier.
LEARNERS: dict[str, Callable[[int, int], Any]] = {
    "lr": lambda seed, n_rows: make_estimator("lr", seed),
    "rf": _forest,
    "hgb": _boosted,
    "xgb": _xgb,
    **{f"{name}-default": _at_defaults(name) for name in ESTIMATORS if name != "lr"},
}


def make_learner(name: str, seed: int, n_rows: int) -> Any:
    """Return a fresh classifier.

    Parameters
    ----------
    name : str
        "lr": logistic regression on standardised columns. "rf": forest of 50 trees with 3 rows per leaf, each
        tree grown from at most 3,000 rows. "hgb": 60 boosted trees of 15 leaves. "xgb": 100 trees of depth 3.
        "rf-default", "hgb-default", "xgb-default": at the settings of their libraries.
    seed : int
    n_rows : int
        Training rows.

    Returns
    -------
    scikit-learn classifier

    Raises
    ------
    OptionError
        When there is none of that name.
    MissingDependency
        When XGBoost is asked for and not installed.

    Examples
    --------
    >>> make_learner("rf", 0, 12_000).max_samples
    0.25
    """
    if name not in LEARNERS:
        raise OptionError("unknown estimator", got=repr(name), hint=nearest(name, LEARNERS))
    return LEARNERS[name](seed, n_rows)


def softened(model: Any, rows: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return probabilities mixed with 0.2 % of the uniform distribution.

    The mixture is finite on the log scale, and leaves the order of the rows as it is.

    Parameters
    ----------
    model : classifier
        Fitted; a class that it has not seen has probability zero before.
    rows : ndarray of shape (n, d)
    classes : ndarray of shape (k,)
        Sorted.

    Returns
    -------
    ndarray of shape (n, k)
    """
    found = np.zeros((len(rows), len(classes)))
    found[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(rows)
    return np.asarray((1 - UNIFORM_SHARE) * found + UNIFORM_SHARE / len(classes))


class FrameClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One of `LEARNERS` on rows as they come: the matrix is read off the rows that it is fitted to.

    Parameters
    ----------
    name : str
    schema : Schema
        Of the features of all rows that it may be fitted to.
    random_state : int or None

    Attributes
    ----------
    classes_ : ndarray of int, shape (k,)

    Examples
    --------
    >>> X = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": [1.5, 2.5, 3.5, 4.5] * 10})
    >>> y = np.array([0, 1] * 20)
    >>> FrameClassifier("lr", Schema.infer(X), 0).fit(X, y).predict_proba(X[:2]).argmax(axis=1)
    array([0, 1])
    """

    def __init__(self, name: str, schema: Schema, random_state: int | None = None) -> None:
        self.name = name
        self.schema = schema
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Fit the matrix and the classifier."""
        self.matrix_ = Matrix(Table(X, self.schema))
        seed = self.random_state or 0
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        model = make_learner(self.name, seed, len(X))
        self.model_ = fit_estimator(model, self.matrix_.transform(X), np.asarray(y), weights, seed)
        self.classes_ = np.asarray(self.model_.classes_)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return softened probabilities of shape (n, k)."""
        return softened(self.model_, self.matrix_.transform(X), self.classes_)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
