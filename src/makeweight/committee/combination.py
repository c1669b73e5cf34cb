"""How several classifiers' probabilities become one: weights, a slope and offsets on log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from makeweight.errors import OptionError

__all__ = ["Combination", "blend"]


@dataclass(frozen=True)
class Combination:
    """A weighted mean of log-probabilities, calibrated: softmax(slope * sum_j w_j log p_j + offsets).

    With grouping attributes, further offsets for each of their values; rows of others have none of these.

    >>> logs = np.log([[[0.2, 0.8]], [[0.5, 0.5]]])
    >>> Combination(np.array([1.0, 0.0]), 1.0, np.zeros(2)).apply(logs).round(6)
    array([[0.2, 0.8]])
    """

    weights: np.ndarray  # shape (m,); of the members; not negative, and they sum to one
    slope: float  # above one where the mean is too timid, below one where it is too sure
    offsets: np.ndarray  # shape (k,); per class; they sum to zero
    by_group: np.ndarray | None = None  # shape (g, k); likewise, added to them

    def apply(self, logs: np.ndarray, codes: np.ndarray | None = None) -> np.ndarray:
        """Return probabilities of shape (n, k) from the members' log-probabilities of shape (m, n, k).

        `codes` of shape (n,): numbers of the rows' groups, -1 for none of them.
        """
        odds = self.slope * np.tensordot(self.weights, logs, 1) + self.offsets
        if codes is not None and self.by_group is not None:
            odds += np.where(codes[:, None] < 0, 0.0, self.by_group[codes])
        return np.asarray(softmax(odds, axis=1))


def blend(student: np.ndarray, teacher: np.ndarray) -> np.ndarray:
    """Return the mean of two models on the scale of log-odds, from their probabilities above zero, shape (n, k).

    Examples
    --------
    >>> blend(np.array([[0.5, 0.5]]), np.array([[0.2, 0.8]])).round(3)
    array([[0.333, 0.667]])
    """
    return np.asarray(softmax(0.5 * (np.log(student) + np.log(teacher)), axis=1))


def fit_combination(
    logs: np.ndarray,
    labels: np.ndarray,
    sample_weight: np.ndarray,
    prior: np.ndarray,
    pull: float,
    codes: np.ndarray | None = None,
) -> Combination:
    """Return the combination with the least log-loss on out-of-fold probabilities.

    `logs` of shape (m, n, k): log-probabilities of rows that the members were not fitted on; finite. `labels` of shape
    (n,), `sample_weight` of shape (n,). `prior` of shape (m,): weights of the members before the rows are seen;
    positive. `pull`: rows that the prior is worth: so many times the Kullback-Leibler divergence of the weights from
    `prior`, and half the squares of log-slope and offsets, are added to the summed loss of `n` rows. `codes` of shape
    (n,): numbers of groups that get offsets of their own.

    Stacking on the simplex (Breiman, "Stacked regressions", 1996) of log-odds (a logarithmic opinion pool), with a
    slope and offsets as in temperature scaling. The divergence is entropic regularisation towards `prior`; the squares
    keep slope and offsets of ten rare rows from following chance, and those of separated classes finite.

    >>> rng = np.random.default_rng(0)
    >>> p = rng.uniform(0.05, 0.95, 2000)
    >>> y = (rng.random(2000) < p).astype(int)
    >>> noise = rng.uniform(0.05, 0.95, 2000)
    >>> logs = np.log([np.column_stack([1 - q, q]) for q in (p, noise)])
    >>> fit_combination(logs, y, np.ones(2000), np.array([0.5, 0.5]), 1.0).weights.round(1)
    array([1., 0.])
    """
    if prior.min() <= 0:
        raise OptionError("prior weights of members are positive", where="prior", got=prior.tolist())
    m, n, k = logs.shape
    share = sample_weight / sample_weight.sum()
    rows = np.arange(n)
    log_prior = np.log(prior / prior.sum())
    groups = 0 if codes is None else int(codes.max()) + 1
    member_of = np.zeros((groups, n))
    if codes is not None:
        member_of[codes, rows] = 1.0

    def value(point: np.ndarray) -> tuple[float, np.ndarray]:
        log_weights = log_softmax(point[:m])
        weights, slope, offsets = np.exp(log_weights), np.exp(point[m]), point[m + 1 :].reshape(1 + groups, k)
        pooled = np.tensordot(weights, logs, 1)
        odds = slope * pooled + offsets[0] + member_of.T @ offsets[1:]
        total = logsumexp(odds, axis=1)
        residual = np.exp(odds - total[:, None])
        residual[rows, labels] -= 1.0
        residual *= share[:, None]
        divergence = log_weights - log_prior
        loss = share @ (total - odds[rows, labels])
        loss += pull / n * (weights @ divergence + 0.5 * point[m:] @ point[m:])
        slopes = slope * np.tensordot(logs, residual, 2) + pull / n * (divergence + 1.0)
        gradient = np.concatenate(
            [
                weights * (slopes - weights @ slopes),
                [slope * (residual * pooled).sum()],
                residual.sum(axis=0),
                (member_of @ residual).ravel(),
            ]
        )
        gradient[m:] += pull / n * point[m:]
        return float(loss), gradient

    start = np.concatenate([log_prior, np.zeros(1 + (1 + groups) * k)])
    best = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    offsets = best[m + 1 :].reshape(1 + groups, k)
    offsets = offsets - offsets.mean(axis=1, keepdims=True)
    return Combination(softmax(best[:m]), float(np.exp(best[m])), offsets[0], offsets[1:] if groups else None)
