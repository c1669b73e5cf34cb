"""What the ledger says: rows short, rows rejected, and whether the groups are balanced afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from makeweight.errors import OptionError
from makeweight.quality.nulls import Item, QualityFinding
from makeweight.quality.rows import ComparedRows

NO_LEDGER = "No ledger was given: makeweight balance ... --json > L.json writes one, --ledger L.json reads it."
#: Rows that were rejected only because enough had been accepted.
SURPLUS = "surplus"
_ENTRY = {"group", "stopped", "shortfall"}
COUNTS = ("requested", "accepted", "shortfall", "proposed")


@dataclass(frozen=True)
class LedgerCounts:
    """What was asked for and what came of it."""

    requested: int
    accepted: int
    shortfall: int
    proposed: int
    rejected: Mapping[str, int]
    stopped: tuple[str, ...]  # the groups that are short, each with the reason
    record: Mapping[str, object]  # the ledger as it was given, for the page


def read_ledger(source: object) -> LedgerCounts | None:
    """Return the ledger of a generation, of its dict, or of what `makeweight balance --json` printed.

    Raises OptionError when it is none of these, or its numbers do not add up.

    >>> entry = {"requested": 5, "accepted": 4, "shortfall": 1, "proposed": 6, "rejected": {"copy": 2}}
    >>> read_ledger({"ledger": entry}).shortfall
    1
    """
    if source is None:
        return None
    record = getattr(source, "ledger", source)
    record = record.to_dict() if hasattr(record, "to_dict") else record
    if isinstance(record, Mapping) and isinstance(record.get("ledger"), Mapping):
        record = record["ledger"]
    hint = "give what `makeweight balance ... --json` printed"
    if not isinstance(record, Mapping) or not all(isinstance(record.get(name), int) for name in COUNTS):
        raise OptionError("not a ledger", got=type(source).__name__, expected=", ".join(COUNTS), hint=hint)
    reasons = record.get("rejected")
    if not isinstance(reasons, Mapping) or not all(isinstance(n, int) for n in reasons.values()):
        raise OptionError("not a ledger", got="no counts of rejected rows by reason", hint=hint)
    requested, accepted, short, proposed = (record[name] for name in COUNTS)
    if requested != accepted + short or proposed != accepted + sum(reasons.values()):
        raise OptionError(
            "the ledger does not add up",
            got={name: record[name] for name in COUNTS},
            expected="requested = accepted + shortfall, and proposed = accepted + rejected",
            hint=hint,
        )
    entries = record.get("entries", [])
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) and e.keys() >= _ENTRY for e in entries):
        raise OptionError("not a ledger", got="entries of another kind", expected="one object per group", hint=hint)
    stopped = sorted({f"{e['group']}: {e['stopped']}" for e in entries if e["shortfall"]})
    return LedgerCounts(requested, accepted, short, proposed, dict(reasons), tuple(stopped), dict(record))


def shortfall(ledger: LedgerCounts | None) -> QualityFinding:
    """MWQ01."""
    if ledger is None:
        return QualityFinding((), NO_LEDGER, "skipped")
    if not ledger.requested:
        return QualityFinding((), "The ledger asks for no row.", "not applicable")
    text = f"{ledger.shortfall:,} of {ledger.requested:,} requested rows were not written"
    stopped = f" ({'; '.join(ledger.stopped[:3])})." if ledger.stopped else "."
    return QualityFinding((Item(ledger.shortfall / ledger.requested, text=text),), text + stopped)


def rejected(ledger: LedgerCounts | None) -> QualityFinding:
    """MWQ02."""
    if ledger is None:
        return QualityFinding((), NO_LEDGER, "skipped")
    reasons = {reason: n for reason, n in ledger.rejected.items() if reason != SURPLUS}
    n = sum(reasons.values())
    n_judged = ledger.accepted + n
    if not n_judged:
        return QualityFinding((), "The ledger has no proposed row.", "not applicable")
    most = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:3])
    text = f"{n:,} of {n_judged:,} proposed rows were rejected" + (f": {most}" if most else "")
    return QualityFinding((Item(n / n_judged, text=text),), text + ".")


def balance(rows: ComparedRows) -> QualityFinding:
    """MWQ18."""
    real = {g.name: len(g.real) for g in rows.groups if len(g.real)}
    if not real:
        return QualityFinding((), "The real table has no group.", "not applicable")
    after = {g.name: len(g.real) + len(g.synthetic) for g in rows.groups}
    before_ratio, ratio = (min(n.values()) / max(n.values()) for n in (real, after))
    smallest = min(after, key=lambda name: (after[name], name))
    largest = max(after, key=lambda name: (after[name], name))
    text = (
        f"the smallest group ({smallest}) has {after[smallest]:,} rows afterwards, the largest ({largest}) "
        f"{after[largest]:,}: {ratio:.2f}, before {before_ratio:.2f}"
    )
    return QualityFinding(
        (Item(ratio, text=text),), text[0].upper() + text[1:] + ".", "passed" if ratio >= 0.95 else "tip"
    )
