"""How many splits fit into the time there is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from makeweight.progress import Progress

#: Two splits are run in any case: one has no interval.
LEAST_SPLITS = 2


@dataclass
class Clock:
    """Seconds since the start, the seconds that there are, and what a split took last."""

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

    def next_wave(self, done: int, total: int, folds: int) -> int:
        """Return how many of the splits to run next; zero to stop.

        The first split is run alone, for its time. Then come the other folds of the first repeat, as many as
        fit; then whole repeats, one by one.

        >>> Clock(None).next_wave(0, 25, 5), Clock(60).next_wave(0, 25, 5), Clock(60, measured=9).next_wave(1, 25, 5)
        (25, 1, 4)
        >>> Clock(60, measured=99).next_wave(1, 25, 5), Clock(60, measured=99).next_wave(5, 25, 5)
        (1, 0)
        """
        if self.budget is None:
            return total - done
        if done == 0:
            return min(1, total)
        wanted, affordable = min(folds - done % folds, total - done), self.affordable()
        if affordable is None or affordable >= wanted:
            return wanted
        return max(affordable, LEAST_SPLITS - done, 0) if done < folds else 0

    def progress(self, done: int, here: int, later: int, split: int, splits: int) -> Progress:
        """Return how far it is, from the pieces of work that are done and left, and the splits run and asked for.

        Pieces are left `here`, in splits that are run in any case, and `later`, in splits that may be cut.
        """
        seconds = self.seconds
        each = seconds / done
        expected = each * (here + later)
        if self.budget is not None:
            expected = min(expected, max(each * here, self.budget - seconds))
        detail = f"split {min(split + 1, splits)} of at most {splits}"
        return Progress("comparing", done, done + here + later, seconds, expected, detail)


def missing_splits(done: int, splits: Sequence[tuple[int, int]], folds: int, clock: Clock) -> tuple[str, ...]:
    """Return what did not fit into the budget."""
    if done == len(splits):
        return ()
    took = f"one split takes {clock.measured:.0f} s of the budget of {clock.budget:.0f} s"
    messages = []
    if done < folds:
        messages.append(f"{done} of {folds} folds were run: {took}")
        if clock.budget is not None and clock.seconds > clock.budget:
            messages.append(f"the budget is exceeded: {done} splits are the least that have an interval")
    repeats, ran = -(-len(splits) // folds), max(1, done // folds)
    if repeats > ran:
        messages.append(f"{ran} of {repeats} repeats {'was' if ran == 1 else 'were'} run: {took}")
    return tuple(messages)
