"""Means say how many runs are behind them, and published numbers stand beside them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from makeweight.experiments import read_experiment
from makeweight.experiments.records import TYPES
from makeweight.experiments.tables import agreement, published_numbers, summarise, versus, worth


def rows(**columns):
    n = len(columns["seed"])
    base = {
        "key": [str(k) for k in range(n)],
        "data": "craft",
        "arm": "ros",
        "learner": "xgb",
        "step": 9,
        "stage": "balanced",
        "metric": "bce",
        "status": "done",
        "error": "",
        "seconds": 1.0,
        "finished": 1.0,
        "code": "",
        "settings": "{}",
    }
    return pd.DataFrame({**base, **columns})[list(TYPES)]


def test_means_carry_n_sd_as_published_interval_and_failures():
    values = [1.0, 2.0, 3.0, 4.0, np.nan]
    status = ["done"] * 4 + ["failed"]
    found = summarise(rows(seed=[1, 2, 6, 8, 42], value=values, status=status))
    row = found[found["metric"] == "bce"].iloc[0]
    assert (row["mean"], row["n"], row["failed"]) == (2.5, 4, 1)
    assert row["sd"] == pytest.approx(np.std(values[:4]))
    assert row["half"] == pytest.approx(3.182446 * np.std(values[:4], ddof=1) / 2, rel=1e-6)
    logs = found[found["metric"] == "log_bce"].iloc[0]
    assert logs["mean"] == pytest.approx(np.mean(np.log(values[:4])))


def test_an_arm_that_only_failed_is_not_missing():
    found = summarise(rows(seed=[1, 2], value=[np.nan, np.nan], status="failed", stage="", metric=""))
    assert found[["n", "failed"]].to_numpy().tolist() == [[0, 2]]
    assert found["mean"].isna().all()


def test_published_numbers_are_read_and_compared(tmp_path):
    values = {"imbalance_base_mean": 1.6, "imbalance_base_std": 0.1, "balance_base_mean": 1.5, "balance_base_std": 0.1}
    place = tmp_path / "paper"
    place.mkdir()
    place.joinpath("published_results.json").write_text(
        json.dumps(
            {"craft": {"imbalanced_class": {"ratio": {"xgb": {"ros": {"balanced_cross_entropy": {"9": values}}}}}}}
        )
    )
    known = published_numbers(read_experiment("imbalance"), tmp_path)
    assert known[["arm", "stage", "published"]].to_numpy().tolist() == [
        ["nothing", "raw", 1.6],
        ["ros", "balanced", 1.5],
    ]
    near = agreement(summarise(rows(seed=[1, 2], value=[1.5, 1.6])), known).set_index("metric").loc["bce"]
    assert near["difference"] == pytest.approx(0.05)
    assert near["within"]
    far = agreement(summarise(rows(seed=[1, 2], value=[1.7, 1.6])), known).set_index("metric").loc["bce"]
    assert not far["within"]


def test_the_stored_published_numbers_cover_every_step(data_dir):
    known = published_numbers(read_experiment("imbalance"), data_dir)
    bce = known[(known["data"] == "craft") & (known["learner"] == "xgb") & (known["metric"] == "bce")]
    assert len(bce) == 10 * (1 + 2 * 4)
    scaling = published_numbers(read_experiment("augmentation"), data_dir)
    real = scaling[(scaling["arm"] == "real-rows") & (scaling["data"] == "craft") & (scaling["learner"] == "xgb")]
    assert real[real["metric"] == "log_bce"]["published"].tolist() == [-0.64296]


def test_numbers_in_the_experiments_own_file_are_taken():
    known = published_numbers(read_experiment("same-information"), Path("nowhere"))
    smote = known[(known["arm"] == "smote") & (known["data"] == "craft")]
    assert smote["published"].tolist() == [1.463]


def test_differences_are_paired_by_seed():
    both = pd.concat(
        [rows(seed=[1, 2, 3], value=[1.0, 5.0, 9.0], arm="nothing"), rows(seed=[1, 2, 3], value=[0.9, 4.9, 8.9])]
    )
    found = versus(both, "bce", "balanced").set_index("arm")
    assert found.loc["ros", "difference"] == pytest.approx(-0.1)
    assert found.loc["ros", "half"] == pytest.approx(0, abs=1e-9)
    assert found.loc["ros", "n"] == 3


def test_worth_is_read_off_the_losses_of_real_rows():
    losses = {"nothing": 0.8, "real-x2": 0.6, "real-x4": 0.5, "transport": 0.7, "smote": 0.9, "oracle": 0.4}
    parts = [
        rows(seed=[1, 2], value=[loss, loss], arm=arm, stage="platt", data="ring d=2 n1=5 kappa=2")
        for arm, loss in losses.items()
    ]
    found = worth(pd.concat(parts)).set_index("arm")["times"]
    assert found["transport"] == pytest.approx(2**0.5)
    assert found["smote"] == pytest.approx(2**-0.5)
    assert found["oracle"] == np.inf
