"""The synthesizer: exactly n rows under conditions, what the generator knows, saving, and tables without a target."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from generators_for_tests import Copier
from makeweight import Limits, Synthesizer
from makeweight.errors import FileProblem, GenerationShortfall, GeneratorError, OptionError, PlanError, SchemaError

N = 240


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, N)
    city = rng.choice(["Rome", "Oslo", "Bonn"], N)
    return pd.DataFrame(
        {
            "id": [f"C-{i:04d}" for i in range(N)],
            "age": age,
            "income": (1000 * age + 10_000 * (city == "Rome") + rng.normal(0, 3000, N)).round(-2),
            "city": city,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), unit="D"),
            "sex": rng.choice(["f", "m"], N),
            "churn": np.where(rng.random(N) < 0.2, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def bootstrap(frame):
    return Synthesizer("smoothed-bootstrap", random_state=0).fit(frame, target="churn", group_by="sex")


@pytest.fixture(scope="module")
def transformer(frame):
    options = {"orders": 2, "max_context": 60}
    return Synthesizer(options=options, random_state=0).fit(frame, target="churn", group_by="sex")


def test_exactly_n_rows_with_the_shares_of_the_table(frame, bootstrap):
    rows = bootstrap.sample(2000)
    assert rows.shape == (2000, 7)
    assert (rows.dtypes == frame.dtypes).all()
    shares, real = (f.groupby(["churn", "sex"]).size() / len(f) for f in (rows, frame))
    assert (shares - real).abs().max() < 0.04
    assert rows["id"].is_unique
    assert not set(rows["id"]) & set(frame["id"])
    assert not rows["churn"].is_monotonic_increasing  # the order carries nothing
    assert bootstrap.sample(0).shape == (0, 7)
    assert (bootstrap.generation_.frame.columns == frame.columns).all()


@pytest.mark.parametrize(
    "where",
    [
        {"churn": "yes"},
        {"churn": "yes", "sex": "f"},
        {"churn": "yes", "age": (18, 30)},
        {"city": ["Rome", "Oslo"], "age": (None, 50)},
        {"seen": ("2024-03-01", "2024-06-30")},
        {"city": "Bonn"},
    ],
)
@pytest.mark.parametrize("which", ["bootstrap", "transformer"])
def test_conditions_on_any_columns_hold(where, which, request):
    synth = request.getfixturevalue(which)
    rows = synth.sample(30, where=where)
    assert len(rows) == 30
    for name, wanted in where.items():
        if isinstance(wanted, tuple):
            low, high = (pd.Timestamp(end) if name == "seen" else end for end in wanted)
            assert (rows[name] >= (low or 0)).all() if name != "seen" else (rows[name] >= low).all()
            assert (rows[name] <= high).all()
        else:
            assert set(rows[name]) <= set(wanted if isinstance(wanted, list) else [wanted])
    ledger = synth.generation_.ledger
    assert ledger.proposed == ledger.accepted + ledger.rejected.total()
    conditioned = [reason for reason in ledger.rejected if reason.startswith("where: ")]
    asked = set(where) - {"churn", "sex"}
    assert {reason.removeprefix("where: ") for reason in conditioned} <= asked
    assert bool(conditioned) == (which == "bootstrap" and bool(asked))


def test_rows_given_a_value_follow_it(transformer, frame):
    young, old = (transformer.sample(60, where={"age": age})["income"].mean() for age in (20, 70))
    assert young + 15_000 < old
    narrow = transformer.sample(40, where={"income": (20_000, 30_000)})
    assert narrow["age"].mean() < frame["age"].mean() - 10


def test_labels_come_with_the_shares_of_real_rows_that_obey(frame):
    tied = frame.assign(churn=np.where(frame["age"] < 40, "yes", "no"))
    synth = Synthesizer("smoothed-bootstrap", random_state=0).fit(tied, target="churn")
    assert set(synth.sample(30, where={"age": (20, 30)})["churn"]) == {"yes"}


def test_a_shortfall_is_bounded_and_carries_its_ledger(frame):
    narrow = frame.assign(age=np.where(np.arange(N) == 3, 79, np.minimum(frame["age"], 60)))
    synth = Synthesizer("smoothed-bootstrap", limits=Limits(max_proposed=300), random_state=0)
    synth.fit(narrow, target="churn")
    with pytest.raises(GenerationShortfall, match="where: age") as error:
        synth.sample(50, where={"age": (78, 79)})
    assert "allow more values in where" in str(error.value)
    assert synth.generation_ is error.value.generation
    assert synth.generation_.ledger.requested == 50
    short = Synthesizer("smoothed-bootstrap", limits=Limits(max_proposed=300, on_shortfall="warn"), random_state=0)
    with pytest.warns(UserWarning, match="could be written"):
        rows = short.fit(narrow, target="churn").sample(50, where={"age": (78, 79)})
    assert len(rows) == short.generation_.ledger.accepted < 50


def test_calls_go_on_and_a_seed_repeats_them(frame, bootstrap):
    first, second = (Synthesizer("smoothed-bootstrap", random_state=7).fit(frame, target="churn") for _ in range(2))
    a, b = first.sample(9), first.sample(9)
    assert not a.equals(b)
    pd.testing.assert_frame_equal(a, second.sample(9))
    pd.testing.assert_frame_equal(b, second.sample(9))
    again = first.sample(9, random_state=second.generation_.seed)
    pd.testing.assert_frame_equal(b, again)
    pd.testing.assert_frame_equal(bootstrap.sample(5, random_state=3), bootstrap.sample(5, random_state=3))


def test_the_container_that_goes_in_comes_out(frame):
    plain = frame.drop(columns=["seen", "id"])
    for data in (plain, pl.from_pandas(plain), pa.Table.from_pandas(plain, preserve_index=False)):
        rows = Synthesizer("smoothed-bootstrap", random_state=0).fit(data, target="churn").sample(6)
        assert type(rows) is type(data)
        assert rows.shape == (6, 5)
        schema = getattr(data, "schema", None)
        assert schema is None or rows.schema == schema
    array = plain[["age", "income"]].to_numpy()
    rows = Synthesizer("smoothed-bootstrap", random_state=0).fit(array).sample(6, where={"x0": (18, 40)})
    assert rows.shape == (6, 2)
    assert (rows[:, 0] <= 40).all()


@pytest.mark.parametrize("generator", ["smoothed-bootstrap", "transport", "random", "transformer"])
def test_without_a_target_all_rows_are_one_group(frame, generator):
    options = {"orders": 2, "max_context": 40} if generator == "transformer" else None
    synth = Synthesizer(generator, options=options, random_state=0).fit(frame.rename(columns={"churn": "kind"}))
    rows = synth.sample(40, where={"kind": "yes"})
    assert list(rows.columns) == ["id", "age", "income", "city", "seen", "sex", "kind"]
    assert (rows["kind"] == "yes").all()
    assert "no target" in repr(synth)
    with pytest.raises(OptionError, match="no labels to predict"):
        synth.predict_proba(frame)
    with pytest.raises(SchemaError, match="unknown column"):
        synth.sample(1, where={"kind_": "row"})


def test_generators_that_need_labels_say_so(frame):
    with pytest.raises(GeneratorError, match="needs rows of two labels") as error:
        Synthesizer("smote").fit(frame)
    assert "name a target" in error.value.hint
    with pytest.raises(PlanError, match="go with a target"):
        Synthesizer("random").fit(frame, group_by="sex")


def test_what_the_generator_knows(transformer, frame):
    some = frame.iloc[:40]
    assert np.isfinite(transformer.log_prob(some)).all()
    shares = transformer.predict_proba(some.drop(columns="churn"))
    assert shares.shape == (40, 2)
    assert transformer.classes_.tolist() == ["no", "yes"]
    balanced = transformer.predict_proba(some, balanced=True)
    assert shares[:, 1].mean() < balanced[:, 1].mean()  # the observed rate is the default
    holes = some.assign(
        age=some["age"].astype("Int64").mask(some["age"] > 60), income=some["income"].mask(some.index < 5)
    )
    filled = transformer.impute(holes)
    assert filled["income"].notna().all()
    assert filled["age"].notna().all()
    assert filled["city"].equals(some["city"])
    pd.testing.assert_frame_equal(filled, transformer.impute(holes))
    assert isinstance(transformer.impute(pl.from_pandas(holes)), pl.DataFrame)
    with pytest.raises(SchemaError, match="no income"):
        transformer.log_prob(some.drop(columns="income"))


def test_what_a_generator_lacks_names_those_that_have_it(bootstrap, frame):
    assert np.isfinite(bootstrap.log_prob(frame)).any()
    for method, arguments in (("predict_proba", (frame,)), ("impute", (frame,))):
        with pytest.raises(OptionError, match=f"no {method}.*expected 'transformer'"):
            getattr(bootstrap, method)(*arguments)
    unsaved = Synthesizer("random").fit(frame, target="churn")
    with pytest.raises(OptionError, match=r"no save.*'smoothed-bootstrap'"):
        unsaved.save("nowhere")
    with pytest.raises(GeneratorError, match="nothing was learned yet"):
        Synthesizer().sample(3)


@pytest.mark.parametrize(("n", "where"), [(-1, None), (1.5, None), (True, None), (3, {"id": "C-0001"}), (3, ["age"])])
def test_bad_requests_are_refused(bootstrap, n, where):
    with pytest.raises(OptionError):
        bootstrap.sample(n, where=where)


def test_a_group_without_rows_is_told(frame):
    synth = Synthesizer("smoothed-bootstrap").fit(
        frame[(frame["churn"] == "no") | (frame["sex"] == "f")], target="churn", group_by=["sex"]
    )
    with pytest.raises(GeneratorError, match="no real row is of a group"):
        synth.sample(3, where={"churn": "yes", "sex": "m"})


@pytest.mark.parametrize("which", ["bootstrap", "transformer"])
def test_saved_and_loaded_it_writes_the_same_rows(which, frame, tmp_path, request):
    synth = request.getfixturevalue(which)
    synth.save(tmp_path / "saved")
    assert not {path.suffix for path in (tmp_path / "saved").rglob("*.*")} - {".json", ".safetensors"}
    loaded = Synthesizer.load(tmp_path / "saved", frame, random_state=5)
    where = {"churn": "yes", "age": (20, 60)}
    rows, again = (each.sample(7, where=where, random_state=1) for each in (synth, loaded))
    pd.testing.assert_frame_equal(rows, again)
    assert loaded.groups_.keys == synth.groups_.keys
    with pytest.raises(FileProblem, match="something there already"):
        synth.save(tmp_path / "saved")
    with pytest.raises(SchemaError, match="not the one"):
        Synthesizer.load(tmp_path / "saved", frame.assign(age=frame["age"] + 1000))


def test_what_was_asked_of_rows_is_saved_too(frame, tmp_path):
    synth = Synthesizer(
        "smoothed-bootstrap", kinds={"age": "continuous"}, constraints={"poor": "income < 200000"}, random_state=0
    ).fit(frame)
    synth.save(tmp_path / "saved")
    loaded = Synthesizer.load(tmp_path / "saved", frame)
    assert loaded.schema_["age"].kind.value == "continuous"
    assert [rule.name for rule in loaded._rules] == ["poor"]
    assert "no target" in repr(loaded)
    pd.testing.assert_frame_equal(synth.sample(5, random_state=1), loaded.sample(5, random_state=1))
    manifest = tmp_path / "saved" / "manifest.json"
    content = json.loads(manifest.read_text())
    for change in (
        {"surprise": 1},
        {"kinds": 3},
        {"class": "no-such"},
        {"target": ["age"]},
        {"constraints": {"a": "b("}},
    ):
        manifest.write_text(json.dumps({**content, **change}))
        with pytest.raises((FileProblem, OptionError, SchemaError)):
            Synthesizer.load(tmp_path / "saved", frame)


def test_a_generator_of_ones_own(frame):
    synth = Synthesizer(Copier(), limits=Limits(copies="accept"), random_state=0).fit(frame, target="churn")
    assert len(synth.sample(5)) == 5
    assert "Copier" in repr(synth)


def test_constraints_hold(frame):
    synth = Synthesizer("smoothed-bootstrap", constraints="income >= 500 * age", random_state=0)
    rows = synth.fit(frame, target="churn").sample(200)
    assert (rows["income"] >= 500 * rows["age"]).all()
    with pytest.raises(SchemaError, match="break a constraint"):
        Synthesizer("random", constraints="income < 30000").fit(frame)


def test_reprs_are_short(bootstrap):
    assert (
        repr(bootstrap) == "Synthesizer('smoothed-bootstrap', fitted to 240 rows x 7 columns, 4 groups by churn, sex)"
    )
    assert repr(Synthesizer()) == "Synthesizer('transformer', not fitted)"
    page = bootstrap._repr_html_()
    assert len(page) < 1500
    assert "churn=yes, sex=f" in page
    assert "not" not in page
