"""How far a generator is from the truth, as a function of the rows it sees and of its width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.spatial.distance import cdist

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_matrix, as_vector, count
from makeweight.theory.published.densities import Density, GaussianDensity

__all__ = [
    "CapacityPoint",
    "CapacityRate",
    "Divergence",
    "capacity_curve",
    "divergence_from_density",
    "energy_distance",
    "fit_capacity_rate",
]

ContextGenerator = Callable[[Floats, int, np.random.Generator], Density | Floats]
"""generator(context_rows, width, rng) -> a law with `log_prob`, or generated rows of shape (m, d)."""


@dataclass(frozen=True)
class Divergence:
    """How far a generator is from the truth, with the error of the estimate.

    Attributes
    ----------
    estimate : float
        KL(truth || generated) in nats, or the energy distance.
    standard_error : float
        Zero when exact.
    method : str
        "exact" or "density" for a Kullback-Leibler divergence; "energy" for an energy distance.

    Examples
    --------
    >>> Divergence(0.02, 0.01, "density").above_noise
    True
    """

    estimate: float
    standard_error: float
    method: str

    @property
    def above_noise(self) -> bool:
        """Whether the estimate is above 1.645 standard errors."""
        return self.estimate > 1.645 * self.standard_error


def divergence_from_density(truth: Density, model: Density, *, rng: np.random.Generator, n: int = 10_000) -> Divergence:
    """Return KL(truth || model) for a model with a density: exact where possible, else over fresh rows of the truth.

    Parameters
    ----------
    truth, model : Density
    rng : numpy.random.Generator
    n : int, default 10,000
        Fresh rows, where there is no closed form and more than `n` rows are possible.

    Returns
    -------
    Divergence
        Infinite where the model gives a possible row probability zero.

    Notes
    -----
    Source: the definition of the divergence. Exact between Gaussians, and by enumeration for category codes;
    otherwise the mean of log p - log q, which is unbiased. No row of the model is needed.

    Examples
    --------
    >>> first, second = GaussianDensity([0.0], [[1.0]]), GaussianDensity([1.0], [[1.0]])
    >>> divergence_from_density(first, second, rng=np.random.default_rng(0)).estimate
    0.5
    """
    count(n, "n", least=2)
    exact = getattr(truth, "divergence", None)
    possible = math.prod(getattr(truth, "levels", ()))
    if exact is not None and isinstance(truth, GaussianDensity) == isinstance(model, GaussianDensity) and possible <= n:
        return Divergence(float(exact(model)), 0.0, "exact")
    rows = truth.sample(n, rng)
    gaps = truth.log_prob(rows) - model.log_prob(rows)
    if not np.isfinite(gaps).all():
        return Divergence(math.inf, 0.0, "density")
    return Divergence(float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps))), "density")


def energy_distance(
    truth: Density, generated: npt.ArrayLike, *, rng: np.random.Generator, references: int = 10
) -> Divergence:
    """Estimate the energy distance between a law and generated rows: zero only for equal laws.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| for independent rows X of the truth and Y of the generator. It needs no density,
    no bandwidth and no common support, and is finite whatever the rows are.

    Parameters
    ----------
    truth : Density
        Rows of laws with a `support` are category codes: their distance is that of one-hot codes.
    generated : array-like of shape (m, d)
        Independent rows, ten at least.
    rng : numpy.random.Generator
    references : int, default 10
        Repeats on rows of the truth, which give the noise of the estimate for a perfect generator; at least 3.

    Returns
    -------
    Divergence
        In the columns' units; slightly negative at times for a perfect generator, since the estimate has no bias.

    Raises
    ------
    SchemaError
        When rows lie outside the codes of a law on codes.
    PlanError
        When there are fewer than ten rows.

    Notes
    -----
    Source: Szekely and Rizzo (2013). The U-statistic is unbiased and its error is of order m^(-1/2) in any
    dimension, where every estimate of a Kullback-Leibler divergence from rows alone has a bias that no known rate
    bounds: rows narrower than the truth look perfect to nearest neighbours. The standard error joins that of the
    projections of the U-statistic, which vanish for equal laws, and the scatter over the repeats.

    Examples
    --------
    >>> truth, rng = GaussianDensity([0.0], [[1.0]]), np.random.default_rng(0)
    >>> wide, narrow = (energy_distance(truth, rng.normal(0, s, size=(2000, 1)), rng=rng) for s in (1.0, 0.5))
    >>> wide.above_noise, narrow.above_noise
    (False, True)
    """
    rows = as_matrix(generated, "generated")
    count(references, "references", least=3)
    if len(rows) < 10:
        raise PlanError("too few generated rows", where="generated", got=len(rows), expected=">= 10")
    levels: tuple[int, ...] | None = getattr(truth, "levels", None)

    def embedded(sample: Floats) -> Floats:
        return sample if levels is None else _one_hot(sample, levels)

    written = embedded(rows)

    def drawn() -> Floats:
        return embedded(truth.sample(max(len(rows), 1000), rng))

    value, error = _energy(drawn(), written)
    null = [_energy(drawn(), embedded(truth.sample(len(rows), rng)))[0] for _ in range(references)]
    return Divergence(value, math.hypot(error, float(np.std(null, ddof=1))), "energy")


def _one_hot(rows: Floats, levels: tuple[int, ...]) -> Floats:
    """Return category codes as indicators, scaled so that rows that differ in k columns are sqrt(k) apart."""
    if rows.shape[1] != len(levels) or np.any((rows < 0) | (rows >= np.array(levels)) | (rows != np.rint(rows))):
        raise SchemaError("generated rows outside the support", where="generated", expected=f"codes below {levels}")
    return np.hstack([rows[:, [j]] == np.arange(size) for j, size in enumerate(levels)]) / math.sqrt(2)


def _energy(first: Floats, second: Floats) -> tuple[float, float]:
    """Return the unbiased energy distance of two samples, and the standard error of its projections."""
    n, m = len(first), len(second)
    across = cdist(first, second)
    gap_first = across.mean(axis=1) - cdist(first, first).sum(axis=1) / (n - 1)
    gap_second = across.mean(axis=0) - cdist(second, second).sum(axis=1) / (m - 1)
    error = 2 * math.sqrt(float(gap_first.var(ddof=1)) / n + float(gap_second.var(ddof=1)) / m)
    return float(gap_first.mean() + gap_second.mean()), error


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
    >>> CapacityPoint(100, 16, Divergence(0.1, 0.01, "energy")).width
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
    """Measure how far a generator is from the truth over numbers of context rows and widths.

    KL(truth || generated) where the generator returns a law; the energy distance where it returns rows.

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
    points = []
    for size in n_context:
        for width in widths:
            values = []
            for stream in rng.spawn(repeats):
                context = truth.sample(count(size, "n_context", least=1), stream)
                written = generator(context, width, stream)
                values.append(
                    energy_distance(truth, written, rng=stream)
                    if isinstance(written, np.ndarray)
                    else divergence_from_density(truth, written, rng=stream)
                )
            points.append(CapacityPoint(int(size), int(width), _mean(values)))
    return tuple(points)


def _mean(values: list[Divergence]) -> Divergence:
    estimates = np.array([value.estimate for value in values])
    scatter = float(estimates.std(ddof=1) / math.sqrt(len(values))) if np.isfinite(estimates).all() else math.inf
    return Divergence(float(estimates.mean()), scatter, values[0].method)


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
        bound = self.width_constant / np.sqrt(wide) + self.row_constant * np.log(wide) / np.sqrt(rows)
        return np.asarray(bound)[()]


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
