"""How to train, how far training is, and how it went."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["Recipe", "TrainingProgress", "TrainingState"]


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


@dataclass(frozen=True)
class TrainingProgress:
    """How far training is, told after every epoch.

    Parameters
    ----------
    epoch, epochs, step : int
    loss, validation_loss : float
        Per token, in nats; the latter is NaN where no rows are held out.
    rows_per_second, seconds, seconds_left : float
        `seconds_left` at most: training may stop early.
    """

    epoch: int
    epochs: int
    step: int
    loss: float
    validation_loss: float
    rows_per_second: float
    seconds: float
    seconds_left: float


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
