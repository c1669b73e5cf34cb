"""Weights of the label-last network: one safetensors file in float16 that says what it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from makeweight.errors import FileProblem
from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.model import LabelModel, untrained
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
    >>> save(untrained(LabelModelConfig(), np.random.default_rng(0)), path, LabelWeights(steps=3))
    >>> load(path)[1].steps
    3
    """
    tensors = {name: np.asarray(value, np.float16, order="C") for name, value in model.own.items()}
    about = {"format": FORMAT, "model": asdict(model.config), "facts": asdict(facts)}
    write_atomically(Path(path), save_tensors(tensors, {"about": json.dumps(about)}))


def load(path: str | Path) -> tuple[LabelModel, LabelWeights]:
    """Read weights: the model in float32, and where the weights come from.

    Raises
    ------
    FileProblem
        If the file is missing, damaged or of another format.
    """
    try:
        with safe_open(path, framework="np") as file:
            about = json.loads((file.metadata() or {})["about"])
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        raise FileProblem(
            "the weights of the label network cannot be read", where=str(path), got=type(error).__name__
        ) from error
    if about["format"] != FORMAT:
        raise FileProblem("unknown format of weights", where=str(path), got=about["format"], expected=FORMAT)
    config = LabelModelConfig(**about["model"])
    own = untrained(config, np.random.default_rng(0)).own
    wrong = sorted(set(own) ^ set(tensors)) or [name for name in own if own[name].shape != tensors[name].shape]
    if wrong:
        raise FileProblem("the weights do not fit the model", where=str(path), got=wrong[:5])
    if not all(bool(np.isfinite(value).all()) for value in tensors.values()):
        raise FileProblem("the weights hold numbers that are not finite", where=str(path))
    return LabelModel(config, {name: tensors[name] for name in own}), LabelWeights(**about["facts"])
