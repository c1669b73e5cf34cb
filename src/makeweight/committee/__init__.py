"""Several classifiers that answer as one, and rows that carry their probabilities."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from makeweight.committee.closed_form import ClosedForm
    from makeweight.committee.combination import blend
    from makeweight.committee.committee import Committee
    from makeweight.committee.generation import SoftGeneration
    from makeweight.committee.networks import GeneratorLabels, LabelNetwork
    from makeweight.committee.soft import SoftLabels, drawn_labels, soft_labels
    from makeweight.committee.softened import check_soft, soft_amount, soften
    from makeweight.committee.teaching import Lesson, soft_counts, teach

__all__ = [
    "ClosedForm",
    "Committee",
    "GeneratorLabels",
    "LabelNetwork",
    "Lesson",
    "SoftGeneration",
    "SoftLabels",
    "blend",
    "check_soft",
    "drawn_labels",
    "soft_amount",
    "soft_counts",
    "soft_labels",
    "soften",
    "teach",
]

#: Module of every name. They are imported when they are first used: to ask what a generation is takes no classifier.
_HOMES = {
    "ClosedForm": "closed_form",
    "Committee": "committee",
    "GeneratorLabels": "networks",
    "LabelNetwork": "networks",
    "Lesson": "teaching",
    "SoftGeneration": "generation",
    "SoftLabels": "soft",
    "blend": "combination",
    "check_soft": "softened",
    "drawn_labels": "soft",
    "soft_amount": "softened",
    "soft_counts": "teaching",
    "soft_labels": "soft",
    "soften": "softened",
    "teach": "teaching",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
