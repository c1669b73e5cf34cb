"""What is given to a scikit-learn estimator: features, labels and groups, as one frame and back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, validate_data

from makeweight.errors import SchemaError
from makeweight.table.containers import append_rows, append_values, to_frame, to_series, with_plain_names
from makeweight.table.kinds._values import dense
from makeweight.table.schema import check_frame, column_names

__all__ = ["LabelledRows", "read_features", "remember_columns", "take_rows"]


class LabelledRows:
    """One frame of features, target and attributes, and the way back to what was given.

    `estimator`: it remembers the number of columns of X, and their names. `X` of shape (n, d), `y` of shape (n,).
    `groups` of shape (n,): attributes that are not columns of X. `group_by`: attributes among the columns of X.

    `X`: as given; checked, and an array where it was a list. `frame` of shape (n, d + 1 + n_attributes): features,
    target and attributes. `names`: features. `repeated`: those of `groups` that are features all the same, with the
    feature's name. `classes`: positions of the ones, where y has one-hot rows.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, groups: Any, group_by: Any = None) -> None:
        self.X, self.y = _checked_features(estimator, X), y
        self.is_list = isinstance(X, list | tuple)
        given = to_frame(self.X)
        features = with_plain_names(given)
        self.names = list(features.columns)
        self._plain_names: dict[Any, Hashable] = dict(zip(given.columns, self.names, strict=True))
        labels, self.classes = _labels(y, len(features))
        self.labels = dense(labels)
        self.frame = features.copy(deep=False)
        self.target = _free_name(self.labels.name, "target", self.names)
        self.frame[self.target] = self.labels.set_axis(self.frame.index)
        self.attributes = [self._plain_names.get(name, name) for name in column_names(group_by, given.columns)]
        self.repeated: dict[Hashable, Hashable] = {}
        for name, values in _group_columns(groups, len(features)).items():
            attribute = _free_name(name, "group", list(self.frame.columns))
            self.frame[attribute] = values.array
            self.attributes.append(attribute)
            if name in self.names and _same_values(self.frame[name], self.frame[attribute]):
                self.repeated[attribute] = name

    def stated(self, kinds: Mapping[Any, str] | None) -> dict[Hashable, str]:
        """Return stated kinds by the names that the frame has, which stand for any labels of columns."""
        return {self._plain_names.get(name, name): kind for name, kind in (kinds or {}).items()}

    def check_labels(self) -> None:
        """Refuse targets that are no labels."""
        if self.classes is not None:
            return
        values = self.labels.to_numpy()
        kind = pd.api.types.infer_dtype(self.labels, skipna=True)
        if kind not in ("string", "boolean", "integer", "floating", "mixed-integer", "mixed-integer-float", "complex"):
            values = pd.factorize(self.labels)[0]  # dates, Decimals and other objects are labels like texts
        elif values.dtype == object and kind in ("integer", "floating"):
            values = values.astype(np.float64)  # also NumPy's scalars
        check_classification_targets(values)

    def extend(self, rows: pd.DataFrame) -> tuple[Any, Any]:
        """Put synthetic rows below the real ones, in the containers that were given."""
        X = append_rows(self.X, rows[self.names])
        labels = rows[self.target]
        if self.classes is not None:
            new = np.eye(len(self.classes), dtype=np.asarray(self.y).dtype)[labels.to_numpy(dtype=np.int64)]
            return X, np.concatenate([np.asarray(self.y), new])
        if _is_table(self.y):
            return X, append_rows(self.y, labels.to_frame(to_frame(self.y).columns[0]))
        return (X.tolist() if self.is_list else X), append_values(self.y, labels)


def remember_columns(estimator: BaseEstimator, fitted: BaseEstimator) -> None:
    """Let an estimator know the columns of X that another was fitted to."""
    estimator.n_features_in_ = fitted.n_features_in_
    if hasattr(fitted, "feature_names_in_"):
        estimator.feature_names_in_ = fitted.feature_names_in_
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def read_features(fitted: BaseEstimator, X: Any) -> Any:
    """Return rows to predict, checked for the columns that an estimator was fitted to.

    `X` of shape (n, d).
    """
    if hasattr(X, "column_names"):
        names = list(map(str, X.column_names))
        if names != list(map(str, fitted.feature_names_in_)):
            raise SchemaError(
                "columns are not those of fit", got=names, expected=list(map(str, fitted.feature_names_in_))
            )
        return X
    if not hasattr(X, "columns"):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=fitted, input_name="X")
    validate_data(fitted, X=X, reset=False, skip_check_array=True)
    return X


def take_rows(X: Any, rows: np.ndarray, *, fresh_index: bool = False) -> Any:
    """Return some rows of a table, or values of a column, in its container; a pandas one with a fresh index on request.

    >>> take_rows(np.array([[1], [2], [3]]), np.array([2, 0])).ravel()
    array([3, 1])
    >>> take_rows(["a", "b"], np.array([1, 1]))
    ['b', 'b']
    """
    if isinstance(X, pd.DataFrame | pd.Series):
        taken = X.iloc[rows]
        return taken.reset_index(drop=True) if fresh_index else taken
    if type(X).__module__ == "pyarrow.lib":
        return X.take(rows)
    if isinstance(X, list | tuple):
        return type(X)(X[row] for row in rows)
    return X[rows]


def _checked_features(estimator: Any, X: Any) -> Any:
    """Validate X as scikit-learn does, and remember its width and column names."""
    if scipy.sparse.issparse(X):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use '.toarray()' to convert it.")
    if not hasattr(X, "columns") and not hasattr(X, "column_names"):
        X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X")
    else:
        check_frame(to_frame(X))
    if hasattr(X, "column_names"):
        estimator.n_features_in_ = X.num_columns
        estimator.feature_names_in_ = np.asarray(X.column_names, dtype=object)
    elif len({isinstance(name, str) for name in getattr(X, "columns", ())}) > 1:
        estimator.n_features_in_ = X.shape[1]  # scikit-learn remembers names only where all are text
    else:
        validate_data(estimator, X=X, reset=True, skip_check_array=True)
    return X


def _labels(y: Any, n_rows: int) -> tuple[pd.Series, list[int] | None]:
    """Return the labels as one column; for one-hot rows the positions of the ones, and the classes."""
    if y is None:
        raise ValueError("This sampler requires y to be passed, but the target y is None.")
    if _is_table(y):
        frame = to_frame(y)
        if frame.shape[1] == 1:
            return to_series(frame.iloc[:, 0], n_rows), None
        y = frame.to_numpy()
    dimensions = getattr(y, "ndim", None) or (np.ndim(y) if isinstance(y, list | tuple) else 1)
    if dimensions == 1:
        return to_series(y, n_rows), None
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        return to_series(array[:, 0], n_rows), None
    if type_of_target(array).startswith("multilabel") and (array.sum(axis=1) == 1).all():
        return to_series(array.argmax(axis=1), n_rows), list(range(array.shape[1]))
    raise ValueError("Multilabel and multioutput targets are not supported.")


def _group_columns(groups: Any, n_rows: int) -> dict[Hashable, pd.Series]:
    if groups is None:
        return {}
    if _is_table(groups):
        frame = to_frame(groups)
        return {name: to_series(frame[name], n_rows) for name in frame.columns}
    if np.ndim(groups) == 2:
        array = np.asarray(groups)
        return {f"group{i}": to_series(array[:, i], n_rows) for i in range(array.shape[1])}
    series = to_series(groups, n_rows)
    return {getattr(groups, "name", None) or "group": series}


def _is_table(data: Any) -> bool:
    return hasattr(data, "columns") or hasattr(data, "column_names")


def _same_values(one: pd.Series, other: pd.Series) -> bool:
    """Return whether two columns hold the same, whatever carries it."""
    there = one.notna().to_numpy()
    if not np.array_equal(there, other.notna().to_numpy()):
        return False
    first, second = (values.to_numpy(dtype=object)[there] for values in (one, other))
    return bool(np.all(first == second))


def _free_name(name: Any, default: str, taken: Sequence[Hashable]) -> Hashable:
    free = default if name is None else name
    while free in taken:
        free = f"{free}_"
    return free
