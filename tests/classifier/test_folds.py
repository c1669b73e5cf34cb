"""SyntheticClassifier: no row that is predicted has reached a generator."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from classifier_for_tests import QUICK, numbers
from generators_for_tests import Shuffler
from makeweight import SyntheticClassifier


class Witness(Shuffler):
    """Remembers which rows it learned from, and raises when a withheld one is among them."""

    seen: list
    withheld: set

    def fit(self, table, *, rng):
        rows = set(table.frame.iloc[:, 0])
        if rows & Witness.withheld:
            raise AssertionError("a withheld row reached the generator")
        Witness.seen.append((rows, table.schema[table.frame.columns[0]]))
        return super().fit(table, rng=rng)


class Guard(ClassifierMixin, BaseEstimator):
    """Predicts, and raises when the generator has seen what is predicted."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X):
        if Witness.seen and set(X[:, 0]) & Witness.seen[-1][0]:
            raise AssertionError("the generator has seen a row that is predicted")
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture
def witness():
    Witness.seen, Witness.withheld = [], set()
    return Witness()


def test_generators_see_training_folds_only(witness):
    X, y = numbers()
    test = X[::4]
    kept = np.setdiff1d(np.arange(len(X)), np.arange(0, len(X), 4))
    Witness.withheld = set(test[:, 0])
    model = SyntheticClassifier(Guard(), witness, n_synthetic="balance", cv=4, repeats=2, random_state=0)
    model.fit(X[kept], y[kept])
    assert len(Witness.seen) == 2 * 4 + 1
    everything = set(X[kept, 0])
    for rows, _ in Witness.seen[:-1]:
        assert rows < everything
    for repeat in (Witness.seen[:4], Witness.seen[4:8]):
        held_out = [everything - rows for rows, _ in repeat]
        assert sum(map(len, held_out)) == len(set.union(*held_out)) == len(everything)
    assert Witness.seen[-1][0] == everything
    model.predict_proba(test)


def test_what_a_generator_knows_of_a_column_is_of_the_fold(witness):
    X, y = numbers()
    SyntheticClassifier(Guard(), witness, n_synthetic="balance", **QUICK).fit(X, y)
    for rows, column in Witness.seen:
        assert (column.low, column.high) == (min(rows), max(rows))
    assert Witness.seen[-1][1].high > min(column.high for _, column in Witness.seen)


def test_the_guards_can_raise(witness):
    X, y = numbers()
    model = SyntheticClassifier(Guard(), witness, n_synthetic="balance", calibrate=None, augment=0, **QUICK)
    model.fit(X, y)
    with pytest.raises(AssertionError, match="has seen a row that is predicted"):
        model.predict_proba(X)
    Witness.withheld = {X[17, 0]}
    with pytest.raises(AssertionError, match="a withheld row reached the generator"):
        model.fit(X, y)
