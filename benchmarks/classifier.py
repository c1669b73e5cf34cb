"""Does choosing the amount of synthetic rows beat calibrating a model without any?

    python benchmarks/classifier.py [--full] [--data DIR]

Published splits of arXiv 2406.03628 (Craft, Gender, Adult): 1,000 majority rows against the 100 minority rows
of the seed set, judged on the untouched test rows. Every arm sees the same rows; generators are fitted inside
the folds. Prints balanced log-loss and AUROC per arm, and paired differences to raw + Platt over the draws of
majority rows. A constant p = 1/2 scores 0.693.
"""

import argparse
import json
import os
import platform
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight import SyntheticClassifier
from makeweight.theory import row_losses

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "classifier.json"
TARGETS = {"craft": "Target", "gender": "gender", "adult": "class"}
MAJORITY = 1000


def estimators(full):
    """Return makers of estimators by name; the default boosted trees take minutes per arm."""
    found = {
        "lr": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "hgb-small": lambda seed: HistGradientBoostingClassifier(max_iter=60, max_depth=3, random_state=seed),
    }
    if full:
        found["hgb"] = lambda seed: HistGradientBoostingClassifier(random_state=seed)
    return found


def arms(estimator, seed):
    """Return unfitted arms by name."""

    def arm(sampler=None, **options):
        chosen = {"n_synthetic": 0, "augment": 0, "random_state": seed, **options}
        return SyntheticClassifier(estimator, sampler, **chosen)

    auto = {"n_synthetic": "auto", "augment": "auto"}
    return {
        "raw": arm(calibrate=None),
        "raw + logit shift": arm(calibrate="logit-shift"),
        "raw + platt": arm(calibrate="platt"),
        "raw + isotonic": arm(calibrate="isotonic"),
        "random, balanced + platt": arm("random", n_synthetic="balance"),
        "smote, balanced + platt": arm("smote", n_synthetic="balance"),
        "smoothed-bootstrap, balanced + platt": arm("smoothed-bootstrap", n_synthetic="balance"),
        "transport, balanced + platt": arm("transport", n_synthetic="balance"),
        "smoothed-bootstrap, auto": arm("smoothed-bootstrap", **auto),
        "transport, auto": arm("transport", **auto),
    }


def split(folder, name, seed):
    """Return training rows (100 of each class and more of the majority) and test rows."""
    target = TARGETS[name]
    base = pd.read_csv(folder / name / "seed.csv")
    more = pd.read_csv(folder / name / "train0.csv").sample(MAJORITY - 100, random_state=seed)
    train = pd.concat([base, more[base.columns]], ignore_index=True)
    test = pd.read_csv(folder / name / "test.csv")[base.columns]
    return (train.drop(columns=target), train[target]), (test.drop(columns=target), test[target])


def scores(model, X, y):
    p = model.predict_proba(X)[:, 1]
    labels = y.to_numpy()
    losses = row_losses(labels, p)
    balanced = 0.5 * (losses[labels == 0].mean() + losses[labels == 1].mean())
    return {"bce": round(float(balanced), 5), "auroc": round(float(roc_auc_score(labels, p)), 5)}


def run(folder, seeds, full):
    for name in TARGETS:
        for seed in seeds:
            train, test = split(folder, name, seed)
            for label, make in estimators(full).items():
                for arm, model in arms(make(seed), seed).items():
                    start = time.perf_counter()
                    model.fit(*train)
                    seconds = time.perf_counter() - start
                    decision = model.decision_
                    yield {
                        "data": name,
                        "seed": seed,
                        "estimator": label,
                        "arm": arm,
                        **scores(model, *test),
                        "n_synthetic": decision.n_synthetic,
                        "alpha": decision.alpha,
                        "reason": decision.reason,
                        "fits": decision.fits,
                        "seconds": round(seconds, 2),
                    }


def summarise(records):
    """Return one line per estimator and arm: means, and paired differences to raw + Platt."""
    frame = pd.DataFrame(records)
    lines = []
    for (label, data), part in frame.groupby(["estimator", "data"], sort=False):
        table = part.pivot(index="seed", columns="arm", values="bce")
        gaps = table.sub(table["raw + platt"], axis=0)
        for arm in part["arm"].unique():
            own = part[part["arm"] == arm]
            lines.append(
                {
                    "estimator": label,
                    "data": data,
                    "arm": arm,
                    "bce": round(own["bce"].mean(), 4),
                    "auroc": round(own["auroc"].mean(), 4),
                    "above_platt": round(gaps[arm].mean(), 4),
                    "standard_error": round(gaps[arm].std() / np.sqrt(len(gaps)), 4),
                    "n_synthetic": round(own["n_synthetic"].mean(), 1),
                    "seconds": round(own["seconds"].mean(), 2),
                }
            )
    return lines


def show(lines):
    for line in lines:
        print(
            f"{line['estimator']:<10} {line['data']:<7} {line['arm']:<38} bCE {line['bce']:.4f}  "
            f"AUROC {line['auroc']:.4f}  to raw + platt {line['above_platt']:+.4f} "
            f"(s.e. {line['standard_error']:.4f})  {line['n_synthetic']:7.1f} rows {line['seconds']:7.1f} s"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="five draws, and boosted trees at their defaults")
    parser.add_argument("--data", type=Path, help="folder with paper/; else MAKEWEIGHT_DATA")
    options = parser.parse_args()
    data = options.data or Path(os.environ.get("MAKEWEIGHT_DATA", HERE.parent.parent / "shared" / "data"))
    if not (data / "paper").is_dir():
        parser.error(f"no folder {data / 'paper'}: name it with --data or MAKEWEIGHT_DATA")
    warnings.filterwarnings("ignore", category=FutureWarning)
    seeds = range(5 if options.full else 3)
    records = []
    for record in run(data / "paper", seeds, options.full):
        records.append(record)
        shown = {k: record[k] for k in ("data", "seed", "estimator", "arm", "bce", "auroc", "seconds")}
        print(*shown.values(), sep="\t", file=sys.stderr, flush=True)
    summary = summarise(records)
    show(summary)
    result = {
        "command": " ".join(["python", "benchmarks/classifier.py", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "rows": f"{MAJORITY} against 100",
        "summary": summary,
        "records": records,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
