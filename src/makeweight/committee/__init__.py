"""Several classifiers that answer as one, and rows that carry their probabilities."""

from makeweight.committee.closed_form import ClosedForm
from makeweight.committee.combination import blend
from makeweight.committee.committee import Committee
from makeweight.committee.networks import GeneratorLabels, LabelNetwork
from makeweight.committee.soft import SoftLabels, drawn_labels, soft_labels
from makeweight.committee.softened import SoftGeneration, soft_amount, soften
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
    "drawn_labels",
    "soft_amount",
    "soft_counts",
    "soft_labels",
    "soften",
    "teach",
]
