"""Rows of the in-context transformer on the v1 splits, beside nothing, SMOTE, GPT-4 and real rows.

    python benchmarks/transformer_opal.py [--weights FOLDER] [--data FOLDER]

Five seeds; the rare label is filled up to the common one; logistic regression and a random forest are judged
on the untouched test rows by balanced log-loss (p = 1/2 scores 0.693) and AUROC. Probabilities are kept in
[0.001, 0.999]. "closed form" is the same decoder with an untrained network. "real rows" takes the rows from
one half of the test file and is judged on the other half, and the reverse: it sees more than the others.
Skips, with exit status 0, where the data are absent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from imblearn.over_sampling import SMOTE
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from makeweight.generators.transformer import weights
from makeweight.generators.transformer.decode import ColumnSpec, RowModel
from makeweight.generators.transformer.model import InContextModel

SEEDS = (1, 2, 6, 8, 42)
TABLES = {"craft": ("craft/imbalanced", "Target"), "gender": ("gender/imbalanced", "gender")}
RARE = 0


def decimals(values: np.ndarray) -> int:
    """Decimals that a column's numbers have."""
    return next(d for d in range(8) if np.allclose(values, np.round(values, d)))


def row_model(model: InContextModel, train: pd.DataFrame, target: str, seed: int) -> RowModel:
    """Look at a training table: label first, flags as categories."""
    features = [name for name in train.columns if name != target]
    values = train[[target, *features]].to_numpy(float)
    specs = [ColumnSpec(True)]
    for name in features:
        flag = set(train[name].unique()) <= {0, 1}
        specs.append(ColumnSpec(flag, None if flag else decimals(train[name].to_numpy())))
    return RowModel(model, values, specs, orders=8, rng=np.random.default_rng(seed))


def written(model: InContextModel, train: pd.DataFrame, target: str, n: int, seed: int) -> pd.DataFrame:
    """Rows of the rare label."""
    features = [name for name in train.columns if name != target]
    rows = row_model(model, train, target, seed).sample((RARE,), n, np.random.default_rng(seed))
    return pd.DataFrame(rows, columns=[target, *features])[train.columns]


def balanced_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Mean over labels of the log-loss of p = P(label 1)."""
    weight = np.where(y == 1, 1 / (y == 1).sum(), 1 / (y == 0).sum())
    return float(log_loss(y, np.clip(p, 1e-3, 1 - 1e-3), sample_weight=weight))


def judge(train: pd.DataFrame, test: pd.DataFrame, target: str, seed: int) -> list[tuple[float, float]]:
    """Balanced log-loss and AUROC of both classifiers."""
    learners = (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        RandomForestClassifier(300, random_state=seed),
    )
    out = []
    for learner in learners:
        learner.fit(train.drop(columns=target), train[target].astype(int))
        p = learner.predict_proba(test.drop(columns=target))[:, 1]
        y = test[target].to_numpy(int)
        out.append((balanced_loss(y, p), float(roc_auc_score(y, p))))
    return out


def real_rows(
    train: pd.DataFrame, test: pd.DataFrame, target: str, n: int, seed: int
) -> list[tuple[float, float]]:
    """Fill up with real rows from one half of the test file, judge on the other."""
    halves = StratifiedKFold(2, shuffle=True, random_state=seed).split(test, test[target])
    results = []
    for give, judged in halves:
        pool = test.iloc[give]
        more = pool[pool[target] == RARE].sample(n, random_state=seed)
        results.append(judge(pd.concat([train, more]), test.iloc[judged], target, seed))
    return [tuple(np.mean(pair, axis=0)) for pair in zip(*results, strict=True)]


def gpt4_rows(folder: Path, columns: pd.Index, target: str, n: int, seed: int) -> pd.DataFrame:
    """Rows of the rare label that GPT-4 wrote."""
    frame = pd.read_csv(folder / f"gpt4_parsed_seed{seed}.csv")[columns]
    rare = frame[frame[target] == RARE]
    return rare.iloc[:n]


def evaluate(folder: Path, target: str, model: InContextModel, plain: InContextModel) -> pd.DataFrame:
    """Every arm on every seed."""
    records = []
    for seed in SEEDS:
        train = pd.read_csv(folder / f"train_seed{seed}.csv")
        test = pd.read_csv(folder / f"test_seed{seed}.csv")
        n = int((train[target] != RARE).sum() - (train[target] == RARE).sum())
        sampled = SMOTE(random_state=seed).fit_resample(train.drop(columns=target), train[target])
        smote = pd.concat(sampled, axis=1)[train.columns]
        began = time.perf_counter()
        ours = written(model, train, target, n, seed)
        rate = n / (time.perf_counter() - began)
        arms = {
            "nothing": train,
            "SMOTE": smote,
            "GPT-4": pd.concat([train, gpt4_rows(folder, train.columns, target, n, seed)]),
            "closed form": pd.concat([train, written(plain, train, target, n, seed)]),
            "transformer": pd.concat([train, ours]),
        }
        figures = {name: judge(arm, test, target, seed) for name, arm in arms.items()}
        figures["real rows"] = real_rows(train, test, target, n, seed)
        columns = [target, *[c for c in train.columns if c != target]]
        p = row_model(model, train, target, seed).predict_proba(
            test[columns].to_numpy(float), prior=np.array([0.5, 0.5])
        )[:, 1]
        y = test[target].to_numpy(int)
        figures["transformer's own Bayes rule"] = [(balanced_loss(y, p), float(roc_auc_score(y, p)))] * 2
        for arm, pairs in figures.items():
            for learner, (loss, auroc) in zip(("LR", "RF"), pairs, strict=True):
                records.append((arm, seed, learner, loss, auroc, rate))
    return pd.DataFrame(records, columns=["arm", "seed", "learner", "loss", "auroc", "rate"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=str(weights.embedded()))
    default = os.environ.get("MAKEWEIGHT_DATA", str(Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", default=default)
    options = parser.parse_args()
    root = Path(options.data) / "opal"
    if not root.exists():
        print(f"skipped: no data at {root}", file=sys.stderr)
        return 0
    model, manifest = weights.load(options.weights)
    plain = InContextModel(manifest.model).eval().requires_grad_(False)
    torch.set_num_threads(1)
    print(f"weights: {manifest.config}, {manifest.steps} steps, {manifest.tasks} tasks")
    for name, (place, target) in TABLES.items():
        table = evaluate(root / place, target, model, plain)
        print(f"\n{name}: balanced log-loss / AUROC, mean over {len(SEEDS)} seeds (standard error)")
        for arm, part in table.groupby("arm", sort=False):
            by = part.groupby("learner")[["loss", "auroc"]].mean()
            error = part.groupby("seed")["loss"].mean().sem()
            cells = "  ".join(
                f"{learner} {by.loc[learner, 'loss']:.3f}/{by.loc[learner, 'auroc']:.3f}"
                for learner in by.index
            )
            print(f"{arm:30s} {part.loss.mean():.3f}/{part.auroc.mean():.3f} (±{error:.3f})  {cells}")
        print(f"rows a second, with encoding the context: {table.rate.mean():.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
