"""The scaling law R(N) = R_inf + A (n_tot + |G| N)^(-beta): fit, refusal, prediction, recommendation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_vector, count, fraction
from makeweight.theory.powerlaw import PowerLaw, fit_power_law
from makeweight.theory.risk import Interval

__all__ = ["Recommendation", "ScalingLaw"]


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
        Of the bootstrap intervals.
    draws : int, default 300
        Bootstrap draws.
    random_state : int or numpy.random.Generator, default 0
        Of the bootstrap.

    Attributes
    ----------
    identifiable_ : bool
        Whether the law may be used beyond the observed sizes.
    reason_ : str
        Why not, or an empty text.
    floor_, amplitude_, exponent_ : Interval
        R_inf, A and beta with bootstrap intervals. Present also when not identifiable, then as evidence only.
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
    and docs/theory.md motivate. Robust: Huber weights on standardised residuals. Repeats are resampled
    whole, since nested pools make the sizes of one repeat dependent.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sizes = np.array([0, 500, 1000, 2000, 4000, 8000, 16000])
    >>> truth = 0.3 + 5.0 * (2000 + 2 * sizes) ** -0.5
    >>> law = ScalingLaw(2000, 2).fit(sizes, truth + 0.001 * rng.normal(size=(20, 7)))
    >>> law.identifiable_, law.floor_.low < 0.3 < law.floor_.high
    (True, True)
    >>> bool(abs(law.gain(0, 8000) - (truth[0] - truth[5])) < 0.002)
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

    def __init__(
        self,
        n_total: int,
        n_groups: int,
        *,
        level: float = 0.95,
        draws: int = 300,
        random_state: int | np.random.Generator = 0,
    ) -> None:
        self.n_total = n_total
        self.n_groups = n_groups
        self.level = level
        self.draws = draws
        self.random_state = random_state

    def fit(self, sizes: npt.ArrayLike, risks: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> ScalingLaw:
        """Fit the law.

        Parameters
        ----------
        sizes : array-like of shape (s,)
            Augmentation rows N per group; at least five distinct ones for a law.
        risks : array-like of shape (s,) or (r, s)
            Balanced risk per size; r repeats, where there are repeats.
        weights : array-like of shape (s,), optional
            Confidence per size; from the scatter of the repeats by default, else equal.

        Returns
        -------
        ScalingLaw
        """
        count(self.n_total, "n_total", least=1)
        count(self.n_groups, "n_groups", least=1)
        count(self.draws, "draws", least=50)
        fraction(self.level, "level", open_end=True)
        points, table = _as_repeats(sizes, risks)
        rng = np.random.default_rng(self.random_state)
        self.sizes_, self.risks_ = points, table.mean(axis=0)
        repeats = len(table)
        scatter = table.std(axis=0, ddof=1) / math.sqrt(repeats) if repeats > 1 else np.zeros(len(points))
        if weights is None:
            floor = 0.25 * float(scatter.max())
            trust = 1 / np.maximum(scatter, floor) ** 2 if floor > 0 else np.ones(len(points))
        else:
            trust = as_vector(weights, "weights", length=len(np.ravel(np.asarray(sizes))))
            trust = trust[np.argsort(np.ravel(np.asarray(sizes)), kind="stable")]
            if trust.min() <= 0:
                raise OptionError("weights must be positive", where="weights", got=float(trust.min()))
        law = fit_power_law(self._effective(points), self.risks_, trust)
        residual = self.risks_ - law.predict(self._effective(points))
        freedom = max(len(points) - 3, 1)
        noise = math.sqrt(float(residual @ residual) / freedom)
        self.standard_errors_ = scatter if repeats > 1 else np.full(len(points), noise)
        self._law, self._trust = law, trust
        self._drawn = [
            fit_power_law(self._effective(points), sample, trust)
            for sample in self._bootstrap(table, law, residual, rng)
        ]
        self.floor_ = self._interval(lambda fitted: fitted.floor)
        self.amplitude_ = self._interval(lambda fitted: fitted.amplitude)
        self.exponent_ = self._interval(lambda fitted: fitted.exponent)
        self.reason_ = self._refusal()
        self.identifiable_ = not self.reason_
        return self

    def _effective(self, sizes: npt.ArrayLike) -> Floats:
        return np.asarray(self.n_total + self.n_groups * np.asarray(sizes, dtype=np.float64))

    def _bootstrap(self, table: Floats, law: PowerLaw, residual: Floats, rng: np.random.Generator) -> list[Floats]:
        if len(table) >= 5:
            return [table[rng.integers(len(table), size=len(table))].mean(axis=0) for _ in range(self.draws)]
        # Too few repeats to resample: noise of the size of the residuals around the fitted curve.
        spread = np.maximum(self.standard_errors_, np.sqrt(np.mean(residual**2)))
        fitted = law.predict(self._effective(self.sizes_))
        return [fitted + spread * rng.standard_normal(len(spread)) for _ in range(self.draws)]

    def _interval(self, value: Callable[[PowerLaw], float]) -> Interval:
        drawn = [value(law) for law in self._drawn]
        low, high = np.quantile(drawn, [(1 - self.level) / 2, (1 + self.level) / 2])
        return Interval(value(self._law), float(low), float(high), self.level)

    def _refusal(self) -> str:
        """Return why the law may not be used beyond the observed sizes, or an empty text."""
        if len(self.sizes_) < 5:
            return f"{len(self.sizes_)} distinct sizes; a law with three unknowns needs five"
        effective = self._effective(self.sizes_)
        if effective[-1] < 2 * effective[0]:
            return f"the effective size only grows by {effective[-1] / effective[0]:.2f}; it must double"
        fitted = self._law.predict(effective)
        fall, noise = float(fitted[0] - fitted[-1]), float(np.median(self.standard_errors_))
        scale = max(abs(float(self.risks_.mean())), 1e-300)
        if float(np.ptp(self.risks_)) < 1e-12 * scale:
            return "the risk is constant"
        if self._law.amplitude <= 0:
            return "the risk does not fall with more rows"
        if fall < 3 * noise:
            return f"the fall of {fall:.2g} is within three standard errors ({noise:.2g} each)"
        width = self.floor_.high - self.floor_.low
        if width > 2 * fall:
            return f"the floor is uncertain by {width:.2g}, twice the observed fall of {fall:.2g}"
        if self.floor_.low <= 0 and fitted[-1] > 2 * fall:
            ahead = f"{fitted[-1]:.2g} below the last size"
            return f"the floor may be zero, {ahead}, and the observed fall is {fall:.2g}"
        edge = float(np.mean([law.at_edge for law in self._drawn]))
        if edge > 0.25:
            return f"the exponent runs to the end of its range in {edge:.0%} of bootstrap fits"
        return ""

    def _fitted(self, *, needs_law: bool = True) -> None:
        if not hasattr(self, "_law"):
            raise PlanError("the scaling law has not been fitted", hint="call fit(sizes, risks) first")
        if needs_law and not self.identifiable_:
            raise PlanError(
                "the scaling law is not identifiable",
                got=self.reason_,
                hint="try more sizes over a wider range, or more repeats; recommend() still works",
            )

    def predict(self, n_augment: npt.ArrayLike) -> Floats:
        """Return R(N) for each N, shape as given; refused when not identifiable."""
        self._fitted()
        points = np.asarray(n_augment, dtype=np.float64)
        if not (np.isfinite(points).all() and (points >= 0).all()):
            raise OptionError("sizes must be finite and not negative", where="n_augment")
        return self._law.predict(self._effective(points))

    def predict_interval(self, n_augment: float) -> Interval:
        """Return R(N) with its bootstrap interval; N may be infinite."""
        self._fitted()
        if not n_augment >= 0:
            raise OptionError("sizes must not be negative", where="n_augment", got=n_augment)
        effective = self._effective([n_augment])
        return self._interval(lambda law: float(law.predict(effective)[0]))

    def gain(self, smaller: float, larger: float = math.inf) -> float:
        """Return R(smaller) - R(larger), by default the gain from infinitely many more rows."""
        return self.predict_interval(smaller).estimate - self.predict_interval(larger).estimate

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
        """
        self._fitted(needs_law=False)
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
        share = 1 - horizon**-self._law.exponent
        needed = self._law.effective_size_for(tolerance / share)
        solution = max(0.0, np.ceil((needed - self.n_total) / self.n_groups))
        largest = int(self.sizes_[-1])
        size = int(min(solution, largest))
        reason = "more rows gain less than the tolerance"
        if solution > largest:
            asked = f"the law asks for {solution:.3g} rows, the most that was tried is {largest}"
            reason = f"{asked}: try larger sizes first"
        return Recommendation(size, tolerance, self.gain(size), float(solution), reason)

    def worth_in_real_rows(
        self, n_augment: float, real_sizes: npt.ArrayLike, real_risks: npt.ArrayLike, n_real: int
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

        Returns
        -------
        Interval
            k, negative where the rows do harm, infinite where no number of real rows is as good on the fitted
            curve. The interval carries both curves' uncertainty.

        Raises
        ------
        PlanError
            When either curve is not identifiable.
        """
        target = self.predict_interval(n_augment)
        real = ScalingLaw(1, 1, level=self.level, draws=self.draws, random_state=self.random_state).fit(
            np.asarray(real_sizes, dtype=np.float64) - 1, real_risks
        )
        real._fitted()
        effective = self._effective([n_augment])
        point = real._law.effective_size_for(target.estimate - real._law.floor) - n_real
        drawn = [
            theirs.effective_size_for(float(ours.predict(effective)[0]) - theirs.floor) - n_real
            for ours, theirs in zip(self._drawn, real._drawn, strict=True)
        ]
        low, high = np.quantile(drawn, [(1 - self.level) / 2, (1 + self.level) / 2], method="inverted_cdf")
        return Interval(point, float(low), float(high), self.level)


def _as_repeats(sizes: npt.ArrayLike, risks: npt.ArrayLike) -> tuple[Floats, Floats]:
    points = as_vector(sizes, "sizes")
    table = np.atleast_2d(np.asarray(risks, dtype=np.float64))
    if table.ndim != 2 or table.shape[1] != len(points):
        raise SchemaError("sizes and risks differ in length", got=f"{table.shape}", expected=f"(..., {len(points)})")
    if not np.isfinite(table).all():
        raise SchemaError("missing or infinite risks", where="risks", got=int(np.sum(~np.isfinite(table))))
    if points.min() < 0:
        raise OptionError("sizes must not be negative", where="sizes", got=float(points.min()))
    order = np.argsort(points, kind="stable")
    points, table = points[order], table[:, order]
    if len(np.unique(points)) < len(points):
        raise SchemaError(
            "a size appears twice",
            where="sizes",
            hint="give repeats as rows of risks: shape (repeats, sizes)",
        )
    return points, table
