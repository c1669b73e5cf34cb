"""Groups, strategies and weights."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.utils import check_sampling_strategy

from makeweight import Plan, Schema
from makeweight.errors import PlanError
from makeweight.plan import Groups
from makeweight.table import Table


def groups_of(labels, **attributes):
    frame = pd.DataFrame({"y": labels, **attributes})
    return Groups(Table(frame, Schema.infer(frame, target="y", group_by=list(attributes))))


labels = st.lists(st.integers(0, 4), min_size=2, max_size=60).filter(lambda y: len(set(y)) > 1)
strategies = st.sampled_from(["auto", "minority", "not minority", "not majority", "all"])


@given(labels, strategies)
def test_named_strategies_are_those_of_imbalanced_learn(y, strategy):
    expected = check_sampling_strategy(strategy, np.array(y), "over-sampling")
    plan = Plan.make(groups_of(y), strategy)
    got = {entry.group[0]: entry.n_balance for entry in plan}
    assert got == {**dict.fromkeys(set(y), 0), **expected}


@given(labels.filter(lambda y: len(set(y)) == 2), st.floats(0.01, 1))
def test_ratios_are_those_of_imbalanced_learn(y, ratio):
    try:
        expected = check_sampling_strategy(ratio, np.array(y), "over-sampling")
    except ValueError:
        with pytest.raises(PlanError, match="remove samples"):
            Plan.make(groups_of(y), ratio)
        return
    got = {entry.group[0]: entry.n_balance for entry in Plan.make(groups_of(y), ratio)}
    assert got == {**dict.fromkeys(set(y), 0), **expected}


@given(labels, st.data())
def test_final_counts_are_those_of_imbalanced_learn(y, data):
    counts = Counter(y)
    wanted = {k: v + data.draw(st.integers(0, 50)) for k, v in counts.items() if data.draw(st.booleans())}
    for strategy in (wanted, lambda labels: wanted):
        expected = check_sampling_strategy(strategy, np.array(y), "over-sampling")
        got = {entry.group[0]: entry.n_balance for entry in Plan.make(groups_of(y), strategy)}
        assert got == {**dict.fromkeys(set(y), 0), **expected}


@given(labels, strategies, st.integers(0, 20))
def test_augment_is_for_every_group(y, strategy, n):
    plan = Plan.make(groups_of(y), strategy, augment=n)
    assert {entry.n_augment for entry in plan} == {n}
    assert plan.n_synthetic == sum(e.n_balance for e in plan) + n * len(plan.groups)
    assert plan.n_real == len(y)


def test_a_callable_is_given_the_labels():
    seen = []
    Plan.make(groups_of(["a", "b", "a"]), lambda y: seen.append(list(y)) or {"b": 2})
    assert seen == [["a", "b", "a"]]


def test_groups_are_cells_of_label_and_attributes():
    groups = groups_of(["a", "a", "b", "b", "a"], sex=["f", "m", "f", None, "m"], old=[True, False] * 2 + [False])
    assert dict(zip(groups.keys, groups.counts.tolist(), strict=True)) == {
        ("a", "f", True): 1,
        ("a", "m", False): 2,
        ("b", "f", True): 1,
        ("b", None, False): 1,
    }
    assert groups.rows(("a", "m", False)).tolist() == [1, 4]
    assert groups.rows(("b", "m", True)).tolist() == []
    assert ("b", "m", True) in groups.empty_cells()
    assert groups.resolve("y=a, sex=m, old=False") == ("a", "m", False)
    assert groups.resolve(("b", None, False)) == ("b", None, False)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Plan.make(groups_of(["a", "a"])), "one class"),
        (lambda: Plan.make(groups_of(["a", "b"]), "most"), "unknown sampling strategy"),
        (lambda: Plan.make(groups_of(["a", "b"]), [3]), "unknown sampling strategy"),
        (lambda: Plan.make(groups_of(["a", "b"]), 1.5), "ratio"),
        (lambda: Plan.make(groups_of(["a", "b", "c"]), 0.5), "binary"),
        (lambda: Plan.make(groups_of(["no", "yes"]), {"yess": 4}), "did you mean 'yes'"),
        (lambda: Plan.make(groups_of(["a", "b", "b"]), {"b": 1}), "cannot be below"),
        (lambda: Plan.make(groups_of(["a", "b"]), {"b": 2.5}), "whole number"),
        (lambda: Plan.make(groups_of(["a", "b"]), augment=-1), "augment"),
        (lambda: Plan.make(groups_of(["a", "b"]), augment=2, alpha=1.5), "alpha"),
        (lambda: Plan.make(groups_of(["a", "b"]), alpha=0.5), "none are asked for"),
    ],
)
def test_what_does_not_fit_is_refused(make, says):
    with pytest.raises(PlanError, match=says):
        make()
