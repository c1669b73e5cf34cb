"""The only place that imports what scikit-learn and imbalanced-learn do not document."""

from imblearn.utils import check_target_type
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["HasMethods", "Interval", "StrOptions", "check_target_type"]
