"""The causal language model on the published craft split, beside other generators and the authors' GPT-2.

    python benchmarks/causal_lm.py [--seeds N] [--option KEY=VALUE ...]

Training rows: 1000 of label 0 and 100 of label 1; 900 rows of label 1 are written, by a model that sees the
training rows alone. One model from scratch is trained per seed and writes at temperatures 0.7 and 1.0, with
and without constraints. Beside it stand nothing, SMOTE, the smoothed bootstrap, 900 real rows, and the
published rows of a fine-tuned GPT-2 that saw all withheld training rows as well.

Per arm: a random forest's balanced log-loss as it is and after calibration (two-parameter Platt with balanced
weights, cross-fitted on halves of the test rows: an arm's quality but for its calibration), AUROC, rows per
second, the share of proposed rows that are valid, and the share that equals a training row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from makeweight.generators.base import Traits
from makeweight.generators.check import COPY, SURPLUS, Checker
from makeweight.generators.fill import Generation, Limits, fill
from makeweight.generators.registry import resolve
from makeweight.plan import Groups, Plan
from makeweight.table import Schema, Table

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data")) / "paper" / "craft"
SEEDS = (1, 2, 6, 8, 42)
TARGET = "Target"
PACKAGES = ("makeweight", "torch", "transformers", "llguidance", "numpy", "pandas", "scikit-learn")
PUBLISHED = "published GPT-2 (saw withheld rows)"


def split(seed: int) -> tuple[Table, pd.DataFrame, pd.DataFrame]:
    """Return the training table, the test rows, and the withheld rows of label 1."""
    common = pd.read_csv(DATA / "train0.csv").sample(900, random_state=seed)
    train = pd.concat([pd.read_csv(DATA / "seed.csv"), common], ignore_index=True)
    table = Table(train, Schema.infer(train, target=TARGET))
    return table, pd.read_csv(DATA / "test.csv"), pd.read_csv(DATA / "train1.csv")


def balanced_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over both labels of their mean log-loss."""
    tiny = np.finfo(np.float64).eps
    p = np.clip(probabilities, tiny, 1 - tiny)
    return float(0.5 * (-np.log(p[labels == 1]).mean() - np.log(1 - p[labels == 0]).mean()))


def calibrated(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return Platt-scaled probabilities, each half of the rows by a fit to the other."""
    p = np.clip(probabilities, 1e-3, 1 - 1e-3)
    scores = np.log(p / (1 - p))[:, None]
    half = np.arange(len(labels)) % 2 == 0
    scaled = np.empty(len(labels))
    for part in (half, ~half):
        fit = LogisticRegression(C=1e6, class_weight="balanced").fit(scores[~part], labels[~part])
        scaled[part] = fit.predict_proba(scores[part])[:, 1]
    return scaled


def score(rows: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return what a forest that is fitted to the rows is worth on the test rows."""
    names = [name for name in test.columns if name != TARGET]
    forest = RandomForestClassifier(criterion="entropy", random_state=seed)
    forest.fit(rows[names].to_numpy(float), rows[TARGET].to_numpy(int))
    labels = test[TARGET].to_numpy(int)
    p = forest.predict_proba(test[names].to_numpy(float))[:, 1]
    return {
        "log_loss": balanced_log_loss(labels, p),
        "log_loss_calibrated": balanced_log_loss(labels, calibrated(labels, p)),
        "auroc": float(roc_auc_score(labels, p)),
    }


def account(made: Generation, seconds: float) -> dict[str, Any]:
    """Return speed and shares of a generation in which copies were accepted."""
    ledger = made.ledger
    asked = ledger.proposed - ledger.rejected[SURPLUS]
    return {
        "rows_per_second": len(made) / seconds,
        "valid": ledger.accepted / asked,
        "copies": ledger.copies / ledger.proposed,
        "shortfall": ledger.shortfall,
        "rejected": dict(ledger.rejected.most_common(5)),
    }


def written(generator: Any, table: Table, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Have a fitted generator write the missing rows."""
    groups = Groups(table)
    start = time.perf_counter()
    made = fill(
        generator,
        table,
        Plan.make(groups),
        seed=np.random.SeedSequence(seed),
        limits=Limits(copies="accept", on_shortfall="warn"),
    )
    return made.frame, account(made, time.perf_counter() - start)


def published(table: Table, seed: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return 900 of the published rows of label 1, and how many pass the check."""
    rows = pd.read_csv(DATA / "gpt2_finetuned.csv")
    rows = rows[rows[TARGET] == 1].sample(900, random_state=seed).reset_index(drop=True)
    checked = Checker(table, Groups(table), Traits(), "accept").check((1,), rows, len(rows))
    assert COPY not in checked.rejected
    return rows, {"valid": checked.n_accepted / len(rows), "copies": checked.copies / len(rows)}


def measure(seed: int, options: dict[str, str]) -> list[dict[str, Any]]:
    """Return one record per arm."""
    table, test, further = split(seed)
    records: list[dict[str, Any]] = []

    def record(arm: str, rows: pd.DataFrame | None, details: dict[str, Any]) -> None:
        train = table.frame if rows is None else pd.concat([table.frame, rows], ignore_index=True)
        records.append({"arm": arm, "seed": seed, **score(train, test, seed), **details})

    record("do nothing", None, {})
    for name in ("smote", "smoothed-bootstrap"):
        record(name, *written(resolve(name).fit(table, rng=np.random.default_rng(seed)), table, seed))
    record(PUBLISHED, *published(table, seed))
    record("900 real rows", further.sample(900, random_state=seed), {})

    generator: Any = resolve("causal-lm", {"model": "scratch", "verbose": 1, **options})
    start = time.perf_counter()
    generator.fit(table, rng=np.random.default_rng(seed))
    training = {name: value for name, value in generator.training.items() if name != "losses"}
    fit = {"fit_seconds": time.perf_counter() - start, "training": training}
    for temperature in (0.7, 1.0):
        for constrain in (True, False):
            generator.temperature, generator.constrain = temperature, constrain
            rows, details = written(generator, table, seed)
            arm = f"causal-lm, T={temperature:g}" + ("" if constrain else ", unconstrained")
            record(arm, rows, {**details, **fit})
    return records


def show(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Print the means over seeds, and return them."""
    frame = pd.DataFrame(records)
    numbers = ["log_loss", "log_loss_calibrated", "auroc", "rows_per_second", "valid", "copies", "fit_seconds"]
    means = frame.groupby("arm", sort=False)[numbers].mean()
    print(f"{'arm':36s} log-loss calibrated  AUROC   rows/s  valid copies  fit s")
    for arm, line in means.iterrows():
        texts = [
            f"{line[name]:{width}}" if np.isfinite(line[name]) else " " * int(width.split(".")[0].strip(","))
            for name, width in zip(numbers, ("8.3f", "10.3f", "6.3f", "8,.0f", "6.3f", "6.3f", "6.0f"), strict=True)
        ]
        print(f"{arm:36s} " + " ".join(texts))
    print(f"\nA constant probability of one half scores {np.log(2):.3f}.")
    return [
        {"arm": arm, "seeds": int((frame["arm"] == arm).sum())}
        | {name: float(value) for name, value in line.items() if np.isfinite(value)}
        for arm, line in means.iterrows()
    ]


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="how many of the published seeds, at most five")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the generator")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "causal_lm.json")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"error: no tables in {DATA}\nhint: name their folder in MAKEWEIGHT_DATA", file=sys.stderr)
        return 2
    options = dict(pair.split("=", 1) for pair in arguments.option)
    records = []
    for seed in SEEDS[: arguments.seeds]:
        records += measure(seed, options)
    result = {
        "command": "python benchmarks/causal_lm.py " + " ".join(sys.argv[1:]),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in PACKAGES},
        "summary": show(records),
        "records": records,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {arguments.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
