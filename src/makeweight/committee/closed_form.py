"""A classifier in closed form: nothing is trained, and ten rows of a class are enough."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Self

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.covariance import ledoit_wolf

from makeweight.committee.boosted import frequent_codes
from makeweight.generators.rows.scores import NormalScores
from makeweight.table import Column, Schema
from makeweight.table.reading import FrameReader

__all__ = ["ClosedForm"]

#: Standard deviation of the kernel, in normal scores; rows that the average density of a cell is worth.
BANDWIDTH, PRIOR_ROWS = 0.35, 4.0
#: How fast a row's vote falls with its mean similarity, and half a vote for every class.
SHARPNESS, HALF = 10.0, 0.5
#: What discriminant, kernel evidence and kernel vote weigh; their sum is over-confident at one each.
DISCRIMINANT, EVIDENCE, VOTE = 0.5, 0.25, 0.3
#: Log-odds that each of the three may reach.
MOST_ODDS = 10.0
#: Distance of the nodes on which a kernel is summed, in bandwidths: the sum is exact to one part in ten thousand.
NODE_STEP = 0.5**0.5
#: Of a kernel at a node; products of smaller ones would be numbers that processors are a hundred times slower with.
LEAST_BUMP = 1e-15
#: Values that are compared at once.
BLOCK = 2_000_000


class ClosedForm(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Class probabilities from a linear discriminant, kernel densities per column, and the votes of similar rows.

    Every part shares between classes what rare classes cannot estimate: one covariance of all classes, one density per
    column that a class's own rows correct, one similarity.

    Parameters
    ----------
    schema : Schema
        Of the features of all rows that it may be fitted to.
    most_rows : int, default=1500
        Rows to compare with: of every class an equal share, and of a class that has fewer, all.
    random_state : int, optional
        Decides which rows are compared with where there are more.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)

    Notes
    -----
    Log-probability of class c, up to a constant, is the sum of the log prior and

    * .5 times the discriminant on normal scores, with Ledoit and Wolf's covariance;
    * .25 times the sum over columns of log (s_c + 4 d) / (n_c + 4): s_c is the kernel sum over rows of c, d the kernel
      density of all rows;
    * .3 times the log of the votes, exp(10 similarity), that rows of c have.

    The factors below one make up for the dependence of columns **[derived]**.

    Examples
    --------
    >>> X = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": [1.5, 2.5, 3.5, 4.5] * 10})
    >>> y = np.array([0, 1] * 20)
    >>> ClosedForm(Schema.infer(X)).fit(X, y).predict(X[:2])
    array([0, 1])
    """

    def __init__(self, schema: Schema, most_rows: int = 1500, random_state: int | None = None) -> None:
        self.schema = schema
        self.most_rows = most_rows
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Keep the rows, and learn scale, covariance and class means.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            With the columns of `schema`.
        y : ndarray of shape (n,)
        sample_weight : ndarray of shape (n,), optional
        """
        weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        shares = np.bincount(codes, weights=weights)
        self._log_prior = np.log(shares / shares.sum())
        self._reader = FrameReader([column for column in self.schema.features if column.is_learned])
        self._scores: dict[Hashable, NormalScores] = {}
        for column, values in zip(self._reader.columns, self._reader.read(X), strict=True):
            if column.kind.is_numeric and not np.isnan(values).all():
                self._scores[column.name] = NormalScores.fit(values[~np.isnan(values)])
        cells = self._cells(X)
        self._frequent = [
            np.empty(0) if column.kind.is_numeric else frequent_codes(column, values)
            for column, values in zip(self._reader.columns, cells, strict=True)
        ]
        self._discriminant(self._design(cells, len(X)), codes, weights)
        kept = even_rows(codes, self.most_rows, self.random_state)
        scale = np.bincount(codes, weights=weights) / np.bincount(codes[kept], weights=weights[kept])
        self._points = [
            _points(column, values, kept) for column, values in zip(self._reader.columns, cells, strict=True)
        ]
        # A kept row stands for those of its class that are not; evidence is relative, so only ratios count.
        self._votes = np.zeros((len(kept), len(self.classes_)))
        self._votes[np.arange(len(kept)), codes[kept]] = (weights * scale[codes])[kept]
        self._votes *= len(X) / weights.sum()
        context = self._features([values[kept] for values in cells])
        self._of_classes = [features.T @ self._votes.astype(np.float32) for features in context]
        self._context = np.concatenate(context, axis=1) if context else np.zeros((len(kept), 1), np.float32)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return probabilities of shape (n, k)."""
        cells = self._cells(X)
        odds = self._log_prior + DISCRIMINANT * _bounded(self._design(cells, len(X)) @ self._slopes + self._offsets)
        step = max(1, BLOCK // len(self._votes))
        for start in range(0, len(X), step):
            rows = slice(start, start + step)
            evidence, vote = self._kernels([values[rows] for values in cells], len(odds[rows]))
            odds[rows] += EVIDENCE * _bounded(evidence) + VOTE * _bounded(vote)
        return np.asarray(softmax(odds, axis=1))

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[likeliest])

    def _cells(self, X: pd.DataFrame) -> list[np.ndarray]:
        """Return normal scores with NaN where missing, or codes with -1."""
        cells = []
        for column, values in zip(self._reader.columns, self._reader.read(X), strict=True):
            if column.name in self._scores:
                values = self._scores[column.name].transform(values, np.full(len(values), 0.5))
            cells.append(values)
        return cells

    def _design(self, cells: list[np.ndarray], n: int) -> np.ndarray:
        """Return numbers for the discriminant: scores, indicators of missing values and of categories."""
        parts = []
        for column, values, frequent in zip(self._reader.columns, cells, self._frequent, strict=True):
            if column.kind.is_numeric:
                missing = np.isnan(values)
                parts.append(np.where(missing, 0.0, values)[:, None])
                if column.n_missing:
                    parts.append(missing[:, None].astype(np.float64))
            else:
                parts.append((values[:, None] == frequent).astype(np.float64))
        return np.concatenate(parts, axis=1) if parts else np.zeros((n, 1))

    def _discriminant(self, design: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> None:
        k = len(self.classes_)
        membership = (codes[:, None] == np.arange(k)) * weights[:, None]
        centre = weights @ design / weights.sum()
        # One further row at the centre, so that a class of few rows does not claim what chance gave it.
        means = (membership.T @ design + centre) / (membership.sum(axis=0) + 1.0)[:, None]
        within = (design - means[codes]) * np.sqrt(weights / weights.mean())[:, None]
        covariance, _ = ledoit_wolf(within, assume_centered=True)
        covariance[np.diag_indices_from(covariance)] += 1e-3
        self._slopes = np.linalg.solve(covariance, means.T)
        self._offsets = -0.5 * (means.T * self._slopes).sum(axis=0)

    def _features(self, cells: list[np.ndarray]) -> list[np.ndarray]:
        """Return per column an array of shape (n, f); inner products of two rows are their kernel."""
        return [
            _on_nodes(values, points) if column.kind.is_numeric else (values[:, None] == points).astype(np.float32)
            for column, values, points in zip(self._reader.columns, cells, self._points, strict=True)
        ]

    def _kernels(self, cells: list[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum over columns of log-densities by class, and log vote shares, each of shape (n, k)."""
        mass, votes = self._votes.sum(axis=0), self._votes.astype(np.float32)
        evidence, features = np.zeros((n, len(mass))), self._features(cells)
        for query, of_classes in zip(features, self._of_classes, strict=True):
            sums = (query @ of_classes).astype(np.float64)
            common = (sums.sum(axis=1, keepdims=True) + 0.01) / mass.sum()
            evidence += np.log((sums + PRIOR_ROWS * common) / (mass + PRIOR_ROWS))
        similarity = (np.concatenate(features, axis=1) if features else np.zeros((n, 1), np.float32)) @ self._context.T
        similarity *= SHARPNESS / max(1, len(cells))
        similarity -= similarity.max(axis=1, keepdims=True)
        shares = np.exp(similarity, out=similarity) @ votes
        return evidence, np.log((shares.astype(np.float64) + HALF) / (mass + HALF))


def even_rows(codes: np.ndarray, most: int, seed: int | None) -> np.ndarray:
    """Return the positions of at most so many rows, ascending: as many of every class as it has, the rest by chance.

    `codes` of shape (n,): of the classes.

    >>> even_rows(np.array([0, 0, 0, 0, 1, 1]), 4, 0)[2:]
    array([4, 5])
    """
    if len(codes) <= most:
        return np.arange(len(codes))
    rng = np.random.default_rng(seed)
    count = int(codes.max()) + 1
    share, order = most // count, rng.permutation(len(codes))
    place = np.empty(len(codes), dtype=np.int64)
    for code in range(count):
        mine = order[codes[order] == code]
        place[mine] = np.arange(len(mine))
    spare = most - int((place < share).sum())
    rest = np.flatnonzero(place >= share)
    return np.sort(np.concatenate([np.flatnonzero(place < share), rng.permutation(rest)[:spare]]))


def _points(column: Column, values: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return what a column's kernel is summed over: nodes between scores, or the codes of the rows that are kept."""
    if not column.kind.is_numeric:
        return np.unique(values[kept])
    reach = np.nanmax(np.abs(values), initial=0.0) + 2 * BANDWIDTH
    step = NODE_STEP * BANDWIDTH
    most = int(np.ceil(reach / step))
    return step * np.arange(-most, most + 1)


def _on_nodes(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Return half a kernel at every node, and whether the value is missing.

    exp(-(x - y)^2 / 2h^2) is the sum over nodes g of exp(-(x - g)^2 / h^2) exp(-(y - g)^2 / h^2), times a constant.
    """
    missing = np.isnan(values)
    distance = np.subtract.outer(np.where(missing, 0.0, values), nodes) / BANDWIDTH
    bumps = np.exp(-np.square(distance)) * np.sqrt(NODE_STEP / np.sqrt(np.pi / 2))
    bumps[missing] = 0.0
    bumps[bumps < LEAST_BUMP] = 0.0
    return np.concatenate([bumps, missing[:, None]], axis=1).astype(np.float32)


def _bounded(odds: np.ndarray) -> np.ndarray:
    """Return log-odds against the likeliest class, none lower than the bound."""
    return np.asarray(np.maximum(odds - odds.max(axis=1, keepdims=True), -MOST_ODDS))
