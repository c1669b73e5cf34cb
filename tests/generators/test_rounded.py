"""Rounded measurements: what few rows lack or repeat by chance is smoothed; spikes, codes and days are not."""

import numpy as np
import pandas as pd
import pytest

from makeweight import Schema
from makeweight.generators.registry import resolve
from makeweight.generators.rows.rounded import smoothed, smoothing_unit
from makeweight.generators.rows.scores import NormalScores
from makeweight.table import Table

AGES = np.arange(18, 91)


def on_grid(scale, grid, unit):
    """Shares that a scale gives to the values of a grid."""
    at = np.round((scale.values - grid[0]) / unit).astype(int)
    shares = np.zeros(len(grid))
    shares[at] = scale.upper - scale.lower
    return shares


@pytest.mark.parametrize("n", [60, 200, 1_000])
@pytest.mark.parametrize("unit", [1.0, 0.1, 5.0])
def test_smoothed_shares_are_nearer_to_the_true_ones(n, unit):
    true = np.exp(-0.5 * ((AGES - 45) / 14) ** 2) + 0.5 * np.exp(-0.5 * ((AGES - 70) / 5) ** 2)
    true /= true.sum()
    errors = []
    for seed in range(20):
        column = np.random.default_rng(seed).choice(AGES * unit, n, p=true)
        scale = NormalScores.fit(column)
        written, masses = smoothed(scale, unit)
        assert len(masses) == 0
        errors.append([np.abs(on_grid(each, AGES * unit, unit) - true).sum() for each in (written, scale)])
    ours, plain = np.mean(errors, axis=0)
    assert ours < 0.7 * plain


def test_what_stands_out_keeps_its_share():
    rng = np.random.default_rng(0)
    amount = np.where(rng.random(300) < 0.6, 0, rng.normal(60, 15, 300).round().clip(1))
    scale = NormalScores.fit(amount)
    written, masses = smoothed(scale, 1.0)
    shares = on_grid(written, np.arange(amount.max() + 1), 1.0)
    assert len(written.values) == amount.max() + 1
    assert shares[0] == pytest.approx((amount == 0).mean(), abs=0.01)
    assert shares[1:20].sum() < 0.02
    assert masses.shape == (1, 2)
    assert written.inverse(masses[0, 1:] - 0.1) == 0


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        (np.random.default_rng(0).choice(np.random.default_rng(1).choice(900, 150), 300) + 0.0, 1.0),  # codes
        (np.repeat([1.0, 2.0, 4.0, 7.0, 12.0, 20.0], 9), 1.0),  # every value repeats, some are lacking
        (np.random.default_rng(0).normal(size=300), None),  # no grid
        (np.random.default_rng(0).normal(0, 9_000, 300).round(), 1.0),  # a grid finer than the rows can tell
        (np.array([1.0, 2.0, 2.0, 4.0]), 1.0),  # few values
    ],
)
def test_other_columns_are_left_as_they_are(column, unit):
    scale = NormalScores.fit(column)
    written, masses = smoothed(scale, unit)
    assert written is scale
    np.testing.assert_array_equal(masses, scale.ties())


def test_days_have_no_unit():
    rows = np.arange(60)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows * 2, unit="D")
    frame = pd.DataFrame({"day": days, "price": rows // 2 * 0.5, "code": list("ab") * 30, "size": (rows / 7) ** 0.5})
    schema = Schema.infer(frame.assign(y=list("ab") * 30), target="y")
    assert [smoothing_unit(schema[name]) for name in frame] == [None, 0.5, None, None]


@pytest.mark.parametrize(("name", "rough"), [("smoothed-bootstrap", 0.3), ("transformer", 0.5)])
def test_written_columns_have_the_values_between(name, rough):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(45, 14, 150).round().clip(18, 90), "x": rng.normal(size=150)})
    frame["y"] = ["rare"] * 50 + ["common"] * 100
    rare = frame["age"][:50]
    lacking = np.setdiff1d(np.arange(rare.quantile(0.1), rare.quantile(0.9)), rare)
    assert len(lacking) > 5
    generator = resolve(name).fit(Table(frame, Schema.infer(frame, target="y")), rng=rng)
    age = generator.propose(("rare",), 4_000, rng=rng)["age"]
    assert age.between(frame["age"].min(), frame["age"].max()).all()
    assert (age == age.round()).all()
    assert set(lacking) <= set(age)
    written, real = (np.bincount(ages.astype(int), minlength=91)[18:] / len(ages) for ages in (age, rare))
    assert np.abs(np.diff(written)).sum() < rough * np.abs(np.diff(real)).sum()


def test_probabilities_of_all_values_sum_to_one():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(45, 14, 150).round().clip(18, 90)})
    frame["y"] = ["rare"] * 50 + ["common"] * 100
    generator = resolve("smoothed-bootstrap").fit(Table(frame, Schema.infer(frame, target="y")), rng=rng)
    every = pd.DataFrame({"age": np.arange(frame["age"].min(), frame["age"].max() + 1)})
    for group in ("rare", "common"):
        assert np.exp(generator.log_prob(every.assign(y=group))).sum() == pytest.approx(1.0, abs=0.02)
