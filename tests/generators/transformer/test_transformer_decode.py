"""Writing, scoring, classifying and filling in rows."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.transformer import network
from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.contexts import ColumnSpec, draw_context
from makeweight.generators.transformer.decode import RowModel
from makeweight.generators.transformer.prompt import Walk

CONFIG = ModelConfig(width=16, layers=2, heads=2)
SPECS = [ColumnSpec(True), ColumnSpec(False, 1), ColumnSpec(True), ColumnSpec(False, 0), ColumnSpec(False)]


def untrained(seed: int = 0, noise: float = 0.0) -> network.Network:
    """The closed form (a network whose heads are zero), or with noise a network that looks at everything."""
    rng = np.random.default_rng(seed)
    model = network.untrained(CONFIG, rng)
    for parameter in model.parameters.values():
        parameter += rng.standard_normal(parameter.shape, dtype=np.float32) * noise
    return model


def table(n: int = 120, seed: int = 0) -> np.ndarray:
    """Label, a shifted number, a category, a zero-inflated count, a number that is sometimes missing."""
    rng = np.random.default_rng(seed)
    label = (rng.random(n) < 0.25).astype(float)
    number = np.round(rng.normal(size=n) + 2.5 * label, 1)
    category = np.where(rng.random(n) < 0.8, label, rng.integers(0, 4, n))
    count = np.where(rng.random(n) < 0.4, 0, np.round(np.exp(rng.normal(size=n) + 1)))
    other = 0.8 * number + rng.normal(size=n) * 0.3
    other[rng.random(n) < 0.1 + 0.3 * label] = np.nan
    return np.stack([label, number, category, count, other], 1)


def rows_of(model: network.Network, **options: object) -> RowModel:
    return RowModel(model, table(), SPECS, rng=np.random.default_rng(1), **options)


def test_no_number_is_made_up_where_every_real_one_repeats():
    rng = np.random.default_rng(0)
    label = (np.arange(120) % 10 == 0).astype(float)
    sizes = rng.choice([0.0, 1.0], 120)
    sizes[1:9:2] = 2.5  # of which a context has one, or none
    sizes[rng.random(120) < 0.1] = np.nan
    heights = rng.normal(170, 9, 120).round()  # of which some occur once: between real ones there may be more
    specs = [ColumnSpec(True), ColumnSpec(False, 1), ColumnSpec(False, 0)]
    options = {"rng": np.random.default_rng(1), "max_context": 40, "orders": 8}
    model = RowModel(untrained(noise=0.3), np.stack([label, sizes, heights], 1), specs, **options)
    rows = model.sample((1,), 400, np.random.default_rng(2))
    assert set(rows[:, 1][~np.isnan(rows[:, 1])]) == {0.0, 1.0, 2.5}
    assert np.isnan(rows[:, 1]).any()
    assert not set(rows[:, 2]) <= set(heights)


def test_written_rows_have_only_values_that_a_column_can_have():
    real = table()
    rows = rows_of(untrained(noise=0.1)).sample((1,), 300, np.random.default_rng(2))
    assert (rows[:, 0] == 1).all()
    assert set(rows[:, 2]) <= set(real[:, 2])
    for column in (1, 3, 4):
        assert np.nanmin(rows[:, column]) >= np.nanmin(real[:, column])
        assert np.nanmax(rows[:, column]) <= np.nanmax(real[:, column])
    assert np.array_equal(rows[:, 1], np.round(rows[:, 1], 1))
    assert np.array_equal(rows[:, 3], np.round(rows[:, 3]))
    assert not np.isnan(rows[:, :4]).any()
    assert np.isnan(rows[:, 4]).any()


def test_the_closed_form_alone_reproduces_the_groups_law():
    real = table(n=600)
    model = RowModel(untrained(), real, SPECS, rng=np.random.default_rng(1))
    for label in (0.0, 1.0):
        own = real[real[:, 0] == label]
        rows = model.sample((label,), 1500, np.random.default_rng(3))
        assert abs(rows[:, 1].mean() - own[:, 1].mean()) < 0.3
        assert abs((rows[:, 3] == 0).mean() - (own[:, 3] == 0).mean()) < 0.12
        assert abs((rows[:, 2] == 1).mean() - (own[:, 2] == 1).mean()) < 0.12
        assert abs(np.isnan(rows[:, 4]).mean() - np.isnan(own[:, 4]).mean()) < 0.1
        both = ~np.isnan(rows[:, 4])
        assert np.corrcoef(rows[both, 1], rows[both, 4])[0, 1] > 0.7


def test_one_seed_fixes_the_rows_and_fewer_rows_are_a_prefix():
    one = rows_of(untrained(noise=0.1)).sample((1,), 50, np.random.default_rng(5))
    two = rows_of(untrained(noise=0.1)).sample((1,), 50, np.random.default_rng(5))
    few = rows_of(untrained(noise=0.1)).sample((1,), 13, np.random.default_rng(5))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(few, one[:13], rtol=1e-4)
    other = rows_of(untrained(noise=0.1)).sample((1,), 50, np.random.default_rng(6))
    assert not np.array_equal(one, other, equal_nan=True)


@pytest.mark.parametrize("donors", [0.0, 0.4, 1.0])
def test_a_share_of_the_rows_begins_as_a_real_row_of_the_group(donors):
    real = table(n=600)
    own = real[real[:, 0] == 1]
    model = RowModel(untrained(), real, SPECS, rng=np.random.default_rng(1))
    rows = model.sample((1,), 1200, np.random.default_rng(2), donors=donors)
    again = model.sample((1,), 1200, np.random.default_rng(2), donors=donors)
    np.testing.assert_array_equal(rows, again)
    fewer = model.sample((1,), 77, np.random.default_rng(2), donors=donors)
    np.testing.assert_allclose(fewer, rows[:77], rtol=1e-4)
    assert (rows[:, 0] == 1).all()
    orders = model.contexts().orders[np.arange(1200) % len(model.contexts().orders)]
    kept = np.zeros(1200, dtype=int)
    for number, (row, order) in enumerate(zip(rows, orders, strict=True)):
        same = (row == own) | (np.isnan(row) & np.isnan(own))
        prefix = np.logical_and.accumulate(same[:, order], axis=1).sum(1)
        kept[number] = prefix.max() - 1  # cells beside the label that some real row has, from the first on
    plain = model.sample((1,), 1200, np.random.default_rng(2))
    assert np.array_equal(rows, plain, equal_nan=True) == (donors == 0)
    if donors:  # of four cells one to three are kept
        assert (kept >= 1).mean() > donors * 0.9
        assert np.isnan(rows[:, 4]).any()


def test_a_column_alone_has_nothing_to_begin_with():
    one = np.array([[0, 1.5], [0, 2.5], [1, 9.0], [1, 8.0]])
    model = RowModel(untrained(), one, SPECS[:2], rng=np.random.default_rng(0))
    plain = model.sample((1,), 9, np.random.default_rng(0))
    np.testing.assert_array_equal(model.sample((1,), 9, np.random.default_rng(0), donors=1.0), plain)
    assert model.sample((1,), 0, np.random.default_rng(0), donors=1.0).shape == (0, 2)


def test_rows_do_not_depend_on_the_batch_size(monkeypatch):
    whole = rows_of(untrained(noise=0.1)).sample((0,), 600, np.random.default_rng(5))
    monkeypatch.setattr("makeweight.generators.transformer.decode.ROWS", 10**9)
    bounded = rows_of(untrained(noise=0.1), max_memory=2_400_000)
    contexts = bounded.contexts()
    assert len(bounded._pieces(contexts, 300)) > len(contexts.orders)
    monkeypatch.setattr("makeweight.generators.transformer.decode.ROWS", 40)
    small = bounded.sample((0,), 600, np.random.default_rng(5))
    np.testing.assert_allclose(whole, small, rtol=1e-4)


def test_requests_are_answered_together_as_alone():
    model = rows_of(untrained(noise=0.1))
    sizes = (30, 0, 7)
    both = model.samples((1,), [(n, np.random.default_rng(n)) for n in sizes], donors=0.5)
    for n, rows in zip(sizes, both, strict=True):
        np.testing.assert_allclose(rows, model.sample((1,), n, np.random.default_rng(n), donors=0.5), rtol=1e-4)


def test_rows_that_are_known_are_not_asked_about():
    model, asked = rows_of(untrained(noise=0.1), orders=2), []
    real = Walk.forecast

    def forecast(walk, rows=None):
        asked.append(rows)
        return real(walk, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Walk, "forecast", forecast)
        model.sample((1,), 80, np.random.default_rng(0), donors=1.0)
    assert len(asked) == 8
    assert asked.count(40) >= 2  # rows per order; nothing is kept of the last column
    assert min(asked) < 20


def test_global_generators_are_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    rows_of(untrained()).sample((1,), 5, np.random.default_rng(0))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_the_table_is_not_changed():
    real = table()
    real.flags.writeable = False
    model = RowModel(untrained(), real, SPECS, rng=np.random.default_rng(1))
    model.sample((1,), 5, np.random.default_rng(0))
    model.log_prob(real[:5])
    model.impute(real[:20], np.random.default_rng(0))


def test_log_probabilities_of_a_binary_column_sum_to_one():
    rng = np.random.default_rng(0)
    real = np.stack([rng.integers(0, 2, 80), rng.integers(0, 2, 80), rng.integers(0, 3, 80)], 1)
    specs = [ColumnSpec(True)] * 3
    model = RowModel(untrained(noise=0.1), real, specs, rng=rng)
    cells = np.array([[1, a, b] for a in range(2) for b in range(3)])
    assert np.exp(model.log_prob(cells)).sum() == pytest.approx(1, abs=1e-4)


def test_what_the_context_lacks_has_no_probability():
    model = rows_of(untrained())
    row = table()[:1]
    assert np.isfinite(model.log_prob(row)).all()
    for column, value in ((2, 9.0), (1, np.nan), (0, 7.0)):
        changed = row.copy()
        changed[0, column] = value
        assert model.log_prob(changed)[0] == -np.inf


def test_bayes_ranks_and_ignores_the_label_column():
    fresh = table(seed=9, n=300)
    model = rows_of(untrained())
    chance = model.predict_proba(fresh)
    np.testing.assert_allclose(chance.sum(1), 1)
    one, zero = chance[fresh[:, 0] == 1, 1], chance[fresh[:, 0] == 0, 1]
    assert (one[:, None] > zero[None]).mean() > 0.9
    flipped = fresh.copy()
    flipped[:, 0] = 1 - flipped[:, 0]
    np.testing.assert_array_equal(chance, model.predict_proba(flipped))
    assert model.predict_proba(fresh, prior=np.array([0.0, 1.0]))[:, 1] == pytest.approx(1)


def test_imputation_keeps_known_cells_and_fills_the_rest():
    rows = table(seed=4, n=60)
    rows[::7, 2] = np.nan
    rows[::5, 1] = np.nan
    filled = rows_of(untrained(noise=0.1)).impute(rows, np.random.default_rng(0))
    known = ~np.isnan(rows)
    np.testing.assert_array_equal(filled[known], rows[known])
    assert not np.isnan(filled).any()


def test_imputation_uses_the_other_cells():
    rows = table(seed=4, n=300)
    asked = rows.copy()
    asked[:, 4] = np.nan
    filled = rows_of(untrained()).impute(asked, np.random.default_rng(0))
    known = ~np.isnan(rows[:, 4])
    assert np.corrcoef(filled[known, 4], rows[known, 4])[0, 1] > 0.7


def test_edge_tables():
    rng = np.random.default_rng(0)
    constant = np.stack([np.arange(6) % 2, np.full(6, 3.0), np.full(6, np.nan)], 1)
    specs = [ColumnSpec(True), ColumnSpec(False, 0), ColumnSpec(False)]
    rows = RowModel(untrained(), constant, specs, rng=rng).sample((1,), 8, rng)
    assert (rows[:, 1] == 3).all()
    assert np.isnan(rows[:, 2]).all()
    only = RowModel(untrained(), np.array([[0.0], [1.0]]), [ColumnSpec(True)], rng=rng)
    np.testing.assert_array_equal(only.sample((1,), 2, rng), [[1.0], [1.0]])
    large = np.stack([np.arange(40) % 2, 1.7e18 + 1e6 * rng.random(40).round(3)], 1)
    specs = [ColumnSpec(True), ColumnSpec(False)]
    rows = RowModel(untrained(), large, specs, rng=rng).sample((0,), 20, rng)
    assert (rows[:, 1] >= large[:, 1].min()).all()
    assert len(np.unique(rows[:, 1])) > 10


def test_many_groups_and_attributes():
    rng = np.random.default_rng(0)
    label, attribute = rng.integers(0, 30, 400), rng.integers(0, 3, 400)
    values = np.stack([label, attribute, label * 10 + rng.normal(size=400), attribute], 1)
    specs = [ColumnSpec(True), ColumnSpec(True), ColumnSpec(False, 2), ColumnSpec(True)]
    model = RowModel(untrained(), values, specs, given=2, rng=rng, max_context=200)
    cell = model.groups[5]
    rows = model.sample(tuple(cell), 40, rng)
    assert (rows[:, :2] == cell).all()
    assert abs(np.median(rows[:, 2]) - 10 * cell[0]) < 60


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"values": table()[:, :3]}, "do not fit"),
        ({"values": np.where(np.isnan(table()), np.inf, table())}, "infinite"),
        ({"columns": [ColumnSpec(False)] * 5}, "categorical"),
        ({"orders": 0}, "order"),
        ({"max_context": 1}, "context"),
    ],
)
def test_unusable_input_is_refused(change, expected):
    arguments = {"values": table(), "columns": SPECS, "rng": np.random.default_rng(0)} | change
    with pytest.raises((GeneratorError, OptionError), match=expected):
        RowModel(untrained(), **arguments)


def test_unusable_requests_are_refused():
    model = rows_of(untrained())
    rng = np.random.default_rng(0)
    with pytest.raises(GeneratorError, match="no row of this group"):
        model.sample((5,), 1, rng)
    with pytest.raises(OptionError, match="temperature"):
        model.sample((1,), 1, rng, temperature=0)
    with pytest.raises(OptionError, match="prior"):
        model.predict_proba(table(), prior=np.ones(3))
    with pytest.raises(GeneratorError, match="group column"):
        model.impute(np.full((1, 5), np.nan), rng)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=3, max_size=60), st.integers(2, 40), st.integers(0, 99))
def test_a_drawn_context_takes_rare_rows_first(groups, most, seed):
    groups = np.array(groups)
    chosen = draw_context(groups, most, np.random.default_rng(seed))
    assert len(chosen) == len(set(chosen.tolist())) == min(len(groups), most)
    taken = np.bincount(groups[chosen], minlength=6)
    cut = taken < np.bincount(groups, minlength=6)
    if cut.any():  # no group that was cut has fewer rows than another group, but for one
        assert taken[cut].min() + 1 >= taken.max()


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(120)))
def test_the_order_of_context_rows_does_not_matter(order):
    """One column order and identities, rows shuffled: log-probabilities are the same."""
    model = untrained(noise=0.1)
    one = RowModel(model, table(), SPECS, rng=np.random.default_rng(1), orders=1)
    two = RowModel(model, table()[list(order)], SPECS, rng=np.random.default_rng(1), orders=1)
    fresh = table(seed=3, n=20)
    np.testing.assert_allclose(one.log_prob(fresh), two.log_prob(fresh), atol=2e-3)


@cache
def scores_of(columns: tuple[int, ...], seed: int) -> np.ndarray:
    """Return log-probabilities of fresh rows by a table whose columns stand in that order."""
    real, fresh = table(n=120), table(seed=3, n=60)
    specs = [SPECS[c] for c in columns]
    rows = RowModel(untrained(noise=0.03), real[:, columns], specs, rng=np.random.default_rng(seed), orders=16)
    return rows.log_prob(fresh[:, columns])


@settings(max_examples=4, deadline=None)
@given(st.permutations([1, 2, 3, 4]))
def test_the_order_of_columns_does_not_matter_in_distribution(order):
    """Columns swapped in the table: scores differ no more than between two draws of column orders."""
    straight = [scores_of((0, 1, 2, 3, 4), seed) for seed in range(3)]
    swapped = [scores_of((0, *order), seed) for seed in range(3)]
    noise = np.mean([np.abs(straight[i] - straight[j]).mean() for i, j in ((0, 1), (0, 2), (1, 2))])
    difference = np.mean([np.abs(a - b).mean() for a in straight for b in swapped])
    assert difference < 1.5 * noise + 0.02
    # and the mean over rows, where noise averages out
    assert abs(np.mean(straight) - np.mean(swapped)) < 0.1


def test_a_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CONFIG.width = 3
