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
from typing import Any

from makeweight.generators.transformer.arrays import Array, of
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

FLOOR = 1e-3  # smallest variance of a score given the columns before it; a third of a bin, squared
DOUBT = 5.0  # pseudo-rows that speak for a column on its own, against the chain
FEWEST, MOST = 0.5, 5.0  # limits of the pseudo-rows that pull a group's mean to the mean of all


@dataclass(frozen=True)
class Context:
    """All that is remembered of a batch of context tables, before any network."""

    values: Array  # B D N  sorted values (categories: scores), +inf where missing
    low: Array  # B D N  first and last rank, in [0, 1], owned by that value;
    high: Array  # B D N  both the mid-rank where it occurs once
    rows: Array  # B N D  scores in the order of the rows, 0 where missing
    codes: Array  # B N D  category codes in the order of the rows, -1 where missing or numeric
    scores: Array  # B D K  value that stands for a category among the sorted values
    seen: Array  # B D K  rows with that category
    groups: Array  # B N  label code of every row
    sizes: Array  # B G  rows with that label
    means: Array  # B G D  group means of the scores, shrunk
    factor: Array  # B D D  Cholesky factor of the shrunk covariance within groups
    spread: Array  # B D  standard deviation of the scores within groups
    missing: Array  # B G D  smoothed share of missing cells, exactly 0 where the column has none
    categorical: Array  # B D
    given: Array  # B D  the label and the grouping attributes
    column_vectors: Array  # B D I  random identity of a column
    code_vectors: Array  # B D K I  random identity of a category
    summary: Array  # B D 8  what kind of column it is
    kernel: Kernel  # what kernel regression adds to the chain


@dataclass(frozen=True)
class Cells:
    """Rows seen through a context: what the network reads and what it is scored on."""

    score: Array  # B R D  normal score, 0 where missing
    low: Array  # B R D  interval of scores owned by the value;
    high: Array  # B R D  both equal to the score where it is no tie
    code: Array  # B R D  category, -1 where numeric, missing or unknown
    missing: Array  # B R D
    known: Array  # B R D  False for a category (or a missing value) that the context lacks
    mass: Array  # B R D  log share of the context with this very value, or of one row


def doubt(rows: int) -> tuple[float, float]:
    """Log-weights of the chain and of the column on its own, for a context of so many rows.

    >>> [round(math.exp(w), 2) for w in doubt(95)]
    [0.95, 0.05]
    """
    return math.log(rows / (rows + DOUBT)), math.log(DOUBT / (rows + DOUBT))


def _group_statistics(
    score: Array, missing: Array, groups: Array, count: int
) -> tuple[Array, Array, Array, Array, Array]:
    """Sizes B G, shrunk means B G D, Cholesky factor B D D, spread B D and missing shares B G D."""
    xp = of(score)
    rows, columns = score.shape[1:]
    member = xp.single(groups[:, None] == xp.arange(count, groups)[:, None])  # B G N
    sizes = member.sum(axis=-1)  # B G
    observed = member @ xp.single(~missing)  # B G D  rows with a value
    sums = member @ score  # missing scores are 0
    overall = sums.sum(axis=1, keepdims=True) / observed.sum(axis=1, keepdims=True).clip(1)  # B 1 D
    raw = sums / observed.clip(1)
    total, squares = observed.sum(axis=1, keepdims=True).clip(1), (observed**2).sum(axis=1, keepdims=True)
    within = (score**2).sum(axis=1, keepdims=True) - (observed * raw**2).sum(axis=1, keepdims=True)
    present = xp.single(observed > 0).sum(axis=1, keepdims=True)
    within = within.clip(0) / (total - present).clip(1) + FLOOR
    between = (observed * (raw - overall) ** 2).sum(axis=1, keepdims=True) - (present - 1) * within
    between = (between / (total - squares / total).clip(1)).clip(1e-4)
    pull = (within / between).clip(FEWEST, MOST)  # pseudo-rows
    means = (sums + pull * overall) / (observed + pull)
    means[..., 0] = raw[..., 0]  # the label itself is known
    rest = xp.where(missing, 0, score - member.swapaxes(1, 2) @ means)  # B N D
    free = (rows - xp.single(sizes > 0).sum(axis=-1)).clip(1)[:, None, None]  # every group's mean costs a row
    covariance = rest.swapaxes(1, 2) @ rest / free
    at = xp.arange(columns, groups)
    variance = covariance[:, at, at] + FLOOR
    shrink = (columns + 2) / (rows + columns + 2)
    shrunk = (1 - shrink) * covariance
    shrunk[:, at, at] += shrink * variance + FLOOR
    absent = xp.single(missing)
    rate = absent.mean(axis=1, keepdims=True)
    share = xp.where(rate > 0, (member @ absent + 10 * rate) / (sizes[..., None] + 10), 0)
    return sizes, means, xp.cholesky(shrunk), xp.sqrt(variance), share


def _summary(context: Context) -> Array:
    """Eight numbers a column: its kind, how often it is missing, how many values it has, how many rows."""
    xp = of(context.values)
    values = context.values
    rows = values.shape[-1]
    observed = xp.isfinite(values)
    new = values[..., 1:] != values[..., :-1]
    distinct = (new & observed[..., 1:]).sum(axis=-1) + xp.whole(observed[..., 0])
    some = xp.zeros(distinct.shape, context.sizes)
    first = some + xp.single(xp.arange(distinct.shape[-1], values) == 0)
    parts = [
        context.categorical,
        first,
        xp.single(context.given) * (1 - first),
        1 - xp.single(observed).mean(axis=-1),
        xp.log(xp.single(distinct.clip(1))) / max(1.0, math.log(rows)),
        xp.amax(xp.where(observed, context.high - context.low, 0), axis=-1),
        some + math.log(rows) / 7,
        some + xp.log(xp.single((context.sizes > 0).sum(axis=-1, keepdims=True))) / 4,
    ]
    return xp.stack([xp.single(part) for part in parts], axis=-1)


def fit_context(values: Array, categorical: Array, given: Array, identity: int, rng: Any) -> Context:
    """Learn the marginal maps and the chain from context rows alone.

    `values` (Array, shape (B, N, D)): numbers, codes 0 … K−1 in categorical columns, NaN where missing. Column 0 is the
    label. `categorical`, `given` (Array of bool, shape (B, D)): which columns hold codes; which are the label and the
    grouping attributes. `identity`: length of the random vectors that tell columns and categories apart.

    >>> import numpy as np
    >>> values = np.array([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = np.array([[True, False]])
    >>> context = fit_context(values, flags, flags, 16, np.random.default_rng(0))
    >>> context.sizes.tolist()
    [[2.0, 1.0]]
    """
    xp = of(values)
    codes = _codes(values, categorical)
    categories = int(codes.max()) + 1
    batch, _, columns = values.shape
    scores = category_scores(values, codes, categorical, categories)
    seen = sum_by_code(codes, xp.single(codes >= 0), categories)
    table = scores_for_codes(values, codes, scores, categorical)
    ranks = owned_ranks(table.swapaxes(1, 2))
    middle = rank_of(ranks, table.swapaxes(1, 2))[1].swapaxes(1, 2)
    missing = xp.isnan(table)
    score = xp.where(missing, 0, xp.single(xp.ndtri(middle)))
    groups = codes[..., 0]
    statistics = _group_statistics(score, missing, groups, int(groups.max()) + 1)
    nothing = xp.zeros((), score)
    context = Context(
        *(ranks[0], ranks[1], ranks[2], score, codes, scores, seen, groups),
        *statistics,
        *(categorical, given),
        column_vectors=xp.normal(rng, (batch, columns, identity), score),
        code_vectors=xp.normal(rng, (batch, columns, categories, identity), score),
        summary=nothing,
        kernel=Kernel(*(nothing for _ in fields(Kernel))),
    )
    laws = _chain(context, score, missing, groups)
    residuals = [law.surprise(score[..., column], missing[..., column]) for column, law in laws]
    kernel = fit_kernel(score, xp.stack(residuals, axis=-1), missing)
    return replace(context, summary=_summary(context), kernel=kernel)


def _codes(values: Array, categorical: Array) -> Array:
    """Categories of cells (B R D), -1 where there is none."""
    xp = of(values)
    return xp.whole(xp.where(categorical[:, None] & ~xp.isnan(values), values, -1))


def _chain(context: Context, score: Array, missing: Array, groups: Array) -> Iterator[tuple[int, Normal]]:
    """Chain of rows (B R D) with groups (B R): column after column, laws of (B R)."""
    innovations = score[..., :0]
    for column in range(score.shape[-1]):
        law = chain_step(context, groups, innovations, column)
        yield column, law
        surprise = law.surprise(score[..., column], missing[..., column])
        innovations = of(score).concatenate([innovations, surprise[..., None]], axis=-1)


def experts(context: Context, cells: Cells, groups: Array) -> Experts:
    """What closed form expects of every cell: (B R D).

    `cells`: rows whose first N are the context's own. Kernel regression expects those that it has learned from by all
    the others. `groups`: Array of int, shape (B, R). Returns Experts: of shape (B, R, D).
    """
    own = context.kernel.score.shape[1]
    shape = (len(groups), groups.shape[1] - own, own)
    alike = Similarity(of(groups).zeros(shape, cells.score))
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


def encode_cells(context: Context, values: Array, columns: slice = slice(None)) -> Cells:
    """See rows through a context.

    `values` (Array, shape (B, R, D')): as in :func:`fit_context`; D' columns, those that ``columns`` selects.
    `columns`: which of the context's columns ``values`` holds.

    >>> import numpy as np
    >>> values = np.array([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = np.array([[True, False]])
    >>> context = fit_context(values, flags, flags, 16, np.random.default_rng(0))
    >>> round(encode_cells(context, np.array([[[0.0, 2.5]]])).score[0, 0, 1].item(), 3)
    0.0
    """
    xp = of(values)
    categorical = context.categorical[:, columns]
    seen = context.seen[:, columns]
    absent = xp.isnan(values)
    codes = _codes(values, categorical)
    index = codes.swapaxes(1, 2).clip(0, seen.shape[-1] - 1)
    familiar = (xp.take(seen, index, -1) > 0).swapaxes(1, 2) & (codes < seen.shape[-1])
    lacks = (context.missing[:, :, columns] == 0).all(axis=1)[:, None]  # B 1 D'
    known = xp.where(absent, ~lacks, ~categorical[:, None] | familiar)
    codes = xp.where(known, codes, -1)
    table = scores_for_codes(values, codes, context.scores[:, columns], categorical)
    sorted_values = context.values[:, columns]
    count = xp.isfinite(sorted_values).sum(axis=-1, keepdims=True).clip(1)
    ranks = (sorted_values, context.low[:, columns], context.high[:, columns], count)
    low, middle, high, equal = (t.swapaxes(1, 2) for t in rank_of(ranks, table.swapaxes(1, 2)))
    missing = xp.isnan(table)
    return Cells(
        score=xp.where(missing, 0, xp.single(xp.ndtri(middle))),
        low=xp.single(xp.ndtri(low)),
        high=xp.single(xp.ndtri(high)),
        code=codes,
        missing=missing,
        known=known,
        mass=xp.log(xp.single(equal.clip(1) / count.swapaxes(1, 2))),
    )


def chain_step(context: Context, groups: Array, innovations: Array, column: int) -> Normal:
    """Expect a column's score from the group and the columns before it.

    `groups`: Array of int, shape (B, R). `innovations` (Array, shape (B, R, column)): standardised surprises of the
    columns before; 0 where a value was missing. Returns Normal: of shape (B, R).
    """
    mean = of(groups).take(context.means[:, :, column], groups, 1)
    weights = context.factor[:, column, :column]  # B column
    mean = mean + (innovations @ weights[..., None])[..., 0]
    rows = context.rows.shape[1]
    deviation = context.factor[:, column, column] * math.sqrt(1 + (column + 1) / rows)  # estimated weights
    return Normal(mean, deviation[:, None] + of(mean).zeros(mean.shape, mean))


def pointer_base(
    context: Context, tables: Array, columns: Array, groups: Array, laws: Experts
) -> tuple[Array, Array, Array, Array]:
    """Closed-form log-weights of context rows, for P categorical columns and M rows to predict.

    A category's share among rows of the same label, spread over the rows that hold it; and the changes that
    the columns before make to it, by the Gaussians of chain and kernel against the group's own Gaussian
    (for two categories and the chain this is linear discriminant analysis).

    `tables`, `columns`: Array of int, shape (P,). `groups` (Array of int, shape (P, M)): group of every row to predict.
    `laws`: of shape (P, M). Returns `share`, `change_by_chain`, `change_by_kernel`: Array, shape (P, M, N). `held`
    (Array of bool, shape (P, 1, N)): False for context rows where the column is missing, which cannot be pointed at.
    """
    xp = of(groups)
    codes = context.codes[tables, :, columns]  # P N
    score = context.rows[tables, :, columns]  # P N
    sizes = context.sizes[tables]  # P G
    rows, labels, categories = codes.shape[1], sizes.shape[1], context.seen.shape[-1]
    held, code = codes >= 0, codes.clip(0)
    counts = xp.sum_at(code * labels + context.groups[tables], xp.single(held), categories * labels)
    counts = xp.take(counts.reshape(-1, categories, labels), code[..., None], 1)  # P N G
    total = counts.sum(axis=-1, keepdims=True).clip(1)
    share = xp.log((counts + 4 * total / rows) / (sizes[:, None] + 4) / total).swapaxes(1, 2)  # P G N
    share = xp.take(share, groups[..., None], 1)  # P M N
    own = context.means[tables[:, None], groups, columns[:, None]]  # P M  the group's mean score
    value = score[:, None]
    half = math.sqrt(0.5)

    def distance(mean: Array, deviation: Array) -> Array:
        scale = half / deviation
        apart = value * scale[..., None] - (mean * scale)[..., None]
        return apart * apart

    behind = distance(own, context.spread[tables, columns][:, None])
    changes = ((behind - distance(law.mean, law.deviation)).clip(-12, 12) for law in (laws.chain, laws.kernel))
    return share, *changes, held[:, None]


def from_score(context: Context, tables: Array, columns: Array, score: Array) -> Array:
    """Values of normal scores: the tie that owns the rank, or between two neighbours; never outside.

    `tables`, `columns`: Array of int, shape (P,). `score`: Array, shape (P, M). Returns Array, shape (P, M).
    """
    xp = of(score)
    values, low, high = (t[tables, columns] for t in (context.values, context.low, context.high))
    last = (xp.isfinite(values).sum(axis=-1, keepdims=True) - 1).clip(0)  # P 1
    high = xp.where(xp.isfinite(values), high, math.inf)
    rank = xp.single(xp.ndtr(score)) + xp.zeros(score.shape, high)
    at = xp.minimum(xp.searchsorted(high, rank, "left"), last)
    before = (at - 1).clip(0)
    below = xp.take(high, before, -1)
    gap = (xp.take(low, at, -1) - below).clip(1e-12)
    share = xp.where(at == 0, 1.0, ((rank - below) / gap).clip(0, 1))
    start, end = xp.take(values, before, -1), xp.take(values, at, -1)
    return xp.where(share < 0.5, start + share * (end - start), end - (1 - share) * (end - start))
