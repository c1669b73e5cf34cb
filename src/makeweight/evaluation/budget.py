"""How many splits fit into the time there is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from makeweight.progress import Progress

__all__ = ["Clock", "next_wave"]

#: Two splits are run in any case: one has no interval.
LEAST_SPLITS = 2


@dataclass
class Clock:
    """Time since the start, and what a split takes.

    Parameters
    ----------
    budget : float or None
        Seconds.
    measured : float or None
        Seconds that a split took last.
    """

    budget: float | None
    start: float = field(default_factory=time.monotonic)
    measured: float | None = None

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    def affordable(self) -> int | None:
        """Return how many further splits fit; None where nothing limits them or nothing is known yet."""
        if self.budget is None or self.measured is None:
            return None
        return max(0, int((self.budget - self.seconds) / max(self.measured, 1e-9)))

    def progress(self, done: int, here: int, later: int, split: int, splits: int) -> Progress:
        """Return how far it is.

        Parameters
        ----------
        done : int
            Pieces of work done in this run.
        here, later : int
            Pieces left in the splits that are run in any case, and in those that may be cut.
        split, splits : int
            Splits finished, and asked for.
        """
        seconds = self.seconds
        each = seconds / done
        expected = each * (here + later)
        if self.budget is not None:
            expected = min(expected, max(each * here, self.budget - seconds))
        detail = f"split {min(split + 1, splits)} of at most {splits}"
        return Progress("comparing", done, done + here + later, seconds, expected, detail)


def next_wave(done: int, total: int, folds: int, affordable: int | None, *, timed: bool) -> int:
    """Return how many splits to run next; zero to stop.

    The first split is run alone, for its time. Then come the other folds of the first repeat, as many as
    fit; then whole repeats, one by one.

    Parameters
    ----------
    done, total : int
        Splits run, and asked for.
    folds : int
    affordable : int or None
        Further splits that fit into the budget.
    timed : bool
        Whether there is a budget.

    Examples
    --------
    >>> next_wave(0, 25, 5, None, timed=True), next_wave(1, 25, 5, 3, timed=True)
    (1, 3)
    >>> next_wave(1, 25, 5, 0, timed=True), next_wave(5, 25, 5, 4, timed=True)
    (1, 0)
    """
    if not timed:
        return total - done
    if done == 0:
        return min(1, total)
    wanted = min(folds - done % folds, total - done)
    if affordable is None or affordable >= wanted:
        return wanted
    if done < folds:
        return max(affordable, LEAST_SPLITS - done, 0)
    return 0
