"""The measured curve: leak-free, reproducible, honest where rows do not help, and its command."""

import json
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from generators_for_tests import Shuffler
from makeweight.cli._app import app
from makeweight.errors import MakeweightError
from makeweight.evaluation import scaling_curve
from makeweight.evaluation.folds import nested_order
from makeweight.generators.base import Cost
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.measure.learners import LEARNERS, make_learner
from makeweight.measure.matrix import Matrix
from makeweight.table import Schema, Table
from makeweight.theory import NOTHING
from makeweight.theory.published.worlds import CraftWorld


def two_gaussians(n=400, rare=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(["common", "rare"], [n - rare, rare])
    X = rng.normal(size=(n, 3)) + 1.2 * (y == "rare")[:, None]
    return pd.DataFrame(X, columns=list("abc")).assign(y=y, colour=rng.choice(["red", "green"], n))


@pytest.fixture(scope="module")
def curve():
    return scaling_curve(two_gaussians(), target="y", repeats=2, folds=3, sizes=[0, 100, 200, 400, 900])


def test_a_well_specified_model_needs_no_rows(curve):
    assert curve.decision.candidate == NOTHING
    assert curve.recommended is None
    assert curve.verdict.startswith(("No synthetic rows are worth adding", "No gain from synthetic rows"))
    assert curve.risks.shape == (2, 5)
    assert curve.answer.startswith("Do not add rows")
    assert len(curve.answer.split()) <= 12
    assert curve.next() == "SyntheticClassifier(model, n_synthetic=0, augment=0).fit(X, y)"
    page = curve.to_html(["table.csv", "--target", "y"])
    assert curve.answer in page
    assert "What each number of rows gains" in page
    assert "ranking" in curve.ranking
    assert curve.nothing.mean() < np.log(2) / 2 + 0.1


def test_same_seed_same_numbers_whatever_the_jobs():
    frame, sizes = two_gaussians(160, 40), {"repeats": 1, "folds": 3, "sizes": [0, 50, 100]}
    generator = InContextTransformer(orders=2)
    one, two = (scaling_curve(frame, target="y", generator=generator, **sizes, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(one.risks, two.risks)
    np.testing.assert_array_equal(one.real_risks, two.real_risks)


class Spy(Shuffler):
    """Remembers the rows that it was shown, and what it was asked for."""

    shown = []  # noqa: RUF012 - shared by the copies that are fitted

    def fit(self, table, *, rng):
        Spy.shown.append(set(map(tuple, table.frame.round(12).astype(str).to_numpy())))
        return super().fit(table, rng=rng)


def test_no_generator_sees_a_held_out_row():
    frame = two_gaussians(120, 30)
    Spy.shown.clear()
    scaling_curve(frame, target="y", generator=Spy(), repeats=1, folds=3, sizes=[0, 20])
    rows = set(map(tuple, frame.round(12).astype(str).to_numpy()))
    assert [len(shown) for shown in Spy.shown] == [80, 80, 80]
    held = [rows - shown for shown in Spy.shown]
    assert sum(map(len, held)) == len(set.union(*held)) == 120


class Oracle(Shuffler):
    """Writes fresh rows of the true law: many of them must help a forest."""

    def propose(self, group, n, *, rng):
        world = CraftWorld()
        label, found = int(group[0]), []
        while sum(map(len, found)) < n:
            X, y = world.sample(4 * n + 50, rng)
            found.append(X[y == label])
        rows = np.concatenate(found)[:n]
        frame = pd.DataFrame(rows, columns=[c.name for c in self.table_.schema.features])
        return frame.clip(*(self.table_.frame[list(frame.columns)].agg(f) for f in ("min", "max")), axis=1)


def craft(n_common=300, n_rare=60):
    rng = np.random.default_rng(1)
    X, y = CraftWorld().sample(4000, rng)
    rows = np.r_[np.flatnonzero(y == 0)[:n_common], np.flatnonzero(y == 1)[:n_rare]]
    return pd.DataFrame(X[rows], columns=[f"X{i}" for i in range(X.shape[1])]).assign(y=y[rows].astype(int))


def test_rows_of_the_true_law_help_a_forest():
    curve = scaling_curve(craft(), target="y", generator=Oracle(), estimator="rf", repeats=1, folds=3)
    assert curve.risks[:, -1].mean() < curve.nothing.mean() - 0.03
    assert curve.recommended is not None
    assert curve.verdict.startswith("Balance")
    assert curve.answer.startswith("Add rows")
    assert len(curve.answer.split()) <= 12
    assert curve.next(["t.csv", "--target", "y"]).startswith("makeweight balance t.csv --target y --generator Oracle")
    assert json.dumps(curve.to_dict()["settings"])


def test_a_table_of_any_size_is_measured_in_time():
    """20,000 rows and half a second a fold: rows are left out, then repeats, and the settings say so."""
    frame = two_gaussians(20_000, 2_000)
    options = {"generator": "smoothed-bootstrap", "target": "y", "folds": 3}
    curve = scaling_curve(frame, **options, max_seconds=8)
    assert curve.settings.n_rows == 20_000
    assert curve.settings.n_measured < 20_000 or curve.settings.repeats < 5
    few = scaling_curve(two_gaussians(300, 60), **options, max_seconds=1e-3)
    assert few.settings.repeats == 1
    assert few.settings.n_measured == 2 * 3 * 10  # ten rows of each group for every fold are the least
    assert any("of the 300 rows were measured on" in line for line in few.cut)
    assert any("rather than 4" in line for line in few.cut)
    assert few.why.endswith(" Only 60 of 300 rows were measured on: more time says more.")
    assert few.sizes[-1] >= few.settings.groups["y=common"] * 2 // 3  # the rows double, or no law could be told


class Slow(Shuffler):
    """Takes time for every row that it learns from, and says so of every row that it writes."""

    def fit(self, table, *, rng):
        time.sleep(0.005 * len(table))
        return super().fit(table, rng=rng)

    def cost(self, plan):
        return Cost(seconds=0.001 * plan.n_synthetic)


def test_fewer_rows_are_taken_where_a_second_fold_would_not_end_in_time():
    seen = []
    curve = scaling_curve(
        two_gaussians(300, 60), target="y", generator=Slow(), folds=3, max_seconds=1.5, progress=seen.append
    )
    assert curve.settings.n_measured < 300
    assert seen[0].seconds_left == pytest.approx(1.5, abs=0.5)
    assert all(one.seconds_left is not None for one in seen)


def test_a_wide_table_is_tried_on_few_rows_first():
    """200 rows of 400 columns: a fold of 100 rows says what one of all takes."""
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 400)).round(2)).rename(columns=str)
    wide["y"] = np.repeat([0, 1], [140, 60])
    Spy.shown.clear()
    scaling_curve(wide, target="y", generator=Spy(), repeats=1, folds=2, sizes=[0, 9], max_seconds=1e6)
    assert [len(shown) for shown in Spy.shown] == [50, 100, 100]


def test_group_by_averages_over_cells():
    frame = two_gaussians(300, 80)
    curve = scaling_curve(frame, target="y", group_by=["colour"], repeats=1, folds=2, sizes=[0, 50])
    assert curve.law.n_groups == 4
    assert set(curve.settings.groups) == {f"y={y}, colour={c}" for y in ("common", "rare") for c in ("red", "green")}


def test_every_prefix_has_the_groups_in_their_shares():
    codes = np.repeat([0, 1], [90, 10])
    order = nested_order(codes, np.random.default_rng(0))
    for size in (10, 30, 50, 100):
        assert abs(codes[order[:size]].mean() - 0.1) <= 1 / size


@pytest.mark.parametrize("name", [name for name in LEARNERS if "xgb" not in name])
def test_estimators_take_any_table(name):
    frame = two_gaussians(60, 20).assign(when=pd.Timestamp("2024-01-01"), gap=np.nan)
    frame.loc[::3, "gap"] = 1.5
    table = Table(frame, Schema.infer(frame, target="y"))
    X = Matrix(table).transform(frame)
    assert np.isfinite(X).all()
    probabilities = make_learner(name, 0, 60).fit(X, frame["y"]).predict_proba(X)
    assert probabilities.shape == (60, 2)


def test_categories_that_the_training_rows_lack_are_no_category():
    frame = two_gaussians(60, 20)
    matrix = Matrix(Table(frame, Schema.infer(frame, target="y")))
    new = matrix.transform(frame.head(1).assign(colour="blue"))
    assert new[0, 3:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"target": "z"}, "unknown column"),
        ({"estimator": "svm"}, "unknown estimator"),
        ({"generator": "smot"}, "unknown generator"),
        ({"sizes": [0]}, "rows per group"),
        ({"sizes": [-5, 10]}, "rows per group"),
        ({"repeats": 0}, "repeats"),
        ({"folds": 1}, "folds"),
        ({"folds": 30}, "too few rows in a group for the folds"),
    ],
)
def test_what_does_not_fit_is_refused(options, says):
    with pytest.raises(MakeweightError, match=says):
        scaling_curve(two_gaussians(), **{"target": "y", **options})


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "table.csv"
    two_gaussians(160, 40).round(3).to_csv(path, index=False)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["scaling", *map(str, arguments), "--jobs", "1"], catch_exceptions=True)


def test_the_command_prints_curve_law_and_verdict(csv, tmp_path):
    out, figure = tmp_path / "scaling.json", tmp_path / "scaling.svg"
    done = run(csv, "--target", "y", "--repeats", 1, "--folds", 2, "--sizes", "0,50,100", "-o", out, "--figure", figure)
    assert done.exit_code == 0, done.output
    for words in ("no synthetic row", "balanced + 100 per group", "no scaling law", "a constant probability"):
        assert words in done.stdout
    saved = json.loads(out.read_text())
    assert saved["sizes"] == [0, 50, 100]
    assert done.stdout.startswith(saved["answer"][:40])
    assert "Rows are unlikely to improve the ranking" in done.stderr
    assert saved["verdict"]["sentence"][:40] in done.stdout
    assert figure.read_text().lstrip().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scaling.json", "scaling.svg", "table.csv"]
    again = run(csv, "--target", "y", "-o", out)
    assert "the output file exists" in str(again.exception)


def test_the_command_prints_json(csv):
    done = run(csv, "--target", "y", "--repeats", 1, "--folds", 2, "--sizes", "0,50", "--json")
    assert json.loads(done.stdout)["settings"]["estimator"] == "lr"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--sizes", "many"], "whole numbers"), (["--figure", "curve.txt"], "--figure writes no such file")],
)
def test_the_command_refuses(csv, arguments, says):
    assert says in str(run(csv, "--target", "y", *arguments).exception)
