"""Did it help: leak-free measurements on real rows that no generator has seen."""

from makeweight.evaluation.comparison import Comparison
from makeweight.evaluation.harness import compare
from makeweight.evaluation.scaling import ScalingCurve, scaling_curve

__all__ = ["Comparison", "ScalingCurve", "compare", "scaling_curve"]
