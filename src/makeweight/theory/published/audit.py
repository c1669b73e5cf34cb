"""Audit of a generator: whether its error is distinguishable from none, matters, and whether it copies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from makeweight.theory._checks import Floats, count, fraction
from makeweight.theory.logistic import LogisticFit, balanced_weights, fit_logistic, row_scores
from makeweight.theory.published.copies import CopyCheck, copy_check
from makeweight.theory.published.pilots import MinorityGenerator, called, checked_pair, fold_pilots
from makeweight.theory.published.vtss import ScoreGap, generator_quality_score, score_gap

__all__ = ["GeneratorAudit", "generator_audit"]

_SHIFTS = np.array([0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0])


@dataclass(frozen=True)
class GeneratorAudit:
    """Result of a generator audit.

    Attributes
    ----------
    statistic : float
        delta'V^-1 delta of the cross-fitted score gap.
    p_value : float
        Its rank among the draws in which moved majority rows play a perfect generator.
    quality_score : float
        The published GQS, for comparison.
    lower_quality_score : float
        GQS_L: the same with the 95% quantile of a perfect generator's delta'H^-1 delta subtracted.
    detectable_shift : float
        Smallest shortfall of the generator's mean, as a share of the difference between the class means, that
        the test would see with 80% power; infinite when even the whole difference would be missed.
    copies : CopyCheck
    gap : ScoreGap
    level : float

    Examples
    --------
    >>> GeneratorAudit.__dataclass_fields__["level"].name
    'level'
    """

    statistic: float
    p_value: float
    quality_score: float
    lower_quality_score: float
    detectable_shift: float
    copies: CopyCheck
    gap: ScoreGap
    level: float

    @property
    def verdict(self) -> str:
        """One of "not distinguishable", "biased, small", "biased, dominating"."""
        if self.p_value > self.level:
            return "not distinguishable"
        return "biased, small" if self.lower_quality_score < 1 else "biased, dominating"

    @property
    def summary(self) -> str:
        """The verdict in a sentence; "not distinguishable" says what would have been seen."""
        shift = (
            f"a mean short by {self.detectable_shift:.0%} of the class difference"
            if math.isfinite(self.detectable_shift)
            else "not even a generator of majority rows"
        )
        seen = f" (80% power to see {shift})" if self.p_value > self.level else ""
        copied = "; rows equal training rows" if self.copies.copied else ""
        near = "; rows crowd around training rows" if self.copies.near and not copied else ""
        return f"{self.verdict}, p = {self.p_value:.3f}{seen}{copied}{near}"


@dataclass(frozen=True)
class _Null:
    statistics: Floats
    qualities: Floats
    shifted: Floats


def generator_audit(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    rng: np.random.Generator,
    folds: int = 3,
    draws: int = 200,
    level: float = 0.05,
    ridge: float = 1e-6,
) -> GeneratorAudit:
    """Test a generator of minority rows against a null that is borrowed from the majority.

    The cross-fitted gap between scores of synthetic and of held-out minority rows is compared with what it
    would be for a perfect generator: majority rows are moved to the place and scale of the minority, n_1 of
    them become a pseudo-minority, and resamples of the others play the generator. Nothing parametric is
    assumed.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 majority, 1 minority; the majority at least three times as large.
    generator : callable
        ``generator(features, labels, n, rng)`` learns from the rows it is given and returns n rows of class
        1.
    rng : numpy.random.Generator
    folds : int, default 3
    draws : int, default 200
        Draws of the null; 20 at least.
    level : float, default 0.05
    ridge : float, default 1e-6

    Returns
    -------
    GeneratorAudit

    Raises
    ------
    PlanError
        When the imbalance is below three, or the folds cannot be filled.

    Notes
    -----
    Derived in docs/theory.md, "Auditing a generator". Replaces the fixed cutoff of arXiv 2601.16120. Assumes
    that, moved and scaled, the majority varies like the minority as far as linear scores are concerned.
    Scores are those of a logistic regression: an error that no linear score sees stays unseen, as do copies,
    for which `copies` is there. "Not distinguishable" is not "good".

    Examples
    --------
    >>> from makeweight.theory.published.worlds import biased_world
    >>> world, rng = biased_world(loss="log"), np.random.default_rng(0)
    >>> def shifted(features, labels, n, rng):
    ...     return world.synthetic.sample(n, rng)
    >>> generator_audit(*world.sample(2000, 200, rng), shifted, rng=rng, draws=50).verdict
    'biased, dominating'
    """
    table, target = checked_pair(features, labels, folds, least_imbalance=3.0)
    count(draws, "draws", least=20)
    fraction(level, "level", open_end=True)
    kept: list[tuple[Floats, Floats]] = []

    def recorded(x: Floats, y: Floats, n: int, stream: np.random.Generator) -> Floats:
        written = called(generator, x, y, n, stream)
        kept.append((x[y == 1], written))
        return written

    gap = score_gap(table, target, recorded, rng=rng, folds=folds, ridge=ridge)
    minority = table[target == 1]
    checked = [(train, written, _without(minority, train)) for train, written in kept]
    null = _borrowed_null(table, target, gap, folds, draws, ridge, rng)
    p_value = float((1 + np.sum(null.statistics >= gap.statistic)) / (1 + draws))
    beyond = max(0.0, gap.quality - float(np.quantile(null.qualities, 0.95)))
    return GeneratorAudit(
        gap.statistic,
        p_value,
        generator_quality_score(gap),
        generator_quality_score(gap) * beyond / gap.quality if gap.quality > 0 else 0.0,
        _detectable(null, level),
        copy_check(checked, rng=rng.spawn(1)[0]),
        gap,
        level,
    )


def _without(rows: Floats, training: Floats) -> Floats:
    """Return the rows left when each training row is taken out once: the held-out ones."""
    taken: dict[bytes, int] = {}
    for row in training:
        taken[row.tobytes()] = taken.get(row.tobytes(), 0) + 1
    left = []
    for row in rows:
        key = row.tobytes()
        if taken.get(key, 0):
            taken[key] -= 1
        else:
            left.append(row)
    return np.array(left)


def _borrowed_null(
    table: Floats, target: Floats, gap: ScoreGap, folds: int, draws: int, ridge: float, rng: np.random.Generator
) -> _Null:
    majority, minority = table[target == 0], table[target == 1]
    spread = majority.std(axis=0)
    scale = np.where(spread > 0, minority.std(axis=0) / np.where(spread > 0, spread, 1.0), 1.0)
    moved = minority.mean(axis=0) + scale * (majority - majority.mean(axis=0))
    direction = majority.mean(axis=0) - minority.mean(axis=0)
    start = fit_logistic(table, target, sample_weight=balanced_weights(target), ridge=ridge).coefficients
    size, inverse = gap.n_minority, np.linalg.inv(gap.hessian)
    outcomes, qualities, shifted = [], [], []
    for _ in range(draws):
        order = rng.permutation(len(moved))
        pseudo, pool = moved[order[:size]], moved[order[size:]]
        # The originals of the pseudo-minority leave the majority: no row stands on both sides.
        rows = np.vstack([majority[order[size:]], pseudo])
        codes = np.repeat([0.0, 1.0], [len(pool), size])
        deltas, variance = np.zeros((len(_SHIFTS) + 1, len(start))), np.zeros((len(start), len(start)))
        for held, fit in fold_pilots(rows, codes, folds, ridge, rng, start):
            perfect = pool[rng.integers(len(pool), size=gap.n_synthetic)]
            mine = held & (codes == 1)
            reference = row_scores(rows[mine], codes[mine], fit).mean(axis=0)
            deltas += (_shifted_means(perfect, direction, fit) - reference) / folds
            scores = row_scores(perfect, np.ones(len(perfect)), fit)
            variance += np.cov(scores.T) / (folds**2 * gap.n_synthetic)
        pilot = fit_logistic(rows, codes, sample_weight=balanced_weights(codes), ridge=ridge, start=start)
        variance += np.cov(row_scores(pseudo, np.ones(size), pilot).T) / size
        values = [float(delta @ np.linalg.solve(variance, delta)) for delta in deltas]
        outcomes.append(values[0])
        shifted.append(values[1:])
        qualities.append(float(deltas[0] @ inverse @ deltas[0]))
    return _Null(np.array(outcomes), np.array(qualities), np.array(shifted))


def _shifted_means(rows: Floats, direction: Floats, fit: LogisticFit) -> Floats:
    """Return mean scores, as class 1, of rows moved along a direction by each of the shifts, none first."""
    shifts = np.append(0.0, _SHIFTS)
    odds = fit.decision(rows) + np.outer(shifts, fit.coefficients[:-1] @ direction)
    residual = expit(odds) - 1.0
    means = residual.mean(axis=1)
    return np.column_stack([residual @ rows / len(rows) + np.outer(shifts * means, direction), means])


def _detectable(null: _Null, level: float) -> float:
    """Return the smallest shift with 80% power, interpolated between the shifts that were tried."""
    critical = float(np.quantile(null.statistics, 1 - level))
    power = np.maximum.accumulate(np.append(level, (null.shifted > critical).mean(axis=0)))
    shifts = np.append(0.0, _SHIFTS)
    if power[-1] < 0.8:
        return math.inf
    above = int(np.argmax(power >= 0.8))
    low, high = power[above - 1], power[above]
    return float(shifts[above - 1] + (shifts[above] - shifts[above - 1]) * (0.8 - low) / (high - low))
