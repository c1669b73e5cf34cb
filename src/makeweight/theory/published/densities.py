"""Joint laws with exact probabilities: a Gaussian, a Bayesian network, a latent embedding of columns."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, logsumexp

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, Integers, as_matrix, as_vector, count

__all__ = ["BayesianNetwork", "Density", "GaussianDensity", "LatentEmbedding", "fit_bayesian_network", "fit_gaussian"]

_LARGEST_SUPPORT = 200_000


class Density(Protocol):
    """A law of rows that can be sampled and evaluated.

    Examples
    --------
    >>> law: Density = GaussianDensity([0.0], [[1.0]])
    >>> float(law.log_prob(np.zeros((1, 1)))[0].round(4))
    -0.9189
    >>> law.sample(2, np.random.default_rng(0)).shape
    (2, 1)
    """

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (n, d)."""
        ...

    def log_prob(self, rows: Floats) -> Floats:
        """Return log-probabilities or log-densities in nats, shape (n,)."""
        ...


class GaussianDensity:
    """N(mean, covariance).

    Parameters
    ----------
    mean : array-like of shape (d,)
    covariance : array-like of shape (d, d)
        Symmetric and positive definite.

    Examples
    --------
    >>> GaussianDensity([0.0], [[1.0]]).divergence(GaussianDensity([1.0], [[1.0]]))
    0.5
    >>> law = GaussianDensity([0.0], [[1.0]])
    >>> law.log_prob(law.sample(3, np.random.default_rng(0))).shape
    (3,)
    """

    def __init__(self, mean: npt.ArrayLike, covariance: npt.ArrayLike) -> None:
        self.mean = as_vector(mean, "mean")
        self.covariance = as_matrix(covariance, "covariance", columns=len(self.mean))
        if np.linalg.eigvalsh(self.covariance).min() <= 0:
            raise OptionError("not positive definite", where="covariance")
        self._root = np.linalg.cholesky(self.covariance)

    @property
    def _log_determinant(self) -> float:
        return 2 * float(np.log(np.diag(self._root)).sum())

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows, shape (n, d)."""
        noise: Floats = rng.standard_normal((n, len(self.mean))) @ self._root.T
        return self.mean + noise

    def log_prob(self, rows: Floats) -> Floats:
        """Return log-densities, shape (n,)."""
        scaled = np.linalg.solve(self._root, (rows - self.mean).T)
        constant = len(self.mean) * np.log(2 * np.pi) + self._log_determinant
        return np.asarray(-0.5 * ((scaled**2).sum(axis=0) + constant))

    def divergence(self, other: GaussianDensity) -> float:
        """Return the Kullback-Leibler divergence of `other` from this law, exactly, in nats."""
        inverse = np.linalg.inv(other.covariance)
        gap = other.mean - self.mean
        trace = float(np.trace(inverse @ self.covariance))
        logs = other._log_determinant - self._log_determinant
        return 0.5 * (trace - len(gap) + float(gap @ inverse @ gap) + logs)


def fit_gaussian(rows: npt.ArrayLike) -> GaussianDensity:
    """Fit a Gaussian by its sample mean and unbiased covariance.

    Notes
    -----
    Source: textbook maximum likelihood; a law whose divergence is known, for `capacity_curve`.

    Examples
    --------
    >>> fit_gaussian([[0.0], [2.0]]).covariance
    array([[2.]])
    """
    table = as_matrix(rows, "rows")
    if len(table) <= table.shape[1]:
        raise PlanError("too few rows for a covariance", got=len(table), expected=f"> {table.shape[1]}")
    return GaussianDensity(table.mean(axis=0), np.atleast_2d(np.cov(table.T)))


class _Discrete(ABC):
    """Shared by the laws on category codes: their support, and divergences by enumeration."""

    levels: tuple[int, ...]

    @abstractmethod
    def log_prob(self, rows: Floats) -> Floats: ...

    @cached_property
    def support(self) -> Floats:
        """Every row that is possible, shape (cells, d); refused beyond 200,000."""
        cells = int(np.prod(self.levels))
        if cells > _LARGEST_SUPPORT:
            raise PlanError("too many cells to enumerate", got=cells, expected=f"<= {_LARGEST_SUPPORT}")
        return np.array(list(itertools.product(*(range(size) for size in self.levels))), dtype=np.float64)

    def divergence(self, other: Density) -> float:
        """Return the Kullback-Leibler divergence of `other` from this law, exactly, in nats."""
        ours = self.log_prob(self.support)
        theirs = other.log_prob(self.support)
        mass = np.exp(ours)
        held = mass > 0
        return float(mass[held] @ (ours[held] - theirs[held]))

    def _checked(self, rows: Floats) -> Integers:
        table = as_matrix(rows, "rows", columns=len(self.levels))
        codes = table.astype(np.int64)
        if np.any(codes != table) or np.any(codes < 0) or np.any(codes >= np.array(self.levels)):
            raise SchemaError("not category codes", where="rows", expected=f"0 to levels - 1, {self.levels}")
        return codes


@dataclass(frozen=True)
class BayesianNetwork(_Discrete):
    """Categorical columns, each given its parents.

    Attributes
    ----------
    levels : tuple of int
        Categories per column.
    parents : tuple of tuple of int
        Parents of each column, all earlier columns.
    tables : tuple of ndarray
        P(column | parents), of shape (levels of parents..., levels of column).

    Examples
    --------
    >>> tables = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> network = BayesianNetwork((2, 2), ((), (0,)), tables)
    >>> np.exp(network.log_prob(np.array([[1.0, 1.0]])))
    array([0.4])
    >>> rng = np.random.default_rng(0)
    >>> BayesianNetwork.random([2, 3], [(), (0,)], rng).sample(4, rng).shape
    (4, 2)
    """

    levels: tuple[int, ...]
    parents: tuple[tuple[int, ...], ...]
    tables: tuple[Floats, ...]

    def __post_init__(self) -> None:
        for column, (above, table) in enumerate(zip(self.parents, self.tables, strict=True)):
            shape = (*(self.levels[parent] for parent in above), self.levels[column])
            if any(parent >= column for parent in above) or table.shape != shape:
                raise OptionError(
                    "tables and parents do not match", where=f"column {column}", got=table.shape, expected=shape
                )
            if table.min() < 0 or not np.allclose(table.sum(axis=-1), 1.0):
                raise OptionError("not probabilities", where=f"table of column {column}")

    @classmethod
    def random(
        cls, levels: Sequence[int], parents: Sequence[Sequence[int]], rng: np.random.Generator
    ) -> BayesianNetwork:
        """Return a network with Dirichlet(1) tables."""
        tables = []
        for column, above in enumerate(parents):
            shape = tuple(levels[parent] for parent in above)
            tables.append(rng.dirichlet(np.ones(levels[column]), size=shape or None))
        return cls(tuple(levels), tuple(tuple(above) for above in parents), tuple(tables))

    @property
    def n_parameters(self) -> int:
        """Free probabilities."""
        return sum(table.size // table.shape[-1] * (table.shape[-1] - 1) for table in self.tables)

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows of category codes, shape (n, d)."""
        rows = np.zeros((n, len(self.levels)), dtype=np.int64)
        for column, (above, table) in enumerate(zip(self.parents, self.tables, strict=True)):
            chances = np.cumsum(table[tuple(rows[:, parent] for parent in above)], axis=-1)
            rows[:, column] = np.minimum(
                (rng.random((n, 1)) > np.broadcast_to(chances, (n, table.shape[-1]))).sum(axis=1),
                self.levels[column] - 1,
            )
        return rows.astype(np.float64)

    def log_prob(self, rows: Floats) -> Floats:
        """Return log-probabilities, shape (n,)."""
        codes = self._checked(rows)
        total = np.zeros(len(codes))
        with np.errstate(divide="ignore"):
            for column, (above, table) in enumerate(zip(self.parents, self.tables, strict=True)):
                total += np.log(table[tuple(codes[:, parent] for parent in (*above, column))])
        return total


def fit_bayesian_network(
    rows: npt.ArrayLike, levels: Sequence[int], parents: Sequence[Sequence[int]], *, pseudo_count: float = 0.5
) -> BayesianNetwork:
    """Fit the tables of a network of known structure from counts.

    Notes
    -----
    Source: textbook counts with pseudo-counts; a law whose divergence is known, for `capacity_curve`.

    Examples
    --------
    >>> fit_bayesian_network([[0.0], [0.0], [1.0]], (2,), ((),), pseudo_count=0.5).tables[0]
    array([0.625, 0.375])
    """
    table = as_matrix(rows, "rows", columns=len(levels)).astype(np.int64)
    if not pseudo_count > 0:
        raise OptionError("out of range", where="pseudo_count", got=pseudo_count, expected="> 0")
    tables = []
    for column, above in enumerate(parents):
        axes = (*above, column)
        counts = np.full([levels[axis] for axis in axes], pseudo_count)
        np.add.at(counts, tuple(table[:, axis] for axis in axes), 1.0)
        tables.append(counts / counts.sum(axis=-1, keepdims=True))
    return BayesianNetwork(tuple(levels), tuple(tuple(above) for above in parents), tuple(tables))


class LatentEmbedding(_Discrete):
    """Categorical columns that are independent given a latent vector.

    A row first draws one of `prototypes` vectors z of width w, then every column from softmax(E_j z).
    Cutting E_j and z to their leading directions gives a model of smaller width: what a network of that
    width can hold.

    Parameters
    ----------
    prototypes : ndarray of shape (k, w)
        Equally likely latent vectors.
    embeddings : tuple of ndarray of shape (levels, w)
        E_j, one per column.

    Notes
    -----
    A stand-in of this project for the latent-embedding model of arXiv 2406.03628, whose exact form is not
    reproduced here; see docs/theory.md.

    Examples
    --------
    >>> world = LatentEmbedding.random(columns=3, levels=3, width=6, rng=np.random.default_rng(0))
    >>> world.divergence(world.cut(6)) < 1e-12, world.divergence(world.cut(1)) > 0.01
    (True, True)
    >>> bool((world.log_prob(world.sample(5, np.random.default_rng(1))) < 0).all())
    True
    """

    def __init__(self, prototypes: Floats, embeddings: tuple[Floats, ...]) -> None:
        self.prototypes = as_matrix(prototypes, "prototypes")
        self.embeddings = tuple(
            as_matrix(table, "embeddings", columns=self.prototypes.shape[1]) for table in embeddings
        )
        self.levels = tuple(len(table) for table in self.embeddings)

    @classmethod
    def random(
        cls,
        *,
        columns: int,
        levels: int,
        width: int,
        rng: np.random.Generator,
        prototypes: int = 64,
        decay: float = 0.5,
    ) -> LatentEmbedding:
        """Return a world whose k-th latent direction has scale k^-decay."""
        count(columns, "columns", least=1)
        scales = np.arange(1, count(width, "width", least=1) + 1) ** -decay
        latent = rng.standard_normal((prototypes, width)) * scales
        return cls(latent, tuple(rng.standard_normal((levels, width)) for _ in range(columns)))

    @property
    def width(self) -> int:
        """Length of the latent vector."""
        return int(self.prototypes.shape[1])

    def cut(self, width: int) -> LatentEmbedding:
        """Return the law that only the first `width` latent directions can express."""
        kept = min(count(width, "width", least=1), self.width)
        return LatentEmbedding(self.prototypes[:, :kept], tuple(table[:, :kept] for table in self.embeddings))

    def _column_logs(self) -> list[Floats]:
        return [np.asarray(log_softmax(self.prototypes @ table.T, axis=1)) for table in self.embeddings]

    def sample(self, n: int, rng: np.random.Generator) -> Floats:
        """Draw rows of category codes, shape (n, columns)."""
        drawn = rng.integers(len(self.prototypes), size=n)
        rows = np.zeros((n, len(self.levels)))
        for column, logs in enumerate(self._column_logs()):
            rows[:, column] = np.argmax(logs[drawn] + rng.gumbel(size=(n, self.levels[column])), axis=1)
        return rows

    def log_prob(self, rows: Floats) -> Floats:
        """Return log-probabilities, shape (n,)."""
        codes = self._checked(rows)
        total = np.zeros((len(self.prototypes), len(codes)))
        for column, logs in enumerate(self._column_logs()):
            total += logs[:, codes[:, column]]
        return np.asarray(logsumexp(total, axis=0) - np.log(len(self.prototypes)))
