"""Rows stand once per label, and lose no weight."""

from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight import Committee, Schema, Synthesizer, SyntheticOverSampler, balance
from makeweight.committee import ClosedForm, drawn_labels, soft_labels
from makeweight.errors import OptionError, PlanError
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap


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
        assert sampler.is_synthetic_.tolist() == sampler.generation_.is_synthetic.tolist()
        assert 0 < (~sampler.is_synthetic_[300:]).sum() <= 300  # real rows with their other label
        n = 300 + sampler.plan_.n_synthetic
        assert sampler.sample_weight_.sum() == pytest.approx(n, rel=1e-3)
        assert sampler.probabilities_.shape == (n, 2)

    @pytest.mark.parametrize("group_by", [None, "sex"])
    def test_rows_lie_where_the_tables_lie_or_evenly_over_groups(self, group_by):
        X, y = self.rows()
        sampler = self.sampler(group_by=group_by)
        sampler.fit_resample(X[["x", "z"]] if group_by is None else X.assign(sex=X["sex"] == "f"), y)
        written = [entry.n_synthetic for entry in sampler.plan_]
        own = np.array([entry.n_real for entry in sampler.plan_]) / 300
        assert np.allclose(written, 8000 * own if group_by is None else 2000, atol=1)

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

    def test_fit_checks_what_a_teacher_needs(self):
        X, y = self.rows()
        with pytest.raises(OptionError, match="unknown member"):
            SyntheticOverSampler(soft_labels=Committee(["logit"])).fit(X, y)
        with pytest.raises(PlanError, match="y=one"):
            SyntheticOverSampler(soft_labels=True).fit(X, y.where(y.index > 0, "one"))

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


class TestDrawnLabels:
    """Labels for learners that take no weights."""

    @given(st.integers(1, 20), st.integers(0, 20), st.integers(2, 4), st.integers(0, 99))
    def test_every_row_stands_twice_and_real_ones_keep_a_label(self, n, m, k, seed):
        rng = np.random.default_rng(seed)
        labels, real, synthetic = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), m)
        drawn = drawn_labels(labels, real, synthetic, rng)
        assert np.bincount(drawn.rows).tolist() == [2] * (n + m)
        assert np.array_equal(drawn.labels[:n], labels)
        assert set(drawn.labels) <= set(range(k))
        assert drawn.weights.tolist() == [1.0] * 2 * (n + m)

    def test_draws_follow_the_probabilities_with_less_noise_than_independent_ones(self):
        rng = np.random.default_rng(0)
        p = np.tile(rng.uniform(0.1, 0.9, 50)[:, None], 2)
        p[:, 0] = 1 - p[:, 1]
        shares = [
            drawn_labels(np.zeros(1, dtype=int), p[:1], p, np.random.default_rng(seed)).labels[2:].mean()
            for seed in range(400)
        ]
        assert abs(np.mean(shares) - p[:, 1].mean()) < 0.005
        assert np.var(shares) < 0.6 * (p[:, 1] * p[:, 0]).sum() / 2 / len(p) ** 2

    def test_a_certain_row_has_two_equal_labels(self):
        certain = np.eye(3)
        drawn = drawn_labels(np.array([0, 1, 2]), certain, certain, np.random.default_rng(0))
        assert drawn.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 0, 1, 1, 2, 2]


class TestBalance:
    """`balance(soft_labels=...)`."""

    def frame(self, n=200):
        rng = np.random.default_rng(0)
        x = rng.normal(size=n)
        y = np.where(rng.random(n) < 1 / (1 + np.exp(2 - 2 * x)), "rare", "common")
        return pd.DataFrame({"x": x, "sex": rng.choice(["f", "m"], n), "z": rng.normal(size=n), "y": y})

    def balanced(self, **options):
        options = {"teacher": LogisticRegression(), "augment": 50} | options
        return balance(
            self.frame()[["x", "z", "y"]],
            target="y",
            generator="smoothed-bootstrap",
            soft_labels=options.pop("teacher"),
            random_state=0,
            **options,
        )

    def test_rows_stand_below_the_real_ones_with_weights_and_probabilities(self):
        soft, real = self.balanced(), self.frame()
        n = soft.plan.n_synthetic
        assert soft.further.columns.tolist() == ["x", "z", "y"]
        assert len(soft.sample_weight) == len(soft.probabilities) == len(soft.is_synthetic) == 200 + len(soft.further)
        assert soft.sample_weight.sum() == pytest.approx(200 + n, rel=1e-3)
        weight_of_rare = soft.sample_weight[200:][soft.is_synthetic[200:] & (soft.further["y"] == "rare").to_numpy()]
        p_of_rare = soft.probabilities["rare"][200:][soft.is_synthetic[200:] & (soft.further["y"] == "rare").to_numpy()]
        assert np.allclose(weight_of_rare, p_of_rare)
        assert soft.origin()["purpose"].notna().tolist() == soft.is_synthetic.tolist()
        assert soft.ledger.accepted == n == len(soft.frame)
        assert soft.further[~soft.is_synthetic[200:]]["x"].isin(real["x"]).all()

    def test_hard_rows_are_those_without_soft_labels(self):
        hard = balance(
            self.frame()[["x", "z", "y"]], target="y", generator="smoothed-bootstrap", augment=50, random_state=0
        )
        assert hard.frame.equals(self.balanced().frame)

    def test_it_says_what_the_sampler_says(self):
        soft, frame = self.balanced(), self.frame()
        sampler = SyntheticOverSampler(
            "smoothed-bootstrap", soft_labels=LogisticRegression(), augment=50, random_state=0
        )
        rows, labels = sampler.fit_resample(frame[["x", "z"]], frame["y"])
        assert rows[200:].reset_index(drop=True).equals(soft.further[["x", "z"]])
        assert labels[200:].tolist() == soft.further["y"].tolist()
        assert np.array_equal(sampler.sample_weight_, soft.sample_weight)

    def test_groups_are_heard(self):
        frame = self.frame()
        soft = balance(
            frame,
            target="y",
            group_by=["sex"],
            generator="smoothed-bootstrap",
            soft_labels=ClosedForm(Schema.infer(frame.drop(columns="y"))),
            augment=10,
            random_state=0,
        )
        own = pd.Series(soft.sample_weight[:200]).groupby([frame["sex"], frame["y"]]).sum()
        assert own.max() / own.min() < 1.6
        assert soft.to_dict()["teacher"]["members"] == {"teacher": 1.0}

    def test_drawn_labels_weigh_one(self):
        soft = self.balanced(draw_labels=True)
        assert (soft.sample_weight == 1).all()
        assert len(soft.further) == 200 + 2 * soft.plan.n_synthetic

    @pytest.mark.parametrize(
        ("options", "error", "match"),
        [
            ({"draw_labels": True, "teacher": False}, OptionError, "soft_labels=True"),
            ({"draw_labels": True, "synthetic_weight": 0.5}, PlanError, "drawn labels weigh nothing"),
            ({"alpha": 0.5}, PlanError, "alpha weighs"),
            ({"constraints": {"high": "y == 'common' or x > -9"}}, PlanError, "names the label"),
            ({"teacher": SmoothedBootstrap()}, OptionError, "no teacher that can say"),
            ({"teacher": "lr"}, OptionError, r"soft_labels\): got 'lr'(?s:.)*Committee\(\['lr'\]\)"),
            ({"teacher": None}, OptionError, "no teacher that can say"),
            ({"teacher": LinearRegression()}, OptionError, "no teacher that can say"),
            ({"teacher": Synthesizer("smoothed-bootstrap")}, OptionError, "no teacher that can say"),
            ({"teacher": LogisticRegression}, OptionError, "no teacher that can say"),
            ({"teacher": Committee(["logit"])}, OptionError, "unknown member"),
        ],
    )
    def test_what_does_not_fit_is_refused_before_a_row_is_written(self, options, error, match, monkeypatch):
        monkeypatch.setattr("makeweight.balancing.write_rows", None)
        with pytest.raises(error, match=match):
            self.balanced(**options)

    @pytest.mark.parametrize("few", [1, 3])
    def test_a_group_without_two_different_rows_is_refused_by_its_name(self, few, monkeypatch):
        monkeypatch.setattr("makeweight.balancing.write_rows", None)
        frame = self.frame(30).assign(sex="m")
        frame.loc[: few - 1] = frame.loc[0].tolist()
        frame.loc[: few - 1, "sex"] = "f"
        with pytest.raises(PlanError, match=f"y=common, sex=f.*got {few} row"):
            balance(frame, target="y", group_by="sex", generator="smoothed-bootstrap", soft_labels=True)

    def test_a_teacher_without_weights_is_refused_where_groups_need_them(self):
        with pytest.raises(OptionError, match=r"member 'teacher'(?s:.)*group_by"):
            balance(
                self.frame(),
                target="y",
                group_by="sex",
                generator="smoothed-bootstrap",
                soft_labels=KNeighborsClassifier(),
            )

    @pytest.mark.parametrize(
        "labels",
        [
            [1.0, 1.5],
            [Decimal(1), Decimal("1.5")],
            pd.period_range("2020", periods=2, freq="Y").tolist(),
            pd.interval_range(0, 2).tolist(),
            pd.date_range("2020", periods=2).tolist(),
        ],
        ids=lambda labels: type(labels[0]).__name__,
    )
    @pytest.mark.parametrize("teacher", [LogisticRegression(), Committee(["closed-form", "hgb"], cv=2)])
    def test_any_labels_that_rows_are_written_for(self, labels, teacher):
        frame = self.frame()[["x", "z", "y"]]
        soft = balance(
            frame.assign(y=[labels[label == "rare"] for label in frame["y"]]),
            target="y",
            generator="smoothed-bootstrap",
            soft_labels=teacher,
            augment=5,
            random_state=0,
        )
        assert set(soft.further["y"]) == set(labels)
        assert soft.probabilities.columns.tolist() == labels
        high = frame["x"] > 1.5
        assert soft.probabilities[labels[1]][:200][high].mean() > 0.5

    @pytest.mark.parametrize("container", [pd.DataFrame, np.asarray, pl.DataFrame])
    def test_a_teacher_that_reads_identifiers_is_asked_with_known_ones(self, container):
        frame = self.frame(400)
        X = pd.DataFrame({"id": np.arange(1000, 1400), "x": frame["x"], "z": frame["z"]})
        teacher = make_pipeline(StandardScaler(), LogisticRegression())
        sampler = SyntheticOverSampler("smoothed-bootstrap", soft_labels=teacher, random_state=0)
        sampler.fit_resample(container(X), frame["y"])
        real, synthetic = np.split(sampler.probabilities_[:, 1], [400])
        assert abs(real.mean() - synthetic.mean()) < 0.02
        assert not set(sampler.generation_.frame.iloc[:, 0]) & set(X["id"])
