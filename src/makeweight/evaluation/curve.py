"""The measured curve of risk against rows: the answer first, then the figures."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from makeweight.evaluation.design import versions
from makeweight.theory import NOTHING, Interval, Recommendation, ScalingLaw, SizeDecision

__all__ = ["ScalingCurve", "ScalingSettings"]


@dataclass(frozen=True)
class ScalingSettings:
    """What was measured, and how; `groups` has the real rows by group.

    `n_measured` of the `n_rows` rows were measured on, and `repeats` of the `wanted` repeats of `folds` folds run, with
    sizes up to `most` rather than `asked` times the largest group, so that the measurement ended in time.
    """

    generator: str
    estimator: str
    repeats: int
    folds: int
    calibrated: bool
    random_state: int
    n_rows: int
    n_measured: int
    n_labels: int
    max_seconds: float | None
    groups: dict[str, int]
    wanted: int
    most: float
    asked: float


@dataclass(frozen=True, eq=False)
class ScalingCurve:
    """Balanced risk against augmentation rows, the fitted law, and what follows.

    Attributes
    ----------
    sizes : ndarray of int, shape (s,)
        Augmentation rows N per group.
    risks : ndarray of shape (r, s)
        Balanced log-loss on held-out real rows, per repeat and size; every group is balanced first.
    nothing : ndarray of shape (r,)
        The same without any synthetic row.
    errors : ndarray of shape (s,)
        Standard errors of the differences to `nothing`, over the table's rows and over repeats.
    real_sizes : ndarray of int, shape (k,)
        Real training rows of the curve on real rows alone.
    real_risks : ndarray of shape (r, k)
    law : ScalingLaw
        Fitted to `risks`; its intervals hold the scatter of repeats and the sampling of the table.
    decision : SizeDecision
        Between nothing, balancing, and balancing with each N, by the one-standard-error rule.
    worth : Interval or None
        Real rows that would give the same risk as the recommended N; None where it cannot be said.
    worth_refused : str
        Why not, and what would answer it; or an empty text.
    ranking : str
        Whether rows can improve the ranking, as tested before any was written.
    settings : ScalingSettings
        What was measured, and how.
    seconds : float
    """

    sizes: np.ndarray
    risks: np.ndarray
    nothing: np.ndarray
    errors: np.ndarray
    real_sizes: np.ndarray
    real_risks: np.ndarray
    law: ScalingLaw
    decision: SizeDecision
    worth: Interval | None
    worth_refused: str
    ranking: str
    settings: ScalingSettings
    seconds: float

    @property
    def recommendation(self) -> Recommendation:
        """What the law, or the curve where there is none, says of further rows."""
        return self.law.recommend(float(np.median(self.errors)))

    @property
    def recommended(self) -> int | None:
        """Augmentation rows per group that are worth adding; None when no row at all is."""
        if self.decision.candidate == NOTHING:
            return None
        return 0 if self.decision.candidate.augment == 0 else self.recommendation.n_augment

    @property
    def gains(self) -> np.ndarray:
        """Falls of the risk beside no synthetic row, as shares of it, shape (s,)."""
        nothing = float(self.nothing.mean())
        return np.asarray((nothing - self.risks.mean(axis=0)) / nothing)

    @property
    def reach(self) -> np.ndarray:
        """Half widths of the intervals that decide, shape (s,), in nats.

        That of the best size holds 0 exactly where adding nothing is preferred; the others are as wide in standard
        errors. By chance alone the best size stays within its own in 84 of 100 tables.
        """
        error = float(self.errors[int(self.risks.mean(axis=0).argmin())])
        return np.asarray(self.errors * (self.decision.least_gain / error if error > 0 else 0.0))

    @property
    def answer(self) -> str:
        """What to do, in at most twelve words."""
        if self.recommended is None:
            if self.decision.best == NOTHING:
                return "Do not add rows: whatever their number, predictions get no better."
            return "Do not add rows: no number of them is shown to help."
        gain = f"predictions {float(np.interp(self.recommended, self.sizes, self.gains)):.1%} better"
        if not self.recommended:
            return f"Add rows: balance, and no more: {gain}."
        return f"Add rows: balance, {self.recommended:,} more per group: {gain}."

    @property
    def why(self) -> str:
        """What the answer rests on, in a sentence that needs no statistics, and on how few rows, where not on all."""
        settings = self.settings
        rows, nothing, few = f"rows from {settings.generator}", float(self.nothing.mean()), ""
        if settings.n_measured < settings.n_rows:
            few = f" Only {settings.n_measured:,} of {settings.n_rows:,} rows were measured on: more time says more."
        if self.recommended is None:
            if self.decision.best == NOTHING:
                return f"With {rows} predictions get worse here, or stay as they are, whatever their number.{few}"
            return (
                f"With {rows} predictions get {self.gains.max():.1%} better at best, and chance alone gives up to "
                f"{self.decision.least_gain / nothing:.1%}.{few}"
            )
        gain = float(np.interp(self.recommended, self.sizes, self.gains))
        return f"With {rows} predictions get {gain:.1%} better{self._as_real}.{few}"

    def next(self, table: Sequence[str] = ()) -> str:
        """Return the one thing to do: as a command where there are its words that name the table, or as Python."""
        generator = self.settings.generator
        if self.recommended is None:
            line = "SyntheticClassifier(model, n_synthetic=0, augment=0).fit(X, y)"
            return f"in Python: {line}" if table else line
        if not table:
            return f"X, y = SyntheticOverSampler({generator!r}, augment={self.recommended}).fit_resample(X, y)"
        extra = ["--augment", str(self.recommended)] if self.recommended else []
        words = ["makeweight", "balance", *table, "--generator", generator, *extra, "-o", "balanced.csv"]
        return shlex.join(words)

    @property
    def cut(self) -> tuple[str, ...]:
        """What there was no time for."""
        settings, lines = self.settings, []
        if settings.most < settings.asked:
            lines.append(
                f"sizes go up to {settings.most:g} times the largest group rather than {settings.asked:g}: a repeat of "
                f"more is expected to take over half of the {settings.max_seconds:g} s"
            )
        if settings.n_measured < settings.n_rows:
            lines.append(f"{settings.n_measured:,} of the {settings.n_rows:,} rows were measured on")
        if settings.repeats < settings.wanted:
            lines.append(f"{settings.repeats} of {settings.wanted} repeats were run")
        return tuple(lines)

    @property
    def _as_real(self) -> str:
        """What the gain is worth, where it can be said."""
        if self.worth is None:
            return ""
        n_real, least = int(self.real_sizes[-1]), max(self.worth.low, 0.0)
        if np.isinf(self.worth.high):
            return f", as with at least {least:,.0f} more real rows beside {n_real:,}" if least >= 1 else ""
        known = f"{self.worth.estimate:,.0f} ({least:,.0f} to {self.worth.high:,.0f})"
        return f", as with {known} more real rows beside {n_real:,}"

    @property
    def verdict(self) -> str:
        """The answer in figures, in one or two sentences."""
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
            f"{means[best]:.4f}; {self.recommendation.reason}."
        )

    def to_html(self, table: Sequence[str] = ()) -> str:
        """Return the curve as one HTML page that needs nothing but itself, to be written as UTF-8."""
        from makeweight.page import render

        return render(self.to_dict(table))

    def to_dict(self, table: Sequence[str] = ()) -> dict[str, object]:
        """Return everything as plain values for JSON and for the page.

        Parameters
        ----------
        table : sequence of str
            Words of the command line that name the table, for the commands; none for Python.
        """
        law, settings = self.law, self.settings
        command = [
            "makeweight",
            "scaling",
            *table,
            "--generator",
            settings.generator,
            "--estimator",
            settings.estimator,
        ]
        command += ["--repeats", str(settings.repeats), "--folds", str(settings.folds)]
        command += ["--seed", str(settings.random_state)]
        return {
            "format": "makeweight.scaling",
            "version": 1,
            "answer": self.answer,
            "why": self.why,
            "next": self.next(table),
            "data": {"name": table[0] if table else "table"},
            "groups": [{"group": name, "n_real": n} for name, n in settings.groups.items()],
            "ledger": None,
            "reproduce": {
                "command": shlex.join(command) if table else "",
                "seed": settings.random_state,
                "versions": versions(),
            },
            "cut": list(self.cut),
            "gains": self.gains.tolist(),
            "gain_reach": (self.reach / float(self.nothing.mean())).tolist(),
            "verdict": {"sentence": self.verdict, "details": [], "next": self.next(table)},
            "ranking": self.ranking,
            "recommended": self.recommended,
            "sizes": self.sizes.tolist(),
            "risk": self.risks.mean(axis=0).tolist(),
            "standard_error": self.errors.tolist(),
            "risk_without_synthetic_rows": float(self.nothing.mean()),
            "constant_risk": float(np.log(self.settings.n_labels)),
            "law": {
                "identifiable": law.identifiable_,
                "reason": law.reason_,
                "floor": asdict(law.floor_),
                "amplitude": asdict(law.amplitude_),
                "exponent": asdict(law.exponent_),
                "n_total": law.n_total,
                "n_groups": law.n_groups,
            },
            "worth_in_real_rows": asdict(self.worth) if self.worth else None,
            "worth_refused": self.worth_refused,
            "real_sizes": self.real_sizes.tolist(),
            "real_risk": self.real_risks.mean(axis=0).tolist(),
            "decision": {
                "balance": self.decision.candidate.balance,
                "augment_per_largest_group": self.decision.candidate.augment,
                "reason": self.decision.reason,
            },
            "risks_by_repeat": self.risks.tolist(),
            "settings": asdict(self.settings),
            "seconds": round(self.seconds, 3),
        }
