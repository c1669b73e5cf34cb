"""A committee answers as one, is judged by rows it has not seen, and reads any table."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight.committee import ClosedForm, Committee, closed_form
from makeweight.committee.boosted import MOST_CATEGORIES, BoostedTrees
from makeweight.committee.members import auto_members
from makeweight.errors import FileProblem, MissingDependency, OptionError, PlanError
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.table import Schema

QUICK = ["closed-form", "lr"]


def mixed(n, seed=0, share=0.2):
    """A table whose p(label | row) is known."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=n), rng.normal(size=n)
    colour = rng.choice(["red", "green", "blue"], n)
    odds = 1.5 * a + (colour == "red") - 0.5 * b + np.log(share / (1 - share)) - 0.5
    p = 1 / (1 + np.exp(-odds))
    frame = pd.DataFrame({"a": a, "b": np.where(rng.random(n) < 0.1, np.nan, b), "colour": colour})
    return frame, np.where(rng.random(n) < p, "yes", "no"), p


def test_it_is_calibrated_without_a_further_step():
    X, y, _ = mixed(1500)
    judged, truth, p = mixed(4000, seed=1)
    committee = Committee(["closed-form", "lr", "hgb-shallow"], random_state=0).fit(X, y)
    said = committee.predict_proba(judged)[:, 1]
    slope = LogisticRegression(C=1e6).fit(np.log(said / (1 - said))[:, None], truth == "yes")
    assert abs(slope.coef_[0, 0] - 1) < 0.15
    assert abs(slope.intercept_[0]) < 0.15
    assert log_loss(truth, said) < log_loss(truth, p) + 0.02


def test_it_is_as_good_as_its_best_member_and_says_so():
    X, y, _ = mixed(600)
    committee = Committee(QUICK, random_state=0).fit(X, y)
    assert committee.loss_ < committee.member_losses_.min() + 0.005
    assert committee.weights_.sum() == pytest.approx(1)
    assert committee.members_ == ("closed-form", "lr")


def test_a_member_that_knows_nothing_gets_little_weight():
    X, y = make_classification(800, flip_y=0, class_sep=2, random_state=0)

    class Guess(LogisticRegression):
        def predict_proba(self, X):
            return np.random.default_rng(len(X)).dirichlet([1, 1], len(X))

    committee = Committee(["lr", ("guess", Guess())], random_state=0).fit(X, y)
    assert committee.weights_[1] < 0.1


def test_equal_rows_are_never_on_both_sides():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(100, 3)), 2, axis=0)
    y = np.repeat((rng.random(100) < 0.5).astype(int), 2)
    committee = Committee([("tree", make_pipeline(StandardScaler(), LogisticRegression(C=1e6)))], repeats=1).fit(X, y)
    assert np.allclose(committee.oof_[::2], committee.oof_[1::2])

    from sklearn.tree import DecisionTreeClassifier

    memory = Committee([("memory", DecisionTreeClassifier())], random_state=0).fit(X, y)
    assert roc_auc_score(y, memory.oof_[:, 1]) < 0.65


def test_weights_are_heard():
    X, y, _ = mixed(800)
    weights = np.where(y == "yes", (y == "no").sum() / (y == "yes").sum(), 1.0)
    plain, balanced = (Committee(QUICK, random_state=0).fit(X, y, sample_weight=w) for w in (None, weights))
    assert abs(np.average(plain.oof_[:, 1]) - (y == "yes").mean()) < 0.02
    assert abs(np.average(balanced.oof_[:, 1], weights=weights) - 0.5) < 0.02


class Prejudiced(ClassifierMixin, BaseEstimator):
    """Says what the attribute says, whatever it learned."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        p = 1 / (1 + np.exp(1 - np.asarray(X["x"]) - 2 * (np.asarray(X["side"]) == "b")))
        return np.column_stack([1 - p, p])


def prejudice(n=1200):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=n), "side": rng.choice(["a", "b"], n)})
    return X, (rng.random(n) < 1 / (1 + np.exp(-X["x"]))).astype(int)


@pytest.mark.parametrize("container", [lambda X: X, pl.from_pandas, pa.Table.from_pandas])
def test_attributes_among_the_columns_are_calibrated_each_by_itself(container):
    X, y = prejudice()
    taught = Committee([("it", Prejudiced())], random_state=0).fit(container(X), y, groups=X[["side"]])
    said = taught.predict_proba(container(X))[:, 1]
    for side in "ab":
        of = (X["side"] == side).to_numpy()
        assert taught.oof_[of, 1].mean() == pytest.approx(y[of].mean(), abs=0.01)
        assert said[of].mean() == pytest.approx(y[of].mean(), abs=0.01)
    assert np.array_equal(said, taught.lean().predict_proba(X)[:, 1])  # whatever carries the rows


def test_attributes_that_are_no_columns_or_were_never_seen_get_no_offsets():
    X, y = prejudice()
    outside = Committee([("it", Prejudiced())], random_state=0).fit(X, y, groups=(X["side"] == "b").rename("other"))
    assert outside.combination_.by_group is None
    differing = Committee([("it", Prejudiced())], random_state=0).fit(X, y, groups=X["side"].str.upper())
    assert differing.combination_.by_group is None
    taught = Committee([("it", Prejudiced())], random_state=0).fit(X, y, groups=X["side"])
    fresh = X.assign(side="c")
    common = replace(taught.combination_, by_group=None)
    logs = np.log(Prejudiced().predict_proba(fresh))[None]
    assert np.allclose(
        taught.predict_proba(fresh), common.apply(logs), atol=2e-3
    )  # a member's probabilities have a floor


def test_three_classes_and_labels_of_any_type():
    rng = np.random.default_rng(0)
    labels = np.array(["low", "mid", "top"])[rng.integers(0, 3, 300)]
    X = pd.DataFrame({"x": rng.normal(size=300) + 2 * (labels == "mid") + 4 * (labels == "top")})
    committee = Committee(QUICK, random_state=0).fit(X, labels)
    assert committee.classes_.tolist() == ["low", "mid", "top"]
    assert committee.oof_.shape == (300, 3)
    assert np.allclose(committee.oof_.sum(axis=1), 1)
    assert (committee.predict(X) == labels).mean() > 0.75


@pytest.mark.parametrize("container", [pd.DataFrame, pl.from_pandas, pd.DataFrame.to_numpy])
def test_any_container(container):
    X, y, _ = mixed(150)
    committee = Committee(QUICK, random_state=0).fit(container(X), y)
    assert committee.predict_proba(container(X)).shape == (150, 2)
    assert committee.n_features_in_ == 3


def test_the_answer_depends_on_the_seed_alone():
    X, y, _ = mixed(150)
    one, two = (Committee(QUICK, random_state=3, n_jobs=jobs).fit(X, y) for jobs in (1, 2))
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    assert not np.array_equal(one.oof_, Committee(QUICK, random_state=4).fit(X, y).oof_)


def test_the_users_own_estimator_reads_rows_as_given():
    X, y, _ = mixed(200)

    class Reads(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            assert list(X.columns) == ["a", "b", "colour"]
            return super().fit(X[["a"]], y, sample_weight)

        def predict_proba(self, X):
            return super().predict_proba(X[["a"]])

    own = Reads()
    committee = Committee([*QUICK, own], random_state=0).fit(X, y)
    assert committee.members_[2] == "reads-2"
    assert not hasattr(own, "coef_")


def test_few_rows_are_predicted_more_than_once():
    X, y = make_classification(60, weights=[0.85], flip_y=0, random_state=1)
    committee = Committee(QUICK, random_state=0).fit(X, y)
    assert len(committee._fits) == 25


def test_it_can_be_stored():
    X, y, _ = mixed(60)
    members = ["lr", "rf", "hgb-shallow", "closed-form", "in-context", "network"]
    committee = Committee(members, cv=2, repeats=1, random_state=0).fit(X, y)
    for again in (pickle.loads(pickle.dumps(committee)), committee.lean()):
        assert np.array_equal(again.predict_proba(X), committee.predict_proba(X))


def test_a_member_that_reads_labelled_rows_is_asked_of_all_of_them():
    X, y, _ = mixed(60)
    alone = Committee(["network"], cv=2, repeats=1, random_state=0).fit(X, y)
    assert [len(fits.models[0][1]._known) for fits in alone._fits] == [len(X)]
    beside = Committee(["lr", "network"], cv=2, repeats=1, random_state=0).fit(X, y)
    assert [fits.places.tolist() for fits in beside._fits] == [[0], [0], [1]]


def test_a_network_with_other_weights_than_it_was_fitted_with_is_refused(monkeypatch, tmp_path):
    from makeweight.generators.transformer.labels import weights
    from makeweight.generators.transformer.labels.config import LabelModelConfig
    from makeweight.generators.transformer.labels.model import untrained

    X, y, _ = mixed(60)
    committee = Committee(["network"], cv=2, repeats=1, random_state=0).fit(X, y)
    other = untrained(LabelModelConfig(), np.random.default_rng(0))
    weights.save(other, tmp_path / "other.safetensors", weights.LabelWeights())
    monkeypatch.setattr("makeweight.committee.networks.label_weights", lambda: tmp_path / "other.safetensors")
    with pytest.raises(FileProblem, match="other weights than when this member was fitted"):
        committee.predict_proba(X)


def test_large_tables_do_without_the_network():
    assert "network" not in auto_members(2_001)
    assert auto_members(2_000)[-1] == "network"


def test_parameters_are_stored_and_cloned():
    committee = Committee(QUICK, cv=3, repeats=2, random_state=1)
    assert clone(committee).get_params() == committee.get_params()


@pytest.mark.parametrize(
    ("members", "error", "match"),
    [
        ("lr", OptionError, "'auto' or a sequence"),
        ([], OptionError, "different names"),
        (["lr", "lr"], OptionError, "different names"),
        (["logreg"], OptionError, "unknown member"),
        ([object()], OptionError, "classifier with predict_proba"),
    ],
)
def test_members_that_do_not_fit(members, error, match):
    X, y, _ = mixed(60)
    with pytest.raises(error, match=match):
        Committee(members).fit(X, y)


def test_a_member_whose_package_is_missing(monkeypatch):
    X, y, _ = mixed(60)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="pip install lightgbm"):
        Committee(["lr", "lightgbm"]).fit(X, y)


def test_the_network_of_labels_says_that_it_has_no_weights(tmp_path, monkeypatch):
    X, y, _ = mixed(60)
    monkeypatch.setattr("makeweight.committee.members.label_weights", lambda: tmp_path / "none.safetensors")
    with pytest.raises(FileProblem, match="no weights of the network of labels"):
        Committee(["lr", "network"]).fit(X, y)


def test_the_network_of_labels_is_a_member_where_it_has_weights(tmp_path, monkeypatch):
    from makeweight.generators.transformer.labels import weights
    from makeweight.generators.transformer.labels.config import LabelModelConfig
    from makeweight.generators.transformer.labels.model import untrained

    X, y, _ = mixed(120)
    path = tmp_path / "labels.safetensors"
    weights.save(untrained(LabelModelConfig(), np.random.default_rng(0)), path, weights.LabelWeights())
    monkeypatch.setattr("makeweight.committee.members.label_weights", lambda: path)
    monkeypatch.setattr("makeweight.committee.networks.label_weights", lambda: path)
    committee = Committee(["lr", "network"], cv=2, repeats=1, random_state=0).fit(X, y)
    assert np.isfinite(committee.member_losses_).all()
    assert roc_auc_score(y, committee.predict_proba(X)[:, 1]) > 0.7


def test_a_generator_that_can_say_what_a_row_is():
    X, y, p = mixed(60, share=0.4)
    own = InContextTransformer(orders=1)
    committee = Committee(["in-context", ("own", own)], cv=2, repeats=1, random_state=0).fit(X, y)
    assert committee.member_losses_[0] == pytest.approx(committee.member_losses_[1])
    assert np.corrcoef(committee.oof_[:, 1], p)[0, 1] > 0.2
    assert not hasattr(own, "_known")


def test_what_it_takes_is_told_beforehand(monkeypatch, caplog):
    small, large = (Committee().forecast(n, 14) for n in (1_000, 100_000))
    assert (small.fits, large.fits) == tuple(5 * len(auto_members(n)) for n in (1_000, 100_000))
    assert 20 < large.seconds / small.seconds < 100
    assert large.mebibytes == pytest.approx(100 * small.mebibytes, rel=0.02)
    X, y, _ = mixed(60)
    Committee(QUICK, random_state=0).fit(X, y)
    assert not caplog.records
    monkeypatch.setattr("makeweight.committee.forecast.LONG", 0.1)
    Committee(QUICK, random_state=0).fit(X, y)
    assert "fits" in caplog.text


def test_one_class_is_refused():
    with pytest.raises(PlanError, match="one class"):
        Committee(QUICK).fit(np.ones((5, 1)), np.zeros(5))


class TestClosedForm:
    def test_ten_rows_of_a_class_are_enough(self):
        X, y, _ = mixed(400, share=0.03)
        judged, truth, _ = mixed(4000, seed=1, share=0.03)
        model = ClosedForm(Schema.infer(X)).fit(X, y)
        assert roc_auc_score(truth, model.predict_proba(judged)[:, 1]) > 0.8

    def test_rows_to_compare_with_are_a_sample_of_either_class(self):
        X, y, _ = mixed(3000)
        whole, part = (ClosedForm(Schema.infer(X), most_rows=n, random_state=0).fit(X, y) for n in (3000, 500))
        judged, truth, _ = mixed(2000, seed=1)
        losses = [log_loss(truth, model.predict_proba(judged)) for model in (whole, part)]
        assert abs(losses[0] - losses[1]) < 0.02

    def test_weights_are_rows(self):
        X, y, _ = mixed(120)
        weights = np.random.default_rng(0).integers(1, 4, 120)
        repeated = X.loc[X.index.repeat(weights)].reset_index(drop=True)
        schema = Schema.infer(X)
        by_weight = ClosedForm(schema).fit(X, y, weights).predict_proba(X)
        by_rows = ClosedForm(schema).fit(repeated, np.repeat(y, weights)).predict_proba(X)
        assert np.abs(by_weight - by_rows).max() < 0.1

    def test_inner_products_of_features_are_kernels(self):
        values = np.concatenate([np.random.default_rng(0).normal(size=60), [-4.0, 4.0, np.nan, np.nan]])
        nodes = closed_form._points(Schema.infer(pd.DataFrame({"x": values}))["x"], values, np.arange(64))
        features = closed_form._on_nodes(values, nodes)
        kernel = np.exp(-0.5 * (np.subtract.outer(values, values) / closed_form.BANDWIDTH) ** 2)
        missing = np.isnan(values)
        kernel[missing], kernel[:, missing] = missing, missing[:, None]
        assert np.abs(features @ features.T - kernel).max() < 3e-4

    def test_thousands_of_categories_are_no_thousands_of_columns(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"town": rng.integers(0, 1500, 3000).astype(str), "x": rng.normal(size=3000)})
        y = (X["x"] + rng.normal(size=3000) > 0).to_numpy()
        model = ClosedForm(Schema.infer(X, kinds={"town": "categorical"})).fit(X, y)
        assert len(model._slopes) == 51
        assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.75

    def test_a_table_of_one_constant_column(self):
        X = pd.DataFrame({"x": [1.0] * 6})
        p = ClosedForm(Schema.infer(X)).fit(X, np.array([0, 0, 0, 0, 1, 1])).predict_proba(X)
        assert np.allclose(p, [[2 / 3, 1 / 3]] * 6)


class TestBoostedTrees:
    def test_categories_are_split_as_sets(self):
        rng = np.random.default_rng(0)
        town = rng.integers(0, 40, 2000)
        X = pd.DataFrame({"town": [f"t{code}" for code in town]})
        y = np.isin(town, rng.choice(40, 20, replace=False))
        trees = BoostedTrees(Schema.infer(X), random_state=0).fit(X, y)
        assert (trees.predict(X) == y).mean() > 0.99

    def test_rare_categories_are_one_and_missing_ones_another(self):
        rng = np.random.default_rng(0)
        names = np.array([f"t{code}" for code in range(80)])
        X = pd.DataFrame({"town": names[rng.integers(0, 80, 4000)]})
        X.loc[rng.random(4000) < 0.1, "town"] = None
        y = X["town"].isna().to_numpy() | (rng.random(4000) < 0.1)
        trees = BoostedTrees(Schema.infer(X), random_state=0).fit(X, y)
        assert len(np.unique(trees._matrix(X)[~X["town"].isna().to_numpy()])) == MOST_CATEGORIES + 1
        assert trees.predict_proba(pd.DataFrame({"town": [None]}, dtype=object))[0, 1] > 0.95

    def test_a_table_without_a_column_to_learn(self):
        X = pd.DataFrame({"x": [1.0] * 6})
        p = BoostedTrees(Schema.infer(X)).fit(X, np.array([0, 0, 0, 0, 1, 1])).predict_proba(X)
        assert np.allclose(p, [[2 / 3, 1 / 3]] * 6, atol=1e-3)


def test_a_class_of_which_no_row_weighs_anything_is_refused():
    X, y, _ = mixed(60)
    with pytest.raises(OptionError, match="weigh nothing together"):
        Committee(["closed-form"]).fit(X, y, sample_weight=np.where(y == y[0], 0.0, 1.0))


def test_a_group_is_told_by_the_names_of_its_columns():
    X, y, _ = mixed(60)
    X = X.assign(site=["a"] + ["b"] * 59)
    with pytest.raises(PlanError, match=r", site=a\): got 1 row,"):
        Committee(["closed-form"]).fit(X, y, groups=X[["site"]])
