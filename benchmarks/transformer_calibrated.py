"""Do the transformer's rows help beyond calibration? Balanced Platt scaling and AUROC on many tables.

    python benchmarks/transformer_calibrated.py [--weights FOLDER] [--hours H] [--tables NAME ...]

Tables: paper/ and real/ thinned to 1,000 common and 100 or 30 rare rows, the v1 splits (opal/) as they are,
with 10, and two tables with 4,000 and 1,000. An arm may state options, as in "transformer donors=0", and
"augment=1000" for so many further rows of either label, or "synthetic_weight=0.1" for rows that weigh
a tenth of a real one. Arms bring the rare label up to the common one with
rows of a generator that saw the training rows and nothing else; generators are fitted again within each of
three folds, whose out-of-fold scores calibrate the final model (Platt, labels weighted equally). Logistic
regression, random forest and XGBoost are judged on untouched rows by balanced log-loss, raw and calibrated,
and by AUROC, against doing nothing with the same calibration.

The run is resumable: every table, number of rare rows, seed and arm is written to the results at once, and
found there again. Records carry the first digits of the SHA-256 of the weights, so that other weights are
measured beside them. --hours bounds a call; without --run, only the summary of what is there is printed.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

import further_tables
from makeweight import Limits, SyntheticOverSampler
from makeweight.generators.registry import resolve
from makeweight.generators.transformer import weights
from quality import DATA, ROOT, TARGETS, balanced_log_loss, opal_split, split_arm
from records import Records

RESULTS = ROOT / "benchmarks" / "results" / "transformer_calibrated.parquet"
REAL = {
    "telco_churn": ("Churn", "Yes"),
    "adult_census": ("income", ">50K"),
    "sick": ("Class", "sick"),
    "mammography": (6, "'1'"),
    "german_credit": ("credit", 2),
    "travel_churn": ("ChurnOrNot", 1),
    "law_school": ("pass_bar", 0.0),
}
COMMON, RARE, JUDGED, FOLDS = 1_000, (100, 30), 4_000, 3
LARGE, MANY = ("real/adult_census", "real/law_school"), 1_000  # rare rows; four times as many common ones
SEEDS = (1, 2, 6, 8, 42)
BASE = "do nothing"
LIGHT = "synthetic_weight=0.1"
ARMS = (BASE, "smoothed-bootstrap", "transformer", f"smoothed-bootstrap {LIGHT}", f"transformer {LIGHT}")
LEARNERS = ("LR", "RF", "XGB")


def settings() -> list[tuple[str, int]]:
    """Every table with the number of rare rows that it is thinned to."""
    thinned = [f"paper/{name}" for name in TARGETS] + [f"real/{name}" for name in REAL]
    small = [(f"opal/{name}", 10) for name in ("craft", "gender")]
    return small + [(t, r) for r in RARE for t in thinned] + [(t, MANY) for t in LARGE]


def whole(table: str) -> pd.DataFrame:
    """A table with its label in the column ``label``, 1 where it is the rare one; texts that name nothing."""
    family, name = table.split("/")
    if family == "further":
        return further_tables.load(name)
    if family == "paper":
        folder = DATA / "paper" / name
        parts = [pd.read_csv(folder / f"{part}.csv") for part in ("seed", "train0", "train1", "test")]
        frame, target, rare = pd.concat(parts, ignore_index=True), TARGETS[name], 1
    else:
        target, rare = REAL[name]
        frame = pd.read_csv(DATA / "real" / f"{name}.csv", header=None if name == "mammography" else 0)
        frame = frame.replace("?", None).drop(columns="customerID", errors="ignore")
        if name == "telco_churn":
            frame["TotalCharges"] = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    label = (frame.pop(target) == rare).astype(int)
    frame.columns = [str(column) for column in frame.columns]
    return frame.assign(label=label)


def split(table: str, rare: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows with so many rare ones, and rows to judge by."""
    if table.startswith("opal"):
        name = table.split("/")[1]
        train, test, _, label = opal_split(name, seed)
        return tuple(
            part.drop(columns=TARGETS[name]).assign(label=(part[TARGETS[name]] == label).astype(int))
            for part in (train, test)
        )
    frame, rng = whole(table), np.random.default_rng([seed, rare])
    rows = [rng.permutation(np.flatnonzero(frame["label"] == label)) for label in (0, 1)]
    common = min(4 * rare if rare == MANY else COMMON, len(rows[0]) * 7 // 10)
    cut = (common, rare)
    train = np.concatenate([r[:c] for r, c in zip(rows, cut, strict=True)])
    test = np.concatenate([r[c:][:JUDGED] for r, c in zip(rows, cut, strict=True)])
    return frame.iloc[rng.permutation(train)].reset_index(drop=True), frame.iloc[test].reset_index(drop=True)


def learner(name: str, frame: pd.DataFrame, seed: int) -> Any:
    """An unfitted classifier that reads categories and missing values."""
    numbers = [c for c in frame.columns if pd.api.types.is_numeric_dtype(frame[c])]
    texts = [c for c in frame.columns if c not in numbers]
    read = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()), numbers),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
    )
    model: Any = {
        "LR": LogisticRegression(max_iter=2000),
        "RF": RandomForestClassifier(random_state=seed, n_jobs=1),
        "XGB": XGBClassifier(random_state=seed, n_jobs=1),
    }[name]
    return make_pipeline(read, model)


def scores(fitted: Any, frame: pd.DataFrame) -> np.ndarray:
    """Log-odds, bounded."""
    p = np.clip(fitted.predict_proba(frame)[:, 1], 1e-4, 1 - 1e-4)
    return np.log(p / (1 - p))


def filled(arm: str, folder: str, train: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Training rows of an arm, and what they weigh."""
    if arm == BASE:
        return train, np.ones(len(train))
    name, options, given = split_arm(arm)
    if name == "transformer":
        options["weights"] = folder
    generator = resolve(name, options)
    sampler = SyntheticOverSampler(generator, random_state=seed, limits=Limits(copies="accept"), **given)
    X, y = sampler.fit_resample(train.drop(columns="label"), train["label"])
    return X.assign(label=y), sampler.sample_weight_


def fitted(name: str, rows: tuple[pd.DataFrame, np.ndarray], like: pd.DataFrame, seed: int) -> Any:
    """A classifier fitted to training rows."""
    model, (frame, weight) = learner(name, like, seed), rows
    return model.fit(frame.drop(columns="label"), frame["label"], **{f"{model.steps[-1][0]}__sample_weight": weight})


def measure(table: str, rare: int, seed: int, arm: str, folder: str) -> list[dict[str, Any]]:
    """One record per learner."""
    train, test = split(table, rare, seed)
    began = time.perf_counter()
    rows = filled(arm, folder, train, seed)
    seconds = time.perf_counter() - began
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(train, train["label"]))
    parts = [filled(arm, folder, train.iloc[fit].reset_index(drop=True), seed) for fit, _ in folds]
    y, records = test["label"].to_numpy(), []
    features = test.drop(columns="label")
    for name in LEARNERS:
        held = np.empty(len(train))
        for part, (_, out) in zip(parts, folds, strict=True):
            model = fitted(name, part, features, seed)
            held[out] = scores(model, train.iloc[out].drop(columns="label"))
        platt = LogisticRegression(class_weight="balanced").fit(held[:, None], train["label"])
        told = scores(fitted(name, rows, features, seed), features)
        records.append(
            {
                "learner": name,
                "seconds": seconds,
                "raw": balanced_log_loss(y, 1 / (1 + np.exp(-told))),
                "calibrated": balanced_log_loss(y, platt.predict_proba(told[:, None])[:, 1]),
                "auroc": float(roc_auc_score(y, told)),
            }
        )
    return records


def compare(frame: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Per table, rare rows and learner: paired differences to doing nothing, with standard errors."""
    key = ["table", "rare", "learner", "seed"]
    both = frame[frame.arm == arm].merge(frame[frame.arm == BASE], on=key, suffixes=("", "_base"))
    lines = []
    for (table, rare, name), part in both.groupby(key[:3], sort=False):
        line: dict[str, Any] = {"table": table, "rare": rare, "learner": name, "seeds": len(part)}
        for what in ("calibrated", "auroc"):
            gain = (part[what] - part[f"{what}_base"]) * (-1 if what == "calibrated" else 1)
            line[what] = float(gain.mean())
            line[f"{what}_error"] = float(gain.std(ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else np.nan
            line[f"{what}_base"] = float(part[f"{what}_base"].mean())
        lines.append(line)
    return pd.DataFrame(lines)


def summarise(frame: pd.DataFrame) -> None:
    """Print, per arm, how often it is better and how often worse beyond noise."""
    for arm in [arm for arm in frame.arm.unique() if arm != BASE]:
        lines = compare(frame, arm)
        print(f"\n{arm} against doing nothing, both calibrated (positive is better, ± one standard error)")
        for (table, rare), part in lines.groupby(["table", "rare"], sort=False):
            cells = "  ".join(
                f"{row.learner} {row.calibrated:+.4f}±{row.calibrated_error:.4f} / {row.auroc:+.4f}"
                f"±{row.auroc_error:.4f}"
                for row in part.itertuples()
            )
            print(f"{table:20s} {rare:4d} rare, {part.seeds.max()} seeds: {cells}")
        for what in ("calibrated", "auroc"):
            worse = lines[what] < -2 * lines[f"{what}_error"]
            surely = lines[what] > 2 * lines[f"{what}_error"]
            print(
                f"{what}: better in {(lines[what] > 0).mean():.0%} of {len(lines)} (beyond two standard "
                f"errors {surely.mean():.0%}), worse beyond two standard errors in {worse.mean():.0%}; "
                f"mean gain {lines[what].mean():+.4f}"
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=str(weights.embedded()))
    parser.add_argument("--run", action="store_true", help="measure what is not measured yet")
    parser.add_argument("--hours", type=float, default=np.inf)
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--skip", type=int, default=0, help="leave out so many of the first seeds")
    parser.add_argument("--tables", nargs="+", default=None)
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if not DATA.is_dir():
        print(f"skipped: no tables in {DATA}", file=sys.stderr)
        return 0
    warnings.filterwarnings("ignore")
    digest = weights.read_manifest(options.weights).sha256[:12]
    records = Records(options.output)
    began = time.monotonic()
    seeds = SEEDS[options.skip : options.seeds]
    for seed in seeds if options.run else ():
        for table, rare in settings():
            if options.tables and table not in options.tables:
                continue
            for arm in options.arms:
                key = {"table": table, "rare": rare, "seed": seed, "arm": arm}
                key["weights"] = digest if split_arm(arm)[0] in ("transformer", "auto") else ""
                if records.has(key):
                    continue
                if time.monotonic() - began > 3600 * options.hours:
                    break
                records.add(key, measure(table, rare, seed, arm, options.weights))
                print(f"{table} {rare} rare, seed {seed}, {arm}", file=sys.stderr)
    records.show(lambda frame: summarise(frame[frame["seed"].isin(seeds)]), digest, keep=options.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
