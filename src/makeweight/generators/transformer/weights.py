"""Weights as a folder: ``weights.safetensors`` in float16 and ``manifest.json`` that vouches for it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from makeweight.generators.transformer.config import PRIOR_VERSION
from makeweight.generators.transformer.manifest import (
    FORMAT,
    MANIFEST,
    WEIGHTS,
    Manifest,
    embedded,
    read_manifest,
    read_weights,
    refuse,
)
from makeweight.generators.transformer.network import Network, untrained

__all__ = ["FORMAT", "embedded", "load", "read_manifest", "save", "write_atomically"]


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash, never finds half of it.

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


def save(network: Network, folder: str | Path, **facts: Any) -> Manifest:
    """Write the weights and their manifest.

    `facts` are the fields of :class:`Manifest` that the network does not know.

    >>> import tempfile
    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> folder = tempfile.mkdtemp()
    >>> _ = save(network, folder, config="toy", steps=0, tasks=0, seconds=0.0, device="cpu", validation={})
    >>> load(folder)[1].config
    'toy'
    """
    folder = Path(folder)
    tensors = {name: np.ascontiguousarray(value, dtype=np.float16) for name, value in network.parameters.items()}
    content = save_tensors(tensors)
    digest = hashlib.sha256(content).hexdigest()
    manifest = Manifest(format=FORMAT, prior_version=PRIOR_VERSION, model=network.config, sha256=digest, **facts)
    write_atomically(folder / WEIGHTS, content)
    write_atomically(folder / MANIFEST, (json.dumps(asdict(manifest), indent=2) + "\n").encode())
    return manifest


def load(folder: str | Path) -> tuple[Network, Manifest]:
    """Read weights, and refuse what is damaged, incomplete or unknown."""
    content, manifest = read_weights(folder)
    path = Path(folder) / WEIGHTS
    try:
        tensors = load_tensors(content)
    except SafetensorError as error:
        raise refuse(path, "the weights are not a safetensors file") from error
    own = untrained(manifest.model, np.random.default_rng(0)).parameters
    wrong = sorted(set(own) ^ set(tensors)) or [n for n in own if own[n].shape != tensors[n].shape]
    if wrong:
        raise refuse(path, "the weights do not fit the model", got=wrong[:5])
    if not all(bool(np.isfinite(value).all()) for value in tensors.values()):
        raise refuse(path, "the weights hold numbers that are not finite")
    return Network(manifest.model, {name: tensors[name].astype(np.float32) for name in own}), manifest
