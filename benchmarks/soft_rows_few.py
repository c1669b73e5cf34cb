"""Ten rare rows, and rows that agree with a misleading attribute: modes of soft_rows.py.

opal: the splits of the first version, 10 rare rows of 100 (craft) or 50 (gender). Every learner is judged at equal
shares of the labels: its log-odds are shifted from the training rows' shares, but where labels are balanced. Arms, all
with the same 2,000 rows of the smoothed bootstrap where rows are soft:

* nothing, and hard rows: labels balanced by rows of the smoothed bootstrap, or of the transformer
* opal-closed-form, opal-committee, opal-network: soft rows by a teacher, and the teacher alone; that of opal-network is
  closed form and the default generator's network

spurious: 1,000 rows of two cells of label and attribute, where the one says the other, and 100 of the other two (the
published splits); and whole tables by an attribute of people, 60 % of at most 12,000 rows to learn from. Judged by
log-loss in each of the four cells: the mean and the worst. Arms:

* nothing; group weights; undersampled: every cell as large as the smallest
* hard rows: cells balanced by rows of the smoothed bootstrap
* soft real rows, none added (the control), and soft rows, evenly over the cells, by a teacher that is fitted with group
  weights
* the committee, and one without offsets for every value of the attribute
* blends of the committee and a learner fitted with group weights, or to soft rows: mean log-odds
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import quality
import transformer_calibrated as tables
from makeweight import Limits
from makeweight.committee import Committee, blend, soft_counts, soft_labels, teach
from makeweight.experiments.data import COLUMNS, cells
from makeweight.generators.writing import write_rows
from makeweight.measure.training import balancing_weights, undersampled
from makeweight.plan import GroupPlan, Groups, Plan
from makeweight.table import Schema, Table

FLOOR = 1e-4
OPAL, SPURIOUS = ("opal/craft", "opal/gender"), ("paper/adult", "paper/craft", "real/adult_census", "real/law_school")
#: Attributes of whole tables, and the value that most have.
ATTRIBUTES = {"real/adult_census": ("sex", "Male"), "real/law_school": ("race", "White")}
#: Synthetic rows of the mode opal: the network labels 400 a second.
FEW_ROWS = 2_000
SOFT_ROWS = 8_000
LEARNERS = ("LR", "RF", "XGB")
#: Members of the teachers of the modes opal-closed-form, opal-committee and opal-network.
TEACHERS: dict[str, Any] = {
    "closed form": ["closed-form"],
    "committee": "auto",
    "closed form + network": ["closed-form", "in-context"],
}


def opal_learner(name: str, like: pd.DataFrame, seed: int) -> Any:
    """An unfitted classifier with a keyword for weights."""
    if name != "CatBoost":
        model = tables.learner(name, like, seed)
        return model, f"{model.steps[-1][0]}__sample_weight"
    from catboost import CatBoostClassifier

    return CatBoostClassifier(random_seed=seed, verbose=False, thread_count=1, allow_writing_files=False), (
        "sample_weight"
    )


def fitted(name: str, X: pd.DataFrame, y: np.ndarray, weights: np.ndarray, seed: int) -> Any:
    """A classifier fitted to weighted rows."""
    model, keyword = opal_learner(name, X, seed)
    return model.fit(X, y, **{keyword: weights})


def written(
    train: pd.DataFrame,
    counts: dict[Any, int],
    seed: int,
    name: str = "smoothed-bootstrap",
    group_by: list[str] | None = None,
) -> pd.DataFrame:
    """So many synthetic rows of every group."""
    table = Table(train, Schema.infer(train, target="label", group_by=group_by or []))
    groups = Groups(table)
    plan = Plan(
        tuple(GroupPlan(key, int(n), counts.get(key, 0)) for key, n in zip(groups.keys, groups.counts, strict=True)),
        groups.columns,
    )
    made = write_rows(table, plan, name, seed=np.random.SeedSequence(seed), limits=Limits(copies="accept"))
    return made.frame[list(train.columns)]


def opal(teacher: str | None, table: str, seed: int) -> list[dict[str, Any]]:
    """One record per learner and arm; without a teacher, of what soft rows are compared with."""
    train, test = tables.split(table, 10, seed)
    X, y = train.drop(columns="label"), train["label"].to_numpy()
    judged, truth, share = test.drop(columns="label"), test["label"].to_numpy(), train["label"].mean()
    lacking = {(1,): int((y == 0).sum() - (y == 1).sum())}
    records = []

    def record(name: str, arm: str, p: np.ndarray, shifted: bool = False) -> None:
        p = np.clip(p, FLOOR, 1 - FLOOR)
        if shifted:
            p = np.clip(1 / (1 + (1 - p) / p * share / (1 - share)), FLOOR, 1 - FLOOR)
        loss = quality.balanced_log_loss(truth, p)
        records.append({"learner": name, "arm": arm, "auroc": float(roc_auc_score(truth, p)), "balanced": loss})

    sets: dict[str, tuple[pd.DataFrame, np.ndarray, np.ndarray]] = {}
    if teacher is None:
        sets["nothing"] = (X, y, np.ones(len(y)))
        for name in ("smoothed-bootstrap", "transformer"):
            hard = pd.concat([train, written(train, lacking, seed, name)], ignore_index=True)
            sets[f"hard rows, {name}"] = (hard.drop(columns="label"), hard["label"].to_numpy(), np.ones(len(hard)))
    else:
        counts = soft_counts(np.bincount(y), least=FEW_ROWS).tolist()
        new = written(train, {(label,): n for label, n in enumerate(counts)}, seed).drop(columns="label")
        rows = pd.concat([X, new], ignore_index=True)
        repeats = 1 if "network" in teacher else "auto"
        committee = Committee(TEACHERS[teacher], repeats=repeats, random_state=seed).fit(X, y)
        soft = soft_labels(y, committee.oof_, committee.predict_proba(new))
        sets[f"soft rows, {teacher}"] = (rows.iloc[soft.rows], soft.labels, soft.weights)
        record("-", f"teacher: {teacher}", committee.predict_proba(judged)[:, 1], shifted=True)
    learners = (*LEARNERS, "CatBoost") if importlib.util.find_spec("catboost") else LEARNERS
    for name in learners:
        for arm, (frame, labels, weights) in sets.items():
            p = fitted(name, frame, labels, weights, seed).predict_proba(judged)[:, 1]
            record(name, arm, p, shifted=not arm.startswith("hard"))
    return records


def spurious_split(table: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training rows and rows to judge by, with the columns ``label``, ``cell`` and ``side``, that of the attribute."""
    if table in ATTRIBUTES:
        frame = tables.whole(table)
        frame = frame.sample(min(len(frame), 12_000), random_state=seed)
        column, most = ATTRIBUTES[table]
        frame["side"] = (frame.pop(column) == most).astype(int).astype(str)
        frame["cell"] = frame["side"] + frame["label"].astype(str)
        train, test = train_test_split(frame, test_size=0.4, stratify=frame["cell"], random_state=seed)
        return train.reset_index(drop=True), test.reset_index(drop=True)
    name = table.split("/")[1]
    folder, columns = quality.DATA / "paper" / name, COLUMNS[name]
    read: Callable[[str], pd.DataFrame] = lambda part: pd.read_csv(folder / f"{part}.csv")  # noqa: E731
    train = pd.concat([read("seed"), read("train_neg").sample(900, random_state=seed)], ignore_index=True)
    parts = [frame.rename(columns={columns.label: "label"}) for frame in (train, read("test"))]
    for part in parts:
        part["cell"] = cells(part.rename(columns={"label": columns.label}), columns)
        part["side"] = part["cell"].str[0]
    return parts[0], parts[1]


def spurious(table: str, seed: int) -> list[dict[str, Any]]:
    """One record per learner and arm."""
    train, test = spurious_split(table, seed)
    X, y = train.drop(columns=["label", "cell"]), train["label"].to_numpy()
    codes = pd.factorize(train["cell"], sort=True)[0]
    judged, truth = test.drop(columns=["label", "cell"]), test["label"].to_numpy()
    grouped = train.drop(columns="cell")
    sides = [(label, side) for label in (0, 1) for side in ("0", "1")]
    counts = {key: int(((y == key[0]) & (train["side"] == key[1])).sum()) for key in sides}
    hard = written(grouped, {key: max(counts.values()) - n for key, n in counts.items()}, seed, group_by=["side"])
    even = written(grouped, dict.fromkeys(sides, max(SOFT_ROWS, 2 * len(train)) // 4), seed, group_by=["side"])
    weights = balancing_weights(codes)
    kept = undersampled(codes, np.random.default_rng(seed))
    lesson = teach(X, y, even[X.columns], groups=train["side"], sample_weight=weights, random_state=seed)
    both = pd.concat([grouped, hard], ignore_index=True)
    sets = {
        "nothing": (X, y, np.ones(len(y))),
        "group weights": (X, y, weights),
        "undersampled": (X.iloc[kept], y[kept], np.ones(len(kept))),
        "hard rows": (both[X.columns], both["label"].to_numpy(), np.ones(len(both))),
        "soft real rows": lesson.training_set(rows=0),
        "soft rows": lesson.training_set(),
    }
    records = []

    def record(name: str, arm: str, p: np.ndarray) -> None:
        p = np.clip(p, FLOOR, 1 - FLOOR)
        losses = pd.Series(-np.log(np.where(truth == 1, p, 1 - p))).groupby(test["cell"].to_numpy()).mean()
        auroc = float(roc_auc_score(truth, p))
        records.append(
            {"learner": name, "arm": arm, "auroc": auroc, "loss": float(losses.mean()), "worst": float(losses.max())}
        )

    said = lesson.teacher.predict_proba(judged)
    record("-", "committee", said[:, 1])
    # The same splits; a name that no column has gets no offsets by value.
    outside = train["side"].rename("outside")
    plain = Committee(random_state=seed).fit(X, y, groups=outside, sample_weight=weights)
    record("-", "committee, one set of offsets", plain.predict_proba(judged)[:, 1])
    for name in LEARNERS:
        for arm, (frame, labels, weight) in sets.items():
            p = np.clip(fitted(name, frame, labels, weight, seed).predict_proba(judged), FLOOR, 1 - FLOOR)
            record(name, arm, p[:, 1])
            if arm in ("group weights", "soft rows"):
                record(name, f"blend of {arm}", blend(p, said)[:, 1])
    return records


def summarise(frame: pd.DataFrame) -> None:
    """Print, per mode and table, every arm with standard errors over seeds."""
    for (mode, table), part in frame.groupby(["mode", "table"], sort=False):
        opal_mode = str(mode).startswith("opal")
        n, metrics = part["seed"].nunique(), ["balanced", "auroc"] if opal_mode else ["loss", "worst"]
        print(f"\n{mode}, {table}: {n} seeds; {' / '.join(metrics)}")
        grouped = part.groupby(["arm", "learner"], sort=False)[metrics]
        text = grouped.mean().map("{:.3f}".format) + " ± " + grouped.sem().map("{:.3f}".format)
        print((text[metrics[0]] + " / " + text[metrics[1]]).unstack("learner").to_string())
        for trees in sorted({"XGB", "CatBoost"} & set(part["learner"])) if opal_mode else ():
            mean = part[part["learner"].isin(["LR", "RF", trees])].groupby("arm", sort=False)[metrics].mean()
            print(f"mean of LR, RF, {trees}\n{mean.round(3).to_string()}")
