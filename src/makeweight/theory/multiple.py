"""Correction of p-values for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["holm"]


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
