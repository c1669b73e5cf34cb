"""A learner's name means one learner, whoever measures with it."""

import functools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from makeweight.errors import OptionError
from makeweight.evaluation import Design, compare, scaling_curve
from makeweight.measure.brought import bring_classifier
from makeweight.measure.learners import fit_weighted, named_learners

pytestmark = pytest.mark.usefixtures("quick_comparisons")
#: Settings that follow from the seed and the number of training rows.
OF_THE_FIT = {"random_state", "max_samples"}


@pytest.mark.parametrize(("name", "learner"), [("rf", RandomForestClassifier), ("hgb", HistGradientBoostingClassifier)])
def test_compare_and_scaling_curve_fit_the_same_learner(monkeypatch, name, learner):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    frame["y"] = np.repeat(["common", "rare"], [80, 40])
    fitted = []
    fit = learner.fit

    @functools.wraps(fit)
    def recorded(self, *args, **kwargs):
        fitted.append({key: value for key, value in self.get_params().items() if key not in OF_THE_FIT})
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(learner, "fit", recorded)
    quick = {"target": "y", "generator": "random"}
    compare(frame, arms=["random"], estimators=[name], design=Design(repeats=1, folds=3), **quick)
    in_compare = len(fitted)
    scaling_curve(frame, estimator=name, sizes=[0, 20], repeats=1, folds=3, **quick)
    assert 0 < in_compare < len(fitted)
    assert all(settings == fitted[0] for settings in fitted)


def mixed(n=160, rare=50):
    rng = np.random.default_rng(0)
    y = np.repeat(["common", "rare"], [n - rare, rare])
    frame = pd.DataFrame(rng.normal(size=(n, 2)).round(3), columns=["b", "a"]).assign(y=y)
    frame["a"] += 1.5 * (y == "rare")
    return frame.assign(colour=rng.choice(["red", "green"], n))


def pipeline():
    chosen = make_column_transformer((OneHotEncoder(), ["colour"]), (StandardScaler(), ["a", "b"]))
    return make_pipeline(chosen, LogisticRegression())


def test_compare_takes_any_classifier():
    estimators = {"mine": GaussianNB(), "columns by name": pipeline()}
    found = compare(
        mixed(),
        target="y",
        generator="random",
        arms=["random", "auto"],
        estimators=estimators,
        design=Design(repeats=1, folds=2),
    )
    assert list(found.scores.estimators) == list(estimators)
    assert found.scores.failures() == []
    assert found.scores.value("columns by name", "random+platt", "auroc").mean > 0.7


@pytest.mark.parametrize(
    ("estimators", "names"),
    [
        ("lr", ["lr"]),
        (GaussianNB(), ["GaussianNB"]),
        (["lr", make_pipeline(StandardScaler(), GaussianNB())], ["lr", "GaussianNB"]),
        (pipeline(), ["LogisticRegression"]),
    ],
)
def test_an_estimator_without_a_name_is_called_by_its_class(estimators, names):
    assert list(named_learners(estimators)) == names


def test_a_pipeline_gets_the_rows_as_they_come_in_every_measurement():
    options = {"target": "y", "generator": "random", "sizes": [0, 20], "repeats": 1, "folds": 2}
    curve, twin = (scaling_curve(mixed(), estimator=estimator, **options) for estimator in (pipeline(), "lr"))
    np.testing.assert_allclose(curve.risks, twin.risks, atol=0.02)


@pytest.mark.parametrize(
    ("estimators", "says"),
    [
        ([GaussianNB(), GaussianNB()], "same name.*name them"),
        ([], "no estimator"),
        ({1: "lr"}, "named by a text"),
        ({"mine": StandardScaler()}, "not an estimator.*predict_proba"),
        ("lgbm", "unknown estimator.*did you mean|unknown estimator"),
    ],
)
def test_what_is_no_estimator_is_refused(estimators, says):
    with pytest.raises(OptionError, match=f"(?s){says}"):
        compare(mixed(), target="y", generator="random", estimators=estimators)


MODULE = """
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
model, no_model = GaussianNB(var_smoothing=0.1), StandardScaler()
unsure = SVC
class Needy(GaussianNB):
    def __init__(self, depth):
        self.depth = depth
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    name = f"brought_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    (tmp_path / f"{name}_broken.py").write_text("1 / 0")
    (tmp_path / f"{name}_poor.py").write_text("import no_such_package_at_all")
    return name


def test_a_classifier_is_brought_by_module_file_or_class(module):
    assert bring_classifier(f"{module}:model").var_smoothing == 0.1
    assert bring_classifier(f"./{module}.py:model").var_smoothing == 0.1
    assert isinstance(bring_classifier("sklearn.naive_bayes:GaussianNB"), GaussianNB)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{m}:modell", "no such classifier.*did you mean 'model'"),
        ("{m}:no_model", "no classifier with probabilities.*StandardScaler.*lacks predict_proba"),
        ("{m}:unsure", "no classifier with probabilities.*probability=True"),
        ("{m}:Needy", "without arguments"),
        ("{m}_broken:model", "failed while it was imported.*ZeroDivisionError"),
        ("{m}_poor:model", "needs another one.*pip install no_such_package_at_all"),
        ("no_such_module_at_all:model", "no such module.*looked in"),
        ("nowhere.py:model", "no such file"),
        ("json.py:model", "another module has the name"),
        (":model", "a module and a name"),
    ],
)
def test_what_cannot_be_brought_is_told(module, text, says):
    if text.startswith("json"):
        Path("json.py").write_text("model = 1")
    with pytest.raises(OptionError, match=f"(?s){says}"):
        bring_classifier(text.format(m=module))


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 1.5, 60)])
def test_an_estimator_that_cannot_read_a_column_names_it_and_what_to_put_before_it(weights):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.normal(size=60), "job": rng.choice(["a", "b"], 60)})
    X["since"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, 60), unit="D")
    X["wage"] = X["age"].where(X["age"] > 0)
    y = np.arange(60) % 2
    with pytest.raises(OptionError) as told:
        fit_weighted(LogisticRegression(), X, y, weights)
    assert "text in 'job'; dates or times in 'since'; missing values in 'wage'" in str(told.value)
    # what the hint says works
    names = (FunctionTransformer, LogisticRegression, OneHotEncoder, SimpleImputer)
    names += (make_column_transformer, make_pipeline)
    said = eval(told.value.hint, {name.__name__: name for name in names})
    assert fit_weighted(said, X, y, None).predict_proba(X).shape == (60, 2)


def test_an_error_about_an_option_is_not_laid_on_the_columns():
    X, y = pd.DataFrame({"job": ["a", "b"] * 10, "age": range(20)}), np.arange(20) % 2
    encoder = make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough")
    for estimator in (LogisticRegression(C=-1), make_pipeline(encoder, LogisticRegression(C=-1))):
        with pytest.raises(ValueError, match="'C' parameter") as told:
            fit_weighted(estimator, X, y, None)
        assert not isinstance(told.value, OptionError)


def test_errors_that_no_column_explains_are_left_as_they_are():
    numbers = pd.DataFrame({"age": np.arange(6.0)})
    with pytest.raises(ValueError, match="Found input variables with inconsistent numbers of samples") as told:
        fit_weighted(LogisticRegression(), numbers, np.arange(5) % 2, None)
    assert not isinstance(told.value, OptionError)
