"""Intervals for overlapping splits, and correction for many comparisons."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy.stats import t as student

from makeweight.theory import holm

__all__ = ["Difference"]

#: A difference is shown where its corrected p is below this.
LEVEL = 0.05
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """A mean over splits with its interval, and the probability of one as large by chance."""

    mean: float
    low: float
    high: float
    p: float  # two-sided, that the mean is zero
    #: corrected for the other comparisons of its family. Where there is one, the interval is the one that decides: it
    #: holds 0 exactly where `p_holm` is not below `LEVEL`
    p_holm: float | None = None


def corrected(values: Sequence[float], test_share: float, *, level: float = 0.95) -> Difference:
    """Return the mean of paired differences over splits, with a corrected resampled t interval.

    Training sets of different splits share rows, so that differences are correlated. The variance of their
    mean is taken as (1/J + n_test/n_train) s^2 for J splits, with J - 1 degrees of freedom: Nadeau and
    Bengio, "Inference for the generalization error" (2003), equation 12.

    >>> difference = corrected([0.02, 0.03, 0.01, 0.02, 0.02], test_share=0.2)
    >>> round(difference.mean, 3), round(difference.low, 4), round(difference.high, 4)
    (0.02, 0.0068, 0.0332)
    """
    numbers = np.asarray(values, dtype=np.float64)
    n, mean = len(numbers), float(numbers.mean())
    ratio = test_share / (1 - test_share)
    spread = float(np.sqrt((1 / n + ratio) * numbers.var(ddof=1)))
    if spread < 1e-12:
        return Difference(mean, mean, mean, 0.0 if abs(mean) > 1e-12 else 1.0)
    reach = float(student.ppf(0.5 + level / 2, n - 1)) * spread
    return Difference(mean, mean - reach, mean + reach, float(2 * student.sf(abs(mean) / spread, n - 1)))


def decided(values: Mapping[Name, Sequence[float]], test_share: float) -> dict[Name, Difference]:
    """Return the differences of one family of comparisons, each with the interval that decides about it.

    Holm's procedure rejects the comparison with the r-th least p of m at the level `LEVEL` / (m - r + 1), and stops at
    the first that it does not reject; all from there on are judged at that level. The interval of each comparison is
    taken at the level at which it is judged.

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    >>> family = decided({"a": [0.02, 0.03, 0.01, 0.02, 0.02], "b": [0.03, 0.05, -0.01, 0.02, 0.01]}, 0.2)
    >>> [(round(one.low, 3), round(one.p_holm, 3)) for one in family.values()]
    [(0.003, 0.027), (-0.022, 0.253)]
    """
    judged = judged_at({name: corrected(numbers, test_share).p for name, numbers in values.items()})
    return {
        name: replace(corrected(numbers, test_share, level=1 - level), p_holm=p_holm)
        for (name, numbers), (p_holm, level) in zip(values.items(), judged.values(), strict=True)
    }


def judged_at(p: Mapping[Name, float]) -> dict[Name, tuple[float, float]]:
    """Return the corrected p of every comparison of a family, and the level at which Holm's procedure judges it."""
    p_holm = dict(zip(p, holm(list(p.values())), strict=True))
    remaining = sum(one >= LEVEL for one in p_holm.values())
    ranked = sorted(p, key=p.__getitem__)
    tests = {name: len(p) - rank if p_holm[name] < LEVEL else remaining for rank, name in enumerate(ranked)}
    return {name: (p_holm[name], LEVEL / tests[name]) for name in p}
