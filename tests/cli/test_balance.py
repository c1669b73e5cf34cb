"""`makeweight balance`."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from makeweight.cli._options import read_strategy
from makeweight.cli._request import BalanceRequest
from makeweight.cli.balance import run as run_request


def read(text):
    return pd.read_csv(io.StringIO(text))


def test_without_an_output_the_rows_go_to_standard_output(run, csv, table):
    result = run("balance", csv, "--target", "paid", "--seed", "1")
    assert result.code == 0
    assert result.out.startswith(csv.read_text())
    rows = read(result.out)
    assert rows["paid"].value_counts().to_dict() == {"no": 32, "yes": 32}
    assert rows["id"].is_unique
    assert set(rows["colour"].dropna()) <= {"red", "green"}
    assert rows["age"].dtype == "int64"
    for word in ("groups", "ledger", "requested", "accepted", "proposed", "copies", "seed 1", "24 rows by"):
        assert word in result.err


def test_the_seed_fixes_the_bytes(run, csv):
    first, second, other = (
        run("balance", csv, "--target", "paid", "--seed", seed, "--jobs", jobs).out
        for seed, jobs in ((1, 1), (1, 2), (2, 1))
    )
    assert first == second
    assert first != other


def test_the_seed_that_was_drawn_is_told(run, csv):
    result = run("balance", csv, "--target", "paid")
    seed = result.err.partition("seed ")[2].split()[0]
    assert run("balance", csv, "--target", "paid", "--seed", seed).out == result.out


def test_json_says_everything_and_the_rows_go_to_the_file(run, csv):
    report = run("balance", csv, "--target", "paid", "--group-by", "sex", "-o", "o.csv", "--json").json
    assert report["n_written"] == len(read((csv.parent / "o.csv").read_text())) == 64
    assert {group["n_after"] for group in report["groups"]} == {16}
    ledger = report["ledger"]
    assert ledger["requested"] == ledger["accepted"] + ledger["shortfall"] == 24
    assert ledger["proposed"] == ledger["accepted"] + sum(ledger["rejected"].values())
    assert report["generator"] == "transformer"
    assert report["versions"]["makeweight"]


def test_provenance_alpha_and_parquet(run, csv):
    arguments = ("--augment", 3, "--alpha", 0.5, "--provenance", "--option", "temperature=0.9", "-o", "o.parquet")
    assert run("balance", csv, "--target", "paid", *arguments).code == 0
    rows = pq.read_table(csv.parent / "o.parquet").to_pandas()
    assert rows["makeweight_synthetic"].sum() == 24 + 6
    assert rows["makeweight_purpose"].fillna("").value_counts().to_dict() == {"": 40, "balance": 24, "augment": 6}
    assert rows.loc[40:, "makeweight_generator"].unique() == ["transformer"]
    assert rows["makeweight_group"].iloc[40:].isin(["paid=yes", "paid=no"]).all()
    augment = rows["makeweight_purpose"] == "augment"
    assert rows.loc[augment, "makeweight_weight"].sum() == pytest.approx(0.5 * len(rows))


def test_a_column_of_weights_for_rows_as_a_prior(run, csv):
    arguments = ("--synthetic-weight", 0.1, "--provenance", "-o", "o.csv")
    assert run("balance", csv, "--target", "paid", *arguments).code == 0
    rows = pd.read_csv(csv.parent / "o.csv")
    weights = rows.groupby("makeweight_synthetic")["makeweight_weight"].unique()
    assert weights.map(list).to_dict() == {False: [1.0], True: [0.1]}


def test_synthetic_rows_alone(run, csv):
    result = run("balance", csv, "--target", "paid", "--synthetic-only", "--provenance")
    assert len(read(result.out)) == 24
    assert read(result.out)["makeweight_synthetic"].all()


def test_a_dry_run_writes_nothing(run, csv):
    result = run("balance", csv, "--target", "paid", "--dry-run", "-o", "o.csv", "--augment", 2)
    assert result.code == 0
    assert "expected: about" in result.out
    assert "+24" in result.out
    report = run("balance", csv, "--target", "paid", "--dry-run", "--json").json
    assert report["n_synthetic"] == 24
    assert report["expected"]["seconds"] > 0
    assert [path.name for path in csv.parent.iterdir()] == ["table.csv"]


def test_force_replaces(run, csv):
    other = csv.parent / "other.csv"
    other.write_text("old")
    assert run("balance", csv, "--target", "paid", "-o", other).code == 2
    assert run("balance", csv, "--target", "paid", "-o", other, "--force").code == 0
    assert len(read(other.read_text())) == 64


def test_force_never_replaces_the_real_rows(run, csv):
    before = csv.read_text()
    result = run("balance", csv, "--target", "paid", "-o", csv, "--force")
    assert (result.code, csv.read_text()) == (2, before)
    assert "file of the real rows" in result.err


def test_a_balanced_table_needs_nothing(run, csv):
    csv.write_text("x,y\n1,a\n2,b\n")
    result = run("balance", csv, "--target", "y")
    assert result.out == csv.read_text()
    assert "nothing to write" in result.err


@pytest.fixture
def tiny(csv):
    """A table that has next to no rows but those it has."""
    csv.write_text("x,y\n" + "0,a\n1,a\n" * 10 + "0,b\n1,b\n" * 2)
    return csv


def test_a_shortfall_is_an_error_with_the_ledger(run, tiny):
    command = ("balance", tiny, "--target", "y", "--copies", "reject", "-o", "o.csv")
    result = run(*command)
    assert result.code == 3
    assert "copy-of-a-real-row" in result.err
    assert "error: 0 of 16 rows could be written" in result.err
    assert "--on-shortfall warn" in result.err
    assert not (tiny.parent / "o.csv").exists()
    result = run(*command, "--on-shortfall", "warn")
    assert result.code == 0
    assert "16 rows short" in result.err
    assert (tiny.parent / "o.csv").read_text() == tiny.read_text()


@pytest.mark.parametrize("choice", ["raise", "warn"])
def test_an_interrupt_keeps_what_was_accepted_only_when_asked(run, csv, monkeypatch, choice):
    from makeweight.generators.transformer.generator import InContextTransformer

    propose, calls = InContextTransformer.propose, []

    def interrupted(self, group, n, *, rng):
        calls.append(group)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return propose(self, group, n, rng=rng)

    monkeypatch.setattr(InContextTransformer, "propose", interrupted)
    result = run(
        "balance",
        csv,
        "--target",
        "paid",
        "--augment",
        9,
        "--seed",
        0,
        "-o",
        "o.csv",
        "--json",
        "--on-shortfall",
        choice,
    )
    assert result.code == 130
    assert "interrupted: " in result.err
    assert result.err.endswith(f"--on-shortfall {choice}" + " --force" * (choice == "warn") + "\n")
    assert (csv.parent / "o.csv").exists() == (choice == "warn")
    if choice == "warn":
        assert result.json["interrupted"]
        assert len(read((csv.parent / "o.csv").read_text())) == 40 + result.json["ledger"]["accepted"] == 49


def test_an_interrupt_before_anything_was_written(run, csv, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("makeweight.table.io.read_table", stop)
    result = run("balance", csv, "--target", "paid")
    assert result.code == 130
    assert result.err == f"interrupted: nothing was written\nto go on: makeweight balance {csv} --target paid\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_pipes(csv):
    code = f"{sys.executable} -m makeweight balance - --target paid"
    done = subprocess.run(
        f"cat table.csv | {code} 2>/dev/null | head -1; cat table.csv | {code} 2>err.txt >/dev/full; echo $?",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["id,age,income,colour,sex,paid", "2"]
    assert done.stderr == ""
    assert "No space left" in (csv.parent / "err.txt").read_text()


def test_a_reader_that_goes_away_is_no_error(csv):
    process = subprocess.Popen(
        [sys.executable, "-m", "makeweight", "balance", "table.csv", "--target", "paid", "--augment", "5000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    err = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_warnings_are_told_in_a_line(run, csv, monkeypatch):
    import warnings

    from makeweight.table import io as table_io

    real = table_io.read_table

    def warn(*args, **kwargs):
        warnings.warn("the sky is falling", stacklevel=2)
        warnings.warn("A worker stopped while some jobs were given to the executor.", stacklevel=2)
        return real(*args, **kwargs)

    monkeypatch.setattr(table_io, "read_table", warn)
    told = run("inspect", csv).err
    assert "warning: the sky is falling\n" in told
    assert "worker" not in told  # a large process was replaced by a fresh one, which is no trouble of the user


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("auto", "auto"),
        ("not-minority", "not minority"),
        ("not minority", "not minority"),
        ("0.5", 0.5),
        ('{"a, b": 3}', {"a, b": 3}),
    ],
)
def test_strategies_are_read(text, strategy):
    assert read_strategy(text) == strategy


def test_a_request_can_be_run_without_the_command_line(csv, tmp_path):
    outcome = run_request(BalanceRequest(str(csv), "paid", output=str(tmp_path / "o.csv"), seed=3))
    assert outcome.generation.ledger.accepted == 24
    assert not outcome.generation.ledger.interrupted


REAL = {
    "telco_churn": ("--target", "Churn", "--strategy", '{"No": 5180, "Yes": 1900}'),
    "adult_census": (
        "--target",
        "income",
        "--group-by",
        "sex",
        "--missing",
        "?",
        "--strategy",
        '{">50K,Female": 1200}',
    ),
    "sick": ("--target", "Class", "--missing", "?", "--strategy", '{"sick": 250}'),
    "mammography": ("--target", "c7", "--no-header", "--strategy", """{"'1'": 300}"""),
    "german_credit": ("--target", "credit", "--strategy", '{"2": 330}'),
    "travel_churn": ("--target", "ChurnOrNot", "--strategy", "0.35"),
    "law_school": ("--target", "pass_bar", "--group-by", "race", "--strategy", '{"0.0,White": 1400}'),
}


@pytest.mark.parametrize("name", REAL)
def test_real_tables_go_through(run, data_dir, name, tmp_path):
    path = data_dir / "real" / f"{name}.csv"
    out = tmp_path / "o.csv"
    report = run("balance", path, *REAL[name], "-o", out, "--seed", 0, "--json").json
    assert report["ledger"]["shortfall"] == 0
    assert report["n_synthetic"] > 0
    raw, written = path.read_bytes(), out.read_bytes()
    assert written.startswith(raw.rstrip(b"\r\n"))
    new = written.removeprefix(raw.rstrip(b"\r\n")).decode().split()
    assert new
    arguments = [argument for argument in REAL[name] if not argument.startswith("{")]
    arguments = arguments[: arguments.index("--strategy")]
    seen = run("inspect", out, *arguments, "--json").json
    before = run("inspect", path, *arguments, "--json").json
    assert seen["n_rows"] == before["n_rows"] + report["n_synthetic"]
    for old, now in zip(before["columns"], seen["columns"], strict=True):
        assert (now["dtype"], now["categories"], now["low"], now["high"], now["decimals"]) == (
            old["dtype"],
            old["categories"],
            old["low"],
            old["high"],
            old["decimals"],
        )
    if name == "telco_churn":
        identifier = seen["columns"][0]
        assert identifier["kind"] == "identifier"
        assert identifier["n_distinct"] == seen["n_rows"]
        assert seen["columns"][19]["n_missing"] >= 11


def test_json_has_no_number_that_json_lacks(run, csv):
    result = run("inspect", csv, "--target", "paid", "--json")
    json.loads(result.out, parse_constant=lambda name: pytest.fail(name))


def test_constraints_hold_and_are_counted(run, tmp_path):
    rng = np.random.default_rng(0)
    low = rng.normal(size=60).round(2)
    frame = pd.DataFrame(
        {"low": low, "high one": low + rng.exponential(0.3, 60).round(2), "y": ["a"] * 15 + ["b"] * 45}
    )
    frame.to_csv(tmp_path / "in.csv", index=False)
    done = run(
        "balance",
        str(tmp_path / "in.csv"),
        "--target=y",
        "--generator=smoothed-bootstrap",
        "--constraint=low <= `high one`",
        "--seed=0",
        "--json",
        "-o",
        str(tmp_path / "out.csv"),
    )
    rows = pd.read_csv(tmp_path / "out.csv")
    assert len(rows) == 90
    assert (rows["low"] <= rows["high one"]).all()
    assert "constraint: low <= `high one`" in done.json["ledger"]["rejected"]
    broken = run("balance", str(tmp_path / "in.csv"), "--target=y", "--constraint=low > 0", "--dry-run")
    assert broken.code == 2
    assert "real rows break a constraint" in broken.err


class TestSoftLabels:
    """`--soft-labels`: rows once per label, weighed by its probability."""

    COMMAND = ("--target", "paid", "--generator", "smoothed-bootstrap", "--soft-labels", "--augment", 20, "--seed", 1)

    @pytest.fixture(autouse=True)
    def small_committee(self, monkeypatch):
        monkeypatch.setattr("makeweight.committee.members.AUTO", ("lr", "hgb-shallow"))

    def test_real_rows_come_first_and_columns_say_what_rows_weigh(self, run, csv):
        result = run("balance", csv, *self.COMMAND, "--probabilities", "--provenance", "-o", "o.csv", "--json")
        rows, real = pd.read_csv(csv.parent / "o.csv"), pd.read_csv(csv)
        assert rows[: len(real)][real.columns].equals(real)
        assert result.json["n_written"] == len(rows)
        assert rows["makeweight_weight"].sum() == pytest.approx(len(real) + result.json["n_synthetic"], rel=1e-2)
        said = rows[["makeweight_p_no", "makeweight_p_yes"]]
        assert said.sum(axis=1).to_numpy() == pytest.approx(1)
        own = said.to_numpy()[range(len(rows)), (rows["paid"] == "yes").astype(int)]
        synthetic = rows["makeweight_synthetic"].to_numpy()
        assert rows["makeweight_weight"][synthetic].to_numpy() == pytest.approx(own[synthetic])
        assert rows["makeweight_purpose"].notna().tolist() == synthetic.tolist()
        assert "labels by a committee" in result.err
        assert result.json["teacher"]["log_loss"] > 0

    def test_labels_are_drawn_for_learners_without_weights(self, run, csv):
        result = run("balance", csv, *self.COMMAND, "--draw-labels", "--synthetic-only")
        rows = read(result.out)
        assert list(rows) == list(pd.read_csv(csv))
        assert "stands twice" in result.err
        assert len(rows) % 2 == 0

    def test_a_dry_run_has_the_rows_that_carry_probabilities(self, run, csv):
        plan = run("balance", csv, "--target", "paid", "--soft-labels", "--dry-run", "--json").json
        assert [group["n_balance"] for group in plan["groups"]] == [6400, 1600]

    @pytest.mark.parametrize("dry", [True, False])
    def test_what_cannot_be_is_refused_before_anything_is_written(self, run, csv, dry, monkeypatch, tmp_path):
        monkeypatch.setattr("makeweight.generators.writing.write_rows", None)
        frame = pd.read_csv(csv)
        files = {name: tmp_path / f"{name}.csv" for name in ("taken", "one")}
        frame.assign(makeweight_weight=1).to_csv(files["taken"], index=False)
        frame.assign(paid=["maybe", *frame["paid"][1:].astype(str)]).to_csv(files["one"], index=False)
        out = ["--dry-run"] if dry else ["-o", tmp_path / "out.csv"]
        for file, options, says in (
            (csv, ["--draw-labels", "--synthetic-weight", 0.5], "drawn labels weigh nothing"),
            (files["taken"], [], "already has columns"),
            (files["one"], [], "(paid=maybe): got 1 row"),
        ):
            result = run("balance", file, *self.COMMAND, *options, *out)
            assert result.code == 2
            assert says in result.err

    def test_a_dry_run_expects_the_committee_to_take_its_time(self, run, csv):
        expected = [
            run("balance", csv, *self.COMMAND[:4], *more, "--dry-run", "--json").json["expected"]["seconds"]
            for more in ([], ["--soft-labels"])
        ]
        assert expected[1] > expected[0] + 1

    def test_columns_of_probabilities_are_named_as_labels_are_written(self, run, tmp_path):
        rng = np.random.default_rng(0)
        labels = ["2020-01-01"] * 40 + ["2021-01-01"] * 20
        pd.DataFrame({"x": rng.normal(size=60), "y": labels}).to_csv(tmp_path / "dates.csv", index=False)
        out = tmp_path / "out.csv"
        command = ("--generator", "smoothed-bootstrap", "--soft-labels", "--augment", 5, "--probabilities", "-o", out)
        result = run("balance", tmp_path / "dates.csv", "--target", "y", "--synthetic-only", *command)
        made = pd.read_csv(out)
        assert {f"makeweight_p_{label}" for label in made["y"]} == set(made.columns[-2:])
        assert f"{len(made):,} rows in all" in result.err

    @pytest.mark.parametrize("flag", ["--draw-labels", "--probabilities"])
    def test_what_needs_soft_labels_says_so(self, run, csv, flag):
        result = run("balance", csv, "--target", "paid", flag)
        assert result.code == 2
        assert "--soft-labels" in result.err


def test_balancing_says_to_split_first_and_forecasts(run, csv, monkeypatch):
    said = run("balance", csv, "--target", "paid", "--generator", "random").err
    assert said.count("makeweight split") == 1
    assert f"makeweight split {csv} --target paid, then makeweight balance train.csv --target paid" in said
    csv.rename(csv.parent / "train.csv")
    monkeypatch.setattr("makeweight.generators.forewarning.LONG", 0.0)
    said = run("balance", csv.parent / "train.csv", "--target", "paid", "--generator", "random").err
    assert "makeweight split" not in said
    assert "random: about 1 second to write 24 rows" in said


def test_a_dry_run_tells_of_a_download(run, csv):
    pytest.importorskip("transformers")
    result = run("balance", csv, "--target", "paid", "--generator", "causal-lm", "--dry-run")
    assert "a download of distilgpt2 from the Hugging Face hub" in result.out
    plan = run("balance", csv, "--target", "paid", "--generator", "causal-lm", "--dry-run", "--json").json
    assert plan["expected"]["downloads"]
