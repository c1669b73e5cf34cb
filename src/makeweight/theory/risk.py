"""Losses of rows and risks of groups: balanced and worst-group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, as_codes, as_vector, as_weights, choice

__all__ = ["GroupRisks", "Interval", "group_risks", "row_losses"]


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval.

    Attributes
    ----------
    estimate, low, high : float
    level : float
        Nominal coverage.

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
        return self.groups.tolist()[int(self.risks.argmax())]


def row_losses(labels: npt.ArrayLike, probabilities: npt.ArrayLike, loss: str = "log") -> Floats:
    """Return the loss of every row.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Class numbers 0 to k - 1.
    probabilities : array-like of shape (n,) or (n, k)
        Probability of class 1, or of every class; rows sum to one.
    loss : {"log", "zero-one", "squared"}
        Log-loss in nats; 0-1 loss of the most probable class, where a tie counts in equal parts; the squared
        distance to the one-hot label, halved (the Brier score), so that binary problems give (p - y)^2.

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
    >>> row_losses([1, 0], [0.9, 0.2], loss="squared").round(3)
    array([0.01, 0.04])
    """
    choice(loss, "loss", ("log", "zero-one", "squared"))
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
        Groups, each a value or a tuple of values as in a sampler's plan.
    sample_weight : array-like of shape (n,), optional

    Returns
    -------
    GroupRisks

    Raises
    ------
    SchemaError
        When a loss is missing, or lengths differ.
    PlanError
        When a group has no weight.

    Notes
    -----
    Source: R^(g) of arXiv 2406.03628.

    Examples
    --------
    >>> group_risks([1.0, 3.0, 5.0], [0, 0, 1], sample_weight=[3, 1, 1]).risks
    array([1.5, 5. ])
    >>> group_risks([1.0, 3.0], [("yes", "f"), ("no", "m")]).worst_group
    ('no', 'm')
    """
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or np.isnan(values).any():
        raise SchemaError("losses must be a list without missing values", where="losses", got=f"shape {values.shape}")
    names, codes = as_codes(groups, "groups", length=len(values))
    weights = as_weights(sample_weight, len(values))
    totals = np.bincount(codes, weights)
    if np.any(totals == 0):
        empty = names.tolist()[int(np.argmin(totals))]
        raise PlanError("a group has no weight", where=f"group {empty!r}", got=0, expected="> 0")
    kept = weights > 0
    sums = np.bincount(codes[kept], weights[kept] * values[kept], minlength=len(names))
    return GroupRisks(names, sums / totals, np.bincount(codes))
