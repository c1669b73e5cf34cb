"""What every training shares, whatever it trains: a clock, a log, a checkpoint, and a loop that ends in time."""

from __future__ import annotations

import abc
import csv
import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import swa_utils

from makeweight.errors import GeneratorError
from makeweight.generators.transformer.config import TrainConfig
from makeweight.generators.transformer.labels.config import LabelTrainConfig
from makeweight.generators.transformer.optimisers import build_optimisers, running_mean
from makeweight.generators.transformer.weights import write_atomically

__all__ = ["TrainingLoop"]

PATIENCE = 20  # steps in a row with numbers that are not finite before a training gives up
M = TypeVar("M", bound=nn.Module)
F = TypeVar("F")


class TrainingLoop(abc.ABC, Generic[M, F]):
    """A training within a budget of seconds, which a checkpoint lets go on. A subclass trains a step and validates.

    `M` is what is trained, `F` what a validation says.
    """

    folder: Path
    seconds: float
    steps: int | None
    step: int
    tasks: int
    spent: float
    #: steps per line of the log; steps after which the loss is read; share of the mean loss that a reading leaves
    log_every, read_every, memory = 50, 1, 0.98
    clock: Callable[[], float] = staticmethod(time.monotonic)

    def begin(self, model: M, config: TrainConfig | LabelTrainConfig) -> None:
        """Take a model to be trained."""
        self.model, self.pace = model, config
        self.averaged = swa_utils.AveragedModel(model, avg_fn=running_mean(config.average))
        self.optimisers = build_optimisers(model, config)
        self.full_rates = [optimiser.param_groups[0]["lr"] for optimiser in self.optimisers]
        self.mean_loss = math.nan
        self.began = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds of this call."""
        return self.clock() - self.began

    @abc.abstractmethod
    def train_step(self) -> Tensor | None:
        """Draw tables, predict, update. Returns the loss, or None if it was not finite."""

    @abc.abstractmethod
    def evaluate(self) -> F:
        """Validate, log, and keep what is worth it."""

    @abc.abstractmethod
    def log(self) -> None:
        """Write a line of the log."""

    @abc.abstractmethod
    def facts(self) -> dict[str, object]:
        """What a checkpoint holds besides weights, optimisers and counts."""

    def checkpoint(self) -> None:
        """Write everything that a resumption needs."""
        state = {
            **self.facts(),
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "tasks": self.tasks,
            "spent": self.spent + self.elapsed,
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.folder / "checkpoint.pt", buffer.getvalue())

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the state of a checkpoint."""
        self.model.load_state_dict(state["model"])
        if "averaged" in state:
            self.averaged.load_state_dict(state["averaged"])
        else:  # of a run without a mean of the weights: it begins here
            self.averaged.module.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.tasks, self.spent = state["step"], state["tasks"], state["spent"]

    def append(self, name: str, row: dict[str, float | int]) -> None:
        """Add a line to a file of figures."""
        path = self.folder / name
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})

    def _done(self) -> bool:
        return self.elapsed >= self.seconds or (self.steps is not None and self.step >= self.steps)

    def run(self) -> F:
        """Train until the budget is used; validate at the end.

        Raises GeneratorError if the loss is not finite for many steps in a row.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        validated = saved = self.elapsed
        bad = 0
        while not self._done():
            loss = self.train_step()
            bad = bad + 1 if loss is None else 0
            if bad >= PATIENCE:
                raise GeneratorError("the loss is no longer finite", where=f"step {self.step}")
            if loss is not None and self.step % self.read_every == 0:
                value, kept = loss.item(), self.memory
                self.mean_loss = value if math.isnan(self.mean_loss) else kept * self.mean_loss + (1 - kept) * value
            if self.step % self.log_every == 0:
                self.log()
            if self.elapsed - saved > 60 * self.pace.checkpoint_minutes:
                self.checkpoint()
                saved = self.elapsed
            if self.elapsed - validated > 60 * self.pace.validate_minutes:
                self.evaluate()
                validated = self.elapsed
        figures = self.evaluate()
        self.checkpoint()
        return figures
