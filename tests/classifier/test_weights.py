"""SyntheticClassifier: weights of synthetic rows (alpha, bias correction) and of real ones."""

from collections import Counter

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from classifier_for_tests import NO_ROWS, QUICK, Recorder, numbers
from generators_for_tests import Shuffler
from makeweight import SyntheticClassifier
from makeweight.errors import OptionError
from makeweight.measure.learners import weight_keyword
from makeweight.measure.probabilities import floored


@pytest.fixture
def recorder():
    Recorder.calls = []
    return Recorder()


def test_weights_realise_alpha(recorder):
    X, y = numbers()
    sizes = {"n_synthetic": "balance", "augment": 90, "alpha": 0.25, "calibrate": "logit-shift"}
    SyntheticClassifier(recorder, random_state=0, **sizes).fit(X, y)
    ((rows, labels, weights),) = Recorder.calls
    assert len(rows) == 240 + 120 + 2 * 90
    np.testing.assert_array_equal(rows[:240], X)
    weight = 0.25 * 180 / (0.75 * 90)
    assert Counter(weights.round(12).tolist()) == {1.0: 360, round(weight, 12): 180}
    for label in (0, 1):  # (1 - alpha) and alpha, the same in both classes
        extra = weights[(labels == label) & (weights != 1)].sum()
        assert extra / weights[labels == label].sum() == pytest.approx(0.25)


def test_candidates_are_prefixes_of_one_pool(recorder):
    X, y = numbers()
    SyntheticClassifier(recorder, teacher=None, cv=2, repeats=1, random_state=0).fit(X, y)
    first_fold = Recorder.calls[:9]
    pools = [rows[120:][labels[120:] == 1] for rows, labels, _ in first_fold]
    longest = max(pools, key=len)
    assert len(longest) == 60 + 90
    for pool in pools:
        np.testing.assert_array_equal(pool, longest[: len(pool)])
    assert len({len(pool) for pool in pools}) == 6


def test_weights_reach_the_last_step_of_a_pipeline(recorder):
    X, y = numbers()
    sizes = {"n_synthetic": 0, "augment": 60, "alpha": 0.1, "calibrate": None}
    pipeline = make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), recorder))
    assert weight_keyword(pipeline) == "pipeline__recorder__sample_weight"
    SyntheticClassifier(pipeline, random_state=0, **sizes).fit(X, y)
    plain = Recorder.calls[-1][2]
    assert len(set(plain.tolist())) == 2
    with config_context(enable_metadata_routing=True):
        shallow = make_pipeline(StandardScaler(), recorder)
        SyntheticClassifier(shallow, random_state=0, **sizes).fit(X, y)
    np.testing.assert_array_equal(Recorder.calls[-1][2], plain)


def test_estimators_without_weights():
    X, y = numbers()
    model = SyntheticClassifier(KNeighborsClassifier(), **QUICK).fit(X, y)
    assert {result.candidate.alpha for result in model.decision_.candidates} == {0.0, 0.5}
    with pytest.raises(OptionError, match="KNeighborsClassifier takes no sample_weight"):
        SyntheticClassifier(KNeighborsClassifier(), augment=60, alpha=0.1, **QUICK).fit(X, y)


def test_density_ratio_weights_pull_a_shifted_generator_back(recorder):
    class Shifted(Shuffler):
        def propose(self, group, n, *, rng):
            frame = super().propose(group, n, rng=rng)
            column = self.table_.schema["x0"]
            return frame.assign(x0=column.snap(frame["x0"].to_numpy() + 1.0))

    X, y = numbers(n=900, rare=300)
    sizes = {"n_synthetic": "balance", "augment": 0, "calibrate": None, "random_state": 0}
    SyntheticClassifier(recorder, Shifted(), bias_correction="density-ratio", **sizes).fit(X, y)
    rows, labels, weights = Recorder.calls[-1]
    made, own = rows[900:, 0], weights[900:]
    assert (labels[900:] == 1).all()
    assert own.mean() == pytest.approx(1)
    truth = X[y == 1, 0].mean()
    assert abs(np.average(made, weights=own) - truth) < 0.5 * abs(made.mean() - truth)


# Weights of real rows ---------------------------------------------------------------------------------------


def test_without_synthetic_rows_the_estimator_gets_the_weights_as_they_are(recorder):
    X, y = numbers()
    weights = np.random.default_rng(0).uniform(0.5, 2, 240)
    model = SyntheticClassifier(recorder, calibrate=None, **NO_ROWS).fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(Recorder.calls[-1][2], weights)
    alone = LogisticRegression().fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.predict_proba(X), floored(alone.predict_proba(X)))
    assert "rows of equal weight" in model.decision_.notes[0]


def test_a_synthetic_row_weighs_what_a_real_one_of_its_group_does(recorder):
    X, y = numbers()
    weights = np.where(y == 1, 3.0, 1.0) * np.tile([0.5, 1.5], 120)
    sizes = {"n_synthetic": "balance", "augment": 90, "alpha": 0.25, "calibrate": "logit-shift"}
    model = SyntheticClassifier(recorder, random_state=0, **sizes).fit(X, y, weights)
    ((_, labels, given),) = Recorder.calls
    np.testing.assert_array_equal(given[:240], weights)
    assert (given[240:][labels[240:] == 1][:120] == 3.0).all()
    for label, mean in ((0, 1.0), (1, 3.0)):
        own = given[labels == label]
        assert own.sum() == pytest.approx(mean * 180 / 0.75)
    shift = model.calibrator_.offsets
    assert shift[0] - shift[1] == pytest.approx(np.log(3))


def test_rows_of_weight_zero_are_left_out():
    X, y = numbers()
    weights = np.ones(240)
    weights[::3] = 0
    kept = weights > 0
    model = SyntheticClassifier(LogisticRegression(), **QUICK)
    with_zeros = model.fit(X, y, sample_weight=weights).predict_proba(X)
    np.testing.assert_array_equal(with_zeros, model.fit(X[kept], y[kept]).predict_proba(X))
    assert sum(model.decision_.counts) == kept.sum()


def test_weights_of_rows_count_in_fit_risks_and_calibration():
    """Rows on the wrong side that weigh next to nothing: as without them, in all three."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [600, 600])
    X = rng.normal(size=(1200, 2)) + y[:, None]
    wrong = np.arange(1200) >= 1000
    X[wrong] -= 3.0
    model = SyntheticClassifier(LogisticRegression(), calibrate="platt", random_state=0, **NO_ROWS)
    heavy = model.fit(X, y).decision_.candidates[0].risk
    weighted = clone(model).fit(X, y, np.where(wrong, 1e-9, 1.0))
    without = clone(model).fit(X[~wrong], y[~wrong])
    risks = [one.decision_.candidates[0].risk for one in (weighted, without)]
    assert risks[0] == pytest.approx(risks[1], abs=0.01)
    assert heavy > risks[1] + 0.1
    np.testing.assert_allclose(weighted.predict_proba(X), without.predict_proba(X), atol=0.03)


def test_observed_shares_are_those_of_the_weights():
    X, y = numbers()
    weights = np.where(y == 1, 9.0, 1.0)
    model = SyntheticClassifier(LogisticRegression(), target_prior="observed", **NO_ROWS, **QUICK)
    assert model.fit(X, y, weights).decision_.target_prior[1] == pytest.approx(540 / 720)


def test_weights_are_routed():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), calibrate=None, **NO_ROWS)
    weights = np.random.default_rng(0).uniform(0.5, 2, 240)
    with config_context(enable_metadata_routing=True):
        asks = clone(model).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        search = GridSearchCV(asks, {"cv": [2]}, cv=2, error_score="raise")
        assert search.fit(X, y, sample_weight=weights).best_estimator_.decision_.notes
        with pytest.raises(ValueError, match="sample_weight"):
            GridSearchCV(model, {"cv": [2]}, cv=2).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize(
    ("weights", "says"), [(np.ones(9), "lengths differ"), (-np.ones(240), "negative"), (np.zeros(240), "zero")]
)
def test_weights_that_do_not_fit_are_refused(weights, says):
    X, y = numbers()
    with pytest.raises(ValueError, match=says):
        SyntheticClassifier(LogisticRegression(), **QUICK, **NO_ROWS).fit(X, y, weights)
    with pytest.raises(OptionError, match="takes no sample_weight"):
        SyntheticClassifier(KNeighborsClassifier(), **QUICK, **NO_ROWS).fit(X, y, np.arange(1, 241))
