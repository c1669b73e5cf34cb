"""From what a user asks for to candidate sizes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from makeweight.errors import OptionError, PlanError
from makeweight.plan import Groups
from makeweight.theory import NOTHING, Candidate, alpha_of_weight

#: Shares of what groups lack, multiples of the largest group, and weights of the augmentation term to try.
BALANCE = (0.0, 0.5, 1.0)
AUGMENT = (0.0, 1.0)
ALPHA = (0.25, 0.5)
#: With at most this many groups, each smaller one is also tried alone.
ALONE = 6
GIVES_ALL = "the sizes were given"
#: Shares of the bias that are tried with signed weights.
CORRECTIONS = (0.0, 0.5, 1.0)
NOTHING_TO_HOLD_OUT = "a group has one row, which cannot be held out: no size can be shown to help"


def size_candidates(
    n_synthetic: Any,
    augment: Any,
    alpha: Any,
    groups: Groups,
    *,
    takes_weights: bool,
    corrections: Sequence[float] = (0.0,),
) -> tuple[Candidate, ...]:
    """Return the sizes to try, with nothing as the first where it is one of them.

    `n_synthetic`: "auto", "balance", int or mapping of group to int; rows to balance. `augment`: "auto" or int; further
    rows for every group. `alpha`: "auto" or float. `groups`: of the whole table. `takes_weights`: whether the estimator
    takes sample weights; without them augmentation rows weigh one. `corrections`: shares of the generator's bias that
    are taken out by signed weights; each size is tried with each. Candidates name groups by number.

    >>> import pandas as pd
    >>> from makeweight import Schema
    >>> from makeweight.table import Table
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "y": ["a", "b", "a", "a"]})
    >>> groups = Groups(Table(frame, Schema.infer(frame, target="y")))
    >>> len(size_candidates("auto", "auto", "auto", groups, takes_weights=True))
    9
    >>> size_candidates(1, 0, "auto", groups, takes_weights=True)
    (Candidate(balance=0.0, augment=0.0, alpha=0.0, per_group={1: 0.5}, correction=0.0),)
    """
    largest = int(groups.counts.max())
    bases = _bases(n_synthetic, groups, largest)
    extras = _extras(augment, alpha, largest, takes_weights)
    sizes = [Candidate(base.balance, n, a, base.per_group) for base in bases for n, a in extras]
    if n_synthetic == "auto" and 2 < len(groups) <= ALONE:
        smaller = [code for code, count in enumerate(groups.counts.tolist()) if count < largest]
        sizes += [Candidate(0.0, n, a, {code: 1.0}) for code in smaller for n, a in extras[:1]]
    unique: list[Candidate] = []
    for candidate in (c for size in sizes for c in _corrected(size, corrections)):
        if candidate not in unique:
            unique.append(candidate)
    return tuple(unique)


def _corrected(size: Candidate, corrections: Sequence[float]) -> list[Candidate]:
    return [size] if size == NOTHING else [replace(size, correction=c) for c in corrections]


def honours(n_synthetic: object, augment: object) -> bool:
    """Return whether adding nothing is among what a user left open.

    >>> honours("auto", 0), honours("balance", "auto")
    (True, False)
    """
    return _is_open(n_synthetic) and _is_open(augment)


def _is_open(value: object) -> bool:
    return (isinstance(value, str) and value == "auto") or (_is_whole(value) and value == 0)


def _bases(n_synthetic: Any, groups: Groups, largest: int) -> list[Candidate]:
    """Return candidates without augmentation."""
    if isinstance(n_synthetic, str) and n_synthetic == "auto":
        return [Candidate(share) for share in BALANCE]
    if isinstance(n_synthetic, str) and n_synthetic == "balance":
        return [Candidate(1.0)]
    counts = groups.counts.tolist()
    if isinstance(n_synthetic, Mapping):
        wanted = {groups.resolve(name): n for name, n in n_synthetic.items()}
        rows: dict[int, Any] = {}
        for key, n in wanted.items():
            if key not in groups:
                raise PlanError("the group has no real row", where=groups.describe(key), got=f"{n} rows")
            rows[groups.position(key)] = n
    else:
        rows = {code: n_synthetic for code, count in enumerate(counts) if count < largest}
    shares: dict[Hashable, float] = {}
    for code, n in rows.items():
        if not _is_whole(n) or n < 0:
            raise OptionError(
                "n_synthetic is a number of rows",
                where=groups.describe(groups.keys[code]),
                got=repr(n),
                expected='"auto", "balance", a whole number from 0 on, or such numbers by group',
            )
        gap = largest - counts[code]
        if n and not gap:
            raise PlanError(
                "the largest group is what the others are brought up to",
                where=groups.describe(groups.keys[code]),
                got=f"{n} rows",
                hint="use augment for rows of every group",
            )
        if n:
            shares[code] = n / gap
    return [Candidate(per_group=shares)] if shares else [NOTHING]


def _extras(augment: Any, alpha: Any, largest: int, takes_weights: bool) -> list[tuple[float, float]]:
    """Return pairs of augmentation rows, as multiples of the largest group, and alpha."""
    automatic = isinstance(augment, str) and augment == "auto"
    if not automatic and (not _is_whole(augment) or augment < 0):
        raise OptionError(
            "augment is a number of rows", got=repr(augment), expected='"auto", or a whole number from 0 on'
        )
    fixed = not isinstance(alpha, str)
    if fixed and (not isinstance(alpha, Real) or isinstance(alpha, bool) or not 0 <= float(alpha) < 1):
        raise OptionError("alpha is a weight", got=repr(alpha), expected='"auto", or a number in [0, 1)')
    if not automatic and not augment and fixed and alpha:
        raise PlanError(
            "alpha weights augmentation rows, and none are asked for",
            got=f"alpha={alpha}, augment=0",
            hint='set augment to the number of further rows per group, or to "auto"',
        )
    if not automatic and augment and fixed and not alpha:
        raise PlanError(
            "alpha = 0 gives augmentation rows no weight",
            got=f"alpha=0, augment={augment}",
            hint="leave alpha at its default, or set augment=0",
        )
    multiples = AUGMENT if automatic else (augment / largest,)
    pairs = []
    for multiple in multiples:
        if not multiple:
            pairs.append((0.0, 0.0))
        elif fixed:
            pairs += [(multiple, float(alpha))] if alpha else []
        elif takes_weights:
            pairs += [(multiple, a) for a in ALPHA]
        else:  # rows of weight one
            pairs.append((multiple, alpha_of_weight(1.0, largest, round(multiple * largest))))
    return pairs


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
