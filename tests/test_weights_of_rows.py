"""Weights reach the learner: passed on, as repeated rows, or refused; never dropped without a word."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import Pipeline
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight import ResampledClassifier, SyntheticOverSampler
from makeweight.errors import OptionError
from makeweight.theory import repetitions
from makeweight.weights import repeated

X, Y = make_classification(n_samples=300, weights=[0.85], flip_y=0.1, random_state=3)
WEIGHED = {
    "alpha": {"augment": 200, "alpha": 0.9},
    "weight": {"synthetic_weight": 0.2},
    "soft": {"soft_labels": GaussianNB(), "augment": 60},
}


def sampler(**options):
    return SyntheticOverSampler("smoothed-bootstrap", random_state=0, **options)


def coefficients(over):
    steps = [("over", over), ("clf", LogisticRegression())]
    return Pipeline(steps).fit(X, Y)[-1].coef_.ravel()


@pytest.mark.parametrize("name", WEIGHED)
def test_a_pipeline_that_would_drop_weights_is_refused_before_a_row_is_written(name):
    over = sampler(**WEIGHED[name])
    with pytest.raises(OptionError, match="passes no weights of rows on") as error:
        coefficients(over)
    assert "ResampledClassifier" in error.value.hint
    assert not hasattr(over, "generator_")


def test_a_search_over_a_pipeline_that_would_drop_weights_fails():
    pipeline = Pipeline([("over", sampler(augment=20)), ("clf", LogisticRegression())])
    with pytest.raises(ValueError, match="passes no weights of rows on"):
        GridSearchCV(pipeline, {"over__alpha": [0.1, 0.9]}, cv=2).fit(X, Y)


def test_what_reads_the_weights_itself_is_not_refused():
    pipeline = Pipeline([("scale", StandardScaler()), ("over", sampler(**WEIGHED["alpha"]))])
    rows, _ = pipeline.fit_resample(X, Y)
    assert len(pipeline[-1].sample_weight_) == len(rows)
    assert np.isfinite(coefficients(sampler(synthetic_weight=1.0))).all()  # nothing to drop


@pytest.mark.parametrize("name", WEIGHED)
def test_rows_that_stand_as_often_as_they_weigh_say_the_same(name):
    direct = sampler(**WEIGHED[name])
    rows, labels = direct.fit_resample(X, Y)
    exact = LogisticRegression().fit(rows, labels, sample_weight=direct.sample_weight_).coef_.ravel()
    ignored = LogisticRegression().fit(rows, labels).coef_.ravel()
    strata = 2 * labels + direct.is_synthetic_
    draws = [repeated(rows, labels, direct.sample_weight_, strata, np.random.default_rng(s))[:2] for s in range(60)]
    drawn = np.mean([LogisticRegression().fit(*draw).coef_.ravel() for draw in draws], axis=0)
    assert np.linalg.norm(drawn - exact) < 0.5 * np.linalg.norm(ignored - exact)
    assert len(coefficients(sampler(**WEIGHED[name], weights="rows"))) == X.shape[1]


def test_alpha_changes_a_pipeline_with_rows_and_a_classifier_with_weights():
    low, high = (coefficients(sampler(augment=300, alpha=a, weights="rows")) for a in (0.05, 0.95))
    assert not np.allclose(low, high, atol=0.01)
    fits = [ResampledClassifier(sampler(augment=300, alpha=a), LogisticRegression()).fit(X, Y) for a in (0.05, 0.95)]
    assert not np.allclose(fits[0].estimator_.coef_, fits[1].estimator_.coef_, atol=0.01)


def test_repeated_rows_are_counted_by_group_and_come_in_the_containers_that_were_given():
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    options = {"synthetic_weight": 0.25, "weights": "rows"}
    for data, labels in (
        (frame, pd.Series(Y, name="y")),
        (pl.from_pandas(frame), pl.Series("y", Y)),
        (pa.Table.from_pandas(frame), pa.chunked_array([pa.array(Y)])),
        (X.tolist(), Y.tolist()),
    ):
        over = sampler(**options)
        rows, new = over.fit_resample(data, labels)
        assert type(rows) is type(data)
        assert type(new) is type(labels)
        n_synthetic = over.plan_.n_synthetic
        assert over.is_synthetic_.sum() in (n_synthetic // 4, n_synthetic // 4 + 1)
        assert not over.is_synthetic_[:300].any()
        assert len(new) == len(over.is_synthetic_) == len(over.sample_weight_)
        assert (over.sample_weight_ == 1).all()
    rows, new = sampler(**options).fit_resample(frame, pd.Series(Y, name="y"))
    pd.testing.assert_frame_equal(rows.iloc[:300], frame)
    assert rows.index.equals(pd.RangeIndex(len(rows)))
    assert new.index.equals(rows.index)
    assert rows.equals(sampler(**options).fit_resample(frame, pd.Series(Y, name="y"))[0])


def test_the_classifier_gets_the_weights_alone_in_a_pipeline_and_through_one():
    over = sampler(**WEIGHED["alpha"])
    rows, labels = over.fit_resample(X, Y)
    expected = LogisticRegression().fit(rows, labels, sample_weight=over.sample_weight_).predict_proba(X)
    weighed = ResampledClassifier(over, LogisticRegression())
    for model in (
        weighed,
        make_pipeline("passthrough", weighed),
        ResampledClassifier(over, make_pipeline("passthrough", LogisticRegression())),
    ):
        np.testing.assert_allclose(model.fit(X, Y).predict_proba(X), expected)
    search = GridSearchCV(weighed, {"sampler__alpha": [0.1, 0.9]}, cv=2, scoring="roc_auc").fit(X, Y)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0
    assert weighed.fit(X, Y).decision_function(X).shape == (300,)
    assert set(weighed.predict(X)) == {0, 1}


def test_a_classifier_without_weights_is_refused_before_a_row_is_written():
    with pytest.raises(OptionError, match="takes no weights of rows") as error:
        ResampledClassifier(sampler(synthetic_weight=0.1), KNeighborsClassifier()).fit(X, Y)
    assert 'weights="rows"' in error.value.hint
    rows = ResampledClassifier(sampler(synthetic_weight=0.1, weights="rows"), KNeighborsClassifier()).fit(X, Y)
    assert rows.predict_proba(X).shape == (300, 2)
    assert ResampledClassifier(RandomOverSampler(random_state=0), KNeighborsClassifier()).fit(X, Y).score(X, Y) > 0.7
    assert not hasattr(ResampledClassifier(sampler(), KNeighborsClassifier()), "decision_function")


def test_groups_reach_the_sampler():
    sex = np.where(np.arange(300) % 3 == 0, "f", "m")
    model = ResampledClassifier(sampler(), LogisticRegression()).fit(X, Y, groups=sex)
    assert len(model.sampler_.plan_.groups) == 4


def test_repetitions_are_unbiased_and_even_within_strata():
    rng = np.random.default_rng(0)
    weights, strata = rng.exponential(size=40), rng.integers(0, 4, 40)
    counts = np.stack([repetitions(weights, strata, rng) for _ in range(4000)])
    np.testing.assert_allclose(counts.mean(0), weights, atol=6 * 0.5 / 4000**0.5)
    assert ((counts == np.floor(weights)) | (counts == np.ceil(weights))).all()
    for stratum in range(4):
        own = strata == stratum
        assert (np.abs(counts[:, own].sum(1) - weights[own].sum()) < 1).all()
    for bad in ([-1.0], [np.nan], [np.inf]):
        with pytest.raises(OptionError, match="weights"):
            repetitions(bad, ["a"], rng)


def test_a_teacher_that_takes_weights_may_be_asked_in_a_pipeline():
    inner = ResampledClassifier(sampler(soft_labels=LogisticRegression(), augment=10), LogisticRegression())
    pipeline = Pipeline([("over", sampler(soft_labels=inner, weights="rows")), ("clf", LogisticRegression())])
    assert pipeline.fit(X, Y).score(X, Y) > 0.5
