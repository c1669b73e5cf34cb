"""makeweight adds the rows a table is missing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makeweight.classifier import SyntheticClassifier
    from makeweight.plan import Plan
    from makeweight.sampler import SyntheticOverSampler
    from makeweight.table import Schema

__version__ = "0.1.0"
__all__ = ["Plan", "Schema", "SyntheticClassifier", "SyntheticOverSampler", "__version__"]

_HOMES = {
    "Plan": "makeweight.plan",
    "Schema": "makeweight.table",
    "SyntheticClassifier": "makeweight.classifier",
    "SyntheticOverSampler": "makeweight.sampler",
}


def __getattr__(name: str) -> Any:
    # Public names are imported when they are first used, so that `import makeweight` stays quick.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
