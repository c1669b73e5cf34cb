"""Can rows improve the ranking at all? Where the score is right, weights and rows leave its order alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, chndtr

from makeweight.theory._checks import Floats, as_binary, as_matrix, fraction
from makeweight.theory.logistic import fit_logistic
from makeweight.theory.symmetry import SlopeSymmetry, slope_symmetry_test

__all__ = ["RankingTest", "ranking_test"]


@dataclass(frozen=True)
class RankingTest:
    """Whether class weights, and so rows, can move the order of a linear score.

    Attributes
    ----------
    slopes : SlopeSymmetry
        The test: do balanced weights move the slopes?
    level : float
    gain : float
        AUROC of the balanced fit less that of the raw fit, on the table itself.
    detectable : float
        Largest change of AUROC by a single slope that would have been found with a probability of 80 %.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(500, 2))
    >>> labels = (features.sum(axis=1) + rng.logistic(size=500) > 2).astype(int)
    >>> ranking_test(features, labels).can_gain
    False
    """

    slopes: SlopeSymmetry
    level: float
    gain: float
    detectable: float

    @property
    def can_gain(self) -> bool:
        """Whether the linear score is misspecified where it matters, so that rows may improve the ranking."""
        return self.slopes.p_value < self.level

    @property
    def answer(self) -> str:
        """The answer in one sentence."""
        if self.can_gain:
            moved = f"balancing changes the order of a linear score (p = {self._p}; AUROC {self.gain:+.4f} here)"
            return f"Rows may improve the ranking: {moved}."
        seen = f"a change of {self.detectable:.4f} in AUROC would have been seen in four of five such tables"
        return f"Rows are unlikely to improve the ranking: no sign of it in a linear score (p = {self._p}; {seen})."

    @property
    def _p(self) -> str:
        return f"{self.slopes.p_value:.2g}"


def ranking_test(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    level: float = 0.05,
    rng: np.random.Generator | None = None,
    method: str = "auto",
) -> RankingTest:
    """Test whether class weights move the order of a linear score, before any row is written.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 and 1.
    level : float, default 0.05
    rng : numpy.random.Generator, optional
    method : {"auto", "chi-square", "bootstrap"}
        As in `slope_symmetry_test`, which needs `rng` for the bootstrap.

    Returns
    -------
    RankingTest

    Raises
    ------
    SchemaError
        When the classes are perfectly separated, or columns collinear.
    PlanError
        When the smaller class has no more rows than the model has coefficients.

    Notes
    -----
    arXiv 2606.26053: rows change the effective weights of the classes and add the error of the generator; where the
    score class is well specified the raw fit already orders rows by their likelihood ratio, and no weight can improve
    AUROC in the population. The test, and its power, are derived here: under a right score weights move only the
    intercept, so that a test of equal slopes (docs/theory.md, "Is it only the intercept?") has its level. The smallest
    non-centrality that a chi-square test finds with a probability of 80 % gives how far a slope has to move, and the
    moved slope the AUROC. It speaks of linear scores: a learner that is flexible enough is right in the population, and
    has nothing to gain there either.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import LogisticWorld
    >>> rng = np.random.default_rng(0)
    >>> bent = LogisticWorld(np.full(3, 0.6), -2.0, quadratic=0.5).sample(3000, rng)
    >>> ranking_test(*bent).can_gain
    True
    """
    table = as_matrix(features, "features")
    target = as_binary(labels, length=len(table))
    fraction(level, "level", open_end=True)
    slopes = slope_symmetry_test(table, target, level=level, method=method, rng=rng)
    raw = fit_logistic(table, target).coefficients[:-1]
    before = _auroc(table @ raw, target)
    steps = np.diag(math.sqrt(_detectable(slopes.degrees, level)) * slopes.standard_errors)
    moved = [_auroc(table @ (raw + step), target) - before for step in np.vstack([steps, -steps])]
    gain = _auroc(table @ (raw + slopes.difference), target) - before
    return RankingTest(slopes, level, gain, float(np.abs(moved).max()))


def _detectable(degrees: int, level: float) -> float:
    """Return the non-centrality at which a chi-square test of this level has 80 % power."""
    from scipy.optimize import brentq

    critical = float(chdtri(degrees, level))
    return float(brentq(lambda shift: chndtr(critical, degrees, shift) - 0.2, 0.0, 50.0 + 10.0 * degrees))


def _auroc(scores: Floats, target: Floats) -> float:
    from scipy.stats import rankdata  # a second to import, which generators that import this package do without

    positives = target.sum()
    ranks = float(rankdata(scores)[target == 1].sum())
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(target) - positives)))
