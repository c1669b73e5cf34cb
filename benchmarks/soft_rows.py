"""Rows that carry probabilities, beside hard rows, soft real rows and doing nothing, on many tables.

    python benchmarks/soft_rows.py whole|rare|kept-whole|kept-rare|opal|spurious [--seeds 1,2 --tables NAME ...]
    python benchmarks/soft_rows.py --show                                         # the tables of the docs
    python benchmarks/soft_rows.py --speed                                        # seconds of one core
    python benchmarks/soft_rows.py --figure docs/soft-rows.png                    # gains in AUROC

The first measures what is missing. Modes opal and spurious are described in soft_rows_few.py.

whole: tables as they are, at most 12,000 rows, 60 % to learn from. rare: 1,000 common and 100 rare rows to learn from.
kept-whole, kept-rare: the same on the tables of further_tables.py that were kept back. A committee is cross-fitted on
the training rows; the smoothed bootstrap writes rows, in the proportion of the real ones; the committee says what each
is. Log-loss is for the training rows' shares of labels. Arms, with the same learner and without any calibration step
unless they say so:

* nothing, and nothing + Platt (out-of-fold, five folds)
* hard rows: labels balanced by synthetic rows
* soft real rows: real rows half soft, none added (the control)
* soft rows: the same and 8,000 synthetic rows (twice the training rows where that is more)
* blend: mean log-odds of the learner with soft rows and the committee
* committee alone
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict, train_test_split

import soft_rows_few as few
import transformer_calibrated as tables
from further_tables import KEPT_BACK
from makeweight import SyntheticClassifier
from makeweight.committee import Committee, soft_counts, soft_labels
from makeweight.committee.members import auto_members
from records import Records

RESULTS = Path(__file__).parent / "results" / "soft_rows.parquet"
#: Modes of few rows: tables, how one is measured, and results.
FEW = {
    mode: (names, measured, RESULTS.with_stem(f"soft_rows_{mode.split('-')[0]}"))
    for mode, names, measured in (
        ("opal", few.OPAL, partial(few.opal, None)),
        ("opal-closed-form", few.OPAL, partial(few.opal, "closed form")),
        ("opal-committee", few.OPAL, partial(few.opal, "committee")),
        ("opal-network", few.OPAL, partial(few.opal, "closed form + network")),
        ("spurious", few.SPURIOUS, few.spurious),
    )
}
WHOLE = (
    "real/telco_churn",
    "real/german_credit",
    "real/sick",
    "real/travel_churn",
    "real/mammography",
    "real/law_school",
    "real/adult_census",
    "paper/craft",
    "paper/gender",
    "paper/adult",
)
#: Modes of many rows, and their tables; of those kept back nothing was known when all else had been chosen.
MODES = {
    "whole": WHOLE,
    "rare": WHOLE,
    "kept-whole": tuple(f"further/{name}" for name in KEPT_BACK),
    "kept-rare": tuple(f"further/{name}" for name in KEPT_BACK),
}
LEARNERS = ("LR", "RF", "RF5", "XGB", "XGB shallow")
NAMES = {
    "LR": "logistic regression",
    "RF": "forest",
    "RF5": "forest, 5 rows a leaf",
    "XGB": "XGBoost",
    "XGB shallow": "XGBoost, shallow",
}
FLOOR = 1e-4
#: Of AUROC; less is no loss.
LEAST = 1e-3


def learner(name: str, like: pd.DataFrame, seed: int) -> Any:
    """An unfitted classifier; the two additions are the regularised forms of forest and boosted trees."""
    model = tables.learner({"RF5": "RF", "XGB shallow": "XGB"}.get(name, name), like, seed)
    if name == "RF5":
        model.steps[-1][1].set_params(min_samples_leaf=5, n_estimators=200)
    if name == "XGB shallow":
        model.steps[-1][1].set_params(max_depth=3, learning_rate=0.1, n_estimators=100)
    return model


def fitted(name: str, X: pd.DataFrame, y: np.ndarray, weights: np.ndarray, seed: int) -> Any:
    """A classifier fitted to weighted rows."""
    model = learner(name, X, seed)
    return model.fit(X, y, **{f"{model.steps[-1][0]}__sample_weight": weights})


def split(mode: str, table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to learn from and rows to judge by."""
    if mode.endswith("rare"):
        return tables.split(table, 100, seed)
    frame = tables.whole(table)
    frame = frame.sample(min(len(frame), 12_000), random_state=seed)
    parts = train_test_split(frame, test_size=0.4, stratify=frame["label"], random_state=seed)
    return tuple(part.reset_index(drop=True) for part in parts)


def written(train: pd.DataFrame, counts: dict[int, int], seed: int, name: str = "smoothed-bootstrap") -> pd.DataFrame:
    """So many synthetic rows of either label."""
    return few.written(train, {(label,): n for label, n in counts.items()}, seed, name)


def loss_at(y: np.ndarray, p: np.ndarray, share: float) -> float:
    """Log-loss where so large a share of rows has label 1."""
    return float(-share * np.log(p[y == 1]).mean() - (1 - share) * np.log(1 - p[y == 0]).mean())


def shifted(p: np.ndarray, share: float) -> np.ndarray:
    """Probabilities for equal labels, of a model of rows of which a share has label 1."""
    return 1 / (1 + (1 - p) / p * share / (1 - share))


def measure(mode: str, table: str, seed: int) -> list[dict[str, Any]]:
    """One record per learner and arm."""
    train, test = split(mode, table, seed)
    X, y, n = train.drop(columns="label"), train["label"].to_numpy(), len(train)
    judged, truth = test.drop(columns="label"), test["label"].to_numpy()
    began = time.perf_counter()
    committee = Committee(random_state=seed).fit(X, y)
    new = written(train, dict(enumerate(soft_counts(np.bincount(y)).tolist())), seed).drop(columns="label")
    q = committee.predict_proba(new)
    seconds = time.perf_counter() - began
    said = committee.predict_proba(judged)[:, 1]
    rows = pd.concat([X, new], ignore_index=True)
    control = soft_labels(y, committee.oof_, np.empty((0, 2)))
    soft = soft_labels(y, committee.oof_, q)
    rare = written(train, {1: max(0, int((y == 0).sum() - (y == 1).sum()))}, seed + 1)
    hard = pd.concat([train, rare], ignore_index=True)
    sets = {
        "nothing": (X, y, np.ones(n)),
        "hard rows": (hard.drop(columns="label"), hard["label"].to_numpy(), np.ones(len(hard))),
        "soft real rows": (X.iloc[control.rows], control.labels, control.weights),
        "soft rows": (rows.iloc[soft.rows], soft.labels, soft.weights),
    }
    records = []

    def record(name: str, arm: str, p: np.ndarray) -> None:
        p = np.clip(p, FLOOR, 1 - FLOOR)
        records.append(
            {
                "learner": name,
                "arm": arm,
                "auroc": float(roc_auc_score(truth, p)),
                "loss": loss_at(truth, p, y.mean()),
                "balanced": loss_at(truth, shifted(p, y.mean()), 0.5),
                "seconds": seconds,
            }
        )

    record("-", "committee", said)
    for name in LEARNERS:
        for arm, (frame, labels, weights) in sets.items():
            p = np.clip(fitted(name, frame, labels, weights, seed).predict_proba(judged)[:, 1], FLOOR, 1 - FLOOR)
            record(name, arm, p)
            if arm == "nothing":
                out = cross_val_predict(learner(name, X, seed), X, y, cv=5, method="predict_proba")[:, 1]
                odds = [np.log(r / (1 - r))[:, None] for r in (np.clip(out, FLOOR, 1 - FLOOR), p)]
                record(name, "nothing + Platt", LogisticRegression().fit(odds[0], y).predict_proba(odds[1])[:, 1])
        record(name, "blend", 1 / (1 + np.sqrt((1 - p) / p * (1 - said) / said)))
    return records


def summarise(frame: pd.DataFrame) -> None:
    """Print, per mode and metric, means beyond doing nothing with standard errors over tables."""
    for mode, part in frame.groupby("mode", sort=False):
        n = part.groupby("table")["seed"].nunique()
        print(f"\n{mode}: {len(n)} tables, {n.min()} to {n.max()} seeds")
        committee = part[part["arm"] == "committee"].set_index(["table", "seed"])
        for metric in ("auroc", "loss", "balanced"):
            wide = part[part["learner"] != "-"].pivot(index=["table", "seed", "learner"], columns="arm", values=metric)
            wide["committee"] = committee[metric].reindex(wide.index.droplevel("learner")).to_numpy()
            gain = wide.sub(wide["nothing"], axis=0).drop(columns="nothing")
            gain["soft rows beyond control"] = wide["soft rows"] - wide["soft real rows"]
            by_table = gain.groupby(["learner", "table"]).mean()
            mean = by_table.groupby("learner").mean().reindex(LEARNERS)
            error = by_table.groupby("learner").sem().reindex(LEARNERS)
            text = mean.map("{:+.4f}".format) + " ± " + error.map("{:.4f}".format)
            print(f"\n{metric} beyond nothing\n{text.T.to_string()}")
        ranks = part[part["learner"] != "-"].pivot(index=["table", "seed", "learner"], columns="arm", values="auroc")
        for arm in ("soft rows", "blend"):
            gains = (ranks[arm] - ranks["nothing"]).groupby(["learner", "table"]).agg(["mean", "sem"])
            worse = gains["mean"][(gains["mean"] + 2 * gains["sem"] < 0) & (gains["mean"] < -LEAST)]
            told = {" ".join(case): round(gain, 4) for case, gain in worse.items()}
            print(
                f"\n{arm}, AUROC: at worst {gains['mean'].min():+.4f}; worse by two standard errors over seeds: {told}"
            )
        loss = part[part["learner"] != "-"].pivot(index=["table", "seed", "learner"], columns="arm", values="loss")
        for arm in ("soft rows", "blend"):
            share = (loss[arm] <= loss["nothing + Platt"]).mean()
            print(f"\n{arm} at or below nothing + Platt in log-loss: {share:.0%} of cases")
        beside_best(part)
        forests = part[(part["learner"].isin(["RF", "-"])) & part["table"].str.startswith("paper/")]
        if len(forests):
            shown = forests.pivot_table(index="arm", columns="table", values="balanced").map("{:.3f}".format)
            print(f"\nforests, balanced log-loss\n{shown.to_string()}")


def beside_best(part: pd.DataFrame) -> None:
    """Print arms beside the best learner of their table that does nothing but Platt scaling, known with hindsight."""
    for metric, sign in (("auroc", 1), ("loss", -1)):
        wide = part[part["learner"] != "-"].pivot(index=["table", "seed", "learner"], columns="arm", values=metric)
        plain = sign * wide["nothing + Platt"].unstack("learner")
        best = plain.groupby("table").mean().idxmax(axis=1)
        chosen = [(table, seed, best[table]) for table, seed in plain.index]
        committee = part[part["arm"] == "committee"].set_index(["table", "seed"])[metric].reindex(plain.index)
        of_best = wide.loc[chosen].droplevel("learner")
        answers = {arm: of_best[arm] for arm in ("soft rows", "blend")} | {"committee": committee}
        for arm, values in answers.items():
            gain = (sign * (values - of_best["nothing + Platt"])).groupby("table").agg(["mean", "sem"])
            worse = gain["mean"][(gain["mean"] + 2 * gain["sem"] < 0) & (gain["mean"] < -LEAST)].round(4).to_dict()
            print(
                f"\n{arm} beside the best learner of its table + Platt, gain in {metric}: {gain['mean'].mean():+.4f} ± "
                f"{gain['mean'].sem():.4f}; worse by two standard errors: {worse}"
            )


def figure(frame: pd.DataFrame, path: str) -> None:
    """Draw what arms gain in AUROC beyond doing nothing with the same learner, with standard errors over tables."""
    from matplotlib.figure import Figure

    arms = {"hard rows": "#999999", "soft real rows": "#e6a000", "soft rows": "#0072b2", "blend": "#009e73"}
    titles = {"rare": "100 rare rows of 1,100", "whole": "whole tables"}
    labels = {
        "hard rows": "synthetic rows with drawn labels, balanced",
        "soft real rows": "real rows half soft, none added (control)",
        "soft rows": "soft rows, real and synthetic",
        "blend": "soft rows, blended with the committee",
    }
    drawn = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, (mode, title) in zip(drawn.subplots(1, 2, sharey=True), titles.items(), strict=True):
        part = frame[(frame["mode"] == mode) & (frame["learner"] != "-")]
        wide = part.pivot(index=["table", "seed", "learner"], columns="arm", values="auroc")
        by_table = wide[list(arms)].sub(wide["nothing"], axis=0).groupby(["learner", "table"]).mean()
        mean, error = by_table.groupby("learner").mean(), by_table.groupby("learner").sem()
        for place, (arm, colour) in enumerate(arms.items()):
            at = np.arange(len(LEARNERS))[::-1] + 0.27 - 0.18 * place
            x, e = (some[arm].reindex(LEARNERS) for some in (mean, error))
            axes.errorbar(x, at, xerr=e, fmt="o", color=colour, capsize=2, markersize=4, label=labels[arm])
        axes.axvline(0, color="black", linewidth=0.8)
        tables, seeds = part["table"].nunique(), part.groupby("table")["seed"].nunique().min()
        axes.set_title(f"{title}: {tables} tables, {seeds} splits or more", fontsize=10)
        axes.set_yticks(np.arange(len(LEARNERS))[::-1], [NAMES[name] for name in LEARNERS])
        axes.set_xlabel("AUROC beyond doing nothing")
        axes.locator_params(axis="x", nbins=5)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    drawn.savefig(path, dpi=110)


def speed() -> None:
    """Print what a committee, its answers, the choice inside the folds and rows by two generators take of one core."""

    def told(what: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        print(f"{what}: {time.process_time() - began:.1f} s", flush=True)
        return result

    train, test = split("whole", "real/adult_census", 1)
    X, y = train.drop(columns="label"), train["label"].to_numpy()
    rows = pd.concat([train, test]).drop(columns="label").iloc[:11_000]
    size = f"{len(X):,} rows x {X.shape[1]} columns"
    committee = told(f"a committee, {size}", lambda: Committee(random_state=0).fit(X, y))
    told(f"its answers for {len(rows):,} rows", lambda: committee.predict_proba(rows))
    beside = told("the same with the network", lambda: Committee(auto_members(0), random_state=0).fit(X, y))
    told("its answers", lambda: beside.predict_proba(rows))
    features, labels = make_classification(1_000, 10, weights=[0.9], random_state=0)
    small = pd.DataFrame(features, columns=[f"x{i}" for i in range(10)]).assign(label=labels)
    options: tuple[dict[str, Any], ...] = ({}, {"cv": 5, "repeats": 2}, {"teacher": None})
    for given in options:
        model = SyntheticClassifier(LogisticRegression(), random_state=0).set_params(**given)
        told(f"SyntheticClassifier, 1,000 x 10, {given or 'by default'}", partial(model.fit, features, labels))
    for name in ("smoothed-bootstrap", "transformer"):
        told(f"8,000 rows by {name}, 1,000 x 10", partial(written, small, {0: 4_000, 1: 4_000}, 0, name))


def main() -> None:
    """Measure what is missing, or show what is there."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", nargs="?", choices=[*MODES, *FEW])
    parser.add_argument("--seeds", default="1,2,6,8")
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--figure")
    asked = parser.parse_args()
    names, measured, path = FEW.get(asked.mode, (MODES.get(asked.mode, ()), partial(measure, asked.mode), RESULTS))
    records, stop = Records(path), time.monotonic() + 3600 * asked.hours
    for seed in map(int, asked.seeds.split(",")) if asked.mode else ():
        for table in asked.tables or names:
            key = {"mode": asked.mode, "table": table, "seed": seed}
            if not records.has(key) and time.monotonic() < stop:
                began = time.monotonic()
                records.add(key, measured(table, seed))
                print(*key.values(), f"{time.monotonic() - began:.0f} s", flush=True)
    if asked.speed:
        speed()
    if asked.figure:
        figure(Records(RESULTS).frame, asked.figure)
    if asked.show:
        summarise(Records(RESULTS).frame)
        for path in dict.fromkeys(path for _, _, path in FEW.values()):
            if path.exists():
                few.summarise(Records(path).frame)


if __name__ == "__main__":
    main()
