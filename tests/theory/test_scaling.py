"""Scaling law: recovery, coverage, refusal, recommendation; the mixture law; straight lines."""

from __future__ import annotations

import math

import numpy as np
import pytest

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import ScalingLaw
from makeweight.theory.published.mixture import MixtureLaw, fit_mixture_law

SIZES = np.array([0, 250, 500, 1000, 2000, 4000, 8000, 16000])


def truth(sizes: np.ndarray | float, floor: float = 0.3, exponent: float = 0.5) -> np.ndarray:
    return floor + 5.0 * (2000 + 2 * np.asarray(sizes, dtype=float)) ** -exponent


def noisy(rng: np.random.Generator, repeats: int, noise: float = 0.002) -> np.ndarray:
    """Repeats share their own level, as nested pools do."""
    own = 0.5 * noise * rng.normal(size=(repeats, 1))
    return truth(SIZES) + own + noise * rng.normal(size=(repeats, len(SIZES)))


@pytest.mark.parametrize("floor", [0.0, 0.3])
@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_an_exact_curve_is_recovered(floor: float, exponent: float) -> None:
    law = ScalingLaw(2000, 2).fit(SIZES, truth(SIZES, floor, exponent))
    assert law.identifiable_, law.reason_
    assert law.floor_.estimate == pytest.approx(floor, abs=2e-3)
    assert law.exponent_.estimate == pytest.approx(exponent, rel=0.02)
    beyond = law.predict([50_000])
    assert beyond == pytest.approx(truth([50_000], floor, exponent), abs=1e-3)


def test_order_of_the_sizes_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    risks, order = noisy(rng, 6), rng.permutation(len(SIZES))
    first = ScalingLaw(2000, 2).fit(SIZES, risks)
    second = ScalingLaw(2000, 2).fit(SIZES[order], risks[:, order])
    assert first.floor_ == second.floor_
    assert np.array_equal(first.risks_, second.risks_)


@pytest.mark.parametrize(("sizes", "repeats"), [(SIZES[:6], 5), (SIZES[:6], 25), (SIZES, 5)])
def test_intervals_cover(sizes: np.ndarray, repeats: int) -> None:
    """Floor and prediction at 32,000 rows, nominal 90 %, 60 laws each: at least 47 (.995 at a true .9)."""
    floors, ahead = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        risks = truth(sizes) + 0.001 * rng.normal(size=(repeats, 1)) + 0.002 * rng.normal(size=(repeats, len(sizes)))
        law = ScalingLaw(2000, 2, level=0.9).fit(sizes, risks)
        floors += law.floor_.low <= 0.3 <= law.floor_.high
        found = law.predict_interval(32_000)
        ahead += found.low <= truth(32_000) <= found.high
    assert floors >= 47
    assert ahead >= 47


def test_one_outlier_does_not_move_the_law() -> None:
    risks = truth(SIZES)
    risks[3] += 0.05
    law = ScalingLaw(2000, 2).fit(SIZES, risks)
    assert law._fit.law.predict(np.array([2000.0 + 2 * 16_000])) == pytest.approx(truth([16_000]), abs=0.004)


@pytest.mark.parametrize(
    ("sizes", "risks", "reason"),
    [
        (SIZES[:4], truth(SIZES[:4]), "five"),
        (np.arange(6) * 10, truth(np.arange(6) * 10), "must double"),
        (SIZES, np.full(8, 0.5), "constant"),
        (SIZES, 1.0 - truth(SIZES), "does not fall"),
        (SIZES, 0.5 + 0.01 * np.array([1, -1, 1, -1, 1, -1, 1, -1]), "fall"),
        (SIZES, truth(SIZES) + 0.2 * np.array([1, -1, -1, 1, 1, -1, 1, -1]), "would show it"),
    ],
)
def test_what_is_not_identifiable_is_refused_with_the_reason(sizes: np.ndarray, risks: np.ndarray, reason: str) -> None:
    law = ScalingLaw(2000, 2).fit(sizes, risks)
    assert not law.identifiable_
    assert reason in law.reason_
    for refused in (law.predict, law.gain, law.predict_interval):
        with pytest.raises(PlanError, match="not identifiable"):
            refused(100)
    advice = law.recommend()
    assert advice.n_augment in sizes
    assert math.isnan(advice.solution)
    assert "no law" in advice.reason


def test_a_short_range_leaves_the_floor_open() -> None:
    """Sizes that grow threefold, with noise: the floor stays open, and its interval says so."""
    rng = np.random.default_rng(0)
    sizes = np.array([0, 400, 800, 1200, 1600, 2000])
    law = ScalingLaw(2000, 2).fit(sizes, truth(sizes) + 0.004 * rng.normal(size=(10, 6)))
    assert law.floor_.high - law.floor_.low > 2 * (truth(0) - truth(2000))
    assert ScalingLaw(2000, 2).fit(SIZES, truth(SIZES, floor=-0.3, exponent=0.1)).floor_.low == 0.0


def test_a_refusal_says_how_many_repeats_would_answer() -> None:
    """Noise of .1 on a fall of .06: many tables with five repeats are refused, few with the number named."""
    sizes = np.array([0, 250, 500, 1000, 2000, 4000])

    def noisy_law(repeats: int, seed: int) -> ScalingLaw:
        noise = 0.1 * np.random.default_rng(seed).normal(size=(repeats, 6))
        return ScalingLaw(2000, 2).fit(sizes, truth(sizes) + noise)

    refused = [law for law in (noisy_law(5, seed) for seed in range(20)) if "repeats" in law.reason_]
    assert len(refused) > 5
    named = [int(law.reason_.split("about ")[1].split(" ")[0]) for law in refused]
    answered = sum(noisy_law(2 * int(np.median(named)), 100 + seed).identifiable_ for seed in range(20))
    assert answered >= 15


def test_the_sampling_of_the_table_widens_the_intervals() -> None:
    rng = np.random.default_rng(0)
    risks = noisy(rng, 10)
    apart = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    narrow = ScalingLaw(2000, 2).fit(SIZES, risks)
    wide = ScalingLaw(2000, 2).fit(SIZES, risks, row_covariance=1e-5 * 0.9**apart)
    assert wide.floor_.high - wide.floor_.low > 1.5 * (narrow.floor_.high - narrow.floor_.low)
    with pytest.raises(SchemaError, match="covariance"):
        ScalingLaw(2000, 2).fit(SIZES, risks, row_covariance=np.eye(3))


def test_rising_risk_recommends_no_rows() -> None:
    law = ScalingLaw(2000, 2).fit(SIZES, 0.9 - truth(SIZES))
    assert law.recommend().n_augment == 0


def test_the_recommendation_solves_the_law() -> None:
    law = ScalingLaw(2000, 2).fit(SIZES, truth(SIZES))
    tolerance = 0.04
    exact = ((5.0 / tolerance) ** 2 - 2000) / 2
    advice = law.recommend(tolerance, horizon=math.inf)
    assert advice.n_augment == pytest.approx(exact, rel=0.05)
    assert advice.remaining_gain <= tolerance * 1.01
    assert not advice.beyond_tried
    doubled = ((5.0 * (1 - 2**-0.5) / 0.02) ** 2 - 2000) / 2
    assert law.recommend(0.02).n_augment == pytest.approx(doubled, rel=0.05)
    assert law.recommend(10.0).n_augment == 0


def test_the_recommendation_stays_within_what_was_tried() -> None:
    law = ScalingLaw(2000, 2).fit(SIZES, truth(SIZES))
    far = law.recommend(0.001)
    assert far.n_augment == 16_000
    assert far.solution == pytest.approx(((5.0 * (1 - 2**-0.5) / 0.001) ** 2 - 2000) / 2, rel=0.1)
    assert far.beyond_tried
    assert "try larger" in far.reason
    with pytest.raises(OptionError, match="horizon"):
        law.recommend(0.1, horizon=1.0)


def test_gain_is_the_difference_of_predictions() -> None:
    law = ScalingLaw(2000, 2).fit(SIZES, truth(SIZES))
    assert law.gain(0, 1000).estimate == pytest.approx(truth(0) - truth(1000), abs=1e-3)
    assert law.gain(0).estimate == pytest.approx(truth(0) - 0.3, abs=3e-3)


def test_worth_in_real_rows() -> None:
    """Real curve .25 + 2 n^-1/2: R(N) = .4 is reached at n = 177.8, so 100 real rows gain 77.8."""
    law = ScalingLaw(2000, 2).fit(SIZES, truth(SIZES))
    real = np.array([50, 100, 200, 400, 800, 1600, 3200])
    n_augment = ((5.0 / 0.1) ** 2 - 2000) / 2
    found = law.worth_in_real_rows(n_augment, real, 0.25 + 2 * real**-0.5, 100)
    assert found.estimate == pytest.approx(77.8, rel=0.05)
    harm = law.worth_in_real_rows(0, real, 0.25 + 2 * real**-0.5, 1000)
    assert harm.estimate < 0
    beyond = law.worth_in_real_rows(n_augment, real, 0.45 + 2 * real**-0.5, 100)
    assert math.isinf(beyond.estimate)


def test_degenerate_input_is_refused() -> None:
    law = ScalingLaw(2000, 2)
    with pytest.raises(PlanError, match="not been fitted"):
        law.predict(1)
    with pytest.raises(SchemaError, match="missing or infinite"):
        law.fit(SIZES, np.full(8, np.nan))
    with pytest.raises(SchemaError, match="differ in length"):
        law.fit(SIZES, np.ones(7))
    with pytest.raises(SchemaError, match="appears twice"):
        law.fit([0, 0, 1, 2, 3], np.ones(5))
    with pytest.raises(OptionError, match="negative"):
        law.fit([-1, 0, 1, 2, 3], np.ones(5))
    with pytest.raises(OptionError, match="n_total"):
        ScalingLaw(0, 2).fit(SIZES, truth(SIZES))


@pytest.mark.parametrize(("n", "m", "alpha"), [(50, 200, 0.3), (50, 200, 0.0), (20, 1000, 1.0)])
def test_mixture_law_is_exact_for_a_mean(n: int, m: int, alpha: float) -> None:
    """beta = 1: mean of N(theta, I_d) from n real rows and m rows shifted by delta; excess squared error.

    Exact: alpha^2 |delta|^2 + (1 - alpha)^2 d / n + alpha^2 d / m; 20,000 draws agree within five s.e.
    """
    d, delta, rng = 3, np.array([0.3, 0.0, -0.2]), np.random.default_rng(0)
    law = MixtureLaw(0.0, float(delta @ delta), d, d, 1.0)
    exact = alpha**2 * delta @ delta + (1 - alpha) ** 2 * d / n + alpha**2 * d / m
    assert law.risk(n, m, alpha) == pytest.approx(exact, rel=1e-12)
    real = rng.normal(size=(20_000, d)) / math.sqrt(n)
    surrogate = delta + rng.normal(size=(20_000, d)) / math.sqrt(m)
    errors = (((1 - alpha) * real + alpha * surrogate) ** 2).sum(axis=1)
    assert errors.mean() == pytest.approx(exact, abs=5 * errors.std() / math.sqrt(20_000))


def test_even_unrelated_rows_help_at_the_best_alpha_and_pooling_can_hurt() -> None:
    law = MixtureLaw(0.0, 4.0, 3.0, 3.0, 1.0)
    best = law.best_alpha(50, 5000)
    assert 0 < best < 0.05
    assert law.risk(50, 5000, best) < law.risk(50, 5000, 0.0)
    assert law.risk(50, 5000, law.pooled_alpha(50, 5000)) > law.risk(50, 5000, 0.0)


def test_the_recipe_recovers_the_mixture_law() -> None:
    n = np.array([50, 100, 200, 400, 800, 1600, 3200])
    law = fit_mixture_law(n, 0.1 + 2 * n**-0.6, n, 0.15 + 3 * n**-0.6)
    assert law.exponent == pytest.approx(0.6, rel=0.03)
    assert law.bias == pytest.approx(0.05, abs=0.01)
    with pytest.raises(PlanError, match="real rows"):
        fit_mixture_law(n, np.full(7, 0.3), n, 0.15 + 3 / n)
    with pytest.raises(PlanError, match="no rows"):
        law.risk(10, 0, 0.5)
