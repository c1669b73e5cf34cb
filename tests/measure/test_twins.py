"""No client of the measuring core judges a learner on a row whose equal it has seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from makeweight import SyntheticClassifier
from makeweight.cli import _effect
from makeweight.evaluation import Design, compare, scaling_curve
from makeweight.experiments import arms
from makeweight.experiments.simulation import LABEL, draw

QUICK = {"target": "y", "generator": "random"}


class Remembers(ClassifierMixin, BaseEstimator):
    """Counts the predicted rows that it was fitted to."""

    predicted, known = 0, 0

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.rows_ = set(map(tuple, np.asarray(X, dtype=float)))
        return self

    def predict_proba(self, X):
        rows = list(map(tuple, np.asarray(X, dtype=float)))
        Remembers.predicted += len(rows)
        Remembers.known += sum(row in self.rows_ for row in rows)
        return np.full((len(rows), len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def learner(monkeypatch):
    monkeypatch.setattr(Remembers, "predicted", 0)
    monkeypatch.setattr(Remembers, "known", 0)
    return Remembers()


def doubled(n=120, rare=40):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 3)).round(6), columns=list("abc"))
    frame["y"] = np.repeat(["common", "rare"], [n - rare, rare])
    return pd.concat([frame, frame], ignore_index=True)


def assert_no_twin():
    assert Remembers.predicted > 0
    assert Remembers.known == 0


def test_compare(learner):
    compare(
        doubled(),
        estimators={"memory": learner},
        arms=["random", "weights"],
        design=Design(repeats=1, folds=3),
        **QUICK,
    )
    assert_no_twin()


def test_scaling_curve(learner):
    scaling_curve(doubled(), estimator=learner, sizes=[0, 20], repeats=1, folds=3, **QUICK)
    assert_no_twin()


def test_the_choice_of_a_synthetic_classifier(learner):
    frame = doubled()
    model = SyntheticClassifier(learner, "random", teacher=None, cv=3, repeats=1, random_state=0)
    model.fit(frame[list("abc")].to_numpy(), (frame["y"] == "rare").to_numpy().astype(int))
    assert_no_twin()
    assert model.decision_.folds == 3


def test_a_synthetic_classifier_counts_different_rows():
    frame = doubled(60, 2)
    X, y = frame[list("abc")].to_numpy(), (frame["y"] == "rare").to_numpy().astype(int)
    decision = (
        SyntheticClassifier(Remembers(), "random", teacher=None, repeats=1, calibrate="platt").fit(X, y).decision_
    )
    assert decision.folds == 2
    assert any("2 different rows" in note for note in decision.notes)


@pytest.mark.parametrize("arm", ["nothing", "undersample", "random"])
def test_same_information_and_simulations(learner, monkeypatch, arm):
    monkeypatch.setattr(arms, "make_learner", lambda *_: learner)
    once = draw("ring", 4, 60, 30, np.random.default_rng(0))
    twice = arms.VisibleRows(pd.concat([once, once], ignore_index=True), LABEL)
    arms.out_of_fold(arm, twice, ["lr"], 0, 3)
    assert_no_twin()


def test_the_demo():
    frame = _effect.breast_cancer().sample(300, random_state=0)
    twice = pd.concat([frame, frame], ignore_index=True)
    for split in _effect.splits(twice, 0, 2):
        assert not set(map(tuple, split.train.to_numpy())) & set(map(tuple, split.test.to_numpy()))
        assert 200 < len(split.test) < 280
