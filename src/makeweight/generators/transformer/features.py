"""What closed form knows about a context: normal scores, ties, categories' scores, the Gaussian chain.

Every column becomes a *normal score*: a value's mid-rank among the context's rows, through the inverse
normal distribution function. A value that occurs more than once (a zero, a rounded number) owns an interval
of ranks, so that one continuous density describes continuous, rounded, zero-inflated and integer columns.
Categories get scores by reciprocal averaging (the mean, per category, of the rows' first principal
component), used as features only: a category's probability comes from pointing at context rows.

The *chain* predicts each column's score from the group and the columns before it, by a Gaussian with group
means and one shrunk covariance for all groups; kernel regression
(:mod:`makeweight.generators.transformer.kernel`) bends it. All of it is batched, runs on any device, and is
the same at training and at generation.

Shapes: B tables, R rows (N of context), D columns, G groups, K categories.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from makeweight.generators.transformer.kernel import (
    Experts,
    Kernel,
    Normal,
    Similarity,
    fit_kernel,
    kernel_step,
    own_step,
)
from makeweight.generators.transformer.ranks import category_scores, owned_ranks, rank_of, scores_for_codes, sum_by_code

__all__ = [
    "Cells",
    "Context",
    "chain_step",
    "doubt",
    "encode_cells",
    "experts",
    "fit_context",
    "from_score",
    "pointer_base",
]

FLOOR = 1e-3  # smallest variance of a score given the columns before it; a third of a bin, squared
DOUBT = 5.0  # pseudo-rows that speak for a column on its own, against the chain
FEWEST, MOST = 0.5, 5.0  # limits of the pseudo-rows that pull a group's mean to the mean of all


@dataclass(frozen=True)
class Context:
    """All that is remembered of a batch of context tables, before any network."""

    values: Tensor  # B D N  sorted values (categories: scores), +inf where missing
    low: Tensor  # B D N  first and last rank, in [0, 1], owned by that value;
    high: Tensor  # B D N  both the mid-rank where it occurs once
    rows: Tensor  # B N D  scores in the order of the rows, 0 where missing
    codes: Tensor  # B N D  category codes in the order of the rows, -1 where missing or numeric
    scores: Tensor  # B D K  value that stands for a category among the sorted values
    seen: Tensor  # B D K  rows with that category
    groups: Tensor  # B N  label code of every row
    sizes: Tensor  # B G  rows with that label
    means: Tensor  # B G D  group means of the scores, shrunk
    factor: Tensor  # B D D  Cholesky factor of the shrunk covariance within groups
    spread: Tensor  # B D  standard deviation of the scores within groups
    missing: Tensor  # B G D  smoothed share of missing cells, exactly 0 where the column has none
    categorical: Tensor  # B D
    given: Tensor  # B D  the label and the grouping attributes
    column_vectors: Tensor  # B D I  random identity of a column
    code_vectors: Tensor  # B D K I  random identity of a category
    summary: Tensor  # B D 8  what kind of column it is
    kernel: Kernel  # what kernel regression adds to the chain

    def to(self, device: torch.device | str) -> Context:
        """Move every tensor to a device."""
        return replace(self, **{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class Cells:
    """Rows seen through a context: what the network reads and what it is scored on."""

    score: Tensor  # B R D  normal score, 0 where missing
    low: Tensor  # B R D  interval of scores owned by the value;
    high: Tensor  # B R D  both equal to the score where it is no tie
    code: Tensor  # B R D  category, -1 where numeric, missing or unknown
    missing: Tensor  # B R D
    known: Tensor  # B R D  False for a category (or a missing value) that the context lacks
    mass: Tensor  # B R D  log share of the context with this very value, or of one row


def doubt(rows: int) -> tuple[float, float]:
    """Log-weights of the chain and of the column on its own, for a context of so many rows.

    Examples
    --------
    >>> [round(math.exp(w), 2) for w in doubt(95)]
    [0.95, 0.05]
    """
    return math.log(rows / (rows + DOUBT)), math.log(DOUBT / (rows + DOUBT))


def _group_statistics(
    score: Tensor, missing: Tensor, groups: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Sizes B G, shrunk means B G D, Cholesky factor B D D, spread B D and missing shares B G D."""
    rows, columns = score.shape[1:]
    member = torch.nn.functional.one_hot(groups, count).to(score.dtype).transpose(1, 2)  # B G N
    sizes = member.sum(-1)  # B G
    observed = member @ (~missing).to(score.dtype)  # B G D  rows with a value
    sums = member @ score  # missing scores are 0
    overall = sums.sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp_min(1)  # B 1 D
    raw = sums / observed.clamp_min(1)
    total, squares = observed.sum(1, keepdim=True).clamp_min(1), (observed**2).sum(1, keepdim=True)
    within = ((score**2).sum(1, keepdim=True) - (observed * raw**2).sum(1, keepdim=True)).clamp_min(0)
    present = (observed > 0).sum(1, keepdim=True)
    within = within / (total - present).clamp_min(1) + FLOOR
    between = (observed * (raw - overall) ** 2).sum(1, keepdim=True) - (present - 1) * within
    between = (between / (total - squares / total).clamp_min(1)).clamp_min(1e-4)
    pull = (within / between).clamp(FEWEST, MOST)  # pseudo-rows
    means = (sums + pull * overall) / (observed + pull)
    means[..., 0] = raw[..., 0]  # the label itself is known
    rest = torch.where(missing, 0, score - member.transpose(1, 2) @ means)  # B N D
    free = (rows - (sizes > 0).sum(-1)).clamp_min(1)[:, None, None]  # every group's mean costs a row
    covariance = rest.transpose(1, 2) @ rest / free
    variance = covariance.diagonal(dim1=1, dim2=2) + FLOOR
    shrink = (columns + 2) / (rows + columns + 2)
    diagonal = torch.diag_embed(shrink * variance + FLOOR)
    factor = torch.linalg.cholesky((1 - shrink) * covariance + diagonal)
    absent = member @ missing.to(score.dtype)
    rate = missing.to(score.dtype).mean(1, keepdim=True)
    share = torch.where(rate > 0, (absent + 10 * rate) / (sizes[..., None] + 10), 0)
    return sizes, means, factor, variance.sqrt(), share


def _summary(context: Context) -> Tensor:
    """Eight numbers a column: its kind, how often it is missing, how many values it has, how many rows."""
    values = context.values
    rows = values.shape[-1]
    observed = values.isfinite()
    new = torch.ones_like(observed)
    new[..., 1:] = values[..., 1:] != values[..., :-1]
    distinct = (new & observed).sum(-1).clamp_min(1)
    label = torch.zeros_like(context.given)
    label[:, 0] = True
    groups = (context.sizes > 0).sum(-1, keepdim=True).expand_as(distinct)
    size = torch.full_like(distinct, rows)
    parts = [
        context.categorical,
        label,
        context.given & ~label,
        1 - observed.float().mean(-1),
        distinct.log() / max(1.0, torch.tensor(float(rows)).log().item()),
        torch.where(observed, context.high - context.low, 0).amax(-1),
        size.log() / 7,
        groups.log() / 4,
    ]
    return torch.stack([part.float() for part in parts], -1)


@torch.no_grad()
def fit_context(
    values: Tensor, categorical: Tensor, given: Tensor, identity: int, generator: torch.Generator
) -> Context:
    """Learn the marginal maps and the chain from context rows alone.

    Parameters
    ----------
    values : Tensor, shape (B, N, D)
        Numbers, codes 0 … K−1 in categorical columns, NaN where missing. Column 0 is the label.
    categorical, given : Tensor of bool, shape (B, D)
        Which columns hold codes; which are the label and the grouping attributes.
    identity : int
        Length of the random vectors that tell columns and categories apart.
    generator : torch.Generator
        On the device of ``values``.

    Examples
    --------
    >>> values = torch.tensor([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = torch.tensor([[True, False]])
    >>> context = fit_context(values, flags, flags, 16, torch.Generator().manual_seed(0))
    >>> context.sizes.tolist()
    [[2.0, 1.0]]
    """
    codes = torch.where(categorical[:, None] & ~values.isnan(), values.nan_to_num(), -1).long()
    categories = int(codes.max().item()) + 1
    batch, _, columns = values.shape
    scores = category_scores(values, codes, categorical, categories)
    seen = sum_by_code(codes, torch.ones(values.shape, device=values.device), categories)
    table = scores_for_codes(values, codes, scores, categorical)
    ranks = owned_ranks(table.transpose(1, 2))
    middle = rank_of(ranks, table.transpose(1, 2))[1].transpose(1, 2)
    missing = table.isnan()
    score = torch.where(missing, 0, torch.special.ndtri(middle)).float()
    groups = codes[..., 0]
    statistics = _group_statistics(score, missing, groups, int(groups.max().item()) + 1)

    def vectors(*shape: int) -> Tensor:
        return torch.randn(*shape, identity, device=values.device, generator=generator)

    context = Context(
        *(ranks[0], ranks[1], ranks[2], score, codes, scores, seen, groups),
        *statistics,
        *(categorical, given, vectors(batch, columns), vectors(batch, columns, categories)),
        summary=scores.new_zeros(()),
        kernel=Kernel(*(scores.new_zeros(()) for _ in fields(Kernel))),
    )
    laws = _chain(context, score, missing, groups)
    residuals = [law.surprise(score[..., column], missing[..., column]) for column, law in laws]
    kernel = fit_kernel(score, torch.stack(residuals, -1), missing)
    return replace(context, summary=_summary(context), kernel=kernel)


def _chain(context: Context, score: Tensor, missing: Tensor, groups: Tensor) -> Iterator[tuple[int, Normal]]:
    """Chain of rows (B R D) with groups (B R): column after column, laws of (B R)."""
    innovations = score[..., :0]
    for column in range(score.shape[-1]):
        law = chain_step(context, groups, innovations, column)
        yield column, law
        surprise = law.surprise(score[..., column], missing[..., column])
        innovations = torch.cat([innovations, surprise[..., None]], -1)


@torch.no_grad()
def experts(context: Context, cells: Cells, groups: Tensor) -> Experts:
    """What closed form expects of every cell: (B R D).

    Parameters
    ----------
    context : Context
    cells : Cells
        Rows whose first N are the context's own. Kernel regression expects those that it has learned from
        by all the others.
    groups : Tensor of int, shape (B, R)

    Returns
    -------
    Experts
        Of shape (B, R, D).
    """
    own = context.kernel.score.shape[1]
    alike = Similarity(groups.shape[1] - own, own, groups.device)
    pairs: list[tuple[Normal, Normal]] = []
    for column, law in _chain(context, cells.score, cells.missing, groups):
        if column:
            within = own_step(context.kernel, column, law[:, :own])
            beyond = kernel_step(context.kernel, alike, column, law[:, own:])
            alike.push(cells.score[:, own:, column], context.kernel.score[..., column])
            pairs.append((law, Normal.join(within, beyond)))
        else:
            pairs.append((law, law))
    return Experts(*(Normal.stack(laws) for laws in zip(*pairs, strict=True)))


@torch.no_grad()
def encode_cells(context: Context, values: Tensor, columns: slice = slice(None)) -> Cells:
    """See rows through a context.

    Parameters
    ----------
    context : Context
    values : Tensor, shape (B, R, D')
        As in :func:`fit_context`; D' columns, those that ``columns`` selects.
    columns : slice
        Which of the context's columns ``values`` holds.

    Examples
    --------
    >>> values = torch.tensor([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = torch.tensor([[True, False]])
    >>> context = fit_context(values, flags, flags, 16, torch.Generator().manual_seed(0))
    >>> round(encode_cells(context, torch.tensor([[[0.0, 2.5]]])).score[0, 0, 1].item(), 3)
    0.0
    """
    categorical = context.categorical[:, columns]
    seen = context.seen[:, columns]
    absent = values.isnan()
    codes = torch.where(categorical[:, None] & ~absent, values.nan_to_num(), -1).long()
    index = codes.transpose(1, 2).clamp(0, seen.shape[-1] - 1)
    familiar = (seen.gather(-1, index) > 0).transpose(1, 2) & (codes < seen.shape[-1])
    lacks = (context.missing[:, :, columns].amax(1) == 0)[:, None]  # B 1 D'
    known = torch.where(absent, ~lacks, ~categorical[:, None] | familiar)
    codes = torch.where(known, codes, -1)
    table = scores_for_codes(values, codes, context.scores[:, columns], categorical)
    sorted_values = context.values[:, columns]
    count = sorted_values.isfinite().sum(-1, keepdim=True).clamp_min(1)
    ranks = (sorted_values, context.low[:, columns], context.high[:, columns], count)
    low, middle, high, equal = (t.transpose(1, 2) for t in rank_of(ranks, table.transpose(1, 2)))
    missing = table.isnan()
    return Cells(
        score=torch.where(missing, 0, torch.special.ndtri(middle)).float(),
        low=torch.special.ndtri(low).float(),
        high=torch.special.ndtri(high).float(),
        code=codes,
        missing=missing,
        known=known,
        mass=(equal.clamp_min(1) / count.transpose(1, 2)).log().float(),
    )


def chain_step(context: Context, groups: Tensor, innovations: Tensor, column: int) -> Normal:
    """Expect a column's score from the group and the columns before it.

    Parameters
    ----------
    groups : Tensor of int, shape (B, R)
    innovations : Tensor, shape (B, R, column)
        Standardised surprises of the columns before; 0 where a value was missing.
    column : int

    Returns
    -------
    Normal
        Of shape (B, R).
    """
    mean = context.means[:, :, column].gather(1, groups)
    weights = context.factor[:, column, :column]  # B column
    mean = mean + (innovations @ weights[..., None]).squeeze(-1)
    rows = context.rows.shape[1]
    deviation = context.factor[:, column, column] * math.sqrt(1 + (column + 1) / rows)  # estimated weights
    return Normal(mean, deviation[:, None].expand_as(mean))


def pointer_base(
    context: Context, tables: Tensor, columns: Tensor, groups: Tensor, laws: Experts
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Closed-form log-weights of context rows, for P categorical columns and M rows to predict.

    A category's share among rows of the same label, spread over the rows that hold it; and the changes that
    the columns before make to it, by the Gaussians of chain and kernel against the group's own Gaussian
    (for two categories and the chain this is linear discriminant analysis).

    Parameters
    ----------
    tables, columns : Tensor of int, shape (P,)
    groups : Tensor of int, shape (P, M)
        Group of every row to predict.
    laws : Experts
        Of shape (P, M).

    Returns
    -------
    share, change_by_chain, change_by_kernel : Tensor, shape (P, M, N)
    held : Tensor of bool, shape (P, 1, N)
        False for context rows where the column is missing, which cannot be pointed at.
    """
    codes = context.codes[tables, :, columns]  # P N
    score = context.rows[tables, :, columns]  # P N
    sizes = context.sizes[tables]  # P G
    rows, labels = codes.shape[1], sizes.shape[1]
    held = (codes >= 0).to(score.dtype)
    cell = codes.clamp_min(0) * labels + context.groups[tables]  # P N  category and label
    counts = score.new_zeros(len(codes), context.seen.shape[-1] * labels).scatter_add_(1, cell, held)
    counts = counts.reshape(len(codes), context.seen.shape[-1], labels)  # P K G
    counts = counts.gather(1, codes.clamp_min(0)[..., None].expand(-1, -1, labels))  # P N G
    total = counts.sum(-1, keepdim=True).clamp_min(1)
    share = (counts + 4 * total / rows) / (sizes[:, None] + 4) / total
    share = share.log().gather(-1, groups[:, None].expand(-1, rows, -1)).transpose(1, 2)  # P M N
    own = context.means[tables[:, None], groups, columns[:, None]]  # P M  the group's mean score
    spread = context.spread[tables, columns][:, None, None]
    value = score[:, None]
    behind = ((value - own[..., None]) / spread) ** 2

    def change(law: Normal) -> Tensor:
        ahead = ((value - law.mean[..., None]) / law.deviation[..., None]) ** 2
        return (0.5 * (behind - ahead)).clamp(-12, 12)

    return share, change(laws.chain), change(laws.kernel), held[:, None] > 0


def from_score(context: Context, tables: Tensor, columns: Tensor, score: Tensor) -> Tensor:
    """Values of normal scores: the tie that owns the rank, or between two neighbours; never outside.

    Parameters
    ----------
    tables, columns : Tensor of int, shape (P,)
    score : Tensor, shape (P, M)

    Returns
    -------
    Tensor, shape (P, M)
    """
    values, low, high = (t[tables, columns] for t in (context.values, context.low, context.high))
    last = (values.isfinite().sum(-1, keepdim=True) - 1).clamp_min(0)  # P 1
    high = torch.where(values.isfinite(), high, torch.inf).contiguous()
    rank = torch.special.ndtr(score).to(high.dtype)
    at = torch.minimum(torch.searchsorted(high, rank.contiguous()), last)
    before = (at - 1).clamp_min(0)
    gap = (low.gather(-1, at) - high.gather(-1, before)).clamp_min(1e-12)
    share = ((rank - high.gather(-1, before)) / gap).clamp(0, 1)
    share = torch.where(at == 0, 1.0, share).to(values.dtype)
    return torch.lerp(values.gather(-1, before), values.gather(-1, at), share)
