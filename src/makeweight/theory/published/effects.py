"""The effect of a rare treatment from real and written outcomes, with the generator's bias taken out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, as_binary, as_vector, fraction
from makeweight.theory.borrowing import BorrowedRows
from makeweight.theory.risk import Interval

__all__ = ["corrected_effect"]


def corrected_effect(
    outcomes: npt.ArrayLike,
    treated: npt.ArrayLike,
    written: npt.ArrayLike,
    borrowed: BorrowedRows[Floats],
    *,
    correction: float = 1.0,
    level: float = 0.95,
) -> Interval:
    """Return the mean outcome of the treated, real and written, less that of the others.

    Parameters
    ----------
    outcomes : array-like of shape (n,)
    treated : array-like of shape (n,)
        1 for the rare arm, 0 for the other; assigned at random.
    written : array-like of shape (m,)
        Outcomes of treated rows that a generator wrote.
    borrowed : BorrowedRows of arrays of outcomes
        Untreated outcomes, moved to the treated, as the generator wrote them and as they are: `borrow`, two or more
        repeats.
    correction : float, default 1
        Share of the generator's bias that is taken out.
    level : float, default 0.95
        Of the normal interval.

    Returns
    -------
    Interval

    Notes
    -----
    That bias-corrected synthesis extends to causal inference is stated by arXiv 2510.26046 (v2); this estimator is
    derived here. With the bias D of the written outcomes, learned on moved untreated rows, the treated mean is
    (n_1 mean_real + m (mean_written - c D)) / (n_1 + m): its error is (1 - c) m / (n_1 + m) times the bias where the
    generator errs on moved rows as on treated ones. The interval adds the variances of the two arms, of the written
    rows and of D; it does not know how the written rows depend on the real ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> treated = np.repeat([0, 1], [400, 40])
    >>> outcomes = rng.normal(size=440) + 0.5 * treated
    >>> parts = [rng.normal(size=200) for _ in range(10)]
    >>> borrowed = BorrowedRows(tuple(part[:100] + 0.3 for part in parts), tuple(part[100:] for part in parts))
    >>> effect = corrected_effect(outcomes, treated, rng.normal(0.8, 1.0, size=360), borrowed)
    >>> effect.low < 0.5 < effect.high
    True
    """
    values = as_vector(outcomes, "outcomes")
    arm = as_binary(treated, length=len(values))
    outcomes = as_vector(written, "written")
    share = fraction(correction, "correction")
    first, second = values[arm == 1], values[arm == 0]
    if min(len(first), len(second), len(outcomes)) < 2 or len(borrowed.written) < 2:
        raise PlanError("an arm, the written rows and the repeats need two of each", got=(len(first), len(outcomes)))
    gaps = np.array([w.mean() - h.mean() for w, h in zip(borrowed.written, borrowed.held_out, strict=True)])
    mass = len(outcomes) / (len(first) + len(outcomes))
    mean = (1 - mass) * first.mean() + mass * (outcomes.mean() - share * gaps.mean())
    variance = (1 - mass) ** 2 * first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)
    variance += mass**2 * (outcomes.var(ddof=1) / len(outcomes) + share**2 * gaps.var(ddof=1) / len(gaps))
    estimate, reach = float(mean - second.mean()), float(ndtri((1 + level) / 2)) * math.sqrt(float(variance))
    return Interval(estimate, estimate - reach, estimate + reach, level)
