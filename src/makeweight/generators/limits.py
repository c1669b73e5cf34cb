"""What limits hold while rows are written."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

from makeweight.errors import GenerationShortfall, OptionError
from makeweight.generators.check import CopyPolicy
from makeweight.generators.ledger import Ledger

__all__ = ["Limits", "report_shortfall"]


class ShortfallWarning(UserWarning):
    """Fewer rows than asked for were accepted, and the caller chose to go on."""


@dataclass(frozen=True)
class Limits:
    """What limits hold while rows are written.

    Parameters
    ----------
    copies : {"auto", "reject", "accept"}
        What to do with exact copies of real rows; see `makeweight.generators.check.Checker`.
    on_shortfall : {"raise", "warn"}
        What to do when fewer rows than asked for could be accepted. With "warn", too, a group that the
        generator fails to write is left short, and the others are written.
    max_seconds : float, optional
        Time for all rows.
    max_cost : float, optional
        US dollars, compared with what the generator says it has spent, as are `max_tokens`.
    max_proposed : int, optional
        Proposed rows per group and purpose; by default 200 per requested row, at least 10,000.
    max_tokens : int, optional
    patience : int
        Rounds in a row without an accepted row after which a group stays short.

    Raises
    ------
    OptionError
        When a value is out of its range.

    Examples
    --------
    >>> import pandas as pd
    >>> from makeweight import balance
    >>> frame = pd.DataFrame({"x": [1.0, 2.2, 3.1, 4.7, 0.5], "y": ["a", "a", "a", "a", "b"]})
    >>> limits = Limits(copies="accept", max_seconds=60)
    >>> len(balance(frame, target="y", generator="random", limits=limits, random_state=0))
    3
    """

    copies: CopyPolicy = "auto"
    on_shortfall: Literal["raise", "warn"] = "raise"
    max_seconds: float | None = None
    max_cost: float | None = None
    max_proposed: int | None = None
    max_tokens: int | None = None
    patience: int = 10

    def __post_init__(self) -> None:
        if self.copies not in ("auto", "reject", "accept"):
            raise OptionError("unknown policy for copies", got=repr(self.copies), expected="auto, reject or accept")
        if self.on_shortfall not in ("raise", "warn"):
            raise OptionError("unknown on_shortfall", got=repr(self.on_shortfall), expected="raise or warn")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise OptionError("max_seconds is a time", got=repr(self.max_seconds), expected="seconds above 0, or None")
        if self.max_cost is not None and not self.max_cost >= 0:
            raise OptionError("max_cost is an amount of money", got=repr(self.max_cost), expected="US dollars, or None")


def report_shortfall(generation: object, ledger: Ledger, on_shortfall: str, hint: str) -> None:
    """Raise or warn where fewer rows than asked for were accepted.

    Parameters
    ----------
    generation : Generation or PartitionedGeneration
        For the error to carry.
    ledger : Ledger
    on_shortfall : {"raise", "warn"}
    hint : str

    Raises
    ------
    GenerationShortfall
    """
    if not ledger.shortfall:
        return
    worst = "; ".join(
        f"{entry.name} ({entry.purpose}): {entry.accepted} of {entry.requested}, stopped: {entry.stopped}"
        for entry in [entry for entry in ledger if entry.shortfall][:5]
    )
    reasons = ", ".join(f"{count} {reason}" for reason, count in ledger.rejected.most_common(5)) or "none"
    error = GenerationShortfall(
        f"{ledger.accepted} of {ledger.requested} rows could be written",
        generation=generation,
        where=worst,
        got=f"{ledger.proposed} proposed; rejected: {reasons}",
        hint=hint,
    )
    if on_shortfall == "raise":
        raise error
    warnings.warn(error.message, ShortfallWarning, stacklevel=3)
