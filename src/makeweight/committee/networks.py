"""Pretrained networks as members of a committee: they read labelled rows as context, and nothing is trained."""

from __future__ import annotations

import abc
import copy
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from makeweight.committee.closed_form import even_rows
from makeweight.errors import FileProblem
from makeweight.plan import Target
from makeweight.table import Schema, Table
from makeweight.table.reading import FrameReader

__all__ = ["GeneratorLabels", "LabelNetwork"]

#: Column that the labels get beside the features.
LABEL = "label"


class _Reader(abc.ABC, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What both networks share: classes, and their shares under the sample weights."""

    schema: Schema
    classes_: np.ndarray

    def _know(self, y: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
        """Remember columns, classes and shares, and return the labels' codes."""
        self._names = list(self.schema.names)  # the schema itself is not kept with a saved model
        self.classes_, codes = np.unique(y, return_inverse=True)
        shares = np.bincount(codes, weights=sample_weight)
        self._shares = shares / shares.sum()
        return codes

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likeliest classes, shape (n,)."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return probabilities of shape (n, k) at the classes' weighted shares."""
        weighed = self._even(X[self._names].reset_index(drop=True)) * self._shares
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    @abc.abstractmethod
    def _even(self, X: pd.DataFrame) -> np.ndarray:
        """Return probabilities up to a factor per row, as if every class were equally frequent."""


class GeneratorLabels(_Reader):
    """Class probabilities from a generator that can say what a row is.

    The default generator's network does so by Bayes' rule, p(row | class) times the class's share. That costs 3 ms
    of one core per row, class and column order, so it is for tables with few rows.

    `schema`: of the features of all rows that it may be fitted to. `generator`: with ``label``; a copy of it is fitted.

    `classes_` of shape (k,).

    Sample weights are heard as the classes' shares, and not within a class.

    >>> from makeweight.generators.transformer.generator import InContextTransformer
    >>> X = pd.DataFrame({"size": [1.5, 2.5, 1.25, 2.75] * 5})
    >>> GeneratorLabels(Schema.infer(X), InContextTransformer(orders=1), 0).fit(X, np.array([0, 1] * 10)).predict(X[:2])
    array([0, 1])
    """

    def __init__(self, schema: Schema, generator: Any, random_state: int | None = None) -> None:
        self.schema = schema
        self.generator = generator
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Fit a copy of the generator to the rows.

        `X` of shape (n, d): with the columns of `schema`. `y` of shape (n,), `sample_weight` of shape (n,).
        """
        codes = self._know(y, sample_weight)
        label = LABEL
        while label in self.schema.names:
            label += "_"
        # Text of one length, so that class 10 does not come before class 2.
        frame = X[self.schema.names].reset_index(drop=True).assign(**{label: [f"{code:06d}" for code in codes]})
        kinds = {column.name: column.stated for column in self.schema.columns} | {label: "categorical"}
        table = Table(frame, Target(label, (), kinds).schema(frame))
        rng = np.random.default_rng(self.random_state)
        self._fitted = copy.deepcopy(self.generator).fit(table, rng=rng)
        self._counts = np.bincount(codes)
        return self

    def _even(self, X: pd.DataFrame) -> np.ndarray:
        return np.asarray(self._fitted.label(X)) / self._counts


class LabelNetwork(_Reader):
    """Class probabilities from the network of labels, which is trained to label rows by labelled rows.

    `schema`: of the features of all rows that it may be fitted to. `weights`: a file that ``makeweight pretrain
    --network labels`` wrote; by default that of the package. `most_rows`: to read, as many of every class as there are.

    `classes_` of shape (k,).

    Sample weights are heard as the classes' shares, and not within a class.

    >>> import tempfile
    >>> from makeweight.generators.transformer.labels import weights
    >>> from makeweight.generators.transformer.labels.config import LabelModelConfig
    >>> from makeweight.generators.transformer.labels.model import untrained
    >>> path = Path(tempfile.mkdtemp()) / "labels.safetensors"
    >>> weights.save(untrained(LabelModelConfig(), np.random.default_rng(0)), path, weights.LabelWeights())
    >>> X = pd.DataFrame({"size": [1.5, 2.5, 1.25, 2.75] * 10})
    >>> LabelNetwork(Schema.infer(X), path, 0).fit(X, np.array([0, 1] * 20)).predict(X[:2])
    array([0, 1])
    """

    def __init__(
        self,
        schema: Schema,
        weights: str | Path | None = None,
        random_state: int | None = None,
        *,
        most_rows: int = 1000,
    ) -> None:
        self.schema = schema
        self.weights = weights
        self.random_state = random_state
        self.most_rows = most_rows

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """Keep the rows, and load the network.

        `X` of shape (n, d): with the columns of `schema`. `y` of shape (n,), `sample_weight` of shape (n,).
        """
        self._digest = _loaded(self._file())[1]
        codes = self._know(y, sample_weight)
        kept = even_rows(codes, self.most_rows, self.random_state)
        self._codes = codes[kept]
        self._reader = FrameReader([column for column in self.schema.features if column.is_learned])
        self._known = self._numbers(X.iloc[kept])
        return self

    def _numbers(self, X: pd.DataFrame) -> np.ndarray:
        """Return numbers and codes, NaN where missing."""
        parts = [values.astype(np.float64) for values in self._reader.read(X)]
        for column, values in zip(self._reader.columns, parts, strict=True):
            if column.kind.is_coded:
                values[values < 0] = np.nan
        return np.column_stack(parts) if parts else np.zeros((len(X), 1))

    def _file(self) -> Path:
        return label_weights() if self.weights is None else Path(self.weights)

    def _even(self, X: pd.DataFrame) -> np.ndarray:
        from makeweight.generators.transformer.labels.predict import label_probabilities

        coded = np.array([column.kind.is_coded for column in self._reader.columns] or [False])
        model, digest = _loaded(self._file())
        if digest != self._digest:
            raise FileProblem(
                "the network of labels has other weights than when this member was fitted",
                where=str(self._file()),
                got=f"SHA-256 {digest[:12]}…",
                expected=f"{self._digest[:12]}…",
                hint="fit again, or install the version of makeweight that fitted it",
            )
        p = label_probabilities(
            model, self._known, coded, self._codes, self._numbers(X), random_state=self.random_state or 0
        )
        return np.asarray(p / np.bincount(self._codes))


@lru_cache(maxsize=4)
def _loaded(path: Path) -> tuple[Any, str]:
    """Return the network of a file and the SHA-256 of its weights, read once per process: a member keeps rows alone."""
    from makeweight.generators.transformer.labels import weights

    check_label_weights(path)
    return weights.load(path)[0], hashlib.sha256(path.read_bytes()).hexdigest()


def label_weights() -> Path:
    """Return where the weights of the network of labels are when the package has some."""
    from makeweight.generators.transformer.manifest import embedded

    return embedded() / "labels.safetensors"


def check_label_weights(path: Path) -> None:
    """Refuse to go on without weights."""
    if not path.is_file():
        raise FileProblem(
            "there are no weights of the network of labels",
            where=str(path),
            hint="leave out the member 'network', or train some with `makeweight pretrain --network labels` and give "
            "('network', LabelNetwork(schema, weights=FILE))",
        )
