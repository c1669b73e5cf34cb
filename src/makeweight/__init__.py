"""makeweight adds the rows a table is missing.

Every public name is imported from here, such as ``from makeweight import balance``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makeweight.balancing import balance
    from makeweight.classifier import SyntheticClassifier
    from makeweight.committee import Committee
    from makeweight.evaluation import Comparison, ScalingCurve, compare, scaling_curve
    from makeweight.generators.fill import Generation, Limits
    from makeweight.partitioned import OutputFolder, PartitionedGeneration, balance_partitions
    from makeweight.plan import Plan
    from makeweight.progress import Progress
    from makeweight.quality import QualityReport
    from makeweight.resampled import ResampledClassifier
    from makeweight.sampler import SyntheticOverSampler
    from makeweight.synthesizer import Synthesizer
    from makeweight.table import Schema

__version__ = "0.1.0"
__all__ = [
    "Committee",
    "Comparison",
    "Generation",
    "Limits",
    "OutputFolder",
    "PartitionedGeneration",
    "Plan",
    "Progress",
    "QualityReport",
    "ResampledClassifier",
    "ScalingCurve",
    "Schema",
    "Synthesizer",
    "SyntheticClassifier",
    "SyntheticOverSampler",
    "__version__",
    "balance",
    "balance_partitions",
    "compare",
    "scaling_curve",
]

#: Module of every public name. They are imported when they are first used, so `import makeweight` stays quick.
_HOMES = {
    "Committee": "makeweight.committee",
    "Comparison": "makeweight.evaluation",
    "Generation": "makeweight.generators.fill",
    "Limits": "makeweight.generators.fill",
    "OutputFolder": "makeweight.partitioned",
    "PartitionedGeneration": "makeweight.partitioned",
    "Plan": "makeweight.plan",
    "Progress": "makeweight.progress",
    "QualityReport": "makeweight.quality",
    "ResampledClassifier": "makeweight.resampled",
    "ScalingCurve": "makeweight.evaluation",
    "Schema": "makeweight.table",
    "SyntheticClassifier": "makeweight.classifier",
    "SyntheticOverSampler": "makeweight.sampler",
    "Synthesizer": "makeweight.synthesizer",
    "balance": "makeweight.balancing",
    "balance_partitions": "makeweight.partitioned",
    "compare": "makeweight.evaluation",
    "scaling_curve": "makeweight.evaluation",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
