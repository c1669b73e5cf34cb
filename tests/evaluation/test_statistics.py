"""An interval that stands beside a verdict is the one that the verdict follows from."""

import numpy as np
import pytest

from makeweight.evaluation.statistics import LEVEL, corrected, decided


@pytest.mark.parametrize("seed", range(40))
def test_an_interval_holds_0_exactly_where_nothing_is_shown(seed):
    rng = np.random.default_rng(seed)
    n_arms = int(rng.integers(1, 12))
    shifts = rng.choice([0.0, 0.005, 0.01, 0.02, 0.05], n_arms)
    values = {k: rng.normal(shift, 0.01, int(rng.integers(2, 11))).tolist() for k, shift in enumerate(shifts)}
    for name, one in decided(values, 0.2).items():
        assert (one.p_holm < LEVEL) == (not one.low <= 0.0 <= one.high)
        plain = corrected(values[name], 0.2)
        assert one.low <= plain.low <= plain.mean <= plain.high <= one.high


def test_one_comparison_has_the_plain_interval_and_none_has_none():
    values = [0.02, 0.03, 0.01, 0.02, 0.02]
    alone, plain = decided({"a": values}, 0.2)["a"], corrected(values, 0.2)
    assert (alone.low, alone.high, alone.p_holm) == (plain.low, plain.high, plain.p)
    assert decided({}, 0.2) == {}


def test_differences_without_spread_are_judged_too():
    family = decided({"same": [0.0, 0.0, 0.0], "shifted": [0.1, 0.1, 0.1]}, 0.2)
    assert family["same"].p_holm == 1.0
    assert family["shifted"].p_holm == 0.0
