"""Rows that carry probabilities, in worlds where p(label | row) is known."""

import math

import numpy as np
import pytest
from scipy.special import expit

from makeweight.errors import OptionError
from makeweight.theory import SoftLaw, best_soft_share, fit_logistic, soft_excess_risk, teacher_excess

SLOPES = np.array([1.0, -0.7, -0.5])


def law(r=4000, seed=0):
    """A sample of rows, their p, and what a teacher that is a little wrong says of them."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=(r, 2)), np.ones(r)])
    return x, expit(x @ SLOPES), expit(x @ (SLOPES + np.array([0.25, 0.1, 0.2])))


def loss(x, p, theta):
    s = expit(x @ theta)
    return -float(np.mean(p * np.log(s) + (1 - p) * np.log(1 - s)))


def simulated(n, m, weight, drawn, taught, runs=120):
    """Mean excess risk of fits to real rows and rows with a teacher's labels, and its standard error."""
    x, p, q = law()
    q = q if taught else p
    floor, rng, found = loss(x, p, SLOPES), np.random.default_rng(1), []
    for _ in range(runs):
        i, j = rng.integers(len(x), size=n), rng.integers(len(x), size=m)
        y, z = (rng.random(n) < p[i]).astype(float), (rng.random(m) < q[j]).astype(float)
        share = z if drawn else q[j]
        rows = np.concatenate([x[i], x[j], x[j]])
        labels = np.concatenate([y, np.ones(m), np.zeros(m)])
        weights = np.concatenate([np.ones(n), weight * share, weight * (1 - share)])
        fit = fit_logistic(rows, labels, sample_weight=weights, intercept=False)
        found.append(loss(x, p, fit.coefficients) - floor)
    return np.mean(found), np.std(found, ddof=1) / math.sqrt(runs)


@pytest.mark.parametrize(
    ("n", "m", "weight", "drawn", "taught"),
    [
        (300, 0, 1.0, False, False),
        (300, 600, 1.0, False, False),
        (300, 600, 1.0, True, False),
        (300, 600, 1.0, False, True),
        (300, 600, 0.2, True, True),
    ],
)
def test_the_excess_risk_is_that_of_simulated_fits(n, m, weight, drawn, taught):
    x, p, q = law()
    expected = soft_excess_risk(x, p, q if taught else p, n_real=n, n_soft=m, weight=weight, drawn=drawn)
    mean, error = simulated(n, m, weight, drawn, taught)
    assert abs(mean - expected.excess) < 3 * error + 0.1 * expected.excess


def test_carried_labels_of_a_right_teacher_have_no_noise():
    x, p, _ = law()
    carried, drawn = (soft_excess_risk(x, p, p, n_real=100, n_soft=10**6, drawn=drawn) for drawn in (False, True))
    assert carried.left < 1e-6
    assert drawn.left == pytest.approx(1.0, abs=0.01)
    assert carried.noise == pytest.approx(1.5, abs=0.01)  # d / 2 where the class is right


@pytest.mark.parametrize("seed", range(5))
def test_a_student_inherits_no_more_than_the_teacher_lost(seed):
    rng = np.random.default_rng(seed)
    x, p, _ = law(seed=seed)
    q = expit(x @ SLOPES + 0.3 * np.sin(3 * x[:, 0] + rng.normal()) * rng.normal())
    lost = float(np.mean(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))))
    assert soft_excess_risk(x, p, q, n_real=1, n_soft=1).teacher <= 1.1 * lost


def test_a_class_that_is_wrong_is_judged_against_its_best():
    x, _, _ = law()
    p = expit(x @ SLOPES + 0.8 * (x[:, 0] ** 2 - 1))
    right = soft_excess_risk(x, p, p, n_real=200, n_soft=2000)
    assert right.bias < 1e-12
    assert right.left > 0.01  # the teacher says more than the class can, and rows differ in it


@pytest.mark.parametrize(("own", "teacher", "overlap"), [(0.02, 0.005, 0.0), (0.01, 0.03, 0.004), (0.01, 0.03, 0.012)])
def test_the_best_share_is_the_bottom_of_the_curve(own, teacher, overlap):
    def risk(a):
        return (1 - a) ** 2 * own + a**2 * teacher + 2 * a * (1 - a) * overlap

    best, grid = best_soft_share(own, teacher, overlap), np.linspace(0, 1, 10_001)
    assert best.share == pytest.approx(grid[risk(grid).argmin()], abs=1e-3)
    assert best.risk == pytest.approx(risk(grid).min(), rel=1e-6)
    hurting = grid[1:][risk(grid[1:]) > own + 1e-15]
    assert best.hurts_from == (pytest.approx(hurting[0], abs=1e-3) if len(hurting) else math.inf)


def test_a_mean_with_a_teacher_is_what_the_formula_says():
    rng = np.random.default_rng(0)
    n, error = 40, 0.1
    real, said = rng.normal(size=(200_000, 1)) / math.sqrt(n), error * rng.normal(size=(200_000, 1))
    best = best_soft_share(1 / n, error**2)
    weight = best.weight(n, 1000)
    a = weight * 1000 / (n + weight * 1000)
    assert np.mean(((1 - a) * real + a * said) ** 2) == pytest.approx(best.risk, rel=0.02)


def test_the_very_fit_as_its_own_teacher_changes_nothing():
    assert best_soft_share(0.02, 0.02, overlap=0.02).risk == 0.02
    assert best_soft_share(0.02, 0.02, overlap=0.02).hurts_from == math.inf


def test_errors_have_bounds():
    with pytest.raises(OptionError, match="in common"):
        best_soft_share(0.01, 0.01, overlap=0.02)
    with pytest.raises(OptionError, match="0 or more"):
        best_soft_share(-0.01, 0.01)
    with pytest.raises(OptionError, match="between 0 and 1"):
        soft_excess_risk([[1.0]], [1.0], [0.5], n_real=1, n_soft=1)
    with pytest.raises(OptionError, match="out of range"):
        SoftLaw(0.0, 0.1, 0.1)
    with pytest.raises(OptionError, match="excess risk"):
        teacher_excess(0.3, 0.3, own=-1)


def test_the_law_is_the_excess_risk_at_the_best_weight():
    x, p, q = law()
    for drawn in (False, True):
        one = soft_excess_risk(x, p, q, n_real=150, n_soft=500, drawn=drawn)
        scaling = SoftLaw(one.noise, one.teacher, one.left)
        weights = np.geomspace(1e-3, 10, 400)
        risks = [soft_excess_risk(x, p, q, n_real=150, n_soft=500, weight=w, drawn=drawn).excess for w in weights[::20]]
        assert scaling.risk(150, 500) <= min(risks) * (1 + 1e-9)
        best = soft_excess_risk(x, p, q, n_real=150, n_soft=500, weight=scaling.weight(500), drawn=drawn)
        assert best.excess == pytest.approx(scaling.risk(150, 500), rel=1e-9)


def test_carried_and_drawn_labels_have_one_floor_and_reach_it_at_different_speed():
    carried, drawn = SoftLaw(1.5, 0.004, left=0.02), SoftLaw(1.5, 0.004, left=1.0)
    assert carried.floor(100) == drawn.floor(100) == pytest.approx(1.5 / (100 + 375))
    half = 375 / 2
    assert carried.worth(0.02 * 375) == pytest.approx(half)
    assert drawn.worth(375) == pytest.approx(half)
    assert SoftLaw(1.5, 0.0, left=0.0).worth(10) == math.inf
    assert SoftLaw(1.5, 0.004, left=1.0).worth(0) == 0


def test_the_teachers_excess_comes_from_two_losses():
    x, p, q = law()
    entropy, own = loss(x, p, SLOPES), 0.01
    teacher = -float(np.mean(p * np.log(q) + (1 - p) * np.log(1 - q)))
    said = teacher_excess(teacher, entropy + own, own)
    assert said == pytest.approx(teacher - entropy)
    assert said == pytest.approx(soft_excess_risk(x, p, q, n_real=1, n_soft=1).teacher, rel=0.15)
    assert teacher_excess(0.2, 0.5, own) == 0.0
