"""What written rows cost where real ones would stand: excess risk is the rate of balanced data plus this."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import as_codes, as_matrix, as_vector, fraction
from makeweight.theory.risk import Interval

__all__ = ["TransferCost", "cost_of_transfer", "transfer_cost"]


@dataclass(frozen=True)
class TransferCost:
    """Excess balanced risk of a fit to written rows, taken apart.

    Attributes
    ----------
    rate : float
        Excess over the best model under the law the fit has seen: what balanced data of that size costs.
    cost : float
        Cost of transfer: how much more the excess weighs under the true laws than under the written ones.
    bound : float
        What the cost cannot exceed: 1/|G| sum_g sqrt(chi2(written_g, truth_g) E_g (l - l*)^2).

    Examples
    --------
    >>> round(TransferCost(0.25, 0.5, 0.75).excess, 2)
    0.75
    """

    rate: float
    cost: float
    bound: float

    @property
    def excess(self) -> float:
        """Excess balanced risk: rate + cost."""
        return self.rate + self.cost


def transfer_cost(
    losses: npt.ArrayLike, best_losses: npt.ArrayLike, truth: npt.ArrayLike, written: npt.ArrayLike
) -> TransferCost:
    """Take the excess risk of a model apart, exactly, for laws on finitely many cells.

    Parameters
    ----------
    losses, best_losses : array-like of shape (g, k)
        Loss of the model, and of the best model for the true laws, per group and cell.
    truth, written : array-like of shape (g, k)
        Probability of each cell under the true law of a group, and under the law the model was fitted to.

    Returns
    -------
    TransferCost

    Raises
    ------
    SchemaError
        When shapes differ, or a law is none.

    Notes
    -----
    The decomposition is that of arXiv 2601.10630; identity and bound are derived here. With D = l - l*, the excess is
    mean_g truth_g(D) = mean_g written_g(D) + mean_g (truth_g - written_g)(D), and by Cauchy and Schwarz
    |(truth_g - written_g)(D)| = |truth_g((1 - written_g / truth_g) D)| <= sqrt(chi2(written_g, truth_g) truth_g(D^2)).

    Examples
    --------
    >>> transfer = transfer_cost([[1.0, 0.0]], [[0.5, 0.25]], [[0.5, 0.5]], [[0.25, 0.75]])
    >>> transfer.rate, transfer.cost, transfer.excess
    (-0.0625, 0.1875, 0.125)
    """
    gap = as_matrix(losses, "losses") - as_matrix(best_losses, "best_losses")
    laws = [as_matrix(law, name, columns=gap.shape[1]) for law, name in ((truth, "truth"), (written, "written"))]
    for law, name in zip(laws, ("truth", "written"), strict=True):
        if law.shape != gap.shape or law.min() < 0 or not np.allclose(law.sum(axis=1), 1.0):
            raise SchemaError("not probabilities of cells", where=name, got=f"shape {law.shape}", expected=gap.shape)
    real, written = laws
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(real > 0, (written - real) ** 2 / real, np.where(written > 0, np.inf, 0.0)).sum(axis=1)
    spread = (real * gap**2).sum(axis=1)
    bound = float(np.where(np.isinf(ratio), np.inf, np.sqrt(ratio * spread)).mean())
    rate, cost = ((law * gap).sum(axis=1).mean() for law in (written, real - written))
    return TransferCost(float(rate), float(cost), bound)


def cost_of_transfer(
    written_losses: npt.ArrayLike, balanced_losses: npt.ArrayLike, groups: npt.ArrayLike, *, level: float = 0.95
) -> Interval:
    """Estimate the cost of transfer: the balanced risk of a fit to written rows less that of one to as many real rows.

    Parameters
    ----------
    written_losses : array-like of shape (n,)
        Held-out losses of a fit in which written rows stand for some of the real rows of the rare groups.
    balanced_losses : array-like of shape (n,)
        The same rows' losses under a fit to the real rows instead.
    groups : array-like of shape (n,)
        At least two rows each.
    level : float, default 0.95
        Of the normal interval for paired differences of rows within groups.

    Returns
    -------
    Interval
        In the unit of the losses. Negative where written rows are better than real ones, as those of a generator that
        knows more than the table may be.

    Raises
    ------
    SchemaError
        When lengths differ or a loss is missing.
    PlanError
        When a group has a single row.
    OptionError
        When the level is outside [0, 1).

    Notes
    -----
    arXiv 2601.10630: excess risk = rate of balanced data + cost of transfer. Both fits share the rate, so that the
    difference of their risks is the cost, up to what the rate differs between the two laws. Derived in docs/theory.md,
    "The cost of transfer".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real = rng.exponential(size=400)
    >>> cost = cost_of_transfer(real + 0.1 + 0.05 * rng.normal(size=400), real, np.repeat([0, 1], [300, 100]))
    >>> cost.low < 0.1 < cost.high
    True
    """
    fraction(level, "level", open_end=True)
    ours = as_vector(written_losses, "written_losses")
    gap = ours - as_vector(balanced_losses, "balanced_losses", length=len(ours))
    names, codes = as_codes(groups, "groups", length=len(gap))
    rows = np.bincount(codes)
    if rows.min() < 2:
        raise PlanError("one row has no spread", where=f"group {names.tolist()[int(rows.argmin())]!r}", got=1)
    means = np.bincount(codes, gap) / rows
    variances = np.bincount(codes, (gap - means[codes]) ** 2) / (rows - 1) / rows
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(float(variances.sum())) / len(names)
    estimate = float(means.mean())
    return Interval(estimate, estimate - reach, estimate + reach, level)
