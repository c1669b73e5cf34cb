"""``makeweight report``: what is printed, written and returned."""

import json

import pytest

from quality import worlds


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Real, held-out, fresh and copied rows as files."""
    folder = tmp_path_factory.mktemp("report")
    real, holdout, added, rng = worlds.tables(1, common=80, rare=40, added=60, held=1.0)
    frames = {"real": real, "held": holdout, "fresh": added, "copied": worlds.copying(real, added, rng)}
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.fixture
def report(run, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(synthetic, *args):
        names = [tables / "real.csv", tables / f"{synthetic}.csv"]
        return run("report", *names, "--target", "paid", *args)

    return call


def test_copies_are_told_first_and_fail(report, tables):
    result = report("copied", "--group-by", "sex", "--holdout", tables / "held.csv", "--fail-on", "issue")
    assert result.code == 3
    first = result.out.splitlines()[0]
    assert first == "Do not use these rows: 100% are copies of real ones."
    assert "Do not use these rows: 100.0% of them are exact copies of real rows" in result.out
    for words in ("real rows are copied (MWQ04, high)", "docs/quality.md#mwq04", "passed", "columns that drift most"):
        assert words in result.out


def test_fresh_rows_do_not_fail(report, tables):
    result = report("fresh", "--holdout", tables / "held.csv", "--fail-on", "issue")
    assert result.code == 0
    assert result.out.startswith("Use these rows: ")
    assert "No fault found: " in result.out


def test_checks_that_there_was_no_time_for_are_named(report):
    result = report("fresh", "--max-seconds", 1e-9, "--fail-on", "issue")
    assert result.code == 0
    assert result.out.splitlines()[0] == "Not all judged: no fault before the time was up."
    assert "a larger --max-seconds" in result.out
    assert "MWQ15" in result.out


def test_lines_fit_a_narrow_terminal(report, monkeypatch, tables):
    monkeypatch.setattr("makeweight.cli._show.NO_TERMINAL", 80)
    result = report("copied")
    assert max(map(len, result.out.splitlines())) <= 80


def test_json_and_files(report, tables, tmp_path):
    result = report("copied", "--json", "-o", "report.html", "--mute", "repeats", "--seed", "3")
    assert result.code == 0
    assert result.json["verdict"]["code"] == "copies"
    assert result.json["reproduce"]["seed"] == 3
    assert "--mute MWQ05" in result.json["reproduce"]["command"]
    assert "exact copies of real rows" in (tmp_path / "report.html").read_text(encoding="utf-8")
    again = report("copied", "-o", "report.html")
    assert (again.code, "--force" in again.err) == (2, True)
    assert report("copied", "-o", "report.json", "--mute", "MWQ05", "--seed", "3").code == 0
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert written["checks"][3] == result.json["checks"][3]


def test_what_balance_wrote_is_understood(run, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    real = tables / "real.csv"
    made = run("balance", real, "--target", "paid", "--group-by", "sex", "--seed", "0", "-o", "all.csv", "--json")
    (tmp_path / "ledger.json").write_text(made.out, encoding="utf-8")
    result = run(
        "report", real, "all.csv", "--target", "paid", "--group-by", "sex", "--ledger", "ledger.json", "--json"
    )
    assert result.json["data"]["original_rows_removed"] == 240
    drawers = {check["code"]: check["drawer"] for check in result.json["checks"]}
    assert drawers["MWQ01"] == drawers["MWQ02"] == drawers["MWQ04"] == drawers["MWQ18"] == "passed"


def test_numbers_stay_text_where_the_real_column_is_text(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{i % 3}.0,{'a' if i % 2 else 'b'}" for i in range(60)]
    (tmp_path / "real.csv").write_text("\n".join(["code,x,y", "?,1.0,a", *rows]) + "\n")
    (tmp_path / "made.csv").write_text("\n".join(["code,x,y", *rows[:30]]) + "\n")
    result = run("report", "real.csv", "made.csv", "--target", "y", "--json")
    check = next(check for check in result.json["checks"] if check["code"] == "MWQ12")
    assert check["explanation"] == "Every value is one that the real table could have."


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--mute", "MWQ99"], "no such check to mute"),
        (["-o", "report.pdf"], "-o writes no such file"),
        (["-o", "nowhere/report.html"], "no such directory"),
        (["--ledger", "none.json"], "the ledger cannot be read"),
        (["--ledger", "bad.json"], "the ledger is damaged"),
        (["--holdout", "none.csv"], "no such file"),
        (["--group-by", "sx"], "unknown column"),
        (["--contains-real"], "the real rows are not all in the synthetic table"),
    ],
)
def test_mistakes_are_told(report, tmp_path, args, message):
    (tmp_path / "bad.json").write_text("not json")
    result = report("fresh", *args)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
