"""The log-likelihood of cells: what pretraining maximises and what validation prints.

A cell is missing or not; if not, a number falls into the interval of normal scores that its value owns (one
bin where it is no tie) and a category is pointed at through the context rows that hold it. Columns without
missing values in the context cannot have one, and a category that the context lacks has no probability:
both are by construction, and such cells do not count.

Likelihood alone spends most of its effort on what all groups share. A *rival* of a row is the same row under
another label of its table: the balanced log-loss of telling the two apart by their likelihoods has the same
minimiser, and dwells on what distinguishes groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.features import Cells, Context, encode_cells, experts, fit_context, pointer_base
from makeweight.generators.transformer.kernel import Experts
from makeweight.generators.transformer.network import (
    NEVER,
    Inputs,
    Network,
    code_vectors,
    content_numbers,
    interval_log_mass,
    query_numbers,
    untrained,
)
from makeweight.generators.transformer.prior import Tasks


@dataclass(frozen=True)
class Prepared:
    """Tasks with everything that closed form knows of them."""

    inputs: Inputs
    context: Context
    cells: Cells  # of the rows to predict
    laws: Experts  # B M D
    groups: Tensor  # B M
    missing: Tensor  # B M D  share of missing cells in the group
    counted: Tensor  # B M D  whether a cell counts
    pairs: Tensor | None = None  # B M/2  weights, where the second half of the rows are rivals of the first


@dataclass(frozen=True)
class CellScores:
    """Log-probability of rows to predict, and the cells it runs over, by kind of cell: each (B M)."""

    numeric: Tensor
    categorical: Tensor
    missing: Tensor
    numeric_cells: Tensor
    categorical_cells: Tensor
    missing_cells: Tensor
    pairs: Tensor | None = None

    def total(self, name: str) -> Tensor:
        """Sum of one of the above over the rows to predict, without their rivals."""
        rows: Tensor = getattr(self, name)
        return rows.sum() if self.pairs is None else rows[:, : self.pairs.shape[1]].sum()

    @property
    def loss(self) -> Tensor:
        """Negative log-likelihood per cell, in nats."""
        likelihood = self.total("numeric") + self.total("categorical") + self.total("missing")
        return -likelihood / (self.total("numeric_cells") + self.total("categorical_cells")).clamp_min(1)

    def _weights(self) -> Tensor:
        if self.pairs is None:
            raise ValueError("these tasks have no rivals")
        return self.pairs

    @property
    def paired(self) -> Tensor:
        """Number of tables that have rivals."""
        return self._weights().sum().round()

    @property
    def contrast(self) -> Tensor:
        """Balanced log-loss of telling rows from their rivals, mean over tables; log 2 by chance."""
        own, rival = (self.numeric + self.categorical + self.missing).chunk(2, 1)
        return (self._weights() * F.softplus(rival - own)).sum() / self.paired.clamp_min(1)


@torch.no_grad()
def add_rivals(tasks: Tasks, generator: torch.Generator) -> tuple[Tasks, Tensor]:
    """Add to every row to predict the same row under another label.

    The label is drawn evenly from those that rows to predict have under the same grouping attributes.

    Returns `tasks`: with twice as many rows to predict: the rivals follow. `pairs` (Tensor, shape (B, M)): weights:
    groups count equally, and those of a table add to one; 0 for a row without a rival.

    >>> values = torch.tensor([[[0.0, 1.5], [1.0, 2.5], [0.0, 9.0], [1.0, 8.0]]])
    >>> flags = torch.tensor([[True, False]])
    >>> tasks, pairs = add_rivals(Tasks(values, flags, flags, torch.ones(1, 2), 2), torch.Generator())
    >>> tasks.values[0, 4:].tolist(), pairs.tolist()
    ([[1.0, 9.0], [0.0, 8.0]], [[0.5, 0.5]])
    """
    asked, usable = tasks.values[:, tasks.context :], tasks.weight > 0
    label = asked[..., 0]
    attributes = torch.where(tasks.given[:, None], asked, 0)[..., 1:]
    alike = (attributes[:, :, None] == attributes[:, None]).all(-1) & usable[:, None]  # B M M
    other = label[:, :, None] != label[:, None]
    size = (alike & ~other).sum(-1).clamp_min(1)  # B M  rows to predict of the group
    chance = (alike & other) / size[:, None]
    paired = usable & (chance.sum(-1) > 0)
    chance = torch.where(paired[..., None], chance, 1.0).flatten(0, 1)
    pick = torch.multinomial(chance, 1, generator=generator).reshape(label.shape)
    rivals = torch.cat([label.gather(1, pick)[..., None], asked[..., 1:]], -1)
    pairs = paired / size
    pairs = pairs / pairs.sum(1, keepdim=True).clamp_min(1e-9)
    twice = torch.cat([tasks.weight, tasks.weight], 1)
    return replace(tasks, values=torch.cat([tasks.values, rivals], 1), weight=twice), pairs


@torch.no_grad()
def prepare(config: ModelConfig, tasks: Tasks, generator: torch.Generator, pairs: Tensor | None = None) -> Prepared:
    """Encode tasks: context maps, scores, chain, and the network's inputs.

    `pairs`: weights of the tasks' rivals, where :func:`add_rivals` added some.

    >>> from makeweight.generators.transformer.config import PriorConfig
    >>> from makeweight.generators.transformer.prior import Shape, draw_tasks
    >>> generator = torch.Generator().manual_seed(0)
    >>> tasks = draw_tasks(PriorConfig(), Shape(2, 40, 8, 5), generator)
    >>> prepare(ModelConfig(), tasks, generator).missing.shape
    torch.Size([2, 8, 5])
    """
    rows = tasks.context
    known, flags = tasks.values[:, :rows], (tasks.categorical, tasks.given)
    context = fit_context(known, *flags, config.identity, generator)
    cells = encode_cells(context, tasks.values)
    groups = cells.code[..., 0].clamp_min(0)
    laws = experts(context, cells, groups)
    asked = groups[:, rows:]
    index = asked[..., None].expand(-1, -1, cells.score.shape[-1])
    missing = context.missing.gather(1, index)
    size = context.sizes.gather(1, asked)[..., None].expand_as(index)
    numbers = config.frequencies
    inputs = Inputs(
        content=content_numbers(cells, laws, numbers),
        codes=code_vectors(context, cells.code),
        query=query_numbers(laws[:, rows:], size, rows, missing, numbers),
        column=context.column_vectors,
        summary=context.summary,
    )
    last = Cells(*(getattr(cells, name)[:, rows:] for name in Cells.__dataclass_fields__))
    counted = last.known & (tasks.weight > 0)[..., None] & ~tasks.given[:, None]
    return Prepared(inputs, context, last, laws[:, rows:], asked, missing, counted, pairs)


def _scores(
    prepared: Prepared,
    numeric: Callable[[Tensor, Tensor], Tensor],
    pointer: Callable[[Tensor, Tensor], Tensor],
    missing: Callable[[], Tensor],
    reach: float,
) -> CellScores:
    """Score cells with functions that predict numeric columns, categorical columns, and missing cells."""
    context, cells = prepared.context, prepared.cells
    present = prepared.counted & ~cells.missing
    free = ~context.given
    nothing = prepared.missing.new_zeros(prepared.groups.shape)  # B M
    tables, columns = (free & ~context.categorical).nonzero(as_tuple=True)
    pick = (tables, slice(None), columns)
    mass = interval_log_mass(numeric(tables, columns), cells.low[pick], cells.score[pick], cells.high[pick], reach)
    number = nothing.index_add(0, tables, torch.where(present[pick], mass, 0))
    number_cells = nothing.index_add(0, tables, present[pick].to(nothing.dtype))
    tables, columns = (free & context.categorical).nonzero(as_tuple=True)
    pick = (tables, slice(None), columns)
    same = context.codes[tables, :, columns][:, None] == cells.code[pick][..., None]  # P M N
    counted = present[pick] & same.any(-1)
    weights = pointer(tables, columns).masked_fill(~same, NEVER)
    category = nothing.index_add(0, tables, torch.where(counted, weights.logsumexp(-1), 0))
    category_cells = nothing.index_add(0, tables, counted.to(nothing.dtype))
    can_miss = prepared.counted & (prepared.missing > 0)
    gone = cells.missing.to(mass.dtype)
    entropy = F.binary_cross_entropy_with_logits(missing(), gone, reduction="none")
    return CellScores(
        *(number, category, -torch.where(can_miss, entropy, 0).sum(-1)),
        *(number_cells, category_cells, can_miss.sum(-1)),
        prepared.pairs,
    )


def network_scores(network: Network, prepared: Prepared, streams: tuple[Tensor, Tensor]) -> CellScores:
    """Score the cells with the network's output streams.

    `network`: on torch tensors. `streams`: what ``network(prepared.inputs, rows)`` returned.
    """
    content, query = streams

    def numeric(tables: Tensor, columns: Tensor) -> Tensor:
        pick = (tables, slice(None), columns)
        density: Tensor = network.log_density(query[pick], prepared.laws[pick], content.shape[1])
        return density

    def pointer(tables: Tensor, columns: Tensor) -> Tensor:
        pick = (tables, slice(None), columns)
        laws = prepared.laws[pick]
        base = pointer_base(prepared.context, tables, columns, prepared.groups[tables], laws)
        weights: Tensor = network.log_pointer(query[pick], network.point_to(content[pick]), *base)
        return weights

    def missing() -> Tensor:
        odds: Tensor = network.missing_logit(query, prepared.missing)
        return odds

    return _scores(prepared, numeric, pointer, missing, network.config.reach)


def closed_form_scores(config: ModelConfig, prepared: Prepared) -> CellScores:
    """Score the cells in closed form, as an untrained network does: chain and kernel regression pooled."""
    parameters = untrained(config, np.random.default_rng(0)).parameters  # random ones of which play no part
    device = prepared.missing.device
    network = Network(config, {name: torch.as_tensor(value, device=device) for name, value in parameters.items()})
    shape = (*prepared.missing.shape, config.width)
    nothing = prepared.missing.new_zeros(()).expand(shape)
    rows = prepared.context.rows.shape[1]
    content = prepared.missing.new_zeros(()).expand(shape[0], rows, *shape[2:])
    with torch.no_grad():
        return network_scores(network, prepared, (content, nothing))


def chain_scores(config: ModelConfig, prepared: Prepared) -> CellScores:
    """Score the cells by the pooled-covariance Gaussian chain alone."""
    chain = prepared.laws.chain
    return closed_form_scores(config, replace(prepared, laws=Experts(chain, chain)))


def marginal_scores(config: ModelConfig, prepared: Prepared) -> CellScores:
    """Score the cells by the context's columns alone, without the group and the other columns."""
    context = prepared.context
    width = 2 * config.reach / config.bins
    centre = torch.linspace(-config.reach + width / 2, config.reach - width / 2, config.bins)
    normal = (-0.5 * centre**2).log_softmax(-1).to(prepared.missing.device)

    def numeric(tables: Tensor, columns: Tensor) -> Tensor:
        return normal.expand(len(tables), prepared.missing.shape[1], -1)

    def pointer(tables: Tensor, columns: Tensor) -> Tensor:
        held = context.codes[tables, :, columns] >= 0
        even = torch.where(held, 0.0, NEVER).log_softmax(-1)
        return even[:, None].expand(-1, prepared.missing.shape[1], -1)

    def missing() -> Tensor:
        share = (context.sizes[..., None] * context.missing).sum(1) / context.sizes.sum(1)[:, None]
        return torch.logit(share.clamp(1e-4, 1 - 1e-4))[:, None].expand_as(prepared.missing)

    return _scores(prepared, numeric, pointer, missing, config.reach)
