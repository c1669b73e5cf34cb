"""Labelled rows as a committee reads them: features as given, and as a frame whose kinds are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets

from makeweight.errors import OptionError
from makeweight.labelled import LabelledRows
from makeweight.measure.splits import Strata, refuse_one_class
from makeweight.plan import Groups, Target
from makeweight.table import Schema, Table
from makeweight.theory._checks import as_weights

__all__ = ["Attributes", "CommitteeRows"]


@dataclass(frozen=True, eq=False)
class Attributes:
    """Grouping attributes among the features.

    >>> attributes = Attributes(["sex"], pd.MultiIndex.from_tuples([("f",), ("m",)]))
    >>> attributes.codes(pd.DataFrame({"age": [31, 47, 25], "sex": ["m", "f", "x"]}))
    array([ 1,  0, -1])
    """

    names: list[Hashable]
    values: pd.MultiIndex  # those that the rows of ``fit`` have, once each

    @classmethod
    def of(cls, given: LabelledRows) -> Attributes | None:
        """Return the attributes of rows to learn from; None where there are none, or not all are among the features."""
        names = [given.repeated[name] for name in given.attributes if name in given.repeated]
        if not names or len(names) < len(given.attributes):
            return None
        return cls(names, pd.MultiIndex.from_frame(given.frame[names]).drop_duplicates())

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the numbers of the rows' groups, shape (n,); -1 where no row of ``fit`` was like it."""
        return np.asarray(self.values.get_indexer(pd.MultiIndex.from_frame(frame[self.names])))


@dataclass(frozen=True, eq=False)
class CommitteeRows:
    """Rows with labels, weights, and what must be split alike or kept together."""

    features: Any  # shape (n, d); as given
    frame: pd.DataFrame  # shape (n, d); the same
    kinds: dict[Any, str]  # found on all rows
    labels: np.ndarray  # shape (n,); positions in `classes`
    classes: np.ndarray  # shape (k,); sorted
    told: np.ndarray  # shape (k,); what members call the classes: the same, or numbers where no scikit-learn label
    weights: np.ndarray  # shape (n,)
    strata: Strata
    attributes: Attributes | None

    @classmethod
    def read(
        cls, estimator: Any, X: Any, y: Any, groups: Any, sample_weight: Any, kinds: Mapping[Any, Any] | None
    ) -> CommitteeRows:
        """Check what was given to an estimator's ``fit``; the estimator remembers the columns."""
        given = LabelledRows(estimator, X, y, groups)
        given.check_labels()
        table = Table(given.frame, Target(given.target, tuple(given.attributes), kinds or {}).schema(given.frame))
        cells = Groups(table)
        refuse_one_class(cells)
        labels, sorted_classes = pd.factorize(given.labels, sort=True)
        classes, weights = np.asarray(sorted_classes), as_weights(sample_weight, len(labels))
        _refuse_weightless(classes, labels, weights, given.target)
        return cls(
            given.X,
            given.frame[given.names].reset_index(drop=True),
            {column.name: column.stated for column in table.schema.features if column.name in set(given.names)},
            labels.astype(np.int64),
            classes,
            _told(classes),
            weights,
            Strata.of(table, cells).named([given.repeated.get(name, name) for name in cells.columns], cells.keys),
            Attributes.of(given),
        )

    def __len__(self) -> int:
        return len(self.labels)

    def schema_of(self, frame: pd.DataFrame) -> Schema:
        """Return the schema of some rows: kinds of all, ranges and categories of these."""
        return Schema.infer(frame, kinds=self.kinds)


def _told(classes: np.ndarray) -> np.ndarray:
    """Return what classifiers of scikit-learn take for labels.

    >>> _told(np.array(["no", "yes"])).tolist(), _told(np.array([1.0, 1.5])).tolist()
    (['no', 'yes'], [0, 1])
    """
    try:
        check_classification_targets(classes)
    except ValueError:
        return np.arange(len(classes))
    return classes


def _refuse_weightless(classes: np.ndarray, labels: np.ndarray, weights: np.ndarray, target: Hashable) -> None:
    mass = np.bincount(labels, weights=weights, minlength=len(classes))
    if mass.min() <= 0:
        raise OptionError(
            "rows of a class weigh nothing together",
            where=f"{target}={classes[mass.argmin()]}",
            got="sample_weight of zero for all of them",
            hint="leave the class out, or give its rows weights",
        )
