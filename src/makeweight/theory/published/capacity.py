"""How far a generator is from the truth, as a function of the rows it sees and of its width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.spatial import cKDTree

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_matrix, as_vector, count
from makeweight.theory.published.densities import Density, GaussianDensity

__all__ = [
    "CapacityPoint",
    "CapacityRate",
    "Divergence",
    "capacity_curve",
    "divergence_from_density",
    "divergence_from_rows",
    "fit_capacity_rate",
]

ContextGenerator = Callable[[Floats, int, np.random.Generator], Density | Floats]
"""generator(context_rows, width, rng) -> a law with `log_prob`, or generated rows of shape (m, d)."""


@dataclass(frozen=True)
class Divergence:
    """A Kullback-Leibler divergence KL(truth || generated), in nats, with the error of its estimate.

    Attributes
    ----------
    estimate : float
    standard_error : float
        Zero when exact.
    bias : float
        What the estimator reports for rows of the truth itself; already subtracted from `estimate`.
    method : str
        "exact", "density", "neighbours" or "cells".

    Examples
    --------
    >>> Divergence(0.02, 0.01, 0.0, "neighbours").above_noise
    True
    """

    estimate: float
    standard_error: float
    bias: float
    method: str

    @property
    def above_noise(self) -> bool:
        """Whether the estimate is above 1.645 standard errors."""
        return self.estimate > 1.645 * self.standard_error


def divergence_from_density(truth: Density, model: Density, *, rng: np.random.Generator, n: int = 10_000) -> Divergence:
    """Return KL(truth || model) for a model with a density: exact where possible, else by sampling the truth.

    Parameters
    ----------
    truth, model : Density
    rng : numpy.random.Generator
    n : int, default 10,000
        Rows drawn when there is no closed form.

    Returns
    -------
    Divergence
        Infinite where the model gives a possible row probability zero.

    Notes
    -----
    Source: the definition of the divergence. Exact between Gaussians, and by enumeration for category codes;
    otherwise the mean of log p - log q, which is unbiased.

    Examples
    --------
    >>> first, second = GaussianDensity([0.0], [[1.0]]), GaussianDensity([1.0], [[1.0]])
    >>> divergence_from_density(first, second, rng=np.random.default_rng(0)).estimate
    0.5
    """
    exact = getattr(truth, "divergence", None)
    if exact is not None and isinstance(truth, GaussianDensity) == isinstance(model, GaussianDensity):
        return Divergence(float(exact(model)), 0.0, 0.0, "exact")
    rows = truth.sample(count(n, "n", least=2), rng)
    gaps = truth.log_prob(rows) - model.log_prob(rows)
    if not np.isfinite(gaps).all():
        return Divergence(math.inf, 0.0, 0.0, "density")
    return Divergence(float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps))), 0.0, "density")


def divergence_from_rows(
    truth: Density,
    generated: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    neighbours: int = 5,
    references: int = 10,
) -> Divergence:
    """Estimate KL(truth || generated) from generated rows alone.

    Category codes: cell shares with half a pseudo-row, against the exact truth. Numbers: nearest neighbours.
    The same estimator on as many rows drawn from the truth, repeated, gives the bias that is subtracted and
    the noise.

    Parameters
    ----------
    truth : Density
        Laws with a `support` count as category codes.
    generated : array-like of shape (m, d)
    rng : numpy.random.Generator
    neighbours : int, default 5
    references : int, default 10
        Repeats on rows of the truth; at least 3.

    Returns
    -------
    Divergence
        May be slightly negative for a perfect generator: the bias is subtracted, the noise is not cut off.

    Notes
    -----
    Nearest neighbours: Wang, Kulkarni and Verdu (2009). Their bias grows with the dimension and is only
    removed here as far as it is the same for the truth: for far-off generators treat the value as a
    comparison.

    Examples
    --------
    >>> truth, rng = GaussianDensity([0.0], [[1.0]]), np.random.default_rng(0)
    >>> found = divergence_from_rows(truth, rng.normal(1.0, 1.0, size=(2000, 1)), rng=rng)
    >>> abs(found.estimate - 0.5) < 4 * found.standard_error
    True
    """
    rows = as_matrix(generated, "generated")
    count(references, "references", least=3)
    if len(rows) <= count(neighbours, "neighbours", least=1) + 1:
        raise PlanError("too few generated rows", got=len(rows), expected=f"> {neighbours + 1}")
    if hasattr(truth, "support"):
        support = np.asarray(truth.support, dtype=np.float64)
        mass = np.exp(truth.log_prob(support))

        def estimate(sample: Floats) -> tuple[float, float]:
            return _cell_divergence(support, mass, sample)

        method = "cells"
    else:

        def estimate(sample: Floats) -> tuple[float, float]:
            return _neighbour_divergence(truth.sample(len(sample), rng), sample, neighbours)

        method = "neighbours"
    value, own_error = estimate(rows)
    null = np.array([estimate(truth.sample(len(rows), rng))[0] for _ in range(references)])
    bias, noise = float(null.mean()), float(null.std(ddof=1))
    error = math.hypot(max(own_error, noise), noise / math.sqrt(references))
    return Divergence(value - bias, error, bias, method)


def _cell_divergence(support: Floats, mass: Floats, rows: Floats) -> tuple[float, float]:
    """Return the divergence of smoothed cell shares, and its delta-method standard error."""
    lookup = {row.tobytes(): k for k, row in enumerate(support)}
    cells = [lookup.get(row.tobytes(), -1) for row in rows]
    if min(cells) < 0:
        raise SchemaError("generated rows outside the support", where="generated", got=cells.count(-1), expected="none")
    shares = (np.bincount(cells, minlength=len(support)) + 0.5) / (len(rows) + 0.5 * len(support))
    held = mass > 0
    ratio = mass / shares
    variance = (float(shares @ ratio**2) - 1.0) / len(rows)
    return float(mass[held] @ np.log(mass[held] / shares[held])), math.sqrt(max(variance, 0.0))


def _neighbour_divergence(true_rows: Floats, rows: Floats, neighbours: int) -> tuple[float, float]:
    """Return the nearest-neighbour divergence and the standard error of its mean over true rows."""
    spread = true_rows.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    true_rows, rows = true_rows / scale, rows / scale
    within = np.asarray(cKDTree(true_rows).query(true_rows, k=[neighbours + 1])[0])[:, 0]
    across = np.asarray(cKDTree(rows).query(true_rows, k=[neighbours])[0])[:, 0]
    if within.min() == 0 or across.min() == 0:
        raise SchemaError(
            "rows coincide: nearest neighbours need continuous columns",
            where="generated",
            hint="add rounding noise, or use a law of category codes",
        )
    n, width = true_rows.shape
    terms = width * np.log(across / within) + math.log(len(rows) / (n - 1))
    return float(terms.mean()), float(terms.std(ddof=1) / math.sqrt(n))


@dataclass(frozen=True)
class CapacityPoint:
    """Divergence of a generator at one number of context rows and one width.

    Attributes
    ----------
    n_context, width : int
    divergence : Divergence
        Mean over repeats; its standard error includes their scatter.

    Examples
    --------
    >>> CapacityPoint(100, 16, Divergence(0.1, 0.01, 0.0, "cells")).width
    16
    """

    n_context: int
    width: int
    divergence: Divergence


def capacity_curve(
    truth: Density,
    generator: ContextGenerator,
    *,
    n_context: Sequence[int],
    widths: Sequence[int],
    rng: np.random.Generator,
    repeats: int = 5,
) -> tuple[CapacityPoint, ...]:
    """Measure KL(truth || generated) over numbers of context rows and widths.

    Parameters
    ----------
    truth : Density
    generator : callable
        ``generator(context, width, rng)`` returns a law with `log_prob`, or as many rows as it likes.
    n_context, widths : sequence of int
    rng : numpy.random.Generator
    repeats : int, default 5
        Fresh context draws per point; at least 2.

    Returns
    -------
    tuple of CapacityPoint

    Notes
    -----
    Estimates the left side of the theorem of arXiv 2406.03628 on in-context generators. Nested contexts are
    not used: every point draws its own.

    Examples
    --------
    >>> from makeweight.theory.published.densities import fit_gaussian
    >>> truth = GaussianDensity(np.zeros(2), np.eye(2))
    >>> points = capacity_curve(
    ...     truth, lambda rows, width, rng: fit_gaussian(rows), n_context=[50, 800], widths=[1],
    ...     rng=np.random.default_rng(0))
    >>> points[0].divergence.estimate > points[1].divergence.estimate > 0
    True
    """
    count(repeats, "repeats", least=2)
    found = []
    for size in n_context:
        for width in widths:
            values = []
            for stream in rng.spawn(repeats):
                context = truth.sample(count(size, "n_context", least=1), stream)
                made = generator(context, width, stream)
                values.append(
                    divergence_from_rows(truth, made, rng=stream)
                    if isinstance(made, np.ndarray)
                    else divergence_from_density(truth, made, rng=stream)
                )
            found.append(CapacityPoint(int(size), int(width), _mean(values)))
    return tuple(found)


def _mean(values: list[Divergence]) -> Divergence:
    estimates = np.array([value.estimate for value in values])
    scatter = float(estimates.std(ddof=1) / math.sqrt(len(values))) if np.isfinite(estimates).all() else math.inf
    return Divergence(
        float(estimates.mean()), scatter, float(np.mean([value.bias for value in values])), values[0].method
    )


@dataclass(frozen=True)
class CapacityRate:
    """The theorem's rate with fitted constants: a / sqrt(width) + b log(width) / sqrt(n).

    Attributes
    ----------
    width_constant, row_constant : float
        a and b, not negative.
    explained : float
        Share of the variance of log-divergences explained; low or negative means that the rate is not the
        shape of these points.
    row_exponent : float
        Slope of log divergence on log n at the largest width, for comparison with -1/2; nan with fewer than
        two sizes.

    Examples
    --------
    >>> CapacityRate(1.0, 2.0, 1.0, -0.5).predict(100, 4).round(3)
    np.float64(0.777)
    """

    width_constant: float
    row_constant: float
    explained: float
    row_exponent: float

    def predict(self, n_context: npt.ArrayLike, width: npt.ArrayLike) -> Floats:
        """Return a / sqrt(width) + b log(width) / sqrt(n)."""
        rows, wide = np.asarray(n_context, dtype=np.float64), np.asarray(width, dtype=np.float64)
        made = self.width_constant / np.sqrt(wide) + self.row_constant * np.log(wide) / np.sqrt(rows)
        return np.asarray(made)[()]


def fit_capacity_rate(n_context: npt.ArrayLike, widths: npt.ArrayLike, divergences: npt.ArrayLike) -> CapacityRate:
    """Fit the constants of the theorem's rate to measured divergences.

    Parameters
    ----------
    n_context, widths : array-like of shape (s,)
        Widths at least 2.
    divergences : array-like of shape (s,)
        Positive.

    Returns
    -------
    CapacityRate

    Notes
    -----
    arXiv 2406.03628 states KL <~ 1/sqrt(d) + log d / sqrt(n), an upper bound: measured divergences may fall
    faster (a parametric generator falls like 1/n). Least squares on relative errors with constants not
    negative.

    Examples
    --------
    >>> n, d = np.array([100, 400, 100, 400]), np.array([4, 4, 64, 64])
    >>> rate = fit_capacity_rate(n, d, 0.5 / np.sqrt(d) + 0.1 * np.log(d) / np.sqrt(n))
    >>> round(rate.width_constant, 6), round(rate.row_constant, 6)
    (0.5, 0.1)
    """
    rows = as_vector(n_context, "n_context")
    wide = as_vector(widths, "widths", length=len(rows))
    values = as_vector(divergences, "divergences", length=len(rows))
    if values.min() <= 0 or wide.min() < 2 or rows.min() < 1:
        raise OptionError(
            "divergences must be positive and widths at least 2",
            got=f"smallest divergence {values.min():.2g}, smallest width {wide.min():g}",
            hint="leave out points that are not above their noise",
        )
    basis = np.column_stack([1 / np.sqrt(wide), np.log(wide) / np.sqrt(rows)])
    if len(values) < 3 or np.linalg.matrix_rank(basis) < 2:
        raise PlanError("two constants need three points that differ in width or rows", got=len(values))
    constants, _ = nnls(basis / values[:, None], np.ones(len(values)))
    fitted = basis @ constants
    logs = np.log(values)
    total = float(((logs - logs.mean()) ** 2).sum())
    rest = float(((logs - np.log(fitted)) ** 2).sum())
    widest = wide == wide.max()
    slope = math.nan
    if len(np.unique(rows[widest])) > 1:
        slope = float(np.polyfit(np.log(rows[widest]), logs[widest], 1)[0])
    return CapacityRate(float(constants[0]), float(constants[1]), 1 - rest / total if total > 0 else 1.0, slope)
