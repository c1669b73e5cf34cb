"""What the ledger says: rows short, rows rejected, and whether the groups are balanced afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from makeweight.errors import OptionError
from makeweight.quality.nulls import Finding, Item
from makeweight.quality.rows import Comparison

__all__ = ["balance", "read_ledger", "rejected", "shortfall"]

NO_LEDGER = "No ledger was given: makeweight balance ... --json > L.json writes one, --ledger L.json reads it."
#: Rows that were rejected only because enough had been accepted.
SURPLUS = "surplus"
COUNTS = ("requested", "accepted", "shortfall", "proposed")


def read_ledger(source: Any) -> dict[str, Any] | None:
    """Return the ledger of a generation, of its dict, or of what `makeweight balance --json` printed.

    Raises
    ------
    OptionError
        When it is none of these, or its numbers do not add up.

    Examples
    --------
    >>> entry = {"requested": 5, "accepted": 4, "shortfall": 1, "proposed": 6, "rejected": {"copy": 2}}
    >>> read_ledger({"ledger": entry})["shortfall"]
    1
    """
    if source is None:
        return None
    found = getattr(source, "ledger", source)
    if hasattr(found, "to_dict"):
        found = found.to_dict()
    if isinstance(found, Mapping) and isinstance(found.get("ledger"), Mapping):
        found = found["ledger"]
    hint = "give what `makeweight balance ... --json` printed"
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), int) for name in COUNTS):
        raise OptionError("not a ledger", got=type(source).__name__, expected=", ".join(COUNTS), hint=hint)
    reasons = found.get("rejected")
    if not isinstance(reasons, Mapping):
        raise OptionError("not a ledger", got="no counts of rejected rows by reason", hint=hint)
    if found["requested"] != found["accepted"] + found["shortfall"] or found["proposed"] != found["accepted"] + sum(
        reasons.values()
    ):
        raise OptionError(
            "the ledger does not add up",
            got={name: found[name] for name in COUNTS},
            expected="requested = accepted + shortfall, and proposed = accepted + rejected",
            hint=hint,
        )
    return dict(found)


def shortfall(ledger: dict[str, Any] | None) -> Finding:
    """MWQ01."""
    if ledger is None:
        return Finding((), NO_LEDGER, "skipped")
    if not ledger["requested"]:
        return Finding((), "The ledger asks for no row.", "not applicable")
    share = ledger["shortfall"] / ledger["requested"]
    text = f"{ledger['shortfall']:,} of {ledger['requested']:,} requested rows were not written"
    stopped = sorted({f"{e['group']}: {e['stopped']}" for e in ledger.get("entries", []) if e.get("shortfall")})
    return Finding((Item(share, text=text),), text + (f" ({'; '.join(stopped[:3])})." if stopped else "."))


def rejected(ledger: dict[str, Any] | None) -> Finding:
    """MWQ02."""
    if ledger is None:
        return Finding((), NO_LEDGER, "skipped")
    reasons = {reason: n for reason, n in ledger["rejected"].items() if reason != SURPLUS}
    n_judged = ledger["accepted"] + sum(reasons.values())
    if not n_judged:
        return Finding((), "The ledger has no proposed row.", "not applicable")
    n = sum(reasons.values())
    most = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items(), key=lambda r: -r[1])[:3])
    text = f"{n:,} of {n_judged:,} proposed rows were rejected" + (f": {most}" if most else "")
    return Finding((Item(n / n_judged, text=text),), text + ".")


def balance(rows: Comparison) -> Finding:
    """MWQ18."""
    real = {g.name: len(g.real) for g in rows.groups if len(g.real)}
    if not real:
        return Finding((), "The real table has no group.", "not applicable")
    after = {g.name: len(g.real) + len(g.synthetic) for g in rows.groups}
    before_ratio, ratio = (min(n.values()) / max(n.values()) for n in (real, after))
    smallest = min(after, key=lambda name: (after[name], name))
    largest = max(after, key=lambda name: (after[name], name))
    text = (
        f"the smallest group ({smallest}) has {after[smallest]:,} rows afterwards, the largest ({largest}) "
        f"{after[largest]:,}: {ratio:.2f}, before {before_ratio:.2f}"
    )
    return Finding((Item(ratio, text=text),), text[0].upper() + text[1:] + ".", "passed" if ratio >= 0.95 else "tip")
