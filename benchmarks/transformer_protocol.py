"""The published protocols with the transformer's rows, beside its rivals and the published figures.

    python benchmarks/transformer_protocol.py [--weights FOLDER] [--run] [--seeds N] [--protocols NAME ...]

The protocols are those of benchmarks/quality.py: opal/ (v1 splits; logistic regression, random forest, and
CatBoost or histogram gradient boosting) and paper/ (1,000 against 100 rows; random forest). Records are
added to the results as they are measured and found there again; they carry the first digits of the SHA-256
of the weights. "stated kinds" tells that adult's integer codes are categories, as a user would with --kind;
"Bayes rule" uses no classifier and no synthetic row, but the network's own probabilities, prior even;
"closed form" is the same decoder with an untrained network; "real rows" sees more than the others. An arm
may state options, as in "transformer temperature=0.9", and "augment=3000" for so many rows more of either
label; "draw=1" is another draw of rows for the same splits, and all draws of an arm are shown together, too.
"half a vote" is the forests' log-loss with half a vote more for either label: where all hundred trees
are wrong, the published figure takes the logarithm of 2.2e-16.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score

from makeweight import Schema, SyntheticOverSampler
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.generator import InContextTransformer
from makeweight.generators.transformer.model import InContextModel
from makeweight.table import Table
from quality import (
    DATA,
    HAS_CATBOOST,
    PROTOCOLS,
    ROOT,
    SEEDS,
    TARGETS,
    add_rows,
    balanced_log_loss,
    learners,
    opal_split,
    paper_split,
    split_arm,
)
from records import Records

RESULTS = ROOT / "benchmarks" / "results" / "transformer_protocol.parquet"
CODES = ("workclass", "education", "marital-status", "occupation", "relationship", "race", "sex", "native-country")
ARMS = (
    "do nothing",
    "smote",
    "smoothed-bootstrap",
    "GPT-4",
    "closed form",
    "transformer",
    "transformer augment=3000",
    "auto",
    "Bayes rule",
    "real rows",
)
OWN_KINDS = ("smoothed-bootstrap", "closed form", "transformer", "Bayes rule")
NO_GENERATOR = ("do nothing", "GPT-4", "Bayes rule", "real rows")
STATED = ", stated kinds"
OURS = ("closed form", "transformer", "auto", "Bayes rule")
#: Balanced log-loss, as published or measured before: SMOTE, the GPT-2 that saw everything or GPT-4's rows.
PUBLISHED = {
    "opal/craft": "SMOTE .618, GPT-4 .545, real .341",
    "opal/gender": "SMOTE .161, GPT-4 .159, real .124",
    "paper/craft": "SMOTE 1.01, GPT-2 that saw everything .561",
    "paper/gender": "SMOTE .154, GPT-2 .101",
    "paper/adult": "SMOTE .784, GPT-2 .599",
}


def closed_form(folder: str) -> str:
    """Weights of an untrained network of the same shape, which is the closed form."""
    import tempfile

    place = tempfile.mkdtemp()
    facts = {"steps": 0, "tasks": 0, "seconds": 0.0, "device": "cpu", "validation": {}}
    manifest = weights.read_manifest(folder)
    weights.save(InContextModel(manifest.model), place, config=manifest.config, **facts)
    return place


def bayes(
    train: pd.DataFrame, test: pd.DataFrame, target: str, kinds: dict[str, str], folder: str, seed: int
) -> np.ndarray:
    """Probability of label 1 by the network's own Bayes rule."""
    table = Table(train, Schema.infer(train, target=target, kinds=kinds))
    generator = InContextTransformer(weights=folder).fit(table, rng=np.random.default_rng(seed))
    return generator.predict_proba(test[train.columns])[:, 1]


def gpt4(data: str, train: pd.DataFrame, target: str, rare: int, seed: int) -> pd.DataFrame:
    """Training rows with those that GPT-4 wrote of the rare label, as published."""
    frame = pd.read_csv(DATA / "opal" / data / "imbalanced" / f"gpt4_parsed_seed{seed}.csv")[train.columns]
    missing = int((train[target] != rare).sum() - (train[target] == rare).sum())
    return pd.concat([train, frame[frame[target] == rare].iloc[:missing]])


def half_vote(labels: np.ndarray, p: np.ndarray, trees: int | None) -> float | None:
    """Balanced log-loss with half a vote more for either label."""
    return None if trees is None else balanced_log_loss(labels, (trees * p + 0.5) / (trees + 1))


def measure(protocol: str, arm: str, seed: int, folder: str) -> list[dict[str, Any]]:
    """One record per learner."""
    family, data = protocol.split("/")
    target = TARGETS[data]
    train, test, further, rare = (opal_split if family == "opal" else paper_split)(data, seed)
    columns = [name for name in train.columns if name != target]
    name, options, given = split_arm(arm.removesuffix(STATED))
    if (name in NO_GENERATOR and (options or given)) or "synthetic_weight" in given:
        raise SystemExit(f"an option that is not for this arm and protocol: {arm}")
    kinds = dict.fromkeys(CODES, "categorical") if arm.endswith(STATED) else {}
    draw = 1_000 * int(options.pop("draw", 0))
    labels, told, trees = test[target].to_numpy(), {}, {}
    began = time.process_time()
    if name == "Bayes rule":
        part = test.sample(min(1_000, len(test)), random_state=0)
        labels, told = part[target].to_numpy(), {"none": bayes(train, part, target, kinds, folder, seed)}
        seconds = time.process_time() - began
    else:
        if name in ("do nothing", "real rows"):
            rows = add_rows(name, train, further, target, rare, seed)
        elif name == "GPT-4":
            rows = gpt4(data, train, target, rare, seed) if family == "opal" else None
        else:
            if name in ("transformer", "closed form"):
                options["weights"] = closed_form(folder) if name == "closed form" else folder
            generator = resolve("transformer" if name == "closed form" else name, options)
            sampler = SyntheticOverSampler(generator, random_state=seed + draw, kinds=kinds, **given)
            X, y = sampler.fit_resample(train[columns], train[target])
            rows = X.assign(**{target: y})
        seconds = time.process_time() - began
        if rows is None:  # there are none, or not enough
            return []
        for learner, model in learners(protocol, seed).items():
            model.fit(rows[columns].to_numpy(float), rows[target].to_numpy())
            told[learner] = model.predict_proba(test[columns].to_numpy(float))[:, 1]
            if learner == "forest":
                trees[learner] = len(model.estimators_)
    return [
        {
            "learner": learner,
            "cpu_seconds": seconds,
            "log_loss": balanced_log_loss(labels, p),
            "auroc": float(roc_auc_score(labels, p)),
            "half_vote": half_vote(labels, p, trees.get(learner)),
        }
        for learner, p in told.items()
    ]


def show(frame: pd.DataFrame) -> None:
    """Print means over learners and seeds, with standard errors over seeds."""
    for protocol, part in frame.groupby("protocol", sort=False):
        print(f"\n{protocol} ({PUBLISHED[protocol]}); a constant p = 1/2 scores .693")
        drawn = part["arm"].str.replace(r" draw=\d+", "", regex=True)
        several = drawn.isin(drawn[drawn != part["arm"]])
        for arm, own in part.groupby("arm", sort=False):
            show_arm(str(arm), own)
        for arm, own in part[several].groupby(drawn[several], sort=False):
            show_arm(f"{arm}, {own['arm'].nunique()} draws", own)


def show_arm(arm: str, own: pd.DataFrame) -> None:
    """Print one arm's line."""
    by = own.groupby("seed")[["log_loss", "auroc"]].mean()
    learner = "  ".join(f"{n} {g.log_loss.mean():.3f}/{g.auroc.mean():.3f}" for n, g in own.groupby("learner"))
    print(
        f"{arm:34s} {by.log_loss.mean():.3f} ±{by.log_loss.sem():.3f} / {by.auroc.mean():.3f} "
        f"±{by.auroc.sem():.3f}  {own.cpu_seconds.mean():5.1f} s of CPU  {len(by)} seeds  {learner}"
    )
    if "half_vote" in own and own["half_vote"].notna().any():
        votes = own.groupby("seed")["half_vote"].mean()
        print(f"{'':34s} {votes.mean():.3f} ±{votes.sem():.3f} forests with half a vote")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--run", action="store_true", help="measure what is not measured yet")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    torch.set_num_threads(1)
    digest = weights.read_manifest(options.weights).sha256[:12]
    records = Records(options.output)
    for seed in SEEDS[: options.seeds] if options.run else ():
        for protocol in options.protocols:
            stated = [arm + STATED for arm in options.arms if split_arm(arm)[0] in OWN_KINDS]
            for arm in [*options.arms, *(stated if protocol == "paper/adult" else [])]:
                key = {"protocol": protocol, "seed": seed, "arm": arm, "catboost": HAS_CATBOOST}
                key["weights"] = digest if split_arm(arm.removesuffix(STATED))[0] in OURS else ""
                if records.has(key):
                    continue
                records.add(key, measure(protocol, arm, seed, options.weights))
                print(f"{protocol}, seed {seed}, {arm}", file=sys.stderr)
    records.show(show, digest, keep=options.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
