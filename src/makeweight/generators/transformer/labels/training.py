"""Training the label-last network: open-ended, resumable, reproducible, on one core.

The learning rate rises, and then stays: a training can go on for as long as there are hours. A *decay branch* leaves
it at any checkpoint: the same steps with a rate that falls to zero, in a folder of its own. The main line knows nothing
of it.

Every step draws its tables from generators seeded by (seed, step), so that a resumed training sees the tables that
an uninterrupted one would have seen. Time is that of the processor, since other work may share the machine. The folder
holds ``checkpoint.pt``, ``labels.safetensors`` (the running mean of the weights), ``kept/`` (the same at growing
distances, for the curve), ``log.csv`` and ``validation.csv``.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from makeweight.errors import FileProblem, OptionError
from makeweight.generators.transformer.labels import evidence, weights
from makeweight.generators.transformer.labels.config import LabelConfig
from makeweight.generators.transformer.labels.model import LabelInputs, LabelModel, closed_form, inputs_of, untrained
from makeweight.generators.transformer.labels.tasks import LabelTasks, draw, validation_tasks
from makeweight.generators.transformer.loop import TrainingLoop
from makeweight.generators.transformer.optimisers import native_dtype
from makeweight.generators.transformer.tables import RealTables
from makeweight.generators.transformer.trainable import TrainableParameters

__all__ = ["LabelFigures", "pretrain_labels"]

KEEP = 1.3  # ratio of core-hours between weights that are kept
KERNELS = "20000"  # compiled kernels that are remembered; the default forgets most shapes before they come again


@dataclass(frozen=True)
class LabelFigures:
    """What a validation says.

    Attributes
    ----------
    step, tasks : int
    core_hours : float
    loss, auroc : float
        Balanced log-loss in nats and area under the ROC curve on the fixed tasks, by the network.
    closed_loss, closed_auroc : float
        The same by closed form.
    """

    step: int
    tasks: int
    core_hours: float
    loss: float
    auroc: float
    closed_loss: float
    closed_auroc: float


class TrainableLabels(TrainableParameters):
    """The network of labels; call it as the network."""

    def __init__(self, model: LabelModel) -> None:
        super().__init__(model.own)
        self.config = model.config

    def snapshot(self) -> LabelModel:
        """Return a copy on numpy arrays."""
        return LabelModel(self.config, self.rounded())

    def forward(self, inputs: LabelInputs) -> Tensor:
        """Log-odds of the rows to label: (B M)."""
        odds: Tensor = LabelModel(self.config, dict(self.named_parameters()))(inputs)
        return odds


def balanced_loss(odds: Tensor, tasks: LabelTasks) -> Tensor:
    """Log-loss of every task, both labels weighing the same: (B M) -> (B)."""
    loss = F.binary_cross_entropy_with_logits(odds, tasks.asked, reduction="none") * tasks.weight
    one, zero = tasks.weight * tasks.asked, tasks.weight * (1 - tasks.asked)
    return 0.5 * ((loss * one).sum(1) / one.sum(1) + (loss * zero).sum(1) / zero.sum(1))


def auroc(odds: Tensor, tasks: LabelTasks) -> Tensor:
    """Area under the ROC curve of every task: (B M) -> (B)."""
    above = (odds[:, :, None] > odds[:, None]).float() + 0.5 * (odds[:, :, None] == odds[:, None]).float()
    pairs = (tasks.weight * tasks.asked)[:, :, None] * (tasks.weight * (1 - tasks.asked))[:, None]
    return (above * pairs).sum((1, 2)) / pairs.sum((1, 2))


def prepare(config: LabelConfig, tasks: LabelTasks, rng: np.random.Generator) -> LabelInputs:
    """Collect the evidence of tasks and arrange it for the network."""
    rows_evidence = evidence.collect(tasks.values, tasks.categorical, tasks.known, config.model.trees, rng)
    return inputs_of(rows_evidence, config.model.most_columns)


def lowered(inputs: LabelInputs, dtype: torch.dtype) -> LabelInputs:
    """Inputs in another precision, but for the evidence that is added to the answer."""
    names = ("cell", "column", "row", "table", "alike")
    return dataclasses.replace(inputs, **{name: getattr(inputs, name).to(dtype) for name in names})


@dataclass
class LabelTrainer(TrainingLoop[TrainableLabels, LabelFigures]):
    """One training."""

    config: LabelConfig
    folder: Path
    seconds: float  # of the processor that this call may take
    decay: bool = False  # let the rate fall to zero over this call: a branch, which is not gone on from
    steps: int | None = None  # stop after so many steps in total
    progress: Callable[[LabelFigures], object] | None = None  # called with :class:`LabelFigures` after every validation
    tables: RealTables | None = None  # of which half of the tasks are
    step: int = 0
    tasks: int = 0
    spent: float = 0.0
    log_every, memory = 100, 0.99
    clock = staticmethod(time.process_time)

    def __post_init__(self) -> None:
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)
        start = untrained(self.config.model, np.random.default_rng(self.config.train.seed))
        self.begin(TrainableLabels(start), self.config.train)
        self.dtype = native_dtype()
        self.low = copy.deepcopy(self.model).to(self.dtype)  # of which gradients are taken
        self.fixed: list[tuple[LabelTasks, LabelInputs]] = []

    # -- persistence ------------------------------------------------------------------------------------

    def facts(self) -> dict[str, object]:
        """What a checkpoint says of the training."""
        return {"format": weights.FORMAT, "model_config": dataclasses.asdict(self.config.model)}

    def resume(self, path: str | Path) -> None:
        """Continue where a checkpoint was written.

        Raises FileProblem if it cannot be read, or is of another model.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
        except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
            raise FileProblem("the checkpoint cannot be read", where=str(path), got=type(error).__name__) from error
        own = dataclasses.asdict(self.config.model)
        if state.get("format") != weights.FORMAT or state["model_config"] != own:
            raise FileProblem(
                "the checkpoint is of another model", where=str(path), got=state.get("model_config"), expected=own
            )
        self.restore(state)
        self._lower()

    # -- training ---------------------------------------------------------------------------------------

    @property
    def core_hours(self) -> float:
        """Of the processor, in all calls."""
        return (self.spent + self.elapsed) / 3600

    @torch.no_grad()
    def _lower(self) -> None:
        for full, low in zip(self.model.parameters(), self.low.parameters(), strict=True):
            low.copy_(full)

    def rate(self) -> float:
        """Share of the full learning rate."""
        share = min(1.0, (self.step + 1) / self.config.train.warmup)
        if not self.decay:
            return share
        used = self.elapsed / self.seconds if self.steps is None else 0.0
        return share * max(0.0, 1.0 - used)

    def train_step(self) -> Tensor | None:
        """Draw tables, label, update. Returns the loss, or None if it was not finite."""
        train, step = self.config.train, self.step
        rng = np.random.default_rng([train.seed, 0, step])
        generator = torch.Generator().manual_seed(train.seed + (step + 1) * 1_000_003)
        most = train.largest[step >= train.grow_at]
        harder = train.exchanged, train.shuffled
        tasks = draw(self.config.prior, (train.least, most), train.cells, rng, generator, self.tables, harder)
        self.step += 1
        odds = self.low(lowered(prepare(self.config, tasks, rng), self.dtype))
        loss = balanced_loss(odds, tasks).mean()
        torch.autograd.backward(loss)
        for full, low in zip(self.model.parameters(), self.low.parameters(), strict=True):
            full.grad = None if low.grad is None else low.grad.float()
            low.grad = None
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), train.clip)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            return None
        rate = self.rate()
        for optimiser, full_rate in zip(self.optimisers, self.full_rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * full_rate
            optimiser.step()
        self._lower()
        self.averaged.update_parameters(self.model)
        self.tasks += len(tasks.label)
        return loss.detach()

    @torch.no_grad()
    def evaluate(self) -> LabelFigures:
        """Validate the running mean of the weights, in float32; write and keep it."""
        if not self.fixed:
            rng = np.random.default_rng(self.config.train.seed + 1)
            self.fixed = [(tasks, prepare(self.config, tasks, rng)) for tasks in validation_tasks(self.config)]
        averaged = cast(TrainableLabels, self.averaged.module)
        sums = torch.zeros(4)
        for tasks, inputs in self.fixed:
            for at, odds in ((0, averaged(inputs)), (2, closed_form(inputs))):
                sums[at] += balanced_loss(odds, tasks).sum()
                sums[at + 1] += auroc(odds, tasks).sum()
        numbers = (sums / sum(len(tasks.label) for tasks, _ in self.fixed)).tolist()
        figures = LabelFigures(self.step, self.tasks, self.core_hours, *numbers)
        self.append("validation.csv", dataclasses.asdict(figures))
        facts = weights.LabelWeights(self.step, self.tasks, figures.core_hours, figures.loss)
        path = self.folder / "labels.safetensors"
        weights.save(averaged.snapshot(), path, facts)
        kept = sorted((self.folder / "kept").glob("*.safetensors"))
        last = float(kept[-1].stem) if kept else 0.0
        if figures.core_hours > KEEP * last:
            (self.folder / "kept").mkdir(exist_ok=True)
            shutil.copy(path, self.folder / "kept" / f"{figures.core_hours:08.3f}.safetensors")
        if self.progress is not None:
            self.progress(figures)
        return figures

    def log(self) -> None:
        """Write a line of the log."""
        line = {"step": self.step, "tasks": self.tasks, "core_hours": self.core_hours, "loss": self.mean_loss}
        self.append("log.csv", line)


def pretrain_labels(
    config: LabelConfig,
    folder: str | Path,
    *,
    hours: float,
    resume: str | Path | None = None,
    decay: bool = False,
    steps: int | None = None,
    progress: Callable[[LabelFigures], object] | None = None,
    tables: str | Path | None = None,
) -> LabelFigures:
    """Train the label-last network for some core-hours, and leave its weights in ``folder``.

    Parameters
    ----------
    config : LabelConfig
    folder : path
    hours : float
        Of the processor, in this call.
    resume : path, optional
        A checkpoint to continue from.
    decay : bool
        Let the learning rate fall to zero over this call. The main line is gone on with from an earlier checkpoint.
    steps : int, optional
        Stop after so many steps in total, if the time allows.
    progress : callable, optional
        Called with :class:`LabelFigures` after every validation.
    tables : path, optional
        A folder of tables that people made, of which half of the tasks are.

    Returns
    -------
    LabelFigures
        Of the last validation.

    Raises
    ------
    OptionError
        If ``hours`` is not positive.
    FileProblem
        If the checkpoint or the tables cannot be used.
    """
    if not hours > 0:
        raise OptionError("the budget must be positive", where="hours", got=hours)
    real = None
    if tables is not None:
        real = RealTables.read(tables, config.prior.max_ratio, config.train.least, config.prior.queries)
    trainer = LabelTrainer(config, Path(folder), 3600 * hours, decay, steps, progress, real)
    if resume is not None:
        trainer.resume(resume)
    return trainer.run()
