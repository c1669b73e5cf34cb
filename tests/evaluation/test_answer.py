"""The answer: at most twelve words, the best arm, and what did it."""

import re

import numpy as np
import pytest

from makeweight.evaluation.answer import MOST_WORDS, Advice, give_answer
from makeweight.evaluation.arms import REFERENCE, catalogue
from makeweight.evaluation.metrics import ALARMS
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.store import ArmRecord
from makeweight.evaluation.verdict import beats

ARMS = [arm for source in catalogue("smote") for arm in source.arms]
SPLITS = [(repeat, fold) for repeat in range(2) for fold in range(5)]


def advice(case="yes"):
    by = ["--generator", "smote"]
    n_added = {"balanced": 400, "augmented": 1200, "soft": 8000}
    return Advice(["t.csv", "--target", "churn"], by, by, n_added, 300, "churn", case)


def scores(gains, estimators=("lr",), found=0.0, failing=(), uneven=None, splits=SPLITS):
    """Arms that differ by stated gains in log-loss and AUROC, and in cases found for as many alarms."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.0005, (len(splits), len(ARMS)))
    records = []
    for place, name in enumerate(estimators):
        shaken = rng.normal(0, (uneven or {}).get(name, 0.0), len(splits))
        for i, (repeat, fold) in enumerate(splits):
            for j, arm in enumerate(ARMS):
                loss, auroc = gains.get((name, arm.name), gains.get(arm.name, (0.0, 0.0)))
                curve = [min(1.0, 2 * share + found * (auroc > 0)) if share else 0.0 for share in ALARMS]
                records.append(
                    ArmRecord(
                        repeat,
                        fold,
                        arm.source,
                        arm.name,
                        name,
                        error="no" if arm.name in failing else "",
                        n_added=100 if arm.synthetic else 0,
                        metrics={
                            "balanced_log_loss": 0.5 + 0.1 * place - loss + noise[i, j] + shaken[i],
                            "auroc": 0.8 + auroc + noise[i, j] - shaken[i],
                        },
                        log_loss=[0.5, 0.5],
                        group_error=[0.2, 0.2],
                        n_held=[80, 20],
                        alarms=0.2,
                        found=[[], curve],
                    )
                )
    return Scores(records, ARMS, estimators, splits, 5)


@pytest.mark.parametrize(
    ("gains", "step", "text", "command"),
    [
        ({}, "calibration", "Do not add rows: calibrate.", "in Python: SyntheticClassifier(model, n_synthetic=0"),
        ({"rf5+platt": (0.02, 0.02)}, "learner", "Add no rows: a regularised forest finds 12 more of 100.", "RandomF"),
        ({"weights+platt": (0.02, 0.02)}, "weights", "Add no rows: class weights find 12 more of 100.", "in Python"),
        ({"soft-real": (0.02, 0.02)}, "labels", "Add no rows: soft labels find 12 more of 100.", "teach(X, y"),
        ({"committee": (0.02, 0.02)}, "committee", "Add no rows: a committee finds 12 more of 100.", "Committee"),
        (
            {"smote+platt": (0.02, 0.02)},
            "rows",
            "Add 400 rows: 12 more of 100 churn=yes found.",
            "makeweight balance t.csv --target churn --generator smote -o balanced.csv",
        ),
        (
            {"random+platt": (0.02, 0.02)},
            "rows",
            "Add 400 rows by random: 12 more of 100 churn=yes found.",
            "makeweight balance t.csv --target churn --generator random -o balanced.csv",
        ),
        (
            {"smote+augment+platt": (0.02, 0.02)},
            "rows",
            "Add 1,200 rows: 12 more of 100 churn=yes found.",
            "makeweight balance t.csv --target churn --generator smote --augment 300 -o balanced.csv",
        ),
        (
            {"soft": (0.03, 0.03)},
            "soft-rows",
            "Add 8,000 soft rows: 12 more of 100 churn=yes found.",
            "makeweight balance t.csv --target churn --generator smote --soft-labels -o balanced.csv",
        ),
        ({"blend": (0.03, 0.03)}, "blend", "Add 8,000 soft rows, blend: 12 more of 100 churn=yes found.", "blend("),
        (
            {"auto+platt": (0.03, 0.03)},
            "auto",
            "Let SyntheticClassifier choose rows: it finds 12 more of 100.",
            "Python",
        ),
    ],
)
def test_the_best_arm_is_named_and_what_did_it(gains, step, text, command):
    answer = give_answer(scores(gains, found=0.12), advice())
    assert answer.step == step
    assert answer.text == text
    assert command in answer.command
    assert "makeweight" not in answer.python
    assert round(answer.alarms, 3) == 0.2


def test_two_splits_show_nothing():
    gains = {"smote+platt": (0.3, 0.15)}
    assert give_answer(scores(gains), advice()).step == "rows"
    two = scores(gains, splits=SPLITS[:2])
    assert two.difference("lr", "smote+platt", "auroc").p_holm < 0.05
    assert give_answer(two, advice()).step == "calibration"


def test_rows_that_add_nothing_to_soft_labels_are_not_praised():
    level = give_answer(scores({"soft-real": (0.03, 0.02), "soft": (0.0301, 0.02)}), advice())
    assert level.step == "labels"
    more = give_answer(scores({"soft-real": (0.01, 0.01), "soft": (0.03, 0.02)}), advice())
    assert more.step == "soft-rows"


def test_a_gain_that_is_worse_elsewhere_or_of_another_learner_is_none():
    assert give_answer(scores({"smote+platt": (0.02, -0.02)}), advice()).step == "calibration"
    two = scores({("hgb", "smote+platt"): (0.05, 0.05)}, ("lr", "hgb"))
    answer = give_answer(two, advice())
    assert (answer.step, answer.estimator) == ("calibration", "lr")
    assert answer.text == "Do not add rows: calibrate logistic regression."


def test_what_helps_nearly_always_is_likely_where_it_did_better_and_nothing_is_shown():
    open_, estimators = {"hgb": 0.3}, ("lr", "hgb")
    likely = give_answer(scores({("hgb", "auto+platt"): (0.12, 0.3)}, estimators, uneven=open_), advice())
    assert (likely.step, likely.estimator, likely.arm, likely.shown) == ("auto", "hgb", "auto+platt", False)
    assert re.fullmatch(
        r"Likely best: SyntheticClassifier with boosted trees, log-loss \d+\.\d % lower, not shown\.", likely.text
    )
    assert len(likely.text.split()) <= MOST_WORDS
    assert likely.command.startswith("in Python: SyntheticClassifier(model, 'smote').fit")
    alone = give_answer(scores({"auto+platt": (0.0013, 0.0005)}), advice())
    assert re.fullmatch(r"Likely best: SyntheticClassifier, log-loss 0\.\d % lower, not shown\.", alone.text)
    for worse in ((-0.5, 0.3), (0.12, -0.9)):  # than calibration with the other estimator, in log-loss or in AUROC
        kept = give_answer(scores({("hgb", "auto+platt"): worse}, estimators, uneven=open_), advice())
        assert (kept.step, kept.shown) == ("calibration", True)
    absent = scores({("hgb", "auto+platt"): (0.12, 0.3)}, estimators, uneven=open_, failing=("auto+platt",))
    assert give_answer(absent, advice()).step == "calibration"


def test_calibration_with_a_worse_estimator_is_not_the_answer_for_want_of_splits():
    """The forest is worse, but so uneven over splits that nothing is shown to beat it."""
    uneven = scores({("lr", "committee"): (0.02, 0.02)}, ("lr", "rf"), uneven={"rf": 0.3})
    assert not beats(uneven, ("lr", "committee"), ("rf", REFERENCE))
    answer = give_answer(uneven, advice())
    assert (answer.step, answer.estimator) == ("committee", "lr")


@pytest.mark.parametrize("auroc", [0.02, 0.0])
def test_what_is_said_to_be_gained_is_what_is_shown(auroc):
    answer = give_answer(scores({"smote+platt": (0.02, auroc)}), advice())
    assert re.fullmatch(r"Add 400 rows: log-loss (3\.9|4\.[01]) % lower\.", answer.text)
    ranks = give_answer(scores({"smote+platt": (0.0, 0.02)}), advice())
    assert re.fullmatch(r"Add 400 rows: AUROC 0\.0(19|20|21) higher\.", ranks.text)


@pytest.mark.parametrize("case", ["yes", "a class of many words", "x" * 90])
@pytest.mark.parametrize("arm", [arm.name for arm in ARMS if arm.calibrated])
def test_no_answer_has_more_than_twelve_words(arm, case):
    for found in (0.0, 0.12):
        answer = give_answer(scores({arm: (0.05, 0.05)} if arm != REFERENCE else {}, found=found), advice(case))
        assert len(answer.text.split()) <= MOST_WORDS
        assert len(answer.text) < 80


def test_where_nothing_was_measured_that_is_the_answer():
    answer = give_answer(scores({}, failing=[arm.name for arm in ARMS]), advice())
    assert answer.step == "failed"
    assert answer.command.endswith("--dry-run")
