"""Weights as a folder: ``weights.safetensors`` in float16 and ``manifest.json`` that vouches for it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from makeweight.errors import FileProblem
from makeweight.generators.transformer.config import PRIOR_VERSION, ModelConfig
from makeweight.generators.transformer.model import InContextModel

__all__ = ["FORMAT", "Manifest", "embedded", "load", "read_manifest", "save", "write_atomically"]

FORMAT = 1
"""Raised when the layout of the folder or the meaning of a tensor changes."""
WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What the weights are and where they come from.

    Attributes
    ----------
    format, prior_version : int
    config : str
        Name of the pretraining configuration.
    model : ModelConfig
    steps, tasks : int
        Optimiser steps, and tables seen.
    seconds : float
        Time spent training.
    device : str
    validation : dict
        Negative log-likelihoods on the fixed tasks: the model's, and those of the closed forms.
    sha256 : str
        Of the weights file.
    """

    format: int
    prior_version: int
    config: str
    model: ModelConfig
    steps: int
    tasks: int
    seconds: float
    device: str
    validation: dict[str, dict[str, float]]
    sha256: str


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, never finds half of it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write_atomically(folder / "note", b"whole")
    >>> (folder / "note").read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def save(model: InContextModel, folder: str | Path, **facts: Any) -> Manifest:
    """Write the weights and their manifest.

    Parameters
    ----------
    model : InContextModel
    folder : path
        Created if need be.
    **facts
        The fields of :class:`Manifest` that the model does not know: ``config``, ``steps``, ``tasks``,
        ``seconds``, ``device`` and ``validation``.

    Examples
    --------
    >>> import tempfile
    >>> model = InContextModel(ModelConfig(width=16, layers=1, heads=2))
    >>> folder = tempfile.mkdtemp()
    >>> _ = save(model, folder, config="toy", steps=0, tasks=0, seconds=0.0, device="cpu", validation={})
    >>> load(folder)[1].config
    'toy'
    """
    folder = Path(folder)
    tensors = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in model.state_dict().items()
    }
    content = save_tensors(tensors)
    digest = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        format=FORMAT, prior_version=PRIOR_VERSION, model=model.config, sha256=digest, **facts
    )
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / MANIFEST, (json.dumps(asdict(manifest), indent=2) + "\n").encode())
    return manifest


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileProblem(
            "the transformer's weights cannot be read",
            where=str(path),
            got=type(error).__name__,
            hint="point to a folder written by pretraining, or install makeweight again",
        ) from error


def _refuse(path: Path, what: str, **details: Any) -> FileProblem:
    hint = "the file is damaged or from another version; restore it, or install makeweight again"
    return FileProblem(what, where=str(path), hint=hint, **details)


def read_manifest(folder: str | Path) -> Manifest:
    """Read and check the manifest of a folder of weights, without the weights.

    Raises
    ------
    FileProblem
        If it is missing, or not a manifest that this version knows.
    """
    path = Path(folder) / MANIFEST
    try:
        raw = json.loads(_read(path))
    except ValueError as error:
        raise _refuse(path, "the manifest of the weights is not JSON") from error
    known = {field.name for field in fields(Manifest)}
    if not isinstance(raw, dict) or set(raw) != known:
        got = sorted(raw) if isinstance(raw, dict) else type(raw).__name__
        raise _refuse(path, "the manifest has other keys than it should", got=got, expected=sorted(known))
    if raw["format"] != FORMAT:
        raise _refuse(path, "unknown format of weights", got=raw["format"], expected=FORMAT)
    shape = {field.name for field in fields(ModelConfig)}
    if not isinstance(raw["model"], dict) or set(raw["model"]) != shape:
        raise _refuse(path, "the manifest describes another model", got=raw["model"], expected=sorted(shape))
    return Manifest(**{**raw, "model": ModelConfig(**raw["model"])})


def load(folder: str | Path, device: torch.device | str = "cpu") -> tuple[InContextModel, Manifest]:
    """Read weights, and refuse what is damaged, incomplete or unknown.

    Parameters
    ----------
    folder : path
        Holds ``weights.safetensors`` and ``manifest.json``.
    device : torch.device or str

    Returns
    -------
    model : InContextModel
        In float32 and evaluation mode.
    manifest : Manifest

    Raises
    ------
    FileProblem
        If a file is missing, truncated, altered, of an unknown format, or does not fit the model.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    content = _read(folder / WEIGHTS)
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.sha256:
        raise _refuse(
            folder / WEIGHTS,
            "the weights are not those of the manifest",
            got=f"SHA-256 {digest[:12]}… ({len(content)} bytes)",
            expected=f"{manifest.sha256[:12]}…",
        )
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise _refuse(folder / WEIGHTS, "the weights are not a safetensors file") from error
    model = InContextModel(manifest.model)
    own = model.state_dict()
    wrong = sorted(set(own) ^ set(tensors)) or [n for n in own if own[n].shape != tensors[n].shape]
    if wrong:
        raise _refuse(folder / WEIGHTS, "the weights do not fit the model", got=wrong[:5])
    if not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise _refuse(folder / WEIGHTS, "the weights hold numbers that are not finite")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.to(device).eval().requires_grad_(False), manifest


def embedded() -> Path:
    """Folder of the weights that come with the package."""
    return Path(__file__).parent / "weights"
