"""Losses of rows and risks of groups: balanced, worst-group, and excess, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import (
    Floats,
    as_codes,
    as_vector,
    as_weights,
    choice,
    count,
    fraction,
)

__all__ = [
    "GroupRisks",
    "Interval",
    "excess_risk",
    "group_risks",
    "risk_intervals",
    "row_losses",
]


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval.

    Attributes
    ----------
    estimate, low, high : float
    level : float
        Nominal coverage.

    Notes
    -----
    Made by `risk_intervals`, which names the source.

    Examples
    --------
    >>> print(Interval(0.5, 0.4, 0.6, 0.95))
    0.5 [0.4, 0.6]
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.estimate:.4g} [{self.low:.4g}, {self.high:.4g}]"


@dataclass(frozen=True)
class GroupRisks:
    """Risk of every group.

    Attributes
    ----------
    groups : ndarray of shape (k,)
        Sorted group names.
    risks : ndarray of shape (k,)
        Weighted mean loss of each group.
    rows : ndarray of shape (k,)
        Rows of each group.

    Notes
    -----
    Balanced and worst-group risk as in arXiv 2406.03628.

    Examples
    --------
    >>> risks = group_risks([0.1, 0.3, 0.8], ["a", "a", "b"])
    >>> round(risks.balanced, 3), risks.worst, risks.worst_group
    (0.5, 0.8, 'b')
    """

    groups: npt.NDArray[np.generic]
    risks: Floats
    rows: npt.NDArray[np.int64]

    @property
    def balanced(self) -> float:
        """Mean of the group risks."""
        return float(self.risks.mean())

    @property
    def worst(self) -> float:
        """Largest group risk."""
        return float(self.risks.max())

    @property
    def worst_group(self) -> object:
        """Name of the group with the largest risk."""
        return self.groups[int(self.risks.argmax())].item()


def row_losses(labels: npt.ArrayLike, probabilities: npt.ArrayLike, loss: str = "log") -> Floats:
    """Return the loss of every row.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Class numbers 0 to k - 1.
    probabilities : array-like of shape (n,) or (n, k)
        Probability of class 1, or of every class; rows sum to one.
    loss : {"log", "zero-one", "brier"}
        Log-loss in nats; 0-1 loss of the most probable class, where a tie counts in equal parts; Brier score,
        the squared distance to the one-hot label, halved, so that binary problems give (p - y)^2.

    Returns
    -------
    ndarray of shape (n,)
        Log-loss is infinite where the true class was given probability zero: no clipping takes place.

    Raises
    ------
    SchemaError
        When labels are not class numbers, or probabilities not probabilities.

    Notes
    -----
    Source: textbook definitions; a constant probability of 1/2 has log-loss ln 2 = 0.693.

    Examples
    --------
    >>> row_losses([1, 0], [0.5, 0.5]).round(3)
    array([0.693, 0.693])
    >>> row_losses([1, 0], [0.9, 0.2], loss="brier").round(3)
    array([0.01, 0.04])
    """
    choice(loss, "loss", ("log", "zero-one", "brier"))
    table = probability_table(probabilities)
    codes = as_vector(labels, "labels", length=len(table))
    if not np.isin(codes, np.arange(table.shape[1])).all():
        raise SchemaError("labels must be class numbers", where="labels", expected=f"0 to {table.shape[1] - 1}")
    index = codes.astype(np.int64)
    rows = np.arange(len(table))
    if loss == "log":
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(table[rows, index]))
    if loss == "zero-one":
        best = table == table.max(axis=1, keepdims=True)
        return np.asarray(1.0 - best[rows, index] / best.sum(axis=1))
    target = np.zeros_like(table)
    target[rows, index] = 1.0
    return np.asarray(((table - target) ** 2).sum(axis=1) / 2)


def probability_table(probabilities: npt.ArrayLike) -> Floats:
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim == 1:
        table = np.column_stack([1.0 - table, table])
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] < 2:
        raise SchemaError("probabilities have the wrong shape", got=f"{table.shape}", expected="(n,) or (n, k)")
    if not np.isfinite(table).all() or table.min() < 0 or not np.allclose(table.sum(axis=1), 1.0, atol=1e-6):
        raise SchemaError("not probabilities", where="probabilities", expected="finite, >= 0, rows that sum to one")
    return table


def group_risks(
    losses: npt.ArrayLike, groups: npt.ArrayLike, *, sample_weight: npt.ArrayLike | None = None
) -> GroupRisks:
    """Return the weighted mean loss of every group.

    Parameters
    ----------
    losses : array-like of shape (n,)
        May be infinite (see `row_losses`), not missing.
    groups : array-like of shape (n,)
        Group names.
    sample_weight : array-like of shape (n,), optional

    Returns
    -------
    GroupRisks

    Notes
    -----
    Source: R^(g) of arXiv 2406.03628.

    Examples
    --------
    >>> group_risks([1.0, 3.0, 5.0], [0, 0, 1], sample_weight=[3, 1, 1]).risks
    array([1.5, 5. ])
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or np.isnan(values).any():
        raise SchemaError("losses must be a list without missing values", where="losses", got=f"shape {values.shape}")
    names, codes = as_codes(groups, "groups", length=len(values))
    weights = as_weights(sample_weight, len(values))
    totals = np.bincount(codes, weights)
    if np.any(totals == 0):
        empty = names[int(np.argmin(totals))].item()
        raise PlanError("a group has no weight", where=f"group {empty!r}", got=0, expected="> 0")
    kept = weights > 0
    sums = np.bincount(codes[kept], weights[kept] * values[kept], minlength=len(names))
    return GroupRisks(names, sums / totals, np.bincount(codes))


def risk_intervals(
    losses: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
) -> dict[str, Interval]:
    """Return percentile bootstrap intervals of the balanced and the worst-group risk and of each group's.

    Rows are resampled within groups: the group sizes count as fixed.

    Parameters
    ----------
    losses, groups, sample_weight
        As in `group_risks`; at least two rows per group.
    rng : numpy.random.Generator
    level : float, default 0.95
    draws : int, default 1000

    Returns
    -------
    dict of str to Interval
        Keys "balanced", "worst", and "group NAME".

    Notes
    -----
    Source: the percentile bootstrap. The bootstrap of a maximum is biased upwards when several groups are
    close to the worst; the interval of "worst" is then conservative above and may miss below.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> losses = rng.exponential(size=400)
    >>> found = risk_intervals(losses, np.repeat(["a", "b"], 200), rng=rng)
    >>> found["balanced"].low < found["balanced"].estimate < found["balanced"].high
    True
    """
    point = group_risks(losses, groups, sample_weight=sample_weight)
    fraction(level, "level", open_end=True)
    count(draws, "draws", least=50)
    if point.rows.min() < 2:
        alone = point.groups[int(point.rows.argmin())].item()
        raise PlanError("one row has no spread", where=f"group {alone!r}", got=1, expected=">= 2 rows")
    values = as_vector(losses, "losses")
    weights = as_weights(sample_weight, len(values))
    codes = as_codes(groups, "groups")[1]
    drawn = np.column_stack(
        [_resampled(values[codes == k], weights[codes == k], draws, rng) for k in range(len(point.groups))]
    )
    found = {
        "balanced": _interval(point.balanced, drawn.mean(axis=1), level),
        "worst": _interval(point.worst, drawn.max(axis=1), level),
    }
    for k, name in enumerate(point.groups):
        found[f"group {name.item()}"] = _interval(float(point.risks[k]), drawn[:, k], level)
    return found


def _resampled(values: Floats, weights: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return weighted means of resampled rows, shape (draws,); missing where no weight was drawn."""
    means, shares = np.empty(draws), np.full(len(values), 1 / len(values))
    step = max(1, 2_000_000 // len(values))  # bounds the memory of the resampling counts
    for start in range(0, draws, step):
        counts = rng.multinomial(len(values), shares, size=min(step, draws - start))
        mass = counts @ weights
        means[start : start + step] = (counts @ (weights * values)) / np.where(mass > 0, mass, np.nan)
    return means


def _interval(estimate: float, drawn: Floats, level: float) -> Interval:
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level)


def excess_risk(
    losses: npt.ArrayLike,
    reference_losses: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 1000,
) -> Interval:
    """Return the balanced risk above that of a reference on the same rows, with a paired bootstrap interval.

    Parameters
    ----------
    losses, reference_losses : array-like of shape (n,)
        Losses of the model and of the reference (the best model of the class where it is known).
    groups : array-like of shape (n,)
    rng : numpy.random.Generator
    level, draws
        As in `risk_intervals`.

    Returns
    -------
    Interval

    Notes
    -----
    Source: excess risk of arXiv 2406.03628; pairing removes the noise that both share.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> reference = rng.exponential(size=100)
    >>> excess_risk(reference + 0.25, reference, np.repeat([0, 1], 50), rng=rng).estimate
    0.25
    """
    ours = as_vector(losses, "losses")
    theirs = as_vector(reference_losses, "reference_losses", length=len(ours))
    return risk_intervals(ours - theirs, groups, rng=rng, level=level, draws=draws)["balanced"]
