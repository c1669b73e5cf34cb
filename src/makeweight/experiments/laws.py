"""Laws fitted to measured curves: scaling with augmentation rows, divergence against context rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from makeweight.experiments.published import AUGMENT_STEP, FIXED
from makeweight.experiments.records import DONE
from makeweight.theory import ScalingLaw
from makeweight.theory.published.capacity import CapacityRate, fit_capacity_rate

__all__ = ["capacity_rate", "fit_laws", "published_laws"]

#: Sizes that a law with three unknowns needs, and points that a rate with two needs.
LEAST_SIZES, LEAST_POINTS = 5, 3
#: Rows of each label before augmentation: 100 seed rows, and as many more of both.
BEFORE = 100 + FIXED
#: Width that stands in the capacity rate: there is one model, so that only the shape in n is compared.
WIDTH_OF_MODEL = 96.0
CURVE = ["data", "learner", "arm"]


@dataclass(frozen=True, eq=False)
class FittedCurve:
    """The scaling law of one augmentation curve, fitted to so many seeds."""

    data: str
    learner: str
    arm: str
    n: int
    law: ScalingLaw


def fit_laws(rows: pd.DataFrame) -> list[FittedCurve]:
    """Return the scaling law of every augmentation curve in results that were read from a store.

    There is one per data, classifier and arm.

    N is augmentation rows per label, at weight one half; 900 rows per label come before them. What all points
    of a seed share is taken out. With five seeds the intervals resample seeds.
    """
    known = rows["metric"].eq("bce") & rows["stage"].eq("augmented") & rows["status"].eq(DONE)
    curves = []
    for (data, learner, arm), part in rows[known].groupby(CURVE, sort=False):
        table = part.pivot_table(index="seed", columns="step", values="value").dropna()
        if table.shape[1] >= LEAST_SIZES and len(table) > 1:
            values = table.to_numpy()
            values = values - values.mean(axis=1, keepdims=True) + values.mean()
            curves.append(
                FittedCurve(str(data), str(learner), str(arm), len(values), _law(table.columns.to_numpy(), values))
            )
    return curves


def published_laws(published: pd.DataFrame) -> list[FittedCurve]:
    """Return the scaling laws of the published means; the intervals rest on the scatter around the curve."""
    known = published["metric"].eq("log_bce") & published["stage"].eq("augmented")
    curves = []
    for (data, learner, arm), part in published[known].groupby(CURVE, sort=False):
        part = part.sort_values("step")
        if len(part) >= LEAST_SIZES:
            values = np.exp(part["published"].to_numpy(dtype=float))[None, :]
            curves.append(FittedCurve(str(data), str(learner), str(arm), 1, _law(part["step"].to_numpy(), values)))
    return curves


def capacity_rate(part: pd.DataFrame) -> CapacityRate | None:
    """Return a / sqrt(width) + b log(width) / sqrt(n), fitted to one curve of divergences.

    The curve is rows of a summary: ``step`` (n), ``mean`` and ``half``. None with fewer than three finite points whose
    interval is above zero.
    """
    above = part[np.isfinite(part["mean"]) & (part["mean"] > part["half"].fillna(0))]
    if above["step"].nunique() < LEAST_POINTS:
        return None
    return fit_capacity_rate(above["step"], np.full(len(above), WIDTH_OF_MODEL), above["mean"])


def _law(steps: np.ndarray, values: np.ndarray) -> ScalingLaw:
    return ScalingLaw(2 * BEFORE, 2).fit(AUGMENT_STEP * steps.astype(float), values)
