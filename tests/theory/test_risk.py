from __future__ import annotations

import math

import numpy as np
import pytest

from makeweight.errors import PlanError, SchemaError
from makeweight.theory import group_risks, row_losses


def test_constant_half_scores_log_two_and_a_quarter() -> None:
    labels, half = np.array([0, 1, 1, 0]), np.full(4, 0.5)
    assert row_losses(labels, half) == pytest.approx(np.full(4, math.log(2)))
    assert row_losses(labels, half, loss="squared") == pytest.approx(np.full(4, 0.25))
    assert row_losses(labels, half, loss="zero-one") == pytest.approx(np.full(4, 0.5))


def test_multiclass_losses_agree_with_binary_ones() -> None:
    rng = np.random.default_rng(0)
    p, labels = rng.random(50), rng.integers(0, 2, 50)
    for loss in ("log", "squared", "zero-one"):
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


def test_groups_are_values_or_tuples() -> None:
    losses, cells = [1.0, 2.0, 3.0, 6.0], [("yes", "f"), ("no", "m"), ("yes", "f"), ("no", 3)]
    risks = group_risks(losses, cells, sample_weight=[1, 1, 3, 1])
    assert dict(zip(risks.groups.tolist(), risks.risks.tolist(), strict=True)) == {
        ("yes", "f"): 2.5,
        ("no", "m"): 2.0,
        ("no", 3): 6.0,
    }
    assert risks.worst_group == ("no", 3)
    with pytest.raises(PlanError, match="no weight"):
        group_risks(losses, cells, sample_weight=[1, 0, 1, 1])


def test_groups_without_weight_are_refused() -> None:
    with pytest.raises(PlanError, match="no weight"):
        group_risks([1.0, 2.0], ["a", "b"], sample_weight=[1.0, 0.0])


@pytest.mark.parametrize("probabilities", [[0.5, 1.2], [0.5, math.nan], [[0.2, 0.2], [0.5, 0.5]]])
def test_what_is_no_probability_is_refused(probabilities: list) -> None:
    with pytest.raises(SchemaError):
        row_losses([0, 1], probabilities)
    with pytest.raises(SchemaError, match="class numbers"):
        row_losses([0, 2], [0.5, 0.5])
