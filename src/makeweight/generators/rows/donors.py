"""What generators that start from real rows share: which rows they keep, how they use them."""

from __future__ import annotations

import numpy as np

from makeweight.plan import Groups

__all__ = ["evenly", "kept_rows"]

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
