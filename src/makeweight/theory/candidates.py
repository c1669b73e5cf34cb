"""Candidate sizes: rows to balance, rows to augment, and alpha, as fractions that scale with a fold."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from makeweight.errors import OptionError, PlanError
from makeweight.theory._checks import fraction
from makeweight.theory.weights import augmentation_weight

__all__ = ["NOTHING", "Candidate", "Take"]


@dataclass(frozen=True)
class Take:
    """How many rows of a group's pool to train on, and with what weight.

    The first `n_balance` rows of the pool have weight one, the next `n_augment` rows have weight `weight`.
    `correction` is the c of `makeweight.theory.corrected_sample`: zero leaves borrowed rows out.

    Examples
    --------
    >>> take = Take(80, 20, 0.5)
    >>> take.n_total, take.mass
    (100, 90.0)
    """

    n_balance: int
    n_augment: int
    weight: float
    correction: float = 0.0

    @property
    def n_total(self) -> int:
        """Rows of the pool that are used."""
        return self.n_balance + self.n_augment

    @property
    def mass(self) -> float:
        """Sum of the weights of these rows."""
        return self.n_balance + self.weight * self.n_augment


@dataclass(frozen=True)
class Candidate:
    """A size to try, in units that carry over from a fold to the whole table.

    Attributes
    ----------
    balance : float
        Rows to balance, as a share of what the group lacks to the largest: 1 balances.
    augment : float
        Augmentation rows of every group, as a multiple of the largest group.
    alpha : float
        Weight of the augmentation term; zero exactly when `augment` is.
    per_group : mapping of group to float
        Shares that replace `balance` for some groups.
    correction : float
        c in [0, 1], the share of the generator's estimated bias that is taken out; zero without rows.

    Examples
    --------
    >>> Candidate(balance=1.0, augment=0.5, alpha=0.2).takes({"common": 900, "rare": 100})["rare"]
    Take(n_balance=800, n_augment=450, weight=0.5, correction=0.0)
    """

    balance: float = 0.0
    augment: float = 0.0
    alpha: float = 0.0
    per_group: Mapping[Hashable, float] = field(default_factory=dict)
    correction: float = 0.0

    def __post_init__(self) -> None:
        fraction(self.alpha, "alpha", open_end=True)
        for name, value in (("balance", self.balance), ("augment", self.augment), *self.per_group.items()):
            if not (math.isfinite(value) and value >= 0):
                raise OptionError("out of range", where=str(name), got=value, expected="finite and >= 0")
        if (self.augment > 0) != (self.alpha > 0):
            raise OptionError(
                "augmentation rows and alpha come together",
                got=f"augment={self.augment}, alpha={self.alpha}",
                expected="both zero or both positive",
            )
        fraction(self.correction, "correction")
        if self.correction and not (self.balance or self.augment or any(self.per_group.values())):
            raise OptionError("there are no rows to correct", got=f"correction={self.correction}")

    def takes(self, counts: Mapping[Hashable, int]) -> dict[Hashable, Take]:
        """Return the rows to take per group, for real counts per group."""
        unknown = [group for group in self.per_group if group not in counts]
        if unknown or not counts or min(counts.values()) < 1:
            raise PlanError("groups do not match", got=unknown or dict(counts), expected="groups with rows")
        largest = max(counts.values())
        extra = round(self.augment * largest)
        alpha = self.alpha if extra else 0.0
        weight = augmentation_weight(alpha, largest, extra)
        takes = {}
        for group, rows in counts.items():
            missing = round(self.per_group.get(group, self.balance) * (largest - rows))
            takes[group] = Take(missing, extra, weight, self.correction if missing + extra else 0.0)
        return takes


NOTHING = Candidate()
"""Add no row: always a candidate."""
