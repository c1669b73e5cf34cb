"""Rows stand once per label, and lose no weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from makeweight.committee import soft_labels
from makeweight.errors import OptionError


@given(st.integers(1, 20), st.integers(0, 20), st.integers(2, 4), st.floats(0, 1), st.integers(0, 99))
def test_weights_are_kept(n, m, k, softness, seed):
    rng = np.random.default_rng(seed)
    labels, real, synthetic = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), m)
    soft = soft_labels(labels, real, synthetic, softness=softness, synthetic_weight=0.5)
    per_row = np.bincount(soft.rows, soft.weights, minlength=n + m)
    assert np.allclose(per_row, np.repeat([1.0, 0.5], [n, m]), atol=k * 1e-3)
    assert np.array_equal(soft.rows[:n], np.arange(n))
    assert np.array_equal(soft.labels[:n], labels)
    assert soft.weights.min() >= 0


def test_hard_real_rows_stay_as_they_are():
    soft = soft_labels(np.array([0, 1]), np.full((2, 2), 0.5), np.empty((0, 2)), softness=0.0)
    assert soft.rows.tolist() == [0, 1]
    assert soft.weights.tolist() == [1.0, 1.0]


def test_softness_is_a_share():
    with pytest.raises(OptionError, match="softness"):
        soft_labels(np.array([0]), np.ones((1, 2)), np.empty((0, 2)), softness=1.5)
