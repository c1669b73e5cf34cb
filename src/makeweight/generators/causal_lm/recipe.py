"""How to train, and how training went."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["TrainingState"]


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    #: `patience` is the number of epochs without a better validation loss after which training stops
    epochs: int
    batch_size: int
    learning_rate: float
    validation_share: float
    patience: int
    max_seconds: float | None


@dataclass
class TrainingState:
    """Where training stands, and in the end how it went."""

    #: finished epochs and steps
    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf  # validation loss of the weights that are kept; infinite where no rows are held out
    seconds: float = 0.0
    rows_per_second: float = 0.0
    stopped: str = ""  # "all epochs", "no better", or "max_seconds"
    losses: list[tuple[float, float]] = field(default_factory=list)
