"""The sentence says what was shown, for better and for worse."""

import numpy as np
import pytest

from makeweight.evaluation.arms import REFERENCE, Arm
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.store import ArmRecord
from makeweight.evaluation.verdict import judge

ARMS = (
    Arm("nothing", "do nothing", "nothing", "balanced"),
    Arm(REFERENCE, "do nothing + calibration", "nothing", "balanced", "platt"),
    Arm("rows", "rows", "rows", "balanced", synthetic=True, focus=True),
    Arm("rows+platt", "rows + calibration", "rows", "balanced", "platt", synthetic=True, focus=True),
)


def verdict(loss, auroc, raw=0.0):
    """Judge rows whose calibrated arm differs so much from the reference, and the raw one from nothing."""
    splits = [(repeat, fold) for repeat in range(2) for fold in range(5)]
    noise = np.random.default_rng(0).normal(0, 0.002, (len(splits), len(ARMS)))
    records = [
        ArmRecord(
            repeat,
            fold,
            arm.source,
            arm.name,
            "lr",
            n_added=100,
            log_loss=[0.5, 0.5],
            group_error=[0.2, 0.2],
            metrics={
                "balanced_log_loss": 0.5 + shift + noise[i, j],
                "auroc": 0.8 + (auroc if arm.name == "rows+platt" else 0.0) + noise[i, j],
            },
        )
        for i, (repeat, fold) in enumerate(splits)
        for j, (arm, shift) in enumerate(zip(ARMS, (0.1, 0.0, 0.1 + raw, loss), strict=True))
    ]
    scores = Scores(records, ARMS, ["lr"], splits, 5)
    return judge(
        scores,
        [arm for arm in ARMS if arm.focus],
        groups=["y=a", "y=b"],
        table=["t.csv", "--target", "y"],
        generator=["--generator", "random"],
        n_added={"balanced": 100},
        augment=50,
        cut=(),
    )


@pytest.mark.parametrize(
    ("loss", "auroc", "raw", "code", "says", "following"),
    [
        (-0.05, 0.03, 0.0, "helps-ranking", "Synthetic rows help ranking, with", "makeweight balance t.csv"),
        (-0.05, 0.0, 0.0, "helps-ranking", "help beyond calibration", "makeweight balance t.csv"),
        (0.05, -0.03, 0.0, "hurts", "Synthetic rows hurt, with", "add none of these rows"),
        (0.05, 0.0, 0.0, "hurts", "Synthetic rows hurt, with", "add none of these rows"),
        (
            -0.05,
            -0.03,
            0.0,
            "hurts",
            "Synthetic rows hurt ranking and improve the balanced log-loss, with",
            "only where the balanced log-loss is all that counts; otherwise none",
        ),
        (
            0.05,
            0.03,
            0.0,
            "hurts",
            "Synthetic rows hurt the balanced log-loss and improve ranking, with",
            "only where ranking is all that counts",
        ),
        (0.0, 0.0, -0.08, "helps-calibration-only", "help only calibration", "calibrate: "),
        (0.0, 0.0, 0.0, "no-difference", "No measurable difference", "add no row"),
    ],
)
def test_each_rule_has_its_sentence(loss, auroc, raw, code, says, following):
    found = verdict(loss, auroc, raw)
    assert found.code == code
    assert says in found.sentence
    assert following in found.next
