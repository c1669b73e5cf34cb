"""Exact copies of real rows, and rows that repeat each other, against what the real table does by itself."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from makeweight.quality.nulls import PERMUTATIONS, Item, QualityFinding, items_of
from makeweight.quality.rows import FEWEST, ComparedRows, EncodedRows, GroupRows, row_ids


def exact_copies(rows: ComparedRows) -> QualityFinding:
    """MWQ04: synthetic rows that equal a real row of their group."""
    if not rows.columns:
        return QualityFinding((), "There is no column in which rows could be equal.", "not applicable")
    if not any(len(g.real) and len(g.synthetic) for g in rows.groups):
        return QualityFinding((), "No group has rows in both tables.", "skipped")
    items, copied, reference = excess_copies(
        rows, rows.real, rows.synthetic, [(g, g.real, g.synthetic) for g in rows.groups], "copies"
    )
    text = f"{copied:.1%} of the synthetic rows equal a real row of their group; of the real rows, "
    text += f"{reference:.1%} equal another one."
    if not items:
        return QualityFinding((), f"{text} No group has {FEWEST} or more rows in both tables.", "skipped")
    return QualityFinding(items, text, facts={"copied": copied, "reference": reference})


def excess_copies(
    rows: ComparedRows,
    real: EncodedRows,
    other: EncodedRows,
    groups: list[tuple[GroupRows, np.ndarray, np.ndarray]],
    purpose: str,
) -> tuple[tuple[Item, ...], float, float]:
    """Compare how often rows of another table equal a real row with how often real rows equal each other.

    `purpose`: names the stream. Returns `items`: excess by group. `share`, `reference`: of all rows of `other` that
    equal a real row, and of real rows (weighted alike) that equal another.

    A fresh row equals one of n real rows as often as a real row equals one of n - 1 others. Exact under
    exchangeability: tables are permuted within a group, and only values that occur twice can matter.
    """
    ids_real, ids_other = row_ids(real, other)
    statistics, owners, shares, references, sizes = [], [], [], [], []
    for group, mine, theirs in groups:
        if not len(mine) or not len(theirs):
            continue
        ids = np.unique(np.concatenate([ids_real[mine], ids_other[theirs]]), return_inverse=True)[1].ravel()
        draws = _copy_draws(ids, len(theirs), rows.rng(purpose, group.name))
        copied, duplicates = draws[0]
        shares.append(copied)
        references.append(duplicates)
        sizes.append(len(theirs))
        if min(len(mine), len(theirs)) >= FEWEST:
            statistics.append([c - d for c, d in draws])
            owners.append((group.name, copied, duplicates, len(theirs)))
    weights = np.array(sizes) / max(1, sum(sizes))
    share, reference = float(weights @ shares), float(weights @ references)
    if not statistics:
        return (), share, reference

    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        name, copied, duplicates, n = owners[i]
        return f"{name}: {copied:.1%} of {n:,} rows are copies, of real rows {duplicates:.1%}"

    items = items_of(np.array(statistics), [(owner[0], None) for owner in owners], describe)
    return items, share, reference


def repeats(rows: ComparedRows) -> QualityFinding:
    """MWQ05: synthetic rows that equal another synthetic row of their group."""
    if refusal := rows.refusal(columns="compare rows by"):
        return refusal
    ids_real, ids_synthetic = row_ids(rows.real, rows.synthetic)
    statistics, owners = [], []
    distinct = rows_in = 0
    for group in rows.compared:
        both = np.concatenate([ids_real[group.real], ids_synthetic[group.synthetic]])
        ids = np.unique(both, return_inverse=True)[1].ravel()
        n_real, n = len(group.real), len(group.synthetic)
        shares = [
            (_repeated(marked, n, min(n, n_real)), _repeated(real, n_real, min(n, n_real)))
            for real, marked in _draws(ids, n, rows.rng("repeats", group.name))
        ]
        statistics.append([synthetic - real for synthetic, real in shares])
        different = len(np.unique(ids[-n:]))
        owners.append((group.name, *shares[0], min(n, n_real), different, n))
        distinct, rows_in = distinct + different, rows_in + n

    def describe(i: int, value: float, chance: tuple[float, float]) -> str:
        name, synthetic, real, size, different, n = owners[i]
        text = f"{name}: {different:,} of {n:,} rows are different; of {size:,} rows, {synthetic:.1%} repeat another"
        return f"{text}, of as many real ones {real:.1%}"

    items = items_of(np.array(statistics), [(owner[0], None) for owner in owners], describe)
    return QualityFinding(
        items,
        f"{distinct:,} of {rows_in:,} synthetic rows are different from each other.",
        facts={"distinct": distinct, "rows": rows_in},
    )


def _draws(ids: np.ndarray, n_marked: int, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, observed first, the counts of unmarked and marked rows by id, of ids that occur twice."""
    matters = np.flatnonzero(np.bincount(ids)[ids] > 1)
    inner = np.unique(ids[matters], return_inverse=True)[1].ravel()
    width = int(inner.max(initial=-1)) + 1
    totals = np.bincount(inner, minlength=width)
    observed = np.bincount(inner[matters >= len(ids) - n_marked], minlength=width)
    draws = [observed]
    for _ in range(PERMUTATIONS):
        n_here = rng.hypergeometric(len(matters), len(ids) - len(matters), n_marked) if len(matters) else 0
        chosen = rng.permutation(len(matters))[:n_here]
        draws.append(np.bincount(inner[chosen], minlength=width))
    return [(totals - marked, marked) for marked in draws]


def _copy_draws(ids: np.ndarray, n_marked: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the share of marked rows that equal a real one, and of real ones that equal another real one."""
    n_real = len(ids) - n_marked
    return [
        (float(marked[real > 0].sum()) / n_marked, float(real[real > 1].sum()) / n_real)
        for real, marked in _draws(ids, n_marked, rng)
    ]


def _repeated(counts: np.ndarray, n: int, size: int) -> float:
    """Return the share of rows that repeat another one, as expected of `size` of `n` rows."""
    b = counts[counts > 1].astype(float)
    if not len(b) or size < 2:
        return 0.0
    room = n - b - size + 1  # C(n - b, size - 1) / C(n - 1, size - 1), by logarithms
    alone = np.where(
        room >= 0,
        np.exp(gammaln(n - b + 1) - gammaln(np.maximum(room, 0) + 1) - gammaln(n) + gammaln(n - size + 1)),
        0.0,
    )
    return float((b / n) @ (1.0 - alone))
