"""What the rows of a peer are worth: whether they are valid, copies, told from real ones, and of use.

Used by peers.py; see there for what the figures say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from makeweight import Schema
from makeweight.experiments.judging import judge
from makeweight.measure.matrix import Matrix
from makeweight.table import Table

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MAKEWEIGHT_DATA", ROOT.parent / "shared" / "data"))
TABLES = ("craft", "adult", "telco", "mammography")
FOREST_SEEDS = (1, 2, 3)
#: Fewer rows than these are not judged.
LEAST_ROWS = 50


@dataclass
class Case:
    """One table: what the peers see, what judges them, and how many rows of which label are wanted."""

    name: str
    train: pd.DataFrame
    test: pd.DataFrame
    target: str
    label: Any
    n: int
    #: Further real rows of the label, ``n`` of them where there are so many; None where not even half.
    more: pd.DataFrame | None

    def without_missing(self) -> Case:
        """Return the case without the training rows that have missing values."""
        return replace(self, train=self.train.dropna())


def load(name: str) -> Case:
    """Read a table and cut it into training, test and further rows."""
    if name == "craft":
        folder = DATA / "paper" / "craft"
        common = pd.read_csv(folder / "train0.csv").sample(900, random_state=1)
        train = pd.concat([pd.read_csv(folder / "seed.csv"), common], ignore_index=True)
        more = pd.read_csv(folder / "train1.csv").sample(900, random_state=1)
        return Case(name, train, pd.read_csv(folder / "test.csv"), "Target", 1, 900, more)
    file, target, label, n, size = {
        "adult": ("adult_census.csv", "income", ">50K", 5000, 10_000),
        "telco": ("telco_churn.csv", "Churn", "Yes", 2500, 5000),
        "mammography": ("mammography.csv", "label", "'1'", 5000, 7800),
    }[name]
    header = [*(f"x{i}" for i in range(6)), target] if name == "mammography" else None
    rows = pd.read_csv(DATA / "real" / file, names=header, skipinitialspace=True)
    if name == "telco":
        rows = rows.drop(columns="customerID")
    rows = rows.sample(frac=1, random_state=1, ignore_index=True)
    rest = rows[size + 10_000 :]
    further = rest[rest[target] == label].head(n)
    test = rows[size : size + 10_000].copy()
    return Case(name, rows[:size].copy(), test, target, label, n, further if len(further) > n / 2 else None)


def decimals(values: pd.Series[Any]) -> int:
    """Return the most decimals that a number of a column has."""
    text = values.dropna().drop_duplicates().map(lambda v: np.format_float_positional(v, trim="-"))
    return int(text.str.partition(".")[2].str.len().max()) if len(text) else 0


def audit(case: Case, rows: pd.DataFrame) -> tuple[dict[str, float], pd.DataFrame]:
    """Return the shares of valid rows, copies and kept decimals, and the rows with the table's types."""
    valid = rows[case.target].astype(str) == str(case.label)
    on_grid = pd.Series(True, index=rows.index)
    typed, own = pd.DataFrame(index=rows.index), pd.DataFrame(index=case.train.index)
    for name, real in case.train.items():
        if pd.api.types.is_numeric_dtype(real):
            values = pd.to_numeric(rows[name], errors="coerce").astype(float)
            own[name] = real.astype(float)
            inside = values.between(real.min(), real.max())
            if (real.dropna() == real.dropna().round()).all():
                inside &= values == values.round()
            on_grid &= values.isna() | np.isclose(values, values.round(decimals(real)), rtol=0, atol=1e-12)
        else:
            values = rows[name].where(rows[name].isna(), rows[name].astype(str))
            own[name] = real
            inside = values.isin(set(real.dropna().astype(str)))
        typed[name] = values
        valid &= inside | (rows[name].isna() & bool(real.isna().any()))
    keys = pd.util.hash_pandas_object(typed.round(9).astype(str), index=False)
    known = pd.util.hash_pandas_object(own.round(9).astype(str), index=False)
    shares = {
        "valid": float(valid.mean()),
        "copies": float(keys.isin(set(known)).mean()),
        "decimals": float(on_grid.mean()),
    }
    return shares, typed


def worth(case: Case, extra: pd.DataFrame | None) -> dict[str, float]:
    """Judge a forest on the training rows and ``extra`` by the test rows; means over forests."""
    matrix = Matrix(Table(case.train, Schema.infer(case.train, target=case.target)))
    rows = case.train if extra is None else pd.concat([case.train, extra[list(case.train)]])
    X, y = matrix.transform(rows), np.ones(len(rows), dtype=int)  # extra rows are all of the label
    y[: len(case.train)] = case.train[case.target] == case.label
    held_out = matrix.transform(case.test)
    labels = (case.test[case.target] == case.label).to_numpy(int)
    figures = []
    for seed in FOREST_SEEDS:
        forest = RandomForestClassifier(criterion="entropy", random_state=seed, n_jobs=2).fit(X, y)
        figures.append(judge(labels, forest.predict_proba(held_out)[:, 1]))
    means = pd.DataFrame(figures).mean()
    return {
        "log_loss": float(means["bce"]),
        "calibrated_log_loss": float(means["bce_ranking"]),
        "auroc": float(means["auroc"]),
    }


def c2st(case: Case, rows: pd.DataFrame) -> float:
    """Return the cross-fitted AUROC of telling the rows from held-out real rows of their label."""
    fresh = case.test[case.test[case.target] == case.label]
    size = min(len(fresh), len(rows), 2000)
    both = pd.concat([fresh.sample(size, random_state=0), rows[list(fresh)].sample(size, random_state=0)])
    matrix = Matrix(Table(case.train, Schema.infer(case.train, target=case.target)))
    made = np.repeat([0, 1], size)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    classifier = HistGradientBoostingClassifier(random_state=0)
    p = cross_val_predict(classifier, matrix.transform(both), made, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(made, p))


def figures(case: Case, rows: pd.DataFrame) -> dict[str, float]:
    """Return all figures of a peer's rows; without the classifiers' where they are too few."""
    shares, typed = audit(case, rows)
    if len(rows) < LEAST_ROWS:
        return shares
    return shares | {"c2st": c2st(case, typed), "judged_rows": len(typed)} | worth(case, typed)
