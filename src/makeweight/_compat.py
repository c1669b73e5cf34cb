"""The only place that imports what scikit-learn and imbalanced-learn do not document."""

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["HasMethods", "Interval", "StrOptions"]
