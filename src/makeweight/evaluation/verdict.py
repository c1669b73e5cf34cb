"""The sentence that follows from the table, by the rules of docs/evaluate.md."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm
from makeweight.evaluation.scores import Scores
from makeweight.evaluation.statistics import Difference

__all__ = ["CODES", "Verdict", "judge"]

#: A difference is shown when its Holm-corrected p is below this, and it is at least so large.
LEVEL, SMALLEST = 0.05, 0.001
CODES = ("helps-ranking", "helps-calibration-only", "no-difference", "hurts", "mixed", "failed")
LOSS, RANKING = "balanced_log_loss", "auroc"
LABELS = {
    "lr": "logistic regression", "rf": "random forest", "hgb": "boosted trees", "xgb": "XGBoost",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the comparison says.

    Parameters
    ----------
    code : str
        One of `CODES`.
    sentence : str
    details : tuple of str
    next : str
        What to run or do next.
    """

    code: str
    sentence: str
    details: tuple[str, ...]
    next: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "details": list(self.details),
            "next": self.next,
        }


@dataclass(frozen=True)
class Finding:
    """What holds for one estimator, and the arm that shows it."""

    estimator: str
    code: str
    arm: Arm | None


def judge(
    scores: Scores,
    focus: Sequence[Arm],
    *,
    groups: Sequence[str],
    command: Sequence[str],
    n_added: dict[str, int],
    augment: int,
    generator: str,
    cut: bool,
) -> Verdict:
    """Return the verdict on the focus arms.

    Parameters
    ----------
    scores : Scores
    focus : sequence of Arm
        The arms that the verdict is about.
    groups : sequence of str
    command : sequence of str
        Data, target and groups as options of the command line.
    n_added : dict of variant to int
        Rows that an arm adds to the whole table.
    augment : int
        Augmentation rows per group on the whole table.
    generator : str
    cut : bool
        Whether splits were cut.

    Returns
    -------
    Verdict
    """
    findings = [_finding(scores, estimator, focus) for estimator in scores.estimators]
    code = _overall([finding.code for finding in findings])
    sentence = _sentence(scores, code, findings, focus, n_added)
    details = [_of_estimator(scores, finding, focus) for finding in findings]
    details += _groups(scores, findings, groups)
    details += _rivals(scores, findings)
    details += _best(scores)
    return Verdict(
        code, sentence, tuple(details), _next(code, findings, command, generator, augment, cut=cut)
    )


def better(difference: Difference | None, *, lower: bool) -> bool:
    """Tell whether a difference is shown to be one to the better.

    Examples
    --------
    >>> better(Difference(-0.02, -0.03, -0.01, 0.001, 0.004), lower=True)
    True
    """
    if difference is None or difference.p_holm is None or difference.p_holm >= LEVEL:
        return False
    gain = -difference.mean if lower else difference.mean
    return gain >= SMALLEST


def _shown(scores: Scores, estimator: str, arm: Arm, *, worse: bool) -> bool:
    """Tell whether an arm is shown to be better (or worse) than the reference in ranking or log-loss."""
    return any(
        better(scores.difference(estimator, arm.name, metric), lower=lower != worse)
        for metric, lower in ((LOSS, True), (RANKING, False))
    )


def _finding(scores: Scores, estimator: str, focus: Sequence[Arm]) -> Finding:
    calibrated = [arm for arm in focus if arm.calibrated]
    raw = [arm for arm in focus if not arm.calibrated]
    fixed = [arm for arm in focus if arm.source != "auto"] or list(focus)
    if any(scores.value(estimator, arm.name, LOSS) is None for arm in fixed):
        return Finding(estimator, "failed", fixed[0])
    helping = [
        arm
        for arm in calibrated
        if _shown(scores, estimator, arm, worse=False) and not _shown(scores, estimator, arm, worse=True)
    ]
    if helping:
        return Finding(estimator, "helps-ranking", min(helping, key=lambda a: _loss(scores, estimator, a)))
    hurting = [arm for arm in calibrated if arm in fixed and _shown(scores, estimator, arm, worse=True)]
    if hurting:
        return Finding(estimator, "hurts", max(hurting, key=lambda a: _loss(scores, estimator, a)))
    lifted = [arm for arm in raw if better(scores.difference(estimator, arm.name, LOSS, NOTHING), lower=True)]
    if lifted:
        best = min(lifted, key=lambda a: _loss(scores, estimator, a))
        return Finding(estimator, "helps-calibration-only", best)
    return Finding(estimator, "no-difference", calibrated[0] if calibrated else None)


def _loss(scores: Scores, estimator: str, arm: Arm) -> float:
    value = scores.value(estimator, arm.name, LOSS)
    assert value is not None
    return value.mean


def _overall(codes: Sequence[str]) -> str:
    """Return the code of several estimators together."""
    found = set(codes) - {"failed"}
    if not found:
        return "failed"
    if {"helps-ranking", "hurts"} <= found:
        return "mixed"
    for code in ("helps-ranking", "hurts", "helps-calibration-only"):
        if code in found:
            return code
    return "no-difference"


def _named(estimators: Sequence[str]) -> str:
    names = [LABELS.get(name, name) for name in estimators]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def _changes(scores: Scores, estimator: str, arm: Arm) -> str:
    parts = []
    for metric, label in ((RANKING, "AUROC"), (LOSS, "balanced log-loss")):
        difference = scores.difference(estimator, arm.name, metric)
        parts.append(f"{label} {'not measured' if difference is None else _signed(difference)}")
    return ", ".join(parts)


def _sentence(
    scores: Scores, code: str, findings: Sequence[Finding], focus: Sequence[Arm], n_added: dict[str, int]
) -> str:
    if code == "failed":
        name = findings[0].arm.label if findings[0].arm else "synthetic rows"
        return f"Not measured: {name} failed ({_error(scores, findings[0])})."
    if code == "mixed":
        helped = [f.estimator for f in findings if f.code == "helps-ranking"]
        hurt = [f.estimator for f in findings if f.code == "hurts"]
        return f"Mixed: synthetic rows help with {_named(helped)}, and hurt with {_named(hurt)}."
    mine = [finding for finding in findings if finding.code == code]
    first = mine[0]
    assert first.arm is not None
    who, others = _named([f.estimator for f in mine]), len(findings) > len(mine)
    only = "only " if others else ""
    arm, rows = first.arm, n_added.get(first.arm.variant)
    added = f"{rows:,} rows" if rows is not None else "as many rows as it chooses"
    stamp = ", with external information" if arm.external else ""
    if code == "helps-ranking":
        ranks = better(scores.difference(first.estimator, arm.name, RANKING), lower=False)
        what = "help ranking" if ranks else "help beyond calibration, though not shown in AUROC"
        return (
            f"Synthetic rows {what}, {only}with {who}: {arm.label} ({added}{stamp}) against calibration "
            f"without any: {_changes(scores, first.estimator, arm)}."
        )
    if code == "hurts":
        return (
            f"Synthetic rows hurt, {only}with {who}: {arm.label} ({added}{stamp}) against calibration "
            f"without any: {_changes(scores, first.estimator, arm)}."
        )
    if code == "helps-calibration-only":
        bare = scores.value(first.estimator, REFERENCE, LOSS)
        with_rows = scores.value(first.estimator, arm.name, LOSS)
        assert bare is not None and with_rows is not None
        return (
            f"Synthetic rows help only calibration, {only}with {who}, and calibration is cheaper by {added}: "
            f"doing nothing and calibrating scores a balanced log-loss of {bare.mean:.4f}, {arm.label} "
            f"{with_rows.mean:.4f}."
        )
    return (
        f"No measurable difference with {who}: {arm.label} ({added}{stamp}) against calibration without any: "
        f"{_changes(scores, first.estimator, arm)}."
    )


def _error(scores: Scores, finding: Finding) -> str:
    assert finding.arm is not None
    for failure in scores.failures():
        if failure["arm"] == finding.arm.name:
            return str(failure["error"])
    return "its numbers are not finite"


WORDS = {
    "helps-ranking": "help",
    "helps-calibration-only": "help only calibration",
    "no-difference": "no measurable difference",
    "hurts": "hurt",
}


def _of_estimator(scores: Scores, finding: Finding, focus: Sequence[Arm]) -> str:
    """Say what was found with one estimator, calibrated against calibrated."""
    name = LABELS.get(finding.estimator, finding.estimator)
    if finding.code == "failed":
        return f"{name}: not measured, {_error(scores, finding)}"
    parts = [f"{arm.label}: {_changes(scores, finding.estimator, arm)}" for arm in focus if arm.calibrated]
    return f"{name}: {WORDS[finding.code]}. " + "; ".join(parts)


def _groups(scores: Scores, findings: Sequence[Finding], groups: Sequence[str]) -> list[str]:
    """Name the groups whose log-loss is shown to change, by intervals for all groups together."""
    from makeweight.evaluation.statistics import holm

    told = []
    for finding in findings:
        if finding.code not in ("helps-ranking", "hurts") or finding.arm is None:
            continue
        found = [scores.group_difference(finding.estimator, finding.arm.name, g) for g in range(len(groups))]
        known = [(g, d) for g, d in zip(groups, found, strict=True) if d is not None]
        for (group, difference), p in zip(known, holm([d.p for _, d in known]), strict=True):
            if p < LEVEL and abs(difference.mean) >= SMALLEST:
                told.append(
                    f"group {group}, {LABELS.get(finding.estimator, finding.estimator)}: log-loss "
                    f"{_signed(difference)}"
                )
    return told


def _rivals(scores: Scores, findings: Sequence[Finding]) -> list[str]:
    """Name arms without synthetic rows that are shown to help where synthetic rows do."""
    told = []
    for finding in findings:
        if finding.code != "helps-ranking":
            continue
        cheaper = [
            arm.label
            for arm in scores.arms
            if arm.calibrated and not arm.synthetic and _shown(scores, finding.estimator, arm, worse=False)
        ]
        if cheaper:
            told.append(
                f"with {LABELS.get(finding.estimator, finding.estimator)} these help, too, without synthetic "
                f"rows: {', '.join(cheaper)}"
            )
    return told


def _best(scores: Scores) -> list[str]:
    """Name the arm with the least balanced log-loss over all estimators."""
    ranked = [
        (value.mean, arm.label, estimator)
        for arm in scores.arms
        if not arm.external
        for estimator in scores.estimators
        if (value := scores.value(estimator, arm.name, LOSS)) is not None
    ]
    if not ranked:
        return []
    mean, label, estimator = min(ranked)
    return [f"least balanced log-loss of all: {label} with {LABELS.get(estimator, estimator)}, {mean:.4f}"]


def _next(
    code: str,
    findings: Sequence[Finding],
    command: Sequence[str],
    generator: str,
    augment: int,
    *,
    cut: bool,
) -> str:
    """Say what to run or do."""
    given = shlex.join(command)
    without = (
        "SyntheticClassifier(estimator, n_synthetic=0, augment=0) calibrates out of fold and adds no row"
    )
    if code in ("helps-ranking", "mixed"):
        first = next(finding for finding in findings if finding.code == "helps-ranking")
        assert first.arm is not None
        only = (
            f", and use them with {LABELS.get(first.estimator, first.estimator)} only"
            if code == "mixed"
            else ""
        )
        if first.arm.external:
            return f"evaluate the rows on real ones that their writer has not seen{only}"
        if first.arm.source == "auto":
            return f"SyntheticClassifier(estimator, {generator!r}){only}"
        more = f" --augment {augment}" if first.arm.variant == "augmented" else ""
        return f"makeweight balance {given} --generator {generator}{more} -o balanced.csv{only}"
    if code == "helps-calibration-only":
        return f"add no row, and calibrate: {without}"
    if code == "hurts":
        return f"add no row of this kind: {without}; look at the rows with makeweight report"
    if code == "failed":
        return (
            f"makeweight balance {given} --generator {generator} --dry-run shows the plan; or choose another"
        )
    more_splits = "a larger --budget-seconds" if cut else "more --repeats"
    return f"add no row: {without}; {more_splits} would narrow the intervals, further real rows even more"
