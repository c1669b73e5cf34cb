"""Bootstrap intervals of balanced, worst-group and excess risk."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, as_codes, as_vector, as_weights, count, fraction
from makeweight.theory.risk import Interval, group_risks

__all__ = ["excess_risk", "risk_intervals"]


def risk_intervals(
    losses: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    sample_weight: npt.ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 1000,
) -> dict[str, Interval]:
    """Return percentile bootstrap intervals of the balanced and the worst-group risk and of each group's.

    Rows are resampled within groups: the group sizes count as fixed.

    Parameters
    ----------
    losses, groups, sample_weight
        As in `group_risks`; at least two rows per group.
    rng : numpy.random.Generator
    level : float, default 0.95
    draws : int, default 1000

    Returns
    -------
    dict of str to Interval
        Keys "balanced", "worst", and "group NAME".

    Notes
    -----
    Source: the percentile bootstrap. The bootstrap of a maximum is biased upwards when several groups are
    close to the worst; the interval of "worst" is then conservative above and may miss below.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> losses = rng.exponential(size=400)
    >>> found = risk_intervals(losses, np.repeat(["a", "b"], 200), rng=rng)
    >>> found["balanced"].low < found["balanced"].estimate < found["balanced"].high
    True
    """
    point = group_risks(losses, groups, sample_weight=sample_weight)
    fraction(level, "level", open_end=True)
    count(draws, "draws", least=50)
    if point.rows.min() < 2:
        alone = point.groups[int(point.rows.argmin())].item()
        raise PlanError("one row has no spread", where=f"group {alone!r}", got=1, expected=">= 2 rows")
    values = as_vector(losses, "losses")
    weights = as_weights(sample_weight, len(values))
    codes = as_codes(groups, "groups")[1]
    drawn = np.column_stack(
        [_resampled(values[codes == k], weights[codes == k], draws, rng) for k in range(len(point.groups))]
    )
    found = {
        "balanced": _interval(point.balanced, drawn.mean(axis=1), level),
        "worst": _interval(point.worst, drawn.max(axis=1), level),
    }
    for k, name in enumerate(point.groups):
        found[f"group {name.item()}"] = _interval(float(point.risks[k]), drawn[:, k], level)
    return found


def _resampled(values: Floats, weights: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return weighted means of resampled rows, shape (draws,); missing where no weight was drawn."""
    means, shares = np.empty(draws), np.full(len(values), 1 / len(values))
    step = max(1, 2_000_000 // len(values))  # bounds the memory of the resampling counts
    for start in range(0, draws, step):
        counts = rng.multinomial(len(values), shares, size=min(step, draws - start))
        mass = counts @ weights
        means[start : start + step] = (counts @ (weights * values)) / np.where(mass > 0, mass, np.nan)
    return means


def _interval(estimate: float, drawn: Floats, level: float) -> Interval:
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate, float(low), float(high), level)


def excess_risk(
    losses: npt.ArrayLike,
    reference_losses: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 1000,
) -> Interval:
    """Return the balanced risk above that of a reference on the same rows, with a paired bootstrap interval.

    Parameters
    ----------
    losses, reference_losses : array-like of shape (n,)
        Losses of the model and of the reference (the best model of the class where it is known).
    groups : array-like of shape (n,)
    rng : numpy.random.Generator
    level, draws
        As in `risk_intervals`.

    Returns
    -------
    Interval

    Notes
    -----
    Source: excess risk of arXiv 2406.03628; pairing removes the noise that both share.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> reference = rng.exponential(size=100)
    >>> excess_risk(reference + 0.25, reference, np.repeat([0, 1], 50), rng=rng).estimate
    0.25
    """
    ours = as_vector(losses, "losses")
    theirs = as_vector(reference_losses, "reference_losses", length=len(ours))
    return risk_intervals(ours - theirs, groups, rng=rng, level=level, draws=draws)["balanced"]
