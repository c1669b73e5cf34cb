"""Worlds with known answers: two classes and a generator, with exact risks and score moments.

Where a procedure of this room promises something, a test checks it here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, as_matrix, as_vector, choice, count
from makeweight.theory.published.components import Component, GaussianComponent, SphereComponent

__all__ = ["BinaryWorld", "CraftWorld", "LogisticWorld", "biased_world", "mirror_world"]


@dataclass(frozen=True)
class BinaryWorld:
    """Two classes and a generator of minority rows, for a linear model, all known exactly.

    Attributes
    ----------
    majority, minority, synthetic : Component
        The laws of class 0, of class 1, and of the rows a generator writes for class 1.
    intercept : bool
        Whether the linear model has one.
    loss : {"log", "squared"}
        Log-loss in nats of the logistic model, or (y - x'b)^2.

    Notes
    -----
    Risks are exact up to quadrature. Notation of arXiv 2601.16120: phi_c are score means.

    Examples
    --------
    >>> world = biased_world()
    >>> balanced = world.population_fit(20, 1, 19)     # synthetic rows up to balance
    >>> round(world.excess_risk(balanced), 4)
    0.0162
    >>> world.excess_risk(world.population_fit(20, 1, 4 * 19)) < 1e-20
    True
    >>> features, labels = world.sample(20, 1, np.random.default_rng(0))
    >>> features.shape, float(labels.sum())
    ((21, 2), 1.0)
    >>> bool(np.isclose(np.mean(world.class_risks(world.best)), world.balanced_risk(world.best)))
    True
    >>> [part.shape for part in world.score_gap()]
    [(2,), (2,)]
    """

    majority: Component
    minority: Component
    synthetic: Component = field(repr=False)
    intercept: bool = True
    loss: str = "log"

    def sample(self, n_majority: int, n_minority: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw real rows: features of shape (n, d) and labels of shape (n,), majority first."""
        count(n_majority, "n_majority")
        count(n_minority, "n_minority")
        rows = np.vstack([self.majority.sample(n_majority, rng), self.minority.sample(n_minority, rng)])
        return rows, np.repeat([0.0, 1.0], [n_majority, n_minority])

    def class_risks(self, coefficients: Floats) -> tuple[float, float]:
        """Return the expected loss of class 0 and of class 1."""
        return self.majority.risk(coefficients, 0, self.loss), self.minority.risk(coefficients, 1, self.loss)

    def balanced_risk(self, coefficients: Floats) -> float:
        """Return the mean of the two class risks."""
        return float(np.mean(self.class_risks(coefficients)))

    def excess_risk(self, coefficients: Floats) -> float:
        """Return the balanced risk above that of the best linear model."""
        return self.balanced_risk(coefficients) - self._best_risk

    @cached_property
    def best(self) -> Floats:
        """Coefficients of the best linear model for the balanced risk."""
        return self.population_fit(0.5, 0.5)

    @cached_property
    def _best_risk(self) -> float:
        return self.balanced_risk(self.best)

    def population_fit(self, majority: float, minority: float, synthetic: float = 0.0) -> Floats:
        """Return the coefficients that infinitely many rows in these proportions would give.

        Parameters
        ----------
        majority, minority, synthetic : float
            Weights, or row counts, of the three laws; positive for each class.

        Returns
        -------
        ndarray of shape (p,)
        """
        weights = np.array([majority, minority, synthetic], dtype=np.float64)
        if np.any(weights < 0) or majority <= 0 or minority + synthetic <= 0:
            raise PlanError("both classes need weight", got=weights.tolist(), expected="positive for each class")
        laws = ((self.majority, 0), (self.minority, 1), (self.synthetic, 1))
        mixture = [(w, *law) for w, law in zip(weights / weights.sum(), laws, strict=True) if w > 0]
        theta = np.zeros(len(self.majority.mean) + int(self.intercept))

        def risk(point: Floats) -> float:
            return math.fsum(w * law.risk(point, label, self.loss) for w, law, label in mixture)

        for _ in range(200):
            gradient = np.sum([w * law.score_mean(theta, y, self.loss) for w, law, y in mixture], axis=0)
            hessian = np.sum([w * law.hessian(theta, self.loss) for w, law, _ in mixture], axis=0)
            step = np.linalg.solve(hessian, gradient)
            if float(gradient @ step) < 1e-24:
                return theta
            size, value = 1.0, risk(theta)
            while risk(theta - size * step) > value + 1e-15 and size > 1e-8:
                size /= 2
            theta = theta - size * step
        raise PlanError("the population fit did not converge", got=theta.tolist())

    def score_gap(self) -> tuple[Floats, Floats]:
        """Return g_phi = phi_0 - phi_1 and delta = phi_s - phi_1 at the best coefficients."""
        first = self.minority.score_mean(self.best, 1, self.loss)
        return (
            self.majority.score_mean(self.best, 0, self.loss) - first,
            self.synthetic.score_mean(self.best, 1, self.loss) - first,
        )


def biased_world(
    dimension: int = 2, shift: float = 1.0, synthetic_shift: float = 0.5, loss: str = "squared"
) -> BinaryWorld:
    """Return Gaussian classes whose generator falls short of the minority mean.

    Majority N(0, I), minority N(shift e1, I), synthetic N(synthetic_shift e1, I): the generator's error is
    *aligned* with the direction majority-minority.

    Parameters
    ----------
    dimension : int
    shift, synthetic_shift : float
    loss : {"squared", "log"}
        With the squared loss the model has no intercept, with the log-loss it has one.

    Notes
    -----
    The defaults are the biased, aligned simulation of arXiv 2601.16120. That it uses the squared loss without
    intercept is inferred: only then is the best size exactly four times the gap and the excess at balance
    .0162. With log-loss and an intercept no size repairs an aligned error, see docs/theory.md.

    Examples
    --------
    >>> gap, delta = biased_world().score_gap()
    >>> float(round(np.dot(gap, delta) / np.linalg.norm(gap) / np.linalg.norm(delta), 3))
    1.0
    """
    direction = np.eye(count(dimension, "dimension", least=2))[0]
    return BinaryWorld(
        GaussianComponent(np.zeros(dimension)),
        GaussianComponent(shift * direction),
        GaussianComponent(synthetic_shift * direction),
        intercept=loss == "log",
        loss=loss,
    )


def mirror_world(
    dimension: int = 20, shift: float = 1.0, noise: str = "gaussian", synthetic_scale: float = 1.0
) -> BinaryWorld:
    """Return classes that mirror each other, -mu + noise and mu + noise, for a model without intercept.

    Both class gradients vanish at the target, so that imbalance costs nothing and rows written by a generator
    fitted on the minority cannot help: local symmetry.

    Parameters
    ----------
    dimension : int
    shift : float
        Norm of mu, which has equal entries.
    noise : {"gaussian", "sphere"}
        Unit variances in both cases.
    synthetic_scale : float
        The generator's mean is this multiple of mu; 1 is a perfect generator.

    Notes
    -----
    Source: the locally symmetric simulations of arXiv 2601.16120; that the model has no intercept is inferred
    from their published risk at size zero, d / (2 n), and shown in docs/theory.md.

    Examples
    --------
    >>> world = mirror_world(4)
    >>> gap, _ = world.score_gap()
    >>> bool(np.abs(gap).max() < 1e-10)
    True
    """
    choice(noise, "noise", ("gaussian", "sphere"))
    mean = np.full(dimension, shift / np.sqrt(count(dimension, "dimension", least=2)))
    law = GaussianComponent if noise == "gaussian" else SphereComponent
    return BinaryWorld(law(-mean), law(mean), law(synthetic_scale * mean), intercept=False)


@dataclass(frozen=True)
class LogisticWorld:
    """Standard normal features and a label whose log-odds are known.

    log-odds = intercept + x'slopes + quadratic (x_1^2 - 1) + interaction x_1 x_2

    Attributes
    ----------
    slopes : ndarray of shape (d,)
    intercept, quadratic, interaction : float
        Without the last two a logistic regression on x is well specified, whatever the imbalance.

    Notes
    -----
    Made for the slope-symmetry test; a design of this project.

    Examples
    --------
    >>> world = LogisticWorld(np.full(5, 0.5), intercept=-3.0)
    >>> features, labels = world.sample(4000, np.random.default_rng(0))
    >>> float(labels.mean().round(2))
    0.07
    >>> float(world.probabilities(features).mean().round(2))
    0.08
    """

    slopes: Floats
    intercept: float = 0.0
    quadratic: float = 0.0
    interaction: float = 0.0

    def probabilities(self, features: Floats) -> Floats:
        """Return P(label = 1 | features), shape (n,)."""
        slopes = as_vector(self.slopes, "slopes")
        x = as_matrix(features, "features", columns=len(slopes))
        odds = self.intercept + x @ slopes + self.quadratic * (x[:, 0] ** 2 - 1)
        if self.interaction:
            odds = odds + self.interaction * x[:, 0] * x[:, 1]
        return np.asarray(expit(odds), dtype=np.float64)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw features of shape (n, d) and labels of shape (n,)."""
        features = rng.standard_normal((count(n, "n", least=1), len(self.slopes)))
        return features, (rng.random(n) < self.probabilities(features)).astype(np.float64)


@dataclass(frozen=True)
class CraftWorld:
    """The simulated "Craft" table: nine features, a probit label, a spurious column.

    X1, X2 ~ N(0, 1); X3 = .5 X1 + .3 X2 + N(0, .5); X4 = X1 noise; X5 = noise + .5 X3; X6 in {-1, 1};
    X7 ~ N(0, 1); X8 = X2 X3; X9 = X1 X2; all rounded to one decimal;
    label = [1.5 + .7 X1 - .6 X2 + .8 X3 + .4 X9 + N(0, noise) > threshold].

    Attributes
    ----------
    noise : float
        Standard deviation in the label's threshold; 1 by default.

    Notes
    -----
    Source: public code of arXiv 2406.03628. There the threshold is the sample median; here it is the
    population median before rounding, so that the label's probability given the features is known.

    Examples
    --------
    >>> features, labels = CraftWorld().sample(2000, np.random.default_rng(0))
    >>> features.shape, float(labels.mean().round(2))
    ((2000, 9), 0.49)
    >>> bool((CraftWorld().probabilities(features) <= 1).all())
    True
    """

    noise: float = 1.0

    @cached_property
    def threshold(self) -> float:
        """Population median of the noisy predictor, by quadrature over X1."""
        nodes = np.linspace(-8.0, 8.0, 4001)
        density = np.exp(-0.5 * nodes**2)
        density = density / density.sum()
        mean = 1.5 + 1.1 * nodes
        spread = np.sqrt((-0.36 + 0.4 * nodes) ** 2 + 0.4**2 + self.noise**2)

        def above_half(point: float) -> float:
            return float(density @ ndtr((mean - point) / spread)) - 0.5

        return float(brentq(above_half, -10.0, 10.0))

    def probabilities(self, features: Floats) -> Floats:
        """Return P(label = 1 | features), shape (n,)."""
        x = as_matrix(features, "features", columns=9)
        predictor = 1.5 + 0.7 * x[:, 0] - 0.6 * x[:, 1] + 0.8 * x[:, 2] + 0.4 * x[:, 8]
        return np.asarray(ndtr((predictor - self.threshold) / self.noise), dtype=np.float64)

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw features of shape (n, 9), column 5 being the spurious one, and labels of shape (n,)."""
        first, second, third, fourth, fifth, seventh = rng.standard_normal((6, count(n, "n", least=1)))
        third = 0.5 * first + 0.3 * second + 0.5 * third
        spurious = rng.choice([-1.0, 1.0], size=n)
        columns = [
            first,
            second,
            third,
            fourth * first,
            fifth + 0.5 * third,
            spurious,
            seventh,
            second * third,
            first * second,
        ]
        features = np.column_stack(columns).round(1)
        return features, (rng.random(n) < self.probabilities(features)).astype(np.float64)
