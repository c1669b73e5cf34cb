"""How many soft rows, what they weigh, how soft real ones are, and where they lie: curves on the development tables.

    python benchmarks/soft_rows_curves.py --run [--tables NAME ...]     # of further_tables.py; reported nowhere else
    python benchmarks/soft_rows_curves.py                               # what is there, as tables

1,000 common and 100 rare rows to learn from, judged on up to 1,500 others of either label, one draw. Every arm but
"nothing" has soft real rows; but for what its name says, by half, with 8,000 synthetic rows that weigh one and lie as
the table's own do. "where the committee is unsure": 8,000 of 30,000, by chance in proportion to the entropy of what
it says of them; "weighed back" takes that out again by weights. "even": as many for either label.

Calibration: slope and offset of the logistic regression of the judged rows' labels, at the training rows' shares, on
the log-odds of an answer; one and zero are right.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from choosing import rows_of
from further_tables import DEVELOPMENT
from makeweight.committee import Committee, soft_labels
from records import Records
from soft_rows import FLOOR, fitted, loss_at, shifted, written

RESULTS = Path(__file__).parent / "results" / "soft_rows_curves.parquet"
LEARNERS = ("LR", "RF", "XGB")
ROWS, MOST = 8_000, 30_000
CURVES: dict[str, dict[str, dict[str, Any]]] = {
    "synthetic rows": {f"{m:,} rows": {"m": m} for m in (0, 1_000, 2_000, 4_000, ROWS, 16_000, MOST)},
    "weight of a synthetic row": {f"weight {w:g}": {"weight": w} for w in (0.03, 0.1, 0.3, 3.0)},
    "softness of real rows": {f"softness {s:g}": {"softness": s} for s in (0.0, 0.25, 0.75, 1.0)},
    "where": {
        "even": {"where": "even"},
        "where the committee is unsure": {"where": "unsure"},
        "the same, weighed back": {"where": "unsure", "back": True},
    },
}


def measure(table: str, seed: int) -> list[dict[str, Any]]:
    """One record per learner and arm, and the calibration of the committee."""
    train, test = rows_of(table, 100, seed)
    X, y, share = train.drop(columns="label"), train["label"].to_numpy(), float(train["label"].mean())
    judged, truth = test.drop(columns="label"), test["label"].to_numpy()
    rng = np.random.default_rng(seed)
    committee = Committee(random_state=seed).fit(X, y)
    rare = round(MOST * share)
    made = written(train, {0: MOST - rare, 1: rare}, seed).drop(columns="label")
    pools = {"own": made.iloc[rng.permutation(len(made))].reset_index(drop=True)}
    pools["even"] = written(train, {0: ROWS // 2, 1: ROWS // 2}, seed + 1).drop(columns="label")
    said = {name: committee.predict_proba(pool) for name, pool in pools.items()}
    entropy = -(said["own"] * np.log(np.clip(said["own"], FLOOR, 1))).sum(axis=1)
    chance = entropy / entropy.sum()
    taken = rng.choice(len(chance), size=ROWS, replace=False, p=chance)
    pools["unsure"], said["unsure"] = pools["own"].iloc[taken].reset_index(drop=True), said["own"][taken]
    back = 1 / np.clip(chance[taken], chance.mean() / 20, None)

    def training_set(
        m: int = ROWS,
        weight: float = 1.0,
        softness: float = 0.5,
        where: str = "own",
        *,
        back_by: np.ndarray | None = None,
    ) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        soft = soft_labels(y, committee.oof_, said[where][:m], softness=softness, synthetic_weight=weight)
        rows = pd.concat([X, pools[where].iloc[:m]], ignore_index=True)
        factor = np.ones(len(rows))
        if back_by is not None:
            factor[len(X) :] = back_by / back_by.mean()
        return rows.iloc[soft.rows], soft.labels, soft.weights * factor[soft.rows]

    records = []

    def record(learner: str, arm: str, p: np.ndarray) -> None:
        p = np.clip(p, FLOOR, 1 - FLOOR)
        odds, weights = np.log(p / (1 - p))[:, None], np.where(truth == 1, share, 1 - share)
        weights = weights / np.where(truth == 1, (truth == 1).sum(), (truth == 0).sum())
        line = LogisticRegression(C=np.inf).fit(odds, truth, weights * len(truth))
        records.append(
            {
                "learner": learner,
                "arm": arm,
                "auroc": float(roc_auc_score(truth, p)),
                "loss": loss_at(truth, p, share),
                "balanced": loss_at(truth, shifted(p, share), 0.5),
                "slope": float(line.coef_[0, 0]),
                "offset": float(line.intercept_[0]),
            }
        )

    record("-", "committee", committee.predict_proba(judged)[:, 1])
    for learner in LEARNERS:
        record(learner, "nothing", fitted(learner, X, y, np.ones(len(y)), seed).predict_proba(judged)[:, 1])
        for arms in CURVES.values():
            for arm, asked in arms.items():
                options = {name: value for name, value in asked.items() if name != "back"}
                rows = training_set(**options, back_by=back if asked.get("back") else None)
                record(learner, arm, fitted(learner, *rows, seed).predict_proba(judged)[:, 1])
    return records


def summarise(frame: pd.DataFrame) -> None:
    """Print every curve beside the default, and how well answers are calibrated; standard errors are over tables."""
    n = frame["table"].nunique()
    for metric in ("auroc", "loss"):
        wide = frame.pivot_table(index=["learner", "table"], columns="arm", values=metric)
        print(f"\n{metric} beyond real rows half soft, none added (nothing: beyond that, too); {n} tables")
        for name, arms in CURVES.items():
            shown = [*(["nothing"] if name == "synthetic rows" else []), *arms]
            shown += [] if f"{ROWS:,} rows" in arms else [f"{ROWS:,} rows"]
            beyond = wide[shown].sub(wide["0 rows"], axis=0).loc[list(LEARNERS)].groupby("learner")
            text = beyond.mean().map("{:+.4f}".format) + " ± " + beyond.sem().map("{:.4f}".format)
            print(f"{name}\n{text.T.loc[shown].to_string()}")
    odds = frame[frame["arm"].isin(["committee", "nothing", f"{ROWS:,} rows"])].groupby(["learner", "arm"])
    means, errors = odds[["slope", "offset"]].mean(), odds[["slope", "offset"]].sem()
    print(f"\ncalibration\n{(means.map('{:.2f}'.format) + ' ± ' + errors.map('{:.2f}'.format)).to_string()}")


def main() -> None:
    """Measure what is missing, or show what is there."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--tables", nargs="+", default=list(DEVELOPMENT))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    asked = parser.parse_args()
    records = Records(RESULTS)
    for seed in asked.seeds if asked.run else ():
        for table in asked.tables:
            key = {"table": table, "seed": seed}
            if not records.has(key):
                records.add(key, measure(table, seed))
                print(*key.values(), flush=True)
    summarise(records.frame)


if __name__ == "__main__":
    main()
