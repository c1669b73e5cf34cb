"""SyntheticClassifier: groups, many classes, mixed tables in any container."""

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from classifier_for_tests import QUICK, mixed, mixed_pipeline, numbers
from makeweight import SyntheticClassifier, SyntheticOverSampler


def test_groups_and_the_worst_of_them():
    X, y = numbers(n=400, rare=100)
    attribute = pd.Series(np.where(np.arange(400) % 4 == 0, "rare", "common"), name="kind")
    model = SyntheticClassifier(LogisticRegression(), objective="worst-group", **QUICK)
    model.fit(X, y, groups=attribute)
    decision = model.decision_
    assert len(decision.groups) == 4
    assert any(group.endswith("kind=rare") for group in decision.groups)
    assert decision.objective == "worst-group"
    assert {len(result.candidate.per_group) for result in decision.candidates} == {0, 1}
    balanced = clone(model).set_params(objective="balanced").fit(X, y, groups=attribute)
    for worst, mean in zip(decision.candidates, balanced.decision_.candidates, strict=True):
        assert worst.risk > mean.risk


def test_groups_by_a_column_of_X():
    X, y = mixed()
    sampler = SyntheticOverSampler("smoothed-bootstrap", group_by="sex")
    model = SyntheticClassifier(mixed_pipeline(), sampler, n_synthetic="balance", augment=0, **QUICK)
    model.fit(X, y)
    assert len(model.decision_.groups) == 4
    made = model.generation_.frame
    both = Counter(zip([*y, *made.iloc[:, -1]], [*X["sex"], *made["sex"]], strict=True))
    assert len(set(both.values())) == 1


def test_groups_are_routed():
    request = SyntheticClassifier(LogisticRegression()).get_metadata_routing()
    assert request.fit.requests["groups"] is True
    X, y = numbers()
    attribute = np.arange(240) % 2
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(SyntheticClassifier(LogisticRegression(), **QUICK), {"cv": [2]}, cv=2)
        search.fit(X, y, groups=attribute)
    assert len(search.best_estimator_.decision_.groups) == 4


def test_many_classes():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [200, 60, 30])
    X = rng.normal(size=(290, 3)) + 1.5 * (y == "b")[:, None] - 1.5 * (y == "c")[:, None]
    model = SyntheticClassifier(LogisticRegression(), target_prior="balanced", **QUICK).fit(X, y)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert len(model.decision_.candidates) == 11  # two groups are also tried alone
    assert model.score(X, y) > 0.7
    assert set(model.decision_.target_prior.values()) == {1 / 3}


@pytest.mark.parametrize("container", ["pandas", "polars", "arrow"])
def test_pipelines_get_mixed_tables_as_they_are(container):
    X, y = mixed()

    class Sees(LogisticRegression):
        """Reads columns by name, as only a table of this kind allows."""

        def fit(self, X, y, sample_weight=None):
            assert type(X) is kind
            return super().fit(table(X), y, sample_weight)

        def predict_proba(self, X):
            assert type(X) is kind
            return super().predict_proba(table(X))

    def table(X):
        return np.column_stack([np.asarray(X["age"]), np.asarray(X["city"]) == "Rome"]).astype(float)

    data = {"pandas": X, "polars": pl.from_pandas(X), "arrow": pa.Table.from_pandas(X)}[container]
    kind = type(data)
    model = SyntheticClassifier(Sees(), n_synthetic="balance", **QUICK).fit(data, y)
    assert model.predict_proba(data).shape == (160, 2)
    assert set(model.predict(data)) <= {"yes", "no"}
    assert list(map(str, model.feature_names_in_)) == list(X.columns)


def test_missing_values_reach_the_users_pipeline():
    X, y = mixed()
    model = SyntheticClassifier(mixed_pipeline(), n_synthetic="balance", augment=30, alpha=0.2, **QUICK)
    p = model.fit(X, y).predict_proba(X)
    assert np.isfinite(p).all()
    assert model.generation_.frame["pay"].isna().any()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict_proba(X.rename(columns={"age": "years"}))


def test_nothing_that_is_given_changes():
    X, y = numbers()
    X.setflags(write=False)
    y.setflags(write=False)
    before = str(np.random.get_state())  # noqa: NPY002
    SyntheticClassifier(LogisticRegression(), n_synthetic="balance", **QUICK).fit(X, y).predict(X)
    assert str(np.random.get_state()) == before  # noqa: NPY002
    frame, labels = mixed()
    original = frame.copy(deep=True)
    SyntheticClassifier(mixed_pipeline(), n_synthetic="balance", **QUICK).fit(frame, labels).predict(frame)
    pd.testing.assert_frame_equal(frame, original)
