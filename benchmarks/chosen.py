"""What `SyntheticClassifier` chooses by itself, beside the same learner calibrated and nothing else, on many tables.

    python benchmarks/chosen.py MODE [--seeds 1,2 --tables NAME ... --learners NAME ...]
    python benchmarks/chosen.py --show                                        # the tables of docs/soft-rows.md

Modes rare, whole, kept-rare and kept-whole, tables, splits and learners are those of soft_rows.py. Mode rare, and the
modes few (10 rare rows), rare30 and many (1,000 rare rows of large tables), are together the 72 cases of
transformer_calibrated.py. Both arms are calibrated to the training rows' shares (Platt scaling); balanced log-loss is
of the same probabilities, shifted to equal shares. Sizes are chosen in three folds, once (``cv=3, repeats=1``, lighter
than the defaults). The run is resumable: what is in the results is not measured again.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import soft_rows
import transformer_calibrated as calibrated
from makeweight import SyntheticClassifier
from records import Records
from soft_rows import FLOOR, WHOLE, learner, loss_at, shifted

RESULTS = Path(__file__).parent / "results" / "chosen.parquet"
LEARNERS = ("LR", "RF", "XGB")
LIGHT = {"cv": 3, "repeats": 1}
LEVEL = 1e-6  # nats; less is rounding
#: Modes that soft_rows.py lacks: tables, and rare rows.
FURTHER = {
    "few": (("opal/craft", "opal/gender"), 10),
    "rare30": (WHOLE, 30),
    "many": (calibrated.LARGE, calibrated.MANY),
}
MODES = soft_rows.MODES | {mode: names for mode, (names, _) in FURTHER.items()}
CASES = ("rare", *FURTHER)


def split(mode: str, table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and rows to judge by."""
    if mode in FURTHER:
        return calibrated.split(table, FURTHER[mode][1], seed)
    return soft_rows.split(mode, table, seed)


def measure(mode: str, table: str, seed: int, name: str) -> list[dict[str, Any]]:
    """One record with both arms."""
    train, test = split(mode, table, seed)
    X, y = train.drop(columns="label"), train["label"].to_numpy()
    judged, truth = test.drop(columns="label"), test["label"].to_numpy()
    record: dict[str, Any] = {}
    for arm, options in {"nothing": {"n_synthetic": 0, "augment": 0}, "chosen": {}}.items():
        began = time.process_time()
        model = SyntheticClassifier(learner(name, X, seed), random_state=seed, **LIGHT, **options).fit(X, y)
        seconds = time.process_time() - began
        p = np.clip(model.predict_proba(judged)[:, 1], FLOOR, 1 - FLOOR)
        record |= {
            f"{arm} auroc": float(roc_auc_score(truth, p)),
            f"{arm} loss": loss_at(truth, p, y.mean()),
            f"{arm} balanced": loss_at(truth, shifted(p, y.mean()), 0.5),
            f"{arm} seconds": seconds,
        }
    decision = model.decision_
    risks = {result.title: result.risk for result in decision.candidates}
    return [record | {"way": decision.way, "validated gain": decision.gain, "p": decision.p_value, "risks": str(risks)}]


def summarise(frame: pd.DataFrame) -> None:
    """Print gains by learner and mode, with standard errors over tables, the worst table, and how often it is worse."""
    for mode, part in frame.groupby("mode", sort=False):
        seeds = part.groupby("table")["seed"].nunique()
        print(f"\n{mode}: {len(seeds)} tables, {seeds.min()} to {seeds.max()} seeds")
        for metric, sign in (("auroc", 1), ("loss", -1), ("balanced", -1)):
            gain = sign * (part[f"chosen {metric}"] - part[f"nothing {metric}"])
            by = gain.groupby([part["learner"], part["table"]], sort=False).mean()
            for name, own in by.groupby("learner", sort=False):
                print(
                    f"{metric:9s} {name:4s} gain {own.mean():+.4f} ± {own.sem():.4f}  worst {own.min():+.4f} "
                    f"({own.idxmin()[1]})  better {(own > 0).mean():.0%}, level {(own == 0).mean():.0%}"
                )
        gain = part["nothing balanced"] - part["chosen balanced"]
        better, worse = int((gain > LEVEL).sum()), int((gain < -LEVEL).sum())
        print(f"balanced log-loss of {len(gain)} fits: {better} better, {worse} worse, the others level")
        print(part.groupby("learner", sort=False)["way"].value_counts().unstack(fill_value=0).to_string())
        print(part.groupby("learner", sort=False)[["nothing seconds", "chosen seconds"]].mean().round(1).to_string())


def summarise_cases(frame: pd.DataFrame) -> None:
    """Print how often, and by how much, what is chosen is better or worse over the cases of all sizes."""
    cases = frame[frame["mode"].isin(CASES)]
    for metric, sign in (("balanced", -1), ("auroc", 1)):
        gain = sign * (cases[f"chosen {metric}"] - cases[f"nothing {metric}"])
        by = gain.groupby([cases["mode"], cases["table"], cases["learner"]], sort=False).agg(["mean", "sem"])
        surely = by["mean"].abs() > 2 * by["sem"]  # false where there is one split
        better, worse = by["mean"] > 0, by["mean"] < 0
        print(
            f"\n{len(by)} cases, {metric}: gain {by['mean'].mean():+.4f}, better {better.mean():.0%} (beyond two "
            f"standard errors {(better & surely).mean():.0%}), level {(by['mean'] == 0).mean():.0%}, worse "
            f"{worse.mean():.0%} (beyond two standard errors {(worse & surely).mean():.0%}), "
            f"worst {by['mean'].min():+.4f} {by['mean'].idxmin()}"
        )


def main() -> None:
    """Measure what is missing, or show what is there."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=MODES)
    parser.add_argument("--seeds", default="1,2")
    parser.add_argument("--tables", nargs="+", default=None)
    parser.add_argument("--learners", nargs="+", default=LEARNERS)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--show", action="store_true")
    asked = parser.parse_args()
    records, stop = Records(RESULTS), time.monotonic() + 3600 * asked.hours
    for seed in map(int, asked.seeds.split(",")) if asked.mode else ():
        for table in asked.tables or MODES[asked.mode]:
            for name in asked.learners:
                key = {"mode": asked.mode, "table": table, "seed": seed, "learner": name}
                if not records.has(key) and time.monotonic() < stop:
                    began = time.monotonic()
                    records.add(key, measure(asked.mode, table, seed, name))
                    row = records.frame.iloc[-1]
                    print(*key.values(), row["way"], f"{time.monotonic() - began:.0f} s", flush=True)
    if asked.show:
        summarise(records.frame)
        summarise_cases(records.frame)


if __name__ == "__main__":
    main()
