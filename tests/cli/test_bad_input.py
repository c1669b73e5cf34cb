"""A user's mistake is told in two lines, with exit code 2, and nothing is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = b"x,z,y\n" + b"".join(b"%d.5,%d,%s\n" % (i, i * i, b"ab"[i % 5 == 0 :][:1]) for i in range(30))
WIDE = b"x,y\n" + b"".join(b"%d,v%d\n" % (i % 7, i) for i in range(1_000_000))
BALANCE = ("balance", "t.csv", "--target", "y", "-o", "out.csv")

#: What t.csv holds (None: no such file), the command, and what the error and the hint say.
CASES = {
    "missing file": (None, BALANCE, "no such file", "working directory"),
    "empty file": (b"", BALANCE, "the file is empty", "check how"),
    "wrong encoding": ("x,y\n1,é\n".encode("latin-1"), BALANCE, "line 2): got byte 0xe9", "iconv"),
    "ragged": (b"x,y\n1,a\n2,b,c\n", BALANCE, "line 3): got 3, expected 2", "in quotes"),
    "no header": (b"0.5,1\n1.5,0\n2.5,1\n", BALANCE, "the first line holds values", "--no-header"),
    "no rows": (b"x,y\n", BALANCE, "the table has no rows", "nothing to learn"),
    "two columns of one name": (b"x,x,y\n1,2,a\n", BALANCE, "two columns have one name", "rename"),
    "unknown target": (GOOD, ("inspect", "t.csv", "--target", "Y2"), "unknown column", "'y'"),
    "one class": (b"x,y\n1,a\n2,a\n", BALANCE, "the target has one class", "check the target"),
    "target missing in a row": (b"x,y\n1,a\n2,\n3,b\n", BALANCE, "target is missing", "drop those"),
    "infinite value": (GOOD + b"inf,1,a\n", BALANCE, "(column 'x', row 30)", "replace inf"),
    "NaN in the target": (b"x,y\n1,0\n2,NaN\n3,1\n", BALANCE, "target is missing", "drop those"),
    "a million labels": (WIDE, BALANCE, "too many distinct values to form groups", "another column"),
    "unknown kind of file": (GOOD, (*BALANCE[:-1], "o.xls"), "unknown kind", "rename"),
    "one table of two": (GOOD, ("report", "t.csv", "--target", "y"), "missing argument SYNTHETIC", "--help"),
    "unknown option": (GOOD, ("balance", "t.csv", "--targett", "y"), "no such option", "'--target'"),
    "unknown command": (GOOD, ("balanse", "t.csv"), "no such command", "'balance'"),
    "unknown generator": (GOOD, (*BALANCE, "--generator", "smoteee"), "unknown generator", "'smote'"),
    "output there": (GOOD, (*BALANCE[:-1], "t.csv"), "the output is the file of the real rows", "another name"),
    "no output folder": (GOOD, (*BALANCE[:-1], "no/o.csv"), "no such dir", "mkdir -p no"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_told_and_nothing_is_written(run, tmp_path, monkeypatch, name):
    content, command, error, hint = CASES[name]
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    done = run(*command)
    assert done.code == 2, done.err
    lines = done.err.splitlines()
    assert lines[0].startswith("error: "), done.err
    assert error in lines[0]
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]
    assert len(lines) == 2
    assert done.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"] * (content is not None)
    if content is not None:
        assert (tmp_path / "t.csv").read_bytes() == content


def test_a_process_ends_with_the_same(tmp_path):
    (tmp_path / "t.csv").write_bytes(GOOD)
    command = [sys.executable, "-m", "makeweight", "inspect", "t.csv", "--target", "Y2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


#: What is wrong with the command itself.
COMMANDS = {
    ("balance", "table.csv"): ("missing option --target", "inspect DATA"),
    ("balance",): ("missing argument DATA", "makeweight balance --help"),
    ("balance", "table.csv", "--target", "paid", "--seed", "x"): ("'--seed'", "--help"),
    ("balance", "table.csv", "--target", "paid", "--kind", "age=intger"): ("unknown kind", "'integer'"),
    ("balance", "table.csv", "--target", "paid", "--kind", "ag=integer"): ("unknown column", "'age'"),
    ("balance", "table.csv", "--target", "paid", "--kind", "age"): ("--kind takes COL=KIND", None),
    ("balance", "table.csv", "--target", "paid", "--kind", "colour=integer"): ("not numbers", "--missing"),
    ("balance", "table.csv", "--target", "paid", "--option", "=3"): ("--option takes KEY=VALUE", None),
    ("balance", "table.csv", "--target", "paid", "--option", "temprature=3"): ("'temprature'", "temperature"),
    ("balance", "table.csv", "--target", "paid", "--strategy", "minorty"): ("unknown strategy", "'minority'"),
    ("balance", "table.csv", "--target", "paid", "--strategy", "{yes: 3}"): ("not valid JSON", "quote it"),
    ("balance", "table.csv", "--target", "paid", "--strategy", '{"yess": 30}'): ("no group 'yess'", "'yes'"),
    ("balance", "table.csv", "--target", "paid", "--strategy", '{"yes": 3}'): ("cannot be below", None),
    ("balance", "table.csv", "--target", "paid", "--strategy", "7"): ("a ratio", None),
    ("balance", "table.csv", "--target", "paid", "--alpha", "0.5"): ("alpha", "augment"),
    ("balance", "table.csv", "--target", "paid", "--synthetic-weight", "-1"): ("invalid value", None),
    ("balance", "table.csv", "--target", "paid", "--json"): ("cannot both go", "-o FILE"),
    ("balance", "table.csv", "--target", "paid", "--group-by", "paid"): ("target or grouping", None),
    ("balance", "table.csv", "--target", "paid", "--kind", "paid=text"): ("are categories", "leave it out"),
    ("balance", ".", "--target", "paid"): ("a directory is no table", "name a file"),
    ("inspect", "table.csv", "--target", "payd"): ("unknown column", "'paid'"),
    ("inspect", "table.csv", "--target", "income"): ("too many distinct", None),
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_cannot_be_meant_is_told(run, csv, command):
    error, hint = COMMANDS[command]
    if command[-1] == "income":
        csv.write_text("income,x\n" + "".join(f"{i}.5,1\n" for i in range(200)))
    result = run(*command)
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert error in result.err
    assert hint is None or hint in result.err.partition("\nhint: ")[2]
    assert [path.name for path in csv.parent.iterdir()] == ["table.csv"]


def test_errors_are_json_for_programs(run, csv):
    result = run("inspect", csv, "--target", "payd", "--json")
    assert result.code == 2
    error = json.loads(result.out)["error"]
    assert error["type"] == "SchemaError"
    assert error["where"] == "column 'payd'"
    assert error["hint"] == "did you mean 'paid'?"


def test_a_bug_is_not_hidden(run, csv, monkeypatch):
    monkeypatch.setattr("makeweight.table.io.read_table", lambda *_, **__: 1 / 0)
    result = run("inspect", csv)
    assert result.code == 2
    line, hint = result.err.splitlines()
    assert line == "error: something unexpected happened: got ZeroDivisionError: division by zero"
    assert "report it" in hint
    log = Path(hint.rpartition(" with ")[2])
    assert "test_bad_input.py" in log.read_text()
    log.unlink()


def test_columns_that_are_there_already_are_not_doubled(run, csv):
    assert run("balance", csv, "--target", "paid", "--provenance", "-o", "one.csv").code == 0
    result = run("balance", "one.csv", "--target", "paid", "--provenance", "-o", "two.csv")
    assert result.code == 2
    assert "makeweight_synthetic" in result.err
