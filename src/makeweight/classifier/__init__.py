"""A classifier on real and synthetic rows, whose amount of synthetic rows is chosen by validation."""

from makeweight.classifier.decision import CandidateResult, ClassifierDecision
from makeweight.classifier.estimator import SyntheticClassifier

__all__ = ["CandidateResult", "ClassifierDecision", "SyntheticClassifier"]
