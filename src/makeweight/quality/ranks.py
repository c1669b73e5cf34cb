"""The area under the ROC curve within strata: its interval, and what chance alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from makeweight.quality.nulls import PERMUTATIONS, Item, items_of, shuffled_labels


@dataclass(frozen=True)
class Stratum:
    """Scores that may be compared with each other."""

    #: scores of the rows that should score low, and high
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Area:
    """An area under the ROC curve, averaged over strata."""

    value: float
    interval: tuple[float, float]  # 95 %, by DeLong's placement values
    draws: np.ndarray  # shape (1 + permutations,): the value, then what it is when the rows are shuffled within strata


def area_of(strata: list[Stratum], rng: np.random.Generator) -> Area:
    """Measure how well scores tell two kinds of rows apart.

    Strata weigh as the harmonic mean of their two sizes, which is the precision they have under chance.

    `strata`: each with rows of both kinds.

    >>> rng = np.random.default_rng(0)
    >>> area = area_of([Stratum(rng.normal(size=200), rng.normal(1.0, size=200))], rng)
    >>> round(area.value, 1), area.interval[0] > 0.5
    (0.7, True)
    """
    sizes = np.array([len(s.low) * len(s.high) / (len(s.low) + len(s.high)) for s in strata])
    weights = sizes / sizes.sum()
    draws = np.zeros(PERMUTATIONS + 1)
    variance = 0.0
    for stratum, weight in zip(strata, weights, strict=True):
        scores = np.concatenate([stratum.low, stratum.high])
        n, m = len(stratum.low), len(stratum.high)
        ranks = rankdata(scores)
        observed = np.append(ranks[n:].sum(), ranks @ shuffled_labels(n + m, m, rng))
        draws += weight * (observed - m * (m + 1) / 2) / (n * m)
        above = (ranks[n:] - rankdata(stratum.high)) / n
        below = 1.0 - (ranks[:n] - rankdata(stratum.low)) / m
        # The last term keeps strata whose few rows are told apart without a slip from looking certain.
        part = above.var() / m + below.var() / n + 1.0 / (12 * (n + 1) * (m + 1))
        variance += float(weight**2 * part)
    margin = float(ndtri(0.975)) * variance**0.5
    value = float(draws[0])
    return Area(value, (max(0.0, value - margin), min(1.0, value + margin)), draws)


def area_items(areas: dict[str, Area]) -> tuple[Item, ...]:
    """Return areas by group as items of a check."""

    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        low, high = intervals[i]
        return f"{names[i]}: AUC {value:.2f} ({low:.2f} to {high:.2f})"

    names, intervals = list(areas), [area.interval for area in areas.values()]
    draws = np.array([area.draws for area in areas.values()])
    return items_of(draws, [(name, None) for name in names], describe, intervals=intervals)
