"""A classifier that adds rows, labels or a committee where validation shows that they help, and nothing elsewhere."""

from makeweight.classifier.decision import CandidateResult, ClassifierDecision, Contribution
from makeweight.classifier.estimator import SyntheticClassifier

__all__ = ["CandidateResult", "ClassifierDecision", "Contribution", "SyntheticClassifier"]
