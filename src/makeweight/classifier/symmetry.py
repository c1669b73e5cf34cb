"""The slope-symmetry test on the features of a classifier, where it applies."""

from __future__ import annotations

import numpy as np
import pandas as pd

from makeweight.errors import MakeweightError
from makeweight.theory import SlopeSymmetry, slope_symmetry_test

#: More rows than this are drawn from.
MAX_ROWS = 100_000
#: Below so many rows of the smaller class per column the test needs a bootstrap, of so many draws; with more
#: work than this (rows x columns^2) that would take longer than seconds.
ENOUGH_PER_COLUMN, DRAWS, MAX_WORK = 30, 99, 400_000


def slopes_verdict(
    features: pd.DataFrame, label_codes: np.ndarray, weights: np.ndarray, rng: np.random.Generator
) -> tuple[SlopeSymmetry | None, str | None]:
    """Return the result of the test, or a note on the assumption that does not hold.

    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame(rng.normal(size=(400, 2)))
    >>> slopes_verdict(frame, np.arange(400) % 4 // 3, np.ones(400), rng)[0].degrees
    2
    >>> slopes_verdict(frame.astype(str), np.arange(400) % 4 // 3, np.ones(400), rng)[1]
    'no slope-symmetry test: it needs numbers in every column'
    """
    note = "no slope-symmetry test: it needs "
    if label_codes.max() != 1:
        return None, note + "two classes"
    if 2 * label_codes.sum() == len(label_codes):
        return None, note + "unequal classes"
    if np.ptp(weights):
        return None, note + "rows of equal weight"
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in features.dtypes):
        return None, note + "numbers in every column"
    table = features.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(table).all():
        return None, note + "complete columns"
    if len(table) > MAX_ROWS:
        rows = rng.choice(len(table), MAX_ROWS, replace=False)
        table, label_codes = table[rows], label_codes[rows]
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if not table.shape[1]:
        return None, note + "a column that is not constant"
    n, d = table.shape
    smaller = min(int(label_codes.sum()), n - int(label_codes.sum()))
    if smaller < ENOUGH_PER_COLUMN * d and n * d * d > MAX_WORK:
        return None, note + f"{ENOUGH_PER_COLUMN} rows of the smaller class per column in a table of this size"
    target = label_codes if label_codes.mean() <= 0.5 else 1 - label_codes
    try:
        return slope_symmetry_test(table, target, draws=DRAWS, rng=rng), None
    except MakeweightError as error:  # the test states its own limits; they are passed on
        return None, f"no slope-symmetry test: {error.message}"
    except np.linalg.LinAlgError:
        return None, note + "columns that are not collinear"
