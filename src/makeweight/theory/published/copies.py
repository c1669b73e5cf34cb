"""Does a generator copy its training rows? What the score tests cannot see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.special import ndtr

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, as_matrix

__all__ = ["CopyCheck", "copy_check"]


@dataclass(frozen=True)
class CopyCheck:
    """How close synthetic rows lie to the training rows, with real held-out rows as the reference.

    Attributes
    ----------
    exact_rate, exact_reference : float
        Share of synthetic, and of held-out real, rows that equal a training row.
    distance, distance_reference : float
        Median distance to the closest training row, columns scaled by the training standard deviations.
    exact_p_value, distance_p_value : float
        One-sided: synthetic rows copy more, or lie closer, than held-out real rows.
    level : float
        At which `suspicious` judges each of the two.

    Examples
    --------
    >>> CopyCheck(1.0, 0.0, 0.0, 1.3, 0.0, 0.0, 0.01).suspicious
    True
    """

    exact_rate: float
    exact_reference: float
    distance: float
    distance_reference: float
    exact_p_value: float
    distance_p_value: float
    level: float

    @property
    def suspicious(self) -> bool:
        """Whether the rows copy more, or lie closer, than fresh real rows would."""
        return min(self.exact_p_value, self.distance_p_value) < self.level


def copy_check(
    folds: list[tuple[Floats, Floats, Floats]],
    *,
    level: float = 0.01,
) -> CopyCheck:
    """Compare synthetic rows with held-out real rows by their closeness to the training rows.

    Parameters
    ----------
    folds : list of (training, synthetic, held_out)
        Each of shape (n, d): the rows of one group that the generator was fitted on, the rows it wrote, and
        real rows of the same group that it has not seen.
    level : float, default 0.01

    Returns
    -------
    CopyCheck

    Notes
    -----
    The distance-to-closest-record comparison of the synthetic-data literature, with held-out rows instead of
    a fixed cutoff: genuine rows can coincide too. The rank test's variance follows from placement values
    (DeLong), pooled over folds. Rows of one fold share a training set, which both sides do alike.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.normal(size=(100, 3))
    >>> copy_check([(rows[:50], rows[rng.integers(0, 50, 200)], rows[50:])]).exact_rate
    1.0
    >>> copy_check([(rows[:50], rng.normal(size=(200, 3)), rows[50:])]).suspicious
    False
    """
    if not folds:
        raise PlanError("nothing to compare", where="folds", got=0, expected=">= 1")
    exact_made, exact_held, made_distance, held_distance = [], [], [], []
    for training, made, held in folds:
        train = as_matrix(training, "training rows")
        made, held = as_matrix(made, "synthetic rows"), as_matrix(held, "held-out rows")
        known = {row.tobytes() for row in train + 0.0}
        exact_made.append(np.array([row.tobytes() in known for row in made + 0.0]))
        exact_held.append(np.array([row.tobytes() in known for row in held + 0.0]))
        spread = train.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        tree = cKDTree(train / scale)
        made_distance.append(np.asarray(tree.query(made / scale)[0], dtype=np.float64))
        held_distance.append(np.asarray(tree.query(held / scale)[0], dtype=np.float64))
    copied, coincident = np.concatenate(exact_made), np.concatenate(exact_held)
    return CopyCheck(
        float(copied.mean()),
        float(coincident.mean()),
        float(np.median(np.concatenate(made_distance))),
        float(np.median(np.concatenate(held_distance))),
        _more_copies(copied, coincident),
        _closer(made_distance, held_distance),
        level,
    )


def _more_copies(made: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]) -> float:
    """One-sided p-value of the difference of two rates, with one pseudo-row of each kind on both sides."""
    first, second = (made.sum() + 1) / (len(made) + 2), (held.sum() + 1) / (len(held) + 2)
    if not made.any():
        return 1.0
    variance = first * (1 - first) / len(made) + second * (1 - second) / len(held)
    return float(ndtr(-(first - second) / np.sqrt(variance)))


def _closer(made: list[Floats], held: list[Floats]) -> float:
    """One-sided p-value of a rank test within folds: synthetic distances are smaller."""
    excess, variance = 0.0, 0.0
    for ours, theirs in zip(made, held, strict=True):
        wins_ours, wins_theirs = _placements(theirs, ours), 1 - _placements(ours, theirs)
        excess += float(wins_ours.mean()) - 0.5
        variance += float(wins_ours.var()) / len(ours) + float(wins_theirs.var()) / len(theirs)
        variance += 1.0 / (12 * (len(ours) + 1) * (len(theirs) + 1))  # keeps ties and tiny folds finite
    return float(ndtr(-excess / np.sqrt(variance)))


def _placements(reference: Floats, values: Floats) -> Floats:
    """Share of the reference above each value, ties counting half."""
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(1 - below / (2 * len(ordered)))
