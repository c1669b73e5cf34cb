"""One source for two kinds of arrays: numpy where rows are written, torch where a network is trained or on a GPU.

A formula takes its operations from :func:`of`, by the arrays that it was given. What numpy and torch spell alike
(arithmetic, indexing, ``sum(axis=…)``, ``clip``, ``swapaxes``) is written as it is; the few other operations have the
same names in :mod:`~makeweight.generators.transformer.on_numpy` and
:mod:`~makeweight.generators.transformer.on_torch`.
"""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from typing import Any, TypeAlias, TypeVar

import numpy as np

from makeweight.errors import MissingDependency
from makeweight.generators.transformer import on_numpy

__all__ = ["Array", "of", "require_torch"]

Array: TypeAlias = Any
"""A numpy array or a torch tensor."""
INSTALL = 'pip install "makeweight[train]"'
T = TypeVar("T")


def of(array: Array) -> Any:
    """Return the module whose functions take arrays of this kind.

    >>> of(np.ones(2)).softmax(np.zeros(2)).tolist()
    [0.5, 0.5]
    """
    if isinstance(array, np.ndarray):
        return on_numpy
    return import_module("makeweight.generators.transformer.on_torch")


def require_torch(purpose: str) -> Any:
    """Return torch."""
    try:
        return import_module("torch")
    except ImportError as error:
        raise MissingDependency(f"{purpose} needs torch", got="it is not installed", hint=INSTALL) from error


def to_torch(record: T, device: Any) -> T:
    """Return a dataclass of arrays, or of such dataclasses, as tensors on a device; other fields as they are."""
    on_torch = import_module("makeweight.generators.transformer.on_torch")
    moved = {}
    for field in fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if hasattr(value, "__dataclass_fields__"):
            moved[field.name] = to_torch(value, device)
        else:
            moved[field.name] = on_torch.array(value, device) if hasattr(value, "ndim") else value
    return type(record)(**moved)
