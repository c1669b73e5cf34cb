"""What a user gives a classifier, in the forms that estimator, generator and calibration want."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from makeweight.classifier.convexity import check_takes_signed
from makeweight.classifier.training import Correct, RealRows
from makeweight.errors import OptionError
from makeweight.generators import QUICK_GENERATOR
from makeweight.generators.base import Generator
from makeweight.labelled import LabelledRows, take_rows
from makeweight.measure.splits import refuse_one_class
from makeweight.plan import Groups
from makeweight.rules import check_rows, read_constraints
from makeweight.sampler import SyntheticOverSampler
from makeweight.table import Schema, Table
from makeweight.theory._checks import as_weights


def check_estimator(estimator: Any, *, signed: bool) -> None:
    """Refuse an estimator without probabilities, and for signed weights one whose fit to them cannot be checked."""
    if not hasattr(estimator, "predict_proba"):
        raise OptionError(
            "the estimator has no predict_proba",
            got=type(estimator).__name__,
            hint="take a classifier, LogisticRegression for LinearRegression"
            if is_regressor(estimator)
            else "wrap it in sklearn.calibration.CalibratedClassifierCV",
        )
    if signed:
        check_takes_signed(estimator)


def sampler_of(generator: SyntheticOverSampler | Generator | str | None) -> SyntheticOverSampler:
    """Return a fresh sampler, of which only the way of writing counts.

    >>> sampler_of("smote").generator
    'smote'
    """
    if generator is None:
        return SyntheticOverSampler(QUICK_GENERATOR)
    if not isinstance(generator, SyntheticOverSampler):
        return SyntheticOverSampler(generator=generator)
    fresh: SyntheticOverSampler = clone(generator)
    fresh._validate_params()
    sizes = (
        "the sizes are the classifier's, not the sampler's",
        "set n_synthetic, augment and alpha of the classifier",
    )
    soft = (
        "how rows carry labels and weights is for the classifier to choose",
        "leave it out; who says what a row is, is the classifier's teacher",
    )
    own = {
        **dict.fromkeys(("sampling_strategy", "augment", "alpha", "synthetic_weight"), sizes),
        **dict.fromkeys(("soft_labels", "weights"), soft),
    }
    plain = SyntheticOverSampler()
    for name, (problem, hint) in own.items():
        if getattr(fresh, name) != getattr(plain, name):
            raise OptionError(problem, where=f"generator.{name}", got=repr(getattr(fresh, name)), hint=hint)
    return fresh


def read_rows(
    X: Any,
    y: Any,
    groups: Any,
    sample_weight: Any,
    *,
    sampler: SyntheticOverSampler,
    correct: Correct | None,
    signed: bool,
) -> RealRows:
    """Return features, labels, groups and weights after their checks, without rows of weight zero.

    The sampler remembers the number of columns of X, and their names.
    """
    if isinstance(y, np.ndarray | list | tuple) and np.ndim(y) == 2:
        y = column_or_1d(y, warn=True)
    elif hasattr(y, "__array__") and not hasattr(y, "dtype") and not hasattr(y, "type"):
        y = np.asarray(y)
    given = LabelledRows(sampler, X, y, groups, sampler.group_by)
    given.check_labels()
    series = given.labels
    labels = series.to_numpy() if isinstance(series.dtype, np.dtype) else np.asarray(series.tolist())
    check_classification_targets(labels)
    weights = as_weights(None if sample_weight is None else column_or_1d(sample_weight), len(labels))
    rows, features, frame = np.flatnonzero(weights), given.X, given.frame
    if len(rows) < len(labels):
        features, frame = take_rows(features, rows), frame.iloc[rows].reset_index(drop=True)
        labels, weights = labels[rows], weights[rows]
    schema = Schema.infer(frame, target=given.target, group_by=given.attributes, kinds=given.stated(sampler.kinds))
    table = Table(frame, schema)
    rules = read_constraints(sampler.constraints, schema)
    if rules and signed:
        raise OptionError(
            "signed weights need rows that a constraint may forbid",
            where="generator.constraints",
            got=", ".join(rule.reason for rule in rules),
            hint="leave the constraints out, or bias_correction",
        )
    check_rows(table, rules)
    cells = Groups(table)
    refuse_one_class(cells)
    classes = np.unique(labels)
    return RealRows(features, labels, frame, given.names, schema, cells, classes, sampler, weights, correct, signed)


def target_shares(wanted: Any, real: RealRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the class shares to calibrate to, and weights of the real rows that amount to them.

    `wanted`: "balanced", "observed" or mapping of label to share. Returns `shares` of shape (k,); `weights` of shape
    (n,).
    """
    groups_per_class = np.bincount(real.label_of_group, minlength=len(real.classes)).astype(np.float64)
    labels = real.classes.tolist()
    if isinstance(wanted, Mapping):
        right = all(isinstance(share, Real) and 0 < float(share) < np.inf for share in wanted.values())
        if set(wanted) != set(labels) or not right:
            raise OptionError(
                "target_prior is a positive share for every class", got=dict(wanted), expected=f"shares of {labels}"
            )
        prior = np.array([float(wanted[label]) for label in labels])
    elif wanted == "observed":
        prior = np.bincount(real.label_codes, real.weights, minlength=len(labels))
    else:
        prior = groups_per_class
    prior = prior / prior.sum()
    of_group = real.label_of_group
    mass = np.bincount(real.codes, real.weights)
    return prior, (prior[of_group] / groups_per_class[of_group] / mass)[real.codes] * real.weights
