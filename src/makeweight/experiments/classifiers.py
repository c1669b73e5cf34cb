"""Classifiers as the published experiments had them, whatever version of their library is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from makeweight.errors import OptionError, nearest
from makeweight.measure.learners import make_learner

N_TREES = 100


class WeightedForest:
    """A random forest in which weights multiply the counts of a uniform bootstrap.

    So did scikit-learn's when the published experiments were run. Later versions draw the bootstrap with
    probabilities in proportion to the weights, which is another forest. Without weights both are the same.

    >>> from sklearn.ensemble import RandomForestClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3)).astype(np.float32)
    >>> y = (X[:, 0] > 0).astype(int)
    >>> theirs = RandomForestClassifier(criterion="entropy", random_state=1).fit(X, y)
    >>> bool((WeightedForest(1).fit(X, y).predict_proba(X) == theirs.predict_proba(X)).all())
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Grow the trees."""
        rows = np.asarray(X, dtype=np.float32)
        n = len(rows)
        weights = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        # The streams of scikit-learn's forests, which the published numbers come from.
        seeds = np.random.RandomState(self.seed)
        self.trees_ = []
        for _ in range(N_TREES):
            seed = seeds.randint(np.iinfo(np.int32).max)
            drawn = np.random.RandomState(seed).randint(0, n, n, dtype=np.int32)
            counts = np.bincount(drawn, minlength=n)
            tree = DecisionTreeClassifier(criterion="entropy", max_features="sqrt", random_state=seed)
            self.trees_.append(tree.fit(rows, y, sample_weight=weights * counts))
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the mean of the trees' probabilities, shape (n, k)."""
        rows = np.asarray(X, dtype=np.float32)
        total = np.zeros((len(rows), self.trees_[0].n_classes_))
        for tree in self.trees_:
            total += tree.predict_proba(rows)
        return np.asarray(total / N_TREES)


class EarlierXgb:
    """XGBoost at its defaults, starting where versions 1.6 to 3.0 started.

    Those took one Newton step from even odds, 4 (share - 1/2) on the scale of log-odds, as the first
    prediction; later versions take the log-odds of the share itself. On balanced rows both start at zero.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Any:
        """Fit, and return the fitted XGBoost classifier."""
        share = float(np.average(y, weights=sample_weight))
        start = 1 / (1 + np.exp(-4 * (share - 0.5)))
        model = make_learner("xgb-default", self.seed, len(y)).set_params(base_score=start)
        return model.fit(X, y, sample_weight=sample_weight)


PUBLISHED: dict[str, Callable[[int], Any]] = {
    "rf": WeightedForest,
    "xgb": EarlierXgb,
    "lr": lambda seed: LogisticRegression(random_state=seed, max_iter=1000),
}


def published_classifier(name: str, seed: int) -> Any:
    """Return a classifier of `PUBLISHED`; an OptionError where there is none of that name."""
    if name not in PUBLISHED:
        raise OptionError("unknown classifier", got=repr(name), hint=nearest(name, PUBLISHED))
    return PUBLISHED[name](seed)
