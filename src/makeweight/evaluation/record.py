"""One arm with one estimator on one split, as it is kept and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from makeweight.evaluation.metrics import Measured

#: Repeat, fold, arm and estimator.
Key = tuple[int, int, str, str]


@dataclass(frozen=True)
class ArmRecord(Measured):
    """What an arm scored on one split, or why it could not be measured."""

    repeat: int
    fold: int
    source: str
    arm: str
    estimator: str
    task_seconds: float = 0.0  # its share of the time of all arms of the source on this split
    error: str = ""  # why nothing was measured; empty where something was
    #: real rows, and what the arm added to them or took away
    n_train: int = 0
    n_added: int = 0
    seconds: float = 0.0  # to write the rows and fit the estimator
    ledger: Mapping[str, object] | None = None  # the generator's account, as plain values

    @property
    def key(self) -> Key:
        """What tells it from other records."""
        return self.repeat, self.fold, self.arm, self.estimator

    @property
    def split(self) -> str:
        """The split in words."""
        return f"repeat {self.repeat + 1}, fold {self.fold + 1}"


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why."""

    arm: str
    estimator: str
    split: str
    error: str
