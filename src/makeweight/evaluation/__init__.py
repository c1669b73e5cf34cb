"""Did it help: leak-free measurements on real rows that no generator has seen."""

from makeweight.evaluation.comparison import Comparison
from makeweight.evaluation.curve import ScalingCurve
from makeweight.evaluation.design import Design, Execution
from makeweight.evaluation.final import FinalModel
from makeweight.evaluation.harness import compare
from makeweight.evaluation.scaling import scaling_curve

__all__ = ["Comparison", "Design", "Execution", "FinalModel", "ScalingCurve", "compare", "scaling_curve"]
