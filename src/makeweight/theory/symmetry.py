"""Is imbalance only an intercept problem? Then a logit shift does what added rows would do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, as_binary, as_matrix, choice, count, fraction
from makeweight.theory.logistic import LogisticFit, balanced_weights, design, fit_logistic

__all__ = ["SlopeSymmetry", "slope_symmetry_test"]


@dataclass(frozen=True)
class SlopeSymmetry:
    """Result of the slope-symmetry test.

    Attributes
    ----------
    statistic : float
        D'C^-1 D, D the difference of the balanced and the raw slopes.
    degrees : int
        Number of slopes.
    p_value : float
    method : str
        "chi-square" or "bootstrap".
    n_minority : int
        Rows of the smaller class.
    difference, standard_errors : ndarray of shape (d,)
        Balanced minus raw slopes, and their standard errors.
    rejected : bool
        Whether the slopes move when the classes are balanced.

    Examples
    --------
    >>> SlopeSymmetry(1.0, 2, 0.6, "chi-square", 80, np.zeros(2), np.ones(2), False).advice
    'no sign that this model needs more than a logit shift: added rows could then only buy variance'
    """

    statistic: float
    degrees: int
    p_value: float
    method: str
    n_minority: int
    difference: Floats
    standard_errors: Floats
    rejected: bool

    @property
    def advice(self) -> str:
        """What the result means for a plan, in one sentence."""
        if self.rejected:
            return "balancing changes the slopes: weights or added rows may help beyond calibration"
        return "no sign that this model needs more than a logit shift: added rows could then only buy variance"


def slope_symmetry_test(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    level: float = 0.05,
    method: str = "auto",
    draws: int = 499,
    rng: np.random.Generator | None = None,
) -> SlopeSymmetry:
    """Test whether class-balanced weights change the slopes of a logistic regression.

    If the model is right, weights by class only move the intercept, and post-hoc calibration does all that
    balancing does. If the slopes differ too, the model is wrong, and what it is fitted to matters.

    Parameters
    ----------
    features : array-like of shape (n, d)
        Features, or the representation that a last linear layer sees.
    labels : array-like of shape (n,)
        0 and 1.
    level : float, default 0.05
    method : {"auto", "chi-square", "bootstrap"}
        "auto" takes the parametric bootstrap below 30 minority rows per feature.
    draws : int, default 499
        Bootstrap draws.
    rng : numpy.random.Generator, optional
        Needed by the bootstrap.

    Returns
    -------
    SlopeSymmetry

    Raises
    ------
    SchemaError
        When the classes are perfectly separated, or columns collinear.
    PlanError
        When the smaller class has no more rows than the model has coefficients.

    Notes
    -----
    Derived in docs/theory.md, "Is it only the intercept?": a Hausman test between raw and balanced weights
    with influence functions centred within class. It replaces the symmetry test of arXiv 2601.16120,
    Algorithm 1, whose intercept part rejects always. Assumes independent rows. A rejection says that the
    linear score is misspecified, not that synthetic rows will help.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import LogisticWorld
    >>> rng = np.random.default_rng(0)
    >>> straight = LogisticWorld(np.full(3, 0.6), -2.0).sample(3000, rng)
    >>> bent = LogisticWorld(np.full(3, 0.6), -2.0, quadratic=0.5).sample(3000, rng)
    >>> slope_symmetry_test(*straight).rejected, slope_symmetry_test(*bent).rejected
    (False, True)
    """
    table = as_matrix(features, "features")
    target = as_binary(labels, length=len(table))
    fraction(level, "level", open_end=True)
    choice(method, "method", ("auto", "chi-square", "bootstrap"))
    smaller = int(min(target.sum(), (1 - target).sum()))
    width = table.shape[1]
    if smaller <= width + 1:
        raise PlanError(
            "too few rows of the smaller class to test slopes",
            got=smaller,
            expected=f"more than {width + 1}",
            hint="use fewer features, or calibrate and compare on held-out rows instead",
        )
    raw, balanced, statistic, difference, covariance = _compare(table, target, None, None)
    if method == "auto":
        method = "bootstrap" if smaller < 30 * width else "chi-square"
    if method == "chi-square":
        p_value = float(chdtrc(width, statistic))
    else:
        if rng is None:
            raise PlanError("the bootstrap draws random numbers", where="rng", expected="a Generator")
        drawn = _null(table, raw, balanced, count(draws, "draws", least=19), rng)
        p_value = float((1 + np.sum(drawn >= statistic)) / (1 + len(drawn)))
    return SlopeSymmetry(
        statistic, width, p_value, method, smaller, difference, np.sqrt(np.diag(covariance)), p_value < level
    )


def _compare(
    table: Floats, target: Floats, start_raw: Floats | None, start_balanced: Floats | None
) -> tuple[LogisticFit, LogisticFit, float, Floats, Floats]:
    weights = balanced_weights(target)
    raw = fit_logistic(table, target, start=start_raw)
    balanced = fit_logistic(table, target, sample_weight=weights, start=start_balanced)
    influence = _influence(table, target, balanced, weights) - _influence(table, target, raw, np.ones(len(target)))
    slopes = influence[:, :-1]
    covariance = slopes.T @ slopes / len(target) ** 2
    difference = (balanced.coefficients - raw.coefficients)[:-1]
    statistic = float(difference @ np.linalg.solve(covariance, difference))
    return raw, balanced, statistic, difference, covariance


def _influence(table: Floats, target: Floats, fit: LogisticFit, weights: Floats) -> Floats:
    """Return -H^-1 w s per row, centred within class, shape (n, p)."""
    scores = (weights * (fit.probabilities(table) - target))[:, None] * design(table)
    values = -np.linalg.solve(fit.hessian, scores.T).T * (len(target) / weights.sum())
    for label in (0.0, 1.0):
        values[target == label] -= values[target == label].mean(axis=0)
    return np.asarray(values)


def _null(table: Floats, raw: LogisticFit, balanced: LogisticFit, draws: int, rng: np.random.Generator) -> Floats:
    """Return statistics of label sets drawn from the raw fit; inseparable sets only."""
    probability = raw.probabilities(table)
    # Under the null the balanced fit differs from the raw one by its intercept only.
    start = np.append(raw.coefficients[:-1], balanced.coefficients[-1])
    values: list[float] = []
    for _ in range(2 * draws):
        target = (rng.random(len(table)) < probability).astype(np.float64)
        if min(target.sum(), (1 - target).sum()) <= table.shape[1] + 1:
            continue
        try:
            values.append(_compare(table, target, raw.coefficients, start)[2])
        except SchemaError:  # a drawn label set may be separable: it has no statistic
            continue
        if len(values) == draws:
            return np.array(values)
    raise PlanError(
        "too many bootstrap label sets are separable",
        got=f"{len(values)} of {2 * draws} usable",
        expected=draws,
        hint="use fewer features: the smaller class is too small for this test",
    )
