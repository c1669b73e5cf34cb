"""Rows of which some columns are given, or have to be within limits: these columns are written first."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from makeweight.generators.frame.known import Allows
from makeweight.generators.transformer.decode import RowModel

#: Beginnings drawn for every row that is asked for, at most, and in one go.
MOST_BEGINNINGS, AT_ONCE = 500, 20_000
#: Beginnings in any case, however few rows are asked for.
LEAST_BEGINNINGS = 5_000


def conditional_rows(
    model: RowModel,
    group: tuple[float, ...],
    n: int,
    rng: np.random.Generator,
    *,
    exact: Mapping[int, float],
    limited: Mapping[int, Allows],
    temperature: float = 1.0,
) -> np.ndarray:
    """Write rows of a group given what some columns are: p(row | group, columns).

    Columns with one value are given. Columns within limits are drawn next, and drawn again until they are within them;
    the rest of the row follows.

    Returns float64, shape (at most n, D): fewer where 500 beginnings a row brought no more.
    """
    begin_with = (*exact, *limited)
    known = np.full((n, len(model.columns)), np.nan)
    known[:, : model.given] = group
    known[:, list(exact)] = list(exact.values())
    if limited:
        known = _beginnings(model, known, tuple(exact), limited, rng, temperature)
    fixed = np.isin(np.arange(len(model.columns)), [*range(model.given), *begin_with])
    contexts = model.contexts_beginning(begin_with)
    return model.write(contexts, known, np.broadcast_to(fixed, known.shape), rng, temperature)


def _beginnings(
    model: RowModel,
    known: np.ndarray,
    exact: tuple[int, ...],
    limited: Mapping[int, Allows],
    rng: np.random.Generator,
    temperature: float,
) -> np.ndarray:
    """Return rows of which the limited columns are drawn and allowed, as many of `known` as were found."""
    contexts = model.contexts_beginning((*exact, *limited), alone=True)
    given = np.isin(np.arange(known.shape[1]), [*range(model.given), *exact])
    wanted, drawn, parts = len(known), 0, [known[:0]]
    n_rows, most = 0, max(LEAST_BEGINNINGS, MOST_BEGINNINGS * wanted)
    while n_rows < wanted and drawn < most:
        rate = (n_rows + 1) / (drawn + 2)
        size = int(min(AT_ONCE, most - drawn, max(16, 1.2 * (wanted - n_rows) / rate)))
        rows = np.repeat(known[:1], size, axis=0)
        rows = model.write(contexts, rows, np.broadcast_to(given, rows.shape), rng, temperature)
        allowed = np.all([allows(rows[:, column]) for column, allows in limited.items()], axis=0)
        parts.append(rows[allowed][: wanted - n_rows])
        n_rows, drawn = n_rows + len(parts[-1]), drawn + size
    return np.concatenate(parts)
