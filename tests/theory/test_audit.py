"""Generator audit: published GQS reproduced, borrowed null, copies (acceptance 5)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from makeweight.errors import PlanError, SchemaError
from makeweight.theory.published.audit import generator_audit
from makeweight.theory.published.components import GaussianComponent
from makeweight.theory.published.copies import copy_check
from makeweight.theory.published.reference import duplicate, gaussian, interpolate
from makeweight.theory.published.vtss import generator_quality_score, score_gap, tg_vtss
from makeweight.theory.published.worlds import BinaryWorld

MEAN = np.full(5, 1 / np.sqrt(5))
WORLD = BinaryWorld(GaussianComponent(np.zeros(5)), GaussianComponent(MEAN), GaussianComponent(MEAN))


def short_by(share: float) -> Callable:
    """A generator that is perfect but for a mean short by a share of the class difference."""

    def generator(features: np.ndarray, labels: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
        return WORLD.minority.sample(n, rng) - share * MEAN

    return generator


def quality_scores(generator: Callable, n_minority: int, imbalance: int, runs: int = 30) -> np.ndarray:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        rows = WORLD.sample(n_minority * imbalance, n_minority, rng)
        found.append(generator_quality_score(score_gap(*rows, generator, rng=rng)))
    return np.array(found)


def audits(generator: Callable, n_minority: int, runs: int, draws: int = 40) -> list:
    found = []
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        rows = WORLD.sample(20 * n_minority, n_minority, rng)
        found.append(generator_audit(*rows, generator, rng=rng, draws=draws))
    return found


def test_published_rule_calls_a_perfect_generator_biased() -> None:
    """30 runs, d = 5, 100 minority rows. Earlier runs of the published code: mean GQS 1.8, 10.7, 26.1 at an
    imbalance of 5, 20, 50, above ten in 0%, 53%, 80%; mean within 25%, share within .25 (two standard
    errors).
    """
    for imbalance, mean, share in ((5, 1.8, 0.0), (20, 10.7, 0.53), (50, 26.1, 0.80)):
        scores = quality_scores(short_by(0.0), 100, imbalance)
        assert scores.mean() == pytest.approx(mean, rel=0.25)
        assert (scores > 10).mean() == pytest.approx(share, abs=0.25)


def test_published_rule_never_objects_to_copies() -> None:
    for imbalance, mean in ((5, 0.2), (20, 0.6), (50, 1.0)):
        scores = quality_scores(duplicate, 100, imbalance, runs=20)
        assert scores.mean() == pytest.approx(mean, abs=0.35)
        assert scores.max() < 10


def test_published_symmetry_test_always_rejects() -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = tg_vtss(*WORLD.sample(2000, 100, rng), short_by(0.0), rng=rng)
        assert found.statistic > 100
        assert found.regime in ("realistic", "biased")


def test_tg_vtss_candidates() -> None:
    rng = np.random.default_rng(0)
    realistic = tg_vtss(*WORLD.sample(500, 100, rng), duplicate, rng=rng)
    assert realistic.regime == "realistic"
    assert {320, 400, 480} <= set(realistic.candidates)
    biased = tg_vtss(*WORLD.sample(5000, 100, rng), short_by(0.5), rng=rng)
    assert biased.regime == "biased"
    assert (biased.candidates[0], biased.candidates[-1], len(biased.candidates)) == (0, 9800, 41)


@pytest.mark.parametrize("n_minority", [50, 100])
def test_a_perfect_generator_passes(n_minority: int) -> None:
    """10 runs of a true rejection rate near .06: at most 3 with probability .998; a long test is sharper."""
    assert sum(audit.p_value <= 0.05 for audit in audits(short_by(0.0), n_minority, 10)) <= 3


@pytest.mark.long
@pytest.mark.parametrize("n_minority", [50, 100])
def test_a_perfect_generator_passes_long(n_minority: int) -> None:
    """At most .12 of 200 runs (a rate of .08 exceeds it with probability .02)."""
    assert np.mean([audit.p_value <= 0.05 for audit in audits(short_by(0.0), n_minority, 200)]) <= 0.12


def test_half_the_class_shift_is_found_and_dominates() -> None:
    for audit in audits(short_by(0.5), 300, 2):
        assert audit.verdict == "biased, dominating"
        assert audit.detectable_shift < 0.5


@pytest.mark.long
def test_a_shift_of_a_fifth_is_found_at_500_rows() -> None:
    """Mean short by .2 of the class difference: found in at least 80% of 60 runs."""
    found = audits(short_by(0.2), 500, 60)
    assert np.mean([audit.p_value <= 0.05 for audit in found]) >= 0.8
    assert 0.1 < np.median([audit.detectable_shift for audit in found]) < 0.25


def test_copies_pass_the_score_test_and_fail_the_copy_check() -> None:
    for audit in audits(duplicate, 100, 2):
        assert audit.verdict == "not distinguishable"
        assert audit.copies.copied
        assert audit.copies.near
        assert audit.copies.exact_rate == 1.0
        assert audit.copies.exact_reference == 0.0
        assert "equal training rows" in audit.summary


def test_interpolation_lies_too_close() -> None:
    for audit in audits(interpolate, 100, 2, draws=20):
        assert audit.copies.near
        assert not audit.copies.copied


def fitted(rows: np.ndarray, n: int, rng: np.random.Generator, scale: float = 1.0) -> np.ndarray:
    """A Gaussian fitted to the rows, narrowed by a factor."""
    return rows.mean(axis=0) + scale * rng.multivariate_normal(np.zeros(rows.shape[1]), np.cov(rows.T), n)


@pytest.mark.parametrize("scale", [0.5, 1.0])
@pytest.mark.parametrize("dimension", [5, 20])
def test_a_generator_that_copies_nothing_is_not_near(dimension: int, scale: float) -> None:
    """A Gaussian fitted to 67 rows, at full and half width, 40 tables at level .01: at most 3 alarms."""
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(100, dimension))
        folds = [
            (rows[part != k], fitted(rows[part != k], 600, rng, scale), rows[part == k])
            for part in [np.arange(100) % 3]
            for k in range(3)
        ]
        alarms += copy_check(folds, rng=rng).near
    assert alarms <= 3


def test_copies_with_noise_are_near() -> None:
    """Training rows plus noise of half a standard deviation, d = 5 and 10: found in at least 9 of 10 tables."""
    for dimension in (5, 10):
        found = 0
        for seed in range(10):
            rng = np.random.default_rng(seed)
            rows, part = rng.normal(size=(100, dimension)), np.arange(100) % 3
            folds = [
                (t, t[rng.integers(len(t), size=600)] + 0.5 * rng.normal(size=(600, dimension)), rows[part == k])
                for k in range(3)
                for t in [rows[part != k]]
            ]
            check = copy_check(folds, rng=rng)
            assert not check.copied
            found += check.near
        assert found >= 9


def test_coinciding_real_rows_are_the_reference() -> None:
    """On coarse columns real rows coincide too: that alone is no copying."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 3, size=(n, 3)).astype(float) for n in (80, 800, 80)]
    found = copy_check([tuple(rows)], rng=rng)
    assert found.exact_reference > 0.8
    assert not found.copied
    assert not found.near


def test_what_cannot_be_seen_is_said() -> None:
    audit = audits(gaussian, 20, 1)[0]
    assert audit.verdict == "not distinguishable"
    assert "80% power" in audit.summary


def test_degenerate_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    rows, labels = WORLD.sample(200, 100, rng)
    with pytest.raises(PlanError, match="too little imbalance"):
        generator_audit(rows, labels, duplicate, rng=rng)
    with pytest.raises(PlanError, match="class 1 must be the smaller"):
        score_gap(rows, 1 - labels, duplicate, rng=rng)
    with pytest.raises(PlanError, match="for the folds"):
        score_gap(rows[:203], labels[:203], duplicate, rng=rng)
    with pytest.raises(SchemaError, match="wrong number of rows"):
        score_gap(rows, labels, lambda x, y, n, r: x[:1], rng=rng)
    with pytest.raises(SchemaError, match="missing or infinite"):
        score_gap(rows, labels, lambda x, y, n, r: np.full((n, 5), np.nan), rng=rng)
