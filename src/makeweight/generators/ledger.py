"""What was asked of a generator, what it proposed, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from makeweight.generators.gate import Weights
from makeweight.generators.streams import PURPOSES
from makeweight.plan import Group, Plan, Purpose, describe_group

__all__ = ["Ledger", "LedgerEntry", "accounts_of"]


@dataclass
class LedgerEntry:
    """The account of one group and purpose.

    At all times ``requested = accepted + shortfall`` and ``proposed = accepted + sum of rejected``.

    Parameters
    ----------
    group : Group
    name : str
        The group as text.
    purpose : {"balance", "augment"}
    requested, accepted, proposed : int
        Rows.
    rejected : Counter of str
        Rows by reason; a reason of one column names it, as in ``"out-of-range: age"``.
    copies : int
        Proposed rows that equal a real row in all learned columns, rejected or not.
    rounds : int
        Calls of the generator.
    seconds : float
    stopped : str
        Why it ended: "full", or what cut it short.
    """

    group: Group
    name: str
    purpose: Purpose
    requested: int
    accepted: int = 0
    proposed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    rounds: int = 0
    seconds: float = 0.0
    stopped: str = "not started"

    @property
    def shortfall(self) -> int:
        """Rows asked for and not accepted."""
        return self.requested - self.accepted

    def to_dict(self) -> dict[str, object]:
        """Return the entry as plain values for JSON."""
        return {
            "group": self.name,
            "purpose": self.purpose,
            **_counts(self),
            "rounds": self.rounds,
            "seconds": round(self.seconds, 6),
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class Ledger:
    """The accounts of a generation, one per group and purpose.

    Parameters
    ----------
    entries : tuple of LedgerEntry
    weights : tuple of Weights
        Pretrained weights of other origin that the rows were written with, and their licences.
    """

    entries: tuple[LedgerEntry, ...]
    weights: tuple[Weights, ...] = ()

    def __str__(self) -> str:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.rejected.most_common(3))
        written = f"{self.accepted:,} of {self.requested:,} accepted, {self.proposed:,} proposed"
        return written + (f" (rejected: {reasons})" if reasons else "")

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(self.entries)

    @property
    def requested(self) -> int:
        """Rows asked for in all."""
        return sum(entry.requested for entry in self.entries)

    @property
    def accepted(self) -> int:
        """Rows accepted in all."""
        return sum(entry.accepted for entry in self.entries)

    @property
    def proposed(self) -> int:
        """Rows proposed in all."""
        return sum(entry.proposed for entry in self.entries)

    @property
    def shortfall(self) -> int:
        """Rows asked for and not accepted."""
        return self.requested - self.accepted

    @property
    def copies(self) -> int:
        """Proposed rows that equal a real row."""
        return sum(entry.copies for entry in self.entries)

    @property
    def rejected(self) -> Counter[str]:
        """Rejected rows by reason."""
        return sum((entry.rejected for entry in self.entries), Counter())

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped it."""
        return any(entry.stopped == "interrupted" for entry in self.entries)

    def to_dict(self) -> dict[str, object]:
        """Return totals and entries as plain values for JSON; with the weights, where there are some."""
        weights = {"weights": [entry.to_dict() for entry in self.weights]} if self.weights else {}
        return {**_counts(self), "entries": [entry.to_dict() for entry in self.entries], **weights}


def accounts_of(plan: Plan) -> Iterator[tuple[int, LedgerEntry]]:
    """Yield an account for every group and purpose of which rows are wanted, with the group's position in the plan."""
    for position, group in enumerate(plan):
        for purpose, n in zip(PURPOSES, (group.n_balance, group.n_augment), strict=True):
            if n:
                yield position, LedgerEntry(group.group, describe_group(plan.columns, group.group), purpose, n)


def _counts(account: LedgerEntry | Ledger) -> dict[str, object]:
    names = ("requested", "accepted", "shortfall", "proposed", "rejected", "copies")
    return {name: getattr(account, name) for name in names} | {"rejected": dict(account.rejected.most_common())}
