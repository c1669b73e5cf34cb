"""What the experiments measure besides the published protocol."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from makeweight.errors import OptionError
from makeweight.experiments import opal, same_information, simulation
from makeweight.experiments.arms import VisibleRows, out_of_fold, predict, readouts, train_arm
from makeweight.experiments.capacity import CapacitySettings, law, measure
from makeweight.experiments.data import opal_split
from makeweight.experiments.judging import balanced_loss, calibrated_on_halves, judge
from makeweight.experiments.records import ExperimentTask


@pytest.fixture(scope="module")
def train():
    return simulation.draw("logit", 3, 300, 40, np.random.default_rng(0))


@pytest.fixture(scope="module")
def visible(train):
    return VisibleRows(train, "y")


def test_arms_balance_weigh_and_leave_out(train, visible):
    assert len(train_arm("nothing", visible, 0).rows) == 340
    weighted = train_arm("weights", visible, 0)
    assert weighted.weights[train["y"] == 1].sum() == pytest.approx(weighted.weights[train["y"] == 0].sum())
    assert train_arm("undersample", visible, 0).rows["y"].value_counts().tolist() == [40, 40]
    written = train_arm("smoothed-bootstrap", visible, 0)
    assert written.rows["y"].value_counts().tolist() == [300, 300]
    assert len(written.synthetic) == 260


def test_out_of_fold_a_generator_never_sees_the_held_out_rows(train, visible, monkeypatch):
    from makeweight.experiments import arms

    seen = []
    real = arms.train_arm
    monkeypatch.setattr(arms, "train_arm", lambda arm, rows, seed: seen.append(rows.frame) or real(arm, rows, seed))
    out_of_fold("random", visible, ["lr"], 0, 4)
    keys = [set(map(tuple, frame.to_numpy().tolist())) for frame in seen]
    rows = list(map(tuple, train.to_numpy().tolist()))
    assert len(seen) == 4
    assert all(sum(row in key for key in keys) == 3 for row in rows)


def test_equal_rows_are_held_out_together(train, monkeypatch):
    from makeweight.experiments import arms

    seen = []
    real = arms.train_arm
    monkeypatch.setattr(arms, "train_arm", lambda arm, rows, seed: seen.append(rows.frame) or real(arm, rows, seed))
    doubled = VisibleRows(pd.concat([train, train], ignore_index=True), "y")
    out_of_fold("nothing", doubled, ["lr"], 0, 4)
    assert len(seen) == 4
    assert all((frame.value_counts() == 2).all() for frame in seen)


def test_calibration_repairs_what_imbalance_did_to_probabilities(visible):
    test = simulation.draw("logit", 3, 1500, 1500, np.random.default_rng(1))
    nothing = train_arm("nothing", visible, 0)
    p = predict(nothing, test, "y", ["lr"], 0)["lr"]
    held_out = out_of_fold("nothing", visible, ["lr"], 0, 5)["lr"]
    made = readouts("nothing", visible.labels(), p, held_out)
    losses = {name: balanced_loss(test["y"].to_numpy(), values) for name, values in made.items()}
    assert losses["as is"] > losses["shift"] + 0.1
    assert losses["as is"] > losses["platt"] + 0.1
    assert losses["platt"] < np.log(2)


def test_what_calibration_cannot_change_does_not_change():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 4000)
    p = expit(2.0 * labels - 1 + rng.normal(size=4000))
    squashed = p / (p + 9 * (1 - p))
    first, second = judge(labels, p), judge(labels, squashed)
    for metric in ("auroc", "auprc", "best_accuracy"):
        assert first[metric] == pytest.approx(second[metric], abs=1e-12)
    assert first["bce"] != pytest.approx(second["bce"], abs=0.01)
    assert first["bce_ranking"] == pytest.approx(second["bce_ranking"], abs=2e-3)
    assert balanced_loss(labels, calibrated_on_halves(labels, p)) == first["bce_ranking"]


@pytest.mark.parametrize("world", simulation.WORLDS)
def test_worlds_have_the_numbers_asked_for(world):
    frame = simulation.draw(world, 4, 60, 15, np.random.default_rng(0))
    assert frame["y"].value_counts().to_dict() == {0: 60, 1: 15}
    again = simulation.draw(world, 4, 60, 15, np.random.default_rng(0))
    pd.testing.assert_frame_equal(frame, again)
    if world == "mixed":
        assert set(frame["x1"]) == {0, 1, 2}


def test_the_spurious_column_misleads_in_training_only():
    rng = np.random.default_rng(0)
    train = simulation.draw("spurious", 3, 2000, 2000, rng)
    test = simulation.draw("spurious", 3, 2000, 2000, rng, test=True)
    assert (train["a"] == train["y"]).mean() == pytest.approx(0.9, abs=0.02)
    assert (test["a"] == test["y"]).mean() == pytest.approx(0.5, abs=0.03)
    with pytest.raises(OptionError, match="unknown world"):
        simulation.draw("logits", 3, 1, 1, rng)


def test_every_arm_of_a_simulated_cell_sees_the_same_rows(small, tmp_path, monkeypatch):
    seen = []
    real = simulation.train_arm
    monkeypatch.setattr(
        simulation, "train_arm", lambda arm, rows, seed: seen.append(rows.frame) or real(arm, rows, seed)
    )
    chosen = small.select(seeds=[3], arms=["nothing", "oracle", "real-x2"])
    found = [list(simulation.measure(task, tmp_path)) for task in simulation.tasks(chosen)]
    assert len(seen) == 3
    for frame in seen[1:]:
        pd.testing.assert_frame_equal(frame, seen[0])
    stages = [{record.stage for record in records} for records in found]
    assert stages == [{"as is", "platt", "shift", "ranking"}, *[{"as is", "platt", "ranking"}] * 2]


def test_same_information_adds_only_what_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(same_information, "MAJORITY", 150)
    settings = same_information.InformationSettings(2, ("lr",))
    task = ExperimentTask("craft", "smoothed-bootstrap", 1, settings)
    values = {(r.stage, r.metric): r.value for r in same_information.measure(task, tmp_path)}
    assert values["rows", "copies"] == 0
    assert 0.7 < values["ranking", "auroc"] < 0.95
    assert {stage for stage, _ in values} == {"as is", "platt", "ranking", "rows"}


def test_gpt4_rows_fill_the_groups(data_dir):
    train, _, written = opal_split("craft/imbalanced", 1, data_dir)
    added = opal.missing_rows(train, written, ["Target"])
    assert len(added) == 80
    assert (added["Target"] == 0).all()
    task = ExperimentTask("gender/spurious", "gpt4", 1, opal.OpalSettings(("lr",)))
    values = {r.metric: r.value for r in opal.measure(task, data_dir)}
    assert values["worst_group_error"] >= values["error"] > 0
    assert values["added"] == 12  # of the 30 that are missing: it wrote few rows where label and attribute differ


def test_more_context_brings_a_generator_nearer_to_the_law(tmp_path):
    def distance(n):
        task = ExperimentTask("gaussian-2", "smoothed-bootstrap", 1, CapacitySettings(1000, 100), step=n)
        return next(r.value for r in measure(task, tmp_path) if r.metric == "distance")

    assert distance(20) > distance(800)
    assert law("network-3")[1] == "categorical"
    with pytest.raises(OptionError, match="unknown law"):
        law("cauchy-2")


def test_the_quality_of_copies_and_of_a_smooth_generator_is_a_number(train):
    assert simulation.quality("random", train, 0) >= 0
    assert np.isfinite(simulation.quality("smoothed-bootstrap", train, 0))
