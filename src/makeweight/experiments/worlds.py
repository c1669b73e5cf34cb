"""Laws of rows for the simulations: two classes in numbers that are chosen, and a balanced test set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import expit

from makeweight.errors import OptionError, nearest
from makeweight.theory.published.worlds import LogisticWorld

LABEL, SPURIOUS = "y", "a"
#: Norm of the slopes of the logistic laws: AUROC about 0.85.
SLOPE = 2.0
#: Share of training rows in which the spurious attribute is the label.
AGREEMENT = 0.9

Rows = tuple[np.ndarray, np.ndarray]


def _logistic(quadratic: float = 0.0, interaction: float = 0.0) -> Callable[[int, int, np.random.Generator], Rows]:
    def sample(n: int, d: int, rng: np.random.Generator) -> Rows:
        world = LogisticWorld(np.full(d, SLOPE / np.sqrt(d)), quadratic=quadratic, interaction=interaction)
        return world.sample(n, rng)

    return sample


def _heavy_tail(n: int, d: int, rng: np.random.Generator) -> Rows:
    features = rng.standard_t(3, size=(n, d)) / np.sqrt(3)
    return features, (rng.random(n) < expit(features @ np.full(d, SLOPE / np.sqrt(d)))).astype(float)


def _ring(n: int, d: int, rng: np.random.Generator) -> Rows:
    """Label 1 lies on a ring around label 0 in the first two columns; the others are noise."""
    labels = (rng.random(n) < 0.5).astype(float)
    features = rng.normal(size=(n, d))
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.normal(2.0, 0.4, n)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    features[:, :2] = np.where(labels[:, None] == 1, ring, features[:, :2])
    return features, labels


def _mixed(n: int, d: int, rng: np.random.Generator) -> Rows:
    """Return columns that are codes 0, 1, 2 every second time, each with an effect of its own."""
    features = rng.normal(size=(n, d))
    coded = np.arange(d) % 2 == 1
    features[:, coded] = rng.integers(0, 3, size=(n, int(coded.sum())))
    effects = np.array([-1.0, 1.0, 0.0])
    value = np.where(coded, effects[features.astype(np.int64).clip(0, 2)], features)
    return features, (rng.random(n) < expit(value @ np.full(d, SLOPE / np.sqrt(d)))).astype(float)


WORLDS: dict[str, Callable[[int, int, np.random.Generator], Rows]] = {
    "logit": _logistic(),
    "quadratic": _logistic(quadratic=0.7),
    "interaction": _logistic(interaction=1.2),
    "heavy-tail": _heavy_tail,
    "ring": _ring,
    "mixed": _mixed,
    "spurious": _logistic(),
}


def check_world(world: str) -> None:
    """Raise an OptionError when there is no world of that name."""
    if world not in WORLDS:
        raise OptionError("unknown world", got=repr(world), hint=nearest(world, WORLDS))


def draw(world: str, d: int, n0: int, n1: int, rng: np.random.Generator, *, test: bool = False) -> pd.DataFrame:
    """Return n0 rows of label 0 and n1 of label 1 with d features, 2 or more, drawn from one of `WORLDS`.

    In the world ``spurious`` a further column `SPURIOUS` is the label in 90 % of the training rows, and in half of the
    test rows. An unknown world is an OptionError.

    >>> draw("ring", 3, 40, 10, np.random.default_rng(0))["y"].sum()
    np.int64(10)
    """
    check_world(world)
    wanted = (n0, n1)
    kept: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    while any(sum(map(len, rows)) < n for rows, n in zip(kept, wanted, strict=True)):
        features, labels = WORLDS[world](2 * max(wanted), d, rng)
        for label in (0, 1):
            kept[label].append(features[labels == label])
    parts = [np.concatenate(rows)[:n] for rows, n in zip(kept, wanted, strict=True)]
    frame = pd.DataFrame(np.concatenate(parts), columns=[f"x{j}" for j in range(d)])
    if world == "mixed":
        coded = frame.columns[1::2]
        frame[coded] = frame[coded].astype(np.int64)
    labels = np.repeat([0, 1], wanted)
    if world == "spurious":
        agrees = rng.random(len(frame)) < (0.5 if test else AGREEMENT)
        frame[SPURIOUS] = np.where(agrees, labels, 1 - labels)
    frame[LABEL] = labels
    return frame
