"""The manifest that vouches for a folder of weights; read and checked without torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from makeweight.errors import FileProblem
from makeweight.generators.transformer.config import ModelConfig
from makeweight.table.records import parse_json, typed

__all__ = ["Adaptation", "Manifest", "embedded", "read_weights"]

#: Of a network, any number; and the square root of width x layers x expansion.
LARGEST = 4096
FORMAT = 2
"""Raised when the layout of the folder or the meaning of a tensor changes."""
WEIGHTS, MANIFEST = "weights.safetensors", "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What the weights are and where they come from."""

    format: int
    prior_version: int
    config: str  # name of the pretraining configuration
    model: ModelConfig
    #: optimiser steps, and tables seen
    steps: int
    tasks: int
    seconds: float  # time spent training
    device: str
    #: negative log-likelihoods on the fixed tasks: the model's, and those of the closed forms
    validation: dict[str, dict[str, float]]
    sha256: str  # of the weights file


@dataclass(frozen=True)
class Adaptation:
    """What came of an adaptation."""

    #: steps taken, and the one whose network was kept; 0 is the start
    steps: int
    best_step: int
    #: negative log-likelihood per held-out cell, in nats, of the start and of what was kept
    before: float
    after: float

    def __str__(self) -> str:
        kept = f"the network of step {self.best_step}" if self.best_step else "the pretrained network"
        return (
            f"adapted to the table: {kept} was kept after {self.steps} steps; held-out rows "
            f"{self.before:.3f} nats per cell before, {self.after:.3f} with what was kept"
        )


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


def refuse(path: Path, what: str, **details: Any) -> FileProblem:
    """Return the error for weights that cannot be used."""
    hint = "the file is damaged or from another version; restore it, or install makeweight again"
    return FileProblem(what, where=str(path), hint=hint, **details)


def read_manifest(folder: str | Path) -> Manifest:
    """Read and check the manifest of a folder of weights, without the weights."""
    path = Path(folder) / MANIFEST
    content = _read(path)
    try:
        raw = parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise refuse(path, "the manifest of the weights is not JSON", got=str(error)) from error
    known = {field.name for field in fields(Manifest)}
    if not isinstance(raw, dict) or set(raw) != known:
        got = sorted(raw) if isinstance(raw, dict) else type(raw).__name__
        raise refuse(path, "the manifest has other keys than it should", got=got, expected=sorted(known))
    if raw["format"] != FORMAT:
        raise refuse(path, "unknown format of weights", got=raw["format"], expected=FORMAT)
    shape = {field.name for field in fields(ModelConfig)}
    if not isinstance(raw["model"], dict) or set(raw["model"]) != shape:
        raise refuse(path, "the manifest describes another model", got=raw["model"], expected=sorted(shape))
    try:
        model = typed(ModelConfig, raw["model"])
        manifest = typed(Manifest, {**raw, "model": model})
    except (TypeError, ValueError) as error:
        raise refuse(path, "the manifest has a value of another kind", got=str(error)) from error
    sizes = {name: value for name, value in raw["model"].items() if not 0 < value <= LARGEST}
    if sizes or model.width * model.layers * model.expansion > LARGEST**2 or model.width % model.heads:
        raise refuse(path, "the manifest describes a network that cannot be", got=sizes or raw["model"])
    return manifest


def read_weights(folder: str | Path) -> tuple[bytes, Manifest]:
    """Read the weights as they are in the file, and check them against the manifest.

    >>> content, manifest = read_weights(embedded())
    >>> manifest.format, len(content) < 12e6
    (2, True)
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    content = _read(folder / WEIGHTS)
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.sha256:
        raise refuse(
            folder / WEIGHTS,
            "the weights are not those of the manifest",
            got=f"SHA-256 {digest[:12]}… ({len(content)} bytes)",
            expected=f"{manifest.sha256[:12]}…",
        )
    return content, manifest


def embedded() -> Path:
    """Folder of the weights that come with the package."""
    return Path(__file__).parent / "weights"
