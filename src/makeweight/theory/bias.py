"""Bias correction: what a generator gets wrong on the moved majority, subtracted where it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_matrix, as_vector, count, fraction
from makeweight.theory.folds import MinorityGenerator, called, checked_pair, stratified_folds
from makeweight.theory.logistic import LogisticFit, fit_logistic
from makeweight.theory.risk import Interval
from makeweight.theory.transport import fit_transport

__all__ = [
    "BorrowedRows",
    "CorrectedSample",
    "borrow_rows",
    "corrected_sample",
    "cross_fitted_ratio",
    "density_ratio_weights",
    "fit_corrected",
    "signed_weights",
]


@dataclass(frozen=True)
class BorrowedRows:
    """Rows that show the generator's bias on moved majority rows, b times.

    Attributes
    ----------
    synthetic : tuple of ndarray of shape (m, d)
        What the generator wrote after learning from n_1 moved rows.
    held_out : tuple of ndarray of shape (h, d)
        The other moved rows.

    Notes
    -----
    Made by `borrow_rows`, which names the source.

    Examples
    --------
    >>> rows = BorrowedRows((np.ones((4, 1)),), (np.zeros((9, 1)),))
    >>> rows.bias(lambda x: x[:, 0]).estimate
    1.0
    """

    synthetic: tuple[Floats, ...]
    held_out: tuple[Floats, ...]

    def signed(self, mass: float) -> tuple[Floats, Floats]:
        """Return all rows, and the weights that subtract `mass` times the bias: their sum is zero.

        Parameters
        ----------
        mass : float
            c times the weight of the synthetic rows that are corrected.

        Returns
        -------
        rows : ndarray of shape (n, d)
        weights : ndarray of shape (n,)
            -mass / |S| for written rows, +mass / |B| for held-out ones.
        """
        weights = signed_weights(list(map(len, self.synthetic)), list(map(len, self.held_out)), mass)
        return np.vstack([*self.synthetic, *self.held_out]), weights

    def bias(self, loss: Callable[[Floats], Floats], *, level: float = 0.95) -> Interval:
        """Return Delta, the mean loss on synthetic minus that on held-out rows, with its interval.

        Parameters
        ----------
        loss : callable
            Losses of rows as class 1: (n, d) to (n,).
        level : float
            Student interval from the scatter over repeats; unbounded with a single repeat.

        Returns
        -------
        Interval
        """
        gaps = np.array(
            [
                float(np.mean(loss(made)) - np.mean(loss(held)))
                for made, held in zip(self.synthetic, self.held_out, strict=True)
            ]
        )
        if not np.isfinite(gaps).all():
            raise SchemaError("the loss is not finite on borrowed rows", where="loss")
        fraction(level, "level", open_end=True)
        if len(gaps) == 1:
            return Interval(float(gaps[0]), -np.inf, np.inf, level)
        reach = float(stdtrit(len(gaps) - 1, (1 + level) / 2) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
        return Interval(float(gaps.mean()), float(gaps.mean()) - reach, float(gaps.mean()) + reach, level)


def signed_weights(written: Sequence[int], held_out: Sequence[int], mass: float) -> Floats:
    """Return weights of borrowed rows that subtract `mass` times the bias; their sum is zero.

    Parameters
    ----------
    written, held_out : sequence of int
        Rows of every repeat.
    mass : float
        c times the weight of the synthetic rows that are corrected.

    Returns
    -------
    ndarray
        -mass / |S| for each of all written rows, then mass / |B| for each of all held-out ones; every repeat
        counts the same.

    Notes
    -----
    Step 4 of docs/theory.md, "Borrowing from the majority".

    Examples
    --------
    >>> signed_weights([2], [4], 1.0)
    array([-0.5 , -0.5 ,  0.25,  0.25,  0.25,  0.25])
    """
    sides = ((written, -mass), (held_out, mass))
    return np.concatenate([np.full(rows, each / (len(side) * rows)) for side, each in sides for rows in side])


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
) -> BorrowedRows:
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
    >>> from makeweight.theory.reference import interpolate
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
    made, held = [], []
    for _ in range(count(repeats, "repeats", least=1)):
        order = rng.permutation(len(rows))
        chosen, rest = order[: len(minority)], order[len(minority) :]
        context = np.vstack([majority[rest], rows[chosen]])
        codes = np.repeat([0.0, 1.0], [len(rest), len(chosen)])
        made.append(called(generator, context, codes, size, rng))
        held.append(rows[rest])
    return BorrowedRows(tuple(made), tuple(held))


@dataclass(frozen=True)
class CorrectedSample:
    """Rows with signed weights whose weighted loss is the bias-corrected loss.

    Attributes
    ----------
    features : ndarray of shape (n, d)
    labels, weights : ndarray of shape (n,)
    correction : float
        c.

    Notes
    -----
    Made by `corrected_sample`, which names the source.

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
    borrowed: BorrowedRows,
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
    >>> rows = BorrowedRows((np.ones((2, 1)),), (np.zeros((4, 1)),))
    >>> corrected_sample([[0.0], [1.0]], [0, 1], [[1.0], [1.0]], rows, 1.0).weights
    array([ 1. ,  1. ,  1. ,  1. , -1. , -1. ,  0.5,  0.5,  0.5,  0.5])
    """
    table = as_matrix(features, "features")
    target = as_vector(labels, "labels", length=len(table))
    made = as_matrix(synthetic, "synthetic", columns=table.shape[1])
    fraction(correction, "correction")
    parts, codes = [table, made], [target, np.ones(len(made))]
    weights = [np.ones(len(table)), np.ones(len(made))]
    if correction > 0:
        rows, signed = borrowed.signed(correction * len(made))
        parts.append(as_matrix(rows, "borrowed rows", columns=table.shape[1]))
        codes.append(np.ones(len(rows)))
        weights.append(signed)
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


def density_ratio_weights(
    probability_real: npt.ArrayLike,
    n_real: int,
    n_synthetic: int,
    *,
    clip: tuple[float, float] = (0.1, 10.0),
) -> Floats:
    """Return weights of synthetic rows from a classifier that tells them from real ones.

    Parameters
    ----------
    probability_real : array-like of shape (m,)
        Out-of-fold probability that each synthetic row is real.
    n_real, n_synthetic : int
        Rows of each kind that the classifier was trained on.
    clip : tuple of float, default (0.1, 10)

    Returns
    -------
    ndarray of shape (m,)
        p / (1 - p) * n_synthetic / n_real, clipped, then scaled to mean one.

    Notes
    -----
    Bayes' rule: the ratio of the densities real / synthetic. The fallback of docs/theory.md for learners,
    such as trees, that take no negative weights. Assumes a calibrated classifier.

    Examples
    --------
    >>> density_ratio_weights([0.5, 0.2], 100, 100).round(2)
    array([1.6, 0.4])
    """
    probability = as_vector(probability_real, "probability_real")
    if probability.min() < 0 or probability.max() > 1:
        raise SchemaError("not probabilities", where="probability_real", expected="[0, 1]")
    low, high = clip
    if not 0 < low <= 1 <= high:
        raise OptionError("out of range", where="clip", got=clip, expected="0 < low <= 1 <= high")
    scale = count(n_synthetic, "n_synthetic", least=1) / count(n_real, "n_real", least=1)
    with np.errstate(divide="ignore"):
        ratio = np.clip(probability / (1 - probability) * scale, low, high)
    return np.asarray(ratio / ratio.mean())


def cross_fitted_ratio(
    real: npt.ArrayLike,
    synthetic: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    folds: int = 5,
    ridge: float = 1e-3,
) -> Floats:
    """Return, for every synthetic row, the out-of-fold probability that it is real.

    A logistic regression on the standardised features and their squares, fitted on the other folds.

    Parameters
    ----------
    real : array-like of shape (n, d)
    synthetic : array-like of shape (m, d)
    rng : numpy.random.Generator
    folds : int, default 5
    ridge : float, default 1e-3

    Returns
    -------
    ndarray of shape (m,)

    Notes
    -----
    Source: Bayes' rule, cross-fitted as is usual where densities are compared by classification. Real rows
    that the generator learned from look more synthetic-like than fresh ones would, so held-out real rows are
    better where there are any.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, made = rng.normal(size=(300, 1)), rng.normal(size=(600, 1)) + 1
    >>> weights = density_ratio_weights(cross_fitted_ratio(real, made, rng=rng), 300, 600)
    >>> bool(abs((weights * made[:, 0]).mean()) < 0.2 < made.mean())
    True
    """
    genuine = as_matrix(real, "real")
    made = as_matrix(synthetic, "synthetic", columns=genuine.shape[1])
    both = np.vstack([made, genuine])
    spread = both.std(axis=0)
    scaled = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    table = np.hstack([scaled, scaled**2])
    target = np.repeat([0.0, 1.0], [len(made), len(genuine)])
    if min(len(made), len(genuine)) < count(folds, "folds", least=2):
        raise PlanError("too few rows for the folds", got=min(len(made), len(genuine)), expected=f">= {folds}")
    assigned = stratified_folds(target, folds, rng)
    found = np.empty(len(both))
    for fold in range(folds):
        held = assigned == fold
        found[held] = fit_logistic(table[~held], target[~held], ridge=ridge).probabilities(table[held])
    return found[: len(made)]
