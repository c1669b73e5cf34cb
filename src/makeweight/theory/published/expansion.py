"""Bias and variance of a plan, for a smooth model, before anything is fitted to synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError
from makeweight.theory._checks import Floats, as_codes, as_matrix, count, fraction
from makeweight.theory.risk import Interval

__all__ = ["Expansion", "excess_risk_expansion"]


@dataclass(frozen=True)
class Expansion:
    """Second-order expansion of the excess balanced risk of a plan.

    Attributes
    ----------
    bias : Interval
        1/2 b'H^-1 b, corrected for the noise of the estimated b, not below zero. The part that no number of
        synthetic rows removes.
    variance : Interval
        1/2 tr(H^-1 Sigma_alpha).
    total : Interval
        Their sum: the predicted excess risk.
    bias_uncorrected : float
        1/2 b'H^-1 b with b as estimated.
    noise : float
        What the noise of b alone adds to `bias_uncorrected` on average; a bias below it cannot be seen.
    group_bias : dict
        1/2 (b_g)'H^-1 b_g per group, uncorrected: what the group's rows would cost were the others perfect.

    Examples
    --------
    >>> Expansion.__dataclass_fields__["noise"].name
    'noise'
    """

    bias: Interval
    variance: Interval
    total: Interval
    bias_uncorrected: float
    noise: float
    group_bias: dict[object, float]


@dataclass(frozen=True)
class _Plan:
    n_real: Floats
    n_balance: Floats
    n_augment: int
    alpha: float

    def share(self) -> Floats:
        """Weight of the generator's error per group in the gradient, shape (k,)."""
        filled = self.n_real + self.n_balance
        share = (1 - self.alpha) * self.n_balance / filled + self.alpha
        return np.asarray(share / len(filled))


def excess_risk_expansion(
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    synthetic_scores: npt.ArrayLike,
    synthetic_groups: npt.ArrayLike,
    hessian: npt.ArrayLike,
    *,
    n_real: dict[object, int],
    n_balance: dict[object, int],
    n_augment: int = 0,
    alpha: float = 0.0,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 500,
) -> Expansion:
    """Predict the excess balanced risk of a plan from row scores at a pilot fit.

    Parameters
    ----------
    scores : array-like of shape (n, p)
        Gradients of the loss at the pilot, on *held-out real* rows: rows that neither the pilot nor the
        generator has seen.
    groups : array-like of shape (n,)
    synthetic_scores : array-like of shape (m, p)
        The same on synthetic rows. A group without any counts as having no generator.
    synthetic_groups : array-like of shape (m,)
    hessian : array-like of shape (p, p)
        Hessian of the balanced risk at the pilot.
    n_real, n_balance : dict
        Rows per group that the plan will train on.
    n_augment : int
        Augmentation rows per group.
    alpha : float
        Weight of the augmentation term; needs `n_augment` unless zero.
    rng : numpy.random.Generator
    level, draws
        Of the bootstrap intervals, which resample rows within groups.

    Returns
    -------
    Expansion

    Raises
    ------
    PlanError
        When groups do not match, or have fewer than two rows where rows are needed.

    Notes
    -----
    Derived in docs/theory.md, "What a plan costs". Assumes a smooth loss, a pilot near the best model, and
    conditioning on the fitted generator, whose own error is the bias. b = sum_g share_g delta_g with
    delta_g = mean synthetic score - mean real score. The plug-in 1/2 b'H^-1 b is too large by
    1/2 tr(H^-1 Var b) on average, which is subtracted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, groups = rng.normal(size=(400, 2)), np.repeat([0, 1], 200)
    >>> found = excess_risk_expansion(
    ...     real, groups, rng.normal(size=(300, 2)) + 1.0, np.ones(300, int), np.eye(2),
    ...     n_real={0: 1000, 1: 100}, n_balance={0: 0, 1: 900}, rng=rng)
    >>> round(found.bias.estimate, 1)                 # exactly 1/2 (0.9 / 2)^2 (1 + 1) = 0.2
    0.2
    """
    table = as_matrix(scores, "scores")
    width = table.shape[1]
    synthetic = as_matrix(synthetic_scores, "synthetic_scores", columns=width)
    curvature = as_matrix(hessian, "hessian", columns=width)
    if np.linalg.eigvalsh((curvature + curvature.T) / 2).min() <= 0:
        raise OptionError("the Hessian is not positive definite", where="hessian")
    real = _by_group(table, groups, "groups")
    keys, made = list(real), _by_group(synthetic, synthetic_groups, "synthetic_groups")
    if set(n_real) != set(keys) or not {*made, *n_balance} <= set(keys):
        raise PlanError("groups do not match", got=sorted(map(str, {*made, *n_real, *n_balance})), expected=keys)
    plan = _Plan(
        np.array([count(n_real[key], f"n_real[{key!r}]", least=1) for key in keys], dtype=np.float64),
        np.array([count(n_balance.get(key, 0), f"n_balance[{key!r}]") for key in keys], dtype=np.float64),
        count(n_augment, "n_augment"),
        fraction(alpha, "alpha"),
    )
    if plan.alpha > 0 and plan.n_augment == 0:
        raise PlanError("alpha needs augmentation rows", where="n_augment", got=0, expected=">= 1")
    real_rows, made_rows = list(real.values()), [made.get(key, synthetic[:0]) for key in keys]
    _enough(keys, plan, real_rows, made_rows)
    inverse = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
    point = _evaluate(real_rows, made_rows, inverse, plan)
    drawn = np.array(
        [
            _evaluate([_again(r, rng) for r in real_rows], [_again(r, rng) for r in made_rows], inverse, plan)[:3]
            for _ in range(count(draws, "draws", least=50))
        ]
    )
    raw, noise, variance, per_group = point
    # A resampled b carries the noise twice: once from the data, once from the resampling.
    bias_draws = np.maximum(drawn[:, 0] - 2 * drawn[:, 1], 0.0)
    bias = max(raw - noise, 0.0)
    edges = [(1 - level) / 2, (1 + level) / 2]

    def interval(estimate: float, values: Floats) -> Interval:
        low, high = np.quantile(values, edges)
        return Interval(estimate, float(low), float(high), level)

    return Expansion(
        interval(bias, bias_draws),
        interval(variance, drawn[:, 2]),
        interval(bias + variance, bias_draws + drawn[:, 2]),
        raw,
        noise,
        dict(zip(keys, per_group, strict=True)),
    )


def _by_group(rows: Floats, groups: npt.ArrayLike, name: str) -> dict[object, Floats]:
    names, codes = as_codes(groups, name, length=len(rows))
    return {key.item(): rows[codes == k] for k, key in enumerate(names)}


def _enough(keys: list[object], plan: _Plan, real: list[Floats], made: list[Floats]) -> None:
    """Refuse groups with fewer than two rows where rows are needed."""
    for key, needs, rows, rows_made in zip(keys, plan.share() > 0, real, made, strict=True):
        if len(rows) < 2 or (needs and len(rows_made) < 2):
            raise PlanError(
                "too few rows to estimate with",
                where=f"group {key!r}",
                got=f"{len(rows)} real, {len(rows_made)} synthetic",
                expected="2 of each",
            )


def _again(rows: Floats, rng: np.random.Generator) -> Floats:
    return rows[rng.integers(len(rows), size=len(rows))] if len(rows) else rows


def _evaluate(
    real: list[Floats], made: list[Floats], inverse: Floats, plan: _Plan
) -> tuple[float, float, float, list[float]]:
    """Return 1/2 b'H^-1 b, its expected noise, the variance term, and the bias of each group alone."""
    size, groups = len(inverse), len(real)
    shares = plan.share()
    total, noise, spread, per_group = np.zeros(size), np.zeros((size, size)), np.zeros((size, size)), []
    for k, (rows, rows_made) in enumerate(zip(real, made, strict=True)):
        covariance = np.atleast_2d(np.cov(rows.T))
        filled = plan.n_real[k] + plan.n_balance[k]
        part = (1 - plan.alpha) ** 2 * plan.n_real[k] * covariance / filled**2
        gap = np.zeros(size)
        if shares[k] > 0:
            covariance_made = np.atleast_2d(np.cov(rows_made.T))
            gap = shares[k] * (rows_made.mean(axis=0) - rows.mean(axis=0))
            noise += shares[k] ** 2 * (covariance / len(rows) + covariance_made / len(rows_made))
            part = part + (1 - plan.alpha) ** 2 * plan.n_balance[k] * covariance_made / filled**2
            if plan.alpha > 0:
                part = part + plan.alpha**2 * covariance_made / plan.n_augment
        total += gap
        spread += part / groups**2
        per_group.append(float(gap @ inverse @ gap) / 2)
    return (
        float(total @ inverse @ total) / 2,
        float(np.trace(inverse @ noise)) / 2,
        float(np.trace(inverse @ spread)) / 2,
        per_group,
    )
