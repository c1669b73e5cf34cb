"""Values that the real table cannot have, and identifiers that it already has."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
from scipy.special import gammaln

from makeweight.quality.catalogue import CATALOGUE
from makeweight.quality.nulls import Item, QualityFinding
from makeweight.quality.rows import KNOWN, ComparedRows

WORDS = {
    "far-out-of-range": "far beyond the real range",
    "third-state": "neither of the two real states",
    "unknown-category": "not a category of the real table",
    "missing-not-seen": "missing where no real value is",
    "out-of-range": "beyond the real range",
    "too-many-decimals": "more decimals than any real value",
    "not-a-whole-number": "not whole numbers",
    "not-a-number": "not numbers",
    "not-a-date": "not dates",
    "another-style": "not written as the real values are",
    "finer-than-column": "finer than any real value",
}
#: What no fresh row has; and what several fresh rows, more than 1 in 100, hardly have where no real row has it.
NEVER = ("not-a-number", "not-a-date", "third-state")
HARDLY = (
    "another-style",
    "missing-not-seen",
    "too-many-decimals",
    "not-a-whole-number",
    "finer-than-column",
    "far-out-of-range",
)
SEVERAL, ENOUGH_REAL = 3, 50
#: Values with a p-value up to this are named with their rows; so many rows at most.
NAMED, NAMED_ROWS = 0.05, 5


def impossible(rows: ComparedRows) -> QualityFinding:
    """MWQ12: values that no real row has, where fresh rows would bring fewer of them.

    Derived. Say k synthetic rows have something (a place beyond the largest real value, a new category) that no
    real row has. Were all rows exchangeable within groups, the k rows with most of it would all be synthetic with
    probability prod_g C(n_g - k_g, real_g) / C(n_g, real_g) at most. For a range, which has two ends, this is
    multiplied by k + 1; then by the number of things that were looked for (Bonferroni). What fresh rows cannot
    bring, whatever their number, is not a matter of chance and not tested.
    """
    n = len(rows.synthetic)
    events = _events(rows)
    if not events:
        return QualityFinding((), "Every value is one that the real table could have.", facts={"rows": 0.0})
    looked_for = sum(5 + len(rows.levels[c.name]) for c in rows.columns) + len(rows.schema.group_columns)
    any_row = np.zeros(n, dtype=bool)
    items = []
    for (reason, name, text), mask in sorted(events.items(), key=lambda e: (-int(e[1].sum()), str(e[0]))):
        k = int(mask.sum())
        any_row |= mask
        p = None
        if not _is_certain(reason, k, n, len(rows.real)):
            p = min(1.0, _all_synthetic(rows, mask) * ((k + 1) if reason == "out-of-range" else 1) * looked_for)
        what = f"{name}: {k:,} of {n:,} values {WORDS.get(reason, reason)}" + (f" ({text})" if text else "")
        if p is None or p <= NAMED:
            what += _places(rows, reason, name, mask, with_example=not text)
        items.append(Item(k / n, p, None, None, str(name), what))
    items.sort(key=lambda item: item.p is not None)
    first = "; ".join(item.text for item in items[:3])
    return QualityFinding(
        tuple(items),
        f"{int(any_row.sum()):,} of {n:,} rows have a value that no real row has: {first}.",
        facts={"rows": float(any_row.sum())},
    )


def _is_certain(reason: str, k: int, n: int, n_real: int) -> bool:
    """Return whether fresh rows cannot have such values, or hardly k of n."""
    several = k >= SEVERAL and k > CATALOGUE["MWQ12"].issue * n
    return reason in NEVER or (reason in HARDLY and several and n_real >= ENOUGH_REAL)


def _places(rows: ComparedRows, reason: str, name: Hashable, mask: np.ndarray, *, with_example: bool) -> str:
    """Return where values are, and one of them, as a text."""
    numbers = np.sort(rows.synthetic.rows[mask])
    more = f" and {len(numbers) - NAMED_ROWS:,} more" if len(numbers) > NAMED_ROWS else ""
    example = rows.synthetic.examples.get((reason, name), "")
    such = f", such as {example[:40]!r}" if with_example and reason != "missing-not-seen" else ""
    return f"{such}, in row{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers[:NAMED_ROWS]))}{more}"


def _events(rows: ComparedRows) -> dict[tuple[str, Hashable, str], np.ndarray]:
    """Return the synthetic rows with each thing that no real row has; new categories one by one."""
    events: dict[tuple[str, Hashable, str], np.ndarray] = {}
    for (reason, name), mask in rows.synthetic.strange.items():
        if reason == KNOWN:
            continue
        if reason != "unknown-category" or name not in rows.synthetic.values:
            events[reason, name, ""] = mask
            continue
        values = rows.synthetic.values[name]
        for other in NEVER:  # not counted twice
            mask = mask & ~rows.synthetic.strange.get((other, name), np.zeros(len(mask), dtype=bool))
        codes, counts = np.unique(values[mask], return_counts=True)
        for code in codes[np.argsort(-counts, kind="stable")[:50]]:
            events[reason, name, repr(rows.levels[name][int(code)])] = mask & (values == code)
    return events


def _all_synthetic(rows: ComparedRows, mask: np.ndarray) -> float:
    """Return the chance that rows with the mask's group counts would all be synthetic."""
    chance = 0.0
    for group in rows.groups:
        k = int(mask[group.synthetic].sum())
        chance += _log_share(len(group.real) + len(group.synthetic), len(group.real), k)
    outside = int((mask & (rows.synthetic.group < 0)).sum())
    if outside:  # in no group of the real table: exchangeable with any row at best
        chance += _log_share(len(rows.real) + len(rows.synthetic), len(rows.real), outside)
    return math.exp(min(0.0, chance))


def _log_share(n: int, real: int, k: int) -> float:
    """Return log C(n - k, real) / C(n, real): that k of n rows are none of the real ones."""
    return float(gammaln(n - k + 1) - gammaln(n - k - real + 1) - gammaln(n + 1) + gammaln(n - real + 1))


def identifiers(rows: ComparedRows) -> QualityFinding:
    """MWQ19: synthetic rows that carry the identifier of a real row."""
    shares = {name: float(mask.mean()) for (r, name), mask in rows.synthetic.strange.items() if r == KNOWN}
    if not shares:
        return QualityFinding((), "There is no identifier column.", "not applicable")
    items = tuple(
        Item(share, None, None, None, str(name), f"{name}: {share:.1%} of the values belong to a real row")
        for name, share in sorted(shares.items(), key=lambda pair: str(pair[0]))
    )
    return QualityFinding(items, "; ".join(item.text for item in items) + ".")
