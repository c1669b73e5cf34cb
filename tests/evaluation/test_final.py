"""The model that a comparison ends in: in a file without pickle, the same in a fresh process, named types only."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from makeweight.errors import FileProblem, OptionError, SchemaError
from makeweight.evaluation import Design, compare

SCRIPT = "import json, pandas as pd\nrows = pd.read_json({rows!r})\n{lines}\n"
SCRIPT += "print(json.dumps([model.predict_proba(rows).tolist(), model.predict(rows).tolist(), model.threshold]))\n"
PLAIN = make_pipeline(StandardScaler(), LogisticRegression())
FOREST = RandomForestClassifier(10, max_depth=4)
CHOOSES = make_pipeline(make_column_transformer((OneHotEncoder(), ["colour"])), LogisticRegression())


class Own(GaussianNB):
    """A class that skops does not know."""


class Closed(GaussianNB):
    """A class that cannot be written."""

    def fit(self, X, y, sample_weight=None):
        self.stream = (value for value in y)
        return super().fit(X, y, sample_weight)


def table(n=160):
    rng = np.random.default_rng(0)
    y = np.where(np.arange(n) % 4 == 0, "rare", "common")
    frame = pd.DataFrame(rng.normal(size=(n, 2)).round(3), columns=list("ab"))
    frame["a"] += 1.5 * (y == "rare")
    frame.loc[::9, "b"] = np.nan
    dates = pd.date_range("2020-01-01", periods=n).strftime("%d/%m/%Y")
    prices = [f"${1000 + 7 * k:,}.50" for k in range(n)]
    return frame.assign(colour=rng.choice(["red", "green"], n), when=dates, price=prices, n=range(n), y=y)


@pytest.fixture(scope="module")
def comparison():
    return compare(
        table(),
        target="y",
        estimators={"lr": PLAIN, "forest": FOREST, "chooses": CHOOSES, "own": Own(), "closed": Closed()},
        arms=["smoothed-bootstrap", "weights", "hgb-shallow"],
        generator="smoothed-bootstrap",
        design=Design(splits=2, folds=2),
    )


def test_a_fresh_process_says_the_same(comparison, tmp_path):
    rows, scripts, models = table().drop(columns="y"), [], []
    rows.to_json(tmp_path / "rows.json")
    for estimator, arm in (("lr", "smoothed-bootstrap"), ("forest", "weights"), ("chooses", "nothing")):
        models.append(comparison.model(estimator, f"{arm}+platt"))
        models[-1].threshold = 0.375
        saved = models[-1].save(tmp_path / f"{estimator}.skops")
        assert saved.own_types == ()
        assert len(saved.lines.splitlines()) == 3
        assert not any(name.endswith(".pkl") for name in zipfile.ZipFile(saved.file).namelist())
        scripts.append(SCRIPT.format(rows=str(tmp_path / "rows.json"), lines=saved.lines))
    done = subprocess.run([sys.executable, "-c", "".join(scripts)], capture_output=True, text=True, check=True)
    for model, line in zip(models, done.stdout.splitlines(), strict=True):
        stated, said, threshold = json.loads(line)
        assert np.allclose(stated, model.predict_proba(rows), atol=1e-12)
        assert said == model.predict(rows).tolist()
        assert threshold == 0.375


def test_it_is_calibrated_at_the_observed_rate_and_raises_as_many_alarms_as_today(comparison):
    model = comparison.model("lr", "smoothed-bootstrap+platt")
    rows = table()
    assert abs(model.predict_proba(rows)[:, 1].mean() - 0.25) < 0.03
    alarms = (model.predict(rows) == "rare").mean()
    assert abs(alarms - comparison.scores.alarms("lr")) < 0.08
    assert 0 < model.threshold < 1
    assert model.predict_proba(rows.sample(frac=1, random_state=0)[["price", "a", "b", "when", "colour", "n"]]).shape


def test_the_answer_s_arm_is_the_default_and_others_are_refused_by_name(comparison):
    model = comparison.model()
    assert (model.estimator, model.arm) == (comparison.answer.estimator, comparison.answer.arm)
    with pytest.raises(OptionError, match="no such arm was measured: got 'weight'\nhint: did you mean 'weights'"):
        comparison.model(arm="weight")
    with pytest.raises(OptionError, match="known: 'lr', 'forest', 'chooses'"):
        comparison.model("svm")
    with pytest.raises(SchemaError, match="column 'price'"):
        model.predict(table().drop(columns="price"))


def test_a_file_is_not_overwritten_and_holds_no_row(comparison, tmp_path):
    model = comparison.model("lr", "hgb-shallow+platt")
    saved = model.save(tmp_path / "model.skops")
    assert "TreePredictor" in saved.lines
    with pytest.raises(FileProblem, match="the output file exists"):
        model.save(tmp_path / "model.skops")
    model.save(tmp_path / "model.skops", force=True)
    inside = zipfile.ZipFile(saved.file).read("schema.json").decode()
    assert "1,007.50" not in inside


def test_types_of_your_own_are_named(comparison, tmp_path):
    saved = comparison.model("own", "nothing+platt").save(tmp_path / "own.skops")
    assert saved.own_types == (f"{Own.__module__}.Own",)
    assert f"skops does not know {Own.__module__}.Own: read that code" in saved.note
    assert "Own" in saved.lines
    with pytest.raises(OptionError, match="skops cannot write this model"):
        comparison.model("closed", "nothing+platt").save(tmp_path / "closed.skops")
    assert not (tmp_path / "closed.skops").exists()


@pytest.mark.long
@pytest.mark.parametrize("arm", ["soft", "committee", "blend", "auto+platt"])
def test_a_committee_travels_too(tmp_path, arm):
    comparison = compare(
        table(),
        target="y",
        estimators="lr",
        arms=["soft", "committee", "blend", "auto"],
        generator="smoothed-bootstrap",
        design=Design(splits=2, folds=2, soft_rows=60),
    )
    model = comparison.model("lr", arm)
    saved = model.save(tmp_path / "model.skops")
    assert saved.own_types == ()
    assert model.predict_proba(table()).shape == (160, 2)
