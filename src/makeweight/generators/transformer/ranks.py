"""Ranks of values within a column, and scores that stand for categories.

Shapes: B tables, N rows of context, D columns, K categories, M values to look up.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["category_scores", "owned_ranks", "rank_of", "scores_for_codes", "sum_by_code"]


def _left_right(values: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    wanted = wanted.contiguous()
    return (
        torch.searchsorted(values.contiguous(), wanted, side="left"),
        torch.searchsorted(values.contiguous(), wanted, side="right"),
    )


def owned_ranks(columns: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sort B D N values (NaN last, as +inf) and say which share of ranks each value owns."""
    values = columns.nan_to_num(nan=torch.inf).sort(-1).values
    count = columns.isnan().logical_not().sum(-1, keepdim=True).clamp_min(1)  # B D 1
    left, right = _left_right(values, values)
    middle, tied = (left + right) / 2, right - left > 1
    low, high = torch.where(tied, left, middle), torch.where(tied, right, middle)
    return values, low / count, high / count, count


def rank_of(context: tuple[Tensor, Tensor, Tensor, Tensor], wanted: Tensor) -> tuple[Tensor, ...]:
    """Ranks (low, middle, high) and number of equals of B D M values; NaN gives a rank of one half."""
    values, low, high, count = context
    absent = wanted.isnan()
    filled = wanted.nan_to_num(nan=0.0)
    left, right = _left_right(values, filled)
    equal = right - left  # B D M
    last = (count - 1).expand_as(left)
    at = left.clamp_max(last)  # the equal value, or the next larger one
    before = (left - 1).clamp_min(0)
    start, end = values.gather(-1, before), values.gather(-1, at)
    share = ((filled - start) / (end - start).clamp_min(1e-30)).clamp(0, 1)
    between = high.gather(-1, before) * (1 - share) + low.gather(-1, at) * share
    edge = 0.25 / count
    between = torch.where(left == 0, edge.expand_as(between), between)
    between = torch.where(left > last, (1 - edge).expand_as(between), between)
    low_at = torch.where(equal > 0, low.gather(-1, at), between)
    high_at = torch.where(equal > 0, high.gather(-1, at), between)
    half = torch.full_like(between, 0.5)
    low_at, high_at = torch.where(absent, half, low_at), torch.where(absent, half, high_at)
    return low_at, (low_at + high_at) / 2, high_at, torch.where(absent, 0, equal)


def sum_by_code(codes: Tensor, amount: Tensor, categories: int) -> Tensor:
    """Sum B N D amounts per category: B D K. Codes of -1 are left out."""
    index = codes.transpose(1, 2)  # B D N
    out = amount.new_zeros(*index.shape[:2], categories)
    return out.scatter_add(-1, index.clamp_min(0), amount.transpose(1, 2) * (index >= 0))


def scores_for_codes(values: Tensor, codes: Tensor, scores: Tensor, categorical: Tensor) -> Tensor:
    """Replace codes by their scores: B R D."""
    index = codes.transpose(1, 2).clamp_min(0)
    score = scores.gather(-1, index).transpose(1, 2)
    score = torch.where(codes >= 0, score, torch.nan)
    return torch.where(categorical[:, None], score, values)


def category_scores(values: Tensor, codes: Tensor, categorical: Tensor, categories: int) -> Tensor:
    """Reciprocal averaging: categories are scored by the mean first principal component of their rows."""
    batch, _, columns = values.shape
    start = torch.arange(categories, device=values.device, dtype=torch.float32)
    scores = start.expand(batch, columns, categories)
    seen = sum_by_code(codes, torch.ones(values.shape, device=values.device), categories)
    if not bool(categorical.any()):
        return scores
    for _ in range(2):
        table = scores_for_codes(values, codes, scores, categorical)
        ranks = rank_of(owned_ranks(table.transpose(1, 2)), table.transpose(1, 2))[1].transpose(1, 2)
        z = torch.special.ndtri(ranks).float()  # B N D
        gram = z.transpose(1, 2) @ z
        axis = gram.sum(-1, keepdim=True) + gram.diagonal(dim1=1, dim2=2)[..., None]  # B D 1
        for _ in range(4):
            axis = gram @ axis
            axis = axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-12)
        component = (z @ axis).expand_as(z)
        scores = sum_by_code(codes, component, categories) / (seen + 1)
    return scores
