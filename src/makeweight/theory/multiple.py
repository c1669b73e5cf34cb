"""p-values: corrected for many comparisons, and guarded where written rows have a say in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from makeweight.errors import SchemaError
from makeweight.theory._checks import Floats, fraction

__all__ = ["guarded_p_value", "holm"]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values, corrected so that one false rejection among all has at most the stated probability.

    Parameters
    ----------
    p_values : sequence of n float
        NaN stays NaN.

    Returns
    -------
    list of n float
        In the order of `p_values`.

    Notes
    -----
    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, dtype=np.float64)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(p) for p in corrected]


def guarded_p_value(real: npt.ArrayLike, pooled: npt.ArrayLike, epsilon: float) -> Floats:
    """Return p-values that use written rows, at most `epsilon` below those of real rows alone.

    Parameters
    ----------
    real : array-like of shape (n,) or float
        p-values of a test on real rows.
    pooled : array-like of shape (n,) or float
        p-values of a test on real and written rows together; valid or not.
    epsilon : float
        In [0, 1]: what the written rows may add to the error.

    Returns
    -------
    ndarray
        min(real, max(pooled, real - epsilon)).

    Raises
    ------
    SchemaError
        When a p-value is outside [0, 1].
    OptionError
        When epsilon is outside [0, 1].

    Notes
    -----
    The idea, and the level alpha + epsilon, are those of arXiv 2509.20345: a test on real rows, one on pooled rows, and
    one on real rows at a relaxed level that limits it. This form for p-values is derived here. The value is never below
    real - epsilon, so that it is at most alpha only where real <= alpha + epsilon: the error is at most alpha + epsilon
    where the test on real rows is valid, whatever the rows are. It is never above real: no power is lost. And where the
    pooled test is valid too, the error is at most 2 alpha, since one of the two values is then at most alpha.

    Examples
    --------
    >>> guarded_p_value([0.20, 0.20, 0.01], [0.01, 0.90, 0.90], 0.15).round(2)
    array([0.05, 0.2 , 0.01])
    """
    ours, both = np.asarray(real, dtype=np.float64), np.asarray(pooled, dtype=np.float64)
    for values, name in ((ours, "real"), (both, "pooled")):
        if values.size == 0 or not ((values >= 0) & (values <= 1)).all():
            raise SchemaError("not p-values", where=name, expected="numbers from 0 to 1")
    return np.asarray(np.minimum(ours, np.maximum(both, ours - fraction(epsilon, "epsilon"))))
