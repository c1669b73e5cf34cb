"""What written rows tell: no more than the real rows they were learned from and what the generator brings besides."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, SchemaError
from makeweight.theory._checks import as_vector, count

__all__ = ["fisher_information", "prior_weight", "rows_worth"]


def fisher_information(probabilities: npt.ArrayLike, derivatives: npt.ArrayLike) -> float:
    """Return the Fisher information of one draw from a law on finitely many outcomes.

    Parameters
    ----------
    probabilities, derivatives : array-like of shape (k,)
        Of each outcome, and of its probability with respect to the parameter.

    Returns
    -------
    float
        sum p'^2 / p over possible outcomes.

    Raises
    ------
    SchemaError
        When the probabilities do not sum to one, or an impossible outcome has a derivative.

    Notes
    -----
    Source: textbook definition.

    Examples
    --------
    >>> fisher_information([0.25, 0.75], [1.0, -1.0])                 # 1 / (p (1 - p))
    5.333333333333333
    """
    mass = as_vector(probabilities, "probabilities")
    slope = as_vector(derivatives, "derivatives", length=len(mass))
    if mass.min() < 0 or not math.isclose(float(mass.sum()), 1.0, abs_tol=1e-9) or np.any(slope[mass == 0] != 0):
        raise SchemaError("not a law with derivatives", where="probabilities", expected="sum one, slope zero at zero")
    held = mass > 0
    return float((slope[held] ** 2 / mass[held]).sum())


def rows_worth(n_real: int, n_synthetic: float, *, worth: float, outside: float | None = None) -> float:
    """Return how many further real rows the written rows are worth, beside the real ones.

    Parameters
    ----------
    n_real : int
        Real rows of the group.
    n_synthetic : float
        Written rows of the group; may be infinite.
    worth, outside
        As in `prior_weight`.

    Returns
    -------
    float
        1 / (1 / worth + 1 / (s^2 n_synthetic)): never more than `worth`, however many rows are written, and zero for a
        generator that knows this table alone.

    Raises
    ------
    OptionError
        When a number is negative, or rows are none.

    Notes
    -----
    That the Fisher information which synthetic rows add has bounds is the statement of arXiv 2603.18345; this bound is
    derived from data processing. Given the real rows and the outside knowledge, the law of the written rows no longer
    depends on the parameter: all together hold the information of n_real + worth rows, whatever the generator does, and
    without outside knowledge that of the real rows. The value is exact for the mean of normal rows: given the real
    rows, the written ones show s times the outside value, with variance 1 / n_synthetic.

    Examples
    --------
    >>> rows_worth(30, math.inf, worth=0.0), rows_worth(30, math.inf, worth=50.0), rows_worth(30, 50, worth=50.0)
    (0.0, 50.0, 25.0)
    """
    share = _share(n_real, worth, outside)
    if worth == 0 or share == 0 or n_synthetic == 0:
        return 0.0
    return 1 / (1 / worth + 1 / (share**2 * n_synthetic))


def prior_weight(n_real: int, n_synthetic: int, *, worth: float, outside: float | None = None) -> float:
    """Return the weight of a written row that is best beside real rows of weight one.

    Parameters
    ----------
    n_real : int
        Real rows of the group.
    n_synthetic : int
        Written rows of the group.
    worth : float
        Real rows that the generator's outside knowledge is worth: one over its squared error, where a row has variance
        one.
    outside : float, optional
        How many rows the generator itself takes its outside knowledge for, beside the `n_real` it was fitted to; by
        default it has not seen them.

    Returns
    -------
    float
        At least 0; infinite where the written rows say all that the real ones do.

    Raises
    ------
    OptionError
        When a number is negative, or rows are none.

    Notes
    -----
    Derived, with rows as a prior as in arXiv 2603.18345. For the mean of n rows of variance one, let the generator's
    centre be (1 - s) times the rows' mean plus s times an outside value with squared error 1/worth, where
    s = outside / (n + outside), or 1 where it has not seen the rows. Rows of total weight w m move the estimate by the
    share a = w m / (n + w m), and its error is (1 - a s)^2 / n + (a s)^2 / worth + a^2 / m, least at
    a = (s / n) / (s^2 / n + s^2 / worth + 1 / m). Where the generator has not seen the rows, w = worth / (worth + m)
    whatever n is; a generator that knows nothing besides the rows gets none, and one whose outside knowledge counts for
    what it is worth gets a weight that grows with m.

    Examples
    --------
    >>> round(prior_weight(30, 800, worth=80), 3)
    0.091
    >>> prior_weight(30, 800, worth=80, outside=0.0)
    0.0
    """
    n, m = n_real, count(n_synthetic, "n_synthetic", least=1)
    share = _share(n_real, worth, outside)
    if worth == 0 or share == 0:
        return 0.0
    best = (share / n) / (share**2 / n + share**2 / worth + 1 / m)
    return math.inf if best >= 1 else n * best / ((1 - best) * m)


def _share(n_real: int, worth: float, outside: float | None) -> float:
    """Return the share s of outside knowledge in what a generator says."""
    count(n_real, "n_real", least=1)
    if not worth >= 0 or (outside is not None and not outside >= 0):
        raise OptionError("out of range", got=f"worth={worth}, outside={outside}", expected=">= 0")
    return 1.0 if outside is None else outside / (n_real + outside)
