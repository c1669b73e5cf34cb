"""`ResampledClassifier`: a classifier on resampled rows, with their weights."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from makeweight._compat import HasMethods
from makeweight.errors import OptionError
from makeweight.labelled import read_features, remember_columns
from makeweight.measure.learners import fit_weighted, weight_keyword

__all__ = ["ResampledClassifier"]


def _has(name: str) -> Any:
    return available_if(lambda self: hasattr(getattr(self, "estimator_", self.estimator), name))


class ResampledClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit a classifier to the rows of a sampler with the weights it gives them.

    A pipeline hands on rows and labels alone, so what ``alpha``, ``synthetic_weight`` and ``soft_labels`` of
    `SyntheticOverSampler` say is lost in it. Here the weights reach the learner. It may be the last step of a
    pipeline, and `estimator` may be a pipeline, whose last step then gets the weights.

    Parameters
    ----------
    sampler : sampler
        With ``fit_resample``; rows are weighted where it has ``sample_weight_``.
    estimator : classifier
        That takes ``sample_weight``, where rows weigh differently.

    Attributes
    ----------
    sampler_ : sampler
    estimator_ : classifier
    classes_ : ndarray of shape (k,)
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has column names.

    Raises
    ------
    OptionError
        In `fit`, when rows weigh differently and `estimator` takes no weights.

    See Also
    --------
    makeweight.SyntheticClassifier : Chooses how many rows, and calibrates.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from makeweight import SyntheticOverSampler
    >>> X, y = make_classification(n_samples=200, weights=[0.9], random_state=0)
    >>> sampler = SyntheticOverSampler("smoothed-bootstrap", synthetic_weight=0.1, random_state=0)
    >>> ResampledClassifier(sampler, LogisticRegression()).fit(X, y).predict_proba(X[:2]).shape
    (2, 2)
    """

    # Grouping attributes are asked for by default, as scikit-learn's group splitters do.
    __metadata_request__fit = {"groups": True}  # noqa: RUF012

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - the name and form that scikit-learn reads
        "sampler": [HasMethods(["fit_resample"])],
        "estimator": [HasMethods(["fit", "predict"])],
    }

    def __init__(self, sampler: Any, estimator: Any) -> None:
        self.sampler = sampler
        self.estimator = estimator

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Self:
        """Resample, and fit the classifier with the weights of the rows.

        Parameters
        ----------
        X : {array-like, pandas or polars DataFrame, pyarrow Table} of shape (n, d)
        y : array-like of shape (n,)
        groups : array-like of shape (n,) or (n, n_attributes), optional
            For the sampler.

        Returns
        -------
        self
        """
        self._validate_params()
        self.sampler_ = clone(self.sampler)
        if getattr(self.sampler_, "gives_weights", False) and weight_keyword(self.estimator) is None:
            raise OptionError(
                "the estimator takes no weights of rows",
                got=type(self.estimator).__name__,
                expected="sample_weight in its fit",
                hint='weights="rows" in the sampler lets rows stand as often as they weigh',
            )
        if not hasattr(y, "dtype") and hasattr(y, "__array__"):
            y = np.asarray(y)
        X_res, y_res = self.sampler_.fit_resample(X, y, **({} if groups is None else {"groups": groups}))
        weights = getattr(self.sampler_, "sample_weight_", None)
        fresh = clone(self.estimator)
        self.estimator_ = fit_weighted(fresh, X_res, y_res, weights)
        self.classes_ = self.estimator_.classes_
        remember_columns(self, self.sampler_)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the classes that the classifier predicts, shape (n,)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(read_features(self, X)))

    @_has("predict_proba")  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classifier, shape (n, k), as it learned them: calibrate on real rows."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(read_features(self, X)))

    @_has("decision_function")  # type: ignore[untyped-decorator]
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the classifier's decision values, shape (n,) or (n, k)."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.decision_function(read_features(self, X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = deepcopy(inner.input_tags)
        tags.input_tags.sparse = False
        tags.input_tags.string = True  # rows are passed on as they come
        tags.classifier_tags = deepcopy(inner.classifier_tags)
        tags.non_deterministic = inner.non_deterministic
        return tags
