"""Slope-symmetry test: size and power (acceptance 4)."""

from __future__ import annotations

import numpy as np
import pytest

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import slope_symmetry_test
from makeweight.theory.published.worlds import LogisticWorld

SLOPES = np.full(5, 1.2 / np.sqrt(5))  # with intercept -3: 7.9% of class 1, 316 rows of 4000


def rejections(world: LogisticWorld, n: int, runs: int, method: str = "chi-square", draws: int = 99) -> float:
    found = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        found += slope_symmetry_test(*world.sample(n, rng), method=method, draws=draws, rng=rng).rejected
    return found / runs


def test_size_at_sixty_rows_per_feature() -> None:
    """d = 5, n = 4000, 150 runs: binomial 99% range of a true .055 is .013-.113; the long test is sharper."""
    assert 0.01 <= rejections(LogisticWorld(SLOPES, -3.0), 4000, 150) <= 0.11


@pytest.mark.long
def test_size_at_sixty_rows_per_feature_long() -> None:
    """[.03, .09] with 1500 runs, standard error .006; measured .062 in 400 runs."""
    assert 0.03 <= rejections(LogisticWorld(SLOPES, -3.0), 4000, 1500) <= 0.09


def test_power_against_a_quadratic_term() -> None:
    """Quadratic .5 at n = 4000: at least .9; measured 1.00 in 50 runs."""
    assert rejections(LogisticWorld(SLOPES, -3.0, quadratic=0.5), 4000, 50) >= 0.9


def test_power_against_an_interaction() -> None:
    assert rejections(LogisticWorld(SLOPES, -3.0, interaction=0.7), 4000, 30) >= 0.9


@pytest.mark.long
def test_the_bootstrap_repairs_the_small_sample_size() -> None:
    """n = 1000 (79 minority rows, d = 5): chi-square rejects about .10; the bootstrap, 300 runs of 99 draws,
    stays within [.02, .09] (standard error .013)."""
    world = LogisticWorld(SLOPES, -3.0)
    assert rejections(world, 1000, 600) > 0.07
    assert 0.02 <= rejections(world, 1000, 300, "bootstrap") <= 0.09


def test_auto_takes_the_bootstrap_for_few_rows() -> None:
    rng = np.random.default_rng(0)
    few = LogisticWorld(SLOPES, -3.0).sample(800, rng)
    assert slope_symmetry_test(*few, rng=rng, draws=19).method == "bootstrap"
    assert slope_symmetry_test(*LogisticWorld(SLOPES, -3.0).sample(4000, rng)).method == "chi-square"
    with pytest.raises(PlanError, match="random numbers"):
        slope_symmetry_test(*few)


def test_labels_exchanged_give_the_same_answer() -> None:
    x, y = LogisticWorld(SLOPES, -3.0, quadratic=0.3).sample(3000, np.random.default_rng(3))
    first, second = slope_symmetry_test(x, y), slope_symmetry_test(x, 1 - y)
    assert first.statistic == pytest.approx(second.statistic, rel=1e-6)
    assert first.difference == pytest.approx(-second.difference, rel=1e-5)


def test_degenerate_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 5))
    with pytest.raises(PlanError, match="too few rows"):
        slope_symmetry_test(x, np.repeat([0, 1], [95, 5]))
    with pytest.raises(SchemaError, match="separated"):
        slope_symmetry_test(x[:, :1], x[:, 0] > 1.0)
    with pytest.raises(OptionError, match="method"):
        slope_symmetry_test(x, np.repeat([0, 1], 50), method="exact")
