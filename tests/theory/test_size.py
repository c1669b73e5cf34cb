"""How much to add: biased world (acceptance 2), local symmetry (3), nested pools (9), ranking (10)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.special import ndtr

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory import (
    NOTHING,
    Candidate,
    SizeDecision,
    Take,
    choose_from_losses,
    choose_size,
    fit_logistic,
    least_correction,
)
from makeweight.theory.folds import stratified_folds
from makeweight.theory.published.components import GaussianComponent
from makeweight.theory.published.reference import duplicate, gaussian, interpolate
from makeweight.theory.published.tables import size_grid, table_callables
from makeweight.theory.published.vtss import directional_size
from makeweight.theory.published.worlds import BinaryWorld, biased_world, mirror_world

MULTIPLES = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 8])


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.solve(x.T @ x + 1e-6 * np.eye(x.shape[1]), x.T @ y)


def choice_in_the_biased_world(n_minority: int, seed: int, rule: float) -> tuple[float, float, float]:
    """Return chosen size and plug-in n*, both over the gap, and the excess risk of the chosen size."""
    world, rng = biased_world(), np.random.default_rng(seed)
    x, y = world.sample(20 * n_minority, n_minority, rng)
    repeats = 3
    losses = np.zeros((len(MULTIPLES), len(y)))
    for _ in range(repeats):
        assigned = stratified_folds(y, 5, rng)
        for fold in range(5):
            train, held = assigned != fold, assigned == fold
            gap = int((y[train] == 0).sum() - (y[train] == 1).sum())
            pool = world.synthetic.sample(8 * gap, rng)
            for k, multiple in enumerate(MULTIPLES):
                made = pool[: round(multiple * gap)]
                theta = least_squares(np.vstack([x[train], made]), np.append(y[train], np.ones(len(made))))
                losses[k, held] += (y[held] - x[held] @ theta) ** 2 / repeats
    decision = choose_from_losses([Candidate(float(m)) for m in MULTIPLES], losses, y, rule=rule, repeats=repeats)
    gap = 19 * n_minority
    made = world.synthetic.sample(round(decision.candidate.balance * gap), rng)
    theta = least_squares(np.vstack([x, made]), np.append(y, np.ones(len(made))))
    pilot = np.linalg.solve(sum(x[y == k].T @ x[y == k] / (y == k).sum() for k in (0, 1)), x[y == 1].mean(axis=0))
    means = [
        (rows.T @ (rows @ pilot - label)) / len(rows)
        for rows, label in ((x[y == 0], 0), (x[y == 1], 1), (world.synthetic.sample(gap, rng), 1))
    ]
    size = directional_size(20 * n_minority, n_minority, means[0] - means[1], means[2] - means[1])
    return decision.candidate.balance, size / gap, world.excess_risk(theta)


@pytest.mark.parametrize("rule", [0.0, 1.0])
def test_biased_world_is_repaired_by_about_four_times_the_gap(rule: float) -> None:
    """200 minority rows, 10 runs: excess below .003 against .0162 at balance. The smallest risk lies near
    four times the gap; one standard error towards zero settles lower (measured medians 4.5 and 3)."""
    found = np.array([choice_in_the_biased_world(200, seed, rule) for seed in range(10)])
    assert found[:, 2].mean() < 0.003
    low, high = (3.0, 6.0) if rule == 0 else (2.0, 4.5)
    assert low <= np.median(found[:, 0]) <= high
    assert 3.0 <= np.median(found[:, 1]) <= 5.5


@pytest.mark.long
@pytest.mark.parametrize(("n_minority", "rule"), [(100, 0.0), (100, 1.0), (400, 0.0), (400, 1.0)])
def test_biased_world_long(n_minority: int, rule: float) -> None:
    """60 runs: median n* within 20% of four times the gap; excess below .003 from 100 minority rows on
    (measured .0008 for the smallest risk and .0028 for the rule at 100 rows), against .0162 at balance."""
    found = np.array([choice_in_the_biased_world(n_minority, seed, rule) for seed in range(60)])
    assert found[:, 2].mean() < 0.003
    assert np.median(found[:, 1]) == pytest.approx(4.0, rel=0.2)


def local_symmetry(seed: int, candidates: tuple[Candidate, ...], repeats: int) -> SizeDecision:
    world, rng = mirror_world(20), np.random.default_rng(seed)
    x, y = world.sample(2000, 100, rng)
    draw, fit_predict = table_callables(x, y, interpolate, intercept=False)
    return choose_size(y, draw, fit_predict, rng=rng, candidates=candidates, repeats=repeats)


def test_local_symmetry_asks_for_no_rows() -> None:
    """At least 80% of runs choose zero; 4 runs here, all zero with probability .96 at a true rate of .99."""
    grid = size_grid(balance=[0, 0.5, 1.0], augment=[0.0, 1.0], alpha=[0.5])
    assert sum(local_symmetry(seed, grid, 1).candidate == NOTHING for seed in range(4)) >= 3


@pytest.mark.long
def test_local_symmetry_asks_for_no_rows_long() -> None:
    """40 runs on a joint grid of sizes and weights; 80% demanded."""
    grid = size_grid(balance=[0, 0.25, 0.5, 1.0], augment=[0.0, 0.5, 2.0], alpha=[0.1, 0.5])
    assert np.mean([local_symmetry(seed, grid, 3).candidate == NOTHING for seed in range(40)]) >= 0.8


def test_interpolation_does_harm_under_local_symmetry() -> None:
    """arXiv 2601.16120 reports .0045 raw and .033 at balance with SMOTE; 10 runs, factor 4 at least."""
    world = mirror_world(20)
    raw, filled = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = world.sample(2000, 100, rng)
        made = interpolate(x, y, 1900, rng)
        raw.append(world.excess_risk(fit_logistic(x, y, intercept=False).coefficients))
        fit = fit_logistic(np.vstack([x, made]), np.append(y, np.ones(1900)), intercept=False)
        filled.append(world.excess_risk(fit.coefficients))
    assert np.mean(filled) > 4 * np.mean(raw)


def test_where_rows_help_some_are_chosen() -> None:
    """Uncalibrated, with an intercept, balance is worth .7 nats: the rule towards zero does not hide that."""
    world = biased_world(loss="log", synthetic_shift=1.0)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, y = world.sample(1000, 50, rng)
        draw, fit_predict = table_callables(x, y, gaussian)
        grid = size_grid(balance=[0, 0.5, 1.0], augment=[0.0])
        decision = choose_size(y, draw, fit_predict, rng=rng, candidates=grid, repeats=2, calibrate=None)
        assert decision.candidate.balance == 1.0
        assert decision.takes[1.0].n_balance == 950
        assert "costs" in decision.reason


def test_after_calibration_the_same_rows_are_not_needed() -> None:
    for calibrate in ("platt", "shift"):
        world, rng = biased_world(loss="log", synthetic_shift=1.0), np.random.default_rng(0)
        x, y = world.sample(1000, 50, rng)
        draw, fit_predict = table_callables(x, y, gaussian)
        grid = size_grid(balance=[0, 0.5, 1.0], augment=[0.0])
        decision = choose_size(y, draw, fit_predict, rng=rng, candidates=grid, repeats=2, calibrate=calibrate)
        assert decision.candidate == NOTHING


def test_pools_are_drawn_inside_folds_and_candidates_see_prefixes() -> None:
    """Leak and nesting: one pool per fold from its training rows; same seed, same decision."""
    rng_data = np.random.default_rng(0)
    x, y = biased_world(loss="log").sample(200, 20, rng_data)
    seen: list[tuple[set[int], set[int]]] = []
    pools: dict[int, list[Take]] = {}

    def draw(rows: np.ndarray, sizes: Mapping, rng: np.random.Generator) -> dict:
        pool = {"trained": set(rows.tolist()), "sizes": dict(sizes), "id": len(seen)}
        seen.append((set(rows.tolist()), set()))
        return pool

    def fit_predict(rows: np.ndarray, pool: dict, takes: Mapping, held: np.ndarray) -> np.ndarray:
        assert set(rows.tolist()) == pool["trained"]
        assert not pool["trained"] & set(held.tolist())
        assert all(takes[g].n_total <= pool["sizes"][g] for g in takes)
        pools.setdefault(pool["id"], []).append(takes[1.0])
        return fit_logistic(x[rows], y[rows], ridge=1e-6).probabilities(x[held])

    grid = size_grid(balance=[0, 1.0], augment=[0.0, 1.0], alpha=[0.5])
    choose_size(y, draw, fit_predict, rng=np.random.default_rng(1), candidates=grid, folds=4, repeats=2)
    assert len(seen) == 8
    assert all(len(takes) == len(grid) for takes in pools.values())
    real_draw, real_fit = table_callables(x, y, interpolate)
    first, second = (
        choose_size(y, real_draw, real_fit, rng=np.random.default_rng(3), candidates=grid, repeats=1) for _ in range(2)
    )
    assert np.array_equal(first.risks, second.risks)
    assert first.candidate == second.candidate


def test_a_candidate_that_cannot_be_fitted_has_an_infinite_risk_and_loses() -> None:
    y = np.repeat([0.0, 1.0], [200, 20])

    def fit_predict(rows: np.ndarray, pool: object, takes: Mapping, held: np.ndarray) -> np.ndarray:
        broken = takes[1.0].n_total and 0 in held
        return np.full(len(held), np.nan if broken else 0.5 if takes[1.0].n_total else 0.9)

    found = choose_size(
        y,
        lambda *given: None,
        fit_predict,
        rng=np.random.default_rng(0),
        candidates=[Candidate(1.0)],
        calibrate=None,
        repeats=2,
    )
    assert found.candidate == NOTHING
    assert found.risks[1] == found.standard_errors[1] == np.inf


def test_pools_do_not_depend_on_other_groups() -> None:
    x, y = biased_world(loss="log").sample(200, 20, np.random.default_rng(0))
    draw, _ = table_callables(x, y, interpolate)
    rows = np.arange(220)
    small, large = (draw(rows, {0.0: n, 1.0: 30}, np.random.default_rng(5)) for n in (0, 50))
    assert np.array_equal(small[0][1.0], large[0][1.0])


@pytest.mark.parametrize("generator", [duplicate, interpolate, gaussian])
def test_ranking_is_not_moved_where_the_model_is_right(generator) -> None:
    """n_1 = 2000, imbalance 5, d = 5: exact AUROC, raw minus balanced, within .005 in each of 5 runs (10)."""
    mean = np.full(5, 1 / np.sqrt(5))
    world = BinaryWorld(*(GaussianComponent(m) for m in (np.zeros(5), mean, mean)))

    def auroc(slopes: np.ndarray) -> float:
        return float(ndtr(slopes @ mean / math.sqrt(2 * slopes @ slopes)))

    for seed in range(5):
        rng = np.random.default_rng(seed)
        x, y = world.sample(10_000, 2000, rng)
        made = generator(x, y, 8000, rng)
        raw = fit_logistic(x, y).coefficients[:-1]
        filled = fit_logistic(np.vstack([x, made]), np.append(y, np.ones(8000))).coefficients[:-1]
        assert abs(auroc(raw) - auroc(filled)) < 0.005


def test_ties_go_to_fewer_rows_then_to_the_better_worst_group() -> None:
    losses = np.full((3, 20), 0.5) + 0.01 * np.tile([1, -1], 10)
    groups = np.repeat(["a", "b"], [10, 10])
    losses[1] += np.where(groups == "a", -0.1, 0.1)
    candidates = [Candidate(balance=1.0), Candidate(per_group={"b": 1.0}), NOTHING]
    assert choose_from_losses(candidates, losses, groups).candidate == NOTHING
    losses[2] += 1.0
    counts = {"a": 10, "b": 5}
    assert choose_from_losses(candidates, losses, groups, counts=counts).candidate == candidates[0]


def test_the_worst_group_objective_looks_at_the_maximum() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], 50)
    losses = 0.001 * rng.normal(size=(2, 100)) + np.array([np.where(groups == 0, 0.2, 0.9), np.full(100, 0.6)])
    candidates = [NOTHING, Candidate(balance=1.0)]
    assert choose_from_losses(candidates, losses, groups).candidate == NOTHING
    assert choose_from_losses(candidates, losses, groups, objective="worst").candidate.balance == 1.0


def test_errors_are_those_of_paired_rows_within_groups() -> None:
    """Against the two-sample formula by hand, and against 400 draws of new rows: within 10%."""
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1], [300, 30])
    losses = rng.exponential(size=(3, 330)) + np.array([[0.3], [0.0], [5.0]])
    found = choose_from_losses([NOTHING, Candidate(1.0), Candidate(2.0)], losses, groups)
    gap = losses[0] - losses[1]
    by_hand = np.sqrt(gap[:300].var(ddof=1) / 300 + gap[300:].var(ddof=1) / 30) / 2
    assert found.standard_errors[0] == pytest.approx(by_hand)
    assert found.standard_error(1, 0) == pytest.approx(by_hand)
    assert found.risks[1] == pytest.approx((losses[1, :300].mean() + losses[1, 300:].mean()) / 2)
    draws = [choose_from_losses([NOTHING, Candidate(1.0)], rng.exponential(size=(2, 330)), groups) for _ in range(400)]
    spread = np.std([one.risks[0] - one.risks[1] for one in draws])
    assert np.mean([one.standard_error(0, 1) for one in draws]) == pytest.approx(spread, rel=0.1)


def test_weights_of_rows_count_like_repeated_rows_in_risks() -> None:
    rng = np.random.default_rng(0)
    losses, groups = rng.exponential(size=(2, 40)), np.repeat([0, 1], 20)
    times = rng.integers(0, 3, size=40)
    times[:2] = times[-2:] = 2
    candidates = [NOTHING, Candidate(1.0)]
    weighted = choose_from_losses(candidates, losses, groups, sample_weight=times)
    repeated = choose_from_losses(candidates, np.repeat(losses, times, axis=1), np.repeat(groups, times))
    assert weighted.risks == pytest.approx(repeated.risks)
    assert weighted.worst == pytest.approx(repeated.worst)


def test_adding_nothing_is_kept_in_most_tables_without_any_gain() -> None:
    """By construction in at least 84% of tables, whatever the number of candidates; 200 tables, s.e. .03."""
    groups = np.repeat([0, 1], [400, 100])
    candidates = [NOTHING, *(Candidate(0.1 * k) for k in range(1, 13))]
    kept, without = 0, 0
    for seed in range(200):
        losses = np.random.default_rng(seed).normal(size=(13, 500))
        found = choose_from_losses(candidates, losses, groups, repeats=10**6, folds=10**6)
        kept += found.candidate == NOTHING
        without += found.risks[0] - found.risks.min() <= found.standard_errors[0]
        assert (found.risks[0] - found.risks.min() > found.least_gain) == (found.candidate != NOTHING)
    assert 0.76 <= kept / 200 <= 0.92
    assert without < kept - 40  # one standard error of a pair does not protect against the best of twelve


def test_the_guardrail_bounds_how_often_rows_are_added_in_vain() -> None:
    """Twelve candidates that change nothing, 200 tables: with `rule=0` rows are added in nearly all of them.

    A guardrail of .3 or .1 lets at most .3 or .1 through, plus 2.6 standard errors. A gain of .3 in risk passes it.
    """
    groups = np.repeat([0, 1], [400, 100])
    candidates = [NOTHING, *(Candidate(0.1 * k) for k in range(1, 13))]
    added = dict.fromkeys((1.0, 0.3, 0.1), 0)
    for seed in range(200):
        losses = np.random.default_rng(seed).normal(size=(13, 500))
        for limit in added:
            found = choose_from_losses(
                candidates, losses, groups, rule=0.0, guardrail=limit, repeats=10**6, folds=10**6
            )
            added[limit] += found.candidate != NOTHING
            assert limit == 1 or (found.p_value <= limit) == (found.candidate != NOTHING)
    assert added[1.0] > 170
    for limit in (0.3, 0.1):
        assert added[limit] / 200 <= limit + 2.6 * math.sqrt(limit * (1 - limit) / 200)
    losses[3] -= 0.3
    assert choose_from_losses(candidates, losses, groups, rule=0.0, guardrail=0.1).candidate == candidates[3]


def test_infinite_risk_loses_and_all_infinite_is_refused() -> None:
    losses = np.full((2, 20), 0.5)
    losses[0] = np.inf
    groups = np.repeat([0, 1], 10)
    assert choose_from_losses([NOTHING, Candidate(1.0)], losses, groups).candidate.balance == 1.0
    losses[1] = np.inf
    with pytest.raises(PlanError, match="infinite"):
        choose_from_losses([NOTHING, Candidate(1.0)], losses, groups)


def test_the_least_correction_that_does_as_well_is_taken() -> None:
    """Sizes: the best is a full balance at c = 1; c = .5 is within a standard error of it, c = 0 is not."""
    noise = np.array([np.tile(np.repeat([0.1, -0.1], width), 200 // width) for width in (1, 1, 1, 1, 2)])
    sizes = [NOTHING, Candidate(0.5), *(Candidate(1.0, correction=c) for c in (0.0, 0.5, 1.0))]
    losses = noise + np.array([[0.5], [0.4], [0.9], [0.3004], [0.3]])
    decision = choose_from_losses(sizes, losses, np.repeat([0, 1], 200))
    assert least_correction(decision, [2, 3, 4]) == 3
    assert decision.standard_error(3, 4) == pytest.approx(0.1 * math.sqrt(2 / 400) / 1, rel=0.01)
    assert least_correction(decision, [2, 3, 4], rule=0.0) == 4
    assert least_correction(decision, [1, 2]) == 1
    assert least_correction(decision, [2, 3, 4], rule=1e3) == 2
    with pytest.raises(PlanError, match="nothing to choose"):
        least_correction(decision, [])


def test_groups_of_label_and_attribute() -> None:
    """Four groups, one of them rare: sizes are per group, the objective averages over groups."""
    rng = np.random.default_rng(0)
    x, y = biased_world(loss="log").sample(300, 60, rng)
    groups = np.array([f"{int(label)}{'ab'[int(rng.random() < 0.3)]}" for label in y])

    def draw(rows: np.ndarray, sizes: Mapping, rng: np.random.Generator) -> dict:
        pools = {}
        for group, n in sizes.items():
            mine = rows[groups[rows] == group]
            pools[group] = mine[rng.integers(len(mine), size=n)]
        return pools

    def fit_predict(rows: np.ndarray, pool: dict, takes: Mapping, held: np.ndarray) -> np.ndarray:
        every = np.concatenate([rows, *(pool[g][: t.n_total] for g, t in takes.items())])
        return fit_logistic(x[every], y[every], ridge=1e-6).probabilities(x[held])

    grid = size_grid(balance=[0, 1.0], augment=[0.0], groups=["1a", "1b"])
    decision = choose_size(y, draw, fit_predict, rng=rng, candidates=grid, groups=groups, repeats=1, objective="worst")
    assert len(decision.candidates) == 4
    assert set(decision.takes) == {"0a", "0b", "1a", "1b"}
    with pytest.raises(PlanError, match="several labels"):
        choose_size(y, draw, fit_predict, rng=rng, candidates=grid, groups=np.repeat(["a", "b"], 180))


def test_degenerate_input_is_refused() -> None:
    rng = np.random.default_rng(0)
    draw, fit_predict = table_callables(np.ones((10, 1)), np.repeat([0.0, 1.0], [7, 3]), duplicate)
    with pytest.raises(PlanError, match="for the folds"):
        choose_size(np.repeat([0.0, 1.0], [7, 3]), draw, fit_predict, rng=rng, candidates=[])
    with pytest.raises(PlanError, match="only one class"):
        choose_size(np.zeros(10), draw, fit_predict, rng=rng, candidates=[])
    with pytest.raises(PlanError, match="adding nothing"):
        choose_from_losses([Candidate(1.0)], np.ones((1, 4)), [0, 0, 1, 1])
    with pytest.raises(SchemaError, match="missing losses"):
        choose_from_losses([NOTHING], np.full((1, 4), np.nan), [0, 0, 1, 1])
    with pytest.raises(SchemaError, match="wrong shape"):
        choose_from_losses([NOTHING], np.zeros((2, 4)), [0, 0, 1, 1])
    with pytest.raises(PlanError, match="no spread"):
        choose_from_losses([NOTHING], np.zeros((1, 4)), [0, 0, 0, 1])
    with pytest.raises(PlanError, match="infinite"):
        choose_from_losses([NOTHING], np.full((1, 4), np.inf), [0, 0, 1, 1])
    with pytest.raises(OptionError, match="no rows to correct"):
        Candidate(correction=0.5)
    with pytest.raises(OptionError, match="come together"):
        Candidate(augment=1.0)
    with pytest.raises(OptionError, match="out of range"):
        Candidate(balance=-1.0)
    with pytest.raises(PlanError, match="groups do not match"):
        Candidate(per_group={"x": 1.0}).takes({"a": 1, "b": 2})
