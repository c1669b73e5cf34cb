"""What the defaults of soft rows were chosen on: tables from the network's prior, none of which is reported.

    python benchmarks/soft_rows_prior.py drawn|by-group|boosting [--tables N] [--rare R --common C]

drawn: weights beside labels drawn from them. by-group: how soft real rows are where the teacher is fitted by group, on
tables with an attribute that misleads. boosting: a column per category beside one column of codes. Prints means and
standard errors over tables of balanced log-loss and AUROC, or of log-loss in the mean and the worst of four cells.
Teachers have three quick members.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

import soft_rows_few as few
from makeweight.committee import Committee, Lesson, drawn_labels, teach
from makeweight.committee.boosted import BoostedTrees
from makeweight.generators.transformer.config import PriorConfig
from makeweight.generators.transformer.prior import Shape, draw_tasks
from makeweight.measure.learners import FrameClassifier
from makeweight.measure.training import balancing_weights
from makeweight.table import Schema

PRIOR = PriorConfig(max_ratio=20.0, max_groups=8, max_columns=30)
#: Rows of a table before it is thinned, and columns between which their number is drawn.
POOL, COLUMNS = 8_000, (5, 13)
QUICK = ["closed-form", "lr", "hgb-shallow"]
FLOOR = 1e-4
Split = tuple[int, pd.DataFrame, pd.DataFrame]


def table(seed: int) -> pd.DataFrame:
    """A table of the prior with a binary column ``label``, one label against the rest, 1 the rarer."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tasks = draw_tasks(PRIOR, Shape(1, POOL, 1, int(rng.integers(*COLUMNS)) + 1), generator)
    values, kinds = tasks.values[0, :POOL].numpy(), tasks.categorical[0].numpy()
    label = (values[:, 0] == values[rng.integers(POOL), 0]).astype(int)
    columns = {}
    for place in range(1, values.shape[1]):
        column = pd.Series(values[:, place].astype(float))
        columns[f"x{place}"] = column.map(lambda code: f"c{code:.0f}", na_action="ignore") if kinds[place] else column
    return pd.DataFrame(columns).assign(label=label if label.mean() <= 0.5 else 1 - label)


def thinned(frame: pd.DataFrame, codes: np.ndarray, wanted: dict[Any, int], judged: int, seed: int) -> list[Any] | None:
    """So many rows of every code, and as many further ones of each to judge by; None where there are too few."""
    rng, train, test = np.random.default_rng(seed), [], []
    for code, n in wanted.items():
        rows = rng.permutation(np.flatnonzero(codes == code))
        if len(rows) < n + judged:
            return None
        train.append(rows[:n])
        test.append(rows[n : n + judged])
    order = rng.permutation(np.concatenate(train))
    return [frame.iloc[rows].reset_index(drop=True) for rows in (order, np.concatenate(test))]


def imbalanced(common: int, rare: int) -> Iterator[Split]:
    """Seed, training rows, and 1,000 rows to judge by, half of either label."""
    for seed in range(300, 10_000):
        frame = table(seed)
        parts = thinned(frame, frame["label"].to_numpy(), {0: common, 1: rare}, 500, seed)
        if parts is not None:
            yield seed, *parts


def misleading() -> Iterator[Split]:
    """The same with a column ``side`` that agrees with the label in 1,000 rows and disagrees in 100."""
    for seed in range(100, 10_000):
        frame = table(seed)
        for name in np.random.default_rng(seed).permutation(frame.columns.drop("label")):
            x = frame[name]
            high = x > x.median() if pd.api.types.is_numeric_dtype(x) else x == x.mode().iloc[0]
            cell = frame["label"].astype(str) + high.astype(int).astype(str)
            wanted = {"00": 500, "01": 50, "10": 50, "11": 500}
            parts = thinned(frame.assign(side=cell.str[1], cell=cell), cell.to_numpy(), wanted, 200, seed)
            if parts is not None:
                yield seed, *parts
                break


def judged(truth: np.ndarray, p: np.ndarray, share: float) -> dict[str, float]:
    """Balanced log-loss and AUROC of a model of rows of which a share has label 1."""
    p = np.clip(p, FLOOR, 1 - FLOOR)
    even = np.clip(1 / (1 + (1 - p) / p * share / (1 - share)), FLOOR, 1 - FLOOR)
    loss = -np.log(np.where(truth == 1, even, 1 - even))
    balanced = np.mean([loss[truth == label].mean() for label in (0, 1)])
    return {"loss": float(balanced), "auroc": float(roc_auc_score(truth, p))}


def drawn(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Weights beside drawn labels."""
    X, y, features = train.drop(columns="label"), train["label"].to_numpy(), test.drop(columns="label")
    new = few.written(train, {(0,): 2_000, (1,): 2_000}, seed)[X.columns]
    lesson = teach(X, y, new, teacher=Committee(QUICK, cv=3, repeats=1), random_state=seed)
    rows = drawn_labels(y, lesson.teacher.oof_, lesson.said, np.random.default_rng(seed))
    sets = {
        "nothing": (X, y, np.ones(len(y))),
        "weights": lesson.training_set(),
        "drawn": (pd.concat([X, new], ignore_index=True).iloc[rows.rows], rows.labels, rows.weights),
    }
    for learner in ("LR", "RF"):
        for arm, rows_of_arm in sets.items():
            p = few.fitted(learner, *rows_of_arm, seed).predict_proba(features)[:, 1]
            yield {"learner": learner, "arm": arm, **judged(test["label"].to_numpy(), p, y.mean())}


def by_group(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """How soft real rows are where the teacher is fitted by group."""
    extra = ["label", "side", "cell"]
    X, y, features = train.drop(columns=extra), train["label"].to_numpy(), test.drop(columns=extra)
    weights = balancing_weights(pd.factorize(train["cell"], sort=True)[0])
    counts = {(label, side): 500 for label in (0, 1) for side in "01"}
    new = few.written(train.drop(columns="cell"), counts, seed, group_by=["side"])[X.columns]
    lesson: Lesson = teach(
        X,
        y,
        new,
        teacher=Committee(QUICK, cv=3, repeats=1),
        groups=train["side"],
        sample_weight=weights,
        random_state=seed,
    )
    sets = {"group weights": (X, y, weights)}
    sets |= {f"softness {share}": lesson.training_set(softness=share) for share in (0.5, 1.0)}
    for learner in ("LR", "RF"):
        for arm, rows_of_arm in sets.items():
            p = np.clip(few.fitted(learner, *rows_of_arm, seed).predict_proba(features)[:, 1], FLOOR, 1 - FLOOR)
            loss = pd.Series(-np.log(np.where(test["label"] == 1, p, 1 - p))).groupby(test["cell"]).mean()
            yield {"learner": learner, "arm": arm, "loss": float(loss.mean()), "worst": float(loss.max())}


def boosting(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """A column per category beside one column of codes."""
    X, y, features = train.drop(columns="label"), train["label"].to_numpy(), test.drop(columns="label")
    schema = Schema.infer(X)
    for depth in (None, 3):
        plain = HistGradientBoostingClassifier(max_depth=depth, early_stopping=False, random_state=seed)
        models = {"columns": FrameClassifier(plain, schema, seed), "codes": BoostedTrees(schema, depth, seed)}
        for arm, model in models.items():
            p = model.fit(X, y).predict_proba(features)[:, 1]
            yield {"learner": f"depth {depth}", "arm": arm, **judged(test["label"].to_numpy(), p, y.mean())}


MODES = {"drawn": drawn, "by-group": by_group, "boosting": boosting}


def main() -> None:
    """Measure and print, a table more each time."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--tables", type=int, default=6)
    parser.add_argument("--common", type=int, default=1_000)
    parser.add_argument("--rare", type=int, default=100)
    asked = parser.parse_args()
    splits = misleading() if asked.mode == "by-group" else imbalanced(asked.common, asked.rare)
    records: list[dict[str, Any]] = []
    for _, (seed, train, test) in zip(range(asked.tables), splits, strict=False):
        records += [{"seed": seed, **record} for record in MODES[asked.mode](seed, train, test)]
        grouped = pd.DataFrame(records).groupby(["learner", "arm"]).agg(["mean", "sem"]).drop(columns="seed")
        print(f"{pd.DataFrame(records)['seed'].nunique()} tables\n{grouped.round(4).to_string()}", flush=True)


if __name__ == "__main__":
    main()
