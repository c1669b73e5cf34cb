"""Weights of synthetic rows from a classifier that tells them from real ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_matrix, as_vector, count
from makeweight.theory.folds import stratified_folds
from makeweight.theory.logistic import fit_logistic

__all__ = ["cross_fitted_ratio", "density_ratio_weights"]


def density_ratio_weights(
    probability_real: npt.ArrayLike, n_real: int, n_synthetic: int, *, clip: tuple[float, float] = (0.1, 10.0)
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

    Raises
    ------
    SchemaError
        When a probability is outside [0, 1].
    OptionError
        When `clip` does not hold one, or a number of rows is none.

    Notes
    -----
    Source: Bayes' rule. It is the ratio of the densities real / synthetic. The fallback of docs/theory.md for learners,
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
    real: npt.ArrayLike, synthetic: npt.ArrayLike, *, rng: np.random.Generator, folds: int = 5, ridge: float = 1e-3
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

    Raises
    ------
    SchemaError
        When the tables differ in columns or hold missing numbers.
    PlanError
        When there are fewer rows than folds.

    Notes
    -----
    Source: Bayes' rule, cross-fitted as is usual where densities are compared by classification. Real rows
    that the generator learned from look more synthetic-like than fresh ones would, so held-out real rows are
    better where there are any.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> real, written = rng.normal(size=(300, 1)), rng.normal(size=(600, 1)) + 1
    >>> weights = density_ratio_weights(cross_fitted_ratio(real, written, rng=rng), 300, 600)
    >>> bool(abs((weights * written[:, 0]).mean()) < 0.2 < written.mean())
    True
    """
    genuine = as_matrix(real, "real")
    written = as_matrix(synthetic, "synthetic", columns=genuine.shape[1])
    both = np.vstack([written, genuine])
    spread = both.std(axis=0)
    scaled = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    table = np.hstack([scaled, scaled**2])
    target = np.repeat([0.0, 1.0], [len(written), len(genuine)])
    if min(len(written), len(genuine)) < count(folds, "folds", least=2):
        raise PlanError("too few rows for the folds", got=min(len(written), len(genuine)), expected=f">= {folds}")
    assigned = stratified_folds(target, folds, rng)
    probabilities = np.empty(len(both))
    for fold in range(folds):
        held = assigned == fold
        probabilities[held] = fit_logistic(table[~held], target[~held], ridge=ridge).probabilities(table[held])
    return probabilities[: len(written)]
