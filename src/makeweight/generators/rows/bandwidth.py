"""How far rows move: the bandwidths with the best leave-one-out likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

__all__ = ["Smoothing", "choose_smoothing"]

#: Constants c of h = c n^(-1/(d + 4)) that are tried.
FACTORS = (0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5)
#: Shares of categories drawn anew that are tried. The likelihood takes them for drawn independently of the
#: rest of the row; beside numbers, more than a fifth is then preferred too often. In a table of categories
#: only, less than a fifth would mostly write copies.
SHARES, SHARES_WITHOUT_NUMBERS = (0.02, 0.05, 0.1, 0.2), (0.2, 0.35, 0.5)
#: Rows whose likelihood is worked out: in all, of one group at most, and of every group at least.
MAX_ROWS, MAX_GROUP_ROWS, MIN_GROUP_ROWS = 2_000, 400, 25


@dataclass(frozen=True)
class Smoothing:
    """Bandwidths of the continuous and of the coded part."""

    factor: float  # c of h = c n^(-1/(d + 4))
    share: float  # probability with which a category comes from a near row
    dimension: int  # d, the number of continuous columns

    def weights(self, n: int) -> tuple[float, float]:
        """Return the weight a of a row's deviation from the group mean, and h, that of the noise.

        With S the shared covariance, rows have the empirical covariance (n - 1)/n S around their own mean.
        The weights give a^2 (n - 1)/n + h^2 = (n + 1)/n, so that synthetic rows have the covariance of a
        *new* row around that mean, which also knows the mean from n rows only **[derived]**.

        >>> a, h = Smoothing(0.8, 0.1, 1).weights(100)
        >>> round(a * a * 99 / 100 + h * h, 6)
        1.01
        """
        total = (n + 1) / n
        h = min(np.sqrt(total), self.factor * n ** (-1.0 / (self.dimension + 4)))
        a = np.sqrt(max(0.0, total - h * h) * n / (n - 1)) if n > 1 else 0.0
        return float(a), float(h)


def choose_smoothing(
    whitened: np.ndarray,
    codes: np.ndarray,
    start: np.ndarray,
    overall: np.ndarray,
    *,
    borrowed: float,
    factor: float | None,
    share: float | None,
    rng: np.random.Generator,
) -> Smoothing:
    """Return the pair of bandwidths under which left-out real rows are likeliest.

    Row i of group g is scored by log of the mean over the group's other rows k of
    N(w_i; (1 - a) m + a w_k, h^2 I) prod_j q(c_ij | c_kj), where m is the mean without row i, and
    q keeps category c_kj with probability 1 - share and else draws from the group's other rows. The sum over
    rows of all groups is maximised over both grids.

    `whitened` of shape (n, d), `codes` of shape (n, q), `start` of shape (n_groups + 1,). `overall` of shape (d,): mean
    of the groups' means, whitened. `borrowed`: as for `makeweight.generators.rows.residuals.SharedResiduals`. `factor`,
    `share`: values that are given rather than chosen. `rng`: draws the rows of large groups.

    References
    ----------
    Likelihood cross-validation: Habbema, Hermans and van den Broek 1974; Duin 1976. Kernel of the categories
    after Aitchison and Aitken 1976.
    """
    d, q = whitened.shape[1], codes.shape[1]
    factors = FACTORS if factor is None else (factor,)
    shares = (SHARES if d else SHARES_WITHOUT_NUMBERS) if share is None else (share,)
    factors, shares = factors if d else factors[:1], shares if q else shares[:1]
    if len(factors) == len(shares) == 1:
        return Smoothing(factors[0], shares[0], d)
    n_groups = len(start) - 1
    most = int(np.clip(MAX_ROWS // n_groups, MIN_GROUP_ROWS, MAX_GROUP_ROWS))
    frequencies = [np.bincount(codes[:, j] + 1) / len(codes) for j in range(q)]
    likelihood = np.zeros((len(factors), len(shares)))
    for first, last, stream in zip(start[:-1], start[1:], rng.spawn(n_groups), strict=True):
        rows = np.arange(first, last)
        if len(rows) < 2:
            continue
        if len(rows) > most:
            rows = stream.choice(rows, most, replace=False)
        coded = [_coded_kernel(codes[rows], frequencies, max(anew, 1e-3)) for anew in shares]
        for i, constant in enumerate(factors):
            kernel = _continuous_kernel(whitened[rows], overall, borrowed, Smoothing(constant, 0.0, d))
            np.fill_diagonal(kernel, -np.inf)
            for j, part in enumerate(coded):
                likelihood[i, j] += (logsumexp(kernel + part, axis=1) - np.log(len(rows) - 1)).sum()
    best = np.unravel_index(int(np.argmax(likelihood)), likelihood.shape)
    return Smoothing(factors[int(best[0])], shares[int(best[1])], d)


def _continuous_kernel(w: np.ndarray, overall: np.ndarray, borrowed: float, smoothing: Smoothing) -> np.ndarray:
    """Return log N(w_i; (1 - a) m_i + a w_k, h^2 I), less a constant, in row i and column k."""
    n = len(w)
    a, h = smoothing.weights(n - 1)
    left_out_mean = (n * w.mean(axis=0) - w + borrowed * overall) / (n - 1 + borrowed)
    target = w - (1.0 - a) * left_out_mean
    distance = (target**2).sum(axis=1)[:, None] + a * a * (w**2).sum(axis=1) - 2.0 * a * (target @ w.T)
    return np.asarray(-0.5 * distance / h**2 - smoothing.dimension * np.log(h))


def _coded_kernel(codes: np.ndarray, frequencies: list[np.ndarray], share: float) -> np.ndarray:
    """Return log prod_j q(c_ij | c_kj) in row i and column k."""
    n = len(codes)
    kernel = np.zeros((n, n))
    for column, frequency in zip((codes + 1).T, frequencies, strict=True):
        counts = np.bincount(column, minlength=len(frequency))
        elsewhere = (counts[column] - 1 + frequency[column]) / n  # one row of the whole table smooths the group
        kernel += np.log(share * elsewhere)[:, None]
        kernel += (column[:, None] == column) * np.log1p((1.0 - share) / (share * elsewhere))[:, None]
    return kernel
