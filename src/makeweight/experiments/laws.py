"""Laws fitted to measured curves: scaling with augmentation rows, divergence against context rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from makeweight.experiments.published import AUGMENT_STEP, FIXED
from makeweight.experiments.store import DONE
from makeweight.theory import Interval, ScalingLaw
from makeweight.theory.published.capacity import CapacityRate, fit_capacity_rate

__all__ = ["WIDTH_OF_MODEL", "capacity_rate", "fit_laws", "published_laws"]

#: Sizes that a law with three unknowns needs, and points that a rate with two needs.
LEAST_SIZES, LEAST_POINTS = 5, 3
#: Rows of each label before augmentation: 100 seed rows, and as many more of both.
BEFORE = 100 + FIXED
#: Width that stands in the capacity rate: there is one model, so that only the shape in n is compared.
WIDTH_OF_MODEL = 96.0
CURVE = ["data", "learner", "arm"]


def fit_laws(rows: pd.DataFrame) -> pd.DataFrame:
    """Fit the scaling law to every augmentation curve.

    Parameters
    ----------
    rows : DataFrame
        Results of the augmentation experiment, from `Store.read`.

    Returns
    -------
    DataFrame
        Per data, classifier and arm: ``floor`` and ``exponent`` with the ends of their 95 % intervals,
        ``identifiable``, the ``reason`` why not, ``n`` seeds, and the fitted ``law``.

    Notes
    -----
    N is augmentation rows per label, at weight one half; 900 rows per label come before them. What all points
    of a seed share is taken out. With five seeds the intervals resample seeds.
    """
    known = rows["metric"].eq("bce") & rows["stage"].eq("augmented") & rows["status"].eq(DONE)
    made = []
    for curve, part in rows[known].groupby(CURVE, sort=False):
        table = part.pivot_table(index="seed", columns="step", values="value").dropna()
        if table.shape[1] >= LEAST_SIZES and len(table) > 1:
            values = table.to_numpy()
            values = values - values.mean(axis=1, keepdims=True) + values.mean()
            made.append({**dict(zip(CURVE, curve, strict=True)), **_law(table.columns.to_numpy(), values)})
    return pd.DataFrame(made)


def published_laws(published: pd.DataFrame) -> pd.DataFrame:
    """Fit the scaling law to the published means; the intervals rest on the scatter around the curve.

    Parameters
    ----------
    published : DataFrame
        From `makeweight.experiments.tables.published_numbers`.

    Returns
    -------
    DataFrame
        As `fit_laws`.
    """
    known = published["metric"].eq("log_bce") & published["stage"].eq("augmented")
    made = []
    for curve, part in published[known].groupby(CURVE, sort=False):
        part = part.sort_values("step")
        if len(part) >= LEAST_SIZES:
            values = np.exp(part["published"].to_numpy(dtype=float))[None, :]
            made.append({**dict(zip(CURVE, curve, strict=True)), **_law(part["step"].to_numpy(), values)})
    return pd.DataFrame(made)


def capacity_rate(part: pd.DataFrame) -> CapacityRate | None:
    """Fit a / sqrt(width) + b log(width) / sqrt(n) to one curve of divergences.

    Parameters
    ----------
    part : DataFrame
        Rows of a summary: ``step`` (n), ``mean`` and ``half``.

    Returns
    -------
    CapacityRate or None
        None with fewer than three points whose interval is above zero.
    """
    above = part[part["mean"] > part["half"].fillna(0)]
    if above["step"].nunique() < LEAST_POINTS:
        return None
    return fit_capacity_rate(above["step"], np.full(len(above), WIDTH_OF_MODEL), above["mean"])


def _law(steps: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    law = ScalingLaw(2 * BEFORE, 2).fit(AUGMENT_STEP * steps.astype(float), values)
    found: dict[str, Any] = {"n": len(values), "identifiable": law.identifiable_, "reason": law.reason_}
    return {**found, "law": law, **dict(_ends("floor", law.floor_)), **dict(_ends("exponent", law.exponent_))}


def _ends(name: str, interval: Interval) -> Iterator[tuple[str, float]]:
    yield from ((name, interval.estimate), (f"{name}_low", interval.low), (f"{name}_high", interval.high))
