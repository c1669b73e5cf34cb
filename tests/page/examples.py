"""Results as the two rooms give them: their own small ones, and larger ones made by hand."""

from __future__ import annotations

import copy
import json
import math
import random
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
#: What `Comparison.to_dict` and `QualityReport.to_dict` gave for small tables.
COMPARISON = json.loads((TESTS / "evaluation" / "comparison.json").read_text(encoding="utf-8"))
QUALITY = json.loads((TESTS / "quality" / "example.json").read_text(encoding="utf-8"))

DRAWERS = (
    ["passed"] * 7 + ["issue", "tip", "tip", "undecided"] + ["passed"] * 5 + ["not applicable", "skipped", "muted"]
)
GROUPS = [f"income={income}, sex={sex}" for income in ("<=50K", ">50K") for sex in ("Female", "Male")]
N_REAL = (9592, 15128, 1179, 6662)
#: Name, label, effect on the balanced log-loss; with and without calibration.
SOURCES = [
    ("constant", "constant prior", None),
    ("nothing", "do nothing", 0.03),
    ("weights", "class weights", 0.004),
    ("threshold", "tuned threshold", 0.03),
    ("under", "undersampling", 0.012),
    ("over", "random oversampling", 0.005),
    ("smote", "SMOTE/SMOTENC", 0.009),
    ("bootstrap", "smoothed bootstrap, balanced", 0.002),
    ("transport", "transport, balanced", -0.002),
    ("transformer", "transformer, balanced", -0.004),
    ("transformer:augmented", "transformer, balanced + augmented", -0.008),
    ("external:more", "more (external information)", -0.02),
]
FIRST_SYNTHETIC = 5
METRICS = {"balanced_log_loss": 0.43, "auroc": 0.88, "balanced_error": 0.2, "brier": 0.13, "ece": 0.03}


def comparison(seed: int = 0) -> dict:
    """Twenty-three arms, three estimators, four groups."""
    rng = random.Random(seed)
    made = copy.deepcopy(COMPARISON)
    made["estimators"] = ["lr", "rf", "hgb"]
    made["arms"] = _arms()
    made["metrics"] = [metric for metric in made["metrics"] if metric["name"] in METRICS]
    made["groups"] = [{"group": g, "n_real": n, "n_after": 15128} for g, n in zip(GROUPS, N_REAL, strict=True)]
    triples = [(e, arm, metric) for e in made["estimators"] for arm in made["arms"] for metric in made["metrics"]]
    made["results"] = [_result(rng, *triple) for triple in triples]
    made["group_risks"] = [
        {"estimator": e, "arm": arm["name"], "group": group, "difference": None}
        | {"log_loss": _interval(0.3 + 0.09 * g + rng.gauss(0, 0.01), 0.02), "error": _interval(0.1 + 0.05 * g, 0.01)}
        for e in made["estimators"]
        for arm in made["arms"]
        for g, group in enumerate(GROUPS)
    ]
    made["found"] = [_found(e, arm["name"], g) for e in made["estimators"] for g, arm in enumerate(made["arms"])]
    drawn = ("nothing+platt", "transformer+platt", "transformer:augmented+platt")
    made["curves"] = [_curves(e, arm) for e in made["estimators"] for arm in drawn]
    made["answer"] |= {
        "text": "Add 24,720 rows: 4 more of 100 income=>50K found.",
        "step": "rows",
        "estimator": "hgb",
        "arm": "transformer:augmented+platt",
        "cases": "income=>50K",
        "next": "makeweight balance adult_census.csv --target income --augment 6000 -o out.csv",
    }
    made["class_report"] = [
        {"estimator": e, "arm": arm["name"], "class": name}
        | dict.fromkeys(("pre", "rec", "spe", "f1", "geo", "iba"), 0.75)
        for e in made["estimators"]
        for arm in made["arms"]
        for name in ("<=50K", ">50K")
    ]
    made["failures"] = [
        {"arm": "smote", "estimator": e, "split": "repeat 1, fold 2", "error": "SMOTENC: too few rows in '>50K'"}
        for e in made["estimators"]
    ]
    made["cut"] = ["3 of 5 repeats were run: one split takes 19 s of the budget of 300 s"]
    made["ledger"] = ledger()
    made["verdict"] = {
        "code": "helps-ranking",
        "sentence": "It helps: with boosted trees, transformer rows lower the balanced log-loss by 0.011.",
        "details": ["AUROC +0.009 [+0.006, +0.012] with boosted trees, none with logistic regression."],
        "next": "makeweight balance adult_census.csv --target income --augment 6000 -o out.csv",
    }
    made["data"] |= {"name": "adult_census.csv", "n_rows": 32561, "target": "income", "group_by": ["sex"]}
    return made


def quality(seed: int = 0, n_columns: int = 20) -> dict:
    """Twenty columns, four groups, checks in all six drawers."""
    rng = random.Random(seed)
    made = copy.deepcopy(QUALITY)
    names = ["age", "workclass", "fnlwgt", "education.num", "household_income_before_tax_and_benefits"]
    names += [f"measurement_{i}" for i in range(n_columns - len(names))]
    made["groups"] = [
        {"group": g, "n_real": n, "n_synthetic": 15128 - n, "n_holdout": n // 4, "compared": True}
        for g, n in zip(GROUPS, N_REAL, strict=True)
    ]
    made["marginals"] = [_marginal(rng, name, group) for name in names for group in GROUPS]
    real = [[1.0] * n_columns for _ in names]
    for i in range(n_columns):
        for j in range(i):
            real[i][j] = real[j][i] = rng.uniform(-1, 1) ** 3
    synthetic = [[max(-1.0, v - abs(rng.gauss(0, 0.08))) for v in row] for row in real]
    synthetic[1][2] = synthetic[2][1] = math.nan
    made["associations"] = {"columns": names, "real": real, "synthetic": synthetic, "retained": 0.91, "cut": 3}
    levels = [i / 40 for i in range(41)]
    curve = [(-math.log(1 - 0.97 * q)) ** 0.6 for q in levels]
    made["distances"] = {"levels": levels, "synthetic": [0.8 * d for d in curve], "holdout": curve, "real": curve}
    row = {name: rng.choice(["17", "Private", "Self-emp-not-inc", "(missing)"]) for name in names}
    made["sample"] = [
        {"group": GROUPS[i % 4], "synthetic": row, "distance": 0.1 * i}
        | {"nearest": {n: v if rng.random() < 0.7 else "Never-married" for n, v in row.items()}}
        for i in range(6)
    ]
    made["checks"] = [_check(i) for i in range(len(made["checks"]))]
    made["counts"] = {drawer: DRAWERS.count(drawer) for drawer in made["counts"]}
    made["data"] |= {
        "notes": ["groups with fewer than 8 rows on a side were not compared: income=>50K, sex=Unknown"],
        "not_compared": [{"column": "id", "reason": "identifier: every value is different"}],
    }
    made["ledger"] = ledger()
    made["verdict"] |= {"sentence": "Use these rows with care: one column drifts, MWQ08 says where."}
    return made


def ledger() -> dict:
    """Four groups, one of them short."""
    entries = [
        {"group": g, "purpose": "balance", "requested": 15128 - n, "accepted": 15128 - n - short, "shortfall": short}
        | {"proposed": 15168 - n - short, "rejected": {"copy": 31, "out-of-range: age": 9}, "copies": 31}
        | {"rounds": 4, "seconds": 3.217, "stopped": "full"}
        for g, n, short in zip(GROUPS, N_REAL, (0, 0, 2, 0), strict=True)
    ]
    totals = {key: sum(e[key] for e in entries) for key in ("requested", "accepted", "shortfall", "proposed", "copies")}
    return totals | {"rejected": {"copy": 124, "out-of-range: age": 36}, "entries": entries}


def _arms() -> list[dict]:
    arms = []
    for i, (name, label, effect) in enumerate(SOURCES):
        for calibrated in (False, True)[: 1 if effect is None else 2]:
            arms.append(
                {
                    "name": name + "+platt" * calibrated,
                    "label": label + " + calibration" * calibrated,
                    "calibrated": calibrated,
                    "synthetic": i >= FIRST_SYNTHETIC,
                    "external": name.startswith("external"),
                    "focus": name.startswith("transformer"),
                    "step": "rows" if i >= FIRST_SYNTHETIC else "calibration",
                    "n_added": 24720.0 if i >= FIRST_SYNTHETIC else 0.0,
                }
            )
    return arms


def _result(rng: random.Random, estimator: str, arm: dict, metric: dict) -> dict:
    sign = 1 if metric["lower_is_better"] else -1
    effect = {name: effect for name, _, effect in SOURCES}[arm["name"].removesuffix("+platt")]
    result = {"estimator": estimator, "arm": arm["name"], "metric": metric["name"], "n": 15}
    if effect is None:
        change, level = 0.26 * sign, metric["reference"] or 0.5
    else:
        change = sign * (effect - 0.004 * arm["calibrated"]) + rng.gauss(0, 0.001)
        level = METRICS[metric["name"]] + change
    difference = None
    if arm["name"] != "nothing+platt":
        p = math.exp(-abs(change) * 500)
        difference = _interval(change, 0.004) | {"p": p, "p_holm": min(1.0, 20 * p)}
    return result | _interval(level, 0.01) | {"difference": difference, "difference_to_nothing": None}


def _found(estimator: str, arm: str, place: int) -> dict:
    mean = 0.6 + 0.005 * place
    difference = None if arm == "nothing+platt" else _interval(mean - 0.6, 0.02) | {"p": 0.01, "p_holm": 0.01}
    found = {"estimator": estimator, "arm": arm, "alarms": 0.21, "found": _interval(mean, 0.03)}
    return found | {"difference": difference, "worst_group": GROUPS[2], "worst": _interval(mean - 0.2, 0.05)}


def _curves(estimator: str, arm: str) -> dict:
    points = [{"recall": k / 20, "precision": 1 - (k / 20) ** 2 * 0.7} for k in range(1, 21)]
    bins = [{"stated": k / 10 + 0.05, "observed": (k / 10 + 0.05) ** 1.2, "weight": 0.1} for k in range(10)]
    return {"estimator": estimator, "arm": arm, "share": 0.24, "points": points, "bins": bins}


def _interval(mean: float, half: float) -> dict:
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _check(i: int) -> dict:
    check = copy.deepcopy(QUALITY["checks"][i])
    check["drawer"] = DRAWERS[i]
    if check["drawer"] in ("not applicable", "skipped", "muted"):
        check |= {"value": None, "interval": None, "null_interval": None, "p": None, "p_holm": None}
    elif check["value"] is None:
        check |= {"value": 0.0123, "interval": [0.004, 0.021], "null_interval": [-0.01, 0.02], "p_holm": 0.3}
    return check


def _marginal(rng: random.Random, name: str, group: str) -> dict:
    drift = rng.random() ** 3 / 2
    common = {"column": name, "group": group, "n_real": 1000, "n_synthetic": 1200, "drift": drift, "p": 0.2}
    common |= {"wasserstein": None, "missing": {"real": 0.02, "synthetic": 0.0}}
    if rng.random() < 0.5:
        weights = [math.exp(-(((i - 6) / 4) ** 2)) for i in range(16)]
        edges = [17.0 + 4.5 * i for i in range(17)]
        common |= {"kind": "integer", "statistic": "Kolmogorov-Smirnov", "labels": None, "edges": edges}
        common |= {"edge_labels": [f"{edge:.1f}" for edge in edges]}
    else:
        weights = [rng.random() ** 2 + 0.01 for _ in range(7)]
        labels = [*"abcde", "Married-civ-spouse", "(others)"]
        common |= {"kind": "categorical", "statistic": "total variation", "labels": labels, "edges": None}
        common |= {"edge_labels": None}
    other = [w * (1 + drift * rng.random()) for w in weights]
    return common | {"real": [w / sum(weights) for w in weights], "synthetic": [w / sum(other) for w in other]}
