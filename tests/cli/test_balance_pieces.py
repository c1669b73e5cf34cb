"""`makeweight balance --engine`."""

import json
import subprocess
import sys
import time

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.partitioned.source import PartSource
from partitioned_tables import cut

PIECES = ("--target", "paid", "--engine", "local", "--seed", 1)


@pytest.fixture
def parts(table, tmp_path, monkeypatch):
    """The table in three part files in the working directory."""
    monkeypatch.chdir(tmp_path)
    return cut(pa.Table.from_pandas(table, preserve_index=False), tmp_path / "parts", [10, 25])


def test_a_folder_becomes_a_folder(run, parts):
    result = run("balance", "parts", *PIECES, "-o", "out")
    assert result.code == 0
    assert result.out == ""
    for word in (
        "40 rows x 6 columns, 40 of them to learn from",
        "groups",
        "ledger",
        "24 rows by",
        "seed 1",
        "wrote 64 rows to out: 3 copies of real part files and 1 synthetic ones",
    ):
        assert word in result.err
    assert pd.read_parquet("out")["paid"].value_counts().to_dict() == {"no": 32, "yes": 32}


def test_json_has_the_parts(run, parts):
    report = run("balance", "parts", *PIECES, "-o", "out", "--json", "--synthetic-only").json
    assert report["ledger"]["accepted"] == report["parts"][0]["rows"] == 24
    assert [part["name"] for part in report["parts"]] == ["synthetic-00000.parquet"]


def test_a_dry_run_writes_nothing(run, parts):
    result = run("balance", "parts", *PIECES, "--dry-run", "--augment", 2)
    assert result.code == 0
    assert "+24" in result.out
    report = run("balance", "parts", *PIECES, "--dry-run", "--json").json
    assert (report["n_real"], report["n_synthetic"]) == (40, 24)
    assert [path.name for path in parts.parent.iterdir()] == ["parts"]


def test_an_interrupt_says_how_to_go_on(run, parts, monkeypatch):
    propose = InContextTransformer.propose
    monkeypatch.setattr(InContextTransformer, "propose", interrupt)
    result = run("balance", "parts", *PIECES, "-o", "out")
    assert result.code == 130
    said, command = result.err.splitlines()
    assert said == "interrupted: 3 parts are done in out; the same command with --resume continues"
    assert command.startswith("to go on: makeweight balance ")
    assert command.endswith(" --resume")
    monkeypatch.setattr(InContextTransformer, "propose", propose)
    assert run("balance", "parts", *PIECES, "-o", "out").code == 2
    result = run("balance", "parts", *PIECES, "-o", "out", "--resume")
    assert result.code == 0
    assert "3 of 4 parts were written before" in result.err
    assert len(pd.read_parquet("out")) == 64
    monkeypatch.setattr(PartSource, "open", interrupt)
    result = run("balance", "parts", *PIECES, "-o", "other")
    assert result.code == 130
    assert result.err.startswith("interrupted: nothing was written\nto go on: makeweight balance ")
    assert "--resume" not in result.err


def interrupt(*_, **__):
    raise KeyboardInterrupt


def test_a_shortfall_says_how_to_finish(run, parts):
    arguments = ("balance", "parts", *PIECES, "-o", "out", "--generator", "random", "--copies", "reject")
    result = run(*arguments)
    assert result.code == 3
    assert "short by 24 for paid=yes" in result.err
    assert "--resume --on-shortfall warn" in result.err
    result = run(*arguments, "--resume", "--on-shortfall", "warn")
    assert result.code == 0
    assert "24 rows short" in result.err


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("parts", *PIECES), "--engine writes a folder", "-o balanced/"),
        (("parts", *PIECES, "-o", "out", "--provenance"), "--provenance does not go with --engine", "manifest"),
        (("parts", *PIECES, "-o", "out", "--alpha", 0.5), "--alpha does not", "manifest"),
        (("parts", *PIECES, "-o", "out", "--synthetic-weight", 9), "--synthetic-weight does", "manifest"),
        (("parts", *PIECES, "-o", "out", "--max-seconds", 5), "--max-seconds does not", "--resume"),
        (("parts", *PIECES, "-o", "out", "--missing", "?"), "--missing does not", "Parquet"),
        (("parts", *PIECES, "-o", "out", "--generator", "chat"), "asks an endpoint", "engine"),
        (("part", *PIECES, "-o", "out"), "no such file or folder", "did you mean 'parts'"),
        (("parts", *PIECES, "-o", "out", "--resume", "--force"), "continues", "leave one of them out"),
        (("parts", *PIECES, "-o", "parts"), "lies within the other", "-o"),
        (("parts", *PIECES, "-o", "out", "--kind", "paid=text"), "are categories", "leave it out"),
        (("parts", *PIECES[2:], "--target", "piad", "-o", "out"), "unknown column", "did you mean 'paid'"),
        (("parts", "--target", "paid", "--engine", "dask", "-o", "out"), "unknown engine", "dask scheduler"),
        (("parts", "--target", "paid", "-o", "o.csv"), "a directory is no table", "--engine local"),
        (("parts", "--target", "paid", "--resume"), "--resume is for folders", "--engine local"),
        (("table.csv", *PIECES, "-o", "out"), "only Parquet", "leave out --engine"),
    ],
)
def test_what_does_not_fit_is_told(run, parts, table, arguments, error, hint):
    table.to_csv("table.csv", index=False)
    result = run("balance", *arguments)
    assert result.code == 2
    assert error in result.err
    assert hint in result.err.partition("hint: ")[2]
    assert not (parts.parent / "out").exists()


def test_part_files_that_differ_are_named(run, parts):
    table = pq.read_table(parts / "part.1.parquet")
    pq.write_table(table.set_column(1, "age", table["age"].cast("string")), parts / "part.1.parquet")
    result = run("balance", "parts", *PIECES, "-o", "out")
    assert result.code == 2
    assert "column 'age'" in result.err
    assert "part.1.parquet" in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process as POSIX does")
def test_a_command_that_is_killed_is_taken_up_again(run, parts):
    many = ("--generator", "smoothed-bootstrap", "--augment", 75_000)
    arguments = [str(argument) for argument in ("balance", "parts", *PIECES, *many, "-o", "out")]
    process = subprocess.Popen([sys.executable, "-m", "makeweight", *arguments], stderr=subprocess.DEVNULL)
    first = parts.parent / "out" / "_makeweight" / "synthetic-00000.parquet.json"
    while not first.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    done = json.loads(first.read_text())
    result = run(*arguments, "--resume", "--json")
    assert result.code == 0
    assert result.json["ledger"]["accepted"] == 150_024
    assert {"name": done["name"], "sha256": done["sha256"]}.items() <= result.json["parts"][3].items()
    assert "parts were written before" in result.err
    assert not list((parts.parent / "out").glob(".*"))
