"""The sampler: containers, dtypes, pipelines, routing, weights, determinism, and what it refuses."""

import os
import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from sklearn import set_config
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from generators_for_tests import Copier, Shuffler
from makeweight import Limits, SyntheticOverSampler
from makeweight.errors import GenerationShortfall, GeneratorError, OptionError, PlanError, SchemaError
from makeweight.generators.registry import names
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap
from makeweight.sampler import balance
from strategies import COLUMNS, ROWS

pytestmark = pytest.mark.usefixtures("quick_transformer")

GENERATORS = names("instant")
TOLERANT = ["smoothed-bootstrap", "transport", "random"]
LABELS = np.array(["no"] * (ROWS - 4) + ["yes"] * 4)


def frozen(array):
    array.setflags(write=False)
    return array


#: A generator that writes at once, for what has nothing to do with the generator.
QUICK = "smoothed-bootstrap"


@pytest.fixture(scope="module")
def thinned():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    keep = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:25]]
    return X.iloc[keep].reset_index(drop=True), y.iloc[keep].reset_index(drop=True)


def mixed(n=60, rare=15):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age, years": rng.integers(18, 90, n),
            "größe": rng.normal(170, 10, n).round(1).astype("float32"),
            "city.name": pd.Categorical(rng.choice(["Rome", "Oslo", "New York, NY"], n)),
            "smoker": rng.random(n) < 0.3,
            "seen": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(10, 1, n).round()),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    return X, pd.Series(np.array(["yes"] * rare + ["no"] * (n - rare)), name="died")


@pytest.mark.parametrize("generator", GENERATORS)
def test_balances_a_mixed_frame(generator):
    X, y = mixed()
    before = X.copy(deep=True)
    sampler = SyntheticOverSampler(generator=generator, random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    assert Counter(y_res) == {"yes": 45, "no": 45}
    assert (X_res.dtypes == X.dtypes).all()
    pd.testing.assert_frame_equal(X_res.iloc[: len(X)], before)
    pd.testing.assert_frame_equal(X, before)
    assert y_res.name == "died"
    assert sampler.is_synthetic_.sum() == 30 == len(sampler.generation_)
    assert X_res["age, years"].between(X["age, years"].min(), X["age, years"].max()).all()
    assert set(X_res["city.name"]) <= set(X["city.name"])
    assert sampler.generation_.frame["income"].isna().any()


@pytest.mark.parametrize("generator", TOLERANT)
@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_dtype_survives(generator, name, data):
    column = data.draw(COLUMNS[name])
    X = pd.DataFrame({"a": column, "b": np.arange(ROWS) * 1.5})
    sampler = SyntheticOverSampler(generator=generator, random_state=0, limits=Limits(copies="accept"))
    X_res, y_res = sampler.fit_resample(X, LABELS)
    assert X_res["a"].dtype == column.dtype
    pd.testing.assert_series_equal(X_res["a"].iloc[:ROWS], X["a"], check_freq=False)
    assert Counter(y_res.tolist()) == {"no": ROWS - 4, "yes": ROWS - 4}


@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_dtype_survives_arrow_and_polars(name, data):
    column = data.draw(COLUMNS[name])
    try:
        table = pa.table({"a": pa.array(column, from_pandas=True), "b": np.arange(ROWS) * 1.5})
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # objects of several types have no Arrow type
        return
    sampler = SyntheticOverSampler(random_state=0, limits=Limits(copies="accept"))
    out, labels = sampler.fit_resample(table, pa.array(LABELS))
    assert out.schema == table.schema
    assert out.slice(0, ROWS).equals(table)
    assert labels.type == pa.string()
    frame = pl.from_arrow(table)
    out, labels = sampler.fit_resample(frame, pl.Series("y", LABELS))
    assert out.schema == frame.schema
    assert out.head(ROWS).equals(frame)
    assert labels.value_counts().sort("y")["count"].to_list() == [8, 8]


def test_polars_types_survive():
    frame = pl.DataFrame(
        {
            "category": pl.Series(["a", "b", None] * 4, dtype=pl.Categorical),
            "enum": pl.Series(["lo", "hi", "lo"] * 4, dtype=pl.Enum(["lo", "hi", "never"])),
            "decimal": pl.Series(["1.25", "2.50", None] * 4).cast(pl.Decimal(10, 2)),
            "small": pl.Series([1, 2, None] * 4, dtype=pl.Int8),
            "when": pl.Series([0, 86_400_000, None] * 4).cast(pl.Datetime("ms", "Europe/Berlin")),
            "day": pl.Series([0, 1, 900] * 4).cast(pl.Date),
            "span": pl.Series([0, 1000, None] * 4).cast(pl.Duration("ms")),
            "nothing": pl.Series([None] * 12, dtype=pl.Float32),
        }
    )
    out, _ = SyntheticOverSampler(random_state=0, limits=Limits(copies="accept")).fit_resample(frame, LABELS)
    assert out.schema == frame.schema
    assert out.head(12).equals(frame)
    assert len(out) == 16


def test_lists_and_arrays_come_back_as_such(thinned):
    X, y = thinned
    sampler = SyntheticOverSampler(QUICK, random_state=0)
    arrays = sampler.fit_resample(X.to_numpy(), y.to_numpy())
    lists = sampler.fit_resample(X.to_numpy().tolist(), y.tolist())
    frames = sampler.fit_resample(X, y)
    assert isinstance(lists[0], list)
    np.testing.assert_array_equal(arrays[0], np.array(lists[0]))
    np.testing.assert_array_equal(arrays[0], frames[0].to_numpy())
    assert arrays[1].dtype == y.dtype


@pytest.mark.parametrize("generator", GENERATORS)
def test_write_protected_input_is_untouched(generator, thinned):
    X, y = thinned
    values, labels = frozen(X.to_numpy().copy()), frozen(y.to_numpy().copy())
    SyntheticOverSampler(generator=generator, random_state=0).fit_resample(values, labels)
    frame = pd.DataFrame(values, copy=False)
    before = frame.copy(deep=True)
    SyntheticOverSampler(generator=generator, random_state=0).fit_resample(frame, labels)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("generator", GENERATORS)
def test_same_seed_same_bytes_whatever_the_threads(generator, thinned):
    X, y = thinned
    augment = 0 if generator == "borderline-smote" else 20  # no row of the majority is on a border
    options = {"generator": generator, "augment": augment, "random_state": 3}
    first = SyntheticOverSampler(**options).fit_resample(X, y)[0]
    again = SyntheticOverSampler(**options, n_jobs=3).fit_resample(X, y)[0]
    other = SyntheticOverSampler(**{**options, "random_state": 4}).fit_resample(X, y)[0]
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not first.equals(other)


SCRIPT = """
import sys, pandas as pd
from sklearn.datasets import load_iris
from makeweight import SyntheticOverSampler
X, y = load_iris(return_X_y=True, as_frame=True)
X, y = X.iloc[40:], y.iloc[40:]
sampler = SyntheticOverSampler(generator=sys.argv[1], random_state=5, n_jobs=int(sys.argv[2]))
out = sampler.fit_resample(X, y)[0]
print(pd.util.hash_pandas_object(out).sum())
"""


@pytest.mark.parametrize("generator", ["smoothed-bootstrap", "smote"])
def test_same_seed_same_bytes_in_another_process(generator):
    sums = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, generator, jobs],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": jobs, "OMP_NUM_THREADS": "1"},
        ).stdout
        for jobs in ("1", "2")
    }
    assert len(sums) == 1


def test_global_random_states_are_untouched(thinned):
    np.random.seed(1)  # noqa: NPY002 - it is the global state that is watched
    before = repr(np.random.get_state())  # noqa: NPY002
    for generator in GENERATORS:
        SyntheticOverSampler(generator=generator, random_state=0).fit_resample(*thinned)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


def test_in_a_pipeline_with_grid_search(thinned):
    pipeline = make_pipeline(SyntheticOverSampler(random_state=0), LogisticRegression(max_iter=5000))
    grid = {"syntheticoversampler__generator": ["smoothed-bootstrap", "smote"]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="balanced_accuracy").fit(*thinned)
    assert search.best_score_ > 0.8


@pytest.mark.parametrize(
    ("generator", "how"),
    [("smoothed-bootstrap", "generator"), ("smoothed-bootstrap", "options"), (SmoothedBootstrap(), "generator")],
)
def test_options_of_a_generator_can_be_searched(thinned, generator, how):
    pipeline = make_pipeline(SyntheticOverSampler(generator, random_state=0), LogisticRegression(max_iter=5000))
    grid = {f"syntheticoversampler__{how}__bandwidth": [0.01, 3.0]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss", error_score="raise").fit(*thinned)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] != scores[1]
    best = search.best_estimator_[0].generator_.bandwidth
    assert best == search.best_params_[f"syntheticoversampler__{how}__bandwidth"]
    assert getattr(generator, "bandwidth", "auto") == "auto"  # the one that was given is as it was


def test_an_option_goes_with_a_generator_that_is_set_beside_it():
    sampler = SyntheticOverSampler(options={"k_neighbors": 3}, generator="smote")
    assert sampler.get_params()["generator__k_neighbors"] == 3
    sampler.set_params(generator="smoothed-bootstrap", options=None, generator__bandwidth=0.5)
    assert sampler.options == {"bandwidth": 0.5}
    assert clone(sampler).set_params(generator__bandwidth=2.0).options == {"bandwidth": 2.0}
    assert sampler.options == {"bandwidth": 0.5}
    with pytest.raises(OptionError, match=r"no option 'bandwith'\nhint: did you mean 'bandwidth'"):
        sampler.set_params(generator__bandwith=1.0).fit_resample(*mixed())


@pytest.mark.parametrize("name", ["smoothed-bootstrap", "transport", "transformer"])
def test_the_fitted_generator_is_there_to_be_saved(name, tmp_path):
    X, y = mixed()
    sampler = SyntheticOverSampler(name, random_state=0)
    sampler.fit_resample(X, y)
    sampler.generator_.save(tmp_path / "saved")
    table = SyntheticOverSampler().fit(X, y).table_
    loaded = type(sampler.generator_).load(tmp_path / "saved", table)
    before, after = (one.propose(("yes",), 5, rng=np.random.default_rng(0)) for one in (sampler.generator_, loaded))
    pd.testing.assert_frame_equal(before, after)
    if hasattr(loaded, "log_prob"):
        assert np.isfinite(loaded.log_prob(table.frame)).any()


def test_what_a_generator_learned_is_not_lost_where_it_falls_short():
    X, y = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6, 7]}), ["a"] * 5 + ["b"] * 2
    sampler = SyntheticOverSampler("random", limits=Limits(copies="reject"), random_state=0)
    with pytest.raises(GenerationShortfall):
        sampler.fit_resample(X, y)
    assert len(sampler.generator_.propose(("b",), 3, rng=np.random.default_rng(0))) == 3


def test_a_pickled_sampler_holds_no_real_row():
    X, y = mixed()
    sampler = SyntheticOverSampler("smoothed-bootstrap", random_state=0)
    sampler.fit_resample(X.assign(**{"city.name": "a-rare-town"}), y)
    again = pickle.loads(pickle.dumps(sampler))
    assert not {"generator_", "table_"} & set(vars(again))
    assert len(again.generation_) == 30
    assert SyntheticOverSampler("random").fit(X, y).table_.frame["died"].tolist() == y.tolist()
    balanced = SyntheticOverSampler("random", sampling_strategy={"yes": 15, "no": 45})
    balanced.fit_resample(X, y)
    assert balanced.generator_ is None


def test_clone_keeps_parameters_and_instances_are_not_fitted_in_place():
    generator = Shuffler()
    sampler = clone(SyntheticOverSampler(generator=generator, augment=3, alpha=0.5))
    assert sampler.get_params()["alpha"] == 0.5
    X, y = mixed()
    sampler.fit_resample(X, y)
    assert not hasattr(sampler.generator, "table_")
    assert sampler.generation_.generator == "Shuffler"


def test_groups_are_cells_of_label_and_attribute():
    X, y = mixed(n=120, rare=30)
    sampler = SyntheticOverSampler(group_by="sex", random_state=0)
    X_res, y_res = sampler.fit_resample(X, y)
    cells = Counter(zip(y_res, X_res["sex"], strict=True))
    assert len(set(cells.values())) == 1
    assert sampler.sampling_strategy_.keys() < set(cells)


def test_groups_outside_X_are_routed():
    X, y = mixed(n=120, rare=30)
    sex, X = X["sex"], X.drop(columns="sex")
    set_config(enable_metadata_routing=True)
    try:
        sampler = SyntheticOverSampler(generator=Shuffler(), random_state=0)
        model = LogisticRegression().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(sampler, model)
        pipeline.fit(X[["age, years"]], y, groups=sex)
    finally:
        set_config(enable_metadata_routing=False)
    plan = pipeline[0].plan_
    assert plan.columns == ("died", "sex")
    assert len(plan.groups) == 4
    direct = SyntheticOverSampler(generator=Shuffler(), random_state=0)
    X_res, y_res = direct.fit_resample(X, y, groups=sex.to_numpy())
    assert list(X_res.columns) == list(X.columns)
    assert direct.plan_.columns == ("died", "group")
    assert len(X_res) == len(y_res) == len(direct.sample_weight_)


def test_label_and_two_attributes():
    X, y = mixed(n=200, rare=60)
    sampler = SyntheticOverSampler(QUICK, group_by=["sex", "smoker"], random_state=0).fit(X, y)
    assert len(sampler.plan_.groups) == 8
    X_res, y_res = sampler.fit_resample(X, y)
    assert len(set(Counter(zip(y_res, X_res["sex"], X_res["smoker"], strict=True)).values())) == 1


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("rare", [1, 2, 3, 5])
def test_one_to_five_rows_of_a_class(generator, rare):
    X, y = mixed(n=40, rare=rare)
    sampler = SyntheticOverSampler(generator=generator, random_state=0)
    if rare == 1 and generator not in TOLERANT:
        with pytest.raises(GeneratorError, match="2 or more"):
            sampler.fit_resample(X, y)
        return
    if generator in ("adasyn", "borderline-smote"):  # these two need a boundary between the classes
        apart = 5 + 3 * np.arange(rare)
        X = pd.DataFrame({"size": np.r_[apart, np.setdiff1d(np.arange(40), apart)] + 0.5})
        sampler.set_params(limits=Limits(copies="accept"))
    _, y_res = sampler.fit_resample(X, y)
    assert Counter(y_res) == {"yes": 40 - rare, "no": 40 - rare}


@pytest.mark.parametrize("generator", ["smoothed-bootstrap", "smote"])
def test_fifty_classes(generator):
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(50).repeat(3), rng.integers(0, 50, 300)])
    X = rng.normal(size=(450, 3)) + y[:, None]
    _, y_res = SyntheticOverSampler(generator=generator, random_state=0).fit_resample(X, y)
    assert set(Counter(y_res.tolist()).values()) == {Counter(y.tolist()).most_common(1)[0][1]}


def test_weights_realise_alpha(thinned):
    X, y = thinned
    sampler = SyntheticOverSampler(QUICK, augment=100, alpha=0.3, random_state=0)
    _, y_res = sampler.fit_resample(X, y)
    augment = np.r_[np.zeros(len(X), bool), sampler.generation_.provenance["purpose"] == "augment"]
    weights = sampler.sample_weight_
    assert weights[augment].sum() / weights.sum() == pytest.approx(0.3)
    for label in (0, 1):
        assert weights[(y_res == label) & ~augment].sum() == pytest.approx(0.35 * weights.sum())


def test_weight_of_an_augmentation_row_is_the_published_equivalence(thinned):
    """With every group at n_maj: w = alpha n_maj / ((1 - alpha) N)."""
    sampler = SyntheticOverSampler(QUICK, augment=60, alpha=0.25, random_state=0)
    sampler.fit_resample(*thinned)
    assert sampler.sample_weight_[-1] / sampler.sample_weight_[0] == pytest.approx(0.25 * 357 / (0.75 * 60))
    assert sampler.sample_weight_.sum() == pytest.approx(len(sampler.sample_weight_))


def test_a_synthetic_row_weighs_what_was_said(thinned):
    sampler = SyntheticOverSampler(QUICK, augment=10, synthetic_weight=0.25, random_state=0)
    sampler.fit_resample(*thinned)
    assert sampler.sample_weight_.tolist() == np.where(sampler.is_synthetic_, 0.25, 1.0).tolist()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"augment": 5, "alpha": 0.5, "synthetic_weight": 1.0}, "alpha and synthetic_weight"),
        ({"synthetic_weight": -1.0}, "weighs beside a real one"),
        ({"synthetic_weight": np.nan}, "weighs beside a real one"),
    ],
)
def test_weights_that_do_not_fit_are_refused(options, says):
    frame = pd.DataFrame({"x": np.arange(12) * 1.5, "y": ["a"] * 9 + ["b"] * 3})
    with pytest.raises(PlanError, match=says):
        balance(frame, target="y", **options)


def test_column_names_that_collide_with_the_target():
    X = pd.DataFrame({"target": np.arange(12) * 1.5, "y": ["a", "b"] * 6})
    X_res, _ = SyntheticOverSampler(random_state=0, limits=Limits(copies="accept")).fit_resample(X, LABELS)
    assert list(X_res.columns) == ["target", "y"]
    y = pd.Series(LABELS, name="y")
    X_res, y_res = SyntheticOverSampler(random_state=0, limits=Limits(copies="accept")).fit_resample(X, y)
    assert y_res.name == "y"
    assert set(X_res["y"]) == {"a", "b"}


def test_stated_kinds_decide():
    X = pd.DataFrame({"code": np.r_[np.arange(30), np.arange(30)], "x": np.arange(60) * 0.25})
    y = ["a"] * 40 + ["b"] * 20
    sampler = SyntheticOverSampler(kinds={"code": "categorical"}, random_state=0)
    sampler.fit_resample(X, y)
    assert sampler.generation_.schema["code"].kind == "categorical"


X12 = pd.DataFrame({"a": np.arange(12.0), "b": ["p", "q", "r"] * 4})


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda s: s.fit_resample(X12.set_axis(["a", "a"], axis=1), LABELS), SchemaError, "one name"),
        (lambda s: s.fit_resample(X12, LABELS[:5]), SchemaError, "lengths differ"),
        (lambda s: s.fit_resample(X12.iloc[:0], LABELS[:0]), ValueError, "no rows"),
        (lambda s: s.fit_resample(X12.assign(a=np.inf), LABELS), SchemaError, "infinite value .*'a', row 0"),
        (lambda s: s.fit_resample(X12, [None, *LABELS[1:]]), SchemaError, "missing in some rows"),
        (lambda s: s.fit_resample(X12, ["no"] * 12), PlanError, "one class"),
        (lambda s: s.fit_resample(X12, np.linspace(0, 1, 12)), ValueError, "Unknown label type"),
        (lambda s: s.set_params(group_by="sexx").fit_resample(X12, LABELS), SchemaError, "unknown column"),
        (lambda s: s.set_params(generator="smooth").fit_resample(X12, LABELS), ValueError, "unknown generator"),
        (lambda s: s.set_params(kinds={"a": "numbre"}).fit_resample(X12, LABELS), ValueError, "kind"),
        (lambda s: s.set_params(augment=-1).fit_resample(X12, LABELS), ValueError, "'augment' parameter"),
        (lambda s: s.set_params(sampling_strategy={"maybe": 9}).fit_resample(X12, LABELS), PlanError, "no group"),
        (lambda s: s.fit_resample(X12.assign(c=[[1]] * 12), LABELS), SchemaError, "column 'c'"),
        (lambda s: s.fit_resample(pl.from_pandas(X12).lazy(), LABELS), ValueError, "collect"),
        (lambda s: s.fit_resample(X12, np.eye(3)[[0] * 12] + 1), ValueError, "Multilabel"),
    ],
)
def test_bad_input_is_refused_by_name(make, error, says):
    with pytest.raises(error, match=says):
        make(SyntheticOverSampler(random_state=0))


def test_balance_is_the_same_on_a_frame_that_holds_the_target():
    X, y = mixed()
    frame = X.assign(died=y)
    generation = balance(frame, target="died", random_state=0)
    X_res, _ = SyntheticOverSampler(random_state=0).fit_resample(X, y)
    pd.testing.assert_frame_equal(generation.frame[list(X.columns)], X_res.iloc[60:].reset_index(drop=True))
    assert generation.seed == 0
    assert balance(pl.from_pandas(frame), target="died", random_state=0).ledger.accepted == 30
    none = balance(frame, target="died", sampling_strategy={"yes": 15})
    assert len(none) == 0
    assert list(none.frame.columns) == list(frame.columns)


def test_random_states_of_every_kind():
    X, y = mixed()
    for state in (None, 3, np.random.RandomState(0), np.random.default_rng(0)):
        made = balance(X.assign(died=y), target="died", random_state=state)
        again = balance(X.assign(died=y), target="died", random_state=made.seed)
        pd.testing.assert_frame_equal(made.frame, again.frame)
    with pytest.raises(ValueError, match="not a random state"):
        balance(X.assign(died=y), target="died", random_state="three")


def test_copies_on_request():
    X, y = mixed()
    X_res, _ = SyntheticOverSampler(generator=Copier(), limits=Limits(copies="accept"), random_state=0).fit_resample(
        X, y
    )
    assert len(X_res) == 90
