"""The published size selection of arXiv 2601.16120: directional size, GQS, TG-VTSS, and the score gap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, expit

from makeweight.errors import OptionError, PlanError
from makeweight.theory._checks import Floats, as_vector, count
from makeweight.theory.logistic import LogisticFit, balanced_weights, design, fit_logistic, row_scores
from makeweight.theory.published.pilots import MinorityGenerator, called, checked_pair, fold_pilots

__all__ = ["ScoreGap", "TgVtss", "directional_size", "generator_quality_score", "score_gap", "tg_vtss"]


def directional_size(n_majority: int, n_minority: int, gap: npt.ArrayLike, delta: npt.ArrayLike) -> float:
    """Return the number n* of synthetic minority rows that cancels the imbalance along the score gap.

    Parameters
    ----------
    n_majority, n_minority : int
        Real rows, n_0 > n_1.
    gap : array-like of shape (p,)
        g_phi = phi_0 - phi_1: mean score of the majority minus that of the minority, at the target.
    delta : array-like of shape (p,)
        phi_s - phi_1: mean score of the synthetic rows minus that of the minority.

    Returns
    -------
    float
        n* > 0; infinite where no finite number of rows cancels it.

    Notes
    -----
    arXiv 2601.16120: n* = (n_0 - n_1) / (1 - 2 |delta| cos(delta, g) / |g|). Derived in docs/theory.md, "The
    directional size": the component of n_0 phi_0 + n_1 phi_1 + n phi_s along g is zero at n*. Assumes that
    the error of the generator points along g (is aligned); what is orthogonal to g is not repaired by any n.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import biased_world
    >>> round(directional_size(2000, 100, *biased_world().score_gap()) / 1900, 6)
    4.0
    """
    difference = count(n_majority, "n_majority", least=1) - count(n_minority, "n_minority", least=1)
    if difference <= 0:
        raise PlanError("there is no imbalance", got=f"{n_majority} and {n_minority} rows")
    direction = as_vector(gap, "gap")
    error = as_vector(delta, "delta", length=len(direction))
    norm = float(direction @ direction)
    if norm == 0:
        raise PlanError(
            "the score gap is zero: the classes are locally symmetric",
            hint="imbalance costs nothing to first order; adding no rows is the answer",
        )
    denominator = 1 - 2 * float(direction @ error) / norm
    return difference / denominator if denominator > 0 else math.inf


@dataclass(frozen=True)
class ScoreGap:
    """Score moments at a class-balanced pilot fit, and the cross-fitted error of a generator.

    Attributes
    ----------
    gap : ndarray of shape (p,)
        g_phi, the mean score of the majority minus that of the minority.
    delta : ndarray of shape (p,)
        Mean over folds of `fold_deltas`.
    fold_deltas : ndarray of shape (k, p)
        Mean score of synthetic rows minus mean score of held-out minority rows.
    hessian, hessian_gap : ndarray of shape (p, p)
        H = 1/2 (H_0 + H_1) and G = H_0 - H_1.
    covariances : tuple of three ndarray of shape (p, p)
        Score covariances of majority, minority, synthetic rows.
    n_majority, n_minority, n_synthetic : int
        Rows; synthetic ones per fold.

    Examples
    --------
    >>> sorted(ScoreGap.__dataclass_fields__)[:3]
    ['covariances', 'delta', 'fold_deltas']
    """

    gap: Floats
    delta: Floats
    fold_deltas: Floats
    hessian: Floats
    hessian_gap: Floats
    covariances: tuple[Floats, Floats, Floats]
    n_majority: int
    n_minority: int
    n_synthetic: int

    @property
    def quality(self) -> float:
        """delta'H^-1 delta: twice the excess risk that the generator's error would cost at full weight."""
        return float(self.delta @ np.linalg.solve(self.hessian, self.delta))

    @property
    def augmented_variance(self) -> float:
        """tr(H^-1 Sigma_aug) at a balanced size."""
        first, second, third = self.covariances
        share = self.n_minority / self.n_majority
        sigma = 0.5 * first + 0.5 * share * second + 0.5 * (1 - share) * third
        return float(np.trace(np.linalg.solve(self.hessian, sigma)))

    @property
    def statistic(self) -> float:
        """delta'V^-1 delta with V = S_1 / n_1 + S_syn / (k m)."""
        variance = self.covariances[1] / self.n_minority + self.covariances[2] / (
            len(self.fold_deltas) * self.n_synthetic
        )
        return float(self.delta @ np.linalg.solve(variance, self.delta))


def score_gap(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    rng: np.random.Generator,
    folds: int = 3,
    ridge: float = 1e-6,
) -> ScoreGap:
    """Estimate score moments and the cross-fitted error of a generator.

    Per fold, pilot and generator are fitted on the other folds; the generator writes n_0 - n_1 rows, whose
    mean score is compared with that of the held-out minority rows.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 majority, 1 minority.
    generator : callable
        ``generator(features, labels, n, rng)`` learns from the rows it is given and returns n rows of class
        1.
    rng : numpy.random.Generator
    folds : int, default 3
    ridge : float, default 1e-6
        Of the pilot, so that separated classes have one.

    Returns
    -------
    ScoreGap

    Notes
    -----
    arXiv 2601.16120, Algorithm 1 (public code), steps 1 and 4.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import biased_world
    >>> world, rng = biased_world(loss="log"), np.random.default_rng(0)
    >>> def shifted(features, labels, n, rng):
    ...     return world.synthetic.sample(n, rng)
    >>> gap = score_gap(*world.sample(2000, 100, rng), shifted, rng=rng)
    >>> gap.fold_deltas.shape
    (3, 3)
    """
    table, target = checked_pair(features, labels, folds)
    minority = int(target.sum())
    majority = len(target) - minority
    size = majority - minority
    pilot = fit_logistic(table, target, sample_weight=balanced_weights(target), ridge=ridge)
    scores = row_scores(table, target, pilot)
    deltas, covariances = [], []
    for held, fit in fold_pilots(table, target, folds, ridge, rng, pilot.coefficients):
        written = called(generator, table[~held], target[~held], size, rng)
        written_scores = row_scores(written, np.ones(size), fit)
        mine = held & (target == 1)
        deltas.append(written_scores.mean(axis=0) - row_scores(table[mine], target[mine], fit).mean(axis=0))
        covariances.append(np.cov(written_scores.T))
    curvatures = [_mean_hessian(table[target == label], pilot) for label in (0, 1)]
    return ScoreGap(
        scores[target == 0].mean(axis=0) - scores[target == 1].mean(axis=0),
        np.mean(deltas, axis=0),
        np.array(deltas),
        (curvatures[0] + curvatures[1]) / 2,
        curvatures[0] - curvatures[1],
        (np.cov(scores[target == 0].T), np.cov(scores[target == 1].T), np.mean(covariances, axis=0)),
        majority,
        minority,
        size,
    )


def _mean_hessian(rows: Floats, fit: LogisticFit) -> Floats:
    x = design(rows, fit.intercept)
    odds = x @ fit.coefficients
    return np.asarray((x.T * (expit(odds) * expit(-odds))) @ x / len(rows))


def generator_quality_score(gap: ScoreGap) -> float:
    """Return the published GQS: squared bias over variance at a balanced size.

    Parameters
    ----------
    gap : ScoreGap

    Returns
    -------
    float
        (n_0 - n_1)^2 / (2 n_0) delta'H^-1 delta / tr(H^-1 Sigma_aug).

    Notes
    -----
    arXiv 2601.16120, Algorithm 1, with the published cutoff 10. The score grows like the imbalance for any
    generator whose only error is the noise of the held-out rows: it calls a perfect generator biased from an
    imbalance of about 20 on. `generator_audit` is the calibrated replacement. See docs/theory.md.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import biased_world
    >>> world, rng = biased_world(loss="log"), np.random.default_rng(0)
    >>> def shifted(features, labels, n, rng):
    ...     return world.synthetic.sample(n, rng)
    >>> gap = score_gap(*world.sample(2000, 100, rng), shifted, rng=rng)
    >>> generator_quality_score(gap) > 10
    True
    """
    difference = gap.n_majority - gap.n_minority
    return difference**2 / (2 * gap.n_majority) * gap.quality / gap.augmented_variance


@dataclass(frozen=True)
class TgVtss:
    """Candidates of the published procedure TG-VTSS.

    Attributes
    ----------
    regime : str
        "symmetric", "realistic" or "biased".
    statistic, p_value : float
        Of the published symmetry test.
    quality_score : float
        GQS.
    directional : float
        n*, infinite where none.
    candidates : tuple of int
        Numbers of synthetic minority rows to compare on validation rows.

    Examples
    --------
    >>> TgVtss("symmetric", 1.0, 0.9, 0.2, 90.0, (0, 5)).candidates
    (0, 5)
    """

    regime: str
    statistic: float
    p_value: float
    quality_score: float
    directional: float
    candidates: tuple[int, ...]


def tg_vtss(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    rng: np.random.Generator,
    level: float = 0.05,
    cutoff: float = 10.0,
    folds: int = 3,
    ridge: float = 1e-6,
) -> TgVtss:
    """Return the candidate sizes of the published theory-guided validation-tuned size selection.

    Hand ``n / (n_0 - n_1)`` of the candidates to `makeweight.theory.choose_size` for the validation step.

    Parameters
    ----------
    features, labels, generator, rng, folds, ridge
        As in `score_gap`.
    level, cutoff : float
        Level of the symmetry test, and the cutoff of GQS.

    Returns
    -------
    TgVtss

    Notes
    -----
    arXiv 2601.16120, Algorithm 1 (public code). The symmetry test is kept as published; with cross-entropy
    and an intercept it rejects always, as docs/theory.md derives. Size zero is a candidate only where stated
    there.

    Examples
    --------
    >>> from makeweight.theory.published.worlds import biased_world
    >>> world, rng = biased_world(loss="log"), np.random.default_rng(0)
    >>> def shifted(features, labels, n, rng):
    ...     return world.synthetic.sample(n, rng)
    >>> tg_vtss(*world.sample(2000, 100, rng), shifted, rng=rng).regime
    'biased'
    """
    if not cutoff > 0:
        raise OptionError("out of range", where="cutoff", got=cutoff, expected="> 0")
    estimate = score_gap(features, labels, generator, rng=rng, folds=folds, ridge=ridge)
    size = len(estimate.gap)
    half = 0.5 * estimate.hessian_gap @ np.linalg.inv(estimate.hessian)
    left, right = np.eye(size) - half, -np.eye(size) - half
    variance = left @ estimate.covariances[0] @ left.T / estimate.n_majority
    variance = variance + right @ estimate.covariances[1] @ right.T / estimate.n_minority
    statistic = float(estimate.gap @ np.linalg.solve(variance, estimate.gap))
    p_value = float(chdtrc(size, statistic))
    difference = estimate.n_majority - estimate.n_minority
    score = generator_quality_score(estimate)
    best = directional_size(estimate.n_majority, estimate.n_minority, estimate.gap, estimate.delta)
    if p_value >= level:
        regime, sizes = "symmetric", difference * np.linspace(0, 0.2, 5)
    elif score <= cutoff:
        regime, multiples = "realistic", np.linspace(0.8, 1.2, 9)
        sizes = difference * multiples
        if math.isfinite(best):
            sizes = np.concatenate([sizes, best * multiples])
    else:
        regime, sizes = "biased", difference * np.linspace(0, 2, 41)
    candidates = tuple(int(n) for n in np.unique(np.rint(sizes)))
    return TgVtss(regime, statistic, p_value, score, best, candidates)
