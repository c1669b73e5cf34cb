"""From the outcomes of the checks to a sentence, by stated rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from makeweight.quality.distances import NO_HOLDOUT
from makeweight.quality.judge import MEANINGLESS

if TYPE_CHECKING:
    from makeweight.quality.checks import Check

__all__ = ["QualityVerdict"]

#: Fewer different rows than this among a hundred is one row written over and over.
FEW_DIFFERENT = 0.1
#: Less than this share of the real associations is none to speak of.
INDEPENDENT = 0.25
#: The checks that compare columns, pairs of columns, and whole rows: one of them at least has to have eyes.
COMPARING = ("MWQ08", "MWQ09", "MWQ15")
#: What to do with rows that one of the rules speaks against, by its code.
ANSWERS = {
    "repeats": "Do not use these rows: few are different from each other.",
    "copies": "Do not use these rows: {share} are copies of real ones.",
    "memorises": "Do not share these rows: they lie too near real ones.",
    "ignores-label": "Do not use these rows: the generator ignores the label.",
    "independent-columns": "Do not use these rows: their columns do not belong together.",
}
#: Why a check was skipped that would have begun after the time was up.
NO_TIME = "There was no time left for it."
#: With so many rows on each side, the two-sample test sees faults of the size of an issue.
ENOUGH = 40


@dataclass(frozen=True)
class QualityVerdict:
    """What follows from the checks.

    Parameters
    ----------
    code : str
        Of the first rule that applies.
    sentence : str
    details : tuple of str
        Every other rule that applies, every issue, and what was not judged.
    next : str
        What to run or to do.
    answer : str
        What to do with the rows, in at most twelve words.
    """

    code: str
    sentence: str
    details: tuple[str, ...]
    next: str
    answer: str


def reach(checks: Sequence[Check], table: str = "real.csv --target y") -> QualityVerdict:
    """Return the verdict.

    `table`: words of the command line that name the real table, for what is to be run next.
    """
    by_code = {check.code: check for check in checks}
    reached = [(code, sentence, advice) for code, rule, advice in _RULES if (sentence := rule(by_code))]
    issues = [check for check in checks if check.drawer == "issue"]
    details = [sentence for _, sentence, _ in reached[1:]]
    details += [f"{check.code} {check.explanation}" for check in issues]
    skipped = [check for check in checks if check.drawer == "skipped"]
    for reason in dict.fromkeys(check.explanation for check in skipped):
        codes = ", ".join(check.code for check in skipped if check.explanation == reason)
        details.append(f"Not judged ({codes}): {reason}")
    if reached:
        code, sentence, advice = reached[0]
        share = f"{by_code['MWQ04'].facts.get('copied', 0.0):.0%}"
        return QualityVerdict(code, sentence, tuple(details), advice, ANSWERS[code].format(share=share))
    passed = sum(check.drawer == "passed" for check in checks)
    if issues:
        worst = sorted(issues, key=lambda c: (("high", "medium", "low").index(c.severity), c.code))[0]
        sentence = f"One check finds a fault: {worst.fault} ({worst.code})."
        if len(issues) > 1:
            sentence = f"{len(issues)} checks find faults; the gravest: {worst.fault} ({worst.code})."
        return QualityVerdict(
            "faults",
            sentence,
            tuple(details),
            f"Try another --generator, or measure whether the rows help all the same: makeweight evaluate {table}",
            f"Use with care: {len(issues)} {'check finds a fault' if len(issues) == 1 else 'checks find faults'}.",
        )
    late = ", ".join(check.code for check in skipped if check.explanation == NO_TIME)
    if late:
        return QualityVerdict(
            "not-judged",
            f"Not judged for want of time: {late}. The checks that there was time for found no fault.",
            tuple(details),
            "Allow more time: a larger --max-seconds, or none.",
            "Not all judged: no fault before the time was up.",
        )
    blind = [check for check in checks if check.drawer in ("passed", "undecided") and check.blind]
    details += [f"{check.code} {check.blind}" for check in blind]
    unfamiliar = all(by_code[code].drawer in ("skipped", "muted") for code in ("MWQ06", "MWQ07"))
    unseen, lacking = _unseen(by_code)
    if unseen:
        sentence = f"Not judged: {unseen}." + (" Nor was whether rows were memorised." if unfamiliar else "")
        return QualityVerdict(
            "not-judged",
            sentence,
            tuple(details),
            " ".join([lacking, *_holdout(by_code["MWQ06"], table)]),
            "Not judged: faults could not have been seen.",
        )
    sentence = f"No fault found: {passed} checks passed{_neither(checks)}."
    if blind:
        sentence += " With so few rows, large faults would go unnoticed in places."
    if unfamiliar:
        sentence += " Whether rows were memorised was not judged."
    following = [*_holdout(by_code["MWQ06"], table), f"Measure whether the rows help: makeweight evaluate {table}"]
    answer = f"Use these rows: {passed} checks passed, no fault found."
    return QualityVerdict("no-fault", sentence, tuple(details), following[0], answer)


def _neither(checks: Sequence[Check]) -> str:
    """Return how many checks have neither passed nor found a fault, for the end of a sentence."""
    words = {
        "tip": ("has a remark", "have remarks"),
        "muted": ("is muted", "are muted"),
        "undecided": ("is undecided", "are undecided"),
    }
    counts = {drawer: sum(check.drawer == drawer for check in checks) for drawer in words}
    return "".join(f", {n} {words[drawer][n > 1]}" for drawer, n in counts.items() if n)


def _unseen(checks: Checks) -> tuple[str, str]:
    """Return why a fault of columns or rows could not have been seen, and what to give; "" where it could.

    A check that was not tested has seen nothing, nor has one that passed where chance alone exceeds the limit
    of an issue.
    """
    compared = [checks[code] for code in COMPARING]
    if any(check.p is not None and not check.blind for check in compared):
        return "", ""
    more = f"Give more rows: with {ENOUGH} real and {ENOUGH} synthetic ones of a group, large faults show."
    blind = [check.code for check in compared if check.blind]
    if blind:
        return (
            f"with so few rows, chance alone exceeds the limits of {', '.join(blind)}, and large faults of "
            "columns and rows would go unnoticed",
            more,
        )
    asked = [check for check in compared if check.drawer != "muted"]
    if not asked:
        return f"{', '.join(COMPARING)}, which compare columns and rows, are muted", "Mute fewer checks."
    reason = asked[0].explanation.rstrip(".")
    reason = reason[0].lower() + reason[1:]
    if asked[0].drawer == "not applicable":
        return reason, "Give tables that have more columns than the target and the attributes."
    return f"{reason}, so that neither columns nor rows could be compared", more


def _holdout(check: Check, table: str) -> list[str]:
    """Return what to do where memorising (MWQ06) was not judged."""
    if check.drawer != "skipped":
        return []
    if check.explanation != NO_HOLDOUT:
        return ["Give more held-out rows of each group."]
    return [f"Set real rows aside, generate from train, and name held with --holdout: makeweight split {table}"]


Checks = dict[str, "Check"]


def _is_issue(checks: Checks, *codes: str) -> bool:
    return any(checks[code].drawer == "issue" for code in codes)


def _repeats(checks: Checks) -> str:
    check = checks["MWQ05"]
    distinct, n = check.facts.get("distinct"), check.facts.get("rows")
    if check.drawer != "issue" or not n or distinct is None or distinct > FEW_DIFFERENT * n:
        return ""
    rows = "one row" if distinct == 1 else f"{distinct:,.0f} rows"
    return f"Do not use these rows: the generator writes {rows} over and over, {n:,.0f} times in all."


def _copies(checks: Checks) -> str:
    check = checks["MWQ04"]
    if check.drawer != "issue":
        return ""
    return (
        f"Do not use these rows: {check.facts['copied']:.1%} of them are exact copies of real rows "
        f"(real rows copy each other in {check.facts['reference']:.1%} of cases)."
    )


def _memorises(checks: Checks) -> str:
    if not _is_issue(checks, "MWQ06", "MWQ07"):
        return ""
    return (
        "Do not share these rows: they lie nearer to the rows that the generator learned from than fresh "
        "rows would, as rows do that were memorised, or slightly varied."
    )


def _ignores_label(checks: Checks) -> str:
    for code, share in (("MWQ17", MEANINGLESS), ("MWQ10", INDEPENDENT)):
        check = checks[code]
        if check.drawer == "issue" and check.facts.get("retained", 1.0) < share:
            return (
                "Do not use these rows: the generator ignores the label. What the columns tell about it is "
                f"{max(0.0, check.facts['retained']):.0%} of what they tell on real rows."
            )
    return ""


def _independent(checks: Checks) -> str:
    check = checks["MWQ09"]
    if check.drawer != "issue" or check.facts.get("retained", 1.0) >= INDEPENDENT:
        return ""
    right = " each by itself is right, but" if checks["MWQ08"].drawer == "passed" else ""
    return (
        f"Do not use these rows: the columns do not belong together;{right} "
        f"{max(0.0, check.facts['retained']):.0%} of the real associations between columns are left."
    )


#: In the order in which they are asked; docs/quality.md lists them.
_RULES: tuple[tuple[str, Callable[[Checks], str], str], ...] = (
    ("repeats", _repeats, "Use another generator; makeweight generators lists them."),
    ("copies", _copies, "makeweight balance ... --copies reject"),
    ("memorises", _memorises, "Use another generator, or train it for fewer steps, on more rows."),
    ("ignores-label", _ignores_label, "Generate each group by itself, as makeweight balance does."),
    ("independent-columns", _independent, "Use another generator; makeweight generators lists them."),
)
