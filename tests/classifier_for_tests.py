"""Tables, pipelines and a recording estimator for the tests of the classifier."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from makeweight.theory import row_losses
from makeweight.theory.published.worlds import CraftWorld

NO_ROWS = {"n_synthetic": 0, "augment": 0}
QUICK = {"cv": 3, "repeats": 1, "random_state": 0, "teacher": None}


def balanced_loss(labels, probability):
    losses = row_losses(labels, probability)
    return 0.5 * (losses[labels == 0].mean() + losses[labels == 1].mean())


def numbers(n=240, rare=60, d=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) < rare).astype(int)
    return rng.normal(size=(n, d)) + labels[:, None], labels


def mixed(n=160, rare=40, seed=0):
    rng = np.random.default_rng(seed)
    y = np.where(np.arange(n) < rare, "yes", "no")
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "pay": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(3, 1, n).round(2) + 9 * (y == "yes")),
            "city": rng.choice(["Rome", "Oslo", "New York, NY"], n),
            "sex": rng.choice(["f", "m"], n),
        }
    )
    return X, y


def mixed_pipeline(*, constant="most_frequent"):
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy=constant), StandardScaler()), ["age", "pay"]),
            (OneHotEncoder(handle_unknown="ignore"), ["city", "sex"]),
        ),
        LogisticRegression(),
    )


def craft(seed, n_majority=1000, n_minority=100):
    rng = np.random.default_rng(seed)
    X, y = CraftWorld().sample(6 * n_majority, rng)
    rows = np.r_[np.flatnonzero(y == 0)[:n_majority], np.flatnonzero(y == 1)[:n_minority]]
    return (X[rows], y[rows].astype(int)), CraftWorld().sample(4000, rng)


class Recorder(LogisticRegression):
    """Remembers what it was fitted to."""

    calls: list

    def fit(self, X, y, sample_weight=None):
        Recorder.calls.append((np.asarray(X), np.asarray(y), sample_weight))
        return super().fit(X, y, sample_weight)
