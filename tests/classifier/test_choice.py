"""SyntheticClassifier: what it chooses, and why."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from classifier_for_tests import NO_ROWS, QUICK, balanced_loss, mixed, mixed_pipeline, numbers
from generators_for_tests import Shuffler
from makeweight import SyntheticClassifier, SyntheticOverSampler
from makeweight.errors import OptionError
from makeweight.theory import NOTHING
from makeweight.theory.published.worlds import LogisticWorld, mirror_world


def test_nothing_is_added_where_imbalance_is_not_the_problem():
    X, y = mirror_world(3).sample(500, 100, np.random.default_rng(1))
    decision = (
        SyntheticClassifier(LogisticRegression(), teacher=None, guardrail=0.1, random_state=0)
        .fit(X, y.astype(int))
        .decision_
    )
    assert decision.n_synthetic == 0
    assert "adding nothing" in decision.reason
    assert decision.candidates[0].candidate == NOTHING
    assert decision.candidates[decision.chosen].n_synthetic == 0
    assert len(decision.candidates) == 9
    assert decision.fits == 1 + 2 * 5 * 9
    best = min(decision.candidates, key=lambda result: result.risk)
    assert best.above_best == best.low == best.high == 0
    assert all(result.low <= result.above_best <= result.high for result in decision.candidates)


@pytest.mark.long
def test_nothing_is_added_in_most_runs_where_imbalance_is_not_the_problem():
    """Local symmetry, with a real learner: the guardrail says in one of ten at most; 16 of 20 is what chance allows."""
    nothing = 0
    for seed in range(20):
        X, y = mirror_world(3).sample(500, 100, np.random.default_rng(100 + seed))
        model = SyntheticClassifier(LogisticRegression(), teacher=None, guardrail=0.1, random_state=seed).fit(
            X, y.astype(int)
        )
        nothing += model.decision_.n_synthetic == 0
    assert nothing >= 16


def test_rows_that_stand_four_times_say_no_more_than_once():
    """Equal rows are in one fold, so that their losses are one observation: intervals are no narrower for them."""
    X, y = numbers()
    widths = []
    for times in (1, 4):
        many = np.repeat(X, times, axis=0), np.repeat(y, times)
        decision = SyntheticClassifier(LogisticRegression(), **QUICK).fit(*many).decision_
        widths.append(np.median([result.high - result.low for result in decision.candidates]))
    assert widths[1] > 0.33 * widths[0]  # .44; a fourth of the sampling error, .22, if each counted by itself


def test_the_rule_and_the_guardrail_decide_how_much_has_to_be_shown():
    X, y = numbers()
    loose = SyntheticClassifier(LogisticRegression(), guardrail=1.0, **QUICK).fit(X, y).decision_
    assert loose.candidates[loose.chosen].above_best == 0
    strict = SyntheticClassifier(LogisticRegression(), guardrail=0.0, **QUICK).fit(X, y).decision_
    assert strict.n_synthetic == 0
    careful = SyntheticClassifier(LogisticRegression(), rule=50.0, guardrail=1.0, **QUICK).fit(X, y).decision_
    assert careful.n_synthetic == 0
    for name, value in (("guardrail", 2.0), ("rule", -1.0)):
        with pytest.raises(ValueError, match=name):
            SyntheticClassifier(LogisticRegression(), **{name: value}).fit(X, y)


class Oracle(Shuffler):
    """Knows the law of both classes: what no honest generator can know."""

    def propose(self, group, n, *, rng):
        names = [column.name for column in self.table_.schema.learned]
        values = rng.normal(size=(n, len(names))) + 0.5 * (group[0] == 1)
        columns = {name: self.table_.schema[name].snap(values[:, j]) for j, name in enumerate(names)}
        return self.table_.decode(columns)


def test_rows_are_added_where_they_help():
    rng = np.random.default_rng(1)
    y = (np.arange(640) < 40).astype(int)
    X = rng.normal(size=(640, 20)) + 0.5 * y[:, None]
    model = SyntheticClassifier(
        LogisticRegression(C=1e4), Oracle(), teacher=None, target_prior="balanced", random_state=0
    ).fit(X, y)
    decision = model.decision_
    assert decision.n_synthetic > 0
    assert "adding nothing costs" in decision.reason
    assert len(model.generation_) == decision.n_synthetic
    assert decision.candidates[decision.chosen].risk < decision.candidates[0].risk
    test = rng.normal(size=(4000, 20)) + 0.5 * np.repeat([0, 1], 2000)[:, None]
    labels = np.repeat([0, 1], 2000)
    raw = SyntheticClassifier(LogisticRegression(C=1e4), target_prior="balanced", random_state=0, **NO_ROWS).fit(X, y)
    without = balanced_loss(labels, raw.predict_proba(test)[:, 1])
    assert balanced_loss(labels, model.predict_proba(test)[:, 1]) < without - 0.02


def test_the_decision_is_plain_data_and_readable_text():
    X, y = numbers()
    decision = SyntheticClassifier(LogisticRegression(), **QUICK).fit(X, y).decision_
    plain = json.loads(json.dumps(decision.to_dict()))
    assert sum(result["chosen"] for result in plain["candidates"]) == 1
    assert plain["groups"][1]["n_real"] == 60
    assert plain["slope_symmetry"]["advice"] == decision.slope_symmetry.advice
    text = str(decision)
    assert decision.reason in text
    assert text.count("above the best") == 9
    assert "slope symmetry: p = " in text


def test_the_slope_symmetry_test_tells_a_bent_world():
    for world, rejected in (
        (LogisticWorld(np.full(3, 0.6), -2.0), False),
        (LogisticWorld(np.full(3, 0.6), -2.0, quadratic=0.5), True),
    ):
        X, y = world.sample(3000, np.random.default_rng(0))
        model = SyntheticClassifier(LogisticRegression(), calibrate=None, random_state=0, **NO_ROWS)
        assert model.fit(X, y.astype(int)).decision_.slope_symmetry.rejected is rejected


def test_why_there_is_no_slope_symmetry_test():
    X, y = mixed()
    model = SyntheticClassifier(mixed_pipeline(), calibrate=None, **NO_ROWS)
    assert model.fit(X, y).decision_.notes == ("no slope-symmetry test: it needs numbers in every column",)
    X, y = numbers()
    notes = SyntheticClassifier(LogisticRegression(), calibrate=None, **NO_ROWS)
    assert "two classes" in notes.fit(X, np.arange(240) % 3).decision_.notes[0]
    assert "collinear" in notes.fit(np.hstack([X, X]), y).decision_.notes[0]
    assert "unequal classes" in notes.fit(X, np.arange(240) % 2).decision_.notes[0]


@pytest.mark.parametrize(
    ("sizes", "balance", "augment"),
    [
        ({"n_synthetic": "balance", "augment": 0}, (0, 120), 0),
        ({"n_synthetic": 30, "augment": 0}, (0, 30), 0),
        ({"n_synthetic": {1: 45}, "augment": 10, "alpha": 0.2}, (0, 45), 10),
        ({"n_synthetic": 0, "augment": 50, "alpha": 0.5}, (0, 0), 50),
        ({"n_synthetic": 0, "augment": 0}, (0, 0), 0),
    ],
)
def test_sizes_that_are_given_are_kept(sizes, balance, augment):
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), **sizes, **QUICK).fit(X, y)
    assert tuple(take.n_balance for take in model.decision_.takes) == balance
    assert {take.n_augment for take in model.decision_.takes} == {augment}
    assert "given" in model.decision_.reason or "asked for" in model.decision_.reason
    assert model.decision_.alpha == sizes.get("alpha", 0.0)


def test_what_is_left_open_is_chosen_beside_what_is_given():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), n_synthetic="balance", **QUICK).fit(X, y)
    assert model.decision_.takes[1].n_balance == 120
    assert "the least risk that was asked for; adding nothing validates" in model.decision_.reason
    given = [result for result in model.decision_.candidates if result.candidate.balance == 1]
    assert model.decision_.candidates[model.decision_.chosen] == min(given, key=lambda r: r.risk)


def test_nothing_is_validated_where_nothing_is_open():
    X, y = numbers()
    model = SyntheticClassifier(LogisticRegression(), calibrate="logit-shift", **NO_ROWS).fit(X, y)
    assert (model.decision_.fits, model.decision_.folds, model.decision_.candidates) == (1, 0, ())
    assert model.generation_ is None


def test_options_of_a_configured_sampler_reach_its_generator():
    X, y = numbers()
    sampler = SyntheticOverSampler("smoothed-bootstrap", options={"bandwidth": "no bandwidth"})
    with pytest.raises(OptionError, match="bandwidth"):
        SyntheticClassifier(LogisticRegression(), sampler, n_synthetic="balance", **QUICK).fit(X, y)
