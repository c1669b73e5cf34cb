"""Output files of all commands are refused in the same words, before any work, and are whole or not there."""

import json
import os

import pytest

from makeweight.cli import _outputs
from makeweight.errors import FileProblem

#: Option of a command, and a file that it would write.
OPTIONS = {
    "report -o page": (("report", "t.csv", "t.csv", "--target", "y"), "-o", "out.html"),
    "report -o json": (("report", "t.csv", "t.csv", "--target", "y"), "-o", "out.json"),
    "evaluate -o": (("evaluate", "t.csv", "--target", "y"), "-o", "out.json"),
    "evaluate --html": (("evaluate", "t.csv", "--target", "y"), "--html", "out.html"),
    "scaling -o": (("scaling", "t.csv", "--target", "y"), "-o", "out.json"),
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


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anywhere
    with pytest.raises(FileProblem, match="the directory cannot be written to"):
        _outputs.check("-o", str(tmp_path / "r.json"), _outputs.JSON, force=False)


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


def test_results_that_cannot_be_kept_are_told(run, csv, tmp_path):
    (tmp_path / "r.jsonl").mkdir()
    done = run("evaluate", csv, "--target", "paid", "--folds", 2, "-o", tmp_path / "r.json")
    assert done.code == 2
    assert "error: cannot keep results as they come" in done.err
