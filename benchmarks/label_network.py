"""The label-last network on real tables, alone and beside ordinary learners, against the core-hours of its training.

    python benchmarks/label_network.py [--weights runs/labels/labels.safetensors ...] [--run] [--seeds 2]
    python benchmarks/label_network.py --weights runs/labels/kept/*.safetensors --run          # the curve
    python benchmarks/label_network.py [--weights FILE] --speed
    python benchmarks/label_network.py --development --weights FILE ...    # real tables that nobody reports
    python benchmarks/label_network.py --elsewhere --weights FILE ...    # the same, of another origin
    python benchmarks/label_network.py --reported --weights FILE ...    # the same on the ten tables of the others
    python benchmarks/label_network.py --keep runs/labels          # writes pretraining/labels/, which git has

Tables: ten real ones thinned to 1,000 common and 100 rare rows, judged on up to 4,000 others, and the v1 splits with
ten rare rows. Learners: logistic regression, a forest with five rows a leaf, shallow XGBoost, and the mean of their
log-odds. The network is asked as it is: nothing is chosen by the rows that judge. "closed form" is the network before
training. --speed: processor seconds to label 2,000 rows of 15 columns by 500, beside a forest of 300 trees.

The run is resumable: every table, seed and file of weights is written to the results at once and found there again.
Without --run, only the summary of what is there is printed. --keep: the state of a training in a third of its bytes
(weights in float16, the optimisers' moments in bfloat16, the mean of the weights set to the weights) and its logs.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from further_tables import DEVELOPMENT, ELSEWHERE
from makeweight.generators.transformer.labels import weights
from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.model import LabelModel, untrained
from makeweight.generators.transformer.labels.predict import label_odds
from pretraining_state import content, small
from quality import DATA, ROOT, TARGETS, balanced_log_loss
from records import Records
from transformer_calibrated import REAL, learner, scores, split

RESULTS = ROOT / "benchmarks" / "results" / "label_network.parquet"
KEPT = ROOT / "pretraining" / "labels"
TABLES = [(f"paper/{name}", 100) for name in TARGETS] + [(f"real/{name}", 100) for name in REAL]
SMALL = [("opal/craft", 10), ("opal/gender", 10)]
SEEDS = (1, 2, 6, 8)
CLOSED = "closed form"
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "LR": ("LR", {}),
    "forest": ("RF", {"min_samples_leaf": 5, "n_estimators": 200}),
    "shallow XGB": ("XGB", {"max_depth": 3, "learning_rate": 0.1, "n_estimators": 100}),
}


def numbers(train: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Both frames below each other as numbers and codes, without the label, and which columns are codes."""
    both = pd.concat([train, test], ignore_index=True).drop(columns="label")
    kinds = np.array([not pd.api.types.is_numeric_dtype(both[name]) for name in both])
    columns = []
    for name, coded in zip(both, kinds, strict=True):
        if coded:  # by frequency among the training rows; what they lack comes last
            order = train[name].value_counts().index
            code = pd.Categorical(both[name], categories=order).codes.astype(float)
            columns.append(np.where(both[name].isna(), np.nan, np.where(code < 0, len(order), code)))
        else:
            columns.append(both[name].to_numpy(dtype=float))
    return np.stack(columns, 1), kinds


def learned(train: pd.DataFrame, features: pd.DataFrame, seed: int) -> list[np.ndarray]:
    """Log-odds of every learner."""
    odds = []
    for name, changes in LEARNERS.values():
        model = learner(name, features, seed)
        model.steps[-1][1].set_params(**changes)
        odds.append(scores(model.fit(train.drop(columns="label"), train["label"]), features))
    return odds


def measure(table: str, rare: int, seed: int, models: dict[str, LabelModel]) -> dict[str, list[dict[str, Any]]]:
    """Records of every file of weights: learners, their mean, the network, and all four."""
    train, test = split(table, rare, seed)
    y, features = test["label"].to_numpy(), test.drop(columns="label")
    odds = learned(train, features, seed)
    values, kinds = numbers(train, test)
    label = train["label"].to_numpy()
    three = np.mean(odds, 0)
    out = {}
    for name, model in models.items():
        own = label_odds(model, values[: len(label)], kinds, label, values[len(label) :], random_state=seed)
        prior = np.log(label.mean() / (1 - label.mean()))
        arms = dict(zip(LEARNERS, odds, strict=True)) | {"three": three, "network": own + prior}
        arms["four"] = (3 * three + own + prior) / 4
        out[name] = [
            {
                "learner": arm,
                "auroc": float(roc_auc_score(y, value)),
                "loss": balanced_log_loss(y, 1 / (1 + np.exp(prior - value))),
            }
            for arm, value in arms.items()
        ]
    return out


def summarise(frame: pd.DataFrame) -> None:
    """Print the curve, and the figures of the weights with the most core-hours per table."""
    key = ["core_hours", "weights"]
    many, few = frame[frame.rare == 100], frame[frame.rare == 10]
    wide = many.pivot_table(index=[*key, "table", "seed"], columns="learner", values="auroc")
    curve = wide.groupby(level=key).mean().assign(n=wide.groupby(level=key).size())
    adds = (wide["four"] - wide["three"]).groupby(level=key)
    curve["adds"], curve["±"] = adds.mean(), adds.std(ddof=1) / np.sqrt(adds.size())
    print("AUROC, 100 rare rows of 1,100: mean of tables and splits, and what the network adds to the mean of three")
    print(curve.round(4).to_string())
    own = few[few.learner.isin(["network", "three"])]
    print("\nbalanced log-loss, 10 rare rows")
    print(own.pivot_table(index=key, columns=["table", "learner"], values="loss").round(4).to_string())
    last = wide.index.get_level_values(0).max()
    print(f"\nAUROC by table, {last:.3f} core-hours")
    print(wide.xs(last, level=0).groupby(level="table").mean().round(4).to_string())


def compare(models: dict[str, LabelModel], tables: list[str]) -> None:
    """Print AUROC, balanced log-loss and what is added to three learners, and differences to the first weights."""
    rows = []
    for rare, seed, name in product((100, 30), (1, 2, 3), tables):
        train, test = split(name, rare, seed)
        test = pd.concat([test[test["label"] == label].head(1_000) for label in (1, 0)])
        y, (values, kinds) = test["label"].to_numpy(), numbers(train, test)
        known, label = values[: len(train)], train["label"].to_numpy()
        three = np.mean(learned(train, test.drop(columns="label"), seed), 0) - np.log(label.mean() / (1 - label.mean()))
        for weight, model in models.items():
            odds = label_odds(model, known, kinds, label, values[len(train) :], random_state=seed)
            p = np.clip(1 / (1 + np.exp(-odds)), 1e-4, 1 - 1e-4)
            auroc, alone, with_it = (float(roc_auc_score(y, value)) for value in (odds, three, (3 * three + odds) / 4))
            figures = {"auroc": auroc, "loss": balanced_log_loss(y, p), "adds": with_it - alone}
            rows.append({"rare": rare, "weights": weight, "table": name, **figures})
    frame = pd.DataFrame(rows)
    for (rare, part), metric in product(frame.groupby("rare"), ("auroc", "loss", "adds")):
        wide = part.pivot_table(index="table", columns="weights", values=metric, sort=False)
        gain = wide.sub(wide.iloc[:, 0], axis=0)
        facts = {"mean": wide.mean(), "its ±": wide.sem(), "beside the first": gain.mean(), "±": gain.sem()}
        print(f"{metric}, {rare} rare rows, {len(wide)} tables\n{pd.DataFrame(facts).round(4).to_string()}")


def speed(model: LabelModel) -> None:
    """Print the processor seconds of the network and of a forest."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_500, 15))
    y = x[:500, 0] + x[:500, 1] * x[:500, 2] + rng.normal(size=500) > 1
    forest = RandomForestClassifier(300, n_jobs=1, random_state=0)
    for name, call in {
        "network": lambda: label_odds(model, x[:500], np.zeros(15, bool), y, x[500:]),
        "forest": lambda: forest.fit(x[:500], y).predict_proba(x[500:]),
    }.items():
        best = np.inf
        for _ in range(3):
            began = time.process_time()
            call()
            best = min(best, time.process_time() - began)
        print(f"{name}: {best:.2f} s of one core for 2,000 rows of 15 columns by 500")


def keep(folder: Path) -> None:
    """Write the state of a training, small, and its logs to where git keeps them."""
    state = small(torch.load(folder / "checkpoint.pt", weights_only=True))
    halves = {name: value.half() for name, value in state["model"].items()}
    means = {name: halves.get(name.removeprefix("module."), value) for name, value in state["averaged"].items()}
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / "checkpoint.pt").write_bytes(content({**state, "model": halves, "averaged": means}))
    for name in ("log.csv", "validation.csv"):
        shutil.copy(folder / name, KEPT / name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, nargs="+", default=[])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the state of this training, and nothing else")
    parser.add_argument("--run", action="store_true", help="measure what is not measured yet")
    parser.add_argument("--speed", action="store_true", help="measure the time to label rows, and nothing else")
    for name, help in {
        "development": "judge weights on tables that nobody reports",
        "elsewhere": "the same on tables of another origin",
        "reported": "the same on the tables of the other benchmarks",
    }.items():
        parser.add_argument(f"--{name}", dest="on", action="store_const", const=name, help=help)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.keep:
        keep(options.keep)
        return 0
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    warnings.filterwarnings("ignore")
    loaded = {path: weights.load(path) for path in options.weights}
    closed = untrained(LabelModelConfig(), np.random.default_rng(0))
    if options.speed:
        speed(loaded[options.weights[-1]][0] if options.weights else closed)
        return 0
    if options.on:
        names = {"development": DEVELOPMENT, "elsewhere": ELSEWHERE}.get(options.on)
        tables = [f"further/{name}" for name in names] if names else [name for name, _ in TABLES]
        compare({str(path): model for path, (model, _) in loaded.items()} | {CLOSED: closed}, tables)
        return 0
    hours = {hashlib.sha256(path.read_bytes()).hexdigest()[:12]: facts for path, (_, facts) in loaded.items()}
    models = dict(zip(hours, [model for model, _ in loaded.values()], strict=True))
    models[CLOSED] = closed
    records = Records(options.output)
    for seed in SEEDS[: options.seeds] if options.run else ():
        for table, rare in TABLES + SMALL:
            keys = {
                name: {
                    "table": table,
                    "rare": rare,
                    "seed": seed,
                    "weights": name,
                    "core_hours": 0.0 if name == CLOSED else round(hours[name].core_hours, 3),
                }
                for name in models
            }
            missing = {name: models[name] for name, key in keys.items() if not records.has(key)}
            if not missing:
                continue
            for name, measured in measure(table, rare, seed, missing).items():
                records.add(keys[name], measured)
            print(table, rare, seed, file=sys.stderr, flush=True)
    if records.frame.empty:
        print("nothing measured yet", file=sys.stderr)
        return 0
    summarise(records.frame)
    return 0


if __name__ == "__main__":
    sys.exit(main())
