"""The parts of the report against what is known: other libraries, brute force, exact answers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import contingency, false_discovery_control, hypergeom, spearmanr
from sklearn.metrics import roc_auc_score

from makeweight.quality.copies import _repeated
from makeweight.quality.nulls import family, with_observed
from makeweight.quality.ranks import Stratum, area_of
from makeweight.quality.reading import last_digits, read_rows
from makeweight.quality.rows import EncodedRows, row_ids
from makeweight.quality.strength import Blocks, associate
from makeweight.quality.values import impossible
from makeweight.table import Schema
from makeweight.theory import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_between_single_tests_and_bonferroni(p_values):
    corrected = holm(p_values)
    for p, adjusted in zip(p_values, corrected, strict=True):
        assert p <= adjusted <= min(1.0, p * len(p_values)) + 1e-12
    assert np.argmin(corrected) is not None
    assert min(corrected) >= min(false_discovery_control(p_values)) - 1e-12


def test_p_values_of_a_family_are_uniform_or_larger_where_nothing_is_wrong():
    rng = np.random.default_rng(0)
    smallest = [family(rng.normal(size=(6, 100)) ** 3).min() for _ in range(2000)]
    for level in (0.05, 0.2):
        assert np.mean(np.array(smallest) <= level) == pytest.approx(level, abs=0.02)


def test_labels_start_with_what_was_observed():
    labels = with_observed(10, 4, np.random.default_rng(0), draws=50)
    assert labels[:, 0].tolist() == [0] * 6 + [1] * 4
    assert (labels.sum(axis=0) == 4).all()


@given(st.lists(st.integers(0, 5), min_size=2, max_size=30), st.lists(st.integers(0, 5), min_size=2, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_area_is_that_of_scikit_learn(low, high):
    area = area_of([Stratum(np.array(low), np.array(high))], np.random.default_rng(0))
    truth = roc_auc_score([0] * len(low) + [1] * len(high), low + high)
    assert area.value == pytest.approx(truth)
    assert area.interval[0] <= area.value <= area.interval[1]


def test_the_interval_of_the_area_covers():
    rng, truth, covered = np.random.default_rng(0), 0.7602, 0
    for _ in range(300):
        pair = Stratum(rng.normal(size=60), rng.normal(1.0, size=40))
        low, high = area_of([pair], rng).interval
        covered += low <= truth <= high
    assert covered / 300 == pytest.approx(0.95, abs=0.03)


def test_numbers_go_together_as_spearman_says():
    rng = np.random.default_rng(0)
    x = rng.normal(size=80)
    y = x + rng.normal(size=80)
    ranks = np.argsort(np.argsort(np.column_stack([x, y]), axis=0), axis=0).astype(float)
    blocks = Blocks(ranks, np.array([0, 1]), np.array([True, True]))
    assert associate(blocks, blocks, np.ones((80, 1)))[0, 0, 1] == pytest.approx(spearmanr(x, y).statistic)


def test_categories_go_together_as_cramer_says():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, 4000)
    b = np.where(rng.random(4000) < 0.5, a, rng.integers(0, 3, 4000))
    blocks = Blocks(np.hstack([np.eye(3)[a], np.eye(3)[b]]), np.array([0, 3]), np.array([False, False]))
    table = pd.crosstab(a, b).to_numpy()
    ours = associate(blocks, blocks, np.ones((4000, 1)))[0, 0, 1]
    assert ours == pytest.approx(contingency.association(table, method="cramer"), abs=0.002)


def test_what_is_independent_has_no_association_with_few_rows():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        matrix = np.hstack([np.eye(5)[rng.integers(0, 5, 40)], rng.random((40, 1)), np.eye(4)[rng.integers(0, 4, 40)]])
        blocks = Blocks(matrix, np.array([0, 5, 6]), np.array([False, True, False]))
        found.append(associate(blocks, blocks, np.ones((40, 1)))[0] ** 2)
    mean = np.mean(found, axis=0)
    assert max(mean[0, 1], mean[1, 2], mean[0, 2]) < 0.05  # uncorrected: (k - 1) / (n - 1) = 0.1


def test_weights_stand_for_copies_of_rows():
    rng = np.random.default_rng(0)
    matrix = np.hstack([np.eye(3)[rng.integers(0, 3, 30)], rng.random((30, 2))])
    blocks = Blocks(matrix, np.array([0, 3, 4]), np.array([False, True, True]))
    chosen = rng.random(30) < 0.5
    few = Blocks(matrix[chosen], blocks.starts, blocks.is_number)
    ours = associate(blocks, blocks, chosen[:, None].astype(float))
    assert ours == pytest.approx(associate(few, few, np.ones((chosen.sum(), 1))))


def test_the_share_of_repeats_is_what_random_draws_have():
    rng = np.random.default_rng(0)
    counts = np.array([1, 1, 1, 2, 3, 5])
    ids = np.repeat(np.arange(len(counts)), counts)
    simulated = []
    for _ in range(20_000):
        drawn = rng.choice(ids, 6, replace=False)
        simulated.append(np.mean(np.bincount(drawn)[drawn] > 1))
    assert _repeated(counts, 13, 6) == pytest.approx(np.mean(simulated), abs=0.005)


@given(st.integers(-9999, 9999), st.integers(0, 6))
def test_the_last_digit_is_where_the_text_ends(number, decimals):
    value = number / 10**decimals
    if value:
        text = f"{abs(number):d}"
        zeros = len(text) - len(text.rstrip("0"))
        assert last_digits(np.array([value]))[0] == decimals - zeros
    else:
        assert last_digits(np.array([value]))[0] == 0


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.5, 1.5, float("nan")])), min_size=2, max_size=20))
def test_equal_rows_have_equal_numbers(rows):
    codes, numbers = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    part = EncodedRows({"a": codes, "b": numbers}, {}, {}, np.zeros(len(rows), dtype=int), np.arange(len(rows)))
    first, second = part.take(np.arange(len(rows) // 2)), part.take(np.arange(len(rows) // 2, len(rows)))
    ids = np.concatenate(row_ids(first, second))
    frame = pd.DataFrame({"a": codes, "b": numbers, "id": ids})
    assert frame.groupby(["a", "b"], dropna=False)["id"].nunique().max() == 1
    assert frame["id"].nunique() == len(frame[["a", "b"]].drop_duplicates())


def test_the_chance_of_new_values_is_hypergeometric():
    real = pd.DataFrame({"x": ["p"] * 40, "y": ["a", "b"] * 20})
    made = pd.DataFrame({"x": ["p"] * 10 + ["q"] * 10, "y": ["a"] * 20})
    schema = Schema.infer(real, target="y", kinds={"x": "categorical"})
    (item,) = impossible(read_rows(real, made, None, schema, contains_real=None, seed=0)).items
    exact = hypergeom.pmf(0, 40, 10, 20)  # none of the ten among the twenty real rows of the group
    assert item.value == 0.5
    assert item.p == pytest.approx(exact * (5 + 2 + 1))  # things looked for: 5, two categories, the target
