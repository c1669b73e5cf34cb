"""What an option of our own generators changes: the same generators with it on and off.

    python benchmarks/switched.py own_shape [--seeds 1 2] [--tables real/sick paper/craft] [--show]
    python benchmarks/switched.py derive --seeds 1 2 3 4

Tables: sick whole (70 % to learn from, 162 of 2,598 rows rare), the others thinned to 1,000 common and 100 rare rows.
The rare label is brought up to the common one. AUROC of XGBoost, shallow XGBoost and a forest on the other
rows, the forest's balanced log-loss with half a vote more for either label, how well rows are told from real ones,
and how much nearer they lie to the rows learned from than held-out rows do (MWQ06: 0 is fresh, 1 is copied). Results
are written as they come, and found there again; --show prints what is there.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from makeweight import Limits, SyntheticOverSampler
from makeweight.generators.registry import resolve
from makeweight.quality import QualityReport
from peers_judge import Case, c2st
from quality import DATA, ROOT, balanced_log_loss
from records import Records
from transformer_calibrated import learner, split, whole

RESULTS = ROOT / "benchmarks" / "results"
WHOLE, RARE, HELD_OUT = "real/sick", 100, 1_000
PUBLISHED = (WHOLE, "paper/craft", "paper/adult")
#: Options, and the tables that tell: for `derive`, those with columns that others determine.
TABLES = {
    "own_shape": PUBLISHED,
    "derive": ("paper/craft", "paper/adult", "further/cps", "further/nass", "further/mlc_churn", WHOLE),
}
GENERATORS = ("smoothed-bootstrap", "transport", "transformer")
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "XGBoost": ("XGB", {}),
    "shallow": ("XGB", {"max_depth": 3, "learning_rate": 0.1, "n_estimators": 100}),
    "forest": ("RF", {}),
}


def parts(table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from, and rows to judge by."""
    if table != WHOLE:
        return split(table, RARE, seed)
    frame = whole(table)
    drawn = np.random.default_rng(seed).permutation(len(frame))
    rare = frame["label"].to_numpy()[drawn] == 1
    cut = np.where(rare, rare.cumsum() <= 0.7 * rare.sum(), (~rare).cumsum() <= 0.7 * (~rare).sum())
    return frame.iloc[drawn[cut]].reset_index(drop=True), frame.iloc[drawn[~cut]].reset_index(drop=True)


def judged(train: pd.DataFrame, rows: pd.DataFrame, test: pd.DataFrame, seed: int) -> dict[str, float]:
    """What learners fitted to rows say of others."""
    y, features, figures = test["label"].to_numpy(), test.drop(columns="label"), {}
    for name, (kind, changes) in LEARNERS.items():
        model = learner(kind, train.drop(columns="label"), seed)
        model.steps[-1][1].set_params(**changes)
        p = model.fit(rows.drop(columns="label"), rows["label"]).predict_proba(features)[:, 1]
        figures[name] = float(roc_auc_score(y, p))
        if name == "forest":
            trees = model.steps[-1][1].n_estimators
            figures["log-loss"] = balanced_log_loss(y, (trees * p + 0.5) / (trees + 1))
    return figures


def measure(table: str, seed: int, arm: str, option: str, on: bool) -> dict[str, float]:
    """Figures of one generator on one draw of a table."""
    train, test = parts(table, seed)
    if arm == "no rows":
        return judged(train, train, test, seed)
    sampler = SyntheticOverSampler(resolve(arm, {option: on}), random_state=seed, limits=Limits(copies="accept"))
    X, y = sampler.fit_resample(train.drop(columns="label"), train["label"])
    rows = X.assign(label=y)
    written = rows.iloc[len(train) :]
    held = pd.concat([part.head(HELD_OUT) for _, part in test.groupby("label")])
    report = QualityReport(train, written, target="label", holdout=held, random_state=seed)
    apart = c2st(Case(table, train, test, "label", 1, len(written), None), written)
    return {**judged(train, rows, test, seed), "told apart": apart, "distance": report["MWQ06"].value}


def show(frame: pd.DataFrame, option: str) -> None:
    """Print means over seeds, and what the option changes."""
    figures = [*LEARNERS, "log-loss", "told apart", "distance"]
    for table, own in frame.groupby("table", sort=False):
        print(f"\n{table}, {own.seed.nunique()} seeds: means, and the change (± standard error) with {option}")
        print(own.groupby(["arm", option], sort=False)[figures].mean().round(4).to_string())
        for arm, rows in own[own.arm != "no rows"].groupby("arm", sort=False):
            on, off = (rows[rows[option] == on].set_index("seed")[figures] for on in (True, False))
            change = (on - off).dropna(how="all")
            error = change.std(ddof=1) / len(change) ** 0.5
            print(arm, *(f"{name} {change[name].mean():+.4f} ± {error[name]:.4f}" for name in figures), sep="  ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("option", choices=list(TABLES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tables", nargs="+", help="by default those that tell")
    parser.add_argument("--output", type=Path, help="file of results")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    warnings.filterwarnings("ignore")
    option = options.option
    records = Records(options.output or RESULTS / f"switched_{option}.parquet")
    arms = [("no rows", False), *((name, on) for name in GENERATORS for on in (False, True))]
    for table in [] if options.show else options.tables or TABLES[option]:
        for seed in options.seeds:
            for arm, on in arms:
                key = {"table": table, "seed": seed, "arm": arm, option: on}
                if not records.has(key):
                    records.add(key, [measure(table, seed, arm, option, on)])
                    print(*key.values(), file=sys.stderr)
    show(records.frame, option)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
