"""How to train, and how training went."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["Recipe", "TrainingState"]


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Parameters
    ----------
    epochs, batch_size, patience : int
        `patience` is the number of epochs without a better validation loss after which training stops.
    learning_rate, validation_share : float
    max_seconds : float or None
    """

    epochs: int
    batch_size: int
    learning_rate: float
    validation_share: float
    patience: int
    max_seconds: float | None


@dataclass
class TrainingState:
    """Where training stands, and in the end how it went.

    Parameters
    ----------
    epoch, step : int
        Finished epochs and steps.
    best_epoch : int
    best_loss : float
        Validation loss of the weights that are kept; infinite where no rows are held out.
    seconds, rows_per_second : float
    stopped : str
        "all epochs", "no better", or "max_seconds".
    """

    epoch: int = 0
    step: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    seconds: float = 0.0
    rows_per_second: float = 0.0
    stopped: str = ""
    losses: list[tuple[float, float]] = field(default_factory=list)
