"""The prior over tables on which the transformer is pretrained.

A batch of tasks of equal shape is drawn at once, on the device of the generator: latent nodes
(:mod:`makeweight.generators.transformer.mechanisms`), a label from inside them, grouping attributes, a
selection of rows that makes groups rare or common and attributes spurious, and what real columns do to
numbers: warps, rounding, counts, zeros, categories, missing cells, copies, irrelevance.

Rows are selected on label and attributes alone, so p(row | group) is the same for context and queries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from makeweight.generators.transformer import recording
from makeweight.generators.transformer.config import PriorConfig
from makeweight.generators.transformer.mechanisms import (
    Random,
    clusters,
    cut,
    gaussian_classes,
    graph_nodes,
    standardise,
    thresholds,
)
from makeweight.generators.transformer.tables import RealTables

__all__ = ["Shape", "Tasks", "draw_tasks"]

MOST_TASKS = 512  # per batch: more of the smallest tables would say little more
ATTRIBUTE, LEVELS = 0.3, 4  # share of real tables with a grouping attribute, and most levels of one


@dataclass(frozen=True)
class Shape:
    """Sizes that all tasks of a batch share."""

    batch: int
    context: int
    queries: int
    columns: int  # with the label

    @property
    def cells(self) -> int:
        """Cells of both streams, the unit in which a step is budgeted."""
        return self.batch * (self.context + 2 * self.queries) * self.columns


@dataclass(frozen=True)
class Tasks:
    """A batch of tables: context rows first, then rows to predict."""

    values: Tensor  # B R D  numbers, codes, NaN where missing; column 0 is the label
    categorical: Tensor  # B D
    given: Tensor  # B D  the label and the grouping attributes
    weight: Tensor  # B M  1 for a row to predict, 0 where the draw had none of a group with context rows
    context: int


def draw_shape(config: PriorConfig, cells: int, progress: float, rng: np.random.Generator) -> Shape:
    """Draw the sizes of a batch: log-uniform rows and columns, larger as the curriculum progresses.

    `cells`: budget of cells; the number of tasks follows from it. `progress`: 0 at the start of the curriculum, 1 from
    its end on.

    >>> draw_shape(PriorConfig(), 9_000, 1.0, np.random.default_rng(0)).batch >= 1
    True
    """
    progress = min(1.0, max(0.0, progress))
    rows = config.max_context * (0.5 + 0.5 * progress)
    most = max(2.0, config.max_columns * (0.5 + 0.5 * progress))
    fewest = config.min_context if rng.random() < 0.2 else min(config.usual_context, rows)
    context = round(math.exp(rng.uniform(math.log(fewest), math.log(max(rows, fewest)))))
    # a third log-uniform from one column, the rest uniform: few columns are easy, many are what is hard
    columns = rng.uniform(1, most + 1) if rng.random() < 0.67 else math.exp(rng.uniform(0, math.log(most + 1)))
    columns = 1 + min(config.max_columns, max(1, int(columns)))
    # attention over rows grows with the context: charge it in cells
    cost = (context + 2 * config.queries) * columns * (1 + context / 1000)
    return Shape(min(MOST_TASKS, max(1, int(cells / cost))), context, config.queries, columns)


def _labels_from_nodes(random: Random, values: Tensor, groups: Tensor) -> Tensor:
    """Labels from inside the graph: cut scores, or the largest of one noisy score per label."""
    batch, rows, nodes = values.shape
    most = int(groups.max().item())
    sparse = random.chance(random.uniform(batch, 1, 1, low=0.1, high=0.7), batch, nodes, most)
    pick = torch.nn.functional.one_hot(random.whole(0, nodes - 1, batch, most), nodes).transpose(1, 2)
    weight = random.normal(batch, nodes, most) * (sparse | (pick > 0))
    score = standardise(values @ weight)  # B N G
    loud = random.chance(0.7, batch, 1, 1) * random.uniform(batch, 1, 1, low=0.02, high=0.8)
    score = score + loud * random.gumbel(batch, rows, most)
    ordinal = cut(standardise(score[..., :1]), thresholds(random, batch, 1, groups[:, None], max(2, most)))
    offset = random.normal(batch, 1, most) * 0.4
    allowed = torch.arange(most, device=random.device) < groups[:, None, None]
    nominal = (score + offset).masked_fill(~allowed, -torch.inf).argmax(-1)
    use_cut = (groups[:, None] == 2) | random.chance(0.3, batch, 1)
    return torch.where(use_cut, ordinal[..., 0], nominal)


def _latent_tables(random: Random, batch: int, rows: int, nodes: int, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values (B N P), codes (B N P) and labels (B N), each table from one of three families."""
    family = random.uniform(batch)
    values = random.normal(batch, rows, nodes)
    codes = torch.full_like(values, -1, dtype=torch.long)
    labels = torch.zeros(batch, rows, dtype=torch.long, device=random.device)
    graph, classes, mixture = family < 0.72, (family >= 0.72) & (family < 0.87), family >= 0.87
    if bool(graph.any()):
        values[graph], codes[graph] = graph_nodes(random, int(graph.sum().item()), rows, nodes)
        labels[graph] = _labels_from_nodes(random, values[graph], groups[graph])
    for chosen, draw in ((classes, gaussian_classes), (mixture, clusters)):
        if bool(chosen.any()):
            count = int(chosen.sum().item())
            values[chosen], labels[chosen] = draw(random, count, rows, nodes, groups[chosen])
    return values, codes, labels


def _select(random: Random, cells: Tensor, label: Tensor, shape: Shape, ratio: float) -> tuple[Tensor, Tensor]:
    """Rows of the pool to keep (B R): context by random group frequencies, queries evenly by group."""
    batch, pool = cells.shape
    most = int(cells.max().item()) + 1
    size = torch.zeros(batch, most, device=random.device).scatter_add_(
        1, cells, torch.ones_like(label, dtype=torch.float)
    )
    steep = random.uniform(batch, 1, high=math.log(ratio)) * random.chance(0.85, batch, 1)
    wish = torch.exp(-steep * random.uniform(batch, int(label.max().item()) + 1))  # by label
    wish = wish.gather(1, label)
    spurious = random.chance(0.6, batch, 1) * random.uniform(batch, 1, low=-2.5, high=2.5)
    agree = (cells // 4 % 2 == cells % 4 % 2) * spurious
    own = size.gather(1, cells)
    by_label = torch.zeros(batch, most, device=random.device).scatter_add_(
        1, label, torch.ones_like(label, dtype=torch.float)
    )
    weight = wish.log() + agree - by_label.gather(1, label).log()
    context = (weight + random.gumbel(batch, pool)).topk(shape.context, 1).indices
    held = torch.zeros(batch, most, device=random.device)
    held.scatter_add_(1, cells.gather(1, context), torch.ones_like(context, dtype=torch.float))
    free = torch.ones(batch, pool, dtype=torch.bool, device=random.device).scatter_(1, context, False)
    usable = free & (held.gather(1, cells) > 0)
    even = random.uniform(batch, 1, low=0.4, high=1.0)  # 1: as many queries of every group
    order = torch.where(usable, random.gumbel(batch, pool) - even * own.log(), -torch.inf)
    queries = order.topk(shape.queries, 1).indices
    return torch.cat([context, queries], 1), usable.gather(1, queries).float()


def draw_tasks(config: PriorConfig, shape: Shape, generator: torch.Generator) -> Tasks:
    """Draw a batch of tasks on the generator's device.

    `generator`: fixes everything; the tasks are the same for the same seed and device type.

    >>> tasks = draw_tasks(PriorConfig(), Shape(2, 40, 8, 5), torch.Generator().manual_seed(0))
    >>> tasks.values.shape
    torch.Size([2, 48, 5])
    """
    random = Random(generator)
    batch, features = shape.batch, shape.columns - 1
    limit = max(2, min(config.max_groups, shape.context // 4))
    groups = torch.where(random.chance(0.65, batch), 2, random.log_whole(2, limit, batch))
    nodes = 3 + round(config.latent * (features + 1))
    pool = config.pool * (shape.context + shape.queries)
    values, codes, label = _latent_tables(random, batch, pool, nodes, groups)
    order = random.uniform(batch, nodes).argsort(1)[:, None, : features + 1]
    values = values.gather(2, order.expand(-1, pool, -1))
    codes = codes.gather(2, order.expand(-1, pool, -1))

    # a grouping attribute of two to four levels, from a node or from nothing
    levels = random.whole(2, 4, batch, 1)
    source = torch.where(random.chance(0.3, batch, 1, 1), random.normal(batch, pool, 1), standardise(values[..., -1:]))
    attribute = cut(source, thresholds(random, batch, 1, levels, 4))[..., 0]
    has = random.chance(0.3 if features > 1 else 0.0, batch, 1)
    cells = label * 4 + torch.where(has, attribute, 0)
    kept, weight = _select(random, cells, label, shape, config.max_ratio)
    index = kept[..., None].expand(-1, -1, features)
    x = standardise(values[..., :-1].gather(1, index))
    codes, label = codes[..., :-1].gather(1, index), label.gather(1, kept)
    attribute = attribute.gather(1, kept)

    x = recording.relations(random, x)
    coded, ordered = recording.discretise(random, x)
    from_graph = (codes >= 0).any(1) & random.chance(0.8, batch, features)
    from_graph &= ~random.chance(0.1, batch, features)
    coded = torch.where(from_graph[:, None], codes, coded)
    is_code = from_graph | random.chance(random.uniform(batch, 1) ** 1.5 * 0.8, batch, features)
    numeric = is_code & ordered & random.chance(0.15, batch, features)  # ordered codes kept as numbers
    table = torch.where(is_code[:, None], coded.float(), recording.continuous(random, x))
    missing = recording.missing(random, x, label)
    table, flags = recording.flags(random, table.masked_fill(missing, torch.nan), missing)
    table, categorical = recording.recode(random, table, (is_code & ~numeric) | flags)
    table = recording.impute(random, table, categorical)
    table = recording.not_applicable(random, table, categorical, x)
    given = torch.zeros_like(categorical)
    table = recording.repeat(random, table, cells.gather(1, kept))
    table[..., 0] = torch.where(has, attribute.float(), table[..., 0])
    categorical[:, :1] |= has
    given[:, :1] |= has
    # categories in no order: a column's codes mean nothing beyond being equal or not
    names = max(recording.CATEGORIES, int(label.max().item()) + 1)
    renamed = random.uniform(batch, names).argsort(1).gather(1, label)
    first = torch.ones(batch, 1, dtype=torch.bool, device=random.device)
    return Tasks(
        torch.cat([_compact(renamed)[..., None].float(), table], -1),
        torch.cat([first, categorical], 1),
        torch.cat([first, given], 1),
        weight,
        shape.context,
    )


def real_tasks(tables: RealTables, shape: Shape, rng: np.random.Generator) -> Tasks:
    """Draw a batch of tasks from tables that people made; three of ten have a grouping attribute.

    Rows to predict of a group that has no context row weigh nothing.

    >>> from makeweight.generators.transformer.tables import RealTable
    >>> x = np.random.default_rng(0).integers(3, size=(200, 4)).astype(np.float32)
    >>> source = RealTables([RealTable(str(k), x, np.ones(4, bool)) for k in range(8)], 40.0)
    >>> real_tasks(source, Shape(2, 40, 8, 4), np.random.default_rng(0)).values.shape
    torch.Size([2, 48, 4])
    """
    drawn = tables.draw(shape.batch, shape.context, shape.queries, shape.columns - 1, rng)
    values, categorical = drawn.values, drawn.categorical
    given = np.zeros_like(categorical)
    for b, has in enumerate(rng.random(shape.batch) < ATTRIBUTE):
        for j in np.flatnonzero(categorical[b]):
            told = ~np.isnan(values[b, :, j])
            values[b, told, j] = np.unique(values[b, told, j], return_inverse=True)[1]
        can = np.flatnonzero(categorical[b] & (values[b].max(0, initial=-1) < LEVELS))  # a missing cell makes it false
        if has and len(can):
            swap = [0, int(rng.choice(can))]
            values[b][:, swap] = values[b][:, swap[::-1]]
            categorical[b, swap] = categorical[b, swap[::-1]]
            given[b, 0] = True
    group = drawn.label * LEVELS + np.where(given[:, :1], values[..., 0], 0) if values.shape[-1] else drawn.label
    seen = (group[:, shape.context :, None] == group[:, None, : shape.context]).any(-1)
    first = np.ones((shape.batch, 1), bool)
    table, coded, told = (
        torch.from_numpy(np.concatenate(parts, -1))
        for parts in ((drawn.label[..., None], values), (first, categorical), (first, given))
    )
    return Tasks(table, coded, told, torch.from_numpy(seen.astype(np.float32)), shape.context)


def _compact(label: Tensor) -> Tensor:
    """Rename labels (B R) to 0 … G−1 per table, keeping their order."""
    present = torch.zeros(label.shape[0], int(label.max().item()) + 1, dtype=torch.long, device=label.device)
    present.scatter_(1, label, 1)
    return (present.cumsum(1) - 1).gather(1, label)
