"""Classifiers by name or as they are brought, and how they are fitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

from makeweight.errors import MakeweightError, MissingDependency, OptionError, nearest
from makeweight.measure.matrix import Matrix
from makeweight.table import Schema, Table

__all__ = [
    "LEARNERS",
    "FrameClassifier",
    "Learner",
    "fit_estimator",
    "fit_weighted",
    "make_learner",
    "name_of",
    "named_learners",
    "reads_frame",
    "seeded",
    "weight_keyword",
]

#: What errors speak of that are about cells which are no numbers, in scikit-learn, XGBoost, LightGBM and CatBoost.
ABOUT_CELLS = re.compile(r"string|object|dtype|convert|NaN|missing|Timestamp|datetime", re.IGNORECASE)
#: Most rows that a tree of the quick forest is grown from.
TREE_ROWS = 3000


class Classifier(Protocol):
    """Any scikit-learn classifier with probabilities."""

    def fit(self, X: Any, y: Any) -> Any:
        """Learn from rows and labels."""
        ...

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities of the classes, shape (n, k)."""
        ...


#: A name of `LEARNERS`, or a classifier, unfitted.
Learner = str | Classifier


def _logistic(seed: int, n_rows: int) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))


def _forest(seed: int, n_rows: int) -> Any:
    share = min(1.0, TREE_ROWS / max(1, n_rows))
    return RandomForestClassifier(50, min_samples_leaf=3, max_samples=share, random_state=seed, n_jobs=1)


def _boosted(seed: int, n_rows: int) -> Any:
    return HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, early_stopping=False, random_state=seed)


def _shallow(seed: int, n_rows: int) -> Any:
    # Chosen on real tables of which none is reported (benchmarks/committee_members.py): depth 2 or 4, a rate of .03,
    # leaves of ten rows and more trees are within .004 of AUROC; the library's defaults are .018 behind.
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=150,
        max_depth=3,
        min_samples_leaf=5,
        l2_regularization=5.0,
        max_features=0.3,
        early_stopping=False,
        random_state=seed,
    )


def _xgb_default(seed: int, n_rows: int) -> Any:
    try:
        from xgboost import XGBClassifier
    except ImportError as error:
        raise MissingDependency(
            "the estimator 'xgb' needs a package that is not installed",
            got=str(error),
            hint="pip install xgboost, or use --estimator hgb",
        ) from error
    return XGBClassifier(random_state=seed, n_jobs=1)


def _xgb(seed: int, n_rows: int) -> Any:
    return _xgb_default(seed, n_rows).set_params(max_depth=3, learning_rate=0.1, n_estimators=100)


#: Name to a function from a seed and the number of training rows to a classifier.
LEARNERS: dict[str, Callable[[int, int], Any]] = {
    "lr": _logistic,
    "rf": _forest,
    "hgb": _boosted,
    "xgb": _xgb,
    "rf-default": lambda seed, n_rows: RandomForestClassifier(criterion="entropy", random_state=seed, n_jobs=1),
    "hgb-default": lambda seed, n_rows: HistGradientBoostingClassifier(random_state=seed),
    "xgb-default": _xgb_default,
    "rf5": lambda seed, n_rows: RandomForestClassifier(100, min_samples_leaf=5, random_state=seed, n_jobs=1),
    "hgb-shallow": _shallow,
}


def make_learner(learner: Learner, seed: int, n_rows: int) -> Any:
    """Return a fresh classifier.

    `learner`: "lr": logistic regression on standardised columns. "rf": forest of 50 trees with 3 rows per leaf, each
    tree grown from at most 3,000 rows. "hgb": 60 boosted trees of 15 leaves. "xgb": 100 trees of depth 3. "rf-default"
    (with entropy), "hgb-default", "xgb-default": at the settings of their libraries. "rf5": forest of 100 trees with 5
    rows per leaf. "hgb-shallow": 150 boosted trees of depth 3, each split from a third of the columns. A classifier is
    cloned. `seed`: for every random state that is open. `n_rows`: training rows.

    >>> make_learner("rf", 0, 12_000).max_samples
    0.25
    >>> make_learner(LogisticRegression(C=0.1), 7, 100)
    LogisticRegression(C=0.1, random_state=7)
    """
    if isinstance(learner, str):
        if learner not in LEARNERS:
            raise OptionError("unknown estimator", got=repr(learner), hint=nearest(learner, LEARNERS))
        return LEARNERS[learner](seed, n_rows)
    if not (hasattr(learner, "fit") and hasattr(learner, "predict_proba") and hasattr(learner, "get_params")):
        raise OptionError(
            "not an estimator",
            got=repr(learner),
            expected="a name, or a scikit-learn classifier with predict_proba",
            hint=f"names: {', '.join(LEARNERS)}",
        )
    return seeded(learner, seed)


def named_learners(estimators: Learner | Sequence[Learner] | Mapping[str, Learner]) -> dict[str, Learner]:
    """Return learners by name.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> named_learners(["lr", GaussianNB()])
    {'lr': 'lr', 'GaussianNB': GaussianNB()}
    """
    if isinstance(estimators, Mapping):
        named = dict(estimators)
    else:
        several: list[Any] = list(estimators) if isinstance(estimators, list | tuple | set) else [estimators]
        names = [one if isinstance(one, str) else name_of(one) for one in several]
        named = dict(zip(names, several, strict=True))
        if len(named) < len(names):
            raise OptionError(
                "two estimators have the same name", got=names, hint='name them: {"small": ..., "large": ...}'
            )
    if not named:
        raise OptionError("no estimator is asked for", hint="leave estimators at its default")
    for name in named:
        if not isinstance(name, str) or not name:
            raise OptionError("an estimator is named by a text", got=repr(name), hint='{"lgbm": LGBMClassifier()}')
    return named


def reads_frame(learner: Learner) -> bool:
    """Return whether a classifier chooses its columns by itself, and gets rows as they come instead of a matrix.

    >>> from sklearn.compose import make_column_transformer
    >>> chooses = make_column_transformer((StandardScaler(), ["age"]))
    >>> reads_frame(make_pipeline(chooses, LogisticRegression())), reads_frame("lr")
    (True, False)
    """
    if isinstance(learner, str) or not hasattr(learner, "get_params"):
        return False
    return any(isinstance(part, ColumnTransformer) for part in learner.get_params(deep=True).values())


def weight_keyword(estimator: Any) -> str | None:
    """Return the name under which an estimator's ``fit`` takes sample weights; None if it takes none.

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> weight_keyword(make_pipeline(LogisticRegression())), weight_keyword(KNeighborsClassifier())
    ('logisticregression__sample_weight', None)
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = weight_keyword(last)
        return None if inner is None else f"{name}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def seeded(estimator: Any, seed: int) -> Any:
    """Return a clone in which every random state that was left open is set.

    >>> from sklearn.linear_model import LogisticRegression
    >>> seeded(LogisticRegression(), 7).random_state
    7
    """
    fresh = clone(estimator)
    open_states = [
        name
        for name, value in fresh.get_params(deep=True).items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    ]
    return fresh.set_params(**dict.fromkeys(open_states, seed))


def fit_estimator(estimator: Any, X: Any, y: np.ndarray, weights: np.ndarray, seed: int) -> Any:
    """Return a fitted clone of an estimator, with weights where they differ from one; they may be negative.

    The seed is for random states that are None. Weights that the estimator does not take are an OptionError.

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> X, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    >>> fit_estimator(KNeighborsClassifier(1), X, y, np.array([1.0, 0.5]), 0)
    Traceback (most recent call last):
    ...
    makeweight.errors.OptionError: KNeighborsClassifier takes no sample_weight, and rows need weights...
    """
    return fit_weighted(seeded(estimator, seed), X, y, weights)


def fit_weighted(fresh: Any, X: Any, y: Any, weights: np.ndarray | None) -> Any:
    """Fit an estimator, with weights where they differ from one, and return it.

    An OptionError names the columns of a frame that it cannot read: text, dates, or missing values. Where the estimator
    chooses its columns, or its error is about something else, that stays as it is.
    """
    plain = weights is None or bool(np.all(weights == 1.0))
    keyword = None if plain else weight_keyword(fresh)
    if keyword is None and not plain:
        raise OptionError(
            f"{name_of(fresh)} takes no sample_weight, and rows need weights other than one",
            hint="take an estimator that does, or leave out what weighs rows: sample_weight, groups, alpha, augment or "
            "bias_correction",
        )
    try:
        if keyword is None:
            return fresh.fit(X, y)
        # These weights are ours, not the user's: they go to the last step whatever was asked to be routed.
        with config_context(enable_metadata_routing=False):
            return fresh.fit(X, y, **{keyword: weights})
    except (TypeError, ValueError) as error:
        unread = {} if reads_frame(fresh) or not ABOUT_CELLS.search(str(error)) else _unread_columns(X)
        if not unread or isinstance(error, MakeweightError):
            raise
        raise _refusal(fresh, unread, error) from error


def _unread_columns(X: Any) -> dict[str, list[Any]]:
    """Return the columns of a frame that few estimators read, by what is in them."""
    unread: dict[str, list[Any]] = {"text": [], "dates or times": [], "missing values": []}
    for name, dtype in zip(X.columns, X.dtypes, strict=True) if isinstance(X, pd.DataFrame) else ():
        if dtype.kind in "mM":
            unread["dates or times"].append(name)
        elif dtype.kind not in "biufc":
            unread["text"].append(name)
        elif X[name].isna().any():
            unread["missing values"].append(name)
    return {what: names for what, names in unread.items() if names}


def _refusal(estimator: Any, unread: Mapping[str, list[Any]], error: Exception) -> OptionError:
    """Return an error that names columns, and what to put before the estimator."""
    steps = {
        "text": "OneHotEncoder(handle_unknown='ignore')",
        "dates or times": "FunctionTransformer(lambda X: X.astype('int64'))",
        "missing values": "SimpleImputer()",
    }
    name = name_of(estimator)
    before = ", ".join(f"({steps[what]}, {names!r})" for what, names in unread.items())
    return OptionError(
        f"{name} could not be fitted to these columns",
        where="; ".join(f"{what} in {', '.join(map(repr, names))}" for what, names in unread.items()),
        got=str(error).splitlines()[0],
        hint=f"make_pipeline(make_column_transformer({before}, remainder='passthrough'), {name}())",
    )


def name_of(estimator: BaseEstimator) -> str:
    """Return what an estimator is called: its class, and of a pipeline that of its last step.

    >>> from sklearn.linear_model import LogisticRegression
    >>> name_of(make_pipeline(StandardScaler(), LogisticRegression()))
    'LogisticRegression'
    """
    return name_of(estimator.steps[-1][1]) if isinstance(estimator, Pipeline) else type(estimator).__name__


class FrameClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A learner of `make_learner` on rows as they come: the matrix is read off the rows that it is fitted to.

    The schema is of the features of all rows that it may be fitted to.

    >>> X = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": [1.5, 2.5, 3.5, 4.5] * 10})
    >>> y = np.array([0, 1] * 20)
    >>> FrameClassifier("lr", Schema.infer(X), 0).fit(X, y).predict_proba(X[:2]).argmax(axis=1)
    array([0, 1])
    """

    def __init__(self, learner: Learner, schema: Schema, random_state: int | None = None) -> None:
        self.learner = learner
        self.schema = schema
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Fit the matrix and the classifier."""
        self.matrix_ = Matrix(Table(X, self.schema))
        seed = self.random_state or 0
        weights = np.ones(len(y)) if sample_weight is None else sample_weight
        model = make_learner(self.learner, seed, len(X))
        self.model_ = fit_estimator(model, self.matrix_.transform(X), np.asarray(y), weights, seed)
        self.classes_ = np.asarray(self.model_.classes_)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the classifier's probabilities, shape (n, k)."""
        return np.asarray(self.model_.predict_proba(self.matrix_.transform(X)))

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])
