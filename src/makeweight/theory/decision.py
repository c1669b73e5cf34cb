"""The rule that turns validation risks into a choice: one standard error towards adding nothing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from makeweight.errors import OptionError, PlanError, SchemaError
from makeweight.theory._checks import Floats, as_codes, as_weights, choice, count, fraction
from makeweight.theory.candidates import NOTHING, Candidate, Take

__all__ = ["SizeDecision", "choose_from_losses", "covariance_of_means", "least_correction"]

_DRAWS = 4000


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
        Validation risk of each candidate; infinite where it could not be fitted.
    standard_errors : ndarray of shape (c,)
        Of the difference to the candidate with the smallest risk.
    worst : ndarray of shape (c,)
        Largest group risk of each candidate.
    best : Candidate
        The candidate with the smallest risk, before the one-standard-error rule.
    reason : str
    covariance : ndarray of shape (c, c)
        Of the estimated risks.
    least_gain : float
        What the chosen candidate, or else the best, has to gain over the reference: adding nothing, or what was named.
    p_value : float
        Probability of a gain over the reference like the largest one, in standard errors, where no candidate has any.

    Examples
    --------
    >>> losses = np.array([[0.50, 0.52, 0.48, 0.51], [0.49, 0.53, 0.47, 0.51]])
    >>> choose_from_losses([NOTHING, Candidate(balance=1.0)], losses, [0, 0, 1, 1]).candidate == NOTHING
    True
    >>> round(choose_from_losses([NOTHING, Candidate(balance=1.0)], losses, [0, 0, 1, 1]).standard_error(1, 0), 4)
    0.0056
    """

    candidate: Candidate
    takes: dict[Hashable, Take]
    candidates: tuple[Candidate, ...]
    risks: Floats
    standard_errors: Floats
    worst: Floats
    best: Candidate
    reason: str
    covariance: Floats
    least_gain: float
    p_value: float

    def standard_error(self, first: int, second: int) -> float:
        """Return the standard error of the difference of two candidates' risks, by their positions."""
        return float(_errors(self.covariance, second)[first])


def choose_from_losses(
    candidates: Sequence[Candidate],
    losses: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    counts: Mapping[Hashable, int] | None = None,
    objective: str = "balanced",
    rule: float = 1.0,
    guardrail: float = 1.0,
    folds: int = 5,
    repeats: int = 1,
    sample_weight: npt.ArrayLike | None = None,
    units: npt.ArrayLike | None = None,
    handicaps: npt.ArrayLike | None = None,
    reference: Candidate = NOTHING,
) -> SizeDecision:
    """Choose among candidates by the one-standard-error rule towards adding nothing, row by row.

    Rows are added when the best candidate gains more over adding nothing than the best of so many would by
    chance in 84% of tables. Then the fewest rows are taken within a standard error of the best.

    Parameters
    ----------
    candidates : sequence of Candidate
        Containing `reference`.
    losses : array-like of shape (c, n)
        Out-of-fold loss of every row under every candidate, averaged over repeats of the cross-validation.
        Infinite where a candidate could not be fitted.
    groups : array-like of shape (n,)
        At least two rows each.
    counts : mapping of group to int, optional
        Real rows, to rank candidates by the number of rows they add; by their shares without.
    objective : {"balanced", "worst"}
        Mean or maximum of the group risks.
    rule : float, default 1
        How many standard errors above the smallest risk still count as equal. With zero the smallest risk is
        taken.
    guardrail : float, default 1
        Probability with which something may be chosen at most that is no better than `reference`, whatever the
        candidates are: alpha + epsilon of `guarded_p_value`, judged on real rows alone.
    folds, repeats : int
        Of the cross-validation that the losses come from.
    sample_weight : array-like of shape (n,), optional
        Of the rows within their group.
    units : array-like of shape (n,), optional
        Numbers or names; rows of a unit are one observation: equal rows that no split parts, or rows of one person.
        Every row by itself without.
    handicaps : array-like of shape (c,), optional
        Standard errors that a candidate's gain has to show under the guardrail beyond what the others have to: 0 where
        gains are expected, more where they are not, so that those are not lost among these. The level stays.
    reference : Candidate, default NOTHING
        What is taken where no other candidate is shown to be better: adding nothing, or what is known from elsewhere to
        be better than that. "Adding nothing" above then stands for it.

    Returns
    -------
    SizeDecision

    Raises
    ------
    SchemaError
        When losses, units or handicaps have another shape or are missing.
    PlanError
        When `reference` is no candidate, a group has fewer than two units with weight, or no candidate could be fitted.
    OptionError
        When an option is out of range.

    Notes
    -----
    Derived in docs/theory.md, "Choosing". Standard errors are of paired differences between rows within
    groups, as in the central limit theorem for cross-validation of Bayle, Bayle, Janson and Mackey (2020),
    which assumes learners that are stable: that one row more or less moves predictions little. Against
    adding nothing their variance is inflated by 1 / repeats + folds / (folds - 1) for overlapping training
    sets (Nadeau and Bengio, 2003). Under the guardrail every gain is measured in its own standard errors, and has to
    pass what the largest of all is by chance; that is drawn from the covariance of the risks. Ties go to fewer rows,
    then to the smaller correction, then to the better worst group.

    Examples
    --------
    >>> losses = np.random.default_rng(0).exponential(size=(1, 200)) + [[0.3], [0.1]]
    >>> choice = choose_from_losses([NOTHING, Candidate(balance=1.0)], losses, np.repeat([0, 1], 100))
    >>> choice.candidate.balance, choice.risks.round(2), choice.standard_errors.round(2)
    (1.0, array([1.43, 1.23]), array([0., 0.]))
    """
    choice(objective, "objective", ("balanced", "worst"))
    table = np.asarray(losses, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != len(candidates):
        raise SchemaError("losses have the wrong shape", got=table.shape, expected="(candidates, rows)")
    if np.isnan(table).any():
        raise SchemaError("missing losses", where="losses", got=int(np.isnan(table).sum()), expected="none")
    names, codes = as_codes(groups, "groups", length=table.shape[1])
    together = np.arange(table.shape[1]) if units is None else as_codes(units, "units", length=table.shape[1])[1]
    weights = as_weights(sample_weight, table.shape[1])
    usable = np.asarray(np.isfinite(table).all(axis=1))
    finite = np.where(usable[:, None], table, 0.0)
    risks, covariances = np.empty((len(table), len(names))), []
    for k, name in enumerate(names.tolist()):
        rows = (codes == k) & (weights > 0)
        different = len(np.unique(together[rows]))
        if different < 2:
            expected = f">= 2 {'rows' if units is None else 'units'} with weight"
            raise PlanError("one row has no spread", where=f"group {name!r}", got=different, expected=expected)
        risks[:, k] = finite[:, rows] @ weights[rows] / weights[rows].sum()
        covariances.append(covariance_of_means(finite[:, rows], together[rows], weights[rows]))
    share_of = np.full(risks.shape, 1 / len(names))
    if objective == "worst":
        share_of = np.equal(np.arange(len(names)), risks.argmax(axis=1)[:, None]).astype(np.float64)
    covariance = sum(np.outer(part, part) * own for part, own in zip(share_of.T, covariances, strict=True))
    means = np.where(usable, (share_of * risks).sum(axis=1), np.inf)
    worst = np.where(usable, risks.max(axis=1), np.inf)
    inflation = 1 / count(repeats, "repeats", least=1) + folds / (count(folds, "folds", least=2) - 1)
    return _chosen(
        candidates,
        means,
        np.asarray(covariance),
        worst,
        usable,
        counts,
        rule,
        inflation,
        fraction(guardrail, "guardrail"),
        np.zeros(len(table)) if handicaps is None else _as_handicaps(handicaps, len(table)),
        reference,
    )


def covariance_of_means(
    values: npt.NDArray[Any], units: npt.NDArray[Any], weights: npt.NDArray[Any] | None = None
) -> Floats:
    """Return the covariance of weighted means over rows, of which those of a unit are one observation.

    Parameters
    ----------
    values : ndarray of shape (c, n)
        Finite.
    units : ndarray of shape (n,)
        At least two different ones. Equal rows that no split parts are one: their losses say the same.
    weights : ndarray of shape (n,), optional
        Not negative.

    Returns
    -------
    ndarray of shape (c, c)

    Notes
    -----
    The variance of a ratio of totals over clusters, by linearisation (Cochran, *Sampling Techniques*, 1977, chapter
    9A); docs/theory.md, "Choosing". With a row per unit it is the sample covariance over n.

    Examples
    --------
    >>> losses = np.array([[0.1, 0.5, 0.6]])
    >>> once = covariance_of_means(losses, np.arange(3))
    >>> bool(np.isclose(once, losses.var(ddof=1) / 3).all())
    True
    >>> four_times = covariance_of_means(np.repeat(losses, 4, axis=1), np.repeat(np.arange(3), 4))
    >>> bool(np.isclose(once, four_times).all())
    True
    """
    share = np.full(values.shape[1], 1 / values.shape[1]) if weights is None else weights / weights.sum()
    different, unit = np.unique(units, return_inverse=True)
    apart = np.stack([np.bincount(unit, row) for row in (values - (values @ share)[:, None]) * share])
    return np.asarray(apart @ apart.T * (len(different) / (len(different) - 1)))


def _as_handicaps(handicaps: npt.ArrayLike, length: int) -> Floats:
    values = np.asarray(handicaps, dtype=np.float64)
    if values.shape != (length,) or not (np.isfinite(values) & (values >= 0)).all():
        raise SchemaError("not a handicap for every candidate", got=handicaps, expected=f"{length} numbers >= 0")
    return values


def _chosen(
    candidates: Sequence[Candidate],
    means: Floats,
    covariance: Floats,
    worst: Floats,
    usable: npt.NDArray[np.bool_],
    counts: Mapping[Hashable, int] | None,
    rule: float,
    inflation: float,
    guardrail: float,
    handicap: Floats,
    reference: Candidate,
) -> SizeDecision:
    """Apply the rule; `inflation` is that of the variance where the reference is compared."""
    if reference not in candidates:
        if reference == NOTHING:
            raise PlanError("adding nothing must stand as a candidate", hint="add makeweight.theory.NOTHING")
        raise PlanError("the reference must stand as a candidate", where="reference", got=reference)
    if not rule >= 0:
        raise OptionError("out of range", where="rule", got=rule, expected=">= 0")
    if not np.isfinite(means).any():
        raise PlanError("every candidate has an infinite risk", hint="calibrate, or use the squared loss")
    zero = candidates.index(reference)
    best = zero if means[zero] <= means.min() else int(np.argmin(means))
    spread = np.sqrt(inflation) * _errors(covariance, zero)
    covariance = covariance + np.diag(np.where(usable, 0.0, np.inf))
    errors = _errors(covariance, best)
    gains = means[zero] - np.where(usable, means, 0.0)
    tried = np.asarray(usable & usable[zero] & (spread > 0))
    by_chance = np.sqrt(inflation) * _gains_by_chance(covariance, tried, zero)
    in_errors = by_chance / spread[tried]
    least = rule * float(np.quantile(by_chance.max(axis=1, initial=0.0), ndtr(1.0)))
    to_show = np.quantile((in_errors - handicap[tried]).max(axis=1, initial=0.0), 1 - guardrail)
    guarded = (to_show + (handicap if guardrail < 1 else 0.0)) * np.where(tried, spread, 0.0)
    floors = np.maximum(least, guarded)
    passing = [k for k in range(len(means)) if k != zero and usable[k] and (gains[k] > floors[k] or not usable[zero])]
    chosen = zero
    if passing:
        first = min(passing, key=lambda k: float(means[k]))
        beside = _errors(covariance, first)
        near = np.asarray((means >= means[first]) & (means - means[first] <= rule * beside))
        passes = np.asarray((gains > guarded) | (not usable[zero]))
        as_good = [k for k in range(len(means)) if k != zero and usable[k] and near[k] and passes[k]]
        chosen = min(
            as_good, key=lambda k: (_added(candidates[k], counts), candidates[k].correction, worst[k], means[k])
        )
    reached = (gains[tried] / spread[tried]).max(initial=0.0)
    by_luck = np.mean(in_errors.max(axis=1, initial=0.0) >= reached)
    p_value = float(by_luck) if reached > 0 else float(bool(usable[zero]))
    shown = chosen if passing else best
    least_gain = float(floors[shown]) if usable[zero] else 0.0
    return SizeDecision(
        candidates[chosen],
        candidates[chosen].takes(counts) if counts else {},
        tuple(candidates),
        means,
        errors,
        worst,
        candidates[best],
        _reason(candidates, means, rule * errors, chosen, best, shown, least_gain, zero),
        covariance,
        least_gain,
        p_value,
    )


def _errors(covariance: Floats, position: int) -> Floats:
    """Return standard errors of the differences to one candidate."""
    own = np.diag(covariance)
    return np.asarray(np.sqrt(np.maximum(own + own[position] - 2 * covariance[position], 0.0)))


def _gains_by_chance(covariance: Floats, tried: npt.NDArray[np.bool_], zero: int) -> Floats:
    """Return what candidates gain over adding nothing in tables where none truly gains, shape (draws, tried)."""
    if not tried.any():
        return np.zeros((1, 0))
    kept = np.append(np.flatnonzero(tried), zero)
    values, vectors = np.linalg.eigh(covariance[np.ix_(kept, kept)])
    fixed = np.random.default_rng(0).standard_normal((_DRAWS, len(values)))  # no part of the decision is chance
    drawn = fixed @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    return np.asarray(drawn[:, [-1]] - drawn[:, :-1])


def least_correction(decision: SizeDecision, positions: Sequence[int], *, rule: float = 1.0) -> int:
    """Return the size of least risk among some candidates, with the least correction that does as well.

    Parameters
    ----------
    decision : SizeDecision
    positions : sequence of int
        Of the candidates to choose from.
    rule : float, default 1
        How many standard errors above the smallest risk still count as equal; towards no correction.

    Returns
    -------
    int
        A position in `decision.candidates`.

    Raises
    ------
    PlanError
        When there is no position to choose from.

    Notes
    -----
    Derived: the choice of c in docs/theory.md, "Borrowing from the majority".

    Examples
    --------
    >>> sizes = [NOTHING, Candidate(1.0), Candidate(1.0, correction=0.5)]
    >>> losses = np.random.default_rng(0).normal(size=(3, 200)) + [[9.0], [1.01], [1.0]]
    >>> least_correction(choose_from_losses(sizes, losses, np.repeat([0, 1], 100)), [1, 2])
    1
    """
    if not len(positions):
        raise PlanError("nothing to choose", where="positions", got="none", expected="positions of candidates")
    best = min(positions, key=lambda k: float(decision.risks[k]))
    size = replace(decision.candidates[best], correction=0.0)
    as_good = [
        k
        for k in positions
        if replace(decision.candidates[k], correction=0.0) == size
        and decision.risks[k] - decision.risks[best] <= rule * decision.standard_error(k, best)
    ]
    return min(as_good, key=lambda k: decision.candidates[k].correction)


def _added(candidate: Candidate, counts: Mapping[Hashable, int] | None) -> float:
    if counts:
        return float(sum(take.n_total for take in candidate.takes(counts).values()))
    return candidate.balance + sum(candidate.per_group.values()) + candidate.augment


def _reason(
    candidates: Sequence[Candidate],
    means: Floats,
    reach: Floats,
    chosen: int,
    best: int,
    shown: int,
    least_gain: float,
    zero: int,
) -> str:
    gain = means[zero] - means[shown]
    name = "adding nothing" if candidates[zero] == NOTHING else "what is presumed"
    if chosen == zero and best == zero:
        return f"no candidate had a smaller validation risk than {name}"
    asked = f"at least {least_gain:.4g} is asked of one of {len(candidates) - 1}"
    if chosen == zero:
        return f"the best candidate gains {gain:.4g} over {name}, and {asked}"
    if chosen == best:
        kept = "it has the smallest risk"
    elif means[chosen] - means[best] <= reach[chosen]:
        kept = f"it is within {reach[chosen]:.4g} of the smallest risk, which counts as equal"
    else:
        kept = "those of smaller risk do not pass"
    return f"{name} costs {gain:.4g}, and {asked}; {kept}"
