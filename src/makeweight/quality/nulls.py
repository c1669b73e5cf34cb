"""What chance alone would give: permutations within groups, the maximum over many statistics, and Holm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Item"]

#: The smallest p-value is 1 in 500, which stays below 0.05 when Holm's correction multiplies it by 13 checks.
PERMUTATIONS = 499
ALL_GROUPS = "all groups together"


@dataclass(frozen=True)
class Item:
    """One statistic of a check."""

    value: float  # the effect, in the units of the check's limits
    p: float | None = None  # corrected for the other items of the check; None where nothing is tested
    chance: tuple[float, float] | None = None  # what 95 of 100 permutations give for this item alone
    group: str | None = None
    column: str | None = None
    text: str = ""  # what a person reads of it
    interval: tuple[float, float] | None = None  # 95 % interval of the value

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {
            "group": self.group,
            "column": self.column,
            "value": self.value,
            "p": self.p,
            "interval": self.interval and list(self.interval),
            "null_interval": self.chance and list(self.chance),
            "text": self.text,
        }


@dataclass(frozen=True)
class QualityFinding:
    """What a check measured."""

    items: tuple[Item, ...]  # empty where the check does not apply
    summary: str  # one sentence with the numbers; or why the check does not apply
    drawer: str | None = None  # where it goes if that does not follow from items and limits
    grave: bool = False  # an issue if significant, whatever the size of the effect
    facts: dict[str, float] = field(default_factory=dict)  # further numbers, for the verdict and for programs


def shuffled_labels(n: int, n_marked: int, rng: np.random.Generator, draws: int = PERMUTATIONS) -> np.ndarray:
    """Return `n_marked` of `n` rows marked at random, many times.

    Returns float32, shape (n, draws).
    """
    labels = np.zeros((n, draws), dtype=np.float32)
    for draw in range(draws):
        labels[rng.permutation(n)[:n_marked], draw] = 1.0
    return labels


def with_observed(n: int, n_marked: int, rng: np.random.Generator, draws: int = PERMUTATIONS) -> np.ndarray:
    """Return labels of shape (n, 1 + draws): as observed (the last `n_marked` rows), then shuffled."""
    observed = np.zeros((n, 1), dtype=np.float32)
    observed[n - n_marked :] = 1.0
    return np.hstack([observed, shuffled_labels(n, n_marked, rng, draws)])


def family(statistics: np.ndarray) -> np.ndarray:
    """Return p-values of many one-sided statistics, corrected for their number by the maximum.

    `statistics` (shape (k, 1 + draws)): observed first, then under joint permutations; large is suspicious. Returns
    shape (k,).

    Westfall and Young's single-step maxT. Every statistic is standardised by its mean and deviation over all
    draws, the observed one included, so that the observed is exchangeable with the others and the test exact.

    >>> draws = np.random.default_rng(0).normal(size=(3, 200))
    >>> draws[1, 0] = 9.0
    >>> family(draws).round(3).tolist()
    [0.83, 0.005, 0.955]
    """
    centred = statistics - statistics.mean(axis=1, keepdims=True)
    deviation = statistics.std(axis=1, keepdims=True)
    scores = np.where(deviation > 1e-12, centred / np.where(deviation > 1e-12, deviation, 1.0), 0.0)
    maxima = scores.max(axis=0)
    reached = (maxima[None, 1:] >= scores[:, :1] - 1e-9).sum(axis=1)
    p_values: np.ndarray = (1 + reached) / statistics.shape[1]
    return p_values


def chance_of(statistics: np.ndarray) -> list[tuple[float, float]]:
    """Return what 95 of 100 permutations give, per statistic of shape (k, 1 + draws)."""
    low, high = np.quantile(statistics[:, 1:], [0.025, 0.975], axis=1)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def items_of(
    statistics: np.ndarray,
    where: Sequence[tuple[str | None, str | None]],
    describe: Callable[[int, float, tuple[float, float]], str],
    *,
    units: Sequence[float] | None = None,
    intervals: Sequence[tuple[float, float]] | None = None,
) -> tuple[Item, ...]:
    """Return the items of a family of statistics, with p-values corrected for their number.

    `statistics`: shape (k, 1 + draws). `describe`: from the position, the observed value and what chance gives to what
    a person reads. `units`: what a statistic is multiplied by to be judged by the limits of the check.
    """
    units = [1.0] * len(where) if units is None else units
    columns = zip(where, statistics[:, 0], family(statistics), chance_of(statistics), units, strict=True)
    return tuple(
        Item(
            float(unit * value),
            float(p),
            (unit * low, unit * high),
            group,
            column,
            describe(i, float(value), (low, high)),
            None if intervals is None else intervals[i],
        )
        for i, ((group, column), value, p, (low, high), unit) in enumerate(columns)
    )


def groups_of(n: int) -> str:
    """Write a number of groups.

    >>> groups_of(1), groups_of(4)
    ('1 group', '4 groups')
    """
    return f"{n} group" + ("" if n == 1 else "s")


def merge_rare(codes: np.ndarray, most: int) -> np.ndarray:
    """Return codes as numbers from 0 on; of very many, the rarest become one, the last.

    >>> merge_rare(np.array([7, 5, 5, 9, 9, 8]), 3).tolist()
    [2, 0, 0, 1, 1, 2]
    """
    _, numbers, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(counts) > most:
        order = np.argsort(-counts, kind="stable")
        merged = np.full(len(counts), most - 1)
        merged[order[: most - 1]] = np.arange(most - 1)
        numbers = merged[numbers]
    return np.asarray(numbers)
