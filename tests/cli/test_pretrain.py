"""`pretrain`, and what `doctor` says of the weights."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from makeweight.cli import doctor

pytest.importorskip("torch")

from makeweight.generators.transformer import config, manifest, weights
from makeweight.generators.transformer.labels import config as labels
from makeweight.generators.transformer.tables import RealTables


@pytest.fixture
def small(monkeypatch):
    """A configuration that trains in a second, in place of the smallest real one."""
    train = dataclasses.replace(config.TrainConfig(), cells=200, validation_tasks=4, curriculum=1)
    prior = config.PriorConfig(max_context=20, max_columns=3, queries=4)
    own = config.Config("tiny", config.ModelConfig(width=16, layers=1, heads=2), prior, train)
    monkeypatch.setitem(config.CONFIGS, "tiny", own)


def test_pretrain(run, small, tmp_path):
    arguments = ("pretrain", "--hours", 0.0005, "--device", "cpu")
    result = run(*arguments, "-o", tmp_path / "run", "--figure", tmp_path / "curve.png")
    assert result.code == 0
    assert "step " in result.err
    assert "chain" in result.err
    assert "the best weights are in" in result.out
    assert weights.load(tmp_path / "run" / "best")[1].config == "tiny"
    assert (tmp_path / "curve.png").stat().st_size > 1000
    again = run(*arguments, "-o", tmp_path / "run")
    assert again.code == 2
    assert "--resume" in again.err
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    resumed = run(*arguments, "-o", tmp_path / "run", "--resume", checkpoint, "--horizon", 1, "--json")
    assert resumed.code == 0
    assert set(resumed.json["validation"]) == {"numeric", "categorical", "missing", "total", "contrast"}


@pytest.fixture
def tables(tmp_path):
    """A folder of tables that people might have made."""
    folder = tmp_path / "tables"
    folder.mkdir()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        columns = {f"x{k}": rng.normal(size=200) + rng.normal() for k in range(4)}
        pd.DataFrame(columns | {"y": rng.choice(["yes", "no"], 200)}).to_csv(folder / f"{seed}.csv", index=False)
    return folder


@pytest.mark.parametrize("network", ["rows", "labels"])
def test_tables_that_people_made(run, small, small_labels, tables, tmp_path, monkeypatch, network):
    drawn, draw = [], RealTables.draw
    monkeypatch.setattr(RealTables, "draw", lambda *given: drawn.append(given) or draw(*given))
    arguments = ("pretrain", "--network", network, "--hours", 0.0005, "--tables", tables, "-o", tmp_path / "run")
    result = run(*arguments, *(("--device", "cpu") if network == "rows" else ()))
    assert result.code == 0, result.err
    assert drawn
    lonely = run(*arguments[:-3], tmp_path, "-o", tmp_path / "other")
    assert lonely.code == 2
    assert "too few tables to learn from" in lonely.err


@pytest.fixture
def small_labels(monkeypatch):
    """A network of labels that trains in a second."""
    model = labels.LabelModelConfig(cell_width=16, row_width=16, cell_layers=1, row_layers=1, points=4, trees=4)
    train = labels.LabelTrainConfig(largest=(48, 48), cells=1_000, validation_tasks=2)
    own = labels.LabelConfig(model, config.PriorConfig(max_columns=3, queries=16), train)
    monkeypatch.setattr(labels, "LabelConfig", lambda: own)


def test_the_network_of_labels(run, small_labels, tmp_path):
    arguments = ("pretrain", "--network", "labels", "--hours", 0.0003)
    result = run(*arguments, "-o", tmp_path / "line")
    assert result.code == 0
    assert "closed form" in result.err
    assert "the weights are in" in result.out
    checkpoint = tmp_path / "line" / "checkpoint.pt"
    branch = run(*arguments, "-o", tmp_path / "branch", "--resume", checkpoint, "--decay", "--json")
    assert branch.code == 0
    assert branch.json["validation"]["step"] > 1
    assert (tmp_path / "branch" / "labels.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--network", "labels"), "--device belongs to --network rows"),
        (("--decay",), "--decay belongs to --network labels"),
    ],
)
def test_options_of_the_other_network_are_refused(run, tmp_path, arguments, says):
    result = run("pretrain", "--hours", 1, "-o", tmp_path / "run", "--device", "cpu", *arguments)
    assert result.code == 2
    assert says in result.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--hours", 0), "'--hours'"),
        (("--hours", 1, "--horizon", -1), "'--horizon'"),
        (("--hours", 1, "--resume", "none.pt"), "the checkpoint cannot be read"),
        (("--hours", 1, "--figure", "curve.gif"), "--figure writes no such file"),
        (("--hours", 1, "--config", "huge"), "huge"),
        ((), "--hours"),
    ],
)
def test_mistakes_are_told(run, small, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    result = run("pretrain", *arguments, "-o", "run", "--device", "cpu")
    assert result.code == 2
    assert says in result.err
    assert not (tmp_path / "run" / "best").exists()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The weights of the package, in a folder where they can be damaged."""
    folder = tmp_path / "weights"
    shutil.copytree(manifest.embedded(), folder)
    monkeypatch.setattr(manifest, "embedded", lambda: folder)
    monkeypatch.setattr(doctor, "requirements", lambda: [("click", ">=8.1", None)])
    monkeypatch.setattr(doctor, "GENERATORS", "")  # other processes try them out for seconds
    return folder


def test_doctor_checks_the_weights(run, copy):
    result = run("doctor", "--json")
    assert result.code == 0
    found = result.json["weights"]
    assert found["works"]
    assert found["sha256"] == json.loads((copy / "manifest.json").read_text())["sha256"]
    assert "SHA-256 checked" in run("doctor").out


@pytest.mark.parametrize("damage", ["truncated", "altered", "missing", "manifest"])
def test_doctor_finds_damaged_weights(run, copy, damage):
    path = copy / "weights.safetensors"
    content = path.read_bytes()
    if damage == "truncated":
        path.write_bytes(content[:-100])
    elif damage == "altered":
        path.write_bytes(content[:5000] + b"?" + content[5001:])
    elif damage == "missing":
        path.unlink()
    else:
        (copy / "manifest.json").write_text("{half")
    result = run("doctor", "--json")
    assert result.code == 3
    found = result.json["weights"]
    assert not found["works"]
    assert "weights" in found["problem"]
    shown = " ".join(run("doctor").out.split())  # long paths move the ends of lines
    assert "pip install --force-reinstall" in shown
    assert "something that is required does not work" in shown


def test_an_interrupted_training_says_where_it_goes_on(run, small_labels, tmp_path, monkeypatch):
    from makeweight.generators.transformer.labels.training import LabelTrainer

    def stop(trainer):
        if trainer.step == 2:
            trainer.checkpoint()
        if trainer.step == 3:
            raise KeyboardInterrupt
        trainer.step += 1

    monkeypatch.setattr(LabelTrainer, "train_step", stop)
    arguments = ("pretrain", "--network", "labels", "--hours", 1, "-o", tmp_path)
    first = run(*arguments)
    checkpoint = tmp_path / "checkpoint.pt"
    assert first.code == 130
    assert f"what was trained until the last checkpoint is in {checkpoint}" in " ".join(first.err.split())
    assert f"-o {tmp_path} --resume {checkpoint}" in first.err
    moved = tmp_path / "elsewhere.pt"
    checkpoint.rename(moved)
    second = run(*arguments, "--resume", moved)
    assert f"hours 1 -o {tmp_path} --resume {checkpoint}" in second.err
