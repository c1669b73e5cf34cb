"""What a classifier chose, from which candidates, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from makeweight.classifier.taught import COMMITTEE, REAL_BLEND, SOFT, SOFT_BLEND, SOFT_REAL, TaughtCandidate
from makeweight.theory import NOTHING, Candidate, SizeDecision, SlopeSymmetry, Take, least_correction

__all__ = ["CandidateResult", "ClassifierDecision", "Contribution"]

#: Half-width of a 95 % normal interval in standard errors.
REACH = 1.959964


@dataclass(frozen=True)
class CandidateResult:
    """One candidate size and its validation.

    Parameters
    ----------
    candidate : Candidate
        Shares of what each group lacks, multiples of the largest group, and alpha; or how a teacher takes part.
    n_synthetic : int
        Rows that it adds to the whole table.
    risk : float
        Mean validation risk after calibration, in nats per row.
    above_best, low, high : float
        Risk above that of the best candidate, with its 95 % interval (of paired differences between rows).
        Infinite where signed weights left no minimum in some fold.
    worst : float
        Largest group risk.

    Examples
    --------
    >>> CandidateResult(Candidate(), 0, 0.5, 0.0, 0.0, 0.0, 0.6).title
    'nothing'
    """

    candidate: Candidate
    n_synthetic: int
    risk: float
    above_best: float
    low: float
    high: float
    worst: float

    @property
    def title(self) -> str:
        """The candidate in words."""
        shares = self.candidate
        if isinstance(shares, TaughtCandidate):
            return shares.way
        parts = [f"balance {shares.balance:.3g}"] if shares.balance else []
        parts += [f"balance group {group} {share:.3g}" for group, share in shares.per_group.items() if share]
        if shares.augment:
            parts.append(f"augment {shares.augment:.3g} (alpha {shares.alpha:.3g})")
        parts += [f"corrected by {shares.correction:.3g}"] if shares.correction else []
        return ", ".join(parts) or "nothing"


@dataclass(frozen=True)
class Contribution:
    """What one part gains, measured by itself.

    >>> str(Contribution("labels", "soft real rows beyond nothing", 0.02, 0.01, 0.03))
    'labels +0.0200 [+0.0100, +0.0300]: soft real rows beyond nothing'
    """

    part: str  # "choice", "hard rows", "labels", "rows", "committee", "rows and committee" or "committee alone"
    compared: str  # what is compared with what
    #: in nats per row, positive where it helps, with its 95 % interval
    gain: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.part} {self.gain:+.4f} [{self.low:+.4f}, {self.high:+.4f}]: {self.compared}"


@dataclass(frozen=True)
class ClassifierDecision:
    """What was chosen, from which candidates, with which intervals, and why.

    Attributes
    ----------
    way : str
        "nothing", "hard rows", "soft real rows", "soft rows", "blend of real rows", "blend of soft rows" or "blend of
        both".
    gain : float
        Validation risk of doing nothing above that of the choice, in nats per row; zero where nothing was validated.
    p_value : float
        Probability of a gain, over what is presumed, like that of the best candidate where no candidate has any.
    presumed : str
        The way that is taken unless another is shown to be better; empty where the sizes were given.
    guardrail : float
        Probability with which something may be chosen that is no better than what is presumed.
    contributions : tuple of Contribution
        What labels, rows and committee gain, each by itself; the committee alone is a control and never chosen.
    groups : tuple of str
        The groups by name, in the order of their numbers.
    counts : tuple of int
        Real rows per group.
    takes : tuple of Take
        Rows to balance, rows to augment and their weight, per group.
    alpha : float
        Weight of the augmentation term.
    correction : float
        Share of the generator's estimated bias that signed weights take out; zero without them.
    candidates : tuple of CandidateResult
        Empty where nothing was validated.
    chosen : int
        Position of the choice in `candidates`; 0 where there are none.
    reason : str
        Why this size, and where it is zero, why zero.
    objective : str
    calibration : str
        "platt", "logit-shift", "isotonic" or "none".
    target_prior : dict of label to float
        Class shares that the probabilities are calibrated to.
    folds, repeats : int
        Of the validation; zero where there was none.
    fits : int
        Fits of the estimator in all, but for those as a member of a committee.
    slope_symmetry : SlopeSymmetry or None
        Whether imbalance is only an intercept problem; for two classes and complete numbers.
    notes : tuple of str
        What else a user should know, such as why the slope-symmetry test was not made.
    """

    way: str
    gain: float
    p_value: float
    presumed: str
    guardrail: float
    contributions: tuple[Contribution, ...]
    groups: tuple[str, ...]
    counts: tuple[int, ...]
    takes: tuple[Take, ...]
    alpha: float
    correction: float
    candidates: tuple[CandidateResult, ...]
    chosen: int
    reason: str
    objective: str
    calibration: str
    target_prior: dict[Any, float]
    folds: int
    repeats: int
    fits: int
    slope_symmetry: SlopeSymmetry | None
    notes: tuple[str, ...] = ()

    @property
    def n_synthetic(self) -> int:
        """Synthetic rows in all."""
        return sum(take.n_total for take in self.takes)

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON; a risk that is infinite is None."""
        plain = {name: value for name, value in vars(self).items() if name not in ("counts", "takes", "chosen")}
        return {
            **plain,
            "groups": [
                {"group": name, "n_real": count, **_picked(take, "n_balance", "n_augment", "weight")}
                for name, count, take in zip(self.groups, self.counts, self.takes, strict=True)
            ],
            "target_prior": {str(label): share for label, share in self.target_prior.items()},
            "candidates": [
                {
                    "size": result.title,
                    **_picked(result, "n_synthetic", "risk", "above_best", "low", "high", "worst"),
                    "chosen": position == self.chosen,
                }
                for position, result in enumerate(self.candidates)
            ],
            "contributions": [vars(part) for part in self.contributions],
            "slope_symmetry": self.slope_symmetry and _picked(self.slope_symmetry, "p_value", "rejected", "advice"),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [f"{self.way}, {self.n_synthetic} synthetic rows: {self.reason}"]
        lines += [f"presumed: {self.presumed}"] if self.presumed not in ("", "nothing") else []
        lines += [
            f"  {name}: {count} real, {take.n_balance} to balance, {take.n_augment} to augment"
            + (f" at weight {take.weight:.3g}" if take.n_augment else "")
            for name, count, take in zip(self.groups, self.counts, self.takes, strict=True)
        ]
        if self.candidates:
            after = "" if self.calibration == "none" else ", calibrated"
            lines.append(f"{self.objective} log-loss of {self.repeats} x {self.folds} folds{after}:")
        width = max((len(result.title) for result in self.candidates), default=0)
        for position, result in enumerate(self.candidates):
            mark = "*" if position == self.chosen else " "
            lines.append(
                f"{mark} {result.title:<{width}} {result.n_synthetic:>7} rows  {result.risk:.4f}  "
                f"above the best {result.above_best:+.4f} [{result.low:+.4f}, {result.high:+.4f}]"
            )
        lines += [f"  {part}" for part in self.contributions]
        if self.slope_symmetry is not None:
            lines.append(f"slope symmetry: p = {self.slope_symmetry.p_value:.3g}; {self.slope_symmetry.advice}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _picked(record: object, *names: str) -> dict[str, object]:
    values = {name: getattr(record, name) for name in names}
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in values.items()
    }


def results_of(sizes: SizeDecision, counts: dict[Any, int]) -> tuple[CandidateResult, ...]:
    """Return one result per candidate of a size decision; `counts` are real rows per group."""
    above = sizes.risks - np.min(sizes.risks)
    reach = np.where(np.isfinite(above), REACH * sizes.standard_errors, 0.0)
    return tuple(
        CandidateResult(
            candidate,
            sum(take.n_total for take in candidate.takes(counts).values()),
            float(sizes.risks[k]),
            float(above[k]),
            float(above[k] - reach[k]),
            float(above[k] + reach[k]),
            float(sizes.worst[k]),
        )
        for k, candidate in enumerate(sizes.candidates)
    )


def contributions_of(sizes: SizeDecision, chosen: int, folds: int, repeats: int) -> tuple[Contribution, ...]:
    """Return what every part gains by itself, with the choice's allowance for training sets that overlap."""
    reach = REACH * float(np.sqrt(1 / repeats + folds / (folds - 1)))
    at: dict[str, int] = {}
    for k, candidate in enumerate(sizes.candidates):
        way = way_of(candidate)
        if way not in at or sizes.risks[k] < sizes.risks[at[way]]:
            at[way] = k
    pairs = {
        "hard rows": ("hard rows", "nothing"),
        "labels": (SOFT_REAL, "nothing"),
        "rows": (SOFT, SOFT_REAL),
        "committee": (REAL_BLEND, "nothing"),
        "rows and committee": (SOFT_BLEND, "nothing"),
        COMMITTEE: (COMMITTEE, "nothing"),
    }
    parts = []
    at["choice"] = chosen
    if chosen:
        pairs = {"choice": ("choice", "nothing"), **pairs}
    for part, (way, beside) in pairs.items():
        if way in at and beside in at and np.isfinite(sizes.risks[[at[way], at[beside]]]).all():
            gain = float(sizes.risks[at[beside]] - sizes.risks[at[way]])
            half = reach * sizes.standard_error(at[way], at[beside])
            best = "the best size of " if way == "hard rows" else ""
            title = way_of(sizes.candidates[at[way]])
            parts.append(Contribution(part, f"{best}{title} beyond {beside}", gain, gain - half, gain + half))
    return tuple(parts)


def way_of(candidate: Candidate) -> str:
    """Return what a candidate is, in one word or two.

    >>> way_of(NOTHING), way_of(Candidate(1.0)), way_of(TaughtCandidate(way="soft rows"))
    ('nothing', 'hard rows', 'soft rows')
    """
    if isinstance(candidate, TaughtCandidate):
        return candidate.way
    return "nothing" if candidate == NOTHING else "hard rows"


def chosen_size(
    candidates: tuple[Candidate, ...], sizes: SizeDecision | None, is_open: bool, given: str
) -> tuple[int, str]:
    """Return the position of the chosen size among those validated, and why it was chosen."""
    if sizes is None or len(sizes.candidates) == 1:
        return 0, given
    if is_open:
        return sizes.candidates.index(sizes.candidate), sizes.reason
    allowed = [k for k, candidate in enumerate(sizes.candidates) if candidate in candidates]
    best = least_correction(sizes, allowed)
    gain = sizes.risks[sizes.candidates.index(NOTHING)] - sizes.risks[best]
    verdict = f"adding nothing validates {abs(gain):.4g} {'worse' if gain > 0 else 'better'}"
    plain = [replace(sizes.candidates[k], correction=0.0) for k in allowed]
    asked = "the size" if all(size == plain[0] for size in plain) else "the least risk"
    return best, f"{asked} that was asked for; {verdict}"
