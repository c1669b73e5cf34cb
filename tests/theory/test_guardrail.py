"""choose_from_losses under a guardrail: its level, handicaps, and what is presumed, in worlds where gains are known."""

import numpy as np
import pytest

from makeweight.errors import PlanError, SchemaError
from makeweight.theory import NOTHING, Candidate, choose_from_losses


def guarded(seed, guardrail, gains, handicaps=None, reference=0):
    """The choice from losses of 200 rows under candidates of such gains, two noisy for one quiet."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], 100)
    noise = np.array([0.0, *np.tile([1.0, 1.0, 0.1], 4)])[: len(gains) + 1]
    losses = rng.exponential(size=200) + noise[:, None] * rng.normal(size=(len(noise), 200))
    losses[1:] -= np.asarray(gains)[:, None]
    sizes = [NOTHING, *(Candidate(share) for share in np.linspace(0.1, 1, len(gains)))]
    found = choose_from_losses(
        sizes,
        losses,
        y,
        rule=0,
        guardrail=guardrail,
        folds=200,
        repeats=10**6,
        handicaps=handicaps,
        reference=sizes[reference],
    )
    return sizes.index(found.candidate)


@pytest.mark.parametrize("guardrail", [0.1, 0.5])
@pytest.mark.parametrize("harm", [0.0, 0.02])
def test_the_guardrail_holds_whatever_the_candidates_are(guardrail, harm):
    """Equal candidates are the hardest case; where some harm, they are chosen no more often."""
    gains = [-harm, -harm, 0.0] * 4
    chosen = np.mean([guarded(seed, guardrail, gains) > 0 for seed in range(200)])
    assert chosen <= guardrail + 2 * np.sqrt(guardrail * (1 - guardrail) / 200)
    assert guardrail < 0.5 or chosen > 0.2  # it is a level, not a ban


@pytest.mark.parametrize("guardrail", [0.1, 0.5])
def test_a_handicap_keeps_the_level_and_finds_what_has_none_more_often(guardrail):
    """Of twelve candidates the third and sixth gain one and a half of their standard errors; or none gains."""
    gains, handicaps = np.zeros(12), np.full(13, 2.0)
    handicaps[[0, 3, 6]] = 0.0
    in_vain = np.mean([guarded(seed, guardrail, gains, handicaps) > 0 for seed in range(200)])
    assert in_vain <= guardrail + 2 * np.sqrt(guardrail * (1 - guardrail) / 200)
    gains[[2, 5]] = 0.011
    plain, handicapped = (
        np.mean([guarded(seed, guardrail, gains, given) in (3, 6) for seed in range(100)])
        for given in (None, handicaps)
    )
    assert handicapped > plain + 0.1
    rather = [guarded(seed, 1.0, gains, handicaps) == guarded(seed, 1.0, gains) for seed in range(20)]
    assert all(rather)  # without a guardrail the smallest risk is taken


def test_handicaps_that_do_not_fit_are_refused():
    losses = np.random.default_rng(0).exponential(size=(2, 20))
    for wrong in ([0.0], [0.0, -1.0], [0.0, np.nan]):
        with pytest.raises(SchemaError, match="not a handicap for every candidate"):
            choose_from_losses([NOTHING, Candidate(1.0)], losses, np.repeat([0, 1], 10), handicaps=wrong)


def test_a_quiet_candidate_is_found_beside_noisy_ones():
    """A gain of .03 is four standard errors of the quiet candidates, and less than half of one of the noisy ones."""
    gains = [0.0, 0.0, 0.03] * 2
    found = [guarded(seed, 0.1, gains) for seed in range(40)]
    assert np.mean([k in (3, 6) for k in found]) > 0.8


@pytest.mark.parametrize("guardrail", [0.1, 0.5])
def test_what_is_presumed_is_left_as_rarely_as_the_guardrail_says(guardrail):
    """The third of twelve equal candidates is presumed, nothing is another; then nothing is better by six errors."""
    left = np.mean([guarded(seed, guardrail, np.zeros(12), reference=3) != 3 for seed in range(200)])
    assert left <= guardrail + 2 * np.sqrt(guardrail * (1 - guardrail) / 200)
    assert guardrail < 0.5 or left > 0.2
    assert all(guarded(seed, guardrail, np.full(12, -0.06), reference=3) != 3 for seed in range(20))
    burden = np.append(1.0, np.full(12, 4.0))
    vetoes = [guarded(seed, guardrail, np.full(12, -0.06), burden, reference=3) == 0 for seed in range(20)]
    assert np.mean(vetoes) > 0.9


def test_a_reference_is_named_in_the_reason_and_has_to_be_a_candidate():
    losses = np.random.default_rng(0).exponential(size=200) + np.array([[0.3], [0.1]])
    sizes, y = [NOTHING, Candidate(1.0)], np.repeat([0, 1], 100)
    found = choose_from_losses(sizes, losses, y, reference=sizes[1])
    assert found.candidate == sizes[1]
    assert found.reason == "no candidate had a smaller validation risk than what is presumed"
    assert found.least_gain == pytest.approx(0, abs=1e-6)
    back = choose_from_losses(sizes, losses[::-1], y, reference=sizes[1])
    assert back.candidate == NOTHING
    assert "what is presumed costs 0.2" in back.reason
    with pytest.raises(PlanError, match="the reference must stand as a candidate"):
        choose_from_losses(sizes, losses, y, reference=Candidate(0.5))


def test_the_guardrail_holds_for_fewer_rows_that_count_as_equal():
    """With `rule=1` a noisy candidate of fewer rows is within an error of the best, yet no better: it stays out."""
    y, sizes = np.repeat([0, 1], 200), [NOTHING, Candidate(1.0), Candidate(0.5, augment=1.0, alpha=0.5)]
    harmed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        base = rng.exponential(size=400)
        noisy, good = base + 2 * rng.normal(size=400) + 0.001, base - 0.2 + 0.02 * rng.normal(size=400)
        found = choose_from_losses(
            sizes, [noisy, base, good], y, reference=sizes[1], rule=1.0, guardrail=0.02, folds=200, repeats=10**6
        )
        harmed += found.candidate == NOTHING
    assert harmed <= 2 + 2 * np.sqrt(2)


def test_a_handicap_is_no_chance():
    """The p-value is that of the gain; what is asked beyond chance is said to be asked."""
    rng, y = np.random.default_rng(0), np.repeat([0, 1], 200)
    base = rng.exponential(size=400)
    losses, sizes = [base, base - 0.08 + rng.normal(size=400)], [NOTHING, Candidate(1.0)]
    plain, asked = (
        choose_from_losses(sizes, losses, y, rule=0, guardrail=0.5, handicaps=given) for given in (None, [0.0, 2.0])
    )
    assert asked.p_value == plain.p_value < 0.5
    assert asked.candidate == NOTHING != plain.candidate
    assert f"at least {asked.least_gain:.4g} is asked of one of 1" in asked.reason
    same = choose_from_losses(sizes, [base, base], y, reference=sizes[1])
    assert same.reason == "no candidate had a smaller validation risk than what is presumed"


def test_rows_of_a_unit_are_one_observation():
    rng = np.random.default_rng(0)
    losses, y = rng.exponential(size=(3, 60)), np.repeat([0, 1], 30)
    losses += [[0.2], [0.1], [0.0]]
    sizes = [NOTHING, Candidate(1.0), Candidate(0.5)]
    once = choose_from_losses(sizes, losses, y)
    copied = np.repeat(losses, 4, axis=1), np.repeat(y, 4)
    together = choose_from_losses(sizes, *copied, units=np.repeat(np.arange(60), 4))
    np.testing.assert_allclose(together.covariance, once.covariance)
    assert together.least_gain == pytest.approx(once.least_gain)
    alone = choose_from_losses(sizes, *copied)
    assert alone.standard_error(1, 0) == pytest.approx(once.standard_error(1, 0) / 2, rel=0.03)


def test_a_group_of_one_unit_and_units_of_another_length_are_refused():
    losses, y = np.ones((2, 8)), np.repeat([0, 1], 4)
    with pytest.raises(PlanError, match=r"one row has no spread \(group 1\): got 1, expected >= 2 units"):
        choose_from_losses([NOTHING, Candidate(1.0)], losses, y, units=[0, 1, 2, 3, 4, 4, 4, 4])
    with pytest.raises(SchemaError, match="units"):
        choose_from_losses([NOTHING, Candidate(1.0)], losses, y, units=[0, 1])
