"""Several classifiers that answer as one, and rows that carry their probabilities."""

from makeweight.committee.closed_form import ClosedForm
from makeweight.committee.combination import blend
from makeweight.committee.committee import Committee
from makeweight.committee.soft import SoftLabels, soft_labels
from makeweight.committee.teaching import Lesson, soft_counts, teach

__all__ = ["ClosedForm", "Committee", "Lesson", "SoftLabels", "blend", "soft_counts", "soft_labels", "teach"]
