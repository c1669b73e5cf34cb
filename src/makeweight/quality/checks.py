"""From what the checks found to drawers: the limits, and what chance alone would give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from makeweight.quality.catalogue import CATALOGUE, CheckInfo
from makeweight.quality.nulls import Item, QualityFinding
from makeweight.theory import holm

__all__ = ["Check"]

SHOWN_ITEMS = 3
T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    info: CheckInfo
    drawer: str  # one of `makeweight.quality.DRAWERS`
    explanation: str  # what was measured, in numbers; or why nothing was
    value: float | None = None  # the effect that decided, in the units of the limits
    interval: tuple[float, float] | None = None  # 95 % interval of the value
    chance: tuple[float, float] | None = None  # what 95 of 100 permutations give
    #: corrected for the statistics of this check; and for all checks of the report
    p: float | None = None
    p_holm: float | None = None
    items: tuple[Item, ...] = ()  # all statistics, the most telling first
    blind: str = ""  # what would have gone unnoticed, where that is more than the limit of an issue
    facts: Mapping[str, float] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Such as ``"MWQ04"``."""
        return self.info.code

    @property
    def severity(self) -> str:
        """How much an issue of this check matters: "high", "medium" or "low"."""
        return self.info.severity

    @property
    def fault(self) -> str:
        """The title, turned to what is wrong when the check finds a fault."""
        return self.info.fault

    def to_dict(self, *, most_items: int = 200) -> dict[str, object]:
        """Return the outcome as plain values for JSON."""
        info = self.info
        return {
            "code": info.code,
            "name": info.name,
            "title": info.title,
            "fault": info.fault,
            "drawer": self.drawer,
            "severity": info.severity,
            "measure": info.measure,
            "value": self.value,
            "interval": self.interval and list(self.interval),
            "null_interval": self.chance and list(self.chance),
            "threshold": info.issue,
            "tip_threshold": info.tip,
            "p": self.p,
            "p_holm": self.p_holm,
            "explanation": self.explanation,
            "blind": self.blind,
            "facts": dict(self.facts),
            "items": [item.to_dict() for item in self.items[:most_items]],
            "why": info.why,
            "anchor": info.anchor,
        }


def attempt(measure: Callable[[], T]) -> T | Exception:
    """Return the outcome of a check, or what it raised, which is an issue."""
    try:
        return measure()
    except Exception as error:  # noqa: BLE001 - a check that fails must show in the report, not end it
        return error


def judge_all(
    findings: Mapping[str, QualityFinding | Exception], muted: Iterable[str], level: float
) -> tuple[Check, ...]:
    """Return the outcomes of all checks in their drawers; each outcome in `findings` is by its code."""
    least = {
        code: min(item.p for item in finding.items if item.p is not None)
        for code, finding in findings.items()
        if isinstance(finding, QualityFinding) and any(item.p is not None for item in finding.items)
    }
    corrected = dict(zip(least, holm(list(least.values())), strict=True))
    checks = []
    for code, info in CATALOGUE.items():
        if code in muted:
            checks.append(Check(info, "muted", "Muted."))
            continue
        finding = findings[code]
        if isinstance(finding, Exception):
            text = f"could not be computed: {type(finding).__name__}: {finding}"
            checks.append(Check(info, "issue", text))
        elif any(not math.isfinite(item.value) for item in finding.items):
            checks.append(Check(info, "issue", "could not be computed: the result is not a number"))
        else:
            checks.append(_judge(info, finding, least.get(code), corrected.get(code), level))
    return tuple(_trusted(checks))


def _trusted(checks: list[Check]) -> list[Check]:
    """Return the checks, without conclusions from held-out rows that are none."""
    fresh = next(check for check in checks if check.info.name == "holdout-fresh")
    if fresh.drawer != "issue":
        return checks
    text = f"The held-out rows cannot stand for fresh rows, see {fresh.code}."
    leaning = {check.code for check in checks if check.info.needs_holdout and check.drawer != "muted"}
    return [Check(c.info, "skipped", text) if c.code in leaning else c for c in checks]


def _judge(info: CheckInfo, finding: QualityFinding, p: float | None, p_holm: float | None, level: float) -> Check:
    if not finding.items:
        return Check(info, finding.drawer or "passed", finding.summary, facts=finding.facts)
    factor = 1.0 if p is None or p_holm is None or p <= 0 else p_holm / p
    sure = [item for item in finding.items if item.p is None or item.p * factor <= level]
    if sure:
        deciding = max(sure, key=lambda item: item.value)
    else:
        deciding = min(finding.items, key=lambda item: (1.0 if item.p is None else item.p, -item.value))
    drawer = finding.drawer
    if drawer is None and sure:
        grave = finding.grave and info.tests
        drawer = "issue" if deciding.value > info.issue or grave else "tip" if deciding.value > info.tip else None
    drawer = drawer or ("undecided" if not sure and deciding.value > info.issue else "passed")
    telling = sorted(sure, key=lambda item: -item.value) if info.tests else []
    rest = sorted((i for i in finding.items if i not in telling), key=lambda item: (item.p or 0.0, -item.value))
    explanation = finding.summary
    if drawer in ("issue", "tip") and telling:
        large = [item for item in telling if item.value > info.tip]
        texts = [item.text for item in large[:SHOWN_ITEMS] if item.text not in finding.summary]
        more = len(large) - SHOWN_ITEMS
        if texts:
            explanation += " Beyond chance: " + "; ".join(texts) + (f"; and {more} more" if more > 0 else "") + "."
    if drawer == "undecided":
        explanation += (
            f" {deciding.value:.3g} is beyond the limit of {info.issue:g}, and no further than chance alone goes."
        )
    return Check(
        info,
        drawer,
        explanation,
        deciding.value,
        deciding.interval,
        deciding.chance,
        p,
        p_holm,
        (*telling, *rest),
        _blind(info, finding, drawer),
        finding.facts,
    )


def _blind(info: CheckInfo, finding: QualityFinding, drawer: str) -> str:
    """Return what a test that found nothing would not have noticed, where that is larger than an issue."""
    limits = [item for item in finding.items if item.chance is not None]
    if drawer not in ("passed", "undecided") or not info.tests or not limits:
        return ""
    worst = max(limits, key=lambda item: item.chance[1] if item.chance else 0.0)
    if worst.chance is None or worst.chance[1] <= info.issue:
        return ""
    where = " ".join(filter(None, [worst.column, f"in {worst.group}" if worst.group else ""]))
    return f"{where}: chance alone gives up to {worst.chance[1]:.2f}, an issue begins at {info.issue:g}."
