"""Cost of transfer, guardrail, information, ranking, best ratio: in worlds with exact sums or closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import comb, ndtr

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import (
    BorrowedRows,
    cost_of_transfer,
    fisher_information,
    fit_logistic,
    guarded_p_value,
    prior_weight,
    ranking_test,
    row_losses,
    rows_worth,
    transfer_cost,
)
from makeweight.theory.published.components import GaussianComponent
from makeweight.theory.published.effects import corrected_effect
from makeweight.theory.published.reference import duplicate, interpolate
from makeweight.theory.published.ridge import KernelRidgeWorld, best_ratio, pooled_risk
from makeweight.theory.published.worlds import BinaryWorld, LogisticWorld


def losses_of(odds: np.ndarray) -> np.ndarray:
    """Log-loss of each cell as class 0 and as class 1."""
    return np.vstack([np.logaddexp(0, odds), np.logaddexp(0, -odds)])


@pytest.mark.parametrize("seed", range(5))
def test_excess_risk_is_rate_plus_cost_of_transfer(seed: int) -> None:
    """Six cells, two classes, a saturated model fitted to the written laws: the identity holds to 1e-12."""
    rng = np.random.default_rng(seed)
    truth, written = rng.dirichlet(np.ones(6), size=2), rng.dirichlet(np.ones(6), size=2)
    written[0] = truth[0]
    best, fitted = np.log(truth[1] / truth[0]), np.log(written[1] / written[0])
    found = transfer_cost(losses_of(fitted), losses_of(best), truth, written)
    excess = float((truth * (losses_of(fitted) - losses_of(best))).sum() / 2)
    assert found.excess == pytest.approx(excess, abs=1e-12)
    assert found.rate <= 0 < excess  # no model is better than the fit under the laws it was fitted to
    assert abs(found.cost) <= found.bound
    perfect = transfer_cost(losses_of(fitted), losses_of(best), truth, truth)
    assert perfect.cost == perfect.bound == 0.0
    unseen = transfer_cost(losses_of(fitted), losses_of(best), [[1, 0, 0, 0, 0, 0], truth[1]], written)
    assert math.isinf(unseen.bound)


def test_the_cost_of_transfer_is_estimated_and_covered() -> None:
    """Majority N(0, I), rare N(e, I), written N(e / 2, I): held-out rows give the exact difference of the risks.

    100 held-out tables of 400 + 200 rows for one pair of fits: 95 % intervals cover in at least 90.
    """
    mean = np.array([1.0, 0.0])
    world = BinaryWorld(*(GaussianComponent(m) for m in (0 * mean, mean, mean / 2)))
    real, written = world.population_fit(1, 1), world.population_fit(1, 0.5, 0.5)
    exact = world.balanced_risk(written) - world.balanced_risk(real)
    covered = 0
    for seed in range(100):
        x, y = world.sample(400, 200, np.random.default_rng(seed))
        ours, theirs = (row_losses(y, 1 / (1 + np.exp(-x @ t[:2] - t[2]))) for t in (written, real))
        found = cost_of_transfer(ours, theirs, y)
        covered += found.low <= exact <= found.high
    assert covered >= 90


def test_interpolation_transfers_at_a_higher_cost_than_copies_in_ten_dimensions() -> None:
    """arXiv 2601.10630: SMOTE costs more than the bootstrap in moderately high dimensions; 20 tables, exact risks."""
    mean = np.full(10, 1 / math.sqrt(10))
    world = BinaryWorld(*(GaussianComponent(m) for m in (0 * mean, mean, mean)))
    costs = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, y = world.sample(1000, 60, rng)
        fits = [generator(x, y, 940, rng) for generator in (interpolate, duplicate)]
        fits.append(world.minority.sample(940, rng))
        costs.append(
            [
                world.excess_risk(fit_logistic(np.vstack([x, rows]), np.append(y, np.ones(940))).coefficients)
                for rows in fits
            ]
        )
    smote, copies, real = np.mean(costs, axis=0)
    assert smote - real > copies - real > 0


def test_the_guardrail_holds_whatever_the_rows_are() -> None:
    """Valid p-values on a grid and the worst pooled one: the error is at most alpha + epsilon."""
    real = np.arange(1, 101) / 100
    for alpha, epsilon in itertools.product((0.05, 0.16), (0.0, 0.1, 0.3)):
        worst = guarded_p_value(real, np.zeros(100), epsilon) <= alpha + 1e-12
        assert worst.mean() == pytest.approx(alpha + epsilon)
        useless = guarded_p_value(real, np.ones(100), epsilon)
        assert np.array_equal(useless, real)
    with pytest.raises(SchemaError, match="p-values"):
        guarded_p_value([1.2], [0.5], 0.1)


def test_good_rows_buy_power() -> None:
    """A mean of .25 in 50 real rows, and 200 rows of the same law: power .55 alone, above .8 with epsilon = .2."""
    rng = np.random.default_rng(0)
    real, more = 0.25 + rng.normal(size=(4000, 50)), 0.25 + rng.normal(size=(4000, 200))
    alone = ndtr(-real.mean(axis=1) * math.sqrt(50))
    pooled = ndtr(-np.hstack([real, more]).mean(axis=1) * math.sqrt(250))
    guarded = guarded_p_value(alone, pooled, 0.2)
    assert (alone <= 0.05).mean() == pytest.approx(float(ndtr(0.25 * math.sqrt(50) - 1.645)), abs=0.03)
    assert (guarded <= 0.05).mean() > 0.8


def binomial(n: int, chance: float) -> np.ndarray:
    k = np.arange(n + 1)
    return comb(n, k) * chance**k * (1 - chance) ** (n - k)


@pytest.mark.parametrize("theta", [0.2, 0.5])
def test_rows_of_a_generator_that_knows_the_table_alone_add_no_information(theta: float) -> None:
    """6 real draws, 9 written ones at the rate (k + 1) / (n + 2), all outcomes summed."""
    n, m, step = 6, 9, 1e-6
    kernel = np.array([binomial(m, (k + 1) / (n + 2)) for k in range(n + 1)])

    def joint(chance: float) -> np.ndarray:
        return binomial(n, chance)[:, None] * kernel

    slope = (joint(theta + step) - joint(theta - step)) / (2 * step)
    real = n / (theta * (1 - theta))
    together = fisher_information(joint(theta).ravel(), slope.ravel())
    alone = fisher_information(joint(theta).sum(axis=0), slope.sum(axis=0))
    assert together == pytest.approx(real, rel=1e-6)
    assert 0 < alone < real
    assert rows_worth(n, m, worth=0.0) == 0.0


@pytest.mark.parametrize(("n", "m", "worth", "outside"), [(30, 800, 80, None), (30, 800, 10, 40), (100, 50, 20, 20)])
def test_the_best_weight_is_the_best(n: int, m: int, worth: float, outside: float | None) -> None:
    """The error of the weighted mean, written out, is least at `prior_weight`; 40,000 draws agree within 5 s.e."""
    share = 1.0 if outside is None else outside / (n + outside)

    def error(weight: float) -> float:
        a = weight * m / (n + weight * m)
        return (1 - a * share) ** 2 / n + (a * share) ** 2 / worth + a**2 / m

    best = prior_weight(n, m, worth=worth, outside=outside)
    assert all(error(best) <= error(best * factor) for factor in (0.5, 0.9, 1.1, 2.0))
    rng = np.random.default_rng(0)
    rows, shift = rng.normal(size=40_000) / math.sqrt(n), rng.normal(size=40_000) / math.sqrt(worth)
    written = (1 - share) * rows + share * shift + rng.normal(size=40_000) / math.sqrt(m)
    squares = ((n * rows + best * m * written) / (n + best * m)) ** 2
    assert squares.mean() == pytest.approx(error(best), abs=5 * squares.std() / 200)


def test_weights_of_written_rows_in_the_limits() -> None:
    assert [prior_weight(n, 90, worth=10) for n in (10, 1000)] == pytest.approx([0.1, 0.1])
    assert prior_weight(30, 100, worth=0) == 0.0
    weights = [prior_weight(30, m, worth=50, outside=50) for m in (100, 1000, 10_000)]
    assert (
        weights[0] == pytest.approx(weights[1]) == pytest.approx(weights[2])
    )  # w = worth / (n + ...) stays, mass grows
    assert rows_worth(30, math.inf, worth=50, outside=50) == 50
    with pytest.raises(OptionError):
        prior_weight(30, 100, worth=-1)


def test_ranking_test_keeps_its_level_and_has_power() -> None:
    """n = 4000, 5 features, 8 % rare. Right model: at most 9 of 80 rejected at 5 %; bent ones: at least 19 of 20."""
    slopes = np.full(5, 1 / math.sqrt(5))
    rejected = sum(
        ranking_test(*LogisticWorld(slopes, -3.0).sample(4000, np.random.default_rng(seed))).can_gain
        for seed in range(80)
    )
    assert rejected <= 9
    for bent in ({"quadratic": 0.5}, {"interaction": 0.7}):
        world = LogisticWorld(slopes, -3.0, **bent)
        found = [ranking_test(*world.sample(4000, np.random.default_rng(seed))) for seed in range(20)]
        assert sum(one.can_gain for one in found) >= 19


def test_ranking_test_says_what_it_would_have_seen() -> None:
    few, many = (
        ranking_test(*LogisticWorld(np.full(3, 0.6), -2.0).sample(n, np.random.default_rng(1)), method="chi-square")
        for n in (1000, 16_000)
    )
    assert 0.05 > few.detectable > 2 * many.detectable > 0
    assert "unlikely" in many.answer
    assert "four of five" in many.answer
    with pytest.raises(PlanError):
        ranking_test(np.eye(4), [0, 0, 1, 1])


def test_kernel_ridge_is_exact_and_u_shaped() -> None:
    """Ten rows, a Gaussian kernel: the closed form against 20,000 noisy tables, and a best strength inside."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=10)
    kernel = np.exp(-((x[:, None] - x[None, :]) ** 2)) + 0.05 * np.eye(10)
    truth, generator = np.sin(2 * x), np.sin(2 * x) + 0.4
    world = KernelRidgeWorld.from_rows(kernel, truth, generator, 0.5)
    for strength in (0.1, 1.0, 10.0):
        hat = kernel @ np.linalg.inv(kernel + strength * np.eye(10))
        labels = truth + 0.5 * rng.normal(size=(20_000, 10))
        errors = ((generator + (labels - generator) @ hat.T - truth) ** 2).mean(axis=1)
        assert world.risk(strength) == pytest.approx(errors.mean(), abs=5 * errors.std() / math.sqrt(20_000))
    best = world.best_strength
    assert world.risk(best) < min(world.risk(0.0), world.risk(math.inf), world.risk(best / 4), world.risk(best * 4))
    assert world.risk(math.inf) == pytest.approx(0.16)
    assert KernelRidgeWorld(np.ones(2), np.zeros(2), 1.0).best_strength == math.inf
    assert KernelRidgeWorld(np.ones(2), np.ones(2), 0.0).best_strength == 0.0
    with pytest.raises(OptionError):
        KernelRidgeWorld(np.zeros(2), np.ones(2), 1.0)


@pytest.mark.parametrize(("n", "bias"), [(100, 0.1), (400, 0.1), (30, 0.5)])
def test_the_best_ratio_is_the_bottom_of_the_u(n: int, bias: float) -> None:
    ratio = best_ratio(n, bias)
    around = [pooled_risk(n, ratio * n * factor, bias) for factor in (0.5, 0.9, 1.0, 1.1, 2.0)]
    assert min(around) == around[2]
    assert best_ratio(4 * n, bias) < ratio
    assert best_ratio(n, 0.0) == math.inf


def test_the_effect_of_a_rare_treatment_loses_the_bias_that_is_borrowed() -> None:
    """Outcomes on two points: exact means at c = 0 and c = 1, and 95 % intervals cover in 180 of 200 tables."""
    real, written = np.tile([0.0, 1.0], 20), np.tile([0.5, 1.5], 180)
    outcomes, treated = np.concatenate([np.zeros(200), real]), np.repeat([0, 1], [200, 40])
    exact = BorrowedRows((written, written), (written - 0.5, written - 0.5))
    biased, corrected = (corrected_effect(outcomes, treated, written, exact, correction=c) for c in (0.0, 1.0))
    assert corrected.estimate == pytest.approx(0.5, abs=1e-12)
    assert biased.estimate == pytest.approx(0.5 + 0.5 * 360 / 400, abs=1e-12)
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=440) + 0.5 * np.repeat([0, 1], [400, 40])
        parts = [(rng.normal(0.3, 1, 200), rng.normal(size=200)) for _ in range(10)]
        found = corrected_effect(
            y, np.repeat([0, 1], [400, 40]), rng.normal(0.8, 1, 360), BorrowedRows(*zip(*parts, strict=True))
        )
        covered += found.low <= 0.5 <= found.high
    assert 180 <= covered <= 200
    with pytest.raises(PlanError):
        corrected_effect([0.0, 1.0], [0, 1], written, exact)
