"""What the page of a comparison shows: whether the synthetic rows helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from makeweight.page.groups import bars, risk_tables
from makeweight.page.intervals import ForestPlot, ForestRow, forest
from makeweight.page.svg import Ids
from makeweight.page.words import count, cut, file_name, number, shown

__all__ = ["comparison_view"]

#: Code of the verdict: tone of the page, and the word on its badge.
VERDICTS = {
    "helps-ranking": ("good", "It helps"),
    "helps-calibration-only": ("caution", "Only calibration"),
    "no-difference": ("even", "No difference"),
    "hurts": ("bad", "It hurts"),
    "mixed": ("caution", "Mixed"),
    "failed": ("bad", "Failed"),
}
#: What the short names of estimators stand for.
ESTIMATORS = {"lr": "logistic regression", "rf": "random forest", "hgb": "boosted trees", "xgb": "XGBoost"}
#: So many rows are drawn at most, for the page to stay small; the first metric and risk always are.
ROWS = 1800
#: Numbers of imbalanced-learn's report, and their headings.
REPORT = {
    "pre": "precision",
    "rec": "recall",
    "spe": "specificity",
    "f1": "F1",
    "geo": "geometric mean",
    "iba": "index balanced accuracy",
}
#: Key of a count: its heading, and what its bar means.
BARS = {"n_real": ("before", "real rows"), "n_after": ("after", "synthetic rows added")}
RISKS = {"log_loss": "log-loss by group", "error": "error by group"}


def comparison_view(result: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what the template shows of a comparison."""
    ids = Ids()
    tone, badge = VERDICTS[result["verdict"]["code"]]
    names = {estimator: ESTIMATORS.get(estimator, estimator) for estimator in result["estimators"]}
    labels = {arm["name"]: cut(arm["label"]) for arm in result["arms"]}
    compared_with = labels[result["reference"]]
    room = max(ROWS // max(len(labels) * len(names), 1), 1)
    forests = _forests(ids, result, result["metrics"][:room], names, compared_with)
    risks = risk_tables(ids, result["group_risks"], result["arms"], names, RISKS)
    every = [f for _, several in forests for f in several]
    sections = [
        ("missing", "What is missing", result["cut"] or result["failures"]),
        ("groups", "Groups", True),
        ("arms", "Arms", True),
        ("risks", "Risk by group", risks),
        ("ledger", "Ledger", result["ledger"]),
        ("reproduce", "Reproduce", True),
    ]
    return {
        "question": "Did it help?",
        "subject": file_name(result["data"]["name"]),
        "tone": tone,
        "badge": badge,
        "facts": _facts(result),
        "sections": [(anchor, label) for anchor, label, is_shown in sections if is_shown],
        "bars": bars(ids, result["groups"], BARS, stacked=True),
        "forests": forests,
        "widths": _widths([row for f in every for row in f.rows]),
        "compared_with": compared_with,
        "arms_key": _key(result["arms"], outside=any(f.outside for f in every)),
        "left_out": ", ".join(metric["label"] for metric in result["metrics"][room:]),
        "risks": risks[:room],
        "failures": _failures(result["failures"], names, labels),
        "reports": _reports(result["class_report"], names, labels),
        "report_headings": list(REPORT.values()),
        "codes": [],
        "private": "",
    }


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, settings = result["data"], result["settings"]
    return [
        ("rows", count(data["n_rows"])),
        ("columns", count(data["n_columns"])),
        ("target", cut(data["target"], 40)),
        ("groups by", ", ".join(cut(column, 40) for column in data["group_by"]) or "the target alone"),
        ("generator", cut(settings["generator"], 40)),
        ("splits", f"{shown(settings['splits'])} ({shown(settings['folds'])} folds)"),
        ("seed", str(result["reproduce"]["seed"])),
    ]


def _key(arms: Sequence[Mapping[str, Any]], *, outside: bool) -> list[tuple[str, str]]:
    """Return the marks and what they mean."""
    key = [("mark control", "without synthetic rows")]
    if any(arm["synthetic"] for arm in arms):
        key.append(("mark synthetic", "with synthetic rows"))
    key.append(("mark control open", "hollow: the difference may be chance (p ≥ 0.05)"))
    if outside:
        key.append(("beyond", "goes on beyond the axis, to the numbers beside it"))
    return key


def _forests(
    ids: Ids,
    result: Mapping[str, Any],
    metrics: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    compared_with: str,
) -> list[tuple[Mapping[str, Any], list[ForestPlot]]]:
    """Return per metric the arms of every estimator that has results."""
    by_arm: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for row in result["results"]:
        by_arm.setdefault((row["metric"], row["estimator"]), {})[row["arm"]] = row
    forests = []
    for metric in metrics:
        several = [
            forest(ids, metric, name, result["arms"], by_arm[metric["name"], estimator], compared_with)
            for estimator, name in names.items()
            if (metric["name"], estimator) in by_arm
        ]
        if several:
            forests.append((metric, several))
    return forests


def _widths(rows: Sequence[ForestRow]) -> tuple[int, int]:
    """Return how many characters the numbers of levels and of differences take, so that tables line up."""
    level = max((len(row.mean) + len(row.interval) for row in rows), default=0)
    change = max((len(row.difference) + len(row.difference_interval) for row in rows), default=0)
    return level + 1, change + 1


def _failures(
    failures: Sequence[Mapping[str, Any]], names: Mapping[str, str], labels: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return failures by message: their arms, estimators and number."""
    by_message: dict[str, list[Mapping[str, Any]]] = {}
    for failure in failures:
        by_message.setdefault(str(failure["error"]), []).append(failure)
    return [
        {
            "arms": "; ".join(dict.fromkeys(labels[one["arm"]] for one in same)),
            "estimators": ", ".join(dict.fromkeys(names[one["estimator"]] for one in same)),
            "times": "once" if len(same) == 1 else f"{len(same)} times",
            "error": cut(error, 400),
        }
        for error, same in by_message.items()
    ]


def _reports(
    report: Sequence[Mapping[str, Any]], names: Mapping[str, str], labels: Mapping[str, str]
) -> list[tuple[str, list[tuple[str, str, list[str]]]]]:
    """Return imbalanced-learn's numbers per estimator: arm, class, numbers."""
    reports = []
    for estimator, name in names.items():
        rows = [
            (labels[row["arm"]], str(row["class"]), [number(row[key]) for key in REPORT])
            for row in report
            if row["estimator"] == estimator
        ]
        if rows:
            reports.append((name, rows))
    return reports
