"""Moved residuals: means, covariances, tails, categories, missing values, tiny groups, many groups, size."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from makeweight import Limits, Schema
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.contract import example_table
from makeweight.generators.fill import fill
from makeweight.generators.transport import TransportGenerator
from makeweight.plan import Groups, Plan
from makeweight.sampler import balance
from makeweight.table import Table
from makeweight.theory import fit_transport, row_losses

SPACES = ("auto", "normal-scores", "standardised")


def written(frame, group, n, seed=0, **options):
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = TransportGenerator(**options).fit(table, rng=np.random.default_rng(seed))
    return generator.propose(group, n, rng=np.random.default_rng(seed + 1))


def two_groups(draw, rare=60, common=3000, d=3, seed=0, shift=1.0, scale=0.5):
    rng = np.random.default_rng(seed)
    rows = np.vstack([draw(rng, (common, d)), shift + scale * draw(rng, (rare, d))])
    frame = pd.DataFrame(rows, columns=[f"x{j}" for j in range(d)])
    return frame.assign(y=np.repeat(["common", "rare"], [common, rare]))


def test_it_is_the_map_of_the_theory():
    frame = two_groups(lambda rng, shape: rng.standard_normal(shape), rare=400)
    names = ["x0", "x1", "x2"]
    common, rare = (frame.loc[frame["y"] == y, names].to_numpy() for y in ("common", "rare"))
    moved = fit_transport(common, rare).apply(common)
    options = {"space": "standardised", "borrowed_rows": 0.0, "own_shape": False}
    rows = written(frame, ("rare",), len(common), **options)[names].to_numpy()
    np.testing.assert_allclose(rows.mean(axis=0), moved.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.cov(rows.T), np.cov(moved.T), atol=0.02)
    # The same set of rows, up to the rows that would leave the observed range.
    gap = np.abs(np.sort(rows[:, 0]) - np.sort(moved[:, 0]))
    assert np.quantile(gap, 0.99) < 0.02


@pytest.mark.parametrize("space", ["auto", "standardised"])
def test_mean_and_spread_are_the_groups_and_the_shape_is_the_sources(space):
    def bimodal(rng, shape):
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0) + 0.15 * rng.standard_normal(shape)

    options = {"space": space, "borrowed_rows": 0.0, "own_shape": False}
    rows = written(two_groups(bimodal, rare=300, shift=0.3), ("rare",), 3000, **options)
    assert rows["x0"].mean() == pytest.approx(0.3, abs=0.1)
    assert rows["x0"].std() == pytest.approx(0.51, abs=0.06)
    near_the_middle = (rows["x0"].sub(rows["x0"].mean()).abs() < 0.15).mean()
    assert near_the_middle < 0.12  # a normal law with this spread has .23 there


def test_a_group_of_one_row_has_the_shape_of_the_source():
    frame = two_groups(lambda rng, shape: rng.standard_normal(shape), rare=1, shift=0.5)
    rows = written(frame, ("rare",), 2000)
    assert rows["x0"].mean() == pytest.approx(frame["x0"].iloc[-1], abs=0.15)
    assert rows["x0"].std() == pytest.approx(1.0, abs=0.15)


def heavy_tails(seed, d=8, rare=50, common=1000):
    rng = np.random.default_rng(seed)

    def draw(n0, n1):
        rows = np.vstack([rng.standard_t(5, (n0, d)), rng.standard_t(5, (n1, d)) + 0.4])
        return rows, np.repeat([0, 1], [n0, n1])

    return draw(common, rare), draw(5000, 5000)


def quadratic_fit(rows, labels, weights=None):
    model = LogisticRegression(C=1e3, max_iter=3000)
    return model.fit(np.hstack([rows, rows**2]), labels, sample_weight=weights)


def balanced_loss(model, rows, labels, shift=0.0):
    odds = model.decision_function(np.hstack([rows, rows**2])) + shift
    losses = row_losses(labels, 1 / (1 + np.exp(-odds)))
    return 0.5 * (losses[labels == 0].mean() + losses[labels == 1].mean())


@pytest.mark.parametrize("space", SPACES)
def test_heavy_tails(space):
    """Heavy tails in both classes: transport < raw with a logit shift < class weights < SMOTE."""
    losses = {"transport": [], "raw": [], "weights": [], "smote": []}
    for seed in range(4):
        (rows, labels), test = heavy_tails(seed)
        ratio = 1000 / 50
        losses["raw"].append(balanced_loss(quadratic_fit(rows, labels), *test, shift=np.log(ratio)))
        weights = np.where(labels == 1, ratio, 1.0)
        losses["weights"].append(balanced_loss(quadratic_fit(rows, labels, weights), *test))
        frame = pd.DataFrame(rows, columns=[f"x{j}" for j in range(rows.shape[1])]).assign(y=labels)
        for name, options in (("transport", {"space": space}), ("smote", {})):
            made = balance(frame, target="y", generator=name, options=options, random_state=seed).frame
            both = np.vstack([rows, made.drop(columns="y").to_numpy()])
            model = quadratic_fit(both, np.r_[labels, made["y"].to_numpy()])
            losses[name].append(balanced_loss(model, *test))
    means = {name: float(np.mean(values)) for name, values in losses.items()}
    assert means["transport"] < means["raw"] < means["weights"] < means["smote"], means


def test_categories_and_missing_states_are_the_groups_own():
    rng = np.random.default_rng(0)
    n, rare = 2000, 80
    is_rare = np.arange(n) < rare
    frame = pd.DataFrame({"x": rng.normal(size=n) + is_rare})
    frame["colour"] = np.where(is_rare, rng.choice(["red", "blue"], n, p=[0.9, 0.1]), "blue")
    frame["income"] = np.where(rng.random(n) < np.where(is_rare, 0.6, 0.05), np.nan, rng.normal(5, 1, n))
    frame["y"] = np.where(is_rare, "rare", "common")
    rows = written(frame, ("rare",), 2000)
    own = frame[is_rare]
    assert (rows["colour"] == "red").mean() == pytest.approx((own["colour"] == "red").mean(), abs=0.1)
    assert rows["income"].isna().mean() == pytest.approx(own["income"].isna().mean(), abs=0.1)


def test_point_masses_stay():
    rng = np.random.default_rng(1)
    n = 2000
    spend = np.where(rng.random(n) < 0.6, 0.0, rng.lognormal(2, 1, n).round(2))
    frame = pd.DataFrame({"spend": spend, "z": rng.normal(size=n)})
    frame["y"] = np.where(np.arange(n) < 100, "rare", "common")
    rows = written(frame, ("rare",), 2000)
    assert (rows["spend"] == 0).mean() == pytest.approx(0.6, abs=0.1)
    assert rows["spend"].min() == 0


def test_the_largest_group_is_written_from_the_others():
    frame = two_groups(lambda rng, shape: rng.standard_normal(shape), rare=60, common=500)
    rows = written(frame, ("common",), 1000)
    assert rows["x0"].mean() == pytest.approx(0, abs=0.15)
    assert rows["x0"].std() == pytest.approx(1, abs=0.15)
    assert rows["x0"].nunique() > 900  # sixty residuals, smoothed: hardly a value twice
    real = set(frame["x0"].round(9))
    assert not real & set(rows["x0"].round(9))


@pytest.mark.parametrize("kinds", ["mixed", "numbers", "categories"])
@pytest.mark.parametrize("rare", [1, 2, 5])
def test_few_rows_of_every_kind(kinds, rare):
    table = example_table(n=60, rare=rare, kinds=kinds)
    generator = TransportGenerator().fit(table, rng=np.random.default_rng(0))
    plan = Plan.make(Groups(table), augment=20)
    made = fill(generator, table, plan, seed=np.random.SeedSequence(0), limits=Limits(copies="accept"))
    assert len(made) == plan.n_synthetic


def test_every_group_has_one_row():
    frame = pd.DataFrame({"x": [1.0, 2.5, 4.0], "y": ["a", "b", "c"]})
    rows = written(frame, ("b",), 50)
    assert rows["x"].between(1, 4).all()
    assert rows["x"].nunique() > 3


def test_fifty_groups():
    rng = np.random.default_rng(0)
    label = np.r_[np.repeat(np.arange(50), 6), np.zeros(400, dtype=int)]
    frame = pd.DataFrame({"x": label + rng.normal(size=700), "z": rng.normal(size=700)})
    frame["c"] = rng.choice(["u", "v"], 700)
    frame["y"] = [f"g{i:02d}" for i in label]
    made = balance(frame, target="y", generator="transport", random_state=0)
    means = made.frame.groupby("y")["x"].mean()
    real = frame.groupby("y")["x"].mean()
    assert len(means) == 49
    assert (means - real.loc[means.index]).abs().median() < 0.5


def test_a_column_of_which_a_group_knows_nothing():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200)})
    frame["y"] = np.where(np.arange(200) < 20, "rare", "common")
    frame.loc[:19, "z"] = np.nan
    assert written(frame, ("rare",), 100, recombine=0.0)["z"].isna().mean() > 0.95
    assert written(frame, ("common",), 100)["z"].isna().mean() < 0.5


@pytest.mark.long
def test_a_million_rows_leave_a_bounded_state():
    rng = np.random.default_rng(0)
    n = 1_000_000
    frame = pd.DataFrame({f"x{j}": rng.normal(size=n) for j in range(6)})
    frame["c"] = pd.Categorical.from_codes(rng.integers(0, 5, n), list("abcde"))
    frame["y"] = np.where(rng.random(n) < 0.01, "rare", "common")
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = TransportGenerator().fit(table, rng=rng)
    rows = generator.propose(("rare",), 50_000, rng=rng)
    assert len(rows) == 50_000
    kept = sum(sys.getsizeof(part) + part.nbytes for part in (generator._kept.scores, generator._kept.codes))
    assert kept < 8_000_000


@pytest.mark.parametrize(
    "options", [{"space": "raw"}, {"borrowed_rows": -1}, {"recombine": 2}, {"n_neighbors": 0}, {"max_donors": 1.5}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(OptionError, match="option out of range") as error:
        TransportGenerator(**options).fit(example_table(), rng=np.random.default_rng(0))
    assert next(iter(options)) in str(error.value)


def test_an_empty_group_is_refused():
    generator = TransportGenerator().fit(example_table(), rng=np.random.default_rng(0))
    with pytest.raises(GeneratorError, match="no real row"):
        generator.propose(("never",), 3, rng=np.random.default_rng(0))
