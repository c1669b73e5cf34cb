"""Help, `inspect`, `generators`, `doctor`, `demo`, and what they share."""

import importlib.metadata
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from makeweight.cli import _show, doctor, main
from makeweight.cli._app import COMMANDS, app
from makeweight.cli._progress import Reporter, state
from makeweight.progress import Progress


def test_help_imports_nothing_heavy():
    script = """
import sys
from makeweight.cli import main
try:
    main(["--help"])
except SystemExit:
    print(*sys.modules, sep="\\n")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert "balance" in done.stdout
    heavy = {"numpy", "pandas", "pyarrow", "scipy", "sklearn", "joblib", "rich", "jinja2", "torch"}
    assert heavy.isdisjoint(done.stdout.split("\n"))


def test_the_help_of_the_group_is_that_of_the_commands():
    for name, line in COMMANDS.items():
        command = app.get_command(None, name)
        assert command.help.partition("\n")[0] == line
    assert app.get_command(None, "nothing") is None


def test_without_a_command_there_is_help(run):
    result = run()
    assert result.code == 2
    assert "Commands:" in result.err
    assert run("--version").out == f"makeweight, version {importlib.metadata.version('makeweight')}\n"
    assert run("-h").code == 0


def test_inspect_shows_every_column_with_kind_and_reason(run, csv):
    rows = (f"{i},{i % 7}.5,1,{'pq'[i % 5 == 0]},{i} words and words {i},{'ab'[i % 5 == 0]}\n" for i in range(60))
    csv.write_text("id,x,constant,same,text,y\n" + "".join(rows))
    result = run("inspect", csv, "--target", "y")
    assert result.code == 0
    for line in (
        "id        identifier   every value is different, and they count through",
        "identifier: carries no information",
        "constant: synthetic rows get the same value",
        "looks like a copy of the target",
        "free text: only language models write it",
        "y=b      12  20.0 %         +36",
    ):
        assert line in result.out
    assert all(line == line.rstrip() for line in result.out.splitlines())


def test_inspect_json(run, csv):
    report = run("inspect", csv, "--target", "paid", "--group-by", "sex", "--json").json
    columns = {column["name"]: column for column in report["columns"]}
    assert columns["age"]["kind"] == "integer"
    assert columns["colour"]["missing_share"] > 0
    assert columns["colour"]["categories"] == ["green", "red"]
    assert [group["n_real"] for group in report["groups"]] == [16, 16, 4, 4]
    assert report["empty_cells"] == []


def test_inspect_names_columns_that_others_determine(run, csv):
    lines = (f"{i % 7},{i * i % 53},{i % 7 + i * i % 53},{'ab'[i % 2]}\n" for i in range(80))
    csv.write_text("one,other,both[0],y\n" + "".join(lines))
    assert "both[0] = one + other" in run("inspect", csv, "--target", "y").out
    assert run("inspect", csv, "--json").json["determined"] == ["both[0] = one + other"]


def test_inspect_names_empty_cells(run, csv):
    csv.write_text("x,sex,y\n1,f,a\n2,m,a\n3,f,b\n4,f,a\n")
    assert "cells without a single row: y=b, sex=m" in run("inspect", csv, "--target", "y", "--group-by", "sex").out


def test_inspect_without_a_target(run, csv):
    result = run("inspect", csv)
    assert result.code == 0
    assert "--target COL also shows the groups" in result.out


def test_inspect_of_a_parquet_file_with_dates(run, csv, tmp_path):
    frame = pd.DataFrame(
        {"when": pd.date_range("2020-01-01", periods=20), "x": np.arange(20) / 3, "y": ["a", "b"] * 10}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    assert "2020-01-01 to 2020-01-20" in run("inspect", tmp_path / "t.parquet", "--target", "y").out


def test_many_groups_are_cut_short(run, csv):
    csv.write_text("x,y\n" + "".join(f"{i}.5,label{i % 50}\n" for i in range(120)))
    assert "and 10 more" in run("inspect", csv, "--target", "y").out
    assert "and 10 more" in run("balance", csv, "--target", "y", "--dry-run").out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit_the_terminal(run, csv, monkeypatch, width):
    name = "a column with a name that is much too long for any terminal"
    csv.write_text(f"{name},y\n" + "".join(f"category number {i % 12},{'ab'[i % 2]}\n" for i in range(60)))
    monkeypatch.setattr(_show, "NO_TERMINAL", width)
    result = run("inspect", csv, "--target", "y")
    assert max(map(len, result.out.splitlines())) <= width
    assert "categorical" in result.out


def test_generators(run):
    result = run("generators")
    assert "smoothed-bootstrap" in result.out
    listed = run("generators", "--json").json["generators"]
    assert {"smoothed-bootstrap", "random", "smote", "smotenc", "borderline-smote", "adasyn"} <= {
        info["name"] for info in listed if info["usable"]
    }


def test_generators_that_cannot_be_used_are_told(run, monkeypatch):
    from makeweight.generators import registry

    info = registry.GeneratorInfo("far", "rows", "much", "little", "no.such:Thing", problem="not installed")
    monkeypatch.setattr(registry, "available", lambda: [info])
    assert "far cannot be used here: not installed" in run("generators").out


def test_doctor(run, monkeypatch):
    monkeypatch.setattr(
        doctor,
        "requirements",
        lambda: [
            ("click", ">=8.1", None),
            ("joblib", ">=1.3", "fine"),
            ("no-such-package", ">=1", "absent"),
            ("rich", ">=9999", "old"),
        ],
    )
    result = run("doctor")
    assert result.code == 0
    assert 'not installed: pip install "makeweight[absent]"' in result.out
    assert 'too old, >=9999 is needed: pip install -U "rich>=9999"' in result.out
    assert "what is required works" in result.out
    monkeypatch.setattr(doctor, "GENERATORS", "")  # they have been tried
    report = run("doctor", "--json").json
    assert [package["works"] for package in report["packages"]] == [True, True, False, False]
    assert report["ok"]
    assert report["devices"]["cpu_cores"] >= 1


def test_doctor_finds_packages_that_break(run, monkeypatch, tmp_path):
    (tmp_path / "joblib.py").write_text("import os; os._exit(7)\n")
    (tmp_path / "rich.py").write_text("raise ValueError('built for another version')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "requirements", lambda: [(n, "", None) for n in ("rich", "joblib", "click")])
    monkeypatch.setattr(doctor, "GENERATORS", "")
    result = run("doctor", "--json")
    assert result.code == 3
    problems = [package["problem"] for package in result.json["packages"]]
    assert problems == ["ValueError: built for another version", "importing it ends the process with exit code 7", None]
    assert "something that is required does not work" in run("doctor").out


@pytest.mark.parametrize("seconds", [-1.0, 60.0])
def test_doctor_says_what_it_had_no_time_to_try(run, monkeypatch, seconds):
    monkeypatch.setattr(doctor, "SECONDS", seconds)
    asked = [("click", ">=8.1", None), ("no-such-package", ">=1", "hf")]
    monkeypatch.setattr(doctor, "requirements", lambda: asked)
    report = run("doctor", "--json").json
    assert report["ok"]
    late = seconds < 0
    rows = {row["name"]: row for row in report["generators"]}
    assert rows["transformer"]["usable"] is (None if late else True)
    if late:
        assert rows["causal-lm"]["problem"] == "it needs no-such-package"
        assert "importing it took too long to be tried here" in run("doctor").out


def test_doctor_keeps_what_was_tried_before_an_import_ends_the_process():
    told = '{"name": "smote", "problem": null, "licence": null}'
    noise = "print('{}'); print('generator {', end='', flush=True)"
    listing = doctor._start(f"import os; print('generator {told}'); {noise}; os._exit(1)")
    rows = {row["name"]: row["usable"] for row in doctor.generators(listing, [], time.monotonic() + 60)}
    assert rows["smote"] is True
    assert rows["transformer"] is None


def test_requirements_are_those_of_the_package():
    found = {name: extra for name, _, extra in reversed(doctor.requirements())}
    assert found["numpy"] is None
    assert found["polars"] == "polars"
    assert "torch" not in {name for name, _, extra in doctor.requirements() if extra is None}
    assert found["peft"] == "hf"
    assert {extra for _, _, extra in doctor.requirements()} - {None} == set(doctor.EXTRAS)


def test_what_is_not_for_this_machine_is_not_required(monkeypatch):
    asked = ["numpy>=1.26", "torch>=2.4; sys_platform == 'nowhere'", "peft>=0.17; extra == 'hf'"]
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: asked)
    assert doctor.requirements() == [("numpy", ">=1.26", None), ("peft", ">=0.17", "hf")]


def test_devices_are_asked_of_torch(monkeypatch):
    pytest.importorskip("torch")
    found = doctor.devices(doctor._start(doctor.DEVICES), time.monotonic() + 120)
    assert set(found) == {"cpu_cores", "cuda", "mps", "threads"}


@pytest.mark.parametrize(
    ("cuda", "mps", "line"),
    [
        ([], False, "devices: 4 CPU cores; no CUDA device"),
        (["NVIDIA H200"], False, "devices: 4 CPU cores; NVIDIA H200"),
        ([], True, "devices: 4 CPU cores; no CUDA device; Apple GPU (mps)"),
    ],
)
def test_devices_are_named(cuda, mps, line):
    assert doctor._devices_line({"cpu_cores": 4, "cuda": cuda, "mps": mps}) == line


def test_demo(run, csv):
    result = run("demo", "--repeats", 1, "--output", "d")
    assert result.code == 0
    for text in (
        "$ makeweight balance d/train.csv --target diagnosis",
        "groups",
        "ledger",
        "do nothing",
        "do nothing + logit shift",
        "random oversampling",
        "SMOTE",
        "makeweight",
        "d/balanced.csv",
    ):
        assert text in result.out
    train, balanced = (pd.read_csv(csv.parent / "d" / f"{name}.csv") for name in ("train", "balanced"))
    assert (train["diagnosis"] == "malignant").mean() == pytest.approx(0.05, abs=0.005)
    assert balanced["diagnosis"].value_counts().nunique() == 1
    pd.testing.assert_frame_equal(balanced.iloc[: len(train)], train)
    test = pd.read_csv(csv.parent / "d" / "test.csv")
    assert not len(test.merge(train, how="inner"))
    assert run("demo", "--output", "d").code == 2
    again = run("demo", "--repeats", 1, "--output", "d", "--force", "--json").json
    assert again["balance"]["ledger"]["shortfall"] == 0
    effect = again["effect"]
    assert effect["repeats"] == 1
    for arm in effect["arms"].values():
        assert 0 < arm["balanced_log_loss"]["mean"] < 1
        assert 0.9 < arm["auroc"]["mean"] <= 1


def test_demo_needs_a_folder_it_can_make(run, csv):
    result = run("demo", "--output", csv / "d")
    assert result.code == 2
    assert "cannot make the folder" in result.err


def test_progress_says_how_far_and_how_fast():
    progress = Progress("writing rows", 50, 200, 2.0, 6.0, "y=b (balance), 50.0% accepted")
    assert state(progress) == "50/200, 25 per second, 6.0 s left, y=b (balance), 50.0% accepted"
    console = Console(force_terminal=True, width=80, file=open(os.devnull, "w"))  # noqa: SIM115
    with Reporter(console) as reporter:
        reporter(progress)
        reporter.say("writing")
    console.file.close()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.031, "0.03 s"), (2.345, "2.3 s"), (100, "1 min 40 s"), (7260, "2 h 01 min")]
)
def test_lengths_of_time(seconds, text):
    assert _show.seconds(seconds) == text


def test_shares_and_plain_values():
    assert _show.share(9_999_999, 10_000_000) == ">99.9 %"
    assert _show.plain({"a": np.float64("nan"), 1: (np.int64(2), {3}), "c": np.array([1.5])}) == {
        "a": None,
        "1": [2, [3]],
        "c": [1.5],
    }


def completed(monkeypatch, capsys, *words, shell="bash"):
    monkeypatch.setenv("_MAKEWEIGHT_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(("makeweight", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    assert main() == 0
    return [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]


def test_a_shell_completes_commands_and_options(monkeypatch, capsys):
    assert completed(monkeypatch, capsys, "sa") == ["sample"]
    assert {"balance", "split", "doctor"} <= set(completed(monkeypatch, capsys, ""))
    assert completed(monkeypatch, capsys, "balance", "--synthetic-o") == ["--synthetic-only"]
    assert completed(monkeypatch, capsys, "balance", "data.csv", "--copies", "re") == ["reject"]
    for command in ("balance", "evaluate", "scaling"):
        assert completed(monkeypatch, capsys, command, "data.csv", "--generator", "smo") == [
            "smoothed-bootstrap",
            "smote",
            "smotenc",
        ]
    assert "--target" not in completed(monkeypatch, capsys, "nonsense", "--x")
    for shell in ("bash", "zsh", "fish"):
        monkeypatch.setenv("_MAKEWEIGHT_COMPLETE", f"{shell}_source")
        assert main() == 0
        assert "_MAKEWEIGHT_COMPLETE=" in capsys.readouterr().out


@pytest.mark.parametrize("attributes", [("--group-by", "sex,colour"), ("--group-by", "sex", "--group-by", "colour")])
def test_grouping_attributes_are_repeated_or_have_commas(run, csv, attributes):
    by = ("sex", "colour")
    assert tuple(run("inspect", csv, "--target", "paid", *attributes, "--json").json["group_by"]) == by
    written = run(
        "balance", csv, "--target", "paid", *attributes, "--generator", "random", "-o", "b.csv", "--force", "--json"
    )
    assert tuple(written.json["group_by"]) == by
    split = run("split", csv, "--target", "paid", *attributes, "--force", "--json").json
    assert "colour=green" in str(split["groups"])
    sample = run(
        "sample", csv, "--target", "paid", *attributes, "-n", "3", "--generator", "random", "--where", "colour=red"
    )
    assert sample.code == 0, sample.err
    report = run("report", csv, csv, "--target", "paid", *attributes, "--mute", "MWQ07", "--json")
    assert "sex" in report.out, report.err
    assert report.code == 0


def test_a_seed_that_was_drawn_is_printed(run, csv):
    for words in (("report", csv, csv, "--target", "paid"), ("split", csv, "--target", "paid", "--force")):
        first = run(*words)
        said = first.err + first.out
        assert "seed " in said
        seed = said.partition("seed ")[2].split()[0].strip(",")
        again = run(*words, "--seed", seed)
        assert again.out == first.out
