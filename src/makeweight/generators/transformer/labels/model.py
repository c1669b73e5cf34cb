"""The network: cells become rows, rows look at rows, and a row says how far closed form is off.

A cell's token knows its evidence and nothing of its column's name. Columns come in the order of what they say alone,
strongest first, so that their own order means nothing. In every cell layer a row's token gathers from its cells
and tells them back what it knows (rows that are learned from: their label too); a few learned points per column read
the column's known cells, and all its cells read the points. Row layers are attention to the rows that are learned from,
drawn to similar ones, and to a few learned rows beside them ("thinking rows").

The answer is a mean of closed-form evidence, weighted by what every expert saves on the context, plus a correction;
weights by row and corrections start at nothing, so that an untrained network is the closed-form classifier.

Shapes: B tables, R rows of which the first N are learned from, D columns, E and W widths, H heads, P points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.evidence import EXPERTS, Evidence

__all__ = ["LabelInputs", "LabelModel"]

CELL, COLUMN, ROW = 12, 6, 2 * len(EXPERTS) + 1  # numbers of a cell, of a column, of a row
TRUST = 0.5  # in an expert, per nat that it saves more than another, before training
MOST_ROWS = 100.0  # of the rarer label that are counted
IN_CACHE = 2**18  # logits of attention at once, where no gradients are taken
SPEEDS = (0.5, 1.0, 2.0, 4.0)  # of the waves of a score


@dataclass(frozen=True)
class LabelInputs:
    """What the network reads of a batch of tables."""

    cell: Tensor  # B R D CELL
    column: Tensor  # B D COLUMN
    row: Tensor  # B R ROW
    table: Tensor  # B 2  sizes
    alike: Tensor  # B R N  similarity to the rows that are learned from, at most 0
    evidence: Tensor  # B R X
    saved: Tensor  # B X  nats that every expert saves on all rows of the rarer label, a hundred at most
    label: Tensor  # B N


def inputs_of(evidence: Evidence, most_columns: int) -> LabelInputs:
    """Arrange evidence for the network: columns in the order of their strength, the weakest left out."""
    order = evidence.strength.argsort(1, descending=True)[:, :most_columns]
    index = order[:, None].expand(-1, evidence.score.shape[1], -1)
    score, cell = evidence.score.gather(2, index), evidence.cell.gather(2, index).clamp(-4, 4)
    missing, categorical = evidence.missing.gather(2, index).float(), evidence.categorical.gather(1, order).float()
    angle = score[..., None] * score.new_tensor(SPEEDS)
    plain = torch.stack([score, cell, missing, categorical[:, None].expand_as(score)], -1)
    cells = torch.cat([plain, angle.sin(), angle.cos()], -1)
    rows, columns = evidence.label.shape[1], order.shape[1]
    strength = evidence.strength.gather(1, order)
    gone = missing[:, :rows].mean(1)
    spread = cell[:, :rows].std(1)
    place = torch.arange(columns, device=score.device).expand_as(strength) / 10
    sizes = torch.full_like(strength, math.log(rows) / 6)
    column = torch.stack([strength * 5, spread, gone, categorical, place, sizes], -1)
    share = evidence.label.mean(1)[:, None, None].expand(-1, score.shape[1], 1)
    row = torch.cat([evidence.row / 2, evidence.quality[:, None].expand_as(evidence.row) * 4, share - 0.5], -1)
    table = torch.stack([torch.full_like(share[:, 0, 0], math.log(rows) - 5), share[:, 0, 0].logit() / 2], -1)
    ones = evidence.label.sum(1, keepdim=True)
    saved = evidence.quality * torch.minimum(ones, rows - ones).clamp_max(MOST_ROWS)
    return LabelInputs(cells, column, row, table, evidence.alike, evidence.row, saved, evidence.label)


def closed_form(inputs: LabelInputs) -> Tensor:
    """Evidence of the rows to label, weighted by what every expert saves on the others: (B M)."""
    known = inputs.label.shape[1]
    return (inputs.evidence[:, known:] * (TRUST * inputs.saved).softmax(-1)[:, None]).sum(-1)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """Attention (… H T F) to (… H S F), with logits added."""
    logits = q @ k.transpose(-1, -2)
    if bias is not None:
        logits = logits + bias
    mixed: Tensor = logits.softmax(-1).to(v.dtype) @ v
    return mixed


def split(x: Tensor, heads: int) -> Tensor:
    """(… T E) -> (… H T F)."""
    return x.reshape(*x.shape[:-1], heads, -1).transpose(-2, -3)


def merge(x: Tensor) -> Tensor:
    """(… H T F) -> (… T E)."""
    return x.transpose(-2, -3).flatten(-2)


class Feed(nn.Module):
    """A small network per token, added to it."""

    def __init__(self, width: int, expansion: int, scale: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, expansion * width), nn.Linear(expansion * width, width)
        nn.init.normal_(self.down.weight, std=scale)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.down(F.gelu(self.up(self.norm(x))))
        return out


class CellLayer(nn.Module):
    """Cells and their row, cells and their column."""

    def __init__(self, config: LabelModelConfig) -> None:
        super().__init__()
        cell, row = config.cell_width, config.row_width
        self.heads, scale = config.cell_heads, 0.3 / math.sqrt(cell)
        self.norm_cell, self.norm_row, self.norm_column = nn.LayerNorm(cell), nn.LayerNorm(row), nn.LayerNorm(cell)
        self.gate, self.gather = nn.Linear(cell, config.pools), nn.Linear(cell, row, bias=False)
        self.tell = nn.Linear(row, cell, bias=False)
        self.points = nn.Parameter(torch.randn(config.points, cell) * 0.5)
        self.point_query = nn.Linear(cell, cell, bias=False)
        self.known, self.read = nn.Linear(cell, 2 * cell, bias=False), nn.Linear(cell, 2 * cell, bias=False)
        self.cell_query = nn.Linear(cell, cell, bias=False)
        self.back = nn.Linear(cell, cell, bias=False)
        self.feed = Feed(cell, config.expansion, scale)
        for out in (self.gather, self.tell, self.back):
            nn.init.normal_(out.weight, std=scale)

    def forward(self, cells: Tensor, row: Tensor, known: int) -> tuple[Tensor, Tensor]:
        """Mix cells (B D R E) and rows (B R W), whose first N = ``known`` are learned from."""
        x = self.norm_cell(cells)
        gate = self.gate(x).softmax(1)  # B D R pools
        pooled = (x.reshape(*x.shape[:-1], gate.shape[-1], -1) * gate[..., None]).sum(1)  # B R pools F
        row = row + self.gather(pooled.flatten(-2))
        cells = cells + self.tell(self.norm_row(row))[:, None]
        x = self.norm_column(cells)
        scale = (x.shape[-1] // self.heads) ** -0.5
        k, v = self.known(x[:, :, :known]).chunk(2, -1)
        q = split(self.point_query(self.points) * scale, self.heads)
        points = merge(attend(q, split(k, self.heads), split(v, self.heads)))  # B D P E
        k, v = self.read(points + self.points).chunk(2, -1)
        mixed = attend(split(self.cell_query(x) * scale, self.heads), split(k, self.heads), split(v, self.heads))
        cells = cells + self.back(merge(mixed))
        return self.feed(cells), row


class RowLayer(nn.Module):
    """Rows look at the rows that are learned from."""

    def __init__(self, config: LabelModelConfig) -> None:
        super().__init__()
        width = config.row_width
        self.heads, scale = config.row_heads, 0.3 / math.sqrt(width)
        self.norm = nn.LayerNorm(width)
        self.query, self.known = nn.Linear(width, width, bias=False), nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.near = nn.Parameter(torch.linspace(0, 1, config.row_heads))  # how much similar rows are preferred
        # attention sharpens with the logarithm of the number of rows, so that more rows do not blur it
        self.sharp = nn.Parameter(torch.tensor([1.0, 0.0]).repeat(config.row_heads, 1))
        self.feed = Feed(width, config.expansion, scale)
        nn.init.normal_(self.out.weight, std=scale)

    def forward(self, row: Tensor, thinking: Tensor, alike: Tensor) -> Tensor:
        """Mix rows (B R W) with learned ones (S W); similarities are (B R S+N)."""
        x = self.norm(row)
        known = x[:, : alike.shape[2] - len(thinking)]
        k, v = self.known(torch.cat([thinking.expand(len(row), -1, -1).to(x.dtype), known], 1)).chunk(2, -1)
        gain = self.sharp[:, 0] + self.sharp[:, 1] * math.log(known.shape[1] / 100)
        q = split(self.query(x), self.heads) * (gain * (x.shape[-1] // self.heads) ** -0.5)[:, None, None].to(x.dtype)
        k, v = split(k, self.heads), split(v, self.heads)
        near = self.near[:, None, None].to(alike.dtype)
        pieces = 1 if torch.is_grad_enabled() else -(-self.heads * alike.numel() // IN_CACHE)
        parts = zip(q.to(k.dtype).chunk(pieces, 2), alike[:, None].chunk(pieces, 2), strict=True)
        mixed = torch.cat([attend(asking, k, v, near * similar) for asking, similar in parts], 2)
        out: Tensor = self.feed(row + self.out(merge(mixed)))
        return out


class LabelModel(nn.Module):
    """p(label | row, context) from one query per row.

    Parameters
    ----------
    config : LabelModelConfig
    """

    def __init__(self, config: LabelModelConfig) -> None:
        super().__init__()
        self.config, cell, row = config, config.cell_width, config.row_width
        self.cell = nn.Sequential(nn.Linear(CELL, cell), nn.GELU(), nn.Linear(cell, cell))
        self.column = nn.Sequential(nn.Linear(COLUMN, cell), nn.GELU(), nn.Linear(cell, cell))
        self.place = nn.Parameter(torch.randn(config.most_columns, cell) * 0.5)
        self.row = nn.Sequential(nn.Linear(ROW, row), nn.GELU(), nn.Linear(row, row))
        self.table = nn.Linear(2, row)
        self.label = nn.Parameter(torch.randn(3, row) * 0.5)  # 0, 1, and to be told
        self.cell_layers = nn.ModuleList(CellLayer(config) for _ in range(config.cell_layers))
        self.row_layers = nn.ModuleList(RowLayer(config) for _ in range(config.row_layers))
        self.thinking = nn.Parameter(torch.randn(config.thinking, row) * 0.5)
        self.join = nn.Linear(2 * cell, row, bias=False)
        self.norm, self.head = nn.LayerNorm(row), nn.Linear(row, 1 + len(EXPERTS))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.gains = nn.Parameter(torch.ones(len(EXPERTS)))
        self.trust = nn.Parameter(torch.tensor(math.log(TRUST)))

    def forward(self, inputs: LabelInputs) -> Tensor:
        """Log-odds of label 1 if both were equally frequent, of the rows to label: (B M)."""
        known = inputs.label.shape[1]
        column = self.column(inputs.column) + self.place[: inputs.column.shape[1]]
        cells = self.cell(inputs.cell.transpose(1, 2)) + column[:, :, None]  # B D R E
        label = inputs.label.long()
        label = F.pad(label, (0, inputs.row.shape[1] - known), value=2)
        row = self.row(inputs.row) + self.table(inputs.table)[:, None] + self.label[label]
        for layer in self.cell_layers:
            cells, row = layer(cells, row, known)
        row = row + self.join(torch.cat([cells.mean(1), cells.amax(1)], -1))
        alike = F.pad(inputs.alike, (len(self.thinking), 0))
        for layer in self.row_layers:
            row = layer(row, self.thinking, alike)
        out = self.head(self.norm(row[:, known:])).float()
        weights = (self.trust.float().exp() * inputs.saved).softmax(-1)[:, None]
        gains = self.gains * weights * (1 + out[..., 1:].tanh())
        answer: Tensor = out[..., 0] + (inputs.evidence[:, known:] * gains).sum(-1)
        return answer
