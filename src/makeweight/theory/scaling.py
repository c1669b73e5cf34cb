"""The scaling law R(N) = R_inf + A (n_tot + |G| N)^(-beta): fit, refusal, prediction, recommendation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, count, fraction
from makeweight.theory.powerlaw import as_repeats, fit_curve, repeat_covariance
from makeweight.theory.risk import Interval

__all__ = ["Recommendation", "ScalingLaw"]

#: How far above and below the rows at hand their worth is looked for, and how uncertain an answer may be.
_FURTHEST, _FACTOR = 100.0, 2.0


@dataclass(frozen=True)
class Recommendation:
    """How many augmentation rows per group are worth adding.

    Attributes
    ----------
    n_augment : int
        Rows N per group; never more than the largest size that was tried.
    tolerance : float
        The gain below which more rows do not count.
    remaining_gain : float
        Predicted gain from N to infinitely many rows; not available (nan) without an identified law.
    solution : float
        What the law itself asks for, which may lie beyond the sizes that were tried; nan without a law.
    reason : str

    Notes
    -----
    Made by `ScalingLaw.recommend`, which names the source.

    Examples
    --------
    >>> Recommendation(4000, 0.01, 0.02, 9000.0, "larger sizes were not tried").beyond_tried
    True
    """

    n_augment: int
    tolerance: float
    remaining_gain: float
    solution: float
    reason: str

    @property
    def beyond_tried(self) -> bool:
        """Whether the law asks for more rows than were tried."""
        return self.solution > self.n_augment


class ScalingLaw:
    """Balanced risk as a function of the number N of augmentation rows per group.

    R(N) = R_inf + A n^(-beta) with the effective size n = n_tot + |G| N.

    Parameters
    ----------
    n_total : int
        n_tot: rows after balancing, |G| times the largest group.
    n_groups : int
        |G|.
    level : float, default 0.95
        Of the intervals.

    Attributes
    ----------
    identifiable_ : bool
        Whether the risk was seen to fall, so that the law says more than the measured points.
    reason_ : str
        Why not, and how many repeats would show it; or an empty text.
    floor_, amplitude_, exponent_ : Interval
        R_inf, A and beta. Present also when not identifiable, then as evidence only.
    sizes_, risks_, standard_errors_ : ndarray
        The distinct sizes, their mean risks, and the standard errors of these.

    Raises
    ------
    SchemaError
        From `fit`, on lists of unequal length or with missing values.
    PlanError
        From `predict`, `gain` and `worth_in_real_rows` when the law is not identifiable.

    Notes
    -----
    The form is that of arXiv 2406.03628, with a floor for the error of the generator, which arXiv 2402.04376
    and docs/theory.md motivate. Intervals are exact profiles of generalised least squares, derived in docs/theory.md,
    "When to stop": repeats share a level, since nested pools make their sizes dependent, and the table's own sampling
    enters as the covariance of the curve over resampled rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sizes = np.array([0, 500, 1000, 2000, 4000, 8000, 16000])
    >>> truth = 0.3 + 5.0 * (2000 + 2 * sizes) ** -0.5
    >>> law = ScalingLaw(2000, 2).fit(sizes, truth + 0.001 * rng.normal(size=(20, 7)))
    >>> law.identifiable_, law.floor_.low < 0.3 < law.floor_.high
    (True, True)
    >>> bool(abs(law.gain(0, 8000).estimate - (truth[0] - truth[5])) < 0.002)
    True
    """

    identifiable_: bool
    reason_: str
    floor_: Interval
    amplitude_: Interval
    exponent_: Interval
    sizes_: Floats
    risks_: Floats
    standard_errors_: Floats

    def __init__(self, n_total: int, n_groups: int, *, level: float = 0.95) -> None:
        self.n_total = n_total
        self.n_groups = n_groups
        self.level = level

    def fit(
        self, sizes: npt.ArrayLike, risks: npt.ArrayLike, *, row_covariance: npt.ArrayLike | None = None
    ) -> ScalingLaw:
        """Fit the law.

        Parameters
        ----------
        sizes : array-like of shape (s,)
            Augmentation rows N per group; at least five distinct ones for a law.
        risks : array-like of shape (s,) or (r, s)
            Balanced risk per size; r repeats, where there are repeats.
        row_covariance : array-like of shape (s, s), optional
            Covariance of the mean risks over resampled rows of the table, in the order of `sizes`.

        Returns
        -------
        ScalingLaw

        Examples
        --------
        >>> sizes = np.array([0, 500, 1000, 2000, 4000])
        >>> ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5).identifiable_
        True
        """
        count(self.n_total, "n_total", least=1)
        count(self.n_groups, "n_groups", least=1)
        fraction(self.level, "level", open_end=True)
        points, table, order = as_repeats(sizes, risks)
        self.sizes_, self.risks_, self._repeats = points, table.mean(axis=0), len(table)
        covariance, freedom = repeat_covariance(table)
        if row_covariance is not None:
            rows = np.asarray(row_covariance, dtype=np.float64)
            if rows.shape != covariance.shape or not np.isfinite(rows).all():
                raise SchemaError("the covariance does not match the sizes", got=rows.shape, expected=covariance.shape)
            covariance = covariance + rows[np.ix_(order, order)]
        self._fit, covariance = fit_curve(self._effective(points), self.risks_, covariance, freedom, self.level)
        self.standard_errors_ = np.sqrt(np.diag(covariance))
        law = self._fit.law
        self.floor_ = self._interval(law.floor, self._fit.interval(math.inf))
        self.exponent_ = self._interval(law.exponent, self._fit.exponent_interval)
        self.amplitude_ = self._interval(law.amplitude, self._fit.amplitude_interval)
        self.reason_ = self._refusal()
        self.identifiable_ = not self.reason_
        return self

    def _effective(self, sizes: npt.ArrayLike) -> Floats:
        return np.asarray(self.n_total + self.n_groups * np.asarray(sizes, dtype=np.float64))

    def _interval(self, estimate: float, ends: tuple[float, float]) -> Interval:
        return Interval(float(estimate), min(ends[0], float(estimate)), max(ends[1], float(estimate)), self.level)

    def _refusal(self) -> str:
        """Return why the law says no more than the points, and what would help, or an empty text."""
        if len(self.sizes_) < 5:
            return f"{len(self.sizes_)} distinct sizes; a law with three unknowns needs five"
        effective = self._effective(self.sizes_)
        if effective[-1] < 2 * effective[0]:
            return f"the effective size only grows by {effective[-1] / effective[0]:.2f}; it must double"
        if float(np.ptp(self.risks_)) < 1e-12 * max(abs(float(self.risks_.mean())), 1e-300):
            return "the risk is constant"
        first, last = self._fit.law.predict(effective[[0, -1]])
        low, _ = self._fit.interval(effective[0], effective[-1])
        fall, reach = float(first - last), float(first - last) - low
        if fall <= 0:
            return "the risk does not fall with more rows"
        if low <= 0:
            return f"the fall of {fall:.2g} is uncertain by {reach:.2g}; {self._more(reach / fall)} would show it"
        return ""

    def _more(self, factor: float) -> str:
        """Return how many repeats make an interval narrower by a factor."""
        needed = math.ceil(self._repeats * factor**2)
        rows = f"{factor**2:.1f} times the rows"
        return f"about {needed} repeats or {rows}" if needed <= 1000 else rows

    def _ready(self) -> None:
        if not hasattr(self, "_fit"):
            raise PlanError("the scaling law has not been fitted", hint="call fit(sizes, risks) first")
        if not self.identifiable_:
            raise PlanError(
                "the scaling law is not identifiable",
                got=self.reason_,
                hint="try more sizes over a wider range, or more repeats",
            )

    def predict(self, n_augment: npt.ArrayLike) -> Floats:
        """Return R(N) for each N, shape as given; refused when not identifiable.

        Examples
        --------
        >>> sizes = np.array([0, 500, 1000, 2000, 4000])
        >>> ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5).predict([4000]).round(3)
        array([0.35])
        """
        self._ready()
        points = np.asarray(n_augment, dtype=np.float64)
        if not (np.isfinite(points).all() and (points >= 0).all()):
            raise OptionError("sizes must be finite and not negative", where="n_augment")
        return self._fit.law.predict(self._effective(points))

    def predict_interval(self, n_augment: float) -> Interval:
        """Return R(N) with its interval; N may be infinite.

        Examples
        --------
        >>> sizes = np.array([0, 500, 1000, 2000, 4000])
        >>> law = ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5)
        >>> print(law.predict_interval(np.inf))
        0.3 [0.3, 0.3]
        """
        self._ready()
        if not n_augment >= 0:
            raise OptionError("sizes must not be negative", where="n_augment", got=n_augment)
        effective = self.n_total + self.n_groups * n_augment
        return self._interval(float(self._fit.law.predict(np.array(effective))), self._fit.interval(effective))

    def gain(self, smaller: float, larger: float = math.inf) -> Interval:
        """Return R(smaller) - R(larger) with its interval, by default the gain from infinitely many more rows.

        Examples
        --------
        >>> sizes = np.array([0, 500, 1000, 2000, 4000])
        >>> law = ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5)
        >>> round(law.gain(0, 4000).estimate, 3)
        0.062
        """
        first, second = self.predict_interval(smaller), self.predict_interval(larger)
        sizes = [self.n_total + self.n_groups * size for size in (smaller, larger)]
        return self._interval(first.estimate - second.estimate, self._fit.interval(*sizes))

    def recommend(self, tolerance: float | None = None, *, horizon: float = 2.0) -> Recommendation:
        """Return the smallest N at which more rows gain less than a tolerance.

        Parameters
        ----------
        tolerance : float, optional
            One standard error of the risk by default: the median of `standard_errors_`.
        horizon : float, default 2
            How far ahead the gain counts: to this multiple of the effective size. Infinite asks for all that
            is left, which under a slow law takes absurd numbers of rows.

        Returns
        -------
        Recommendation
            Never beyond the largest size tried: where the law asks for more, `solution` and the reason say
            so. Without an identified law it is the smallest size whose risk is within the tolerance of the
            smallest.

        Notes
        -----
        Derived in docs/theory.md, "When to stop": A n^-beta (1 - horizon^-beta) < tolerance solved for N.

        Examples
        --------
        >>> sizes = np.array([0, 500, 1000, 2000, 4000])
        >>> ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5).recommend(0.02).n_augment
        1681
        """
        if not hasattr(self, "_fit"):
            self._ready()
        if tolerance is None:
            tolerance = float(np.median(self.standard_errors_))
        if not (math.isfinite(tolerance) and tolerance >= 0):
            raise OptionError("out of range", where="tolerance", got=tolerance, expected=">= 0")
        if not horizon > 1:
            raise OptionError("out of range", where="horizon", got=horizon, expected="> 1")
        if not self.identifiable_ or tolerance == 0:
            within = np.flatnonzero(self.risks_ <= self.risks_.min() + tolerance)
            why = self.reason_ or "no tolerance to solve for"
            reason = f"smallest observed size within the tolerance of the smallest risk; no law: {why}"
            return Recommendation(int(self.sizes_[within[0]]), tolerance, math.nan, math.nan, reason)
        share = 1 - horizon**-self._fit.law.exponent
        needed = self._fit.law.effective_size_for(tolerance / share)
        solution = max(0.0, np.ceil((needed - self.n_total) / self.n_groups))
        largest = int(self.sizes_[-1])
        size = int(min(solution, largest))
        reason = "more rows gain less than the tolerance"
        if solution > largest:
            asked = f"the law asks for {solution:.3g} rows, the most that was tried is {largest}"
            reason = f"{asked}: try larger sizes first"
        return Recommendation(size, tolerance, self.gain(size).estimate, float(solution), reason)

    def worth_in_real_rows(
        self,
        n_augment: float,
        real_sizes: npt.ArrayLike,
        real_risks: npt.ArrayLike,
        n_real: int,
        *,
        row_covariance: npt.ArrayLike | None = None,
    ) -> Interval:
        """Return k such that n_real + k real rows would give the same risk as N augmentation rows.

        Parameters
        ----------
        n_augment : float
            N.
        real_sizes : array-like of shape (s,)
            Real rows, in the unit of `n_real`, of a learning curve on real rows only.
        real_risks : array-like of shape (s,) or (r, s)
        n_real : int
            Real rows at hand.
        row_covariance : array-like of shape (s, s), optional
            Of the real curve, as in `fit`.

        Returns
        -------
        Interval
            k, negative where the rows do harm, infinite where no number of real rows is as good on the fitted
            curve. The interval holds every k at which the two curves may meet; an infinite end leaves a lower bound.

        Raises
        ------
        PlanError
            When either curve is not identifiable, or neither the sign of k nor n_real + k to within a factor of two
            is known; the message says how many repeats would answer it.

        Examples
        --------
        >>> sizes, real = np.array([0, 500, 1000, 2000, 4000]), np.array([50, 100, 200, 400, 800])
        >>> law = ScalingLaw(2000, 2).fit(sizes, 0.3 + 5.0 / (2000 + 2 * sizes) ** 0.5)
        >>> round(law.worth_in_real_rows(250, real, 0.25 + 2.0 / real**0.5, 100).estimate)
        78
        """
        ours = self.predict_interval(n_augment)
        real = ScalingLaw(1, 1, level=self.level).fit(
            np.asarray(real_sizes, dtype=np.float64) - 1, real_risks, row_covariance=row_covariance
        )
        real._ready()
        point = real._fit.law.effective_size_for(ours.estimate - real._fit.law.floor)
        sizes = n_real * np.geomspace(1 / _FURTHEST, _FURTHEST, 401)
        gaps = np.array([_apart(ours, real.predict_interval(size - 1)) for size in sizes])
        met = np.flatnonzero(gaps <= 1.0)
        low = high = point  # exact curves meet nowhere on a grid
        if len(met):
            low = min(point, float(sizes[met[0]])) if met[0] else 0.0
            high = max(point, float(sizes[met[-1]])) if met[-1] < len(sizes) - 1 else math.inf
        if low <= n_real <= high and high > _FACTOR**2 * low:
            spread = math.log(min(high, _FURTHEST * n_real) / max(low, n_real / _FURTHEST)) / math.log(_FACTOR**2)
            raise PlanError(
                "whether the rows are worth any real ones is not known",
                got=f"as good as {low:.3g} to {high:.3g} real rows, of which there are {n_real}",
                hint=f"{self._more(max(spread, 1.5))} would answer it",
            )
        return Interval(point - n_real, low - n_real, high - n_real, self.level)


def _apart(first: Interval, second: Interval) -> float:
    """Return the distance of two estimates in units of what both intervals allow."""
    lower, upper = sorted((first, second), key=lambda interval: interval.estimate)
    reach = math.hypot(lower.high - lower.estimate, upper.estimate - upper.low)
    gap = upper.estimate - lower.estimate
    return gap / reach if reach > 0 else (0.0 if gap == 0 else math.inf)
