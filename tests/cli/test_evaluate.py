"""``makeweight evaluate``: verdict first, files, exit codes, and going on after an interrupt."""

import html
import io
import json
import re
import time

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from makeweight.cli import _evaluation
from makeweight.evaluation import training
from makeweight.progress import Progress

QUICK = ["--target", "y", "--estimator", "lr", "--arm", "constant,smoothed-bootstrap", "--splits", 2]
QUICK += ["--folds", 2, "--jobs", 1, "--seed", 0]


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    y = np.repeat(["no", "yes"], [90, 30])
    frame = pd.DataFrame({"x": rng.normal(size=120) + (y == "yes"), "z": rng.normal(size=120), "y": y, "same": 1})
    frame.round(3).to_csv("table.csv", index=False)
    return "table.csv"


def test_the_verdict_comes_first_and_fits_80_columns(run, data, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    done = run("evaluate", data, *QUICK)
    assert done.code == 0, done.err
    answer, following = done.out.splitlines()[:2]
    assert len(answer.split()) <= 12
    assert answer.startswith(("Do not add rows: calibrate", "Add "))
    assert following.startswith("next: ")
    for words in ("gain beyond doing nothing", "of 100 y=yes found", "A constant scores 0.6931", "nothing+platt"):
        assert words in done.out
    said = " ".join(done.out.split())
    assert re.search(r"cost of transfer, nats of lr, .*: smoothed-bootstrap [+-].*; SMOTE [+-].*; bootstrap [+-]", said)
    rows = [line for line in done.out.splitlines() if line.startswith("  ")]
    assert max(map(len, rows)) <= 80


def test_files_are_written_and_the_page_has_the_verdict(run, data, tmp_path):
    done = run("evaluate", data, *QUICK, "-o", "result.json", "--html", "result.html")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["verdict"]["sentence"] in " ".join(done.out.split())
    assert result["reproduce"]["command"].startswith("makeweight evaluate table.csv --target y")
    page = (tmp_path / "result.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert result["answer"]["text"] in page
    assert done.out.startswith(result["answer"]["text"])
    again = run("evaluate", data, *QUICK, "-o", "result.json")
    assert again.code == 2
    assert "the output file exists" in again.err
    command = result["reproduce"]["command"].split()[1:]
    same = run(*command, "--jobs", 1, "--json")
    assert same.json["results"] == result["results"]


def test_a_model_of_yours_is_named_by_its_file(run, data, tmp_path):
    (tmp_path / "my_own_model.py").write_text("from sklearn.naive_bayes import GaussianNB\nmodel = GaussianNB()\n")
    mine = ["--target", "y", "--arm", "smoothed-bootstrap", "--splits", 2, "--folds", 2, "--jobs", 1]
    done = run("evaluate", data, *mine, "--estimator", "my_own_model.py:model", "--json")
    assert done.code == 0, done.err
    assert done.json["estimators"] == ["my_own_model.py:model"]
    assert "--estimator my_own_model.py:model" in done.json["reproduce"]["command"]
    missing = run("evaluate", data, *mine, "--estimator", "my_own_model.py:modell")
    assert missing.code == 2
    assert "did you mean 'model'?" in missing.err


def test_splits_and_a_time_are_refused_together_before_any_work(run, data):
    done = run("evaluate", data, *QUICK, "--max-seconds", 60)
    assert done.code == 2
    assert "both asked for" in done.err
    assert "comparing" not in done.err


def test_the_time_left_is_told_while_a_piece_of_work_goes_on(monkeypatch):
    monkeypatch.setattr(_evaluation, "FIRST", 0.02)
    monkeypatch.setattr(_evaluation, "EVERY", 0.05)
    told = io.StringIO()
    with _evaluation.Steps(Console(file=told, width=200), "comparing", 300.0):
        time.sleep(0.3)
    lines = told.getvalue().splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("comparing: the first split") for line in lines)
    assert all("at most 5 min 00 s left" in line or "at most 4 min 59 s left" in line for line in lines)
    with _evaluation.Steps(Console(file=told, width=200), "measuring", 300.0) as steps:
        steps(Progress("measuring folds", 2, 10, 5.0, 20.0, "fold 3 of at most 10"))
        assert steps.state().startswith("fold 3 of at most 10")
        assert "at most 20.0 s left" in steps.state()


def test_without_a_gain_the_gate_exits_with_3(run, data):
    assert run("evaluate", data, *QUICK, "--require-gain").code == 3


def test_an_interrupted_run_goes_on_from_its_file(run, data, tmp_path, monkeypatch):
    learn, calls = training.predictions_of, []

    def interrupted(*given):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return learn(*given)

    monkeypatch.setattr(training, "predictions_of", interrupted)
    first = run("evaluate", data, *QUICK, "-o", "result.json")
    assert first.code == 130
    assert "the same command continues from there" in first.err
    assert not (tmp_path / "result.json").exists()
    kept = (tmp_path / "result.jsonl").read_text()
    assert len(kept.splitlines()) > 1
    monkeypatch.setattr(training, "predictions_of", learn)
    assert run("evaluate", data, *QUICK, "-o", "result.json").code == 0
    assert (tmp_path / "result.jsonl").read_text().startswith(kept)
    other = run("evaluate", data, *QUICK, "--seed", 1, "-o", "other.json")
    assert other.code == 0
    (tmp_path / "result.json").unlink()
    refused = run("evaluate", data, *QUICK, "--seed", 1, "-o", "result.json")
    assert refused.code == 2
    assert "--force starts over" in refused.err
    assert run("evaluate", data, *QUICK, "--seed", 1, "-o", "result.json", "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "yy"], "did you mean 'y'?"),
        (["--target", "same", "--group-by", "y"], "the target has one class (column 'same')"),
        (["--target", "y", "--arm", "smotte"], "did you mean 'smote'?"),
        (["--target", "y", "--estimator", "hgbb"], "did you mean 'hgb'?"),
        (["--target", "y", "--estimator", ","], "repeated or with commas"),
        (["--target", "y", "--folds", 20], "y=yes"),
        (["--target", "y", "-o", "nowhere/result.json"], "no such directory"),
        (["--target", "y", "-o", "result.jsonl"], "-o writes no such file"),
        (["--target", "y", "--external", "none.csv"], "no such file"),
    ],
)
def test_mistakes_are_told(run, data, arguments, says):
    done = run("evaluate", data, *arguments)
    assert done.code == 2
    assert says in done.err


def test_an_external_file_is_stamped(run, data):
    done = run(
        "evaluate",
        data,
        *QUICK[:4],
        "--arm",
        "smoothed-bootstrap,external:more",
        "--folds",
        2,
        "--repeats",
        1,
        "--jobs",
        1,
        "--external",
        f"more={data}",
    )
    assert done.code == 0, done.err
    assert "more is external information: its 120 rows" in " ".join(done.out.split())
    assert "120 of them equal real ones" in " ".join(done.out.split())


def test_a_file_to_ship_is_written_and_its_lines_are_printed(run, data, tmp_path):
    done = run("evaluate", data, *QUICK, "--model", "best.skops", "--html", "page.html")
    assert done.code == 0, done.err
    assert "wrote best.skops" in done.err
    *_, title, first, second, _ = done.out.splitlines()
    assert title == "in best.skops, to load and use:"
    assert first == "from skops.io import load"
    assert second.startswith("model = load('best.skops', trusted=['makeweight.evaluation.final.FinalModel', ")
    page = (tmp_path / "page.html").read_text()
    assert second in html.unescape(page)
    names = {}
    exec("\n".join((first, second)), names)
    frame = pd.read_csv(data)
    assert set(names["model"].predict(frame)) == {"no", "yes"}
    for options, message in (
        (("--model", "best.skops"), "the output file exists"),
        (("--model", "best.pkl"), "--model writes no such file"),
    ):
        again = run("evaluate", data, *QUICK, *options)
        assert again.code == 2
        assert message in again.err
        assert "comparing" not in again.err
