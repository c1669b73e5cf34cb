"""Where the network runs: numpy on the processor, torch on a GPU."""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec

from makeweight.errors import OptionError
from makeweight.generators.transformer.arrays import require_torch


def choose_device(name: str) -> str:
    """Return ``"cpu"`` or ``"cuda"``; ``"auto"`` is the latter where torch and a GPU are there.

    Raises OptionError when the device is unknown, or not there. Raises MissingDependency when a GPU is asked for by
    name, and torch is not installed.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise OptionError("unknown device", got=repr(name), expected="'auto', 'cpu' or 'cuda'")
    if name == "cpu" or (name == "auto" and not (_has_driver() and find_spec("torch"))):
        return "cpu"
    if require_torch("device=cuda").cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise OptionError("no CUDA device is available", where="device", hint="take auto")
    return "cpu"


def _has_driver() -> bool:
    """Whether a GPU's driver is installed; to ask torch takes seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
