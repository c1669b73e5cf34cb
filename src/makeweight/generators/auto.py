"""The generator that is picked for a table by the likelihood of rows it has not seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.generators.base import Cost, Generator, Traits
from makeweight.generators.frame.options import WithOptions, option
from makeweight.generators.registry import resolve
from makeweight.plan import Group, Groups, Plan
from makeweight.table import Table

__all__ = ["AutoGenerator"]

RIVAL, REFERENCE = "transformer", "smoothed-bootstrap"


@dataclass(frozen=True)
class Choice:
    """Which generator was picked, and why."""

    picked: str  # {"transformer", "smoothed-bootstrap"}
    reason: str
    rows: int = 0  # held-out rows that were compared
    #: mean over groups of what the transformer gives a held-out row more than the smoothed bootstrap, in nats of
    #: log-probability; None where nothing was compared
    gain: float | None = None
    error: float | None = None  # its standard error over rows


@dataclass(eq=False, repr=False)
class AutoGenerator(WithOptions):
    """The transformer or the smoothed bootstrap, whichever finds held-out real rows likelier.

    Both are fitted to the training rows of every fold and asked for the log-probability of the others given
    their group (``log_prob``; both count a number with the mass of a tenth of a normal score's standard
    deviation, or of all its ties). The mean over rows is taken within groups, then over groups, since the
    rows to be written are those of rare groups. Rows with a category that the fold's training rows lack,
    which neither can write, are left out. The one that is picked is then fitted to all rows.

    Parameters
    ----------
    folds : int
        2 or more.
    max_rows : int
        Rows compared, and at most twenty times as many to learn from; drawn evenly over groups.

    Raises
    ------
    OptionError
        In `fit`, when a parameter is out of its range.

    Notes
    -----
    The smoothed bootstrap's density takes its noise for normal and categories that are drawn anew for drawn
    alone (`SmoothedBootstrap.log_prob`). A likelier law of the rows is not always the one whose rows help a
    classifier most; ``makeweight evaluate`` measures that.

    Examples
    --------
    >>> from makeweight.generators.contract import example_table
    >>> table = example_table(60)
    >>> generator = AutoGenerator().fit(table, rng=np.random.default_rng(0))
    >>> generator.choice_.picked in ("transformer", "smoothed-bootstrap")
    True
    >>> len(generator.propose(("rare",), 4, rng=np.random.default_rng(1)))
    4
    """

    traits = Traits()

    folds: int = option(2, int, 2)
    max_rows: int = option(200, int, 10)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Compare the two on held-out rows, and fit the better one to all."""
        self._check_options()
        to_compare, to_fit = rng.spawn(2)
        self.choice_ = self._choose(table, to_compare)
        self._generator: Generator = resolve(self.choice_.picked).fit(table, rng=to_fit)
        return self

    @property
    def picked(self) -> Generator:
        """The fitted generator that was picked."""
        return self._generator

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write `n` rows of a group, by the generator that was picked."""
        return self._generator.propose(group, n, rng=rng)

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected: those of the generator, and of the comparison before `fit`."""
        if hasattr(self, "_generator"):
            return self._generator.cost(plan)
        return Cost(seconds=10.0 + resolve(REFERENCE).cost(plan).seconds)

    @property
    def notes(self) -> tuple[str, ...]:
        """Which generator was picked and why, and its own notes."""
        own: tuple[str, ...] = tuple(getattr(self._generator, "notes", ()))
        return (f"generator auto took {self.choice_.picked}: {self.choice_.reason}", *own)

    @property
    def details(self) -> dict[str, object]:
        """The choice, in numbers, and the details of the generator that was picked."""
        return {"auto": asdict(self.choice_), **getattr(self._generator, "details", {})}

    def _choose(self, table: Table, rng: np.random.Generator) -> Choice:
        groups = Groups(table)
        held_out = self._folds(groups, rng)
        if not table.schema.learned or not len(np.concatenate(held_out)):
            return Choice(REFERENCE, "no group has two rows, or no column is learned: nothing to compare by")
        gains, codes = [], []
        for rows in held_out:
            left = np.setdiff1d(np.arange(len(table)), rows)
            left = np.sort(rng.permutation(left)[: 20 * self.max_rows])
            known = Table(table.frame.iloc[left].reset_index(drop=True), table.schema)
            asked = table.frame.iloc[rows]
            rivals = [resolve(name, {"derive": False}) for name in (RIVAL, REFERENCE)]  # by the same cells
            fitted: list[Any] = [rival.fit(known, rng=rng.spawn(1)[0]) for rival in rivals]
            ours, theirs = (generator.log_prob(asked) for generator in fitted)
            both = np.isfinite(ours) & np.isfinite(theirs)
            gains.append((ours - theirs)[both])
            codes.append(groups.codes[rows][both])
        return _judged(np.concatenate(gains), np.concatenate(codes))

    def _folds(self, groups: Groups, rng: np.random.Generator) -> list[np.ndarray]:
        """Rows to hold out per fold, evenly over groups; a group of one row is never held out."""
        each = max(2, self.max_rows // len(groups))
        folds: list[list[np.ndarray]] = [[] for _ in range(self.folds)]
        for position, count in enumerate(groups.counts):
            if count < 2:
                continue
            rows = rng.permutation(np.flatnonzero(groups.codes == position))
            # a group is never held out whole
            for number, part in enumerate(np.array_split(rows[:each], self.folds)):
                folds[number].append(part)
        return [np.concatenate(parts) if parts else np.empty(0, dtype=np.int64) for parts in folds]


def _judged(gains: np.ndarray, codes: np.ndarray) -> Choice:
    """Compare by the mean over groups of the mean gain."""
    if not len(gains):
        return Choice(REFERENCE, "every held-out row has a category that the other rows lack")
    _, own, counts = np.unique(codes, return_inverse=True, return_counts=True)
    weights = 1 / (counts[own] * len(counts))
    gain = float(weights @ gains)
    error = float(np.sqrt((weights**2 * (gains - gain) ** 2).sum()))
    picked = RIVAL if gain > 0 else REFERENCE
    likelier = "likelier" if gain > 0 else "less likely"
    reason = (
        f"the transformer finds {len(gains)} held-out rows {likelier} than the smoothed bootstrap, by "
        f"{abs(gain):.2f} ± {error:.2f} nats a row"
    )
    return Choice(picked, reason, len(gains), gain, error)
