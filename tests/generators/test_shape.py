"""A group's own shape: marginals, point masses, ranges, codes; the way back; probabilities; all three generators."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from makeweight import Schema
from makeweight.generators.registry import resolve
from makeweight.generators.rows.scores import NormalScores
from makeweight.generators.rows.shape import GroupShape, GroupShapes, scores_of
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.network import untrained
from makeweight.table import Table

NO_TIES = [np.empty((0, 2))]
NAMES = ("smoothed-bootstrap", "transport", "transformer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Weights of a small untrained network: the closed form alone."""
    place = tmp_path_factory.mktemp("weights")
    network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    facts = {"steps": 0, "tasks": 0, "seconds": 0.0, "device": "cpu", "validation": {}}
    weights.save(network, place, config="toy", **facts)
    return place


def fitted(name, frame, folder, kinds=None, **options):
    if name == "transformer":
        options |= {"weights": folder, "orders": 2}
    table = Table(frame, Schema.infer(frame, target="y", kinds=kinds))
    return resolve(name, options).fit(table, rng=np.random.default_rng(0))


def spiked(n, rare, seed=0):
    """An amount that is zero for half of the rare rows and three quarters of the others; seven other columns."""
    rng = np.random.default_rng(seed)
    y = np.repeat(["common", "rare"], [n - rare, rare])
    amount = rng.lognormal(3, 1, n).round(2) * np.where(y == "rare", 0.1, 1.0)
    amount[rng.random(n) < np.where(y == "rare", 0.5, 0.75)] = 0.0
    others = {f"x{j}": rng.normal(size=n).round(2) for j in range(7)}
    return pd.DataFrame({"amount": amount.round(2), **others, "y": y})


@given(st.integers(2, 400), st.integers(100, 400), st.integers(0, 2**32 - 1), st.floats(-2, 2), st.floats(0.1, 3))
@settings(max_examples=60, deadline=None)
def test_maps_rise_and_can_be_undone(n, m, seed, shift, scale):
    rng = np.random.default_rng(seed)
    own, written = shift + scale * rng.normal(size=(n, 1)), rng.normal(size=(m, 1))
    shape = GroupShape.fit(own, written, NO_TIES)
    scores = np.sort(written, axis=0)
    mapped = shape.forward(scores)
    assert (np.diff(mapped, axis=0) >= 0).all()
    inside = slice(m // 10, m - m // 10)  # the outermost points may share one score
    np.testing.assert_allclose(shape.forward(shape.backward(mapped[inside])), mapped[inside], atol=1e-6)


def test_a_groups_own_distribution_weighs_more_the_more_rows_it_has_and_the_more_it_differs():
    rng = np.random.default_rng(0)
    written = rng.normal(size=(2_000, 1))
    within = []
    for n in (10, 40, 200, 1_000):
        own = np.linspace(-0.3, 0.3, n)[:, None]
        new = GroupShape.fit(own, written, NO_TIES).forward(written)
        within.append((np.abs(new[:, 0]) <= 0.3).mean())
    assert within == sorted(within)
    assert within[-1] > 0.95
    assert (np.abs(written) <= 0.3).mean() < 0.3


def test_what_differs_by_chance_alone_is_left_as_it_is():
    kept = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        own, written = rng.normal(size=(100, 1)), rng.normal(size=(200, 1))
        shape = GroupShape.fit(own, written, NO_TIES)
        kept += shape.curves == (None,)
        assert np.abs(shape.forward(written) - written).mean() < 0.2
    assert kept > 20  # and the others are changed little


def test_one_row_and_empty_columns_have_no_shape():
    written = np.random.default_rng(0).normal(size=(100, 1))
    for own in (np.array([[0.5]]), np.full((9, 1), np.nan)):
        assert GroupShape.fit(own, written, NO_TIES).curves == (None,)
    assert GroupShape.fit(np.zeros((9, 1)) + np.arange(9)[:, None], np.full((9, 1), np.nan), NO_TIES).curves == (None,)


def test_a_range_is_believed_only_where_rows_beyond_it_would_have_shown():
    written = np.random.default_rng(0).normal(size=(4_000, 1))
    far = GroupShape.fit(np.linspace(1.0, 2.5, 15)[:, None], written, NO_TIES).forward(written)
    assert (far < 0.7).mean() < 0.01  # half of what is written lies there
    few = GroupShape.fit(np.array([[-0.5], [0.5]]), written, NO_TIES).forward(written)
    assert (np.abs(few) > 0.5).mean() > 0.5  # two rows say little


@given(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.5, 7.0]), min_size=2, max_size=60), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_value_is_found_again_from_where_it_lies(values, seed):
    values = np.array(values)
    scale = NormalScores.fit(values)
    uniforms = np.random.default_rng(seed).random(len(values))
    np.testing.assert_allclose(scale.inverse(scale.locate(values, uniforms)), values, atol=1e-9)
    between = (scale.values[1:] + scale.values[:-1]) / 2
    back = scale.inverse(scale.locate(between, uniforms[: len(between)]))
    np.testing.assert_allclose(back, between, atol=1e-9)


def test_shapes_are_read_once_and_only_where_wanted():
    calls = []

    def write(position, n, rng):
        calls.append((position, n))
        return rng.normal(size=(n, 1))

    scale = NormalScores.fit(np.arange(50.0))
    real = scores_of(np.arange(10.0)[:, None], [scale], np.random.default_rng(0))
    shapes = GroupShapes([scale], [None], lambda position: real, write, 0, wanted=True)
    assert shapes.of(1) is shapes.of(1)
    assert calls == [(1, 100)]
    assert GroupShapes([scale], [None], lambda position: real, write, 0, wanted=False).of(1).curves == (None,)


@pytest.mark.parametrize("name", NAMES)
def test_point_masses_and_marginals_are_the_groups_own(name, folder):
    frame = spiked(1_200, 300)
    rows, distance = {}, {}
    rare = frame[frame["y"] == "rare"]
    for own_shape in (False, True):
        generator = fitted(name, frame, folder, own_shape=own_shape)
        new = generator.propose(("rare",), 400, rng=np.random.default_rng(1))
        rows[own_shape] = new
        distance[own_shape] = np.mean([ks_2samp(new[c], rare[c]).statistic for c in rare.columns[:-1]])
    assert (rows[True]["amount"] == 0).mean() == pytest.approx((rare["amount"] == 0).mean(), abs=0.1)
    assert distance[True] < 0.1
    assert distance[True] <= distance[False] + 0.005
    assert rows[True]["amount"].min() >= 0


@pytest.mark.parametrize("name", NAMES)
def test_a_group_in_a_corner_of_the_table_stays_there(name, folder):
    v = np.linspace(900, 9_000, 200).round(2)
    frame = pd.DataFrame({"v": v, "x": np.arange(200.0), "y": np.where(np.arange(200) >= 170, "rare", "common")})
    generator = fitted(name, frame, folder)
    new = generator.propose(("rare",), 200, rng=np.random.default_rng(1))["v"]
    assert (new < 6_500).mean() < 0.02, new.min()
    assert new.max() <= 9_000


def test_the_transformer_makes_no_number_up_where_every_one_repeats(folder):
    rng = np.random.default_rng(3)
    y = np.repeat(["common", "rare"], [200, 60])
    code = rng.choice([1.5, 2.5, 7.25, 19.0, 40.0, 41.0], 260, p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
    frame = pd.DataFrame({"code": code, "x": rng.normal(size=260), "y": y})
    new = fitted("transformer", frame, folder).propose(("rare",), 150, rng=np.random.default_rng(1))
    assert set(new["code"]) <= set(code)


@pytest.mark.parametrize("name", NAMES)
def test_missing_values_keep_their_share_and_longer_requests_begin_alike(name, folder, tmp_path):
    frame = spiked(300, 60)
    frame.loc[np.random.default_rng(1).random(300) < 0.3, "x1"] = np.nan
    generator = fitted(name, frame, folder)
    whole = generator.propose(("rare",), 120, rng=np.random.default_rng(5))
    part = generator.propose(("rare",), 40, rng=np.random.default_rng(5))
    pd.testing.assert_frame_equal(whole.head(40), part)
    assert whole["x1"].isna().mean() == pytest.approx(0.3, abs=0.17)
    generator.save(tmp_path / "saved")
    table = Table(frame, Schema.infer(frame, target="y"))
    loaded = type(generator).load(tmp_path / "saved", table)
    pd.testing.assert_frame_equal(loaded.propose(("rare",), 40, rng=np.random.default_rng(5)), part)


@pytest.mark.parametrize("name", ["smoothed-bootstrap", "transformer"])
def test_probabilities_of_a_discrete_column_sum_to_about_one(name, folder):
    rng = np.random.default_rng(0)
    y = np.repeat(["common", "rare"], [150, 60])
    count = np.where(y == "rare", rng.poisson(2.0, 210), rng.poisson(9.0, 210)).astype(float)
    frame = pd.DataFrame({"count": count, "y": y})
    generator = fitted(name, frame, folder, kinds={"count": "integer"})
    values = np.arange(count.max() + 1)
    asked = pd.DataFrame({"count": values, "y": "rare"})
    law = np.exp(generator.log_prob(asked))
    assert law.sum() == pytest.approx(1.0, abs=0.12)
    new = generator.propose(("rare",), 2_000, rng=np.random.default_rng(1))["count"]
    shares = np.array([(new == value).mean() for value in values])
    assert np.abs(shares - law).sum() < 0.25
