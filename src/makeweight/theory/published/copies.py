"""Does a generator copy its training rows? What the score tests cannot see."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import ndtr

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, as_matrix
from makeweight.theory.transport import matrix_power

__all__ = ["CopyCheck", "copy_check"]


@dataclass(frozen=True)
class CopyCheck:
    """Two verdicts: whether rows equal training rows, and whether they crowd around them.

    Attributes
    ----------
    exact_rate, exact_reference : float
        Share of synthetic, and of held-out real rows, that equal a training row.
    exact_p_value : float
        One-sided, that synthetic rows equal training rows no more often than held-out real rows do.
    near_share, near_reference : float
        Share of synthetic rows whose nearest real row, among as many training as held-out rows, is a training row; and
        the same for rows of a Gaussian with the mean and covariance of the synthetic rows, which copies nothing.
    near_p_value : float
        One-sided, that synthetic rows lie no nearer to training rows than such a Gaussian's.
    level : float
        At which `copied` and `near` judge.

    Examples
    --------
    >>> check = CopyCheck(1.0, 0.0, 0.0, 1.0, 0.5, 0.001, 0.01)
    >>> check.copied, check.near
    (True, True)
    """

    exact_rate: float
    exact_reference: float
    exact_p_value: float
    near_share: float
    near_reference: float
    near_p_value: float
    level: float

    @property
    def copied(self) -> bool:
        """Whether rows equal training rows more often than fresh real rows do."""
        return self.exact_p_value < self.level

    @property
    def near(self) -> bool:
        """Whether rows crowd around training rows, beyond what fitting a mean and a covariance explains."""
        return self.near_p_value < self.level


def copy_check(
    folds: list[tuple[Floats, Floats, Floats]], *, rng: np.random.Generator, level: float = 0.01
) -> CopyCheck:
    """Compare synthetic rows with held-out real rows: exact copies, and nearness to the training rows.

    Parameters
    ----------
    folds : list of (training, synthetic, held_out)
        Each of shape (n, d): the rows of one group that the generator was fitted on, the rows it wrote, and
        real rows of the same group that it has not seen.
    rng : numpy.random.Generator
    level : float, default 0.01
        Of each verdict.

    Returns
    -------
    CopyCheck

    Notes
    -----
    Derived in docs/theory.md, "Copies and nearness". Each real row is counted as often as it is the nearest one to a
    synthetic row, less how often it is to a row of the Gaussian; training and held-out rows are then compared by
    Welch's t. Real rows are the independent units, so that any number of synthetic rows may be written; where the
    rows are, and how narrow they are, cancels, and so does what fitting a mean and a covariance does to distances.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(100, 3))
    >>> copies = copy_check([(rows[:50], rows[rng.integers(0, 50, 200)], rows[50:])], rng=rng)
    >>> copies.exact_rate, copies.copied, copies.near
    (1.0, True, True)
    >>> fresh = copy_check([(rows[:50], rng.normal(size=(200, 3)), rows[50:])], rng=rng)
    >>> fresh.copied, fresh.near
    (False, False)
    """
    if not folds:
        raise PlanError("nothing to compare", where="folds", got=0, expected=">= 1")
    exact_written, exact_held, counts = [], [], []
    for training, written, held in folds:
        train = as_matrix(training, "training rows")
        written, held = as_matrix(written, "synthetic rows"), as_matrix(held, "held-out rows")
        known = {row.tobytes() for row in train + 0.0}
        exact_written.append(np.array([row.tobytes() in known for row in written + 0.0]))
        exact_held.append(np.array([row.tobytes() in known for row in held + 0.0]))
        counts.append(_nearest(train, written, held, rng))
    copied, coincident = np.concatenate(exact_written), np.concatenate(exact_held)
    train_counts, held_counts = (np.hstack([pair[side] for pair in counts]) for side in (0, 1))
    shares = train_counts.sum(axis=1) / (train_counts.sum(axis=1) + held_counts.sum(axis=1))
    return CopyCheck(
        float(copied.mean()),
        float(coincident.mean()),
        _more_copies(copied, coincident),
        float(shares[0]),
        float(shares[1]),
        _larger(train_counts[0] - train_counts[1], held_counts[0] - held_counts[1]),
        level,
    )


def _nearest(train: Floats, written: Floats, held: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return how often each training and each held-out row is nearest, to rows and to a Gaussian's, (2, k) each."""
    size = min(len(train), len(held))
    both = np.vstack([rng.permutation(train)[:size], rng.permutation(held)[:size]])
    spread = train.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    order = rng.permutation(len(both))  # ties go to either side alike
    tree = cKDTree(both[order] / scale)
    width = written.shape[1]
    root = matrix_power(np.atleast_2d(np.cov(written.T)), 0.5) if len(written) > 1 else np.zeros((width, width))
    smooth = written.mean(axis=0) + rng.standard_normal(written.shape) @ root
    counts = np.empty((2, len(both)))
    for row, sample in zip(counts, (written, smooth), strict=True):
        row[order] = np.bincount(tree.query(sample / scale)[1], minlength=len(both))
    return counts[:, :size], counts[:, size:]


def _larger(first: Floats, second: Floats) -> float:
    """Return the one-sided p-value of Welch's t: the first mean is not larger."""
    variance = float(first.var(ddof=1)) / len(first) + float(second.var(ddof=1)) / len(second)
    gap = float(first.mean() - second.mean())
    return float(ndtr(-gap / math.sqrt(variance))) if variance > 0 else float(gap <= 0)


def _more_copies(written: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]) -> float:
    """One-sided p-value of the difference of two rates, with one pseudo-row of each kind on both sides."""
    first, second = (written.sum() + 1) / (len(written) + 2), (held.sum() + 1) / (len(held) + 2)
    if not written.any():
        return 1.0
    variance = first * (1 - first) / len(written) + second * (1 - second) / len(held)
    return float(ndtr(-(first - second) / np.sqrt(variance)))
