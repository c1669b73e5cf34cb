"""`makeweight reproduce`."""

import pandas as pd
import pytest

from makeweight import engine

TOML = """
title = "Small"
kind = "published"
data = ["craft"]
arms = ["nothing", "ros"]
learners = ["xgb"]
steps = [0, 9]
seeds = [1, 2]
metrics = ["bce", "auroc"]

[settings]
task = "imbalance"
vary = "ratio"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(TOML)
    return tmp_path


def test_the_list_says_what_there_is_and_what_was_run(run, folder):
    result = run("reproduce", "list")
    assert result.code == 0
    for name in ("imbalance", "spurious", "augmentation", "same-information", "opal", "capacity", "simulations"):
        assert f"\n{name} " in result.out
    assert "results in results" in result.out


def test_an_experiment_of_ones_own_runs_resumes_and_is_shown(run, folder):
    assert "no results yet" in run("reproduce", "small.toml", "--show-only").out
    first = run("reproduce", "small.toml", "--seeds", "1", "--csv", "means.csv")
    assert first.code == 0, first.err
    assert "4 tasks done" in first.err
    assert "small: craft, xgb, step 9" in first.out
    means = pd.read_csv("means.csv")
    raw = means.query("arm == 'nothing' and step == 9 and metric == 'bce'")
    assert 1.5 < raw["mean"].item() < 1.8
    second = run("reproduce", "small.toml")
    assert "4 tasks done" in second.err
    assert "4 from earlier runs" in second.err
    shown = run("reproduce", "small.toml", "--show-only")
    assert shown.err == ""
    assert shown.out == second.out
    assert "±" in shown.out


def test_published_numbers_stand_beside(run, folder, data_dir):
    text = TOML.replace("seeds = [1, 2]", "seeds = [1, 2, 6, 8, 42]").replace("[0, 9]", "[9]")
    (folder / "small.toml").write_text(text)
    result = run("reproduce", "small.toml", "--data-dir", data_dir)
    assert "1.6324" in result.out
    assert result.out.count("within sd") == 3
    assert "published means reproduced" in result.out


def test_figures_are_drawn_from_results(run, folder):
    assert run("reproduce", "figures").out == ""
    assert (
        run(
            "reproduce",
            "imbalance",
            "--data",
            "craft",
            "--methods",
            "nothing",
            "--classifiers",
            "xgb",
            "--steps",
            "0,9",
            "--seeds",
            "1,2",
        ).code
        == 0
    )
    assert "imbalance-bce.svg" in run("reproduce", "figures").out
    assert (folder / "results" / "figures" / "imbalance-bce.png").exists()


def test_a_run_ends_after_its_time_and_goes_on(run, folder):
    words = (
        "reproduce",
        "imbalance",
        "--data",
        "craft",
        "--methods",
        "nothing",
        "--classifiers",
        "xgb",
        "--steps",
        "0,9",
    )
    cut = run(*words, "--seeds", "1,2", "--max-seconds", "0.001")
    assert cut.code == 0
    assert "1 tasks done" in cut.err
    assert "3 tasks are left" in cut.err
    assert "tasks are left" not in run(*words, "--seeds", "1,2").err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["imbalanced"], "did you mean 'imbalance'"),
        (["imbalance", "--data", "crafts"], "did you mean 'craft'"),
        (["imbalance", "--data", "craft", "--methods", "smot"], "unknown generator"),
        (["imbalance", "--steps", "one"], "whole numbers"),
        (["imbalance", "--steps", "77"], "steps"),
        (["imbalance", "--data", "gender", "--data-dir", "nowhere"], "--data-dir|put seed.csv"),
        (["imbalance", "--scale", "huge"], "it has none"),
        (["imbalance", "--data", "craft", "--engine", "ray"], "unknown engine"),
        (["imbalance", "--data", "craft", "--engine", "dask://127.0.0.1:9", "--steps", "0"], "dask scheduler"),
    ],
)
def test_mistakes_exit_with_2_and_say_what_to_do(run, folder, monkeypatch, arguments, told):
    monkeypatch.setattr(engine, "PATIENCE", 2.0)
    result = run("reproduce", *arguments)
    assert result.code == 2
    assert any(part in result.err for part in told.split("|"))
    assert "Traceback" not in result.err
