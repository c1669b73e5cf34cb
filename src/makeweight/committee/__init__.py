"""Several classifiers that answer as one, and rows that carry their probabilities."""

from makeweight.committee.closed_form import ClosedForm
from makeweight.committee.committee import Committee
from makeweight.committee.soft import SoftLabels, soft_labels

__all__ = ["ClosedForm", "Committee", "SoftLabels", "soft_labels"]
