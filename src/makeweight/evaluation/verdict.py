"""The sentence that follows from the table, by the rules of docs/evaluate.md."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from makeweight.evaluation.arms import NOTHING, REFERENCE, Arm
from makeweight.evaluation.scores import Pair, Scores
from makeweight.evaluation.statistics import LEVEL, Difference
from makeweight.page.comparison import ESTIMATORS

__all__ = ["ComparisonVerdict", "better"]

#: A difference is shown when the interval that decides leaves out 0, and it is at least so large (nats, or AUROC).
SMALLEST = 0.001
#: Fewer splits than this have very wide intervals, which is said.
FEW = 5
#: Per code, what is said of one estimator.
CODES = {
    "helps-ranking": "synthetic rows help",
    "helps-calibration-only": "synthetic rows help only calibration",
    "no-difference": "no measurable difference",
    "hurts": "synthetic rows hurt",
    "mixed": "it depends on the estimator",
    "failed": "not measured",
}
LOSS, RANKING = "balanced_log_loss", "auroc"
LOG_LOSS, RANKS = "the balanced log-loss", "ranking"
#: Sources whose arms the rows alone do not make: they count where they help, and are no reason to say that rows hurt.
CHOOSING = ("auto", "committee")
WITHOUT = "SyntheticClassifier(estimator, n_synthetic=0, augment=0) calibrates out of fold and adds no row"


@dataclass(frozen=True)
class ComparisonVerdict:
    """What the comparison says: one of `CODES`, a sentence, details, and what to run or do next.

    Details are first one per estimator, then groups, cheaper arms, and the best arm of all.
    """

    code: str
    sentence: str
    details: tuple[str, ...]
    next: str


@dataclass(frozen=True)
class EstimatorFinding:
    """What holds for one estimator, and the arm that shows it."""

    estimator: str
    code: str
    arm: Arm

    @property
    def label(self) -> str:
        """The estimator in words."""
        return ESTIMATORS.get(self.estimator, self.estimator)


def judge(
    scores: Scores,
    focus: Sequence[Arm],
    groups: Sequence[str],
    *,
    table: Sequence[str],
    generator: Sequence[str],
    n_added: Mapping[str, int],
    augment: int,
    cut: Sequence[str],
) -> ComparisonVerdict:
    """Return the verdict on the focus arms.

    `table` and `generator` are words of the command line. `n_added`, by training set, and `augment`, per group, are
    rows that are added to the whole table. `cut` says which splits were left out.
    """
    findings = [_finding(scores, estimator, focus) for estimator in scores.estimators]
    code = _overall([finding.code for finding in findings])
    details = [
        *(_of_estimator(scores, finding) for finding in findings),
        *_groups(scores, findings, groups),
        *_rivals(scores, findings),
        *_best(scores),
        *_few(scores),
    ]
    shown = [finding for finding in findings if finding.code == code]
    if code == "mixed":
        shown = [finding for finding in findings if finding.code == "helps-ranking"]
    # The numbers are those of the estimator that is best without synthetic rows.
    first = min(shown, key=lambda finding: loss_of(scores, finding.estimator, REFERENCE))
    gained = _gained(scores, first) if code == "hurts" else ""
    sentence = _sentence(scores, code, findings, shown, first, n_added, gained)
    following = _next(code, first, table, generator, augment, cut=bool(cut), gained=gained)
    return ComparisonVerdict(code, sentence, tuple(details), following)


def better(difference: Difference | None, *, lower: bool) -> bool:
    """Return whether a difference is shown to be an improvement.

    >>> better(Difference(-0.02, -0.03, -0.01, 0.001, 0.004), lower=True)
    True
    >>> better(Difference(-0.02, -0.03, -0.01, 0.001, 0.06), lower=True)
    False
    """
    if difference is None or difference.p_holm is None or difference.p_holm >= LEVEL:
        return False
    return (-difference.mean if lower else difference.mean) >= SMALLEST


def _shown(scores: Scores, estimator: str, arm: Arm, *, worse: bool = False) -> bool:
    """Return whether an arm is shown to be better (or worse) than the reference in log-loss or AUROC."""
    return any(
        better(scores.difference(estimator, arm.name, metric), lower=lower != worse)
        for metric, lower in ((LOSS, True), (RANKING, False))
    )


def _beats_control(scores: Scores, estimator: str, arm: Arm) -> bool:
    """Return whether rows did it: whether an arm is shown to be better than the same without rows."""
    return arm.control is None or beats(scores, (estimator, arm.name), (estimator, arm.control))


def improves(difference: Callable[[str], Difference | None]) -> bool:
    """Return whether differences are shown to be better in log-loss or AUROC, and worse in neither."""
    changes = [(difference(metric), lower) for metric, lower in ((LOSS, True), (RANKING, False))]
    gains = any(better(change, lower=lower) for change, lower in changes)
    return gains and not any(better(change, lower=not lower) for change, lower in changes)


def beats(scores: Scores, pair: Pair, other: Pair) -> bool:
    """Return whether one arm is shown to be better than another."""
    return improves(partial(scores.contrast, pair, other))


def loss_of(scores: Scores, estimator: str, arm: str) -> float:
    """Return the balanced log-loss, infinite where it was not measured."""
    value = scores.value(estimator, arm, LOSS)
    return math.inf if value is None else value.mean


def _finding(scores: Scores, estimator: str, focus: Sequence[Arm]) -> EstimatorFinding:
    calibrated = [arm for arm in focus if arm.calibrated]
    fixed = [arm for arm in focus if arm.source not in CHOOSING] or list(focus)
    failed = [arm for arm in fixed if scores.value(estimator, arm.name, LOSS) is None]
    if failed:
        return EstimatorFinding(estimator, "failed", failed[0])

    def loss(arm: Arm) -> float:
        return loss_of(scores, estimator, arm.name)

    helping = [
        arm
        for arm in calibrated
        if improves(partial(scores.difference, estimator, arm.name))
        and _beats_control(scores, estimator, arm)
        and (scores.mean(estimator, arm.name, "n_added") or 0) > 0
    ]
    if helping:
        return EstimatorFinding(estimator, "helps-ranking", min(helping, key=loss))
    hurting = [arm for arm in calibrated if arm in fixed and _shown(scores, estimator, arm, worse=True)]
    if hurting:
        return EstimatorFinding(estimator, "hurts", max(hurting, key=loss))
    lifted = [
        arm
        for arm in fixed
        if not arm.calibrated and better(scores.difference(estimator, arm.name, LOSS, NOTHING), lower=True)
    ]
    if lifted:
        return EstimatorFinding(estimator, "helps-calibration-only", min(lifted, key=loss))
    return EstimatorFinding(estimator, "no-difference", next((arm for arm in calibrated if arm in fixed), fixed[0]))


def _overall(codes: Sequence[str]) -> str:
    """Return the code of several estimators together.

    >>> _overall(["hurts", "no-difference"]), _overall(["hurts", "helps-ranking"])
    ('hurts', 'mixed')
    """
    present = set(codes)
    if {"helps-ranking", "hurts"} <= present:
        return "mixed"
    order = ("helps-ranking", "hurts", "helps-calibration-only", "no-difference", "failed")
    return next(code for code in order if code in present)


def _joined(findings: Sequence[EstimatorFinding]) -> str:
    names = [finding.label for finding in findings]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _signed(difference: Difference) -> str:
    return f"{difference.mean:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"


def _changes(scores: Scores, estimator: str, arm: Arm) -> str:
    changes = (scores.difference(estimator, arm.name, metric) for metric in (RANKING, LOSS))
    ranks, loss = ("not measured" if change is None else _signed(change) for change in changes)
    return f"AUROC {ranks}, balanced log-loss {loss}"


def _sentence(
    scores: Scores,
    code: str,
    findings: Sequence[EstimatorFinding],
    shown: Sequence[EstimatorFinding],
    first: EstimatorFinding,
    n_added: Mapping[str, int],
    gained: str,
) -> str:
    arm, estimator = first.arm, first.estimator
    if code == "failed":
        return f"Not measured: {arm.label} failed: {_error(scores, arm)}."
    if code == "mixed":
        hurt = [finding for finding in findings if finding.code == "hurts"]
        return f"Mixed: synthetic rows help with {_joined(shown)}, and hurt with {_joined(hurt)}."
    who = ("only with " if len(shown) < len(findings) else "with ") + _joined(shown)
    per_split = scores.mean(estimator, arm.name, "n_added") or 0
    added = f"{n_added[arm.variant]:,} rows" if arm.variant in n_added else f"{per_split:,.0f} rows per split"
    added += ", external information" if arm.external else ""
    with_first = f" with {first.label}" if len(shown) > 1 else ""
    against = f"{arm.label} ({added}) against calibration without any{with_first}: {_changes(scores, estimator, arm)}."
    if code == "helps-calibration-only":
        bare, lifted = (scores.value(estimator, name, LOSS) for name in (REFERENCE, arm.name))
        twin = scores.difference(estimator, f"{arm.name}+platt", LOSS)
        assert bare is not None and lifted is not None  # noqa: PT018 - the code says that both were measured
        equal = "" if twin is None else f"; calibrated as well it differs by {_signed(twin)}, not shown"
        return (
            f"Synthetic rows help only calibration, {who}; calibrating without any is cheaper by {added}: "
            f"it scores a balanced log-loss of {bare.mean:.4f}{with_first}, {arm.label} {lifted.mean:.4f}"
            f"{equal}."
        )
    if code == "helps-ranking":
        ranks = better(scores.difference(estimator, arm.name, RANKING), lower=False)
        what = "help ranking" if ranks else "help beyond calibration (AUROC shows no gain)"
        return f"Synthetic rows {what}, {who}: {against}"
    if code == "hurts":
        lost = {"": "", RANKS: " the balanced log-loss", LOG_LOSS: " ranking"}[gained]
        return f"Synthetic rows hurt{lost}{' and improve ' if gained else ''}{gained}, {who}: {against}"
    return f"No measurable difference, {who}: {against}"


def _gained(scores: Scores, finding: EstimatorFinding) -> str:
    """Return what rows that hurt one measure are shown to improve; empty where there is nothing."""
    difference = partial(scores.difference, finding.estimator, finding.arm.name)
    if better(difference(RANKING), lower=False):
        return RANKS
    return LOG_LOSS if better(difference(LOSS), lower=True) else ""


def _error(scores: Scores, arm: Arm) -> str:
    errors = [failure.error for failure in scores.failures() if failure.arm == arm.name]
    return errors[0] if errors else "its numbers are not finite"


def _of_estimator(scores: Scores, finding: EstimatorFinding) -> str:
    """Return the code of one estimator in words, with the arm that shows it."""
    text = f"{finding.label}: {CODES[finding.code]}"
    if finding.code == "failed":
        return f"{text}: {_error(scores, finding.arm)}"
    return f"{text} ({finding.arm.label}: {_changes(scores, finding.estimator, finding.arm)})"


def _groups(scores: Scores, findings: Sequence[EstimatorFinding], groups: Sequence[str]) -> list[str]:
    """Return the groups whose log-loss is shown to change, with Holm's correction over groups."""
    details = []
    for finding in findings:
        if finding.code not in ("helps-ranking", "hurts"):
            continue
        changes = scores.group_differences(finding.estimator, finding.arm.name, len(groups))
        parts = [
            f"{groups[position]} {_signed(change)}"
            for position, change in changes.items()
            if better(change, lower=True) or better(change, lower=False)
        ]
        which = "; ".join(parts) if parts else "shown for no single group"
        details.append(f"change of log-loss by group with {finding.label}, {finding.arm.label}: {which}")
    return details


def _rivals(scores: Scores, findings: Sequence[EstimatorFinding]) -> list[str]:
    """Return the arms without synthetic rows that are shown to help where synthetic rows do."""
    plain = [arm for arm in scores.arms if arm.calibrated and not arm.synthetic]
    helped = [finding for finding in findings if finding.code == "helps-ranking"]
    cheaper = {one.label: [arm.label for arm in plain if _shown(scores, one.estimator, arm)] for one in helped}
    return [
        f"with {label} without synthetic rows these help, too: {', '.join(names)}"
        for label, names in cheaper.items()
        if names
    ]


def _best(scores: Scores) -> list[str]:
    """Return the arm with the least balanced log-loss over all estimators."""
    alone = [arm.name for arm in scores.arms if arm.variant == "committee" or arm.source == "learners"]
    ranked = [
        (value.mean, arm.label, estimator if arm.name not in alone else "")
        for arm in scores.arms
        if not arm.external
        for estimator in scores.estimators
        if (value := scores.value(estimator, arm.name, LOSS)) is not None
    ]
    if not ranked:
        return []
    mean, label, estimator = min(ranked)
    learner = f" with {ESTIMATORS.get(estimator, estimator)}" if estimator else ""
    return [f"least balanced log-loss of all: {label}{learner}, {mean:.4f}"]


def _few(scores: Scores) -> list[str]:
    n = len(scores.splits)
    if n >= FEW:
        return []
    return [f"{n} splits can show large differences only: the intervals are wide for want of splits"]


def _next(
    code: str,
    first: EstimatorFinding,
    table: Sequence[str],
    generator: Sequence[str],
    augment: int,
    *,
    cut: bool,
    gained: str,
) -> str:
    if code in ("helps-ranking", "mixed"):
        only = f"; use the rows with {first.label} only" if code == "mixed" else ""
        if first.arm.external:
            return f"compare again on real rows that the writer of these has not seen{only}"
        if first.arm.source == "auto":
            return f"SyntheticClassifier(estimator, {generator[1]!r}){only}"
        extra = ["--augment", str(augment)] if first.arm.variant == "augmented" else []
        return shlex.join(["makeweight", "balance", *table, *generator, *extra, "-o", "balanced.csv"]) + only
    if code == "failed":
        plan = shlex.join(["makeweight", "balance", *table, *generator, "--dry-run"])
        return f"{plan} shows the plan; --copies accept takes copies; makeweight generators lists others"
    if code == "helps-calibration-only":
        return f"calibrate: {WITHOUT}"
    if code == "hurts" and gained:
        return f"add these rows only where {gained} is all that counts; otherwise none: {WITHOUT}"
    if code == "hurts":
        return f"add none of these rows: {WITHOUT}; makeweight report shows what is wrong with them"
    more = "a larger --max-seconds" if cut else "more --repeats"
    return f"add no row: {WITHOUT}; {more} narrows the intervals, further real rows even more"
