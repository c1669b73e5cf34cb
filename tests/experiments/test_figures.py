"""Figures come from stored results alone."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from makeweight.experiments import Store, read_experiment, run_experiment
from makeweight.experiments.figures import draw_all
from makeweight.experiments.laws import capacity_rate, fit_laws, published_laws
from makeweight.experiments.tables import published_numbers


def test_every_kind_of_result_is_drawn(tmp_path, data_dir):
    results = tmp_path / "results"
    craft = {"data": ["craft"], "learners": ["xgb"]}
    runs = {
        "imbalance": {**craft, "arms": ["nothing", "ros"], "steps": [0, 9], "seeds": [1, 2]},
        "opal": {"data": ["gender/imbalanced"], "arms": ["nothing", "gpt4"], "seeds": [1, 2]},
        "capacity": {"data": ["network-2"], "arms": ["smoothed-bootstrap"], "steps": [50, 100, 400], "seeds": [1, 2]},
    }
    for name, chosen in runs.items():
        run_experiment(read_experiment(name).select(**chosen), Store(results / name), folder=data_dir)
    drawn = list(draw_all(results, data_dir))
    assert {path.suffix for path in drawn} == {".svg", ".png"}
    assert {path.stem for path in drawn} == {
        "imbalance-bce",
        "imbalance-bce_ranking",
        "opal-error",
        "opal-bce_ranking",
        "capacity-divergence",
        "capacity-distance",
    }
    for path in drawn:
        assert path.stat().st_size > 5000
    text = (results / "figures" / "imbalance-bce.svg").read_text()
    assert "published (hollow)" in text
    assert re.search(r"fill: ?none; ?stroke: ?#E69F00", text, re.IGNORECASE)


def test_nothing_is_drawn_from_nothing(tmp_path):
    assert list(draw_all(tmp_path, tmp_path)) == []


def test_simulated_cells_are_drawn_by_law(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "simulations")
    assert {path.stem for path in draw_all(tmp_path, tmp_path)} == {"simulations-bce", "simulations-auroc"}


def test_a_law_is_fitted_per_curve(finished):
    rows = finished.read().iloc[:1]
    steps, seeds = np.arange(0, 10), range(5)
    rng = np.random.default_rng(0)
    law = rows.loc[rows.index.repeat(50)].assign(
        data="craft",
        learner="xgb",
        arm="ros",
        metric="bce",
        stage="augmented",
        step=np.tile(steps, 5),
        seed=np.repeat(seeds, 10),
    )
    effective = 1800 + 2 * 200 * law["step"]
    law["value"] = 0.5 + 300 / effective + rng.normal(0, 0.001, 50)
    [curve] = fit_laws(law)
    assert (curve.n, curve.law.identifiable_) == (5, True)
    assert curve.law.floor_.low < 0.5 < curve.law.floor_.high
    assert curve.law.exponent_.estimate == pytest.approx(1, abs=0.4)


def test_the_published_curve_has_a_law_of_its_own(data_dir):
    laws = published_laws(published_numbers(read_experiment("augmentation"), data_dir))
    by_curve = {(curve.data, curve.learner): curve.law for curve in laws}
    craft = by_curve["craft", "xgb"]
    assert craft.identifiable_
    assert craft.floor_.low < craft.floor_.estimate < np.exp(-0.523)
    assert not by_curve["gender", "rf"].identifiable_
    assert "does not fall" in by_curve["gender", "rf"].reason_
    assert {curve.arm for curve in laws} == {"gpt2_finetuned"}


def test_a_rate_is_fitted_to_points_above_their_noise():
    part = pd.DataFrame({"step": [25, 100, 400], "mean": [0.4, 0.2, 0.1], "half": [0.1, 0.05, 0.02]})
    rate = capacity_rate(part)
    assert rate.row_exponent == pytest.approx(-0.5)
    assert rate.explained > 0.99
    assert capacity_rate(part.assign(half=[0.1, 0.05, 0.2])) is None
