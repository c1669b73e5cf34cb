"""The worlds, against Monte Carlo and closed forms; directional size (acceptance 2, exact part)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from makeweight.errors import OptionError, PlanError
from makeweight.theory import fit_logistic
from makeweight.theory.published.components import GaussianComponent, SphereComponent
from makeweight.theory.published.vtss import directional_size
from makeweight.theory.published.worlds import BinaryWorld, CraftWorld, LogisticWorld, biased_world, mirror_world

LAWS = [
    GaussianComponent([0.3, -0.2, 0.5], [[1.0, 0.3, 0.0], [0.3, 0.8, 0.1], [0.0, 0.1, 1.5]]),
    SphereComponent([0.3, -0.2, 0.5], radius=1.4),
    SphereComponent([0.3, -0.2], radius=1.1),
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("loss", ["log", "squared"])
def test_moments_agree_with_monte_carlo(law: GaussianComponent, loss: str) -> None:
    """400,000 draws; tolerance five standard errors, at most .02."""
    rng = np.random.default_rng(0)
    theta = np.array([0.9, -1.2, 0.4, 0.3])[-len(law.mean) - 1 :]
    x = np.column_stack([law.sample(400_000, rng), np.ones(400_000)])
    z = x @ theta
    slope = expit(z) - 1 if loss == "log" else 2 * (z - 1)
    curve = expit(z) * expit(-z) if loss == "log" else np.full_like(z, 2.0)
    value = np.logaddexp(0, -z) if loss == "log" else (z - 1) ** 2
    assert law.risk(theta, 1, loss) == pytest.approx(value.mean(), abs=0.02)
    scores = slope[:, None] * x
    assert law.score_mean(theta, 1, loss) == pytest.approx(scores.mean(axis=0), abs=0.02)
    covariance = np.cov(scores.T)
    size = max(1.0, float(covariance.max()))
    assert law.score_covariance(theta, 1, loss) == pytest.approx(covariance, abs=0.02 * size)
    assert law.hessian(theta, loss) == pytest.approx((x.T * curve) @ x / len(x), abs=0.02)
    assert law.error(theta, 1) == pytest.approx(float((z <= 0).mean()), abs=0.004)


def test_equal_covariances_make_the_logistic_model_right() -> None:
    world = biased_world(loss="log")
    assert world.best == pytest.approx([1.0, 0.0, -0.5], abs=1e-9)


def test_population_fit_is_the_limit_of_samples() -> None:
    world, rng = biased_world(loss="log"), np.random.default_rng(0)
    rows, labels = world.sample(200_000, 10_000, rng)
    exact = world.population_fit(20, 1)
    assert fit_logistic(rows, labels).coefficients == pytest.approx(exact, abs=0.06)


def test_the_published_biased_world() -> None:
    """arXiv 2601.16120: excess .0161 at balance, the best size is four times the gap, and repairs it."""
    world = biased_world()
    assert world.excess_risk(world.population_fit(20, 1, 19)) == pytest.approx(0.0161, abs=1e-4)
    assert directional_size(2000, 100, *world.score_gap()) == pytest.approx(4 * 1900, rel=1e-9)
    assert world.excess_risk(world.population_fit(20, 1, 4 * 19)) < 1e-12


def test_with_an_intercept_no_size_repairs_an_aligned_error() -> None:
    """Log-loss: rows only move the intercept, so that the best size is near balance and leaves .02."""
    world = biased_world(loss="log")
    sizes = np.linspace(0.1, 5, 50)
    excess = [world.excess_risk(world.population_fit(20, 1, 19 * s)) for s in sizes]
    assert min(excess) > 0.02
    assert 0.8 < sizes[int(np.argmin(excess))] < 1.1
    assert directional_size(2000, 100, *world.score_gap()) / 1900 == pytest.approx(0.9536, abs=1e-3)


def test_no_direction_means_no_directional_size() -> None:
    with pytest.raises(PlanError, match="locally symmetric"):
        directional_size(100, 10, np.zeros(3), np.ones(3))
    with pytest.raises(PlanError, match="no imbalance"):
        directional_size(10, 10, np.ones(3), np.ones(3))
    assert math.isinf(directional_size(100, 10, [1.0], [0.6]))


@pytest.mark.parametrize("noise", ["gaussian", "sphere"])
def test_mirrored_classes_are_locally_symmetric(noise: str) -> None:
    world = mirror_world(6, noise=noise)
    gap, delta = world.score_gap()
    assert np.abs(gap).max() < 1e-10
    assert np.abs(delta).max() < 1e-10
    assert world.excess_risk(world.population_fit(50, 1)) < 1e-12  # imbalance costs nothing


def test_mirrored_excess_is_the_published_one() -> None:
    """d / (2 n) = .0048 at 2000 + 100 rows; arXiv 2601.16120 reports .0045. Mean of 40 runs, s.e. .0002."""
    world = mirror_world(20)
    found = []
    for seed in range(40):
        rows, labels = world.sample(2000, 100, np.random.default_rng(seed))
        found.append(world.excess_risk(fit_logistic(rows, labels, intercept=False).coefficients))
    assert np.mean(found) == pytest.approx(20 / 4200, abs=0.0008)


def test_known_probabilities_are_calibrated() -> None:
    """Labels drawn agree with the stated probabilities: mean residual within four standard errors."""
    for world in (CraftWorld(), LogisticWorld(np.array([0.5, -1.0]), -1.0, 0.4, 0.6)):
        features, labels = world.sample(50_000, np.random.default_rng(1))
        p = world.probabilities(features)
        error = np.sqrt((p * (1 - p)).mean() / len(p))
        assert abs((labels - p).mean()) < 4 * error
        assert abs(((labels - p) * features[:, 0]).mean()) < 4 * error * features[:, 0].std()


def test_craft_is_balanced_and_rounded() -> None:
    features, labels = CraftWorld().sample(100_000, np.random.default_rng(0))
    assert labels.mean() == pytest.approx(0.5, abs=0.006)
    assert np.array_equal(features, features.round(1))
    assert set(np.unique(features[:, 5])) == {-1.0, 1.0}


def test_impossible_worlds_are_refused() -> None:
    with pytest.raises(OptionError, match="positive definite"):
        GaussianComponent([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(OptionError):
        mirror_world(4, noise="cauchy")
    with pytest.raises(OptionError):
        SphereComponent([0.0])
    world = BinaryWorld(*(GaussianComponent([0.0]),) * 3)
    with pytest.raises(PlanError, match="both classes"):
        world.population_fit(1, 0, 0)
