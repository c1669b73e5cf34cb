"""A measured scaling curve and what follows from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from makeweight.theory import NOTHING, Interval, ScalingLaw, SizeDecision, StraightLine

__all__ = ["ScalingCurve", "ScalingSettings"]


@dataclass(frozen=True)
class ScalingSettings:
    """What was measured, and how; `groups` has the real rows by group."""

    generator: str
    estimator: str
    repeats: int
    folds: int
    calibrated: bool
    random_state: int
    n_rows: int
    n_labels: int
    groups: dict[str, int]


@dataclass(frozen=True, eq=False)
class ScalingCurve:
    """Balanced risk against augmentation rows, the fitted law, and what follows.

    Attributes
    ----------
    sizes : ndarray of int, shape (s,)
        Augmentation rows N per group.
    risks : ndarray of shape (r, s)
        Balanced log-loss on held-out real rows, per split and size; every group is balanced first.
    nothing : ndarray of shape (r,)
        The same without any synthetic row.
    real_sizes : ndarray of int, shape (k,)
        Real training rows of the curve on real rows alone.
    real_risks : ndarray of shape (r, k)
    law : ScalingLaw
        Fitted to `risks` after the common level of every split is taken out.
    decision : SizeDecision
        Between nothing, balancing, and balancing with each N, by the one-standard-error rule.
    worth : Interval or None
        Real rows that would give the same risk as the recommended N; None where it cannot be said.
    worth_refused : str
        Why not, or an empty text.
    lines : dict of str to StraightLine
        The published straight lines, ``"log N"`` and ``"1/N"``; empty where they cannot be drawn.
    settings : ScalingSettings
        What was measured, and how.
    seconds : float
    """

    sizes: np.ndarray
    risks: np.ndarray
    nothing: np.ndarray
    real_sizes: np.ndarray
    real_risks: np.ndarray
    law: ScalingLaw
    decision: SizeDecision
    worth: Interval | None
    worth_refused: str
    lines: dict[str, StraightLine]
    settings: ScalingSettings
    seconds: float

    @property
    def recommended(self) -> int | None:
        """Augmentation rows per group that are worth adding; None when no row at all is."""
        if self.decision.candidate == NOTHING:
            return None
        if self.decision.candidate.augment == 0:
            return 0
        return self.law.recommend().n_augment

    @property
    def verdict(self) -> str:
        """What to do, in one or two sentences."""
        means, nothing = self.risks.mean(axis=0), float(self.nothing.mean())
        best = int(means.argmin())
        if self.recommended is None:
            shown = "No synthetic rows are worth adding"
            if self.decision.best != NOTHING:
                shown = "No gain from synthetic rows can be shown, so add none"
            return (
                f"{shown}: without any the balanced log-loss is {nothing:.4f}, "
                f"with the best number tried {means[best]:.4f}; {self.decision.reason}."
            )
        gain = f"balancing lowers the balanced log-loss from {nothing:.4f} to {means[0]:.4f}"
        if self.recommended == 0:
            return f"Balance, and add no further rows: {gain}; more rows gain less than a standard error."
        return (
            f"Balance, and add {self.recommended:,} rows per group: {gain}, and further rows to "
            f"{means[best]:.4f}; {self.law.recommend().reason}."
        )

    @property
    def constant_risk(self) -> float:
        """Balanced log-loss of a constant."""
        return float(np.log(self.settings.n_labels))

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON."""
        law = self.law
        return {
            "verdict": self.verdict,
            "recommended": self.recommended,
            "sizes": self.sizes.tolist(),
            "risk": self.risks.mean(axis=0).tolist(),
            "standard_error": law.standard_errors_.tolist(),
            "risk_without_synthetic_rows": float(self.nothing.mean()),
            "constant_risk": self.constant_risk,
            "law": {
                "identifiable": law.identifiable_,
                "reason": law.reason_,
                **{name: asdict(getattr(law, f"{name}_")) for name in ("floor", "amplitude", "exponent")},
                "n_total": law.n_total,
                "n_groups": law.n_groups,
            },
            "lines": {name: vars(line) for name, line in self.lines.items()},
            "worth_in_real_rows": asdict(self.worth) if self.worth else None,
            "worth_refused": self.worth_refused,
            "real_sizes": self.real_sizes.tolist(),
            "real_risk": self.real_risks.mean(axis=0).tolist(),
            "decision": {
                "balance": self.decision.candidate.balance,
                "augment_per_largest_group": self.decision.candidate.augment,
                "reason": self.decision.reason,
            },
            "risks_by_split": self.risks.tolist(),
            "settings": asdict(self.settings),
            "seconds": round(self.seconds, 3),
        }
