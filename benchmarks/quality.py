"""How good are the rows? Balanced log-loss and AUROC on published splits, one line per arm.

Usage: python benchmarks/quality.py [--seeds N] [--arms NAME ...] [--protocols NAME ...] [--output FILE]

The tables are read from ../shared/data, or from the folder in MAKEWEIGHT_DATA:

* opal/<data>/imbalanced (arXiv 2406.03628 v1): five splits with 10 rows of the rare label; logistic
  regression, random forest, and CatBoost where it is installed, else histogram gradient boosting.
* paper/<data> (v2): the 100 seed rows of each label and 900 further rows of the common one; random forest.

Every arm gets the training rows and nothing else, and brings the rare label up to the common one. Only
"real rows" sees more: as many further real rows of the rare label (opal: rows of the other splits that are
in neither file of this one; paper: withheld training rows).
"""

from __future__ import annotations

import argparse
import importlib.util
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
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight import SyntheticOverSampler

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
SEEDS = (1, 2, 6, 8, 42)
ARMS = ("do nothing", "random", "smote", "smotenc", "smoothed-bootstrap", "real rows")
TARGETS = {"craft": "Target", "gender": "gender", "adult": "class"}
PROTOCOLS = ("opal/craft", "opal/gender", "paper/craft", "paper/gender", "paper/adult")
PACKAGES = ("makeweight", "numpy", "scipy", "pandas", "scikit-learn", "imbalanced-learn")
HAS_CATBOOST = importlib.util.find_spec("catboost") is not None


def split_arm(arm: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Split "name key=value ..." into a name, its options, and those of the sampler."""
    words = arm.split()
    options = dict(word.split("=", 1) for word in words if "=" in word)
    kinds: dict[str, type] = {"augment": int, "synthetic_weight": float}
    sampler = {key: kind(options.pop(key)) for key, kind in kinds.items() if key in options}
    return " ".join(word for word in words if "=" not in word), options, sampler


def opal_split(data: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int]:
    """Return training rows, test rows, further real rows of the rare label, and the rare label."""
    folder = DATA / "opal" / data / "imbalanced"
    train = pd.read_csv(folder / f"train_seed{seed}.csv")
    test = pd.read_csv(folder / f"test_seed{seed}.csv")
    files = (folder / f"{part}_seed{s}.csv" for s in SEEDS if s != seed for part in ("train", "test"))
    others = pd.concat([pd.read_csv(file) for file in files]).drop_duplicates()
    here = pd.concat([train, test]).drop_duplicates()
    unseen = others.merge(here, how="left", indicator=True)["_merge"].eq("left_only").to_numpy()
    further = others[unseen]
    return train, test, further[further[TARGETS[data]] == 0], 0


def paper_split(data: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, int]:
    """Return 1000 rows of label 0 and 100 of label 1, the test rows, withheld rows of label 1, and 1."""
    folder = DATA / "paper" / data
    common = pd.read_csv(folder / "train0.csv").sample(900, random_state=seed)
    train = pd.concat([pd.read_csv(folder / "seed.csv"), common], ignore_index=True)
    return train, pd.read_csv(folder / "test.csv"), pd.read_csv(folder / "train1.csv"), 1


def learners(protocol: str, seed: int) -> dict[str, Any]:
    """Return the classifiers of a protocol, by name."""
    forest = RandomForestClassifier(criterion="entropy", random_state=seed)
    if protocol.startswith("paper"):
        return {"forest": forest}
    boosting: Any = HistGradientBoostingClassifier(random_state=seed)
    if HAS_CATBOOST:
        from catboost import CatBoostClassifier

        boosting = CatBoostClassifier(
            iterations=200, learning_rate=0.05, depth=6, random_seed=seed, verbose=0, allow_writing_files=False
        )
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return {"logistic": logistic, "forest": forest, "catboost" if HAS_CATBOOST else "boosting": boosting}


def balanced_log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean over both labels of their mean log-loss."""
    tiny = np.finfo(np.float64).eps
    p = np.clip(probabilities, tiny, 1 - tiny)
    return float(0.5 * (-np.log(p[labels == 1]).mean() - np.log(1 - p[labels == 0]).mean()))


def add_rows(arm: str, train: pd.DataFrame, further: pd.DataFrame, target: str, rare: int, seed: int):
    """Return the training rows of an arm, or None where there are not enough real rows."""
    missing = int((train[target] != rare).sum() - (train[target] == rare).sum())
    if arm == "do nothing":
        return train
    if arm == "real rows":
        return pd.concat([train, further.sample(missing, random_state=seed)]) if len(further) >= missing else None
    sampler = SyntheticOverSampler(arm, random_state=seed)
    X, y = sampler.fit_resample(train.drop(columns=target), train[target])
    return X.assign(**{target: y})


def measure(protocol: str, arms: list[str], seeds: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return one record per arm, seed and learner."""
    family, data = protocol.split("/")
    target = TARGETS[data]
    records = []
    for seed in seeds:
        train, test, further, rare = (opal_split if family == "opal" else paper_split)(data, seed)
        columns = [name for name in train.columns if name != target]
        for arm in arms:
            start = time.perf_counter()
            rows = add_rows(arm, train, further, target, rare, seed)
            seconds = time.perf_counter() - start
            if rows is None:
                continue
            for name, learner in learners(protocol, seed).items():
                learner.fit(rows[columns].to_numpy(float), rows[target].to_numpy())
                probabilities = learner.predict_proba(test[columns].to_numpy(float))[:, 1]
                labels = test[target].to_numpy()
                records.append(
                    {
                        "protocol": protocol,
                        "arm": arm,
                        "seed": seed,
                        "learner": name,
                        "seconds": seconds,
                        "log_loss": balanced_log_loss(labels, probabilities),
                        "auroc": float(roc_auc_score(labels, probabilities)),
                    }
                )
    return records


def summarise(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return per protocol and arm: means over learners and seeds, and the AUROC gained over doing nothing."""
    frame = pd.DataFrame(records)
    lines = []
    for (protocol, arm), part in frame.groupby(["protocol", "arm"], sort=False):
        line = {
            "protocol": protocol,
            "arm": arm,
            "seeds": int(part["seed"].nunique()),
            "log_loss": part["log_loss"].mean(),
            "auroc": part["auroc"].mean(),
            "log_loss_by_learner": part.groupby("learner", sort=False)["log_loss"].mean().to_dict(),
            "auroc_by_learner": part.groupby("learner", sort=False)["auroc"].mean().to_dict(),
            "seconds_to_add_rows": part["seconds"].mean(),
        }
        nothing = frame[(frame["protocol"] == protocol) & (frame["arm"] == "do nothing")]
        if len(nothing) and arm != "do nothing":
            both = part.merge(nothing, on=["seed", "learner"], suffixes=("", "_nothing"))
            by_seed = (both["auroc"] - both["auroc_nothing"]).groupby(both["seed"]).mean()
            line["auroc_gain"] = float(by_seed.mean())
            line["auroc_gain_standard_error"] = float(by_seed.std(ddof=1) / np.sqrt(len(by_seed)))
        lines.append(line)
    return lines


def show(lines: list[dict[str, Any]]) -> None:
    """Print the table."""
    head = f"{'protocol':13s} {'arm':20s} {'log-loss':>8s} {'AUROC':>6s}  {'AUROC - do nothing':>18s}"
    print(f"{head}  log-loss by learner")
    for line in lines:
        gain = ""
        if "auroc_gain" in line:
            gain = f"{line['auroc_gain']:+.4f} ± {line['auroc_gain_standard_error']:.4f}"
        by_learner = "  ".join(f"{name} {loss:.3f}" for name, loss in line["log_loss_by_learner"].items())
        start = f"{line['protocol']:13s} {line['arm']:20s} {line['log_loss']:8.3f} {line['auroc']:6.3f}"
        print(f"{start}  {gain:>18s}  {by_learner}")
    print(f"\nA constant probability of one half scores {np.log(2):.3f}. ± is one standard error over seeds.")


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=len(SEEDS), help="how many of the published seeds")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help="generators, 'do nothing', 'real rows'")
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "quality.json")
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"error: no tables in {DATA}\nhint: name their folder in MAKEWEIGHT_DATA", file=sys.stderr)
        return 2
    records = []
    for protocol in options.protocols:
        records += measure(protocol, options.arms, SEEDS[: options.seeds])
        print(f"{protocol} measured", file=sys.stderr)
    lines = summarise(records)
    show(lines)
    packages = [*PACKAGES, "catboost"] if HAS_CATBOOST else list(PACKAGES)
    result = {
        "command": " ".join(["python benchmarks/quality.py", *sys.argv[1:]]),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "summary": lines,
        "records": records,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"written to {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
