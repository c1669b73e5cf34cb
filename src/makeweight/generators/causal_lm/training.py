"""Training on rows as text: columns in a fresh order for every row and epoch, stopped on held-out rows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from makeweight.errors import GeneratorError
from makeweight.generators.causal_lm.corpus import Corpus
from makeweight.generators.causal_lm.model import Language
from makeweight.progress import Progress

IGNORED = -100
WARMUP, FLOOR = 0.05, 0.1
WEIGHT_DECAY, LARGEST_GRADIENT = 0.01, 1.0
#: Fewer rows than this are all trained on, and training goes on to the last epoch.
MIN_TO_VALIDATE = 20
#: Orders of the columns in which a held-out row is read: one alone makes the loss noisy.
VALIDATION_ORDERS = 4


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


class LanguageTrainer:
    """The state of a training: weights, optimizer and the best weights so far.

    `seed`: decides split, orders, batches and dropout, epoch by epoch.
    """

    def __init__(self, language: Language, corpus: Corpus, recipe: Recipe, seed: np.random.SeedSequence) -> None:
        self.language, self.corpus, self.recipe, self.seed = language, corpus, recipe, seed
        self.outcome = TrainingState()
        self.parameters = language.trained()
        self.optimizer = torch.optim.AdamW(
            list(self.parameters.values()), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY
        )
        self.training, self.validation = split(corpus, recipe.validation_share, self.stream(0))
        self.steps = recipe.epochs * math.ceil(len(self.training) / recipe.batch_size)
        self.best: dict[str, torch.Tensor] = {}

    def stream(self, epoch: int) -> np.random.Generator:
        """Return the random numbers of an epoch; 0 stands for what is decided before the first."""
        child = np.random.SeedSequence(self.seed.entropy, spawn_key=(*self.seed.spawn_key, epoch))
        return np.random.default_rng(child)

    def train_epoch(self, deadline: float) -> float:
        """Go through the training rows once, or until the deadline; return the mean loss."""
        rng = self.stream(self.outcome.epoch + 1)
        torch.manual_seed(int(rng.integers(2**63)))  # of a fork of the global state: dropout
        rows = rng.permutation(self.training)
        total, tokens = 0.0, 0
        self.language.model.train()
        for first in range(0, len(rows), self.recipe.batch_size):
            batch = rows[first : first + self.recipe.batch_size]
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.learning_rate * pace(self.outcome.step, self.steps)
            with precision(self.language.device):
                loss, n = batch_loss(self.language, self.corpus, batch, rng)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise _not_finite(value, self.outcome.step, self.optimizer.param_groups[0]["lr"])
            self.optimizer.zero_grad(set_to_none=True)
            (loss / n).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), LARGEST_GRADIENT)
            self.optimizer.step()
            self.outcome.step += 1
            total, tokens = total + value, tokens + n
            if time.perf_counter() > deadline:
                break
        return total / tokens

    @torch.no_grad()
    def validate(self) -> float:
        """Return the mean loss of the held-out rows, always in the same orders; NaN where there are none."""
        if not len(self.validation):
            return math.nan
        self.language.model.eval()
        rng = np.random.default_rng(np.random.SeedSequence(self.seed.entropy, spawn_key=(2**32 - 1,)))
        total, tokens = 0.0, 0
        rows = np.tile(self.validation, VALIDATION_ORDERS)
        for first in range(0, len(rows), 4 * self.recipe.batch_size):
            batch = rows[first : first + 4 * self.recipe.batch_size]
            with precision(self.language.device):
                loss, n = batch_loss(self.language, self.corpus, batch, rng)
            total, tokens = total + float(loss.detach()), tokens + n
        return total / tokens

    def keep(self) -> None:
        """Remember the weights as the best so far."""
        self.best = {name: value.detach().cpu().clone() for name, value in self.parameters.items()}

    @torch.no_grad()
    def restore(self) -> None:
        """Put the best weights back."""
        for name, value in self.best.items():
            self.parameters[name].copy_(value)


def train(
    trainer: LanguageTrainer,
    *,
    progress: Callable[[Progress], object] | None = None,
    after_epoch: Callable[[LanguageTrainer], object] | None = None,
) -> TrainingState:
    """Train until the last epoch, until the validation loss stays, or until the time is up.

    `trainer`: new, or brought to where an earlier one was. `progress`: called with a `makeweight.progress.Progress`
    after every epoch. `after_epoch`: called with the trainer then, to save it. The model then has the best
    weights.
    """
    outcome, recipe = trainer.outcome, trainer.recipe
    before, start = outcome.seconds, time.perf_counter()
    deadline = math.inf if recipe.max_seconds is None else start - before + recipe.max_seconds
    while not outcome.stopped:
        began = time.perf_counter()
        loss = trainer.train_epoch(deadline)
        outcome.rows_per_second = len(trainer.training) / (time.perf_counter() - began)
        held_out = trainer.validate()
        outcome.epoch += 1
        if not len(trainer.validation) or held_out < outcome.best_loss:
            outcome.best_epoch = outcome.epoch
            outcome.best_loss = held_out if len(trainer.validation) else math.inf
            trainer.keep()
        outcome.losses.append((loss, held_out))
        outcome.seconds = before + time.perf_counter() - start
        outcome.stopped = _reason_to_stop(outcome, recipe, time.perf_counter() > deadline)
        if progress is not None:
            left = (recipe.epochs - outcome.epoch) * (time.perf_counter() - began)
            if recipe.max_seconds is not None:
                left = min(left, max(0.0, recipe.max_seconds - outcome.seconds))
            detail = f"loss {loss:.4f}" + ("" if math.isnan(held_out) else f", held out {held_out:.4f}")
            detail += f", {outcome.rows_per_second:,.0f} rows/s"
            progress(Progress("training, epochs", outcome.epoch, recipe.epochs, outcome.seconds, left, detail))
        if after_epoch is not None:
            after_epoch(trainer)
    trainer.restore()
    trainer.language.model.eval()
    return outcome


def _reason_to_stop(outcome: TrainingState, recipe: Recipe, late: bool) -> str:
    if outcome.epoch >= recipe.epochs:
        return "all epochs"
    if late:
        return "max_seconds"
    return "no better" if outcome.epoch - outcome.best_epoch >= recipe.patience else ""


def split(corpus: Corpus, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and those to hold out, about the same share of every group.

    >>> corpus = Corpus([[1]], [], [], np.zeros(50, dtype=int), 0)
    >>> [len(rows) for rows in split(corpus, 0.1, np.random.default_rng(0))]
    [45, 5]
    """
    rows = np.arange(len(corpus))
    if share == 0 or len(rows) < MIN_TO_VALIDATE:
        return rows, rows[:0]
    mixed = rng.permutation(rows)
    by_group = mixed[np.argsort(corpus.groups[mixed], kind="stable")]
    every = max(2, round(1 / share))
    held_out = np.zeros(len(rows), dtype=bool)
    held_out[by_group[every // 2 :: every]] = True
    return rows[~held_out], rows[held_out]


def batch_loss(
    language: Language, corpus: Corpus, rows: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, int]:
    """Return the summed loss of some rows, columns in fresh orders, and the number of tokens it is over.

    Prompt and padding are read, but nothing is asked of them; the end token counts.
    """
    written = [corpus.row(int(row), rng.permutation(len(corpus.names)).tolist()) for row in rows]
    longest = max(len(tokens) for tokens, _ in written)
    tokens = torch.full((len(rows), longest), language.pad)
    labels = torch.full((len(rows), longest), IGNORED)
    mask = torch.zeros((len(rows), longest), dtype=torch.int64)
    for position, (row, prompt) in enumerate(written):
        tokens[position, : len(row)] = torch.tensor(row)
        labels[position, prompt : len(row)] = torch.tensor(row[prompt:])
        mask[position, : len(row)] = 1
    device = language.device
    logits = language.logits(tokens.to(device), mask.to(device))
    targets = labels[:, 1:].to(device)
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss, int((labels[:, 1:] != IGNORED).sum())


def pace(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: a short rise, then a cosine down to a tenth.

    >>> [round(pace(step, 100), 2) for step in (0, 4, 50, 99)]
    [0.2, 1.0, 0.59, 0.1]
    """
    rise = max(1, round(WARMUP * steps))
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which the model runs: bfloat16 on a GPU that has it, else full precision."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _not_finite(loss: float, step: int, rate: float) -> GeneratorError:
    return GeneratorError(
        "training stopped: the loss is not finite",
        where=f"step {step}",
        got=f"loss {loss} at learning rate {rate:g}",
        hint=f"--option learning_rate={rate / 10:g}",
    )
