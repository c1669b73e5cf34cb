"""Output files of all commands are refused in the same words, before any work, and are whole or not there."""

import errno
import json
import os
from pathlib import Path

import pytest

from makeweight.cli import _outputs
from makeweight.errors import FileProblem
from makeweight.evaluation.store import ArmRecord, Log

#: Option of a command, and a file that it would write.
OPTIONS = {
    "report -o page": (("report", "t.csv", "t.csv", "--target", "y"), "-o", "out.html"),
    "report -o json": (("report", "t.csv", "t.csv", "--target", "y"), "-o", "out.json"),
    "evaluate -o": (("evaluate", "t.csv", "--target", "y"), "-o", "out.json"),
    "evaluate --html": (("evaluate", "t.csv", "--target", "y"), "--html", "out.html"),
    "scaling -o": (("scaling", "t.csv", "--target", "y"), "-o", "out.json"),
    "scaling --html": (("scaling", "t.csv", "--target", "y"), "--html", "out.html"),
    "scaling --figure": (("scaling", "t.csv", "--target", "y"), "--figure", "out.svg"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_that_cannot_be_written_is_refused_before_the_table_is_read(run, tmp_path, monkeypatch, name):
    command, option, file = OPTIONS[name]
    monkeypatch.chdir(tmp_path)  # there is no t.csv: that would be told, had anything been read
    (tmp_path / file).write_text("old")
    (tmp_path / file.replace("out", "folder")).mkdir()
    for given, error, hint in (
        (file, f"the output file exists ({file})", "--force replaces it"),
        (file.replace("out", "folder"), "the output is a directory", "name a file in it"),
        (f"no/{file}", "no such directory (no)", "mkdir -p no"),
        ("t.csv", f"{option} writes no such file: got 't.csv'", f"hint: {option} t."),
    ):
        done = run(*command, option, given)
        assert (done.code, done.out) == (2, "")
        assert f"error: {error}" in done.err
        assert hint in done.err
    assert (tmp_path / file).read_text() == "old"
    assert "no such file" in run(*command, option, file, "--force").err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc here, in which nobody may write")
@pytest.mark.parametrize("name", OPTIONS)
def test_a_directory_that_cannot_be_written_to_is_refused(run, tmp_path, monkeypatch, name):
    command, option, file = OPTIONS[name]
    monkeypatch.chdir(tmp_path)
    done = run(*command, option, f"/proc/{file}")
    assert (done.code, done.out) == (2, "")
    assert "error: the directory cannot be written to (/proc)" in done.err


def test_a_place_is_tried_and_left_as_it_was(tmp_path):
    _outputs.check("-o", str(tmp_path / "r.json"), _outputs.JSON, force=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OPTIONS)
def test_a_file_that_cannot_be_written_in_the_end_does_not_cost_the_answer(run, csv, monkeypatch, name):
    (command, _, *given), option, file = OPTIONS[name]
    given = [str(csv) if word == "t.csv" else "paid" if word == "y" else word for word in (_, *given)]
    quick = {
        "report": [],
        "evaluate": ["--estimator", "lr", "--arm", "smoothed-bootstrap", "--splits", 2, "--folds", 2, "--jobs", 1],
        "scaling": ["--repeats", 1, "--folds", 2, "--sizes", "0,9", "--jobs", 1],
    }[command]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("makeweight.table.files.replace_file", full)
    done = run(command, *given, *quick, option, file)
    assert done.code == 2
    assert f"error: cannot write the file ({file}): got No space left on device" in done.err
    assert "wrote" not in done.err
    assert len(done.out.splitlines()) > 5


def test_what_was_there_survives_a_failure(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        _outputs.write(str(path), 7)
    with pytest.raises(FileProblem, match=r"cannot write the file .*no.r\.json"):
        _outputs.write(str(tmp_path / "no" / "r.json"), "new")
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert path.read_text() == "old"
    _outputs.write_json(str(path), {"x": float("nan"), "é": 1})
    assert json.loads(path.read_text(encoding="utf-8")) == {"x": None, "é": 1}


def test_results_that_cannot_be_kept_as_they_come_are_told(run, csv, tmp_path):
    (tmp_path / "r.jsonl").mkdir()
    done = run("evaluate", csv, "--target", "paid", "-o", tmp_path / "r.json")
    assert done.code == 2
    assert "error: the output is a directory" in done.err
    with pytest.raises(FileProblem, match=r"cannot keep results as they come .*no.r\.jsonl"):
        Log(tmp_path / "no" / "r.jsonl", {})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_fills_up_on_the_way_is_told(tmp_path):
    log = Log(tmp_path / "r.jsonl", {})
    log.close()
    with Path("/dev/full").open("w") as full:
        log._stream = full
        with pytest.raises(FileProblem, match=r"cannot keep results as they come .*No space left"):
            log.add([ArmRecord(0, 0, "real", "nothing", "lr", error="b" * 100_000)])
        log._stream = None
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize("place", ["table.csv", "./table.csv", "link.csv", "hard.csv"])
def test_real_rows_are_never_written_over(run, csv, place):
    (csv.parent / "link.csv").symlink_to("table.csv")
    os.link(csv, csv.parent / "hard.csv")
    before = csv.read_bytes()
    generator = ("--target", "paid", "--generator", "smoothed-bootstrap")
    for command in (("balance", csv, *generator, "--synthetic-only"), ("sample", csv, *generator, "-n", 3)):
        done = run(*command, "-o", place, "--force")
        assert (done.code, csv.read_bytes()) == (2, before)
        assert f"the output is the file of the real rows ({place})" in done.err
    csv.rename(csv.parent / "train.csv")
    assert (
        "the output is the file of the real rows"
        in run("split", "train.csv", "--target", "paid", "-o", ".", "--force").err
    )
