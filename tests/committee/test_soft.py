"""Rows stand once per label, and lose no weight."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from makeweight import SyntheticOverSampler
from makeweight.committee import soft_labels
from makeweight.errors import OptionError, PlanError


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


class TestSampler:
    """`SyntheticOverSampler(soft_labels=...)`."""

    def rows(self, n=300):
        rng = np.random.default_rng(0)
        x = rng.normal(size=n)
        labels = np.where(rng.random(n) < 1 / (1 + np.exp(2 - 2 * x)), "rare", "common")
        frame = pd.DataFrame({"x": x, "z": rng.normal(size=n), "sex": rng.choice(["f", "m"], n)})
        return frame, pd.Series(labels, name="y")

    def sampler(self, **options):
        return SyntheticOverSampler("smoothed-bootstrap", soft_labels=LogisticRegression(), random_state=0, **options)

    def test_real_rows_come_first_and_every_row_keeps_its_weight(self):
        X, y = self.rows()
        sampler = self.sampler(augment=100)
        rows, labels = sampler.fit_resample(X[["x", "z"]], y)
        assert rows[:300].equals(X[["x", "z"]])
        assert labels[:300].tolist() == y.tolist()
        assert not sampler.is_synthetic_[:300].any()
        assert sampler.is_synthetic_[300:].all()
        n = 300 + sampler.plan_.n_synthetic
        assert sampler.sample_weight_.sum() == pytest.approx(n, rel=1e-3)
        assert sampler.probabilities_.shape == (n, 2)

    def test_rows_lie_evenly_by_default(self):
        X, y = self.rows()
        sampler = self.sampler()
        sampler.fit_resample(X[["x", "z"]], y)
        assert [entry.n_synthetic for entry in sampler.plan_] == [4000, 4000]

    def test_weights_say_what_the_labels_are(self):
        X, y = self.rows()
        sampler = self.sampler(augment=2000)
        rows, labels = sampler.fit_resample(X[["x", "z"]], y)
        high = (rows["x"] > 1.5).to_numpy()
        share = np.average(labels[high] == "rare", weights=sampler.sample_weight_[high])
        assert 0.7 < share < 0.95

    def test_under_groups_every_group_weighs_the_same(self):
        X, y = self.rows()
        sampler = SyntheticOverSampler(
            "smoothed-bootstrap", soft_labels=ThreeColumns(), group_by="sex", augment=10, random_state=0
        )
        _, labels = sampler.fit_resample(X, y)
        assert len(sampler.plan_.groups) == 4
        first = pd.Series(sampler.sample_weight_[:300]).groupby([X["sex"], y]).sum()
        others = sampler.sample_weight_[300:].sum()
        assert first.sum() + others == pytest.approx(300 + sampler.plan_.n_synthetic, rel=0.01)
        assert abs(np.average(labels == "rare", weights=sampler.sample_weight_) - 0.5) < 0.1

    def test_the_same_seed_gives_the_same_rows(self):
        X, y = self.rows()
        one, two = (self.sampler(augment=20).fit_resample(X[["x", "z"]], y) for _ in range(2))
        assert one[0].equals(two[0])
        assert one[1].equals(two[1])

    def test_synthetic_weight_is_heard_and_alpha_refused(self):
        X, y = self.rows()
        light = self.sampler(augment=100, synthetic_weight=0.1)
        light.fit_resample(X[["x", "z"]], y)
        assert light.sample_weight_.sum() == pytest.approx(300 + 0.1 * light.plan_.n_synthetic, rel=0.01)
        with pytest.raises(PlanError, match="alpha weighs"):
            self.sampler(augment=10, alpha=0.5).fit_resample(X[["x", "z"]], y)

    @pytest.mark.parametrize("labels", ["category", "bool", "int64", "string"])
    def test_labels_keep_their_type(self, labels):
        X, y = self.rows()
        y = (
            (y == "rare")
            if labels == "bool"
            else (y == "rare").astype("int64")
            if labels == "int64"
            else y.astype(labels)
        )
        _, resampled = self.sampler(augment=5).fit_resample(X[["x", "z"]], y)
        assert resampled.dtype == y.dtype

    def test_arrays_come_back_as_arrays(self):
        X, y = self.rows()
        rows, labels = self.sampler(augment=5).fit_resample(X[["x", "z"]].to_numpy(), y.to_numpy())
        assert isinstance(rows, np.ndarray)
        assert isinstance(labels, np.ndarray)


class ThreeColumns(LogisticRegression):
    """A teacher that reads a category."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(self.numbers(X), y, sample_weight)

    def predict_proba(self, X):
        return super().predict_proba(self.numbers(X))

    @staticmethod
    def numbers(X):
        return X.assign(sex=X["sex"] == "f").to_numpy(dtype=float)
