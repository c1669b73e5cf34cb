"""Shares of the classes that a model is calibrated to."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from makeweight.classifier.training import RealRows
from makeweight.errors import OptionError


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
