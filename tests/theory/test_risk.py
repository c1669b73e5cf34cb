from __future__ import annotations

import math

import numpy as np
import pytest

from makeweight.errors import PlanError, SchemaError
from makeweight.theory import group_risks, row_losses
from makeweight.theory.published.intervals import excess_risk, risk_intervals


def test_constant_half_scores_log_two_and_a_quarter() -> None:
    labels, half = np.array([0, 1, 1, 0]), np.full(4, 0.5)
    assert row_losses(labels, half) == pytest.approx(np.full(4, math.log(2)))
    assert row_losses(labels, half, loss="brier") == pytest.approx(np.full(4, 0.25))
    assert row_losses(labels, half, loss="zero-one") == pytest.approx(np.full(4, 0.5))


def test_multiclass_losses_agree_with_binary_ones() -> None:
    rng = np.random.default_rng(0)
    p, labels = rng.random(50), rng.integers(0, 2, 50)
    for loss in ("log", "brier", "zero-one"):
        wide = row_losses(labels, np.column_stack([1 - p, p]), loss)
        assert wide == pytest.approx(row_losses(labels, p, loss))


def test_a_certain_error_is_infinite_not_clipped() -> None:
    losses = row_losses([1, 0], [0.0, 0.0])
    assert math.isinf(losses[0])
    assert losses[1] == 0
    assert math.isinf(group_risks(losses, [0, 1]).worst)


def test_balanced_and_worst_risk() -> None:
    risks = group_risks([1.0, 2.0, 9.0, 4.0], ["b", "b", "a", "c"], sample_weight=[3, 1, 2, 1])
    assert risks.groups.tolist() == ["a", "b", "c"]
    assert risks.risks == pytest.approx([9, 1.25, 4])
    assert risks.balanced == pytest.approx((9 + 1.25 + 4) / 3)
    assert (risks.worst, risks.worst_group) == (9, "a")


def test_bootstrap_intervals_cover() -> None:
    """Nominal 90% over 200 tables of 60 + 30 rows; 99.9% range .82-.96, small-sample loss included."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        losses = np.concatenate([rng.exponential(1.0, 60), rng.exponential(2.0, 30)])
        found = risk_intervals(losses, np.repeat([0, 1], [60, 30]), rng=rng, level=0.9, draws=200)["balanced"]
        covered += found.low <= 1.5 <= found.high
    assert 0.82 <= covered / 200 <= 0.96


def test_pairing_removes_shared_noise() -> None:
    rng = np.random.default_rng(0)
    reference, groups = rng.exponential(size=200), np.repeat([0, 1], 100)
    found = excess_risk(reference + 0.1 + 0.01 * rng.normal(size=200), reference, groups, rng=rng)
    assert found.high - found.low < 0.01
    assert found.low < 0.1 < found.high


@pytest.mark.parametrize(
    ("losses", "groups", "error"),
    [
        ([], [], SchemaError),
        ([1.0, math.nan], [0, 1], SchemaError),
        ([1.0, 2.0], [0, 1, 1], SchemaError),
        ([1.0, 2.0], [0.0, math.nan], SchemaError),
        ([[1.0]], [0], SchemaError),
    ],
)
def test_degenerate_input_is_refused(losses: list, groups: list, error: type[Exception]) -> None:
    with pytest.raises(error):
        group_risks(losses, groups)


def test_a_single_row_has_no_interval() -> None:
    with pytest.raises(PlanError, match="group 'b'"):
        risk_intervals([1.0, 2.0, 3.0], ["a", "a", "b"], rng=np.random.default_rng(0))


def test_groups_without_weight_are_refused() -> None:
    with pytest.raises(PlanError, match="no weight"):
        group_risks([1.0, 2.0], ["a", "b"], sample_weight=[1.0, 0.0])


@pytest.mark.parametrize("probabilities", [[0.5, 1.2], [0.5, math.nan], [[0.2, 0.2], [0.5, 0.5]]])
def test_what_is_no_probability_is_refused(probabilities: list) -> None:
    with pytest.raises(SchemaError):
        row_losses([0, 1], probabilities)
    with pytest.raises(SchemaError, match="class numbers"):
        row_losses([0, 2], [0.5, 0.5])
