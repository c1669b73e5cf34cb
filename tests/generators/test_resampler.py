"""imbalanced-learn's over-samplers behind the protocol: mixed types, missing values, few rows, errors."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, SVMSMOTE, RandomOverSampler

from makeweight import Plan, Schema, balance
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.base import Generator, traits_of
from makeweight.generators.fill import fill
from makeweight.generators.registry import resolve
from makeweight.generators.resampler import ALIASES, Resampler
from makeweight.generators.rows.dummies import Dummies
from makeweight.plan import Groups
from makeweight.table import Table
from makeweight.table.kinds import codec

INTERPOLATING = [alias for alias in ALIASES if alias != "random"]


def as_table(frame, target="y", **options):
    return Table(frame, Schema.infer(frame, target=target, **options))


def mixed(n=240, rare=30, seed=0):
    """Overlapping groups, every kind of column, missing values in numbers and categories."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "tenths": rng.normal(size=n).round(1),
            "sometimes": np.where(rng.random(n) < 0.3, np.nan, 5 + rng.normal(size=n)),
            "Int64": pd.array(np.where(rng.random(n) < 0.2, None, rng.integers(0, 5000, n)), dtype="Int64"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "category": pd.Categorical(rng.choice(["a", "b", "c"], n), ["c", "b", "a"], ordered=True),
            "string": rng.choice(["u", "v", None], n),
            "flag": rng.random(n) < 0.3,
            "constant": 1,
            "text": [f"a remark that is number {i}" for i in range(n)],
            "y": np.arange(n) < rare,
        }
    )


def propose(table, method, group=(True,), n=200, seed=1, **options):
    generator = Resampler(method, **options).fit(table, rng=np.random.default_rng(0))
    return generator.propose(group, n, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("method", [*ALIASES, "SVMSMOTE", RandomOverSampler(shrinkage=0.5)], ids=str)
def test_rows_of_a_mixed_table_are_valid(method):
    table = as_table(mixed())
    rows = propose(table, method)
    assert 20 <= len(rows) <= 200
    for column in table.schema.learned:
        assert rows[column.name].dtype == table.frame[column.name].dtype
        assert codec(column.kind).check(column, rows[column.name])[1] == {}
    assert ("text" in rows) == (method == "random")


@pytest.mark.parametrize("method", ALIASES)
def test_the_loop_gets_exactly_the_rows_of_the_plan(method):
    table = as_table(mixed())
    generator = resolve(method)
    assert isinstance(generator, Generator)
    generator.fit(table, rng=np.random.default_rng(0))
    generation = fill(generator, table, Plan.make(Groups(table), augment=7), seed=np.random.SeedSequence(0))
    assert generation.frame["y"].value_counts().to_dict() == {True: 187, False: 7}


@pytest.mark.parametrize("method", ALIASES)
def test_same_stream_same_rows_and_another_stream_others(method):
    table = as_table(mixed())
    first, again, other = (propose(table, method, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["x"].equals(other["x"])


@pytest.mark.parametrize("method", ALIASES)
def test_the_table_and_the_global_state_are_not_touched(method):
    frame = mixed()
    values = frame["x"].to_numpy().copy()
    values.setflags(write=False)
    frame["x"] = pd.Series(values, copy=False)
    before = frame.copy(deep=True)
    state = repr(np.random.get_state())  # noqa: NPY002
    propose(as_table(frame), method)
    pd.testing.assert_frame_equal(frame, before)
    assert repr(np.random.get_state()) == state  # noqa: NPY002


def test_random_copies_rows_of_the_group_with_their_text():
    frame = mixed()
    rows = propose(as_table(frame), "random", n=3000)
    assert traits_of(Resampler("random")).copies
    real = frame[frame["y"]].drop(columns=["y", "constant"]).set_index("text")
    taken = real.loc[rows["text"]].reset_index()
    pd.testing.assert_frame_equal(rows[taken.columns], taken)
    assert rows["text"].value_counts().reindex(real.index, fill_value=0).min() > 50  # 100 expected of each


def test_smote_writes_points_between_two_rows_of_the_group():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 3)) * [1, 10, 100], columns=list("abc")).assign(y=np.arange(80) < 12)
    rows = propose(as_table(frame), "smote", n=50).to_numpy()
    real = frame.loc[frame["y"], list("abc")].to_numpy()
    starts, ends = real[:, None], real[None, :]
    span = np.maximum(((ends - starts) ** 2).sum(axis=2), 1e-12)
    for row in rows:
        step = ((row - starts) * (ends - starts)).sum(axis=2) / span
        distance = np.abs(starts + step[..., None] * (ends - starts) - row).max(axis=2)
        assert ((distance < 1e-6) & (step > -1e-9) & (step < 1 + 1e-9)).any()


def test_columns_weigh_alike_whatever_their_unit():
    rng = np.random.default_rng(0)
    near = np.repeat([0.0, 1.0], 10)  # two clusters in the column of small numbers
    frame = pd.DataFrame({"small": near + 0.01 * rng.normal(size=20), "large": 1e6 * rng.normal(size=20)})
    common = pd.DataFrame({"small": rng.random(60), "large": 1e6 * rng.normal(size=60)})
    frame = pd.concat([frame.assign(y=1), common.assign(y=0)], ignore_index=True)
    rows = propose(as_table(frame), "smote", (1,), k_neighbors=1)
    assert rows["small"].between(0.1, 0.9).mean() < 0.1


def test_a_category_that_all_rows_of_the_group_share_stays():
    frame = mixed()
    frame.loc[frame["y"], "category"] = "a"
    frame.loc[frame["y"], "string"] = None
    for method in INTERPOLATING:
        rows = propose(as_table(frame), method)
        assert set(rows["category"]) == {"a"}
        assert rows["string"].isna().all()


def test_missing_numbers_stay_a_state():
    frame = mixed(rare=60)
    for method in ("smote", "adasyn"):
        rows = propose(as_table(frame), method, n=2000)
        share = frame.loc[frame["y"], "sometimes"].isna().mean()
        assert abs(rows["sometimes"].isna().mean() - share) < 0.12
        assert rows["sometimes"].dropna().between(frame["sometimes"].min(), frame["sometimes"].max()).all()
    frame.loc[frame["y"], "sometimes"] = np.nan
    assert propose(as_table(frame), "smotenc")["sometimes"].isna().all()


@pytest.mark.parametrize("method", INTERPOLATING)
@pytest.mark.parametrize("columns", [["category", "string", "flag"], ["x", "tenths"], ["x"]], ids=len)
def test_one_type_of_column_only(method, columns):
    table = as_table(mixed()[[*columns, "y"]])
    rows = propose(table, method)
    assert list(rows) == columns
    assert len(rows) > 190


def test_rows_of_categories_only_are_not_all_copies():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.choice(list("abcd"), (300, 8)), columns=list("stuvwxyz")).assign(label=np.arange(300) < 9)
    real = set(frame.drop(columns="label").itertuples(index=False, name=None))
    for method in ("smote", "smotenc"):
        rows = propose(as_table(frame, "label"), method)
        assert np.mean([row not in real for row in rows.itertuples(index=False, name=None)]) > 0.3


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("method", ["smote", "smotenc", "adasyn", SMOTE(k_neighbors=8)], ids=str)
def test_neighbours_shrink_to_the_group(method, size):
    assert len(propose(as_table(mixed(rare=size)), method, n=60)) >= 55


@pytest.mark.parametrize("method", INTERPOLATING)
def test_one_row_is_too_few_and_the_message_says_so(method):
    assert traits_of(Resampler(method)).min_rows == 2
    with pytest.raises(GeneratorError, match=r"too few real rows .*y=True.* got 1 row, expected 2") as caught:
        propose(as_table(mixed(rare=1)), method)
    assert "smoothed-bootstrap" in caught.value.hint
    assert len(propose(as_table(mixed(rare=1)), "random", n=5)) == 5


@pytest.mark.parametrize("method", ["adasyn", "borderline-smote"])
def test_a_group_far_from_all_others_is_refused_with_a_hint(method):
    frame = mixed()[["x", "tenths", "y"]]
    frame.loc[frame["y"], "x"] += 1000
    with pytest.raises(GeneratorError, match="y=True") as caught:
        propose(as_table(frame), method)
    assert "--generator smote" in caught.value.hint


@pytest.mark.parametrize("n", [0, 1, 2])
def test_adasyn_writes_a_few_rows_too(n):
    assert len(propose(as_table(mixed()), "adasyn", n=n)) == n


def test_groups_of_label_and_attributes():
    table = as_table(mixed(rare=60), group_by=["string", "flag"])
    key = (True, None, False)
    assert len(propose(table, "smote", key, 40)) == 40
    frame = mixed()[["x", "flag", "y"]].query("not (flag and y)")
    for method in ("random", "smote"):
        with pytest.raises(GeneratorError, match="y=True, flag=True"):
            propose(as_table(frame, group_by=["flag"]), method, (True, True))


def test_instances_keep_their_parameters_and_are_not_changed():
    sampler = SMOTENC(categorical_features=[0], k_neighbors=3, random_state=7)
    rows = propose(as_table(mixed()), sampler)
    assert len(rows) == 200
    assert (sampler.categorical_features, sampler.k_neighbors, sampler.random_state) == ([0], 3, 7)
    assert not hasattr(sampler, "n_features_in_")
    one, many = (propose(as_table(mixed()), ADASYN(n_neighbors=k)) for k in (1, 20))
    assert not one["x"].equals(many["x"])
    assert propose(as_table(mixed()), ADASYN(n_neighbors=20), k_neighbors=1)["x"].equals(one["x"])


def test_classes_can_be_named_as_they_are_called_there():
    by_name = propose(as_table(mixed()), "SVMSMOTE")
    pd.testing.assert_frame_equal(by_name, propose(as_table(mixed()), SVMSMOTE()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "smotte"}, "did you mean 'smote'"),
        ({"method": 3}, "unknown over-sampler"),
        ({"method": SMOTE}, "unknown over-sampler"),
        ({"k_neighbors": 0}, "k_neighbors"),
        ({"max_dummies": 1.5}, "max_dummies"),
        ({"max_donors": True}, "max_donors"),
    ],
)
def test_options_are_checked_in_fit(options, message):
    generator = Resampler(**options)
    with pytest.raises(OptionError, match=message):
        generator.fit(as_table(mixed()), rng=np.random.default_rng(0))


def test_too_many_categories_are_refused_by_name_but_not_by_random():
    frame = mixed(600, 60).assign(city=[f"c{i % 400}" for i in range(600)])
    for method in ("smote", "smotenc"):
        with pytest.raises(GeneratorError, match=r"'city'.*at most 100") as caught:
            propose(as_table(frame), method, max_dummies=100)
        assert "smoothed-bootstrap" in caught.value.hint
    assert len(propose(as_table(frame), "random", max_dummies=100)) == 200


@pytest.mark.parametrize("method", ["smote", "smotenc", "SMOTEN", "adasyn", "SVMSMOTE"])
def test_hundreds_of_categories_and_numbers(method):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{i}": rng.choice(list("uvwxyz"), 60) for i in range(150)})
    frame = frame.assign(x=rng.normal(size=60), y=np.arange(60) >= 45)
    rows = propose(as_table(frame), method)
    assert set(np.unique(rows.filter(like="c").astype(str))) <= set("uvwxyz")


def test_nothing_to_interpolate():
    table = as_table(mixed()[["constant", "text", "y"]])
    with pytest.raises(GeneratorError, match="needs a column"):
        propose(table, "smote")
    assert set(propose(table, "random")) == {"text"}


def test_the_state_is_bounded():
    generator = Resampler("smote", max_donors=25).fit(as_table(mixed()), rng=np.random.default_rng(0))
    assert np.bincount(generator._codes).tolist() == [25, 25]
    assert len(generator.propose((True,), 90, rng=np.random.default_rng(0))) == 90


def test_long_requests_are_written_in_parts(monkeypatch):
    monkeypatch.setattr("makeweight.generators.resampler.MAX_CELLS", 1)
    rows = propose(as_table(mixed()), "smote", n=700)
    assert len(rows) == 700
    assert rows["x"].nunique() > 690


def test_cost_grows_with_the_plan():
    groups = Groups(as_table(mixed()))
    generator = Resampler("smote")
    assert 0 < generator.cost(Plan.make(groups)).seconds < generator.cost(Plan.make(groups, augment=9999)).seconds


@pytest.mark.parametrize("one_hot", [True, False])
def test_the_matrix_of_numbers_comes_back_as_the_table(one_hot):
    table = as_table(mixed())
    dummies = Dummies(table.schema, one_hot=one_hot)
    matrix = dummies.fit_encode(table, np.arange(len(table)))
    assert matrix.shape == (len(table), dummies.width)
    assert (len(dummies.categorical) == 5) == (not one_hot)
    back = table.decode(dummies.decode(matrix))
    learned = [column.name for column in table.schema.learned]
    pd.testing.assert_frame_equal(back[learned], table.frame[learned], atol=1e-9)


@pytest.mark.parametrize("method", ["smote", "borderline-smote", "adasyn"])
def test_thousands_of_numbers_are_no_categories(method):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2001))).rename(columns="x{}".format)
    frame = X.assign(y=["n"] * 45 + ["t"] * 15)
    assert len(balance(frame, target="y", generator=method, random_state=0)) >= 25
