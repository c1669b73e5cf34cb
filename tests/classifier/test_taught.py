"""SyntheticClassifier: candidates in which a teacher takes part."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from classifier_for_tests import QUICK, Recorder, mixed, mixed_pipeline, numbers
from generators_for_tests import Shuffler
from makeweight import Committee, SyntheticClassifier
from makeweight.committee import blend
from makeweight.measure.probabilities import floored

TEACHER = Committee(["closed-form", "lr"], cv=2, repeats=1)
TAUGHT = {**QUICK, "teacher": TEACHER}
BY_DEFAULT = {**QUICK, "teacher": "auto"}


class Flat(ClassifierMixin, BaseEstimator):
    """A teacher that knows nothing but the shares."""

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.shares_, (len(X), 1))


def bent(n, rng):
    """Two classes that a single deep tree finds hard, and logistic regression easy."""
    X = rng.normal(size=(n, 4))
    return X, (rng.random(n) < 1 / (1 + np.exp(2.0 - X @ [1.5, 1.0, 0.5, 0.0]))).astype(int)


def true_risk(model, seed=99, n=20_000):
    """Balanced log-loss on rows of the same law."""
    X, y = bent(n, np.random.default_rng(seed))
    p = model.predict_proba(X)[np.arange(n), y]
    return -0.5 * (np.log(p[y == 0]).mean() + np.log(p[y == 1]).mean())


@pytest.fixture(scope="module")
def tree():
    X, y = bent(400, np.random.default_rng(0))
    return SyntheticClassifier(DecisionTreeClassifier(), **{**TAUGHT, "target_prior": "balanced"}).fit(X, y), X, y


def test_a_tree_gains_by_what_the_committee_knows(tree):
    model, X, y = tree
    decision = model.decision_
    assert decision.way in ("blend of soft rows", "blend of both")
    assert decision.gain == pytest.approx(decision.candidates[0].risk - decision.candidates[decision.chosen].risk)
    assert decision.gain > 0.05
    without = SyntheticClassifier(
        DecisionTreeClassifier(), n_synthetic=0, augment=0, target_prior="balanced", **QUICK
    ).fit(X, y)
    assert true_risk(model) < true_risk(without) - 0.05


def test_the_answer_of_a_blend_is_calibrated_mean_log_odds(tree):
    model, X, _ = tree
    raw = blend(floored(model.estimator_.predict_proba(X)), model.teacher_.predict_proba(X))
    np.testing.assert_allclose(model.predict_proba(X), model.calibrator_.apply(raw))


def test_the_controls_say_what_helped(tree):
    decision = tree[0].decision_
    parts = {part.part: part for part in decision.contributions}
    assert list(parts) == [
        "choice",
        "hard rows",
        "labels",
        "rows",
        "committee",
        "rows and committee",
        "committee alone",
    ]
    risk = {result.title: result.risk for result in decision.candidates}
    assert parts["labels"].gain == pytest.approx(risk["nothing"] - risk["soft real rows"])
    assert parts["rows"].gain == pytest.approx(risk["soft real rows"] - risk["soft rows"])
    assert parts["committee alone"].gain == pytest.approx(risk["nothing"] - risk["committee alone"])
    assert all(part.low <= part.gain <= part.high for part in decision.contributions)
    plain = json.loads(json.dumps(decision.to_dict()))
    assert plain["way"] == decision.way
    assert len(plain["contributions"]) == len(parts)
    assert str(parts["labels"]) in str(decision)


class Noise(Flat):
    """An estimator that answers at random."""

    def predict_proba(self, X):
        p = np.random.default_rng(0).uniform(0.01, 0.99, len(X))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_the_committee_alone_is_measured_and_not_chosen():
    X, y = bent(400, np.random.default_rng(0))
    options = {**TAUGHT, "teacher": Committee(["lr"], cv=2, repeats=1), "guardrail": 1.0}
    decision = SyntheticClassifier(Noise(), "smoothed-bootstrap", **options).fit(X, y).decision_
    best = min(decision.candidates, key=lambda result: result.risk)
    assert best.title == "committee alone"
    assert decision.way == "blend of real rows"


class Truth(Flat):
    """An estimator that knows the law of `bent`."""

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(2.0 - X @ [1.5, 1.0, 0.5, 0.0]))
        return np.column_stack([1 - p, p])

    def predict(self, X):
        return self.predict_proba(X).argmax(axis=1)


@pytest.fixture(scope="module")
def few():
    X, y = bent(400, np.random.default_rng(3))
    kept = np.concatenate([np.flatnonzero(y == 0)[:60], np.flatnonzero(y == 1)[:12]])
    return X[kept], y[kept]


@pytest.mark.usefixtures("quick_committees")
def test_a_blend_is_presumed_where_rows_are_too_few_to_show_anything(few):
    tree = DecisionTreeClassifier(min_samples_leaf=5)
    model = SyntheticClassifier(tree, guardrail=0.0, **BY_DEFAULT).fit(*few)
    decision = model.decision_
    assert decision.way == decision.presumed == "blend of both"
    assert model.teacher_ is not None
    assert "what is presumed" in decision.reason
    assert "the blend of both was to be taken" in model.explain()
    assert f"Why this was chosen: {decision.reason}." in model.explain()
    assert "presumed: blend of both" in str(decision)
    assert decision.fits == 2 + 3 * (len(decision.candidates) - 4)  # blends and committee are no fits
    assert "was fitted twice" in model.explain()
    assert json.loads(json.dumps(decision.to_dict()))["presumed"] == "blend of both"
    careful = SyntheticClassifier(tree, guardrail=0.0, presumed="nothing", **BY_DEFAULT).fit(*few)
    assert careful.decision_.way == careful.decision_.presumed == "nothing"
    assert "was to be taken" not in careful.explain()


def test_no_presumption_and_no_guardrail_is_claimed_where_nothing_was_chosen(few):
    X, y = few
    given = SyntheticClassifier(LogisticRegression(), n_synthetic="balance", guardrail=0.01, **QUICK).fit(X, y)
    assert given.decision_.way == "hard rows"
    assert given.decision_.presumed == ""
    assert "guardrail" not in given.explain()
    lonely = np.append(np.flatnonzero(y == 0), np.flatnonzero(y == 1)[0])
    alone = SyntheticClassifier(LogisticRegression(), **QUICK).fit(X[lonely], y[lonely])
    assert "Nothing was measured: a group has one row" in alone.explain()
    assert "better than doing nothing" not in alone.explain()


def test_an_infinite_risk_is_null_in_json(tree):
    """Signed weights without a minimum have one; JSON has no word for it."""
    decision = tree[0].decision_
    first, *others = decision.candidates
    shown = replace(decision, candidates=(replace(first, risk=np.inf, above_best=np.inf), *others)).to_dict()
    plain = json.loads(json.dumps(shown, allow_nan=False))["candidates"]
    assert plain[0]["risk"] is plain[0]["above_best"] is None
    assert plain[1]["risk"] == decision.candidates[1].risk


def test_nothing_is_presumed_of_a_teacher_that_is_given(few):
    decision = SyntheticClassifier(DecisionTreeClassifier(min_samples_leaf=5), **TAUGHT).fit(*few).decision_
    assert decision.presumed == "nothing"
    with pytest.raises(ValueError, match="presumed"):
        SyntheticClassifier(DecisionTreeClassifier(), presumed="soft rows").fit(*few)


def test_validation_overrules_what_is_presumed():
    """Nothing beats the truth: a blend with a committee can only harm."""
    X, y = bent(1500, np.random.default_rng(5))
    decision = SyntheticClassifier(Truth(), **BY_DEFAULT).fit(X, y).decision_
    assert decision.presumed == "blend of real rows"  # the truth takes no weights, and so no soft rows
    assert decision.way == "nothing"
    assert decision.contributions[0].part != "choice"


def test_the_page_says_what_was_done_and_what_was_not_shown(tree):
    model, X, _ = tree
    page = model.explain()
    for heading in ("What was added", "What it weighs", "What was measured", "What was not shown"):
        assert heading in page
    assert "the 400 real rows" in page
    assert f"{model.decision_.gain:+.4f}" in page
    assert "50%" in page
    alone = SyntheticClassifier(DecisionTreeClassifier(), n_synthetic=0, augment=0, **QUICK).fit(X, tree[2])
    assert "Nothing. DecisionTreeClassifier was fitted to the 400 real rows as they are." in alone.explain()


def test_the_observed_rate_is_the_default():
    X, y = bent(600, np.random.default_rng(1))
    model = SyntheticClassifier(LogisticRegression(), n_synthetic=0, augment=0, random_state=0).fit(X, y)
    assert model.decision_.target_prior == {0: pytest.approx(1 - y.mean()), 1: pytest.approx(y.mean())}
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)


class Witness(Shuffler):
    """Remembers which rows it learned from."""

    def fit(self, table, *, rng):
        Witness.seen.append(set(table.frame.iloc[:, 0]))
        return super().fit(table, rng=rng)


class Watched(LogisticRegression):
    """A teacher that refuses to label rows that it has learned from."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = set(np.asarray(X)[:, 0])
        Watched.sizes.append(len(X))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        if len(X) < 2000:  # not the synthetic rows, which here are shuffled real ones
            assert not set(np.asarray(X)[:, 0]) & self.seen_
        return super().predict_proba(X)


def test_no_row_reaches_the_teacher_that_judges_it():
    X, y = numbers()
    Witness.seen, Watched.sizes = [], []
    options = {**QUICK, "teacher": Committee([Watched()], cv=2, repeats=1)}
    decision = SyntheticClassifier(LogisticRegression(), Witness(), guardrail=0.0, **options).fit(X, y).decision_
    assert decision.way == "nothing"
    assert set(Watched.sizes) == {80}  # halves of the 160 training rows of every fold
    assert all(len(seen) == 160 for seen in Witness.seen[:3])


def test_soft_rows_lie_evenly_and_carry_both_labels():
    X, y = numbers()
    Recorder.calls = []
    SyntheticClassifier(Recorder(), "smoothed-bootstrap", guardrail=0.0, **TAUGHT).fit(X, y)
    sums = {round(float(np.sum(weights))) for _, _, weights in Recorder.calls if weights is not None}
    assert 160 in sums  # real rows once per label
    assert any(abs(total - 2160) < 8 for total in sums)


def test_sizes_that_are_given_need_no_teacher():
    X, y = numbers()
    for sizes in ({"augment": 0}, {"n_synthetic": "balance"}, {"n_synthetic": 0, "augment": 0}):
        model = SyntheticClassifier(LogisticRegression(), "smoothed-bootstrap", **sizes, **TAUGHT).fit(X, y)
        assert model.teacher_ is None
        assert any("teacher was not asked" in note for note in model.decision_.notes)
        assert "committee alone" not in {result.title for result in model.decision_.candidates}


def test_an_estimator_without_weights_is_told():
    X, y = numbers()
    decision = SyntheticClassifier(KNeighborsClassifier(), "smoothed-bootstrap", **TAUGHT).fit(X, y).decision_
    assert any("takes no sample_weight" in note for note in decision.notes)
    titles = {result.title for result in decision.candidates}
    assert "soft rows" not in titles
    assert "blend of real rows" in titles


def test_too_few_rows_for_a_teacher_are_told():
    X, y = numbers()
    rows = np.arange(57, 240)
    decision = SyntheticClassifier(LogisticRegression(), "smoothed-bootstrap", **TAUGHT).fit(X[rows], y[rows]).decision_
    assert any("a group has 3 different rows" in note for note in decision.notes)


def test_the_result_does_not_depend_on_processes_and_nothing_given_is_fitted():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), "smoothed-bootstrap", guardrail=1.0, **TAUGHT)
    one = model.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(model.set_params(n_jobs=2).fit(X, y).predict_proba(X), one)
    assert not hasattr(TEACHER, "oof_")


def test_mixed_tables_weights_and_groups():
    X, y = mixed(240, 80)
    weights = np.random.default_rng(0).uniform(0.5, 2, 240)
    model = SyntheticClassifier(mixed_pipeline(), "smoothed-bootstrap", guardrail=1.0, **TAUGHT)
    model.fit(X, y, weights, groups=pd.Series(np.arange(240) % 2, name="side"))
    assert len(model.decision_.groups) == 4
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_three_classes():
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [200, 60, 30])
    X = rng.normal(size=(290, 3)) + 1.5 * (y == "b")[:, None] - 1.5 * (y == "c")[:, None]
    model = SyntheticClassifier(DecisionTreeClassifier(), "smoothed-bootstrap", **TAUGHT).fit(X, y)
    assert model.decision_.way != "nothing"
    assert model.predict_proba(X).shape == (290, 3)


def useless(seed, guardrail):
    """What is chosen where labels of rows are noise and the teacher knows only shares; and whether it does harm."""
    X, y = bent(200, np.random.default_rng(seed))
    options = {**QUICK, "teacher": Flat(), "guardrail": guardrail, "target_prior": "balanced", "random_state": seed}
    model = SyntheticClassifier(LogisticRegression(C=100), Shuffler(), **options).fit(X, y)
    if model.decision_.way == "nothing":
        return False
    without = SyntheticClassifier(LogisticRegression(C=100), **{**options, "n_synthetic": 0, "augment": 0}).fit(X, y)
    return true_risk(model) > true_risk(without) + 1e-3


def test_bad_rows_and_a_useless_teacher_are_left_out():
    assert sum(useless(seed, 0.1) for seed in range(6)) <= 2


@pytest.mark.long
@pytest.mark.parametrize("guardrail", [0.1, 0.5])
def test_harm_is_as_rare_as_the_guardrail_says(guardrail):
    """60 tables; two standard errors above the level are allowed."""
    harmed = np.mean([useless(seed, guardrail) for seed in range(60)])
    assert harmed <= guardrail + 2 * np.sqrt(guardrail * (1 - guardrail) / 60)
