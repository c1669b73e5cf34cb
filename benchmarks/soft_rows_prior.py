"""What the defaults of soft rows were chosen on: tables from the network's prior, none of which is reported.

    python benchmarks/soft_rows_prior.py drawn|law|by-group|boosting|pull|guardrail [--tables N] [--rare R --common C]
        [--pool N --judged N]

drawn: weights beside labels drawn from them. law: soft rows evenly over the labels, at the table's shares, and evenly
with weights that give them the table's shares; log-loss there is at the training rows' shares. by-group: how soft real
rows are where the teacher is fitted by group, on tables with an attribute that misleads. boosting: a column per
category beside one column of codes. pull: how many rows a committee's prior weights, slope of one and offsets of zero
are worth. guardrail: what a level keeps and loses where the blend with a committee is the only candidate. Prints means
and standard errors over tables of balanced log-loss and AUROC, of log-loss in the mean and the worst of four cells, or
of regret. Teachers have three quick members, or four.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import soft_rows_few as few
from makeweight.committee import Committee, Lesson, blend, drawn_labels, soft_labels, teach
from makeweight.committee.boosted import BoostedTrees
from makeweight.committee.combination import Combination, fit_combination
from makeweight.committee.committee import PRIOR_ROWS
from makeweight.committee.members import choose_members, prior_weights
from makeweight.generators.transformer.config import PriorConfig
from makeweight.generators.transformer.prior import Shape, draw_tasks
from makeweight.measure.learners import FrameClassifier
from makeweight.measure.training import balancing_weights
from makeweight.table import Schema
from makeweight.theory import NOTHING, Candidate, choose_from_losses

PRIOR = PriorConfig(max_ratio=20.0, max_groups=8, max_columns=30)
#: Rows of a table before it is thinned, and columns between which their number is drawn.
POOL, COLUMNS = 8_000, (5, 13)
QUICK = ["closed-form", "lr", "hgb-shallow"]
FOUR = ["closed-form", "lr", "rf", "hgb-shallow"]
FLOOR = 1e-4
Split = tuple[int, pd.DataFrame, pd.DataFrame]


def table(seed: int, pool: int = POOL) -> pd.DataFrame:
    """A table of the prior with a binary column ``label``, one label against the rest, 1 the rarer."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    tasks = draw_tasks(PRIOR, Shape(1, pool, 1, int(rng.integers(*COLUMNS)) + 1), generator)
    values, kinds = tasks.values[0, :pool].numpy(), tasks.categorical[0].numpy()
    label = (values[:, 0] == values[rng.integers(pool), 0]).astype(int)
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


def imbalanced(common: int, rare: int, pool: int, judged: int) -> Iterator[Split]:
    """Seed, training rows, and so many rows of either label to judge by."""
    for seed in range(300, 10_000):
        frame = table(seed, pool)
        parts = thinned(frame, frame["label"].to_numpy(), {0: common, 1: rare}, judged, seed)
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


def law(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Where soft rows lie, and what they weigh."""
    X, y, features = train.drop(columns="label"), train["label"].to_numpy(), test.drop(columns="label")
    share, truth = y.mean(), test["label"].to_numpy()
    counts = {"even": (4_000, 4_000), "own": (round(8_000 * (1 - share)), round(8_000 * share))}
    new = {name: few.written(train, {(0,): n[0], (1,): n[1]}, seed) for name, n in counts.items()}
    committee = Committee(FOUR, cv=3, repeats=1, random_state=seed).fit(X, y)
    every = {name: pd.concat([X, rows[X.columns]], ignore_index=True) for name, rows in new.items()}
    said = {name: committee.predict_proba(rows[X.columns]) for name, rows in new.items()}
    sets = {"nothing": (X, y, np.ones(len(y)))}

    def arm(name: str, law: str, factor: np.ndarray | float = 1.0, m: int | None = None, **options: float) -> None:
        soft = soft_labels(y, committee.oof_, said[law][:m], **options)
        weights = np.append(np.ones(len(y)), np.zeros(len(said[law])) + factor)[soft.rows]
        sets[name] = (every[law].iloc[soft.rows], soft.labels, soft.weights * weights)

    of_group = np.where(new["even"]["label"] == 1, 2 * share, 2 * (1 - share))
    arm("soft real rows", "even", m=0)
    arm("even", "even")
    arm("even, weights of the table", "even", of_group)
    arm("even, weights of the table, half", "even", of_group / 2)
    arm("even, weights of the table, an eighth", "even", of_group / 8)
    arm("the table's shares", "own")
    arm("the table's shares, wholly soft", "own", softness=1.0)
    for learner in ("LR", "RF", "XGB"):
        for name, rows_of_arm in sets.items():
            p = np.clip(few.fitted(learner, *rows_of_arm, seed).predict_proba(features)[:, 1], FLOOR, 1 - FLOOR)
            loss = -share * np.log(p[truth == 1]).mean() - (1 - share) * np.log(1 - p[truth == 0]).mean()
            yield {"learner": learner, "arm": name, "loss": float(loss), "auroc": float(roc_auc_score(truth, p))}


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
    plain = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    models: dict[str, Any] = {"columns": FrameClassifier(plain, schema, seed), "codes": BoostedTrees(schema, seed)}
    for arm, model in models.items():
        p = model.fit(X, y).predict_proba(features)[:, 1]
        yield {"learner": "boosting", "arm": arm, **judged(test["label"].to_numpy(), p, y.mean())}


def votes(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels as codes, and log-probabilities by member of the training rows, unseen, and of rows to judge by."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def remembered(logs: np.ndarray, labels: np.ndarray, *given: Any) -> Combination:
        seen.append((labels, logs))
        return fit_combination(logs, labels, *given)

    y, features = train["label"].to_numpy(), test.drop(columns="label")
    with mock.patch("makeweight.committee.committee.fit_combination", remembered):
        committee = Committee(FOUR, repeats=2 if y.sum() < 50 else 1, random_state=seed)
        committee.fit(train.drop(columns="label"), y)
    held = np.mean([fits.logs(features, features) for fits in committee._fits], axis=0)
    return *seen[0], held


def pull(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """How many rows the prior of a committee is worth."""
    y, own, held = votes(seed, train, test)
    prior = np.array(prior_weights(choose_members(FOUR, len(y))))
    for rows in (0.1, 1.0, 3.0, 10.0, 30.0):
        p = fit_combination(own, y, np.ones(len(y)), prior, rows).apply(held)[:, 1]
        yield {"learner": "committee", "arm": f"{rows:5.1f} rows", **judged(test["label"].to_numpy(), p, y.mean())}


def guardrail(seed: int, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """What a level keeps and loses: every member as the learner, alone or blended with the committee."""
    y, own, held = votes(seed, train, test)
    truth = test["label"].to_numpy()
    prior = np.array(prior_weights(choose_members(FOUR, len(y))))
    committee = fit_combination(own, y, np.ones(len(y)), prior, PRIOR_ROWS)
    for place, name in enumerate(FOUR):
        sides = (np.exp(own[place]), np.exp(held[place]))
        blended = [blend(side, committee.apply(logs)) for side, logs in zip(sides, (own, held), strict=True)]
        measured = [_calibrated(_odds(own_p), _odds(held_p), y, truth) for own_p, held_p in (sides, blended)]
        losses, risks = zip(*measured, strict=True)
        for level in (1.0, 0.5, 0.3, 0.1):
            made = choose_from_losses(
                [NOTHING, Candidate(1.0)], np.array(losses), y, rule=0.0, guardrail=level, folds=5, repeats=2
            )
            risk = risks[made.candidate != NOTHING]
            what = {"regret": risk - min(risks), "worse": float(risk > risks[0]), "taken": float(risk != risks[0])}
            yield {"learner": name, "arm": f"level {level}", **what}


def _odds(p: np.ndarray) -> np.ndarray:
    bounded = np.clip(p[:, 1], FLOOR, 1 - FLOOR)
    return np.log(bounded / (1 - bounded))[:, None]


def _calibrated(own: np.ndarray, held: np.ndarray, y: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float]:
    """Return losses of training rows, calibrated on other folds, and the balanced risk of the rows to judge by."""
    platt = LogisticRegression(class_weight="balanced")
    out = cross_val_predict(platt, own, y, cv=StratifiedKFold(3, shuffle=True, random_state=0), method="predict_proba")
    said = platt.fit(own, y).predict_proba(held)
    losses, judged = (-np.log(p[np.arange(len(p)), t]) for p, t in ((out, y), (said, truth)))
    return losses, float(np.mean([judged[truth == label].mean() for label in (0, 1)]))


MODES = {"drawn": drawn, "law": law, "by-group": by_group, "boosting": boosting, "pull": pull, "guardrail": guardrail}


def main() -> None:
    """Measure and print, a table more each time."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--tables", type=int, default=6)
    parser.add_argument("--common", type=int, default=1_000)
    parser.add_argument("--rare", type=int, default=100)
    parser.add_argument("--pool", type=int, default=POOL, help="rows of a table before it is thinned")
    parser.add_argument("--judged", type=int, default=500, help="rows of either label to judge by")
    asked = parser.parse_args()
    splits = (
        misleading() if asked.mode == "by-group" else imbalanced(asked.common, asked.rare, asked.pool, asked.judged)
    )
    records: list[dict[str, Any]] = []
    for _, (seed, train, test) in zip(range(asked.tables), splits, strict=False):
        records += [{"seed": seed, **record} for record in MODES[asked.mode](seed, train, test)]
        grouped = pd.DataFrame(records).groupby(["learner", "arm"]).agg(["mean", "sem"]).drop(columns="seed")
        print(f"{pd.DataFrame(records)['seed'].nunique()} tables\n{grouped.round(4).to_string()}", flush=True)


if __name__ == "__main__":
    main()
