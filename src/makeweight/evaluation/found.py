"""What people count: how many rare cases are found for so many alarms, and what a stated probability comes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Shares of the rows for which an alarm is raised, at which it is kept how many rare cases are found.
ALARMS = (0.0, 0.005, *(round(0.01 * k, 2) for k in range(1, 21)), *(round(0.05 * k, 2) for k in range(5, 21)))
#: Bins of probability, of equal width.
BINS = 10


def gains(scores: np.ndarray, is_case: np.ndarray) -> list[float]:
    """Return the share of cases among the rows with the highest scores, for each share of rows in `ALARMS`.

    Rows with equal scores are taken in no order: of those, as large a share of the cases is found as of the rows.

    `scores` of shape (n,). `is_case` of shape (n,): one case at least.

    >>> curve = gains(np.array([0.9, 0.8, 0.2, 0.1]), np.array([True, False, True, False]))
    >>> [curve[ALARMS.index(share)] for share in (0.0, 0.25, 0.5, 1.0)]
    [0.0, 0.5, 0.5, 1.0]
    """
    values, place = np.unique(-scores.round(12), return_inverse=True)
    rows = np.concatenate([[0.0], np.cumsum(np.bincount(place, minlength=len(values)))])
    cases = np.concatenate([[0.0], np.cumsum(np.bincount(place, is_case, minlength=len(values)))])
    shares = np.interp(np.array(ALARMS) * rows[-1], rows, cases) / cases[-1]
    return [round(float(share), 6) for share in shares]


def found_at(curve: Sequence[float], alarms: float) -> float:
    """Return the share of cases found at a share of alarms, between the points of a curve of `gains`.

    >>> found_at([share for share in ALARMS], 0.123)
    0.123
    """
    return float(np.interp(alarms, ALARMS, curve))


def reliability(scores: np.ndarray, is_case: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """Return sums of weights, of weighted probabilities and of weighted cases, in `BINS` bins of probability.

    >>> sums = reliability(np.array([0.05, 0.95]), np.array([False, True]), np.array([0.5, 0.5]))
    >>> sums[0][0], sums[2][-1]
    (0.5, 0.5)
    """
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    parts = (weights, weights * scores, weights * is_case)
    return [[round(float(one), 8) for one in np.bincount(bins, part, minlength=BINS)] for part in parts]
