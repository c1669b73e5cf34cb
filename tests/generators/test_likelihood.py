"""The density of the smoothed bootstrap, on the scale of the transformer's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from makeweight import Schema
from makeweight.errors import SchemaError
from makeweight.generators.contract import example_table
from makeweight.generators.rows.likelihood import log_box_mass
from makeweight.generators.rows.scores import NormalScores
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap
from makeweight.table import Table


@settings(max_examples=20, deadline=None)
@given(st.floats(-0.95, 0.95), st.floats(-2, 2), st.floats(0.1, 3), st.integers(0, 99))
def test_boxes_of_a_correlated_normal(correlation, start, width, seed):
    covariance = np.array([[1, correlation], [correlation, 2.0]])
    low, high = np.array([[start, -1.0]]), np.array([[start + width, 0.5]])
    law = multivariate_normal(np.zeros(2), covariance)
    exact = law.cdf(high[0], lower_limit=low[0])
    factor = np.linalg.cholesky(covariance)
    mass = log_box_mass(low, high, np.zeros((1, 2)), factor, 4000, np.random.default_rng(seed))
    assert np.exp(mass[0, 0]) == pytest.approx(exact, rel=0.08, abs=2e-4)


def test_far_boxes_keep_their_mass():
    ends = np.array([[8.0]]), np.array([[9.0]])
    mass = log_box_mass(*ends, np.zeros((1, 1)), np.eye(1), 1, np.random.default_rng(0))
    assert mass[0, 0] == pytest.approx(np.log(norm.sf(8) - norm.sf(9)), rel=1e-6)


def test_values_outside_the_range_lie_at_its_ends():
    scores = NormalScores.fit(np.arange(10.0))
    low, high = scores.interval(np.array([-5.0, 0.0, 4.5, 99.0]), half=0.05)
    middle = (low + high) / 2
    assert middle[0] < middle[1] < middle[2] < middle[3]
    assert middle[2] == pytest.approx(0)
    np.testing.assert_allclose(high - low, 0.1)


def discrete(n=120, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.random(n) < 0.3
    frame = pd.DataFrame(
        {
            "c": np.where(rng.random(n) < 0.7, label, ~label),
            "d": rng.choice(list("xyz"), n, p=[0.6, 0.3, 0.1]),
            "k": rng.choice([0.0, 5.0, 7.0], n, p=[0.5, 0.3, 0.2]),
            "y": np.where(label, "rare", "common"),
        }
    )
    return Table(frame, Schema.infer(frame, target="y", kinds={"k": "continuous"}))


def test_probabilities_of_a_discrete_table_sum_to_one():
    table = discrete()
    generator = SmoothedBootstrap().fit(table, rng=np.random.default_rng(0))
    grid = pd.MultiIndex.from_product(
        [[True, False], list("xyz"), [0.0, 5.0, 7.0], ["rare", "common"]], names=["c", "d", "k", "y"]
    ).to_frame(index=False)
    total = np.exp(generator.log_prob(grid))
    for label in ("rare", "common"):
        assert total[grid["y"] == label].sum() == pytest.approx(1, abs=0.02)


def test_missing_values_have_their_share():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(200) < 0.25, np.nan, rng.normal(size=200))
    frame = pd.DataFrame({"x": x, "y": ["a", "b"] * 100})
    table = Table(frame, Schema.infer(frame, target="y"))
    generator = SmoothedBootstrap().fit(table, rng=rng)
    gone = generator.log_prob(pd.DataFrame({"x": [np.nan, np.nan], "y": ["a", "b"]}))
    assert np.exp(gone).mean() == pytest.approx(np.isnan(x).mean(), abs=0.05)


def test_a_gaussian_is_near_its_entropy():
    """Correlated normals: the mean log-mass of new rows comes near to minus the entropy of tenths."""
    rng = np.random.default_rng(0)
    factor = np.linalg.cholesky([[1, 0.8], [0.8, 1]])

    def rows(n):
        x = rng.normal(size=(n, 2)) @ factor.T
        return pd.DataFrame(x, columns=["a", "b"]).assign(y=np.arange(n) % 2)

    known = rows(2000)
    table = Table(known, Schema.infer(known, target="y"))
    generator = SmoothedBootstrap().fit(table, rng=rng)
    entropy = 0.5 * np.log((2 * np.pi * np.e) ** 2 * (1 - 0.64)) - 2 * np.log(0.1)
    assert generator.log_prob(rows(400)).mean() == pytest.approx(-entropy, abs=0.2)


def test_what_the_table_lacks_has_no_probability():
    table = example_table()
    generator = SmoothedBootstrap().fit(table, rng=np.random.default_rng(0))
    row = table.frame.head(1)
    assert np.isfinite(generator.log_prob(table.frame)).all()
    assert generator.log_prob(row.assign(colour="mauve"))[0] == -np.inf
    assert generator.log_prob(row.assign(y="unheard of"))[0] == -np.inf
    with pytest.raises(SchemaError, match="missing"):
        generator.log_prob(row.drop(columns="colour"))
