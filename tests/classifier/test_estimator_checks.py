"""SyntheticClassifier under scikit-learn's own checks."""

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from classifier_for_tests import QUICK
from makeweight import Committee, SyntheticClassifier


def not_rows(estimator):
    """A weight of two is not two rows: two rows can be held out one without the other, and written from."""
    return {"check_sample_weight_equivalence_on_dense_data": not_rows.__doc__}


@parametrize_with_checks(
    [SyntheticClassifier(LogisticRegression(), teacher=None, cv=2, repeats=1, random_state=0)],
    expected_failed_checks=not_rows,
)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.long
@parametrize_with_checks(
    [
        SyntheticClassifier(make_pipeline(StandardScaler(), LogisticRegression()), "transport", **QUICK),
        SyntheticClassifier(
            RandomForestClassifier(5), objective="worst-group", calibrate="isotonic", teacher=None, cv=2, repeats=1
        ),
        SyntheticClassifier(LogisticRegression(), "smoothed-bootstrap", teacher=Committee(["lr"]), cv=2, repeats=1),
        SyntheticClassifier(LogisticRegression(), bias_correction="density-ratio", **QUICK),
        SyntheticClassifier(
            LogisticRegression(), bias_correction="signed", teacher=None, cv=2, repeats=1, random_state=0
        ),
    ],
    expected_failed_checks=not_rows,
)
def test_scikit_learn_in_other_settings(estimator, check):
    check(estimator)
