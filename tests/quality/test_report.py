"""The report says plainly what is wrong with a generator, and nothing where nothing is."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from makeweight.errors import OptionError, SchemaError
from makeweight.quality import CATALOGUE, DRAWERS, QualityReport, checks
from makeweight.quality.distances import NO_HOLDOUT
from makeweight.quality.nulls import Item, QualityFinding
from makeweight.quality.verdict import COMPARING, ENOUGH, reach
from makeweight.sampler import balance
from quality import worlds

HERE = Path(__file__).parent
#: Generator: the code of the verdict, what its sentence says, checks that must find an issue, and must not.
EXPECTED = {
    "copying": ("copies", "100.0% of them are exact copies", {"MWQ04", "MWQ05", "MWQ06", "MWQ07"}, {"MWQ08"}),
    "near-copying": ("memorises", "memorised", {"MWQ06", "MWQ07"}, {"MWQ04", "MWQ08"}),
    "shuffling columns": (
        "independent-columns",
        "columns do not belong together; each by itself is right",
        {"MWQ09", "MWQ15"},
        {"MWQ04", "MWQ06", "MWQ08"},
    ),
    "ignoring the label": ("ignores-label", "ignores the label", {"MWQ08", "MWQ17"}, {"MWQ04", "MWQ06"}),
    "constant": ("repeats", "one row over and over", {"MWQ05", "MWQ08", "MWQ11", "MWQ15"}, {"MWQ04"}),
}


def report_on(generator="perfect", *, seed=1, **options):
    real, holdout, added, rng = worlds.tables(seed)
    made = worlds.GENERATORS[generator](real, added, rng)
    options = {"target": "paid", "group_by": ["sex"], "holdout": holdout, **options}
    return QualityReport(real, made, **options)


@pytest.fixture(scope="module")
def perfect():
    return report_on()


@pytest.mark.parametrize("generator", list(EXPECTED))
def test_the_verdict_names_the_fault(generator):
    code, words, faults, fine = EXPECTED[generator]
    report = report_on(generator)
    assert report.verdict.code == code
    assert words in report.verdict.sentence
    assert len(report.verdict.answer.split()) <= 12
    found = {check.code for check in report.issues}
    assert faults <= found
    assert not fine & found
    told = " ".join(report.verdict.details)
    assert all(code in told for code in faults)


@pytest.mark.parametrize("seed", [1, 2])
def test_fresh_real_rows_pass_everything(seed):
    report = report_on(seed=seed)
    assert report.verdict.code == "no-fault"
    assert {check.drawer for check in report.checks} - {"undecided"} == {"passed", "skipped", "not applicable"}
    assert {check.code for check in report.checks if check.drawer == "skipped"} == {"MWQ01", "MWQ02"}
    assert report.counts["passed"] + report.counts["undecided"] == 15
    assert report.verdict.sentence.startswith(f"No fault found: {report.counts['passed']} checks passed")


def test_a_label_that_is_shuffled_within_the_synthetic_table_is_seen():
    rng = np.random.default_rng(4)
    real, holdout = (worlds.fresh(worlds.numbers(n, n), rng) for n in (250, 150))
    made = worlds.fresh(worlds.numbers(200, 200), rng)
    report = QualityReport(real, made.assign(paid=rng.permutation(made["paid"])), target="paid", holdout=holdout)
    assert report.verdict.code == "ignores-label"
    assert {"MWQ10", "MWQ17"} <= {check.code for check in report.issues}
    assert QualityReport(real, made, target="paid", holdout=holdout)["MWQ10"].drawer == "passed"


PASSED = checks.Check(CATALOGUE["MWQ01"], "passed", "Fine.", p=0.5)
#: What MWQ08, MWQ09 and MWQ15 found: the verdict, and words of its sentence and of what to give.
REACHED = {
    "all see": ({}, "no-fault", "No fault found: 19 checks passed.", "makeweight evaluate"),
    "one sees": (
        {"MWQ08": {"blind": "x"}, "MWQ09": {"drawer": "not applicable", "p": None}},
        "no-fault",
        "large faults would go unnoticed in places",
        "makeweight evaluate",
    ),
    "a tip sees": (
        {"MWQ08": {"blind": "x"}, "MWQ09": {"blind": "x"}, "MWQ15": {"drawer": "tip"}},
        "no-fault",
        "1 has a remark",
        "makeweight evaluate",
    ),
    "all blind": (
        {code: {"blind": "x"} for code in ("MWQ08", "MWQ09", "MWQ15")},
        "not-judged",
        "chance alone exceeds the limits of MWQ08, MWQ09, MWQ15",
        "Give more rows",
    ),
    "one blind, others not tested": (
        {"MWQ08": {"blind": "x"}, "MWQ09": {"drawer": "muted", "p": None}, "MWQ15": {"drawer": "skipped", "p": None}},
        "not-judged",
        "chance alone exceeds the limits of MWQ08,",
        "Give more rows",
    ),
    "not tested": (
        {
            code: {"drawer": "skipped", "p": None, "explanation": "No group has rows."}
            for code in ("MWQ08", "MWQ09", "MWQ15")
        },
        "not-judged",
        "no group has rows, so that neither columns nor rows could be",
        "Give more rows",
    ),
    "nothing to compare": (
        {
            code: {"drawer": "not applicable", "p": None, "explanation": "There is no column."}
            for code in ("MWQ08", "MWQ09", "MWQ15")
        },
        "not-judged",
        "Not judged: there is no column.",
        "more columns",
    ),
    "muted": (
        {code: {"drawer": "muted", "p": None} for code in ("MWQ08", "MWQ09", "MWQ15")},
        "not-judged",
        "MWQ08, MWQ09, MWQ15, which compare columns and rows, are muted",
        "Mute fewer",
    ),
    "some muted": (
        {code: {"drawer": "muted", "p": None} for code in ("MWQ06", "MWQ07", "MWQ13")},
        "no-fault",
        "16 checks passed, 3 are muted. Whether rows were memorised was not judged.",
        "evaluate",
    ),
    "the attack alone muted": (
        {"MWQ07": {"drawer": "muted", "p": None}},
        "no-fault",
        "No fault found: 18 checks passed, 1 is muted.",
        "evaluate",
    ),
    "memorising not judged": (
        {code: {"drawer": "skipped", "p": None, "explanation": NO_HOLDOUT} for code in ("MWQ06", "MWQ07")},
        "no-fault",
        "Whether rows were memorised was not judged",
        "--holdout",
    ),
    "nothing judged": (
        {
            code: {"drawer": "skipped", "p": None, "explanation": NO_HOLDOUT}
            for code in ("MWQ06", "MWQ07", "MWQ08", "MWQ09", "MWQ15")
        },
        "not-judged",
        "Nor was whether rows were memorised",
        "show. Set real rows aside",
    ),
    "a fault all the same": (
        {code: {"blind": "x"} for code in ("MWQ08", "MWQ09", "MWQ15")} | {"MWQ12": {"drawer": "issue"}},
        "faults",
        "One check finds a fault",
        "makeweight evaluate",
    ),
}


@pytest.mark.parametrize("case", list(REACHED))
def test_no_fault_is_said_only_where_one_could_have_been_seen(case):
    changes, code, words, advice = REACHED[case]
    found = [replace(PASSED, info=info, **changes.get(name, {})) for name, info in CATALOGUE.items()]
    verdict = reach(found)
    assert verdict.code == code
    assert words in verdict.sentence
    assert advice in verdict.next
    starts = {"no-fault": "Use these rows", "faults": "Use with care"}
    assert verdict.answer.startswith(starts.get(code, "Not judged"))


@pytest.mark.parametrize(("n", "mute"), [(3, []), (8, []), (8, ["MWQ12"]), (12, [])])
def test_a_handful_of_rows_is_not_judged(n, mute):
    real, _, added, _ = worlds.tables(1, common=12, rare=12)
    report = QualityReport(real, added.iloc[:n], target="paid", group_by=["sex"], mute=mute)
    assert report.verdict.code == "not-judged"
    assert report.verdict.sentence.startswith("Not judged: ")
    assert "--holdout" in report.verdict.next
    assert report["MWQ15"].drawer == "skipped"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_so_many_rows_as_the_verdict_asks_for_are_judged(seed):
    real, _, added, _ = worlds.tables(seed, common=ENOUGH, rare=ENOUGH, added=ENOUGH)
    asked = [code for code in CATALOGUE if code not in COMPARING]
    made = added[added["sex"] == "f"]
    report = QualityReport(real, made, target="paid", group_by=["sex"], mute=asked)
    assert len(made) == ENOUGH
    assert report.verdict.code == "no-fault"


def test_copies_of_a_few_rows_are_told_though_they_cannot_be_tested():
    real, _, added, rng = worlds.tables(1, common=40, rare=20)
    report = QualityReport(real, worlds.copying(real, added, rng).iloc[:3], target="paid")
    assert report["MWQ04"].drawer == "skipped"
    assert "100.0% of the synthetic rows equal a real row" in " ".join(report.verdict.details)


def test_without_held_out_rows_memorising_is_not_judged():
    report = report_on("near-copying", holdout=None)
    assert report["MWQ06"].drawer == report["MWQ07"].drawer == "skipped"
    assert "cannot be told" in report["MWQ06"].explanation
    assert "was not judged" in report.verdict.sentence
    assert report.verdict.next.endswith(": makeweight split real.csv --target paid --group-by sex")
    assert "out of fold" in report["MWQ17"].explanation
    assert report_on("ignoring the label", holdout=None).verdict.code == "ignores-label"


def test_held_out_rows_that_are_training_rows_are_refused_as_a_reference():
    real, _, added, _ = worlds.tables(1)
    report = QualityReport(real, added, target="paid", holdout=real.iloc[::2])
    assert report["MWQ03"].drawer == "issue"
    assert "100.0% of the held-out rows equal a real row" in report["MWQ03"].explanation
    assert report["MWQ06"].drawer == report["MWQ07"].drawer == "skipped"


def test_shuffling_rows_and_columns_changes_no_number(perfect):
    real, holdout, added, _ = worlds.tables(1)
    rng = np.random.default_rng(0)

    def shuffled(frame):
        return frame.sample(frac=1, random_state=int(rng.integers(1 << 30)))[rng.permutation(frame.columns)]

    again = QualityReport(shuffled(real), shuffled(added), target="paid", group_by=["sex"], holdout=shuffled(holdout))
    ours, theirs = perfect.to_dict(), again.to_dict()
    for row in (*ours["sample"], *theirs["sample"]):  # cells are shown in the order of the table
        row["synthetic"], row["nearest"] = sorted(row["synthetic"].items()), sorted(row["nearest"].items())
    assert ours == theirs


def test_the_callers_tables_are_untouched():
    real, holdout, added, _ = worlds.tables(3, common=60, rare=20, added=30)
    tables = [real, holdout, added]
    before = [table.copy(deep=True) for table in tables]
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the caller's stream must not move
    QualityReport(real, added, target="paid", holdout=holdout, group_by=["sex"]).to_dict()
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


def test_one_random_state_fixes_everything():
    first, again, other = (report_on(random_state=seed).to_dict() for seed in (7, 7, 8))
    assert first == again
    assert first["checks"] != other["checks"]


def test_a_check_that_fails_is_an_issue(monkeypatch):
    def broken(*_):
        raise FloatingPointError("the judge fell ill")

    monkeypatch.setattr("makeweight.quality.judge.make_classifier", broken)
    report = report_on()
    assert report["MWQ17"].drawer == "issue"
    assert "could not be computed: FloatingPointError: the judge fell ill" in report["MWQ17"].explanation
    assert report.verdict.code == "faults"


def test_a_result_that_is_not_a_number_is_an_issue():
    findings = {code: QualityFinding((), "", "passed") for code in CATALOGUE}
    findings["MWQ15"] = QualityFinding((Item(float("nan"), 1.0),), "")
    judged = {check.code: check for check in checks.judge_all(findings, (), 0.05)}
    assert judged["MWQ15"].drawer == "issue"
    assert "could not be computed" in judged["MWQ15"].explanation


def test_an_effect_counts_only_where_chance_is_ruled_out():
    findings = {code: QualityFinding((), "", "passed") for code in CATALOGUE}
    for p, drawer in ((0.04, "issue"), (0.2, "passed")):
        findings["MWQ08"] = QualityFinding((Item(0.4, p), Item(0.01, 0.001)), "")
        judged = {check.code: check for check in checks.judge_all(findings, (), 0.05)}
        assert judged["MWQ08"].drawer == drawer
    findings["MWQ08"] = QualityFinding((Item(0.1, 0.001),), "")
    assert checks.judge_all(findings, (), 0.05)[7].drawer == "tip"


def test_checks_are_muted_by_code_or_name():
    report = report_on("copying", mute=["MWQ04", "repeats"])
    assert report["MWQ04"].drawer == report["MWQ05"].drawer == "muted"
    assert report.verdict.code == "memorises"
    with pytest.raises(OptionError, match="did you mean 'repeats'"):
        report_on(mute=["repeat"])


def test_every_column_missing_is_a_drift_and_not_skipped():
    real, _, added, _ = worlds.tables(1)
    report = QualityReport(real, added.assign(tenure=np.nan), target="paid", group_by=["sex"])
    worst = max((item for item in report["MWQ08"].items if item.column == "tenure"), key=lambda i: i.value)
    assert report["MWQ08"].drawer == report["MWQ14"].drawer == "issue"
    assert worst.value > 0.8


def test_rare_categories_that_are_dropped_are_named():
    rng = np.random.default_rng(0)
    codes = [f"c{i:02d}" for i in range(30)]
    real = pd.DataFrame({"code": rng.choice(codes, 900), "x": rng.normal(size=900), "y": ["a", "b"] * 450})
    made = pd.DataFrame({"code": rng.choice(codes[:20], 400), "x": rng.normal(size=400), "y": "a"})
    report = QualityReport(real, made, target="y")
    assert report["MWQ11"].drawer == "issue"
    assert "code=c2" in report["MWQ11"].explanation


def test_values_that_cannot_be_are_counted_and_a_few_new_ones_are_not_held_against_fresh_rows(perfect):
    real, _, added, _ = worlds.tables(1)
    assert perfect["MWQ12"].drawer == "passed"
    odd = added.assign(colour=np.where(np.arange(len(added)) % 10 == 0, "mauve", added["colour"]))
    report = QualityReport(real, odd, target="paid", group_by=["sex"])
    assert report["MWQ12"].drawer == "issue"
    assert "'mauve'" in report["MWQ12"].explanation


def test_rounded_numbers_are_seen():
    real, _, added, _ = worlds.tables(1)
    report = QualityReport(real, added.assign(income=added["income"].round(0)), target="paid")
    assert report["MWQ13"].drawer == "issue"
    assert "income" in report["MWQ13"].explanation


def test_identifiers_of_real_rows_are_seen():
    real, _, added, _ = worlds.tables(1)
    real = real.assign(id=[f"R{i:04d}" for i in range(len(real))])
    fresh = added.assign(id=[f"S{i:04d}" for i in range(len(added))])
    taken = added.assign(id=[f"R{i:04d}" for i in range(len(added))])
    assert QualityReport(real, fresh, target="paid")["MWQ19"].drawer == "passed"
    assert QualityReport(real, taken, target="paid")["MWQ19"].drawer == "issue"


def test_the_ledger_of_a_generation_is_read():
    real, *_ = worlds.tables(1, common=60, rare=20, added=30)
    generation = balance(real, target="paid", group_by=["sex"], random_state=0)
    report = QualityReport(real, generation, target="paid", group_by=["sex"])
    assert report["MWQ01"].drawer == "passed"
    assert report["MWQ18"].value == 1.0
    short = {"requested": 9, "accepted": 6, "shortfall": 3, "proposed": 20}
    short["rejected"] = {"copy": 12, "surplus": 2}
    report = QualityReport(real, generation.frame, target="paid", ledger={"ledger": short})
    assert report["MWQ01"].drawer == report["MWQ02"].drawer == "issue"
    assert "12 of 18 proposed rows" in report["MWQ02"].explanation
    with pytest.raises(OptionError, match="does not add up"):
        QualityReport(real, generation.frame, target="paid", ledger=short | {"accepted": 7})
    with pytest.raises(OptionError, match="not a ledger"):
        QualityReport(real, generation.frame, target="paid", ledger={"requested": 3})


def test_original_rows_in_the_synthetic_table_are_left_out():
    real, _, added, _ = worlds.tables(1)
    together = pd.concat([real, added]).sample(frac=1, random_state=0)
    report = QualityReport(real, together, target="paid", group_by=["sex"])
    assert report.to_dict()["data"]["original_rows_removed"] == len(real)
    assert len(report.rows.synthetic) == len(added)
    assert report["MWQ04"].drawer == "passed"
    kept = QualityReport(real, together, target="paid", group_by=["sex"], contains_real=False)
    assert kept.verdict.code == "copies"
    with pytest.raises(SchemaError, match="not all in the synthetic table"):
        QualityReport(real, added, target="paid", contains_real=True)


def test_provenance_says_which_rows_are_synthetic():
    real, _, added, _ = worlds.tables(1)
    marked = pd.concat([real.iloc[:50], added])
    marked["makeweight_synthetic"] = [False] * 50 + [True] * len(added)
    report = QualityReport(real, marked, target="paid", group_by=["sex"])
    assert len(report.rows.synthetic) == len(added)
    assert report.to_dict()["data"]["notes"][0].startswith("50 real rows stood in the synthetic table")


def test_groups_with_few_rows_are_named_and_unknown_labels_counted():
    real, _, added, _ = worlds.tables(1)
    odd = pd.concat([added, added.iloc[:5].assign(paid="perhaps"), added.iloc[:3].assign(paid="no")])
    report = QualityReport(real, odd, target="paid")
    notes = " ".join(report.to_dict()["data"]["notes"])
    assert "5 synthetic rows have a label or attribute that no real row has" in notes
    assert "groups with fewer than 8 rows on a side were not compared: paid=no" in notes
    few = QualityReport(real, added.iloc[:3], target="paid")
    assert few.verdict.code == "not-judged"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (lambda made: made.drop(columns="age"), "synthetic table lacks a column"),
        (lambda made: made.iloc[:0], "synthetic table has no rows"),
        (lambda made: pd.concat([made, made[["age"]]], axis=1), "two columns have one name"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(frame, message):
    real, _, added, _ = worlds.tables(1)
    with pytest.raises(SchemaError, match=message):
        QualityReport(real, frame(added), target="paid")


def test_columns_of_any_kind_and_container_are_compared():
    pl = pytest.importorskip("polars")
    rng = np.random.default_rng(0)

    def table(n):
        return pd.DataFrame(
            {
                "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
                "flag": rng.random(n) < 0.4,
                "count": pd.array(np.where(rng.random(n) < 0.1, None, rng.poisson(30, n)), dtype="Int64"),
                "code": pd.Categorical(rng.choice(["x", "y", None], n)),
                "size": rng.choice([1, 2, 3], n),
                "y": rng.choice(["a", "b"], n),
            }
        )

    real, made, held = table(300), table(200), table(200)
    expected = QualityReport(real, made, target="y", holdout=held)
    assert {check.drawer for check in expected.checks} <= {"passed", "undecided", "skipped", "not applicable", "tip"}
    given = [pl.from_pandas(frame) for frame in (real, made, held)]
    again = QualityReport(given[0], given[1], target="y", holdout=given[2])
    assert [check.value for check in again.checks] == [check.value for check in expected.checks]


def test_the_result_is_plain_json_of_the_documented_shape(perfect):
    result = perfect.to_dict()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    example = json.loads((HERE / "example.json").read_text(encoding="utf-8"))

    def shape(value):
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items() if key not in ("facts", "versions")}
        return shape(value[0]) if isinstance(value, list) and value and isinstance(value[0], dict) else None

    for key in ("verdict", "data", "groups", "counts", "settings", "reproduce", "distances", "associations"):
        assert shape(result[key]) == shape(example[key]), key
    keys = {frozenset(check) for check in (*result["checks"], *example["checks"])}
    assert len(keys) == 1
    assert {frozenset(m) for m in result["marginals"]} == {frozenset(m) for m in example["marginals"]}
    assert sum(result["counts"].values()) == len(CATALOGUE)
    for entry in result["marginals"]:
        for side in ("real", "synthetic"):
            gone = entry["missing"][side] if entry["edges"] else 0.0
            assert sum(entry[side]) + gone == pytest.approx(1.0)


def test_the_page_is_written_from_the_result(perfect):
    page = perfect.to_html()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "No fault found" in page


def test_every_check_is_documented():
    text = (HERE.parent.parent / "docs" / "quality.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (MWQ\d\d)$", text, flags=re.MULTILINE)
    assert headings == list(CATALOGUE)
    assert all(drawer in text for drawer in DRAWERS)
