"""Ranks of values within a column, and scores that stand for categories.

Shapes: B tables, N rows of context, D columns, K categories, M values to look up.
"""

from __future__ import annotations

import math

from makeweight.generators.transformer.arrays import Array, of


def owned_ranks(columns: Array) -> tuple[Array, Array, Array, Array]:
    """Sort B D N values (NaN last, as +inf) and say which share of ranks each value owns."""
    xp = of(columns)
    absent = xp.isnan(columns)
    values = xp.sort(xp.where(absent, math.inf, columns))
    count = (~absent).sum(axis=-1, keepdims=True).clip(1)  # B D 1
    left, right = (xp.searchsorted(values, values, side) for side in ("left", "right"))
    middle, tied = xp.double(left + right) / 2, right - left > 1
    low, high = xp.where(tied, xp.double(left), middle), xp.where(tied, xp.double(right), middle)
    return values, low / count, high / count, count


def rank_of(context: tuple[Array, Array, Array, Array], wanted: Array) -> tuple[Array, Array, Array, Array]:
    """Ranks (low, middle, high) and number of equals of B D M values; NaN gives a rank of one half."""
    values, low, high, count = context
    xp = of(values)
    absent = xp.isnan(wanted)
    filled = xp.where(absent, 0.0, wanted)
    left, right = (xp.searchsorted(values, filled, side) for side in ("left", "right"))
    equal = right - left  # B D M
    last = count - 1
    at = xp.minimum(left, last)  # the equal value, or the next larger one
    before = (left - 1).clip(0)
    start, end = xp.take(values, before, -1), xp.take(values, at, -1)
    share = ((filled - start) / (end - start).clip(1e-30)).clip(0, 1)
    owned = xp.take(low, at, -1), xp.take(high, at, -1)
    between = xp.take(high, before, -1) * (1 - share) + owned[0] * share
    edge = 0.25 / xp.double(count)
    between = xp.where(left == 0, edge, between)
    between = xp.where(left > last, 1 - edge, between)
    low_at, high_at = (xp.where(absent, 0.5, xp.where(equal > 0, own, between)) for own in owned)
    return low_at, (low_at + high_at) / 2, high_at, xp.where(absent, 0, equal)


def sum_by_code(codes: Array, amount: Array, categories: int) -> Array:
    """Sum B N D amounts per category: B D K. Codes of -1 are left out."""
    index = codes.swapaxes(1, 2)  # B D N
    return of(codes).sum_at(index.clip(0), amount.swapaxes(1, 2) * (index >= 0), categories)


def scores_for_codes(values: Array, codes: Array, scores: Array, categorical: Array) -> Array:
    """Replace codes by their scores: B R D."""
    xp = of(values)
    score = xp.take(scores, codes.swapaxes(1, 2).clip(0), -1).swapaxes(1, 2)
    score = xp.where(codes >= 0, score, math.nan)
    return xp.where(categorical[:, None], score, values)


def category_scores(values: Array, codes: Array, categorical: Array, categories: int) -> Array:
    """Reciprocal averaging: categories are scored by the mean first principal component of their rows."""
    xp = of(values)
    batch, _, columns = values.shape
    scores = xp.zeros((batch, columns, categories), xp.single(values)) + xp.single(xp.arange(categories, values))
    if not bool(categorical.any()):
        return scores
    seen = sum_by_code(codes, xp.single(codes >= 0), categories)
    for _ in range(2):
        table = scores_for_codes(values, codes, scores, categorical).swapaxes(1, 2)
        z = xp.single(xp.ndtri(rank_of(owned_ranks(table), table)[1])).swapaxes(1, 2)  # B N D
        gram = z.swapaxes(1, 2) @ z
        axis = gram.sum(axis=-1, keepdims=True) + (z * z).sum(axis=1)[..., None]  # B D 1
        for _ in range(4):
            axis = gram @ axis
            axis = axis / xp.sqrt((axis * axis).sum(axis=1, keepdims=True)).clip(1e-12)
        component = xp.zeros(z.shape, z) + z @ axis
        scores = sum_by_code(codes, component, categories) / (seen + 1)
    return scores
