"""Bias correction: what a generator gets wrong on the moved majority, subtracted where it is used."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, Integers, as_matrix, as_vector, count, fraction
from makeweight.theory.borrowing import BorrowedRows, borrow
from makeweight.theory.logistic import LogisticFit, fit_logistic
from makeweight.theory.published.pilots import MinorityGenerator, called, checked_pair
from makeweight.theory.transport import fit_transport

__all__ = ["CorrectedSample", "borrow_rows", "corrected_sample", "fit_corrected"]


def borrow_rows(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    rng: np.random.Generator,
    n_synthetic: int | None = None,
    repeats: int = 5,
    moved: npt.ArrayLike | None = None,
    shrinkage: float | None = None,
) -> BorrowedRows[Floats]:
    """Run the generator on majority rows moved to the minority, where held-out rows are plentiful.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 majority, 1 minority; at least twice as many majority rows.
    generator : callable
        ``generator(features, labels, n, rng)``; it sees the majority without the rows that were moved.
    rng : numpy.random.Generator
    n_synthetic : int, optional
        Rows to write per repeat; n_0 - n_1 by default.
    repeats : int, default 5
    moved, shrinkage
        As in `fit_transport`.

    Returns
    -------
    BorrowedRows

    Notes
    -----
    A reconstruction, derived in docs/theory.md, "Borrowing from the majority", of the idea of arXiv
    2510.26046, whose own estimator is not public. Assumes that the generator errs on moved majority rows as
    it does on minority rows.

    Examples
    --------
    >>> from makeweight.theory.published.reference import interpolate
    >>> rng = np.random.default_rng(0)
    >>> features, labels = rng.normal(size=(220, 2)), np.repeat([0, 1], [200, 20])
    >>> rows = borrow_rows(features, labels, interpolate, rng=rng)
    >>> rows.bias(lambda x: (x**2).sum(axis=1)).high < 0              # interpolation shrinks
    True
    """
    table, target = checked_pair(features, labels, 2, least_imbalance=2.0)
    majority, minority = table[target == 0], table[target == 1]
    size = len(majority) - len(minority) if n_synthetic is None else count(n_synthetic, "n_synthetic", least=1)
    rows = fit_transport(majority, minority, moved=moved, shrinkage=shrinkage).apply(majority)

    def write(learned: Integers, rest: Integers, stream: np.random.Generator) -> tuple[Floats, Floats]:
        context = np.vstack([majority[rest], rows[learned]])
        codes = np.repeat([0.0, 1.0], [len(rest), len(learned)])
        return called(generator, context, codes, size, stream), rows[rest]

    streams = itertools.repeat(rng, count(repeats, "repeats", least=1))
    return borrow(len(rows), len(minority), write, streams)


@dataclass(frozen=True)
class CorrectedSample:
    """Rows with signed weights whose weighted loss is the bias-corrected loss.

    Attributes
    ----------
    features : ndarray of shape (n, d)
    labels, weights : ndarray of shape (n,)
    correction : float
        c.

    Examples
    --------
    >>> CorrectedSample(np.ones((1, 1)), np.ones(1), np.ones(1), 0.5).correction
    0.5
    """

    features: Floats
    labels: Floats
    weights: Floats
    correction: float


def corrected_sample(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    borrowed: BorrowedRows[Floats],
    correction: float,
) -> CorrectedSample:
    """Stack real, synthetic and borrowed rows with the weights of the corrected loss.

    L(theta) = sum_real loss + m (mean_synthetic loss - c Delta(theta)): real and synthetic rows weigh one,
    the borrowed synthetic rows -c m / |S| and the borrowed held-out rows +c m / |B|, all as class 1.

    Parameters
    ----------
    features, labels : array-like
        Real rows.
    synthetic : array-like of shape (m, d)
        Synthetic minority rows.
    borrowed : BorrowedRows
    correction : float
        c in [0, 1]; zero leaves the borrowed rows out.

    Returns
    -------
    CorrectedSample
        Weights sum to n + m: the correction has no net weight.

    Notes
    -----
    Reconstruction derived in docs/theory.md after arXiv 2510.26046. `choose_correction` chooses c.

    Examples
    --------
    >>> from makeweight.theory import BorrowedRows
    >>> rows = BorrowedRows((np.ones((2, 1)),), (np.zeros((4, 1)),))
    >>> corrected_sample([[0.0], [1.0]], [0, 1], [[1.0], [1.0]], rows, 1.0).weights
    array([ 1. ,  1. ,  1. ,  1. , -1. , -1. ,  0.5,  0.5,  0.5,  0.5])
    """
    table = as_matrix(features, "features")
    target = as_vector(labels, "labels", length=len(table))
    written = as_matrix(synthetic, "synthetic", columns=table.shape[1])
    fraction(correction, "correction")
    parts, codes = [table, written], [target, np.ones(len(written))]
    weights = [np.ones(len(table)), np.ones(len(written))]
    if correction > 0:
        rows = as_matrix(np.vstack(borrowed.rows), "borrowed rows", columns=table.shape[1])
        parts.append(rows)
        codes.append(np.ones(len(rows)))
        weights.append(borrowed.weights(correction * len(written)))
    return CorrectedSample(np.vstack(parts), np.concatenate(codes), np.concatenate(weights), correction)


def fit_corrected(sample: CorrectedSample, *, ridge: float = 1e-3, intercept: bool = True) -> LogisticFit:
    """Fit a logistic regression to a corrected sample and check that it stands in a minimum.

    Parameters
    ----------
    sample : CorrectedSample
    ridge : float, default 1e-3
        Negative weights make the loss non-convex; the ridge has to outweigh that.
    intercept : bool, default True

    Returns
    -------
    LogisticFit
        Its `smallest_eigenvalue` is positive.

    Raises
    ------
    PlanError
        When the Hessian at the solution is not positive definite.
    SchemaError
        When the loss is unbounded below.

    Notes
    -----
    Derived in docs/theory.md. A positive Hessian at the solution shows a local minimum, not a global one.

    Examples
    --------
    >>> from makeweight.theory import BorrowedRows
    >>> rows = BorrowedRows((np.ones((2, 1)),), (np.zeros((4, 1)),))
    >>> sample = corrected_sample([[0.0], [0.5], [1.0]], [0, 1, 1], [[1.0]], rows, 0.5)
    >>> fit_corrected(sample, ridge=0.1).smallest_eigenvalue > 0
    True
    """
    fit = fit_logistic(sample.features, sample.labels, sample_weight=sample.weights, ridge=ridge, intercept=intercept)
    if fit.smallest_eigenvalue <= 1e-10:
        raise PlanError(
            "the corrected loss is not convex at its solution",
            got=f"smallest eigenvalue {fit.smallest_eigenvalue:.2g}",
            expected="> 0",
            hint="use a larger ridge, a smaller correction, or more repeats of the borrowed rows",
        )
    return fit
