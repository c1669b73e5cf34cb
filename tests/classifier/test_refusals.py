"""SyntheticClassifier: one seed decides everything; what does not fit is refused."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC

from classifier_for_tests import NO_ROWS, QUICK, numbers
from makeweight import Committee, SyntheticClassifier, SyntheticOverSampler
from makeweight.errors import OptionError, PlanError, SchemaError


def test_one_seed_decides_everything():
    X, y = numbers()
    forest = RandomForestClassifier(5)
    model = SyntheticClassifier(forest, n_synthetic="balance", augment=0, cv=2, repeats=1, random_state=3)
    first = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), first)
    with joblib.parallel_config("threading"):
        parallel = clone(model).set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(parallel.predict_proba(X), first)
    assert (clone(model).set_params(random_state=4).fit(X, y).predict_proba(X) != first).any()
    assert forest.random_state is None


def test_a_group_of_one_row():
    X, y = numbers()
    rows = np.arange(59, 240)
    decision = SyntheticClassifier(LogisticRegression(), teacher=None, random_state=0).fit(X[rows], y[rows]).decision_
    assert decision.n_synthetic == 0
    assert "cannot be held out" in decision.reason
    assert decision.calibration == "logit-shift"
    for asked in ({"n_synthetic": "balance"}, {"calibrate": "platt"}):
        with pytest.raises(PlanError, match="cannot be held out"):
            SyntheticClassifier(LogisticRegression(), **asked).fit(X[rows], y[rows])


def test_fewer_rows_than_folds():
    X, y = numbers()
    rows = np.arange(57, 240)
    decision = SyntheticClassifier(LogisticRegression(), teacher=None, random_state=0).fit(X[rows], y[rows]).decision_
    assert decision.folds == 3
    assert "3 folds, not 5" in decision.notes[0]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"estimator": LinearSVC()}, OptionError, "no predict_proba"),
        ({"generator": SyntheticOverSampler(augment=3)}, OptionError, "sizes are the classifier's"),
        ({"generator": SyntheticOverSampler(synthetic_weight=9)}, OptionError, "sizes are the classifier's"),
        ({"generator": SyntheticOverSampler(soft_labels=True)}, OptionError, "for the classifier to choose"),
        ({"generator": SyntheticOverSampler(weights="rows")}, OptionError, "for the classifier to choose"),
        ({"generator": SyntheticOverSampler(constraints="x0 > 99")}, SchemaError, "real rows break a constraint"),
        (
            {"generator": SyntheticOverSampler(constraints="x0 > -99"), "bias_correction": "signed"},
            OptionError,
            "signed weights need rows",
        ),
        (
            {"generator": SyntheticOverSampler(constraints="target == 0 or x0 > -99"), "teacher": Committee(["lr"])},
            PlanError,
            "a constraint names the label",
        ),
        ({"estimator": LinearRegression()}, OptionError, "take a classifier"),
        ({"generator": "smot"}, OptionError, "unknown generator"),
        ({"augment": 0, "alpha": 0.5}, PlanError, "none are asked for"),
        ({"augment": 9, "alpha": 0}, PlanError, "no weight"),
        ({"n_synthetic": {0: 5}}, PlanError, "largest group"),
        ({"n_synthetic": {1: -5}}, OptionError, "number of rows"),
        ({"n_synthetic": {7: 5}}, PlanError, "no group 7"),
        ({"target_prior": {0: 1.0}}, OptionError, "every class"),
        ({"target_prior": {0: 1.0, 1: -1}}, OptionError, "every class"),
        ({"calibrate": "beta"}, ValueError, "calibrate"),
        ({"cv": 1}, ValueError, "cv"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, says):
    X, y = numbers()
    with pytest.raises(error, match=says):
        SyntheticClassifier(**{"estimator": LogisticRegression(), **QUICK, **options}).fit(X, y)


def test_rows_obey_the_constraints_of_the_sampler():
    X, y = numbers()
    kept = X[:, 0] + X[:, 1] <= 1
    sampler = SyntheticOverSampler("smoothed-bootstrap", constraints="x0 + x1 <= 1")
    model = SyntheticClassifier(LogisticRegression(), sampler, n_synthetic="balance", augment=200, random_state=0)
    made = model.fit(X[kept], y[kept]).generation_.frame
    assert len(made) >= 400
    assert (made["x0"] + made["x1"] <= 1).all()


def test_labels_that_are_no_labels_are_refused():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), **QUICK)
    with pytest.raises(ValueError, match="one class"):
        model.fit(X, np.zeros(240, dtype=int), groups=y)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.where(y == 1, np.nan, 0.0))


def test_estimators_that_are_themselves_meta_estimators():
    X, y = numbers()
    inner = CalibratedClassifierCV(LinearSVC(), cv=2)
    assert SyntheticClassifier(inner, **QUICK, **NO_ROWS).fit(X, y).score(X, y) > 0.7
