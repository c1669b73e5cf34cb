"""`makeweight sample` and `makeweight split`."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FAST = ("--generator", "smoothed-bootstrap")


@pytest.fixture
def customers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "id": range(1, n + 1),
            "age": rng.integers(18, 80, n),
            "city, state": rng.choice(["Rome", "Oslo", "a..b"], n),
            "spend": rng.exponential(20, n).round(2),
            "note=1": np.where(rng.random(n) < 0.2, None, rng.choice(["x", "y"], n)),
            "sex": rng.choice(["f", "m"], n),
            "churn": ["yes"] * 24 + ["no"] * (n - 24),
        }
    )
    frame.iloc[60:64] = frame.iloc[60].to_numpy()  # twins
    frame["id"] = range(1, n + 1)
    frame.to_csv("customers.csv", index=False)
    return frame


def read(text):
    return pd.read_csv(io.StringIO(text))


def test_exactly_the_rows_that_were_asked_for(run, customers):
    words = (
        "--where",
        "churn=yes",
        "--where",
        "age=20..40",
        "--where",
        "city, state=Rome",
        "--where",
        "city, state=a..b",
    )
    result = run("sample", "customers.csv", "--target", "churn", "-n", "30", *words, *FAST, "--seed", "3")
    assert result.code == 0, result.err
    rows = read(result.out)
    assert len(rows) == 30
    assert set(rows["churn"]) == {"yes"}
    assert rows["age"].between(20, 40).all()
    assert set(rows["city, state"]) <= {"Rome", "a..b"}
    assert "where: age" in result.err
    assert "30 rows by smoothed-bootstrap" in result.err
    again = run("sample", "customers.csv", "--target", "churn", "-n", "30", *words, *FAST, "--seed", "3")
    assert again.out == result.out


def test_a_drawn_seed_is_printed_and_repeats_the_rows(run, customers):
    first = run("sample", "customers.csv", "-n", "7", *FAST)
    seed = first.err.partition("seed ")[2].split()[0]
    assert run("sample", "customers.csv", "-n", "7", *FAST, "--seed", seed).out == first.out


def test_without_a_target_and_with_missing_values(run, customers):
    rows = read(run("sample", "customers.csv", "-n", "9", "--where", "note=1=", "--where", "age=..50", *FAST).out)
    assert rows["note=1"].isna().all()
    assert (rows["age"] <= 50).all()
    assert list(rows.columns) == list(customers.columns)


def test_what_was_learned_is_kept_and_taken_up(run, customers):
    common = ("sample", "customers.csv", "-n", "8", "--seed", "1")
    first = run(*common, *FAST, "--target", "churn", "--group-by", "sex", "--save", "kept")
    again = run(*common, "--load", "kept", "--where", "sex=f")
    assert first.code == again.code == 0, first.err + again.err
    assert set(read(again.out)["sex"]) == {"f"}
    refused = run(*common, "--load", "kept", "--target", "churn")
    assert refused.code == 2
    assert "part of what was learned" in refused.err


def test_json_and_a_shortfall(run, customers):
    result = run("sample", "customers.csv", "-n", "5", *FAST, "--target", "churn", "-o", "more.csv", "--json")
    assert result.json["n_written"] == len(pd.read_csv("more.csv")) == 5
    words = ("--where", "spend=90..", "--where", "age=79", "--max-seconds", "2")
    short = run("sample", "customers.csv", "-n", "500", *FAST, "--target", "churn", *words)
    assert short.code == 3
    assert "--on-shortfall warn" in short.err
    assert not short.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--where", "age"), "--where takes COL=VALUE"),
        (("--where", "agee=3"), "did you mean 'age'"),
        (("--where", "age=old"), "not a number"),
        (("--where", "age=20..30", "--where", "age=40"), "a range stands alone"),
        (("--where", "churn=maybe"), "no such value"),
        (("--group-by", "sex"), "name the target"),
        (("--json",), "add -o FILE"),
        (("--generator", "smote"), "needs rows of two labels"),
        (("--constraint", "age > 30"), "real rows break a constraint"),
    ],
)
def test_mistakes_are_told(run, customers, words, says):
    result = run("sample", "customers.csv", "-n", "3", *FAST, *words)
    assert result.code == 2
    assert says in result.err


def test_split_keeps_groups_and_twins_and_every_byte(run, customers):
    result = run("split", "customers.csv", "--target", "churn", "--group-by", "sex", "--seed", "0", "--json")
    train, held = (Path(f"{name}.csv").read_text().splitlines() for name in ("train", "held"))
    lines = Path("customers.csv").read_text().splitlines()
    assert train[0] == held[0] == lines[0]
    assert sorted(train[1:] + held[1:]) == sorted(lines[1:])
    assert [line for line in lines if line in set(held)] == held  # in their order
    for group in result.json["groups"]:
        assert group["held"] / (group["train"] + group["held"]) == pytest.approx(0.25, abs=0.06)
    twins = {line.partition(",")[0] for line in lines[61:65]}
    sides = [{line.partition(",")[0] for line in side[1:]} & twins for side in (train, held)]
    assert sorted(map(len, sides)) == [0, 4]
    refused = run("split", "customers.csv", "--target", "churn")
    assert refused.code == 2
    assert "--force" in refused.err


def test_split_of_parquet_says_what_is_next(run, customers):
    customers.to_parquet("c.parquet")
    result = run("split", "c.parquet", "--target", "churn", "-o", "parts", "--share", "0.5")
    assert "makeweight balance parts/train.parquet --target churn" in result.out
    parts = [pd.read_parquet(f"parts/{name}.parquet") for name in ("train", "held")]
    assert abs(len(parts[0]) - len(parts[1])) <= 6
    pd.testing.assert_frame_equal(pd.concat(parts).sort_values("id").reset_index(drop=True), customers)
    assert run("split", "c.parquet", "--target", "churn", "-o", "c.parquet").code == 2


def test_a_group_that_cannot_be_split_is_warned_of(run, customers):
    customers.assign(churn=["rare"] + ["no"] * 119).to_csv("r.csv", index=False)
    result = run("split", "r.csv", "--target", "churn")
    assert "no row of churn=rare is held out" in result.out
    assert json.loads(run("split", "r.csv", "--target", "churn", "--force", "--json").out)["groups"][1]["train"] == 1
