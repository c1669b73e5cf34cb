from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import balanced_weights, fit_calibration, fit_logistic, logit_shift, row_scores
from makeweight.theory.published.worlds import LogisticWorld


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_newton_agrees_with_a_general_optimiser(intercept: bool, ridge: float) -> None:
    rng = np.random.default_rng(0)
    x, y = LogisticWorld(np.array([1.0, -0.5]), -1.0).sample(500, rng)
    weights = rng.exponential(size=500)
    design = np.column_stack([x, np.ones(500)]) if intercept else x

    def objective(theta: np.ndarray) -> float:
        losses = np.logaddexp(0, (1 - 2 * y) * (design @ theta))
        return float(weights @ losses / weights.sum() + ridge / 2 * (theta[:2] ** 2).sum())

    found = fit_logistic(x, y, sample_weight=weights, ridge=ridge, intercept=intercept)
    expected = minimize(objective, np.zeros(design.shape[1]), tol=1e-12).x
    assert found.coefficients == pytest.approx(expected, abs=1e-4)
    assert found.smallest_eigenvalue > 0


def test_scores_sum_to_zero_at_the_fit() -> None:
    x, y = LogisticWorld(np.array([1.0, -0.5]), -1.0).sample(500, np.random.default_rng(0))
    weights = balanced_weights(y)
    fit = fit_logistic(x, y, sample_weight=weights)
    assert weights @ row_scores(x, y, fit) == pytest.approx(np.zeros(3), abs=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_columns_of_any_scale_are_fitted(scale: float) -> None:
    x, y = LogisticWorld(np.array([1.0, -0.5]), -1.0).sample(2000, np.random.default_rng(0))
    usual = fit_logistic(x, y).coefficients
    scaled = fit_logistic(x * [1.0, scale], y).coefficients
    assert scaled * [1.0, scale, 1.0] == pytest.approx(usual, rel=1e-5)


def test_separation_is_refused_without_a_ridge() -> None:
    x, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    with pytest.raises(SchemaError, match="separated"):
        fit_logistic(x, y)
    assert np.isfinite(fit_logistic(x, y, ridge=1e-4).coefficients).all()


def test_partial_separation_and_collinearity_are_refused() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    rare = np.zeros(200)
    rare[np.flatnonzero(y == 1)[:5]] = 1.0  # only ever with class 1
    with pytest.raises(SchemaError, match="separated"):
        fit_logistic(np.column_stack([rng.normal(size=200), rare]), y)
    twice = rng.normal(size=200)
    with pytest.raises(SchemaError, match="collinear"):
        fit_logistic(np.column_stack([twice, 2 * twice]), y)


def test_negative_weights_need_a_ridge_and_a_positive_sum() -> None:
    x, y = np.arange(4.0)[:, None], [0, 1, 0, 1]
    with pytest.raises(OptionError, match="ridge"):
        fit_logistic(x, y, sample_weight=[1, 1, 1, -0.5])
    with pytest.raises(OptionError, match="sum to zero"):
        fit_logistic(x, y, sample_weight=[1, 1, -1, -1], ridge=1.0)
    assert fit_logistic(x, y, sample_weight=[1, 1, 1, -0.5], ridge=0.5).smallest_eigenvalue > 0


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        ([[1.0], [np.nan]], [0, 1], SchemaError),
        ([[1.0], [2.0]], [0, 0], PlanError),
        ([[1.0], [2.0]], [0, 2], SchemaError),
        ([[1.0], [2.0]], [0], SchemaError),
        ([1.0, 2.0], [0, 1], SchemaError),
        (np.empty((0, 2)), [], SchemaError),
    ],
)
def test_degenerate_input_is_refused(x: list, y: list, error: type[Exception]) -> None:
    with pytest.raises(error):
        fit_logistic(x, y)


def test_inputs_survive_with_the_write_flag_cleared() -> None:
    x, y = LogisticWorld(np.array([1.0, -0.5]), -1.0).sample(200, np.random.default_rng(0))
    x.flags.writeable = y.flags.writeable = False
    fit_logistic(x, y, sample_weight=balanced_weights(y))


def test_calibration_undoes_a_shift_and_a_stretch() -> None:
    """n = 40,000; slope and offset within .05 (about four standard errors)."""
    rng = np.random.default_rng(0)
    odds = rng.normal(size=40_000)
    labels = (rng.random(40_000) < 1 / (1 + np.exp(-odds))).astype(int)
    seen = 1 / (1 + np.exp(-(2 * odds + 1)))
    found = fit_calibration(seen, labels)
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.offsets[1] - found.offsets[0] == pytest.approx(-0.5, abs=0.05)


def test_calibration_of_three_classes_only_lowers_the_loss() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), size=3000)
    labels = np.array([rng.choice(3, p=row) for row in p])
    sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
    made = fit_calibration(sharp, labels).apply(sharp)
    rows = np.arange(3000)
    assert -np.log(made[rows, labels]).mean() < -np.log(np.maximum(sharp[rows, labels], 1e-12)).mean() - 0.1
    assert made == pytest.approx(p, abs=0.06)


def test_separated_predictions_still_calibrate() -> None:
    found = fit_calibration([0.0, 0.0, 1.0, 1.0], [0, 0, 1, 1])
    assert np.isfinite(found.slope)
    assert np.isfinite(found.apply([0.0, 1.0, 0.5])).all()


def test_logit_shift_is_bayes_rule() -> None:
    p = np.array([0.02, 0.2, 0.7])
    odds = p / (1 - p) * (0.9 / 0.1) * (0.3 / 0.7)
    assert logit_shift([0.9, 0.1], [0.7, 0.3]).apply(p) == pytest.approx(odds / (1 + odds))
    with pytest.raises(OptionError, match="positive"):
        logit_shift([1.0, 0.0])
