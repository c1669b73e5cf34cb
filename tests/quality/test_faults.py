"""Values that cannot be, in 2 % of the rows: each is a fault, named with its column and rows."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from makeweight.quality import QualityReport

QUICK = [f"MWQ{i:02d}" for i in range(1, 20) if i not in (8, 12)]
ROWS = [17, 40, 111, 180]


def table(n, seed):
    """Return a table of every kind of column, its numbers as text, as files have them."""
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 800, n), unit="D")
    return pd.DataFrame(
        {
            "price": rng.normal(50, 9, n).round(2),
            "age": rng.integers(18, 70, n),
            "income": rng.lognormal(8, 1, n).round(0).astype(int),
            "ratio": rng.standard_cauchy(n).round(3),
            "day": day,
            "member": rng.random(n) < 0.4,
            "stars": rng.integers(1, 6, n),
            "shop": rng.choice(list("uvw"), n),
            "visits": rng.geometric(0.2, n) - 1,
            "due": (day + pd.Timedelta(days=30)).strftime("%d/%m/%Y"),
        }
    )


def labelled(n, seed):
    return table(n, seed).assign(y=np.repeat(["no", "yes"], [3 * n // 4, n - 3 * n // 4]))


#: Column, bad value, words of the finding.
BAD = [
    *(("price", v, "not numbers") for v in ("abc", "12,5", "$9", "1e5x", "--3", "inf", "-Infinity", "1e999")),
    *(("age", v, "not numbers") for v in ("forty", "4O", "inf", "#REF!")),
    *(("price", v, "more decimals") for v in ("50.12345", "49.001", "0.333333333")),
    *(("age", v, "not whole numbers") for v in ("30.5", "41.25")),
    *((name, None, "missing where no real value is") for name in ("price", "age", "day", "member", "stars", "shop")),
    *(("price", v, "far beyond the real range") for v in ("999", "-120.5", "1e300", "-1e15")),
    *(("age", v, "far beyond the real range") for v in ("-40", "999", "2020")),
    ("income", "99999999", "far beyond the real range"),
    ("visits", "-1", "far beyond the real range"),
    *(("due", v, "not written as the real values are") for v in ("2020-01-05", "5 Jan 2020", "2020/01/05")),
    *(("day", v, "not dates") for v in ("2021-02-30", "2021-13-01", "soon", "0000-00-00")),
    *(("day", v, "finer than any real value") for v in ("2020-03-04 15:30", "2021-01-01T00:00:01")),
    *(("day", v, "far beyond the real range") for v in ("1900-01-01", "2199-12-31")),
    *(("member", v, "neither of the two real states") for v in ("perhaps", "2", "yes and no")),
    *(("stars", v, "not numbers") for v in ("many", "inf")),
]


@pytest.mark.parametrize(("column", "bad", "words"), BAD, ids=[f"{c}={b}" for c, b, _ in BAD])
def test_a_value_that_cannot_be_is_a_fault_by_name_and_row(column, bad, words):
    made = labelled(800, 1).iloc[-200:].reset_index(drop=True).astype(object)
    made.loc[ROWS, column] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = QualityReport(labelled(400, 0), made, target="y", mute=QUICK)
    check = report["MWQ12"]
    assert check.drawer == "issue"
    assert report.verdict.code == "faults"
    (text,) = (item.text for item in check.items if words in item.text)
    assert text.startswith(f"{column}: 4 of 200 values")
    assert text.endswith(f"in rows {', '.join(map(str, ROWS))}")
    assert text in check.explanation


@pytest.mark.parametrize("bad", ["inf", "abc", "1e300", None])
def test_no_check_fails_or_warns_on_strange_values(bad):
    made = labelled(400, 1).iloc[-100:].reset_index(drop=True).astype(object)
    made.loc[:3, ["price", "age", "ratio", "income"]] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = QualityReport(labelled(200, 0), made, target="y", holdout=labelled(200, 2))
        page = report.to_html()
    assert not [check.explanation for check in report.checks if "could not be computed" in check.explanation]
    assert "nan" not in re.findall(r">([^<]*)<", page)


def test_rows_are_numbered_as_in_the_table_given():
    real, made = labelled(400, 0), labelled(800, 1).iloc[-200:]
    together = pd.concat([real, made]).astype(object).reset_index(drop=True)
    together.loc[[410, 500, 599], "age"] = "old"
    for given in (together, together.assign(makeweight_synthetic=np.arange(600) >= 400)):
        check = QualityReport(real, given, target="y", mute=QUICK)["MWQ12"]
        assert "such as 'old', in rows 410, 500, 599" in check.explanation


@pytest.mark.parametrize("seed", range(20))
def test_fresh_rows_of_any_tail_have_no_impossible_values(seed):
    """A rare group of few real rows and many fresh ones, of laws with light and heavy tails."""
    real, made = labelled(240, 2 * seed), labelled(2400, 2 * seed + 1).iloc[-600:]
    shift = {"price": 20.0, "ratio": 3.0}
    for frame in (real, made):
        for name, by in shift.items():
            frame[name] = (frame[name] + by * (frame["y"] == "yes")).round(3)
    report = QualityReport(real, made, target="y", mute=QUICK)
    check = report["MWQ12"]
    assert check.drawer == ("undecided" if check.value > check.info.issue else "passed"), check.explanation
