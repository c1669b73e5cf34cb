"""Divergences against closed forms, and the capacity curve."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import gammaln

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory.published.capacity import (
    capacity_curve,
    divergence_from_density,
    energy_distance,
    fit_capacity_rate,
)
from makeweight.theory.published.densities import (
    BayesianNetwork,
    GaussianDensity,
    LatentEmbedding,
    fit_bayesian_network,
    fit_gaussian,
)

TRUTH = GaussianDensity([0.0, 1.0], [[1.0, 0.5], [0.5, 2.0]])
OTHER = GaussianDensity([0.4, 1.0], [[1.5, 0.2], [0.2, 1.5]])


def network(seed: int = 0) -> BayesianNetwork:
    return BayesianNetwork.random((3, 2, 4), ((), (0,), (0, 1)), np.random.default_rng(seed))


class Opaque:
    """A law whose closed form nobody knows."""

    def __init__(self, law: GaussianDensity) -> None:
        self.sample, self.log_prob = law.sample, law.log_prob


def test_gaussian_divergence_is_exact() -> None:
    """100,000 draws of log p - log q agree within four standard errors."""
    rng = np.random.default_rng(0)
    exact = divergence_from_density(TRUTH, OTHER, rng=rng)
    assert exact.method == "exact"
    sampled = divergence_from_density(TRUTH, Opaque(OTHER), rng=rng, n=100_000)
    assert sampled.method == "density"
    assert sampled.estimate == pytest.approx(exact.estimate, abs=4 * sampled.standard_error)
    assert TRUTH.divergence(TRUTH) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("n", [20, 200])
def test_expected_divergence_of_a_fitted_gaussian(n: int) -> None:
    """Closed form of E KL of a fitted one-dimensional Gaussian, against 2000 fits within four s.e.

    KL = 1/2 (log s^2 + (1 + m^2) / s^2 - 1), m ~ N(0, 1/n), (n - 1) s^2 ~ chi2(n - 1):
    E = 1/2 (psi((n-1)/2) + log(2/(n-1)) + (1 + 1/n)(n-1)/(n-3) - 1).
    """
    from scipy.special import digamma

    k = n - 1
    exact = 0.5 * (digamma(k / 2) + math.log(2 / k) + (1 + 1 / n) * k / (k - 2) - 1)
    truth, rng = GaussianDensity([0.0], [[1.0]]), np.random.default_rng(0)
    found = [truth.divergence(fit_gaussian(truth.sample(n, rng))) for _ in range(2000)]
    assert np.mean(found) == pytest.approx(exact, abs=4 * np.std(found) / math.sqrt(2000))


def test_network_sampler_and_probabilities_agree() -> None:
    law, rng = network(), np.random.default_rng(1)
    rows = law.sample(200_000, rng)
    shares = np.array([(rows == cell).all(axis=1).mean() for cell in law.support])
    assert np.exp(law.log_prob(law.support)).sum() == pytest.approx(1.0)
    assert shares == pytest.approx(np.exp(law.log_prob(law.support)), abs=0.005)


def test_network_divergence_falls_like_parameters_over_twice_n() -> None:
    """Large n: E KL of the fitted tables = parameters / (2 n); 200 fits at n = 2000, within 15%."""
    law, rng = network(), np.random.default_rng(2)
    found = [law.divergence(fit_bayesian_network(law.sample(2000, rng), law.levels, law.parents)) for _ in range(200)]
    assert np.mean(found) == pytest.approx(law.n_parameters / 4000, rel=0.15)


def test_latent_embedding_is_a_law_and_loses_with_width() -> None:
    law = LatentEmbedding.random(columns=4, levels=3, width=16, rng=np.random.default_rng(0))
    assert np.exp(law.log_prob(law.support)).sum() == pytest.approx(1.0)
    rows = law.sample(100_000, np.random.default_rng(1))
    shares = np.array([(rows == cell).all(axis=1).mean() for cell in law.support])
    assert shares == pytest.approx(np.exp(law.log_prob(law.support)), abs=0.006)
    losses = [law.divergence(law.cut(width)) for width in (1, 2, 4, 8, 16)]
    assert losses[-1] == pytest.approx(0.0, abs=1e-12)
    assert losses[0] > losses[2] > losses[4]


def narrow(dimension: int, scale: float) -> float:
    """Energy distance of N(0, scale^2 I) from N(0, I): E|N(0, s^2 I)| = s sqrt(2) Gamma((d + 1)/2) / Gamma(d/2)."""
    unit = math.sqrt(2) * math.exp(gammaln((dimension + 1) / 2) - gammaln(dimension / 2))
    return unit * (2 * math.sqrt(1 + scale**2) - math.sqrt(2) * (1 + scale))


@pytest.mark.parametrize("dimension", [2, 8])
def test_narrow_generators_are_farther_than_perfect_ones(dimension: int) -> None:
    """2000 rows at widths 1, .8, .6: within 2.6 standard errors of the closed form, in the right order."""
    truth, estimates = GaussianDensity(np.zeros(dimension), np.eye(dimension)), []
    for scale in (1.0, 0.8, 0.6):
        rng = np.random.default_rng(3)
        found = energy_distance(truth, scale * rng.normal(size=(2000, dimension)), rng=rng)
        assert found.estimate == pytest.approx(narrow(dimension, scale), abs=2.6 * found.standard_error)
        assert found.above_noise == (scale < 1)
        estimates.append(found.estimate)
    assert estimates[0] < estimates[1] < estimates[2]


def test_rows_of_a_box_are_measured_like_others() -> None:
    """A generator that clips to one standard deviation: its divergence is infinite, its energy distance is not zero."""
    truth, rng = GaussianDensity(np.zeros(8), np.eye(8)), np.random.default_rng(0)
    found = energy_distance(truth, np.clip(truth.sample(2000, rng), -1, 1), rng=rng)
    assert math.isfinite(found.estimate)
    assert found.above_noise


def exact_distance(truth: BayesianNetwork, other: BayesianNetwork) -> float:
    """Energy distance by enumeration: rows that differ in k columns are sqrt(k) apart."""
    apart = np.sqrt((truth.support[:, None, :] != truth.support[None, :, :]).sum(axis=2))
    gap = np.exp(truth.log_prob(truth.support)) - np.exp(other.log_prob(truth.support))
    return float(-gap @ apart @ gap)


def test_codes_are_compared_by_exact_sums() -> None:
    """Three columns of codes, 20 times 1000 rows: the mean is the enumerated distance, covered 17 times."""
    truth, other = network(0), network(5)
    exact = exact_distance(truth, other)
    found = [energy_distance(truth, other.sample(1000, rng), rng=rng) for rng in map(np.random.default_rng, range(20))]
    estimates = np.array([one.estimate for one in found])
    assert estimates.mean() == pytest.approx(exact, abs=3 * estimates.std() / math.sqrt(20))
    assert sum(abs(one.estimate - exact) < 1.96 * one.standard_error for one in found) >= 17


@pytest.mark.parametrize("truth", [TRUTH, network()])
def test_rows_of_the_truth_show_no_distance(truth) -> None:
    """30 samples of 300 rows: mean within three standard errors of zero, above noise in at most 6."""
    found = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found.append(energy_distance(truth, truth.sample(300, rng), rng=rng, references=5))
    values = np.array([one.estimate for one in found])
    assert abs(values.mean()) < 3 * values.std() / math.sqrt(30)
    assert sum(one.above_noise for one in found) <= 6


def test_capacity_curve_of_a_fitted_gaussian_falls_like_one_over_n() -> None:
    points = capacity_curve(
        TRUTH,
        lambda rows, width, rng: fit_gaussian(rows),
        n_context=[50, 200, 800],
        widths=[2],
        rng=np.random.default_rng(0),
        repeats=40,
    )
    values = [point.divergence.estimate for point in points]
    slope = np.polyfit(np.log([50, 200, 800]), np.log(values), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)
    assert values[2] == pytest.approx(5 / 1600, rel=0.3)  # five parameters over 2 n


def test_capacity_curve_over_width_and_rows() -> None:
    """Rows tell which directions are held: the divergence is exact, and falls with both; no row is written."""
    law = LatentEmbedding.random(columns=4, levels=3, width=16, rng=np.random.default_rng(0))

    def generator(context: np.ndarray, width: int, rng: np.random.Generator) -> LatentEmbedding:
        return law.cut(width if len(context) > 50 else 1)

    points = capacity_curve(
        law, generator, n_context=[20, 100], widths=[1, 4, 16], rng=np.random.default_rng(0), repeats=2
    )
    values = [point.divergence.estimate for point in points]
    assert values == pytest.approx([law.divergence(law.cut(width)) for width in (1, 1, 1, 1, 4, 16)], abs=1e-12)
    assert values[3] > values[4] > values[5]
    assert {point.divergence.method for point in points} == {"exact"}


def test_more_cells_than_fresh_rows_are_sampled() -> None:
    """81 cells and 40 fresh rows, 50 times: the mean of log p - log q is the enumerated divergence, without bias."""
    law = LatentEmbedding.random(columns=4, levels=3, width=16, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    found = [divergence_from_density(law, law.cut(1), rng=rng, n=40) for _ in range(50)]
    values = np.array([one.estimate for one in found])
    assert {one.method for one in found} == {"density"}
    assert values.mean() == pytest.approx(law.divergence(law.cut(1)), abs=3 * values.std() / math.sqrt(50))


def test_the_rate_is_fitted_and_a_different_shape_shows() -> None:
    n, d = (grid.ravel() for grid in np.meshgrid([100, 400, 1600, 6400], [4, 16, 64]))
    rate = 0.4 / np.sqrt(d) + 0.2 * np.log(d) / np.sqrt(n)
    found = fit_capacity_rate(n, d, rate)
    assert (found.width_constant, found.row_constant) == pytest.approx((0.4, 0.2), rel=1e-6)
    assert found.explained == pytest.approx(1.0)
    assert found.predict(n, d) == pytest.approx(rate)
    faster = fit_capacity_rate(n, d, 5.0 / n + 1e-5 * d)
    assert faster.row_exponent < -0.7
    assert faster.explained < 0.9


def test_a_single_repeated_row_is_far_from_the_truth() -> None:
    assert energy_distance(TRUTH, np.ones((500, 2)), rng=np.random.default_rng(0)).estimate > 0.5


def test_degenerate_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(SchemaError, match="outside the support"):
        energy_distance(network(), np.full((50, 3), 9.0), rng=rng)
    with pytest.raises(PlanError, match="too few generated"):
        energy_distance(TRUTH, np.ones((3, 2)), rng=rng)
    with pytest.raises(OptionError, match="positive"):
        fit_capacity_rate([10, 20, 30], [2, 4, 8], [0.1, 0.0, 0.1])
    with pytest.raises(PlanError, match="three points"):
        fit_capacity_rate([10, 20], [2, 4], [0.1, 0.1])
    with pytest.raises(SchemaError, match="category codes"):
        network().log_prob(np.array([[0.5, 0.0, 0.0]]))
    with pytest.raises(OptionError, match="do not match"):
        BayesianNetwork((2, 2), ((1,), ()), (np.full((2, 2), 0.5), np.array([0.5, 0.5])))
    with pytest.raises(PlanError, match="too many cells"):
        _ = BayesianNetwork.random((100,) * 4, ((),) * 4, rng).support
    zero = BayesianNetwork((2,), ((),), (np.array([1.0, 0.0]),))
    half = BayesianNetwork((2,), ((),), (np.array([0.5, 0.5]),))
    assert math.isinf(half.divergence(zero))
    assert zero.divergence(half) == pytest.approx(math.log(2))
