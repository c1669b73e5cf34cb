"""The smoothed bootstrap: validity, what it keeps of a group, what it borrows, and determinism."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from makeweight import Plan, Schema
from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.base import Generator, traits_of
from makeweight.generators.fill import fill
from makeweight.generators.resampler import Resampler
from makeweight.generators.rows.bandwidth import FACTORS, Smoothing
from makeweight.generators.rows.residuals import SharedResiduals
from makeweight.generators.rows.scores import MAX_POINTS, NormalScores, lumps
from makeweight.generators.smoothed_bootstrap import SmoothedBootstrap
from makeweight.plan import Groups
from makeweight.table import Table
from makeweight.table.kinds import codec


def as_table(frame, target="y", **options):
    return Table(frame, Schema.infer(frame, target=target, **options))


def mixed(n=300, rare=20, seed=0, groups=2):
    """Every kind of column, with missing values, ties, lumps, constants and text."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % (groups - 1)
    labels[:rare] = groups - 1
    return pd.DataFrame(
        {
            "plain, with comma": rng.normal(size=n),
            "decimals": rng.normal(size=n).round(1),
            "zero-inflated": np.where(rng.random(n) < 0.6, 0.0, np.exp(rng.normal(size=n)).round(3)),
            "lumps": rng.choice([10, 20, 40, 60, 61, 62, 63, 64, 65, 66, 67], n),
            "sometimes": np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
            "Int64": pd.array(np.where(rng.random(n) < 0.2, None, rng.integers(0, 5000, n)), dtype="Int64"),
            "int8": rng.integers(-100, 100, n).astype("int8"),
            "day": pd.Timestamp("2020-01-01", tz="Europe/Berlin") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "category": pd.Categorical(rng.choice(["a", "b", "c"], n), ["c", "b", "a", "unused"], ordered=True),
            "string": rng.choice(["u", "v", None], n),
            "flag": rng.random(n) < 0.3,
            "constant": 1,
            "all missing": np.nan,
            "text": [f"a remark that is number {i}" for i in range(n)],
            "y": labels,
        }
    )


def wide(n=120, width=220, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, width)), columns=[f"x{i}" for i in range(width)])
    return frame.assign(y=np.arange(n) < 12)


def many_categories(n=4000, seed=2):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"city": rng.integers(0, 2500, n).astype(str), "x": rng.normal(size=n), "y": np.arange(n) < 60})


TABLES = {
    "mixed": lambda: as_table(mixed()),
    **{f"{rare} rows": (lambda rare=rare: as_table(mixed(200, rare))) for rare in (1, 2, 3, 5)},
    "50 groups": lambda: as_table(mixed(400, 3, groups=50)),
    "label x attributes": lambda: as_table(mixed(), group_by=["string", "flag"]),
    "only categories": lambda: as_table(mixed()[["category", "string", "flag", "y"]]),
    "only numbers": lambda: as_table(mixed()[["decimals", "int8", "y"]]),
    "one column": lambda: as_table(mixed()[["decimals", "y"]]),
    "nothing to learn": lambda: as_table(mixed()[["constant", "text", "y"]]),
    "wide": lambda: as_table(wide()),
    "many categories": lambda: as_table(many_categories()),
}


def propose(table, group, n=300, seed=1, **options):
    generator = SmoothedBootstrap(**options).fit(table, rng=np.random.default_rng(0))
    return generator.propose(group, n, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_valid_in_every_table(name):
    table = TABLES[name]()
    generator = SmoothedBootstrap().fit(table, rng=np.random.default_rng(0))
    assert isinstance(generator, Generator)
    for group in Groups(table).keys[-3:]:
        rows = generator.propose(group, 300, rng=np.random.default_rng(1))
        assert len(rows) == 300
        assert {column.name for column in table.schema.learned} <= set(rows)
        for column in table.schema.learned:
            assert rows[column.name].dtype == table.frame[column.name].dtype
            assert codec(column.kind).check(column, rows[column.name])[1] == {}


def test_text_is_a_real_rows_and_comes_with_its_categories():
    frame = mixed(200, 30)
    rows = propose(as_table(frame), (1,), recombine=0)
    real = frame[frame["y"] == 1].set_index("text")
    assert set(rows["text"]) == set(real.index)
    taken = real.loc[rows["text"]]
    pd.testing.assert_series_equal(rows["flag"], taken["flag"].reset_index(drop=True))
    pd.testing.assert_series_equal(rows["category"], taken["category"].reset_index(drop=True))


def test_same_stream_same_rows_and_longer_requests_begin_alike():
    table = as_table(mixed(600, 200))
    generator = SmoothedBootstrap().fit(table, rng=np.random.default_rng(0))
    long, again, short = (generator.propose((1,), n, rng=np.random.default_rng(5)) for n in (700, 700, 300))
    pd.testing.assert_frame_equal(long, again)
    pd.testing.assert_frame_equal(long.iloc[:300], short)
    other = generator.propose((1,), 700, rng=np.random.default_rng(6))
    assert not long["decimals"].equals(other["decimals"])


def test_other_requests_and_the_global_state_do_not_matter():
    table = as_table(mixed())
    first = propose(table, (1,))
    np.random.seed(3)  # noqa: NPY002  the caller's own use of the global state
    before = repr(np.random.get_state())  # noqa: NPY002
    generator = SmoothedBootstrap().fit(table, rng=np.random.default_rng(0))
    generator.propose((0,), 50, rng=np.random.default_rng(9))
    pd.testing.assert_frame_equal(generator.propose((1,), 300, rng=np.random.default_rng(1)), first)
    assert repr(np.random.get_state()) == before  # noqa: NPY002


SCRIPT = """
import hashlib, sys
sys.path[:0] = [{here!r}]
from test_smoothed_bootstrap import as_table, mixed, propose
rows = propose(as_table(mixed()), (1,))
print(hashlib.sha256(rows.to_csv().encode()).hexdigest())
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_same_bytes_in_another_process_with_other_threads(threads):
    here = os.path.dirname(__file__)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(here=here)], env=environment, capture_output=True, text=True, check=True
    )
    expected = hashlib.sha256(propose(as_table(mixed()), (1,)).to_csv().encode()).hexdigest()
    assert done.stdout.strip() == expected


def test_the_table_is_not_touched():
    frame = mixed()
    for name in ("plain, with comma", "zero-inflated", "int8"):
        values = frame[name].to_numpy().copy()
        values.setflags(write=False)
        frame[name] = pd.Series(values, copy=False)
    before = frame.copy(deep=True)
    propose(as_table(frame), (1,))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("bandwidth", 0),
        ("bandwidth", "wide"),
        ("bandwidth", np.nan),
        ("bandwidth", True),
        ("recombine", 1.5),
        ("recombine", "often"),
        ("n_neighbors", 0),
        ("n_neighbors", 2.5),
        ("borrowed_rows", -1),
        ("max_donors", 0),
    ],
)
def test_options_are_stored_and_checked_in_fit(option, value):
    generator = SmoothedBootstrap(**{option: value})
    assert getattr(generator, option) is value
    with pytest.raises(OptionError, match=option):
        generator.fit(as_table(mixed()), rng=np.random.default_rng(0))


def test_an_empty_cell_cannot_be_written():
    table = as_table(mixed()[["decimals", "flag", "y"]].query("not (flag and y == 1)"), group_by=["flag"])
    assert not traits_of(SmoothedBootstrap()).extrapolates
    with pytest.raises(GeneratorError, match="y=1, flag=True"):
        propose(table, (1, True))


def test_the_state_is_bounded():
    table = as_table(mixed(2000, 700))
    generator = SmoothedBootstrap(max_donors=60).fit(table, rng=np.random.default_rng(0))
    assert [generator._donors.size(position) for position in (0, 1)] == [60, 60]
    marginal = NormalScores.fit(np.random.default_rng(0).normal(size=100_000))
    assert 2 * len(marginal.values) <= MAX_POINTS + 4
    assert marginal.inverse(np.array([-9.0, 9.0])).tolist() == [marginal.values[0], marginal.values[-1]]


def test_cost_grows_with_the_plan():
    table = as_table(mixed())
    generator = SmoothedBootstrap()
    plan = Plan.make(Groups(table))
    before = generator.cost(plan).seconds
    fitted = generator.fit(table, rng=np.random.default_rng(0))
    assert 0 < before < fitted.cost(Plan.make(Groups(table), augment=100_000)).seconds


# --- what is kept of a group, and what is borrowed ---------------------------------------------------------


def gaussian(n_rare, n_common=400, correlation=0.9, shift=1.5, seed=0):
    rng = np.random.default_rng(seed)
    covariance = [[1.0, correlation], [correlation, 1.0]]
    labels = np.array([1] * n_rare + [0] * n_common)
    values = rng.multivariate_normal([0, 0], covariance, len(labels)) + shift * labels[:, None]
    return pd.DataFrame(values, columns=["a", "b"]).assign(y=labels)


def test_mean_and_covariance_of_a_group_are_kept():
    frame = gaussian(300)
    rows = propose(as_table(frame), (1,), 6000)
    real = frame.loc[frame["y"] == 1, ["a", "b"]]
    assert np.abs(rows.mean() - real.mean()).max() < 0.12  # 2 standard errors of the real mean
    assert np.allclose(rows.cov(), real.cov(), atol=0.15)


def test_a_tiny_group_borrows_the_covariance_of_the_others():
    frame = gaussian(3)
    frame.loc[:2, "b"] = frame.loc[:2, "b"].to_numpy()[::-1]  # three rows that say little of the correlation
    rows = propose(as_table(frame), (1,), 3000)
    assert rows.corr().iloc[0, 1] > 0.7
    assert 0.5 < rows["a"].std() < 1.3


def test_a_point_mass_and_ties_keep_their_shares():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"rain": np.where(rng.random(2000) < 0.6, 0.0, rng.exponential(size=2000)), "x": rng.normal(size=2000)}
    ).assign(y=np.arange(2000) < 400)
    rows = propose(as_table(frame), (True,), 5000, bandwidth=2.5)
    assert abs((rows["rain"] == 0).mean() - (frame["rain"][:400] == 0).mean()) < 0.04
    assert abs(rows["rain"].mean() - frame["rain"][:400].mean()) < 0.06


def test_lumps_are_never_moved():
    frame = mixed(900, 100)
    assert lumps(frame["lumps"].to_numpy(float)) is None
    hours = np.random.default_rng(0).choice([20, 35, 39, 40, 41, 45, 60], 900, p=[0.1, 0.1, 0.02, 0.6, 0.02, 0.06, 0.1])
    rows = propose(as_table(frame.assign(lumps=hours * 7, n=range(900)), kinds={"lumps": "integer"}), (1,), 2000)
    assert set(rows["lumps"]) <= {20 * 7, 35 * 7, 39 * 7, 40 * 7, 41 * 7, 45 * 7, 60 * 7}
    assert abs((rows["lumps"] == 280).mean() - (hours[:100] == 40).mean()) < 0.08


@pytest.mark.parametrize("recombine", [0.1, 0.5])
def test_shares_of_rare_categories_are_left_as_they_are(recombine):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({f"c{j}": rng.choice(["often", "seldom"], 600, p=[0.9, 0.1]) for j in range(6)})
    frame = frame.assign(x=rng.normal(size=600), y=np.arange(600) < 200)
    rows = propose(as_table(frame), (True,), 6000, recombine=recombine)
    for j in range(6):
        real = (frame[f"c{j}"][:200] == "seldom").mean()
        assert abs((rows[f"c{j}"] == "seldom").mean() - real) < 0.03


def test_categories_follow_the_numbers_they_go_with():
    rng = np.random.default_rng(0)
    x = rng.normal(size=500)
    frame = pd.DataFrame({"x": x, "sign": np.where(x > 0, "plus", "minus"), "y": np.arange(500) < 250})
    rows = propose(as_table(frame), (True,), 3000, bandwidth=0.3)
    assert ((rows["x"] > 0) == (rows["sign"] == "plus")).mean() > 0.9


def test_rows_of_categories_only_are_not_all_copies():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.choice(list("abcd"), (300, 8)), columns=list("stuvwxyz")).assign(label=np.arange(300) < 5)
    table = as_table(frame, "label")
    real = set(frame.drop(columns="label").itertuples(index=False, name=None))
    rows = propose(table, (True,), 400)
    assert np.mean([row not in real for row in rows.itertuples(index=False, name=None)]) > 0.3


def test_missing_values_are_a_state_of_the_group():
    rng = np.random.default_rng(0)
    labels = np.arange(800) < 300
    gone = rng.random(800) < np.where(labels, 0.7, 0.1)
    kind = np.where(rng.random(800) < np.where(labels, 0.4, 0.1), None, rng.choice(["u", "v"], 800))
    frame = pd.DataFrame({"x": np.where(gone, np.nan, rng.normal(size=800) + 2 * labels), "kind": kind, "y": labels})
    for label, share, kind_share in ((True, 0.7, 0.4), (False, 0.1, 0.1)):
        rows = propose(as_table(frame), (label,), 4000, recombine=0.5)
        assert abs(rows["x"].isna().mean() - share) < 0.08
        assert abs(rows["kind"].isna().mean() - kind_share) < 0.08
        assert abs(rows["x"].mean() - 2 * label) < 0.25
        assert abs(rows["x"].std() - frame["x"][labels == label].std()) < 0.15  # also where a value appeared


def test_a_balanced_table_beats_smote_where_groups_share_their_covariance():
    losses = {"bootstrap": [], "smote": []}
    for seed in range(6):
        rng = np.random.default_rng(seed)
        mixing = np.random.default_rng(99).normal(size=(8, 8)) / 3 + np.eye(8)
        labels = np.array([1] * 10 + [0] * 150 + [1, 0] * 1500)
        values = rng.normal(size=(len(labels), 8)) @ mixing.T + 0.8 * labels[:, None]
        frame = pd.DataFrame(values, columns=[f"x{j}" for j in range(8)]).assign(y=labels)
        train, test = frame[:160], frame[160:]
        table = as_table(train)
        for name, generator in (("bootstrap", SmoothedBootstrap()), ("smote", Resampler("smote"))):
            generator.fit(table, rng=np.random.default_rng(seed))
            rows = fill(generator, table, Plan.make(Groups(table)), seed=np.random.SeedSequence(seed)).frame
            both = pd.concat([train, rows[train.columns]])
            model = LogisticRegression(C=100, max_iter=5000).fit(both.drop(columns="y"), both["y"])
            p = model.predict_proba(test.drop(columns="y"))[:, 1]
            losses[name].append(-np.log(np.where(test["y"] == 1, p, 1 - p)).mean())
    assert np.mean(losses["bootstrap"]) < 0.8 * np.mean(losses["smote"])


# --- the parts ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=80), st.integers(0, 2**32 - 1))
def test_normal_scores_are_ordered_and_come_back_beside_their_value(values, seed):
    observed = np.array(values, dtype=np.float64)
    marginal = NormalScores.fit(observed)
    scores = marginal.transform(observed, np.random.default_rng(seed).random(len(observed)))
    assert np.isfinite(scores).all()
    order = np.argsort(observed, kind="stable")
    first_of_value = observed[order][1:] > observed[order][:-1]
    assert (np.diff(scores[order])[first_of_value] > 0).all()
    back = marginal.inverse(scores)
    distinct = marginal.values
    index = np.searchsorted(distinct, observed)
    assert (back >= distinct[np.maximum(index - 1, 0)]).all()
    assert (back <= distinct[np.minimum(index + 1, len(distinct) - 1)]).all()
    middle = marginal.inverse(marginal.transform(observed, np.full(len(observed), 0.5)))
    assert np.allclose(middle, observed)


@given(st.integers(2, 5000), st.sampled_from(FACTORS), st.integers(1, 30))
def test_weights_give_the_covariance_of_a_new_row(n, factor, dimension):
    a, h = Smoothing(factor, 0.1, dimension).weights(n)
    assert a >= 0
    assert h > 0
    assert a * a * (n - 1) / n + h * h == pytest.approx((n + 1) / n)


def test_the_likelihood_finds_structure_inside_a_group():
    rng = np.random.default_rng(0)
    labels = np.arange(600) < 200
    smooth = pd.DataFrame(rng.normal(size=(600, 2)), columns=["a", "b"]).assign(y=labels)
    angle = rng.uniform(0, 2 * np.pi, 600)
    ring = pd.DataFrame({"a": np.cos(angle), "b": np.sin(angle)}) + 0.03 * rng.normal(size=(600, 2))
    chosen = [
        SmoothedBootstrap().fit(as_table(frame), rng=np.random.default_rng(0))._smoothing.factor
        for frame in (smooth, ring.assign(y=labels))
    ]
    assert chosen[0] >= 1.0
    assert chosen[1] <= 0.5


def test_shared_residuals_survive_missing_values_and_collinear_columns():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(40, 5))
    scores[:, 1] = scores[:, 0]
    scores[:, 2] = 0.0
    scores[rng.random((40, 5)) < 0.3] = np.nan
    scores[:10, 4] = np.nan  # a group that never has this column
    shared = SharedResiduals.fit(scores, np.array([0, 10, 40]), borrowed=0.5)
    assert np.isfinite(shared.inverse).all()
    assert shared.means[0, 4] == pytest.approx(shared.overall[4])
    rows = rng.normal(size=(7, 5))
    assert np.allclose(shared.color(shared.whiten(rows)), rows, atol=1e-6)
