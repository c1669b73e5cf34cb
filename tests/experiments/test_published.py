"""The published numbers come out, digit for digit where the library's changes since are undone."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from makeweight.errors import OptionError
from makeweight.experiments import read_experiment
from makeweight.experiments.classifiers import WeightedForest, published_classifier
from makeweight.experiments.data import COLUMNS, cells, paper_parts
from makeweight.experiments.published import measure, pool, tasks, training_sets

#: Balanced log-loss, mean over the five seeds: arm, classifier, step, stage, published value.
PUBLISHED = [
    ("nothing", "xgb", 9, "raw", 1.63236),
    ("ros", "xgb", 9, "balanced", 1.60136),
    ("ros", "xgb", 9, "augmented", 1.62873),
    ("nothing", "rf", 0, "raw", 0.60767),
]


def scores(experiment, folder, arm, learner, step, stage, metric="bce"):
    chosen = experiment.select(data=["craft"], arms=[arm], learners=[learner], steps=[step])
    return [
        number.value
        for task in tasks(chosen)
        for number in measure(task, folder)
        if (number.stage, number.metric) == (stage, metric)
    ]


@pytest.mark.parametrize(("arm", "learner", "step", "stage", "published"), PUBLISHED)
def test_published_means_come_out(tmp_path, arm, learner, step, stage, published):
    found = scores(read_experiment("imbalance"), tmp_path, arm, learner, step, stage)
    assert len(found) == 5
    assert np.mean(found) == pytest.approx(published, abs=1e-5)


def test_the_weighted_forest_of_the_time_comes_out(tmp_path):
    """ROS, augmented at weight one half, step 0:  .6727 published, .6700 with today's bootstrap."""
    found = scores(read_experiment("imbalance"), tmp_path, "ros", "rf", 0, "augmented")
    assert np.mean(found) == pytest.approx(0.6727, abs=1e-4)


def test_smote_is_within_the_published_standard_deviation(tmp_path):
    found = scores(read_experiment("imbalance"), tmp_path, "smote", "xgb", 9, "balanced")
    assert abs(np.mean(found) - 1.40974) <= 0.01344


def test_a_forest_without_weights_is_that_of_the_library():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 4)), rng.integers(0, 2, 80)
    ours = WeightedForest(3).fit(X, y).predict_proba(X)
    theirs = RandomForestClassifier(criterion="entropy", random_state=3).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(OptionError, match="unknown classifier"):
        published_classifier("cat", 0)


def test_training_sets_have_the_published_sizes(tmp_path):
    parts = paper_parts("craft", tmp_path)
    for name, rare_side in (("imbalance", {"01", "11"}), ("spurious", {"00", "11"})):
        experiment = read_experiment(name).select(data=["craft"], arms=["ros"], learners=["xgb"], steps=[4], seeds=[1])
        [task] = tasks(experiment)
        found = {stage: (rows, weights) for stage, rows, weights in training_sets(task, parts, tmp_path)}
        assert {stage: len(rows) for stage, (rows, _) in found.items()} == {"balanced": 1000, "augmented": 1600}
        assert found["balanced"][1] is None
        assert found["augmented"][1].tolist() == [1.0] * 1000 + [0.5] * 600
        of_row = cells(found["balanced"][0], COLUMNS["craft"])
        # ROS copies, so that the cells of each side are complete: X6 stays -1 or 1.
        assert of_row.isin(rare_side).mean() == 0.5


def test_our_pools_hold_both_sides_and_come_from_seed_rows_only(tmp_path):
    seed = paper_parts("craft", tmp_path).seed
    rare, common = pool("smoothed-bootstrap", "craft", "spurious", tmp_path)
    assert len(rare) == len(common) == 3000
    for name in seed:
        assert rare[name].between(seed[name].min(), seed[name].max()).all()


def test_all_real_rows_are_one_step(tmp_path):
    chosen = read_experiment("augmentation").select(data=["craft"], arms=["real-rows"], learners=["xgb"], seeds=[42])
    [task] = tasks(chosen)
    values = {r.metric: r.value for r in measure(task, tmp_path)}
    assert np.log(values["bce"]) == pytest.approx(-0.64296, abs=1e-5)


def test_an_unknown_setting_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'title="t"\nkind="published"\ndata=["craft"]\narms=["ros"]\nlearners=["xgb"]\nsteps=[1]\nseeds=[1]\n'
        'metrics=["bce"]\n[settings]\ntask="imbalance"\nvary="time"\n'
    )
    with pytest.raises(OptionError, match=r"(?s)settings\.vary.*'time'"):
        list(tasks(read_experiment(str(path))))
