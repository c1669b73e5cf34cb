"""What the page of a comparison shows: whether the synthetic rows helped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from makeweight.page.groups import bars, risk_tables
from makeweight.page.intervals import ForestPlot, ForestRow, axis, forest, interval_text, strip
from makeweight.page.picture import counted_arms, curve_pair, gain_plot
from makeweight.page.svg import Ids, finite, scale_of
from makeweight.page.words import count, cut, file_name, number, real_number, shown, signed

__all__ = ["ESTIMATORS"]

#: What the best arm does: tone of the page, and the word on its badge.
STEPS = {
    "calibration": ("even", "Calibration does it"),
    "learner": ("caution", "Another learner does it"),
    "weights": ("caution", "Weights do it"),
    "labels": ("caution", "Labels do it"),
    "committee": ("caution", "A committee does it"),
    "rows": ("good", "Rows do it"),
    "soft-rows": ("good", "Rows and labels do it"),
    "blend": ("good", "Rows, labels and a committee do it"),
    "auto": ("good", "Rows do it, as many as it chooses"),
    "failed": ("bad", "Failed"),
}
#: What the short names of estimators stand for.
ESTIMATORS = {
    "lr": "logistic regression",
    "rf": "random forest",
    "hgb": "boosted trees",
    "xgb": "XGBoost",
    "rf5": "random forest, 5 rows a leaf",
    "hgb-shallow": "shallow boosted trees",
}
#: Metrics of the picture: name, label, and whether less is better.
MEASURES = (("auroc", "AUROC", False), ("balanced_log_loss", "log-loss", True))
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
    tone, badge = STEPS[result["answer"]["step"]]
    names = {estimator: ESTIMATORS.get(estimator, estimator) for estimator in result["estimators"]}
    labels = {arm["name"]: cut(arm["label"]) for arm in result["arms"]}
    compared_with = labels[result["reference"]]
    room = max(ROWS // max(len(labels) * len(names), 1), 1)
    forests = _forests(ids, result, result["metrics"][:room], names, compared_with)
    risks = risk_tables(ids, result["group_risks"], result["arms"], names, RISKS)
    every = [f for _, several in forests for f in several]
    sections = [
        ("picture", "Every arm", True),
        ("counts", "Cases found", result["found"]),
        ("transfer", "Cost of transfer", result.get("cost_of_transfer")),
        ("missing", "What is missing", result["cut"] or result["failures"]),
        ("groups", "Groups", True),
        ("arms", "All numbers", True),
        ("risks", "Risk by group", risks),
        ("ledger", "Ledger", result["ledger"]),
        ("reproduce", "Reproduce", True),
    ]
    answer = result["answer"]
    first = answer["estimator"] or result["estimators"][0]
    ordered = [first, *(name for name in names if name != first)]
    plots = [gain_plot(ids, result, estimator, names[estimator], MEASURES) for estimator in ordered]
    return {
        "headline": answer["text"],
        "lead": result["verdict"]["sentence"],
        "next": answer["next"],
        "model": result.get("model"),
        "alarms": _alarms(result["found"], first),
        "cases": answer["cases"],
        "plots": plots,
        "plots_key": _key([arm for arm in result["arms"] if arm["calibrated"]], outside=any(p.outside for p in plots)),
        "counted": counted_arms(ids, result, first),
        "first": names[first],
        "pair": curve_pair(ids, result, first, answer["cases"]),
        "transfer_with": next(iter(names.values())),
        "transfer": _transfer(ids, result.get("cost_of_transfer") or []),
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


def _alarms(found: Sequence[Mapping[str, Any]], estimator: str) -> str:
    """Return how many alarms there are today, as a text."""
    rates = finite(row["alarms"] for row in found if row["estimator"] == estimator)
    return f"one alarm in {number(1 / rates[0], 1)} rows" if rates and rates[0] > 0 else ""


def _transfer(ids: Ids, costs: Sequence[Mapping[str, Any]]) -> tuple[Any, list[tuple[str, Any, str, str]]] | None:
    """Return what written rows cost where real ones would stand: an axis, and drawn rows with their numbers."""
    known = [one["cost"] for one in costs if one["cost"] and finite([one["cost"]["estimate"]])]
    if not known:
        return None
    scale = scale_of([cost[key] for cost in known for key in ("low", "estimate", "high")], include=[0.0], pad=4)
    reading = "Right of the line real rows are worth more. The numbers stand in the same rows."
    above = axis(ids, scale, title="Cost of transfer", description=reading, reference=(0.0, "as good as real rows"))
    rows: list[tuple[str, Any, str, str]] = []
    for one in costs:
        cost = one["cost"]
        if not cost:
            rows.append((cut(one["generator"], 40), "", "", cut(one["reason"])))
            continue
        low, high = cost["low"], cost["high"]
        is_open = not (real_number(low) and real_number(high) and (low > 0 or high < 0))
        drawing = strip(above, cost["estimate"], low, high, "synthetic open" if is_open else "synthetic")
        interval = interval_text((low, high), 3, sign=True)
        rows.append((cut(one["generator"], 40), drawing, signed(cost["estimate"]), interval))
    return above, rows


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
