"""Did it help: leak-free measurements on real rows that no generator has seen."""

from makeweight.evaluation.scaling import ScalingCurve, scaling_curve

__all__ = ["ScalingCurve", "scaling_curve"]
