"""Pretraining: time-budgeted, resumable, reproducible.

    makeweight pretrain --config tiny --hours 2 -o runs/tiny

Every step draws its tables from a generator seeded by (seed, step), so a resumed run sees exactly the tables
that an uninterrupted one would have seen. The folder holds ``checkpoint.pt`` (model, optimisers, step, time,
best figures), ``best/`` (weights and manifest with the best validation), ``log.csv`` and ``validation.csv``.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from makeweight.errors import FileProblem, OptionError
from makeweight.generators.transformer import weights
from makeweight.generators.transformer.arrays import to_torch
from makeweight.generators.transformer.config import PRIOR_VERSION, Config
from makeweight.generators.transformer.device import choose_device
from makeweight.generators.transformer.loop import TrainingLoop
from makeweight.generators.transformer.network import untrained
from makeweight.generators.transformer.objective import Prepared, add_rivals, network_scores, prepare
from makeweight.generators.transformer.optimisers import learning_rate
from makeweight.generators.transformer.prior import draw_shape, draw_tasks, real_tasks
from makeweight.generators.transformer.tables import RealTables
from makeweight.generators.transformer.trainable import TrainableNetwork
from makeweight.generators.transformer.validation import Figures, baselines, validate, validation_batches
from makeweight.progress import Progress
from makeweight.table.records import guarded

__all__ = ["pretrain"]


@dataclass
class Trainer(TrainingLoop[TrainableNetwork, Figures]):
    """One pretraining run."""

    config: Config
    folder: Path
    device: torch.device
    seconds: float  # budget of this call; time spent before a resumption is counted apart
    compile: bool = False  # compile the layers (worth it on an accelerator)
    steps: int | None = None  # stop after so many steps in total, whatever the time
    #: seconds of a training that is split over several calls: the learning rate then follows the time spent in all of
    #: them, not in this one
    horizon: float | None = None
    #: called with a `makeweight.progress.Progress`, in seconds, every fifty steps and after every validation
    progress: Callable[[Progress], object] | None = None
    tables: RealTables | None = None  # of which half of the batches are
    step: int = 0
    tasks: int = 0
    spent: float = 0.0
    best: float = math.inf
    history: list[Figures] = field(default_factory=list)
    references: dict[str, Figures] = field(default_factory=dict)
    batches: list[Prepared] = field(default_factory=list, repr=False)  # of validation

    def __post_init__(self) -> None:
        start = untrained(self.config.model, np.random.default_rng(self.config.train.seed))
        self.begin(TrainableNetwork(start, self.device, self.compile), self.config.train)
        self.read_every = 1 if self.device.type == "cpu" else 10
        self.prior_seconds = self.timed_seconds = 0.0

    # -- persistence ------------------------------------------------------------------------------------

    def facts(self) -> dict[str, object]:
        """What a checkpoint says of the run."""
        return {
            "format": weights.FORMAT,
            "prior_version": PRIOR_VERSION,
            "config": dataclasses.asdict(self.config),
            "best": self.best,
            "history": self.history,
            "references": self.references,
        }

    def resume(self, path: str | Path) -> None:
        """Continue where a checkpoint was written.

        Raises FileProblem if it cannot be read, or was written by another configuration or prior.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:
            raise FileProblem(
                "the checkpoint cannot be read",
                where=str(path),
                got=type(error).__name__,
                hint="name a checkpoint.pt that pretraining wrote, or leave out --resume",
            ) from error
        guarded(path, "the checkpoint", lambda: self._restore(path, state), hint="leave out --resume to start again")

    def _restore(self, path: str | Path, state: dict[str, Any]) -> None:
        if state.get("format") != weights.FORMAT:
            raise FileProblem("unknown format of checkpoint", where=str(path), got=state.get("format"))
        own = dataclasses.asdict(self.config.model)
        if state["config"]["model"] != own:
            raise FileProblem(
                "the checkpoint is of another model", where=str(path), got=state["config"]["model"], expected=own
            )
        self.restore(state)
        self.history = state["history"]
        if self._same_validation(state):  # otherwise the figures cannot be compared
            self.references = state["references"]
            if (self.folder / "best").is_dir():  # the best weights of another folder would not be in this one
                self.best = state["best"]

    def _same_validation(self, state: dict[str, Any]) -> bool:
        """Whether a checkpoint was judged on the tasks that this run is judged on."""
        then, now = state["config"], dataclasses.asdict(self.config)
        keys = ("seed", "validation_tasks", "contrast")
        same_train = all(then["train"].get(key) == now["train"][key] for key in keys)
        return bool(state["prior_version"] == PRIOR_VERSION and then["prior"] == now["prior"] and same_train)

    # -- training ---------------------------------------------------------------------------------------

    @property
    def fraction(self) -> float:
        """Share of the schedule that is behind."""
        used = self.elapsed / self.seconds
        if self.horizon is not None:
            used = (self.spent + self.elapsed) / self.horizon
        return min(1.0, used)

    def _now(self) -> float:
        if self.device.type == "cuda" and self.step % self.log_every == 0:
            torch.cuda.synchronize()
        return time.monotonic()

    def train_step(self) -> Tensor | None:
        """Draw tables, predict, update. Returns the loss, or None if it was not finite."""
        train = self.config.train
        start = self._now()
        rng = np.random.default_rng([train.seed, 0, self.step])
        generator = torch.Generator(self.device).manual_seed(train.seed + (self.step + 1) * 1_000_003)
        shape = draw_shape(self.config.prior, train.cells, self.step / train.curriculum, rng)
        sizes = (shape.context, shape.queries, shape.columns - 1)
        if self.tables is not None and self.tables.has(*sizes) and rng.random() < 0.5:
            tasks = to_torch(real_tasks(self.tables, shape, rng), self.device)
        else:
            tasks = draw_tasks(self.config.prior, shape, generator)
        pairs = None
        if train.contrast:
            tasks, pairs = add_rivals(tasks, generator)
        prepared = prepare(self.config.model, tasks, generator, pairs)
        drawn = self._now()
        rate = learning_rate(self.step, self.fraction, train)
        for optimiser, full in zip(self.optimisers, self.full_rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * full
            optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            streams = self.model(prepared.inputs, shape.context)
            scores = network_scores(self.model.network(), prepared, streams)
            loss = scores.loss
            if train.contrast:
                loss = loss + train.contrast * scores.contrast
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), train.clip)
        self.step += 1
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            return None
        for optimiser in self.optimisers:
            optimiser.step()
        self.averaged.update_parameters(self.model)
        self.tasks += shape.batch
        if (self.step - 1) % self.log_every == 0 or self.device.type == "cpu":
            self.prior_seconds += drawn - start
            self.timed_seconds += self._now() - start
        return loss.detach()

    def evaluate(self) -> Figures:
        """Validate, log, and keep the weights if they are the best so far."""
        if not self.batches:
            self.batches = list(validation_batches(self.config, self.device))
        if not self.references:
            self.references = baselines(self.config, self.batches)
        averaged = cast(TrainableNetwork, self.averaged.module)
        figures = validate(averaged, self.batches)
        spent = self.spent + self.elapsed
        row: Figures = {"step": float(self.step), "tasks": float(self.tasks), "seconds": spent, **figures}
        self.history.append(row)
        self.append("validation.csv", dict(row))
        judged = figures["total"] + self.config.train.contrast * figures["contrast"]  # as it is trained
        if judged < self.best:
            self.best = judged
            facts: dict[str, Any] = {
                "steps": self.step,
                "tasks": self.tasks,
                "seconds": spent,
                "device": self.device.type,
            }
            validation = {"model": figures, **self.references}
            best, name = self.folder / "best", self.config.name
            weights.save(averaged.snapshot(), best, config=name, validation=validation, **facts)
        chain = self.references["chain"]
        parts = [f"{kind} {value:.4f} (chain {chain[kind]:.4f})" for kind, value in figures.items()]
        self._report("validation", f"step {self.step}  {self.spent + self.elapsed:.0f} s  " + "  ".join(parts))
        return figures

    def _report(self, step: str, detail: str) -> None:
        if self.progress is not None:
            elapsed, left = self.elapsed, max(0.0, self.seconds - self.elapsed)
            self.progress(Progress(step, round(elapsed), round(elapsed + left), self.spent + elapsed, left, detail))

    def log(self) -> None:
        """Write a line of the log."""
        share = self.prior_seconds / max(self.timed_seconds, 1e-9)
        line = {"step": self.step, "seconds": self.spent + self.elapsed, "loss": self.mean_loss}
        self.append("log.csv", {**line, "tasks": self.tasks, "prior_share": share})
        self._report("pretraining", f"step {self.step:,}, {self.tasks:,} tables, loss {self.mean_loss:.3f}")


def pretrain(
    config: Config,
    folder: str | Path,
    *,
    hours: float,
    device: str = "auto",
    resume: str | Path | None = None,
    compile: bool = False,
    steps: int | None = None,
    horizon: float | None = None,
    progress: Callable[[Progress], object] | None = None,
    tables: str | Path | None = None,
) -> Figures:
    """Pretrain within a time budget and leave the best weights in ``folder/best``.

    `hours`: wall-clock budget of this call. `device`: {"auto", "cpu", "cuda"}. `resume`: a checkpoint to continue from.
    `steps`: stop after so many steps in total, if the time allows. `horizon`: hours of a training that is split over
    several calls, for the learning rate. `progress`: called with a `makeweight.progress.Progress`, in seconds, every
    fifty steps and after every validation. `tables`: a folder of tables that people made, of which half of the batches
    are, where enough have the shape. Returns the final validation figures.
    """
    if not hours > 0:
        raise OptionError("the budget must be positive", where="hours", got=hours)
    if horizon is not None and not horizon > 0:
        raise OptionError("the horizon must be positive", where="horizon", got=horizon)
    seconds = None if horizon is None else 3600 * horizon
    budget = 3600 * hours
    prior, real = config.prior, None
    if tables is not None:
        real = RealTables.read(tables, prior.max_ratio, min(prior.usual_context, prior.max_context), prior.queries)
    trainer = Trainer(
        config, Path(folder), torch.device(choose_device(device)), budget, compile, steps, seconds, progress, real
    )
    if resume is not None:
        trainer.resume(resume)
    return trainer.run()
