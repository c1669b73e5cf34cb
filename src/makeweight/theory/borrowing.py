"""Rows that show a generator's bias, and the weights that subtract it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from scipy.special import stdtrit

from makeweight.errors import SchemaError
from makeweight.theory._checks import Floats, Integers, fraction
from makeweight.theory.risk import Interval

__all__ = ["BorrowedRows", "borrow"]

Rows = TypeVar("Rows", bound=Any)


@dataclass(frozen=True, eq=False)
class BorrowedRows(Generic[Rows]):
    """What a generator wrote after learning from moved rows, and the moved rows it has not seen.

    Attributes
    ----------
    written : tuple of arrays or frames
        What the generator wrote after learning from n_1 moved rows, one per repeat.
    held_out : tuple of arrays or frames
        The other moved rows.

    Examples
    --------
    >>> rows = BorrowedRows((np.ones((2, 1)),), (np.zeros((4, 1)),))
    >>> rows.weights(1.0)
    array([-0.5 , -0.5 ,  0.25,  0.25,  0.25,  0.25])
    >>> rows.bias(lambda x: x[:, 0]).estimate
    1.0
    """

    written: tuple[Rows, ...]
    held_out: tuple[Rows, ...]

    @property
    def rows(self) -> tuple[Rows, ...]:
        """All rows, in the order of `weights`."""
        return *self.written, *self.held_out

    def weights(self, mass: float) -> Floats:
        """Return a weight per row that subtracts `mass` times the bias; the weights sum to zero.

        Parameters
        ----------
        mass : float
            c times the weight of the synthetic rows that are corrected.

        Returns
        -------
        ndarray of shape (n,)
            -mass / |S| for each of all written rows, then mass / |B| for each of all held-out ones; every
            repeat counts the same.

        Notes
        -----
        Step 4 of docs/theory.md, "Borrowing from the majority".
        """
        sides = ((self.written, -mass), (self.held_out, mass))
        shares = [np.full(len(part), each / (len(side) * len(part))) for side, each in sides for part in side]
        return np.concatenate(shares)

    def bias(self, loss: Callable[[Rows], Floats], *, level: float = 0.95) -> Interval:
        """Return Delta, the mean loss on written minus that on held-out rows, with its interval.

        Parameters
        ----------
        loss : callable
            Losses of rows as class 1, shape (n,).
        level : float
            Of the Student interval from the scatter over repeats; unbounded with a single repeat.
        """
        fraction(level, "level", open_end=True)
        pairs = zip(self.written, self.held_out, strict=True)
        gaps = np.array([float(np.mean(loss(written)) - np.mean(loss(held))) for written, held in pairs])
        if not np.isfinite(gaps).all():
            raise SchemaError("the loss is not finite on borrowed rows", where="loss")
        mean, reach = float(gaps.mean()), np.inf
        if len(gaps) > 1:
            reach = float(stdtrit(len(gaps) - 1, (1 + level) / 2) * gaps.std(ddof=1) / np.sqrt(len(gaps)))
        return Interval(mean, mean - reach, mean + reach, level)


def borrow(
    n_moved: int,
    n_own: int,
    write: Callable[[Integers, Integers, np.random.Generator], tuple[Rows, Rows]],
    streams: Iterable[np.random.Generator],
) -> BorrowedRows[Rows]:
    """Return what a generator writes after learning from some moved rows, beside the other moved rows.

    Parameters
    ----------
    n_moved : int
        Rows of the largest group, moved to the place of the group that borrows.
    n_own : int
        Rows of that group: as many moved rows are learned from.
    write : callable
        ``write(learned, rest, rng) -> (written, held_out)`` for positions among the moved rows.
    streams : iterable of numpy.random.Generator
        One per repeat.

    Returns
    -------
    BorrowedRows

    Notes
    -----
    Step 2 of the reconstruction derived in docs/theory.md, "Borrowing from the majority", of the idea of
    arXiv 2510.26046. Assumes that the generator errs on moved rows as it does on those of the group.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.arange(6.0)
    >>> borrow(6, 2, lambda learned, rest, rng: (rows[learned], rows[rest]), [rng]).held_out[0].shape
    (4,)
    """
    pairs = []
    for stream in streams:
        order = stream.permutation(n_moved)
        pairs.append(write(order[:n_own], order[n_own:], stream))
    return BorrowedRows(tuple(written for written, _ in pairs), tuple(held for _, held in pairs))
