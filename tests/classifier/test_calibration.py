"""SyntheticClassifier: calibration to a prior, and against class weights (acceptance 7, 10)."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from classifier_for_tests import NO_ROWS, QUICK, balanced_loss, craft, numbers
from makeweight import SyntheticClassifier
from makeweight.measure.probabilities import floored
from makeweight.theory import logit_shift
from makeweight.theory.published.worlds import LogisticWorld


def test_the_logit_shift_is_the_shift_of_the_prior():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), calibrate="logit-shift", target_prior="balanced", **NO_ROWS).fit(
        X, y
    )
    raw = floored(LogisticRegression().fit(X, y).predict_proba(X))
    np.testing.assert_allclose(model.predict_proba(X), logit_shift([0.75, 0.25]).apply(raw))
    observed = clone(model).set_params(target_prior="observed").fit(X, y)
    np.testing.assert_allclose(observed.predict_proba(X), raw)


@pytest.mark.parametrize("calibrate", ["platt", "isotonic", "logit-shift"])
@pytest.mark.parametrize(("prior", "share"), [("observed", 0.1), ("balanced", 0.5), ({0: 7, 1: 3}, 0.3)])
def test_probabilities_are_calibrated_to_the_stated_prior(calibrate, prior, share):
    world, rng = LogisticWorld(np.full(3, 0.8), -2.8), np.random.default_rng(0)
    X, y = world.sample(4000, rng)
    test, labels = world.sample(20_000, rng)
    model = SyntheticClassifier(
        LogisticRegression(), calibrate=calibrate, target_prior=prior, random_state=0, **NO_ROWS
    ).fit(X, y.astype(int))
    p = model.predict_proba(test)[:, 1]
    stated = {"observed": labels.mean()}.get(prior, share) if isinstance(prior, str) else share
    weights = np.where(labels == 1, stated / labels.mean(), (1 - stated) / (1 - labels.mean()))
    assert np.average(p, weights=weights) == pytest.approx(stated, abs=0.02)
    assert sum(model.decision_.target_prior.values()) == pytest.approx(1)


def test_auto_calibration_needs_rows():
    X, y = numbers()
    few = np.r_[np.arange(50, 240)]  # ten rows of class 1
    model = SyntheticClassifier(LogisticRegression(), **QUICK, **NO_ROWS)
    assert model.fit(X, y).decision_.calibration == "platt"
    assert model.fit(X[few], y[few]).decision_.calibration == "logit-shift"


def test_isotonic_with_three_classes():
    X, _ = numbers()
    y = np.arange(240) % 3
    model = SyntheticClassifier(LogisticRegression(), calibrate="isotonic", **QUICK).fit(X + y[:, None], y)
    p = model.predict_proba(X + y[:, None])
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p.min() > 0
    assert (p.argmax(axis=1) == y).mean() > 0.5


def boosted_losses(seed, make):
    """Balanced log-loss on the Craft table, 1,000 against 100 rows: raw, class weights, shift, Platt."""
    (X, y), (test, labels) = craft(seed)
    raw = make().fit(X, y)
    weighted = make().fit(X, y, sample_weight=np.where(y == 1, 10.0, 1.0))
    losses = [balanced_loss(labels, model.predict_proba(test)[:, 1]) for model in (raw, weighted)]
    for calibrate in ("logit-shift", "platt"):
        model = SyntheticClassifier(
            make(), calibrate=calibrate, target_prior="balanced", repeats=1, random_state=0, **NO_ROWS
        )
        losses.append(balanced_loss(labels, model.fit(X, y).predict_proba(test)[:, 1]))
    return losses


def check_calibration_beats_weights(losses):
    raw, weighted, shifted, platt = losses
    assert platt < shifted < weighted < raw
    assert platt < np.log(2) < raw  # raw is worse than knowing nothing


def test_calibration_beats_class_weights_beats_raw_for_boosted_trees():
    check_calibration_beats_weights(boosted_losses(0, lambda: HistGradientBoostingClassifier(random_state=0)))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_calibration_beats_class_weights_beats_raw_in_every_run(seed):
    check_calibration_beats_weights(boosted_losses(seed, lambda: HistGradientBoostingClassifier(random_state=0)))


def ranking_differences(seed, generator):
    """AUROC with augmentation minus AUROC without, at about 2,000 rare rows of a true logistic law."""
    rng = np.random.default_rng(seed)
    world = LogisticWorld(np.full(5, 0.5), -3.0)
    (X, y), (test, labels) = world.sample(27_000, rng), world.sample(20_000, rng)
    base = roc_auc_score(labels, LogisticRegression().fit(X, y.astype(int)).predict_proba(test)[:, 1])
    for sizes in ({"n_synthetic": "balance", "augment": 0}, {"augment": 4000, "alpha": 0.5, "n_synthetic": 0}):
        model = SyntheticClassifier(
            LogisticRegression(), generator, calibrate="logit-shift", random_state=seed, **sizes
        ).fit(X, y.astype(int))
        yield roc_auc_score(labels, model.predict_proba(test)[:, 1]) - base


@pytest.mark.parametrize("generator", ["smoothed-bootstrap", "transport", "smote"])
def test_ranking_of_a_right_model_is_left_alone(generator):
    assert all(abs(difference) < 0.005 for difference in ranking_differences(0, generator))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("generator", ["smoothed-bootstrap", "transport", "smote", "random"])
def test_ranking_of_a_right_model_is_left_alone_in_every_run(generator, seed):
    assert all(abs(difference) < 0.005 for difference in ranking_differences(seed, generator))
