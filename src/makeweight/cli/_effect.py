"""Does a balanced table help? A small, leak-free comparison on rows that were set aside first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

TARGET, RARE = "diagnosis", "malignant"
TEST_SHARE, RARE_SHARE = 0.4, 0.05
NOTHING, SHIFTED, OURS = "do nothing", "do nothing + logit shift", "makeweight"
ARMS = (NOTHING, SHIFTED, "random oversampling", "SMOTE", OURS)


@dataclass(frozen=True)
class Split:
    """Rows to learn from, with the rare class thinned, and rows set aside before that."""

    train: pd.DataFrame
    test: pd.DataFrame


def breast_cancer() -> pd.DataFrame:
    """Return the breast-cancer table of scikit-learn with its diagnoses."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    return pd.DataFrame(bunch.data.assign(**{TARGET: bunch.target_names[bunch.target]}))


def splits(frame: pd.DataFrame, seed: int, repeats: int) -> Iterator[Split]:
    """Yield repeated splits that keep equal rows together, with the malignant training rows thinned."""
    from sklearn.model_selection import train_test_split

    from makeweight.measure.splits import Strata
    from makeweight.table import Schema, Table

    units = Strata.of(Table(frame, Schema.infer(frame, target=TARGET))).units
    firsts = np.unique(units, return_index=True)[1]
    for child in np.random.SeedSequence(seed).spawn(repeats):
        rng = np.random.default_rng(child)
        sides = train_test_split(
            np.arange(len(firsts)),
            test_size=TEST_SHARE,
            stratify=frame[TARGET].iloc[firsts],
            random_state=int(rng.integers(2**31)),
        )
        train, test = (frame.iloc[_rows_of(units, side)] for side in sides)
        is_rare = (train[TARGET] == RARE).to_numpy()
        n_rare = round((~is_rare).sum() * RARE_SHARE / (1 - RARE_SHARE))
        kept = np.concatenate([np.flatnonzero(~is_rare), rng.choice(np.flatnonzero(is_rare), n_rare, replace=False)])
        yield Split(train.iloc[np.sort(kept)].reset_index(drop=True), test.reset_index(drop=True))


def _rows_of(units: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the rows of some units, in the order of the units."""
    order = np.argsort(units, kind="stable")
    starts = np.searchsorted(units[order], [chosen, chosen + 1])
    return np.concatenate([order[start:end] for start, end in starts.T])


def measure(split: Split, balanced: pd.DataFrame, seed: int) -> dict[str, dict[str, float]]:
    """Return balanced log-loss and AUROC on the test rows, per arm."""
    from imblearn.over_sampling import SMOTE, RandomOverSampler

    X, y = _parts(split.train)
    X_test, y_test = _parts(split.test)
    random = RandomOverSampler(random_state=seed).fit_resample(X, y)
    smote = SMOTE(random_state=seed, k_neighbors=min(5, int(y.sum()) - 1)).fit_resample(X, y)
    plain = _logits(X, y, X_test)
    odds = float(y.mean() / (1 - y.mean()))
    logits = {
        NOTHING: plain,
        SHIFTED: plain - np.log(odds),
        "random oversampling": _logits(random[0], random[1], X_test),
        "SMOTE": _logits(smote[0], smote[1], X_test),
        OURS: _logits(*_parts(balanced), X_test),
    }
    return {arm: _scores(logits[arm], y_test) for arm in ARMS}


def _parts(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return (frame.drop(columns=TARGET).to_numpy(dtype=np.float64), (frame[TARGET] == RARE).to_numpy().astype(np.int64))


def _logits(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    from makeweight.measure.learners import make_learner

    return np.asarray(make_learner("lr", 0, len(y)).fit(X, y).decision_function(X_test))


def _scores(logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    losses = np.logaddexp(0.0, np.where(y == 1, -logits, logits))
    balanced = (losses[y == 1].mean() + losses[y == 0].mean()) / 2
    return {"balanced_log_loss": float(balanced), "auroc": float(roc_auc_score(y, logits))}


@dataclass(frozen=True)
class Spread:
    """A mean over repeats, and the middle 80 % of them."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What the repeats say of every arm, by metric, and in how many of them the balanced table was better."""

    repeats: int
    arms: dict[str, dict[str, Spread]]
    makeweight_better_in: dict[str, dict[str, int]]


def summary(repeats: list[dict[str, dict[str, float]]]) -> Effect:
    """Return what the repeats say, each given as arm to metric to value."""

    def spread(arm: str, metric: str) -> Spread:
        values = np.array([repeat[arm][metric] for repeat in repeats])
        return Spread(float(values.mean()), *np.quantile(values, [0.1, 0.9]).tolist())

    def wins(metric: str, sign: int) -> dict[str, int]:
        others = [arm for arm in ARMS if arm != OURS]
        return {arm: sum(sign * (r[OURS][metric] - r[arm][metric]) > 0 for r in repeats) for arm in others}

    return Effect(
        len(repeats),
        {arm: {metric: spread(arm, metric) for metric in ("balanced_log_loss", "auroc")} for arm in ARMS},
        {"balanced_log_loss": wins("balanced_log_loss", -1), "auroc": wins("auroc", 1)},
    )
