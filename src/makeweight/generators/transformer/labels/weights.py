"""Weights of the label-last network: one safetensors file in float16 that says what it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors

from makeweight.errors import FileProblem
from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.model import LabelModel
from makeweight.generators.transformer.weights import write_atomically

__all__ = ["LabelWeights", "load", "save"]

FORMAT = 1
"""Raised when the meaning of a tensor changes."""


@dataclass(frozen=True)
class LabelWeights:
    """Where weights come from.

    Attributes
    ----------
    steps, tasks : int
        Optimiser steps, and tables seen.
    core_hours : float
        Spent training.
    loss : float
        Balanced log-loss on the fixed tasks, in nats.
    """

    steps: int = 0
    tasks: int = 0
    core_hours: float = 0.0
    loss: float = 0.0


def save(model: LabelModel, path: str | Path, facts: LabelWeights) -> None:
    """Write weights.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels.safetensors"
    >>> save(LabelModel(LabelModelConfig()), path, LabelWeights(steps=3))
    >>> load(path)[1].steps
    3
    """
    tensors = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    about = {"format": FORMAT, "model": asdict(model.config), "facts": asdict(facts)}
    write_atomically(Path(path), save_tensors(tensors, {"about": json.dumps(about)}))


def load(path: str | Path) -> tuple[LabelModel, LabelWeights]:
    """Read weights: the model in float32 and evaluation mode, and where the weights come from.

    Raises
    ------
    FileProblem
        If the file is missing, damaged or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["about"])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise FileProblem(
            "the weights of the label network cannot be read", where=str(path), got=type(error).__name__
        ) from error
    if about["format"] != FORMAT:
        raise FileProblem("unknown format of weights", where=str(path), got=about["format"], expected=FORMAT)
    with torch.random.fork_rng(devices=[]):
        model = LabelModel(LabelModelConfig(**about["model"]))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise FileProblem("the weights do not fit the model", where=str(path), got=str(error)[:200]) from error
    return model.eval().requires_grad_(False), LabelWeights(**about["facts"])
