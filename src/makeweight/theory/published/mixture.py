"""The scaling law of weighted mixtures of real and surrogate rows, and the alpha that is best under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from makeweight.errors import OptionError, PlanError
from makeweight.theory._checks import fraction
from makeweight.theory.powerlaw import PowerLaw
from makeweight.theory.scaling import ScalingLaw

__all__ = ["MixtureLaw", "fit_mixture_law"]


@dataclass(frozen=True)
class MixtureLaw:
    """Excess risk of minimising (1 - alpha) R_real + alpha R_surrogate on n real and m surrogate rows.

    R(n, m, alpha) - best = alpha^2 bias + [alpha^2 S(m)^(1/beta) + (1 - alpha)^2 E(n)^(1/beta)]^beta with
    E(n) = real_amplitude n^-beta and S(m) = surrogate_amplitude m^-beta.

    Attributes
    ----------
    best : float
        R*, the risk of infinitely many real rows.
    bias : float
        R_su(inf) - R*, the excess of infinitely many surrogate rows.
    real_amplitude, surrogate_amplitude, exponent : float

    Notes
    -----
    arXiv 2402.04376 (Jain, Montanari, Sasoglu); the formula is quoted from memory of the paper and agrees
    with the exact risk of mean estimation at beta = 1, derived in docs/theory.md and tested.

    Examples
    --------
    >>> law = MixtureLaw(best=0.0, bias=0.04, real_amplitude=1.0, surrogate_amplitude=1.0, exponent=1.0)
    >>> round(law.risk(100, 1000, 0.1), 5)
    0.00851
    >>> round(law.best_alpha(100, 1000), 3)                          # 0.01 / (0.04 + 0.001 + 0.01)
    0.196
    >>> law.pooled_alpha(100, 300)
    0.75
    """

    best: float
    bias: float
    real_amplitude: float
    surrogate_amplitude: float
    exponent: float

    def __post_init__(self) -> None:
        if min(self.real_amplitude, self.surrogate_amplitude, self.exponent) <= 0 or self.bias < 0:
            raise OptionError("amplitudes and exponent must be positive, the bias not negative", got=str(self))

    def risk(self, n_real: float, n_surrogate: float, alpha: float) -> float:
        """Return R(n, m, alpha)."""
        fraction(alpha, "alpha")
        if n_real < 0 or n_surrogate < 0 or (alpha < 1 and n_real == 0) or (alpha > 0 and n_surrogate == 0):
            raise PlanError("a weighted part has no rows", got=f"n={n_real}, m={n_surrogate}, alpha={alpha}")
        power = 1 / self.exponent
        surrogate = alpha**2 * self.surrogate_amplitude**power / n_surrogate if alpha > 0 else 0.0
        real = (1 - alpha) ** 2 * self.real_amplitude**power / n_real if alpha < 1 else 0.0
        return float(self.best + alpha**2 * self.bias + (surrogate + real) ** self.exponent)

    def best_alpha(self, n_real: float, n_surrogate: float) -> float:
        """Return the alpha with the smallest risk, to six digits."""
        if n_surrogate <= 0:
            return 0.0
        minimum = minimize_scalar(
            lambda alpha: self.risk(n_real, n_surrogate, float(alpha)),
            bounds=(0.0, 1.0),
            method="bounded",
            options={"xatol": 1e-7},
        )
        return float(minimum.x)

    def pooled_alpha(self, n_real: float, n_surrogate: float) -> float:
        """Return the alpha of unweighted pooling, m / (n + m)."""
        return n_surrogate / (n_real + n_surrogate)


def fit_mixture_law(
    real_sizes: npt.ArrayLike, real_risks: npt.ArrayLike, surrogate_sizes: npt.ArrayLike, surrogate_risks: npt.ArrayLike
) -> MixtureLaw:
    """Fit the law from a learning curve on real rows and one on surrogate rows, both tested on real rows.

    Parameters
    ----------
    real_sizes, surrogate_sizes : array-like of shape (s,)
        Rows of each kind; at least five sizes.
    real_risks, surrogate_risks : array-like of shape (s,) or (r, s)

    Returns
    -------
    MixtureLaw

    Raises
    ------
    PlanError
        When a curve is not identifiable, with the reason.

    Notes
    -----
    The recipe of arXiv 2402.04376: R*, A and beta from the real curve, R_su(inf) from the surrogate one with
    the same beta. A surrogate floor below R* counts as no bias.

    Examples
    --------
    >>> n = np.array([50, 100, 200, 400, 800, 1600])
    >>> law = fit_mixture_law(n, 0.1 + 2 / n, n, 0.3 + 1 / n)
    >>> round(law.bias, 3), round(law.exponent, 2)
    (0.2, 1.0)
    """
    curves = []
    for sizes, risks, name in ((real_sizes, real_risks, "real"), (surrogate_sizes, surrogate_risks, "surrogate")):
        law = ScalingLaw(1, 1)
        law.fit(np.asarray(sizes, dtype=np.float64) - 1, risks)
        if not law.identifiable_:
            raise PlanError("a learning curve is not identifiable", where=f"{name} rows", got=law.reason_)
        curves.append(law)
    real, surrogate = curves
    exponent = real.exponent_.estimate
    shared = _with_exponent(surrogate, exponent)
    return MixtureLaw(
        real.floor_.estimate,
        max(shared.floor - real.floor_.estimate, 0.0),
        real.amplitude_.estimate,
        shared.amplitude,
        exponent,
    )


def _with_exponent(law: ScalingLaw, exponent: float) -> PowerLaw:
    basis = (1 + law.sizes_) ** -exponent
    amplitude, floor = np.polyfit(basis, law.risks_, 1)
    if amplitude <= 0:
        raise PlanError("the risk does not fall with more rows", where="surrogate rows")
    return PowerLaw(float(floor), float(amplitude), exponent)
