"""Intervals for overlapping splits, and correction for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

__all__ = ["Difference", "corrected"]


@dataclass(frozen=True)
class Difference:
    """A mean over splits with its interval, and the probability of one as large by chance.

    Parameters
    ----------
    mean, low, high : float
    p : float
        Two-sided, that the mean is zero.
    p_holm : float or None
        Corrected for the other arms.
    """

    mean: float
    low: float
    high: float
    p: float
    p_holm: float | None = None


def corrected(values: Sequence[float], test_share: float, *, level: float = 0.95) -> Difference:
    """Return the mean of paired differences over splits, with a corrected resampled t interval.

    Parameters
    ----------
    values : sequence of float
        One per split; two or more.
    test_share : float
        Held-out rows as a share of all rows: 1 / folds.
    level : float
        Of the interval.

    Returns
    -------
    Difference
        Where all values are the same the interval has no width, and p is 1 for zeros and 0 otherwise.

    Notes
    -----
    Training sets of different splits share rows, so that differences are correlated. The variance of their
    mean is taken as (1/J + n_test/n_train) s^2 for J splits, with J - 1 degrees of freedom: Nadeau and
    Bengio, "Inference for the generalization error" (2003), equation 12.

    Examples
    --------
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
