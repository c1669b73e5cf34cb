"""Best ratio of synthetic to real rows, and kernel ridge towards a generator: worlds in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from makeweight.errors import OptionError
from makeweight.theory._checks import Floats, as_vector, count

__all__ = ["KernelRidgeWorld", "best_ratio", "pooled_risk"]


@dataclass(frozen=True)
class KernelRidgeWorld:
    """Kernel ridge regression on n real rows, pulled towards what a generator says: its error for every strength.

    f minimises sum_i (y_i - f(x_i))^2 + strength |f - g|^2 in the kernel's norm, for labels y = truth + noise.

    Attributes
    ----------
    eigenvalues : ndarray of shape (n,)
        Of the kernel matrix of the real rows.
    error : ndarray of shape (n,)
        Truth less generator at the real rows, in the kernel matrix's eigenvectors.
    noise : float
        Standard deviation of the labels.

    Notes
    -----
    The estimator is that of arXiv 2510.08095, whose Theorem 2.2 bounds its error; the exact error at the real rows is
    derived here. f - g is kernel ridge on y - g, so that in the eigenvectors the error is
    (-strength e_j + eigenvalue_j noise_j) / (eigenvalue_j + strength).

    Examples
    --------
    >>> world = KernelRidgeWorld(np.ones(4), np.full(4, 0.5), 1.0)
    >>> world.best_strength, world.risk(world.best_strength) < min(world.risk(0.0), world.risk(np.inf))
    (4.0, True)
    """

    eigenvalues: Floats
    error: Floats
    noise: float

    def __post_init__(self) -> None:
        kernel = as_vector(self.eigenvalues, "eigenvalues")
        as_vector(self.error, "error", length=len(kernel))
        if kernel.min() <= 0 or self.noise < 0:
            raise OptionError("eigenvalues must be positive and the noise not negative", got=self.noise)

    @classmethod
    def from_rows(
        cls, kernel: npt.ArrayLike, truth: npt.ArrayLike, generator: npt.ArrayLike, noise: float
    ) -> KernelRidgeWorld:
        """Return the world of a kernel matrix, with truth and generator at its rows, shapes (n, n), (n,), (n,).

        Examples
        --------
        >>> KernelRidgeWorld.from_rows(np.eye(2), [1.0, 0.0], [0.0, 0.0], 0.5).risk(np.inf)
        0.5
        """
        values, vectors = np.linalg.eigh(np.asarray(kernel, dtype=np.float64))
        return cls(values, vectors.T @ (np.asarray(truth) - np.asarray(generator)), noise)

    def risk(self, strength: float) -> float:
        """Return the mean squared error at the real rows, without the noise of new labels.

        Examples
        --------
        >>> KernelRidgeWorld(np.ones(2), np.ones(2), 2.0).risk(0.0)           # the noise
        4.0
        """
        if not strength >= 0:
            raise OptionError("out of range", where="strength", got=strength, expected=">= 0")
        pulled = np.ones_like(self.eigenvalues) if np.isinf(strength) else strength / (self.eigenvalues + strength)
        return float(np.mean((pulled * self.error) ** 2 + ((1 - pulled) * self.noise) ** 2))

    @property
    def best_strength(self) -> float:
        """Strength with the smallest error; infinite where the generator is perfect, 0 where there is no noise."""
        if not np.any(self.error):
            return math.inf
        if self.noise == 0:
            return 0.0
        minimum = minimize_scalar(lambda log: self.risk(math.exp(log)), bounds=(-30.0, 30.0), method="bounded")
        equal = np.ptp(self.eigenvalues) == 0
        exact = float(self.eigenvalues[0]) * self.noise**2 / float(np.mean(self.error**2))
        return exact if equal else math.exp(minimum.x)


def pooled_risk(n_real: int, n_synthetic: float, bias: float, variance: float = 1.0) -> float:
    """Return the squared error of a mean over real and synthetic rows that all weigh alike.

    Parameters
    ----------
    n_real : int
    n_synthetic : float
        Independent rows from a law whose mean is off by `bias`.
    bias : float
    variance : float, default 1
        Of a row of either kind.

    Returns
    -------
    float
        (m / (n + m))^2 bias^2 + variance / (n + m).

    Notes
    -----
    Derived: the simplest world with the U-shape of arXiv 2510.08095.

    Examples
    --------
    >>> pooled_risk(100, 0, 0.1), round(pooled_risk(100, 100, 0.1), 6)
    (0.01, 0.0075)
    """
    total = count(n_real, "n_real", least=1) + n_synthetic
    if not (n_synthetic >= 0 and variance > 0):
        raise OptionError("out of range", got=f"n_synthetic={n_synthetic}, variance={variance}", expected="positive")
    return float((n_synthetic / total) ** 2 * bias**2 + variance / total)


def best_ratio(n_real: int, bias: float, variance: float = 1.0) -> float:
    """Return the number of synthetic rows per real row with the smallest `pooled_risk`.

    Parameters
    ----------
    n_real, bias, variance
        As in `pooled_risk`.

    Returns
    -------
    float
        Infinite where bias^2 <= variance / (2 n): then more rows always help.

    Notes
    -----
    Derived for the best ratio of arXiv 2510.08095. With u = n / (n + m) the error is (1 - u)^2 bias^2 + u variance / n,
    least at u = 1 - t for t = variance / (2 n bias^2), so that m / n = t / (1 - t): the ratio falls with n.

    Examples
    --------
    >>> round(best_ratio(100, 0.1), 3), best_ratio(100, 0.05)
    (1.0, inf)
    """
    if not (variance > 0 and math.isfinite(bias)):
        raise OptionError("out of range", got=f"bias={bias}, variance={variance}", expected="finite, variance > 0")
    if bias == 0:
        return math.inf
    share = variance / (2 * count(n_real, "n_real", least=1) * bias**2)
    return math.inf if share >= 1 else share / (1 - share)
