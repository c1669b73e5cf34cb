"""Bias and variance of a plan, for a smooth model, before anything is fitted to synthetic rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property

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
        1/2 d'H d for the shift d of the fit's target, corrected for the noise of its estimate, not below zero: what the
        generator's error and the imbalance that is left cost. The part that no number of rows removes.
    variance : Interval
        1/2 tr(H^-1 Sigma_alpha).
    total : Interval
        Their sum: the predicted excess risk.
    bias_uncorrected : float
        1/2 d'H d with d as estimated.
    imbalance : float
        What the imbalance that is left would cost were the generator perfect; zero where groups weigh alike.
    noise : float
        What the noise of d alone adds to `bias_uncorrected` on average; a bias below it cannot be seen.
    group_bias : dict
        The same of each group's rows alone, uncorrected: what they would cost were the others perfect.

    Examples
    --------
    >>> Expansion.__dataclass_fields__["noise"].name
    'noise'
    """

    bias: Interval
    variance: Interval
    total: Interval
    bias_uncorrected: float
    imbalance: float
    noise: float
    group_bias: dict[Hashable, float]


@dataclass(frozen=True)
class _Plan:
    """A fit's objective: rows, and the weights of a real and of a balancing row, per group."""

    n_real: Floats
    n_balance: Floats
    n_augment: int
    alpha: float
    weights: Floats | None  # (k, 2), or None where every group counts alike

    @cached_property
    def parts(self) -> Floats:
        """Shares of real and of balancing rows in the balanced term, shape (k, 2); they sum to one."""
        rows = np.column_stack([self.n_real, self.n_balance])
        if self.weights is None:
            return np.asarray(rows / rows.sum(axis=1, keepdims=True) / len(rows))
        mass = rows * self.weights
        return np.asarray(mass / mass.sum())

    @property
    def groups(self) -> Floats:
        """Weight of each group in the objective, shape (k,)."""
        return np.asarray((1 - self.alpha) * self.parts.sum(axis=1) + self.alpha / len(self.n_real))

    @property
    def written(self) -> Floats:
        """Weight of the generator's error per group in the gradient, shape (k,)."""
        return np.asarray((1 - self.alpha) * self.parts[:, 1] + self.alpha / len(self.n_real))


def excess_risk_expansion(
    scores: npt.ArrayLike,
    groups: npt.ArrayLike,
    synthetic_scores: npt.ArrayLike | None,
    synthetic_groups: npt.ArrayLike | None,
    hessian: npt.ArrayLike | Mapping[Hashable, npt.ArrayLike],
    *,
    n_real: Mapping[Hashable, int],
    n_balance: Mapping[Hashable, int] | None = None,
    n_augment: int = 0,
    alpha: float = 0.0,
    weights: Mapping[Hashable, tuple[float, float]] | float | None = None,
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
    synthetic_scores : array-like of shape (m, p), optional
        The same on synthetic rows. A group without any counts as having no generator.
    synthetic_groups : array-like of shape (m,), optional
    hessian : array-like of shape (p, p), or mapping of group to one
        Hessian of the balanced risk at the pilot, or that of every group's risk; the latter is needed for fits in
        which groups weigh differently.
    n_real, n_balance : mapping of group to int
        Rows per group that the plan will train on.
    n_augment : int
        Augmentation rows per group.
    alpha : float
        Weight of the augmentation term; needs `n_augment` unless zero.
    weights : mapping of group to (real, balancing), or float, optional
        Weight of a real and of a balancing row in the fit; a number stands for all, so that 1 is an unweighted fit. By
        default every group counts alike, as under balanced class weights.
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
    conditioning on the fitted generator, whose own error is part of the bias. With q_g the weight of group g in the
    objective, b = sum_g (q_g - 1/|G|) phi_g + written_g delta_g with phi_g the mean real score and delta_g the mean
    synthetic score less it; the fit's target shifts by d = -(sum_g q_g H_g)^-1 b. The plug-in 1/2 d'H d is too large by
    the noise of d on average, which is subtracted. Second order: an imbalance that moves log-odds by more than one is
    understated, and plans are still ranked.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, groups = rng.normal(size=(400, 2)), np.repeat([0, 1], 200)
    >>> expansion = excess_risk_expansion(
    ...     real, groups, rng.normal(size=(300, 2)) + 1.0, np.ones(300, int), np.eye(2),
    ...     n_real={0: 1000, 1: 100}, n_balance={0: 0, 1: 900}, rng=rng)
    >>> round(expansion.bias.estimate, 1)                 # exactly 1/2 (0.9 / 2)^2 (1 + 1) = 0.2
    0.2
    """
    table = as_matrix(scores, "scores")
    width = table.shape[1]
    real = _by_group(table, groups, "groups")
    keys, synthetic = list(real), {}
    if synthetic_scores is not None and synthetic_groups is not None:
        synthetic = _by_group(
            as_matrix(synthetic_scores, "synthetic_scores", columns=width), synthetic_groups, "groups"
        )
    n_balance = n_balance or {}
    if set(n_real) != set(keys) or not {*synthetic, *n_balance} <= set(keys):
        raise PlanError("groups do not match", got=sorted(map(str, {*synthetic, *n_real, *n_balance})), expected=keys)
    plan = _Plan(
        np.array([count(n_real[key], f"n_real[{key!r}]", least=1) for key in keys], dtype=np.float64),
        np.array([count(n_balance.get(key, 0), f"n_balance[{key!r}]") for key in keys], dtype=np.float64),
        count(n_augment, "n_augment"),
        fraction(alpha, "alpha"),
        _row_weights(weights, keys),
    )
    if plan.alpha > 0 and plan.n_augment == 0:
        raise PlanError("alpha needs augmentation rows", where="n_augment", got=0, expected=">= 1")
    real_rows, written = list(real.values()), [synthetic.get(key, table[:0]) for key in keys]
    _enough(keys, plan, real_rows, written)
    curvature = _curvature(hessian, keys, plan, width)
    point = _evaluate(real_rows, written, curvature, plan)
    drawn = np.array(
        [
            _evaluate([_again(r, rng) for r in real_rows], [_again(r, rng) for r in written], curvature, plan)[:3]
            for _ in range(count(draws, "draws", least=50))
        ]
    )
    raw, noise, variance, imbalance, per_group = point
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
        imbalance,
        noise,
        dict(zip(keys, per_group, strict=True)),
    )


def _by_group(rows: Floats, groups: npt.ArrayLike, name: str) -> dict[Hashable, Floats]:
    names, codes = as_codes(groups, name, length=len(rows))
    return {key: rows[codes == k] for k, key in enumerate(names.tolist())}


def _enough(keys: list[Hashable], plan: _Plan, real: list[Floats], synthetic: list[Floats]) -> None:
    """Refuse groups with fewer than two rows where rows are needed."""
    for key, needs, rows, synthetic_rows in zip(keys, plan.written > 0, real, synthetic, strict=True):
        if len(rows) < 2 or (needs and len(synthetic_rows) < 2):
            raise PlanError(
                "too few rows to estimate with",
                where=f"group {key!r}",
                got=f"{len(rows)} real, {len(synthetic_rows)} synthetic",
                expected="2 of each",
            )


def _again(rows: Floats, rng: np.random.Generator) -> Floats:
    return rows[rng.integers(len(rows), size=len(rows))] if len(rows) else rows


def _row_weights(weights: Mapping[Hashable, tuple[float, float]] | float | None, keys: list[Hashable]) -> Floats | None:
    if weights is None:
        return None
    pairs = weights if isinstance(weights, Mapping) else dict.fromkeys(keys, (weights, weights))
    if set(pairs) != set(keys) or min(map(min, pairs.values())) < 0 or min(pair[0] for pair in pairs.values()) <= 0:
        raise OptionError("weights are needed for every group", where="weights", got=pairs, expected="positive numbers")
    return np.array([pairs[key] for key in keys], dtype=np.float64)


def _curvature(
    hessian: npt.ArrayLike | Mapping[Hashable, npt.ArrayLike], keys: list[Hashable], plan: _Plan, width: int
) -> Floats:
    """Return H_q^-1 H H_q^-1 for the Hessians of the balanced risk and of the fit's objective."""
    if isinstance(hessian, Mapping):
        if set(hessian) != set(keys):
            raise PlanError("groups do not match", where="hessian", got=sorted(map(str, hessian)), expected=keys)
        each = np.array([as_matrix(hessian[key], "hessian", columns=width) for key in keys])
    else:
        if plan.weights is not None:
            raise OptionError("a Hessian per group is needed where groups weigh differently", where="hessian")
        each = np.array([as_matrix(hessian, "hessian", columns=width)] * len(keys))
    balanced, fitted = each.mean(axis=0), np.tensordot(plan.groups, each, axes=1)
    if min(np.linalg.eigvalsh((part + part.T) / 2).min() for part in (balanced, fitted)) <= 0:
        raise OptionError("the Hessian is not positive definite", where="hessian")
    inverse = np.linalg.inv(fitted)
    return np.asarray(inverse @ balanced @ inverse, dtype=np.float64)


def _evaluate(
    real: list[Floats], synthetic: list[Floats], curvature: Floats, plan: _Plan
) -> tuple[float, float, float, float, list[float]]:
    """Return 1/2 b'Cb, its expected noise, the variance term, 1/2 b'Cb of the imbalance, and that of each group."""
    size, groups = len(curvature), len(real)
    left, written = plan.groups - 1 / groups, plan.written
    left = np.where(np.abs(left) < 1e-12, 0.0, left)
    gaps, imbalance = np.zeros((groups, size)), np.zeros(size)
    noise, spread = np.zeros((size, size)), np.zeros((size, size))
    for k, (rows, synthetic_rows) in enumerate(zip(real, synthetic, strict=True)):
        covariance, keep = np.atleast_2d(np.cov(rows.T)), 1 - plan.alpha
        imbalance += left[k] * rows.mean(axis=0)
        noise += (left[k] - written[k]) ** 2 * covariance / len(rows)
        spread += (keep * plan.parts[k, 0]) ** 2 * covariance / plan.n_real[k]
        if written[k] > 0:
            covariance_synthetic = np.atleast_2d(np.cov(synthetic_rows.T))
            gaps[k] = written[k] * (synthetic_rows.mean(axis=0) - rows.mean(axis=0))
            noise += written[k] ** 2 * covariance_synthetic / len(synthetic_rows)
            if plan.n_balance[k]:
                spread += (keep * plan.parts[k, 1]) ** 2 * covariance_synthetic / plan.n_balance[k]
            if plan.alpha > 0:
                spread += (plan.alpha / groups) ** 2 * covariance_synthetic / plan.n_augment

    def cost(vector: Floats) -> float:
        return float(vector @ curvature @ vector) / 2

    return (
        cost(gaps.sum(axis=0) + imbalance),
        float(np.trace(curvature @ noise)) / 2,
        float(np.trace(curvature @ spread)) / 2,
        cost(imbalance),
        [cost(gap) for gap in gaps],
    )
