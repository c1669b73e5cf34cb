"""What generators that start from real rows share: which rows they keep, how they use them, option checks."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np

from makeweight.errors import OptionError
from makeweight.plan import Groups

__all__ = ["evenly", "is_number", "kept_rows", "refuse_wrong"]

#: Encoded cells kept over all groups, and rows that a group keeps at least (if it has them).
MAX_CELLS = 4_000_000
MIN_ROWS = 500


def kept_rows(groups: Groups, max_rows: int, n_columns: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to keep, group after group, and where each group begins among them.

    Parameters
    ----------
    groups : Groups
    max_rows : int
        Per group; fewer where groups and columns are many, drawn at random.
    n_columns : int
    rng : numpy.random.Generator

    Returns
    -------
    rows : ndarray of int, shape (n_kept,)
    start : ndarray of int, shape (n_groups + 1,)
    """
    most = min(max_rows, max(MIN_ROWS, MAX_CELLS // (len(groups) * max(1, n_columns))))
    by_group = np.split(np.argsort(groups.codes, kind="stable"), np.cumsum(groups.counts)[:-1])
    kept = [
        rows if len(rows) <= most else np.sort(stream.choice(rows, most, replace=False))
        for rows, stream in zip(by_group, rng.spawn(len(groups)), strict=True)
    ]
    return np.concatenate(kept), np.cumsum([0, *map(len, kept)])


def evenly(size: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` draws of 0 to size - 1 that use each equally often: one shuffle after another.

    Examples
    --------
    >>> sorted(evenly(3, 6, np.random.default_rng(0)).tolist())
    [0, 0, 1, 1, 2, 2]
    """
    rounds = np.tile(np.arange(size, dtype=np.int64), (-(-n // size), 1))
    return np.asarray(rng.permuted(rounds, axis=1)).ravel()[:n]


def is_number(value: Any, low: float, high: float, *, kind: type = Real, above: bool = False) -> bool:
    """Tell whether a value is a number of a kind in [low, high], or in (low, high] with `above`.

    Examples
    --------
    >>> is_number(0.5, 0, 1), is_number(True, 0, 1), is_number(0, 0, 1, above=True)
    (True, False, False)
    """
    right = isinstance(value, kind) and not isinstance(value, bool)
    return right and bool(low <= value <= high) and not (above and value == low)


def refuse_wrong(generator: object, checks: Iterable[tuple[str, bool, str]]) -> None:
    """Raise OptionError for the first option that is not right.

    Parameters
    ----------
    generator : object
        Whose options are attributes of their names.
    checks : iterable of (name, is_right, expected)
    """
    for name, is_right, expected in checks:
        if not is_right:
            raise OptionError("option out of range", where=name, got=repr(getattr(generator, name)), expected=expected)
