"""Whatever a value, a place or a record is, a command answers by error and hint, and never by a traceback."""

import io
import json
import os
import threading
from unittest import mock

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from makeweight.cli import main
from makeweight.cli._app import COMMANDS, app

#: Commands that work on a table, with what they cannot do without.
BASE = {
    "inspect": ["t.csv", "--target", "y"],
    "balance": ["t.csv", "--target", "y", "--generator", "random", "--dry-run"],
    "sample": ["t.csv", "-n", "3", "--target", "y", "--generator", "random"],
    "split": ["t.csv", "--target", "y", "--force"],
    "evaluate": ["t.csv", "--target", "y", "--generator", "random", "--arms", "nothing", "--max-seconds", "1"],
    "scaling": ["t.csv", "--target", "y", "--generator", "random", "--max-seconds", "1", "--jobs", "1"],
    "report": ["t.csv", "t.csv", "--target", "y"],
    "generators": [],
    "reproduce": ["no-such-experiment"],
    "pretrain": ["-o", "folder/there", "--hours", "nan"],
}
#: Options whose good values would start real work.
WORK = {"--resume", "--help", "--html", "--figure", "--csv"}
BAD = [
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e999", "9" * 5000, "-7", "0.5", "x", "=", "a=b=c", "a=", "=b",
    "{}", "[]", "[1]", "null", "{\"a\":" * 3000, "{\"yes\": 1e400}", "[{\"rows\": 3}]", "[{\"y\": [], \"rows\": 1}]",
    "\u6771\u4eac", "a\nb", "-", "--", "../..", "/dev/null", "/proc/self/mem", "x" * 300, "x" * 5000, "t.csv", ".",
    "\udcff", "$(ls)", "%s", "y,y", ",", "dask://nowhere", "local", "a.html", "a.json",
]  # fmt: skip
TABLE = "x,z,y\n" + "".join(f"{i / 7:.2f},{i % 3},{'yes' if i >= 32 else 'no'}\n" for i in range(40))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    return tmp_path


def options(command):
    """Return the options of a command that take a value, and whether the base has them already."""
    found = app.get_command(click.Context(app), command)
    return [
        p.opts[-1] for p in found.params if isinstance(p, click.Option) and not p.is_flag and p.opts[-1] not in WORK
    ]


#: A number there is not a mistake: it is hours of training.
HOURS = ("pretrain", "--hours")
WALK = [pair for command in BASE for option in options(command) if (pair := (command, option)) != HOURS]


def test_the_walk_knows_every_command():
    assert set(BASE) | {"doctor", "demo"} == set(COMMANDS)


def answered(capsys, *words):
    """Run a command; what is refused has an error and a hint, and nothing is unexpected."""
    with mock.patch("sys.stdin", io.TextIOWrapper(io.BytesIO(b""))):  # what "-" reads
        code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "unexpected" not in captured.err, captured.err
    assert code in (0, 2, 3), captured.err
    if code == 2:
        assert "error: " in captured.err
        assert "\nhint: " in captured.err
    return code, captured


@pytest.mark.parametrize(("command", "option"), WALK, ids=[" ".join(pair) for pair in WALK])
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.sampled_from(BAD) | st.text(max_size=20))
def test_every_value_of_every_option_is_answered(folder, capsys, command, option, value):
    words = list(BASE[command])
    if option in words:
        words[words.index(option) + 1] = value
    else:
        words += [option, value]
    answered(capsys, command, *words)


@pytest.mark.parametrize("value", BAD)
def test_every_value_of_strategy_and_data_is_answered(folder, capsys, value):
    answered(capsys, "balance", "t.csv", "--target", "y", "--generator", "random", "--dry-run", "--strategy", value)
    if value not in ("-", "t.csv"):
        code, _ = answered(capsys, "inspect", "--target", "y", "--", value)
        assert code == 2


SILENT = [
    *(("--strategy", value) for value in ("{}", "[]", "nan")),
    *(("--max-seconds", value) for value in ("nan", "inf")),
    *(("--jobs", value) for value in ("0", "-7", "99999999")),
    *(("--option", value) for value in ("bandwidth=", "bandwidth=nan")),
    *(("--max-cost", "nan"), ("--alpha", "nan"), ("--synthetic-weight", "inf"), ("--augment", "1" * 30)),
]


@pytest.mark.parametrize("pair", SILENT, ids=" ".join)
def test_what_was_accepted_in_silence_is_refused(folder, capsys, pair):
    words = ("balance", "t.csv", "--target", "y", "--generator", "smoothed-bootstrap", "--dry-run")
    assert answered(capsys, *words, *pair)[0] == 2


def test_a_label_with_commas_equals_signs_and_quotes(folder, capsys):
    label, sex = 'Yes, "often" = 1', "F, f"
    lines = [f'{i / 7:.2f},"{sex if i % 2 else "M"}","{label.replace(chr(34), chr(34) * 2)}"' for i in range(20)]
    (folder / "q.csv").write_text("x,sex,y\n" + "\n".join(lines) + "\n" + '1.5,M,No\n1.7,"F, f",No\n' * 20)
    call = ("balance", "q.csv", "--target", "y", "--group-by", "sex", "--generator", "random", "--dry-run", "--json")
    strategy = json.dumps([{"y": label, "sex": sex, "rows": 30}])
    code, captured = answered(capsys, *call, "--strategy", strategy)
    assert code == 0
    wanted = {entry["group"]: entry["n_balance"] for entry in json.loads(captured.out)["groups"]}
    assert wanted[f"y={label}, sex={sex}"] == 20
    assert sum(wanted.values()) == 20
    described = json.dumps({f"y={label}, sex={sex}": 30})
    assert answered(capsys, *call, "--strategy", described)[0] == 0


@pytest.mark.parametrize(
    ("strategy", "code"),
    [
        ('{"y=yes": 30}', 0),
        ('[{"y": "yes", "rows": 30}, {"y": "yes", "rows": 31}]', 2),
        ('{"yes": 30, "yes": 31}', 2),
        ('{"yes": 30, "y=yes": 30}', 2),
    ],
)
def test_a_group_is_named_as_it_is_printed_and_once(folder, capsys, strategy, code):
    words = ("balance", "t.csv", "--target", "y", "--generator", "random", "--dry-run", "--strategy", strategy)
    assert answered(capsys, *words)[0] == code


def test_places(folder, capsys):
    for name in ("x" * 300 + ".csv", "a/" * 3000 + "t.csv", "nul\0.csv", "t.csv/inside.csv"):
        assert answered(capsys, "inspect", name, "--target", "y")[0] == 2
        out = ("balance", "t.csv", "--target", "y", "--generator", "random", "-o", name)
        assert answered(capsys, *out)[0] == 2
    os.symlink("m.csv", "l.csv")
    os.symlink("l.csv", "m.csv")
    for words in (("inspect", "l.csv", "--target", "y"), ("balance", "t.csv", "--target", "y", "-o", "l.csv")):
        assert answered(capsys, *words)[0] == 2
    assert answered(capsys, "inspect", "/dev/zero", "--target", "y")[0] == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_without_another_end_is_given_up_and_one_with_is_read(folder, capsys, monkeypatch):
    monkeypatch.setattr("makeweight.table.files.PIPE_SECONDS", 0.3)
    os.mkfifo("p.csv")
    assert answered(capsys, "inspect", "p.csv", "--target", "y")[0] == 2
    out = ("balance", "t.csv", "--target", "y", "--generator", "random", "-o", "p.csv")
    assert answered(capsys, *out)[0] == 2
    monkeypatch.setattr("makeweight.table.files.PIPE_SECONDS", 20.0)
    writer = threading.Thread(target=lambda: (folder / "p.csv").write_text(TABLE))
    writer.start()
    assert answered(capsys, "inspect", "p.csv", "--target", "y")[0] == 0
    writer.join()


RECORDS = [
    "",
    "junk",
    "[]",
    "{}",
    "null",
    '"x"',
    "\xff\xfe",
    "[" * 50_000,
    '{"a": ' + "9" * 6000 + "}",
    '{"ledger": []}',
]


@pytest.mark.parametrize("text", RECORDS, ids=range(len(RECORDS)))
def test_damaged_records_are_refused_by_name(folder, capsys, text):
    content = text.encode("latin-1")
    (folder / "l.json").write_bytes(content)
    assert answered(capsys, "report", "t.csv", "t.csv", "--target", "y", "--ledger", "l.json")[0] == 2
    (folder / "e.toml").write_bytes(content)
    assert answered(capsys, "reproduce", "e.toml")[0] == 2
    (folder / "o").mkdir()
    for name in ("run.json", "_makeweight.json"):
        place = folder / "o" / "_makeweight" / name if name == "run.json" else folder / "o" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
        words = (
            "balance",
            "t.csv",
            "--target",
            "y",
            "--generator",
            "random",
            "--engine",
            "local",
            "-o",
            "o",
            "--resume",
        )
        assert answered(capsys, *words)[0] == 2
    (folder / "log.jsonl").write_bytes(content or b"junk")
    assert answered(capsys, "pretrain", "-o", "p", "--hours", "0.001", "--resume", "log.jsonl")[0] == 2


def test_more_rows_than_fit_are_refused_before_work(folder, capsys):
    words = ("balance", "t.csv", "--target", "y", "--generator", "random", "--augment", 10**11, "-o", "o.csv")
    code, captured = answered(capsys, *words)
    assert code == 2
    assert "do not fit into the memory" in captured.err
    assert not (folder / "o.csv").exists()


def test_what_a_killed_run_left_is_removed_by_the_next(folder, capsys):
    left = folder / ".o.csv.0123abcd.tmp"
    left.write_text("half")
    other = folder / ".o.csv.keep.tmp"
    other.write_text("somebody's")
    assert answered(capsys, "balance", "t.csv", "--target", "y", "--generator", "random", "-o", "o.csv")[0] == 0
    assert not left.exists()
    assert other.exists()


def test_hundreds_of_classes_are_warned_of_with_their_cost(folder, capsys):
    rows = [f"{i / 7:.2f},k{i % 150}" for i in range(700)]
    (folder / "m.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    words = ("balance", "m.csv", "--target", "y", "--generator", "random", "--augment", 1, "-o", "o.csv")
    code, captured = answered(capsys, *words)
    assert code == 0
    assert "150 groups get" in captured.err
    assert "seconds" in captured.err
