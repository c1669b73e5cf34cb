"""The weights that realise the objective (1 - alpha) R_balanced + alpha R_augment."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_codes, count, fraction

__all__ = ["alpha_of_weight", "augmentation_weight", "effective_sample_size", "objective_weights", "repetitions"]

PURPOSES = ("real", "balance", "augment")


def augmentation_weight(alpha: float, n_largest: int, n_augment: int) -> float:
    """Return the weight w of each augmentation row that realises alpha.

    With weight 1 on real and balancing rows and w = alpha n_largest / ((1 - alpha) N) on the N augmentation
    rows of every group, weighted risk minimisation minimises (1 - alpha) R_balanced + alpha R_augment.

    Parameters
    ----------
    alpha : float
        In [0, 1).
    n_largest : int
        Rows of every group after balancing.
    n_augment : int
        Augmentation rows N per group.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        When alpha is outside [0, 1), or a number of rows is none.
    PlanError
        When alpha is positive and there are no augmentation rows.

    Notes
    -----
    Derived in docs/theory.md, "The objective", for arXiv 2406.03628. A fixed w lets alpha go to one as N
    grows, so a fixed w does not bound the bias; alpha does.

    Examples
    --------
    >>> augmentation_weight(0.5, n_largest=1000, n_augment=500)
    2.0
    """
    fraction(alpha, "alpha", open_end=True)
    count(n_largest, "n_largest", least=1)
    if alpha == 0:
        return 0.0
    if count(n_augment, "n_augment") == 0:
        raise PlanError("alpha needs augmentation rows", where="n_augment", got=0, expected=">= 1")
    return alpha * n_largest / ((1 - alpha) * n_augment)


def alpha_of_weight(weight: float, n_largest: int, n_augment: int) -> float:
    """Return the alpha that a weight on the augmentation rows amounts to.

    Parameters
    ----------
    weight : float
        At least 0.
    n_largest, n_augment : int
        As in `augmentation_weight`.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        When the weight is negative or not finite, or a number of rows is none.

    Notes
    -----
    Derived in docs/theory.md, "The objective": alpha = w N / (n_largest + w N).

    Examples
    --------
    >>> alpha_of_weight(0.5, n_largest=1000, n_augment=2000)
    0.5
    """
    if not (math.isfinite(weight) and weight >= 0):
        raise OptionError("out of range", where="weight", got=weight, expected=">= 0")
    mass = weight * count(n_augment, "n_augment")
    return mass / (count(n_largest, "n_largest", least=1) + mass)


def effective_sample_size(n_largest: int, n_augment: int, n_groups: int, *, alpha: float | None = None) -> float:
    """Return how many equally weighted rows give the variance of the objective.

    Parameters
    ----------
    n_largest, n_augment : int
        Rows per group after balancing, and augmentation rows per group.
    n_groups : int
    alpha : float, optional
        Without it every row has weight one, and the answer is n_tot + N |G| with n_tot = |G| n_largest, the
        effective sample size of the scaling law of arXiv 2406.03628.

    Returns
    -------
    float

    Raises
    ------
    OptionError
        When alpha is outside [0, 1], or a number of rows or groups is none.
    PlanError
        When alpha is positive and there are no augmentation rows.

    Notes
    -----
    Derived in docs/theory.md: 1 / ((1 - alpha)^2 / (|G| n_largest) + alpha^2 / (|G| N)). It counts synthetic
    rows as if they were independent draws from the truth: an upper bound on what they are worth.

    Examples
    --------
    >>> effective_sample_size(1000, 500, 2)
    3000.0
    >>> round(effective_sample_size(1000, 500, 2, alpha=1 / 3), 6)
    3000.0
    """
    count(n_groups, "n_groups", least=1)
    count(n_largest, "n_largest", least=1)
    count(n_augment, "n_augment")
    if alpha is None:
        return float(n_groups * (n_largest + n_augment))
    fraction(alpha, "alpha")
    if alpha == 0:
        return float(n_groups * n_largest)
    if n_augment == 0:
        raise PlanError("alpha needs augmentation rows", where="n_augment", got=0, expected=">= 1")
    return n_groups / ((1 - alpha) ** 2 / n_largest + alpha**2 / n_augment)


def objective_weights(groups: npt.ArrayLike, purposes: npt.ArrayLike, alpha: float) -> Floats:
    """Return a weight per row so that the weighted mean loss is (1 - alpha) R_balanced + alpha R_augment.

    R_balanced is the mean over groups of the mean loss of their real and balancing rows, whether or not these
    reach the largest group; R_augment likewise over augmentation rows. The weights sum to one.

    Parameters
    ----------
    groups : array-like of shape (n,)
    purposes : array-like of shape (n,)
        "real", "balance" or "augment".
    alpha : float
        In [0, 1].

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    PlanError
        When a group lacks the rows that the objective weighs.

    Notes
    -----
    Source: objective of arXiv 2406.03628; for balanced counts equal, up to a factor, to weight one on real
    and balancing rows and `augmentation_weight` on the others, which is checked to 1e-12.

    Examples
    --------
    >>> objective_weights(["a", "a", "b", "b"], ["real", "augment", "balance", "augment"], 0.25)
    array([0.375, 0.125, 0.375, 0.125])
    """
    fraction(alpha, "alpha")
    names, codes = as_codes(groups, "groups")
    purpose = np.asarray(purposes)
    if purpose.shape != codes.shape or not np.isin(purpose, PURPOSES).all():
        raise SchemaError("one purpose per row is needed", where="purposes", expected=", ".join(map(repr, PURPOSES)))
    extra = purpose == "augment"
    weights = np.zeros(len(codes))
    for part, mass, title in ((~extra, 1 - alpha, "real or balancing"), (extra, alpha, "augmentation")):
        if mass == 0:
            continue
        rows = np.bincount(codes[part], minlength=len(names))
        if np.any(rows == 0):
            missing = names.tolist()[int(rows.argmin())]
            raise PlanError(f"no {title} rows", where=f"group {missing!r}", got=0, expected=">= 1")
        weights[part] = mass / (len(names) * rows[codes[part]])
    return weights


def repetitions(weights: npt.ArrayLike, strata: npt.ArrayLike, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return how often every row stands so that the mean over repeated rows estimates the weighted mean.

    Systematic sampling in a random order within strata: a row of weight w stands floor(w) or ceil(w) times, w times on
    average, and the rows of a stratum stand together as often as they weigh together, to within one row.

    Parameters
    ----------
    weights : array-like of shape (n,)
        0 or more, finite.
    strata : array-like of shape (n,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    OptionError
        When a weight is negative or not finite.

    Notes
    -----
    Source: systematic sampling, Madow and Madow, Annals of Mathematical Statistics 15, 1944.

    Examples
    --------
    >>> repetitions([1.0, 1.0, 0.5, 0.5, 2.0], ["r", "r", "s", "s", "t"], np.random.default_rng(0)).tolist()
    [1, 1, 0, 1, 2]
    """
    values = np.asarray(weights, dtype=np.float64)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise OptionError("no row stands so often", where="weights", expected="finite numbers, 0 or more")
    _, codes = as_codes(strata, "strata")
    counts = np.zeros(len(values), dtype=np.int64)
    order = np.lexsort((rng.random(len(values)), codes))
    ends = rng.random() + np.concatenate([[0.0], np.cumsum(values[order])])
    counts[order] = np.diff(np.floor(ends))
    return counts
