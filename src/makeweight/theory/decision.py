"""From validation risks to a decision: the one-standard-error rule towards adding nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, choice
from makeweight.theory.candidates import NOTHING, Candidate, Take

__all__ = ["SizeDecision", "choose_from_risks"]


@dataclass(frozen=True)
class SizeDecision:
    """What was chosen, from which candidates, and why.

    Attributes
    ----------
    candidate : Candidate
    takes : dict of group to Take
        The chosen sizes for the whole table.
    candidates : tuple of Candidate
    risks : ndarray of shape (c,)
        Mean validation risk of each candidate.
    standard_errors : ndarray of shape (c,)
        Of the difference to the candidate with the smallest risk.
    worst : ndarray of shape (c,)
        Largest group risk of each candidate, averaged over splits.
    best : Candidate
        The candidate with the smallest risk, before the one-standard-error rule.
    reason : str

    Examples
    --------
    >>> risks = np.array([[[0.50], [0.52], [0.48]], [[0.49], [0.53], [0.47]]])
    >>> choose_from_risks([NOTHING, Candidate(balance=1.0)], risks).candidate == NOTHING
    True
    """

    candidate: Candidate
    takes: dict[Hashable, Take]
    candidates: tuple[Candidate, ...]
    risks: Floats
    standard_errors: Floats
    worst: Floats
    best: Candidate
    reason: str


def choose_from_risks(
    candidates: Sequence[Candidate],
    risks: npt.ArrayLike,
    *,
    counts: Mapping[Hashable, int] | None = None,
    objective: str = "balanced",
    rule: float = 1.0,
    test_share: float = 0.2,
) -> SizeDecision:
    """Choose among candidates by the one-standard-error rule towards adding nothing.

    Parameters
    ----------
    candidates : sequence of Candidate
        Containing `NOTHING`.
    risks : array-like of shape (c, s, g)
        Validation risk per candidate, split and group.
    counts : mapping of group to int, optional
        Real rows, to rank candidates by the number of rows they add; by their shares without.
    objective : {"balanced", "worst"}
        Mean or maximum over groups within each split.
    rule : float, default 1
        How many standard errors above the smallest risk still count as equal.
    test_share : float, default 0.2
        Held-out share of each split, for the variance correction.

    Returns
    -------
    SizeDecision

    Notes
    -----
    Standard errors are of paired differences, inflated for overlapping training sets (Nadeau and Bengio,
    2003): variance times 1/s + test / train. Ties go to fewer rows, then to the better worst group.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise = 0.01 * rng.normal(size=(2, 25, 2))
    >>> choose_from_risks([NOTHING, Candidate(balance=1.0)], noise + [[[0.6]], [[0.4]]]).candidate.balance
    1.0
    """
    choice(objective, "objective", ("balanced", "worst"))
    table = np.asarray(risks, dtype=np.float64)
    if table.ndim != 3 or table.shape[0] != len(candidates) or table.shape[1] < 2 or table.shape[2] < 1:
        raise SchemaError(
            "risks have the wrong shape", got=table.shape, expected="(candidates, splits >= 2, groups)"
        )
    if np.isnan(table).any():
        raise SchemaError("missing risks", where="risks", got=int(np.isnan(table).sum()), expected="none")
    if NOTHING not in candidates:
        raise PlanError("adding nothing must stand as a candidate", hint="add makeweight.theory.NOTHING")
    if not (rule >= 0 and 0 < test_share < 1):
        raise OptionError("out of range", got=f"rule={rule}, test_share={test_share}")
    values = table.mean(axis=2) if objective == "balanced" else table.max(axis=2)
    means = values.mean(axis=1)
    if not np.isfinite(means).any():
        raise PlanError("every candidate has an infinite risk", hint="calibrate, or use the Brier score")
    best = int(np.argmin(means))
    usable = np.isfinite(values).all(axis=1)
    spread = np.full(len(means), np.inf)
    spread[usable] = (values[usable] - values[best]).std(axis=1, ddof=1)
    errors = spread * np.sqrt(1 / table.shape[1] + test_share / (1 - test_share))
    worst = table.max(axis=2).mean(axis=1)
    eligible = [k for k in range(len(means)) if usable[k] and means[k] - means[best] <= rule * errors[k]]
    chosen = min(eligible, key=lambda k: (_added(candidates[k], counts), worst[k], means[k]))
    return SizeDecision(
        candidates[chosen],
        candidates[chosen].takes(counts) if counts else {},
        tuple(candidates),
        means,
        errors,
        worst,
        candidates[best],
        _reason(candidates, means, errors, chosen, best),
    )


def _added(candidate: Candidate, counts: Mapping[Hashable, int] | None) -> float:
    if counts:
        return float(sum(take.n_total for take in candidate.takes(counts).values()))
    return candidate.balance + sum(candidate.per_group.values()) + candidate.augment


def _reason(candidates: Sequence[Candidate], means: Floats, errors: Floats, chosen: int, best: int) -> str:
    zero = candidates.index(NOTHING)
    gain, error = means[zero] - means[best], errors[zero]
    if chosen == zero and best == zero:
        return "no candidate had a smaller validation risk than adding nothing"
    if chosen == zero:
        return f"the best candidate gains {gain:.4g}, within the standard error {error:.4g} of adding nothing"
    kept = (
        "it has the smallest risk"
        if chosen == best
        else "the fewest rows within a standard error of the best"
    )
    return f"adding nothing costs {gain:.4g} (standard error {error:.4g}); {kept}"
