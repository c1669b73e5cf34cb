"""The network, readable on paper.

Two streams of cells. *Content* has seen its own value: context rows and query rows have it. The *query*
stream exists for rows to predict only and has not seen the value it predicts. Every layer mixes twice:

* along the columns of a row, causally: content of column j sees columns up to j, the query of column j sees
  columns before j;
* along the rows of a column: every cell of either stream sees the context rows' content of its column.

Context rows never see query rows, and rows to predict never see each other, so what a context needs is
computed once and kept (:mod:`makeweight.generators.transformer.decode`).

Shapes: B tables, R rows, N context rows, M rows to predict, D columns, E width, H heads, F = E / H.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.features import Cells, Context, doubt
from makeweight.generators.transformer.kernel import Experts, Normal

__all__ = ["InContextModel", "Inputs", "Layer"]

PART = 32_768  # sequences per attention call: CUDA grids end at 65,535
NEVER = -1e9  # log-weight of what cannot be; finite, so that gradients stay finite
CONTENT_EXTRAS, QUERY_EXTRAS, SUMMARY = 9, 7, 8  # numbers beside the waves; see content_numbers


@dataclass(frozen=True)
class Inputs:
    """What the network reads of a batch of tables."""

    content: Tensor  # B R D C  numbers of every cell
    codes: Tensor  # B R D I  random identity of the cell's category, zero for numbers
    query: Tensor  # B M D Q  numbers known of a cell before its value
    column: Tensor  # B D I  random identity of the column
    summary: Tensor  # B D 8


def waves(x: Tensor, frequencies: int) -> Tensor:
    """Sines and cosines of a score, from the whole range to one bin: (…) -> (… 2·frequencies)."""
    speed = torch.exp(torch.linspace(-1.0, 3.0, frequencies, device=x.device))
    angle = x[..., None] * speed
    return torch.cat([angle.sin(), angle.cos()], -1)


def expected(law: Normal) -> list[Tensor]:
    """Two numbers of a law."""
    return [law.mean, law.deviation.log()]


def content_numbers(cells: Cells, laws: Experts, frequencies: int) -> Tensor:
    """Numbers of a cell whose value is known: (B R D) -> (B R D C)."""
    surprises = [law.surprise(cells.score, cells.missing).clamp(-6, 6) for law in (laws.chain, laws.kernel)]
    absent = cells.missing.to(cells.score.dtype)
    extras = [cells.score, *expected(laws.chain), surprises[0], absent, cells.mass / 4]
    extras += [*expected(laws.kernel), surprises[1]]
    return torch.cat([torch.stack(extras, -1), waves(cells.score, frequencies)], -1)


def query_numbers(laws: Experts, size: Tensor, rows: int, missing: Tensor, frequencies: int) -> Tensor:
    """Numbers of a cell before its value is known: (B M D) each -> (B M D Q)."""
    many = torch.full_like(missing, math.log(rows) / 4)
    extras = [*expected(laws.chain), (size + 1).log() / 4, many, missing, *expected(laws.kernel)]
    return torch.cat([torch.stack(extras, -1), waves(laws.chain.mean, frequencies)], -1)


def code_vectors(context: Context, codes: Tensor, columns: slice = slice(None)) -> Tensor:
    """Identity of every cell's category: (B R D') -> (B R D' I), zero where there is none."""
    table = context.code_vectors[:, columns]  # B D' K I
    index = codes.clamp_min(0).transpose(1, 2)[..., None].expand(-1, -1, -1, table.shape[-1])
    return torch.where((codes >= 0)[..., None], table.gather(2, index).transpose(1, 2), 0)


def attend(q: Tensor, keys: Tensor, values: Tensor, causal: bool) -> Tensor:
    """Attention over sequences (S H T F), in parts that accelerators' kernels can count."""
    if q.shape[0] <= PART:
        return F.scaled_dot_product_attention(q, keys, values, is_causal=causal)
    parts = zip(q.split(PART), keys.split(PART), values.split(PART), strict=True)  # type: ignore[no-untyped-call]
    return torch.cat([F.scaled_dot_product_attention(*part, is_causal=causal) for part in parts])


class Layer(nn.Module):
    """Attention along columns, attention along rows, and a small network per cell."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, hidden = config.width, config.expansion * config.width
        self.heads = config.heads
        self.norm_columns, self.norm_rows, self.norm_cell = (nn.RMSNorm(width) for _ in range(3))
        self.columns, self.columns_out = (nn.Linear(width, k * width, bias=False) for k in (3, 1))
        self.rows, self.rows_out = (nn.Linear(width, k * width, bias=False) for k in (3, 1))
        self.sink = nn.Parameter(torch.zeros(2, width))  # key and value that stand before the first column
        # attention sharpens with the logarithm of the number of rows, so that more rows do not blur it
        self.sharp = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(config.heads, 1))
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        for out in (self.columns_out, self.rows_out, self.down):
            nn.init.normal_(out.weight, std=0.5 / math.sqrt(width * config.layers))

    def split(self, x: Tensor) -> Tensor:
        """(… T E) -> (… H T F)."""
        return x.reshape(*x.shape[:-1], self.heads, -1).transpose(-2, -3)

    def merge(self, out: nn.Linear, heads: Tensor, like: Tensor) -> Tensor:
        """Join heads (B*S H T F) to the shape of ``like`` (B S T E), and project."""
        joined: Tensor = out(heads.transpose(1, 2).reshape(like.shape))
        return joined

    def column_projection(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values along columns, each (B R D E) -> (B R H D F)."""
        q, k, v = self.columns(self.norm_columns(x)).chunk(3, -1)
        return self.split(q), self.split(k), self.split(v)

    def column_query(self, x: Tensor) -> Tensor:
        """Queries along columns alone: (B R D E) -> (B R H D F)."""
        weight = self.columns.weight[: self.norm_columns.weight.shape[0]]
        return self.split(F.linear(self.norm_columns(x), weight))

    def sink_and(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put the sink before the columns: (B R H J F) -> (B R H 1+J F)."""
        first = self.split(self.sink[:, None].to(keys.dtype))  # 2 H 1 F
        shape = (*keys.shape[:3], 1, keys.shape[-1])
        return (
            torch.cat([first[0].expand(shape), keys], -2),
            torch.cat([first[1].expand(shape), values], -2),
        )

    def column_mix(self, x: Tensor, q: Tensor, keys: Tensor, values: Tensor, causal: bool) -> Tensor:
        """Add what the columns say: x is (B R D E), q (B R H D F), keys and values (B R H J F)."""
        mixed = attend(q.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1), causal)
        return x + self.merge(self.columns_out, mixed, x)

    def row_keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the context rows, each (B D N E) -> (B D H N F)."""
        weight = self.rows.weight[self.norm_rows.weight.shape[0] :]
        k, v = F.linear(self.norm_rows(context), weight).chunk(2, -1)
        return self.split(k), self.split(v)

    def row_mix(self, x: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Add what the context rows say, then the cell's own network: x is (B D R E)."""
        weight = self.rows.weight[: self.norm_rows.weight.shape[0]]
        q = self.split(F.linear(self.norm_rows(x), weight))  # B D H R F
        gain = self.sharp[:, 0] + self.sharp[:, 1] * math.log(keys.shape[-2] / 100)  # H
        q = q * gain[:, None, None].to(q.dtype)
        mixed = attend(q.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1), causal=False)
        x = x + self.merge(self.rows_out, mixed, x)
        hidden: Tensor = self.down(F.gelu(self.up(self.norm_cell(x))))
        return x + hidden

    def forward(self, content: Tensor, query: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """Mix content (B R D E), whose first N = ``rows`` rows are context, and query (B M D E)."""
        q, k, v = self.column_projection(content)
        mixed = self.column_mix(content, q, k, v, causal=True)
        before = self.sink_and(k[:, rows:, :, :-1], v[:, rows:, :, :-1])  # column j finds columns < j
        query = self.column_mix(query, self.column_query(query), *before, causal=True)
        cells = torch.cat([mixed, query], 1).transpose(1, 2)  # B D R+M E
        cells = self.row_mix(cells, *self.row_keys(cells[:, :, :rows]))
        cells = cells.transpose(1, 2)
        return cells[:, : content.shape[1]], cells[:, content.shape[1] :]


class InContextModel(nn.Module):
    """Predicts the cells of rows from context rows, column by column.

    Parameters
    ----------
    config : ModelConfig

    Examples
    --------
    >>> model = InContextModel(ModelConfig(width=16, layers=1, heads=2))
    >>> sum(p.numel() for p in model.parameters()) > 1000
    True
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config, width = config, config.width
        known, asked = CONTENT_EXTRAS + 2 * config.frequencies, QUERY_EXTRAS + 2 * config.frequencies
        self.content = nn.Sequential(nn.Linear(known, width), nn.GELU(), nn.Linear(width, width))
        self.query = nn.Sequential(nn.Linear(asked, width), nn.GELU(), nn.Linear(width, width))
        self.code = nn.Linear(config.identity, width, bias=False)
        self.column = nn.Linear(config.identity, width, bias=False)
        self.kind = nn.Sequential(nn.Linear(SUMMARY, width), nn.GELU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(width)
        self.bins = nn.Linear(width, config.bins)  # density of the normal score
        self.gone = nn.Linear(width, 1)  # is the cell missing
        self.point_from, self.point_to = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.trust = nn.Linear(width, 2)  # in kernel regression, against the chain: numbers, categories
        # gains of the closed-form terms: Gaussian log-density, categories' share, its change, missing share
        self.gains = nn.Parameter(torch.ones(4))
        for head in (self.bins, self.gone, self.trust, self.point_from):
            nn.init.zeros_(head.weight)  # before training the model *is* the closed form
        for head in (self.bins, self.gone, self.trust):
            nn.init.zeros_(head.bias)

    @property
    def stack(self) -> list[Layer]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def embed_column(self, column: Tensor, summary: Tensor) -> Tensor:
        """(B D I), (B D 8) -> (B 1 D E)."""
        both: Tensor = self.column(column) + self.kind(summary)
        return both[:, None]

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Content (B R D E) and query (B M D E) before the first layer."""
        column = self.embed_column(inputs.column, inputs.summary)
        return (
            self.content(inputs.content) + self.code(inputs.codes) + column,
            self.query(inputs.query) + column,
        )

    def forward(self, inputs: Inputs, rows: int) -> tuple[Tensor, Tensor]:
        """Run all layers: normalised context content (B N D E) and query (B M D E)."""
        content, query = self.embed(inputs)
        for layer in self.stack:
            content, query = layer(content, query, rows)
        return self.norm(content[:, :rows]), self.norm(query)

    def log_density(self, query: Tensor, laws: Experts, rows: int) -> Tensor:
        """Log-probabilities of the score's bins: (P M E), laws of (P M) -> (P M bins)."""
        config = self.config
        width = 2 * config.reach / config.bins
        centre = torch.linspace(-config.reach + width / 2, config.reach - width / 2, config.bins)
        centre = centre.to(query.device)

        def distance(law: Normal) -> Tensor:
            return ((centre - law.mean[..., None]) / law.deviation[..., None]) ** 2

        trust = torch.sigmoid(self.trust(query)[..., :1].float())
        pooled = (1 - trust) * self.gains[0] * distance(laws.chain) + trust * distance(laws.kernel)
        told, alone = (-0.5 * pooled).log_softmax(-1), (-0.5 * centre**2).log_softmax(-1)
        sure, unsure = doubt(rows)
        bins: Tensor = self.bins(query).float() + torch.logaddexp(told + sure, alone + unsure)
        return bins.log_softmax(-1)

    def log_pointer(
        self, query: Tensor, keys: Tensor, share: Tensor, by_chain: Tensor, by_kernel: Tensor, held: Tensor
    ) -> Tensor:
        """Log-weights of context rows: (P M E), keys (P N E), base (P M N) thrice, (P 1 N) -> (P M N)."""
        match = self.point_from(query) @ keys.transpose(1, 2) / math.sqrt(self.config.width)
        trust = torch.sigmoid(self.trust(query)[..., 1:].float())
        pooled = (1 - trust) * self.gains[2] * by_chain + trust * by_kernel
        told = (self.gains[1] * share + pooled).masked_fill(~held, NEVER).log_softmax(-1)
        alone = torch.where(held, 0.0, NEVER).log_softmax(-1)
        sure, unsure = doubt(keys.shape[1])
        logits: Tensor = match.float() + torch.logaddexp(told + sure, alone + unsure)
        return logits.masked_fill(~held, NEVER).log_softmax(-1)

    def missing_logit(self, query: Tensor, share: Tensor) -> Tensor:
        """Log-odds that a cell is missing: (P M E), (P M) -> (P M)."""
        share = share.clamp(1e-4, 1 - 1e-4)
        odds: Tensor = self.gone(query).squeeze(-1).float() + self.gains[3] * torch.logit(share)
        return odds
