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
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from makeweight.generators.transformer.arrays import Array, of
from makeweight.generators.transformer.initial import Initial
from makeweight.generators.transformer.labels.config import LabelModelConfig
from makeweight.generators.transformer.labels.evidence import EXPERTS, Evidence
from makeweight.generators.transformer.network import joined, split

__all__ = ["LabelInputs", "LabelModel", "untrained"]

CELL, COLUMN, ROW = 12, 6, 2 * len(EXPERTS) + 1  # numbers of a cell, of a column, of a row
TRUST = 0.5  # in an expert, per nat that it saves more than another, before training
MOST_ROWS = 100.0  # of the rarer label that are counted
IN_CACHE = 2**18  # logits of attention at once, where no gradients are taken
SPEEDS = (0.5, 1.0, 2.0, 4.0)  # of the waves of a score


@dataclass(frozen=True)
class LabelInputs:
    """What the network reads of a batch of tables."""

    cell: Array  # B R D CELL
    column: Array  # B D COLUMN
    row: Array  # B R ROW
    table: Array  # B 2  sizes
    alike: Array  # B R N  similarity to the rows that are learned from, at most 0
    evidence: Array  # B R X
    saved: Array  # B X  nats that every expert saves on all rows of the rarer label, a hundred at most
    label: Array  # B N


def inputs_of(evidence: Evidence, most_columns: int) -> LabelInputs:
    """Arrange evidence for the network: columns in the order of their strength, the weakest left out."""
    xp = of(evidence.score)
    order = xp.argsort(-evidence.strength)[:, :most_columns]
    strength, categorical = (xp.take(x, order, 1) for x in (evidence.strength, xp.single(evidence.categorical)))
    score, cell, missing = (
        xp.take(x, order[:, None], 2) for x in (evidence.score, evidence.cell.clip(-4, 4), xp.single(evidence.missing))
    )
    angle = score[..., None] * xp.array(np.array(SPEEDS, np.float32), score)
    nothing = xp.zeros(score.shape, score)
    plain = xp.stack([score, cell, missing, categorical[:, None] + nothing], axis=-1)
    cells = xp.concatenate([plain, xp.sin(angle), xp.cos(angle)], axis=-1)
    rows, columns = evidence.label.shape[1], order.shape[1]
    known = cell[:, :rows]
    spread = xp.sqrt(((known - known.mean(axis=1)[:, None]) ** 2).sum(axis=1) / (rows - 1))
    place = xp.single(xp.arange(columns, score)) / 10
    table_wide = [strength * 5, spread, missing[:, :rows].mean(axis=1), categorical]
    column = xp.stack([*table_wide, *(x + nothing[:, 0] for x in (place, math.log(rows) / 6))], axis=-1)
    share = evidence.label.mean(axis=1)[:, None]  # B 1
    experts = [evidence.row / 2, evidence.quality[:, None] * 4 + 0 * evidence.row]
    row = xp.concatenate([*experts, share[..., None] - 0.5 + nothing[..., :1]], axis=-1)
    table = xp.concatenate([0 * share + math.log(rows) - 5, xp.log(share / (1 - share)) / 2], axis=-1)
    ones = evidence.label.sum(axis=1)[:, None]
    saved = evidence.quality * xp.minimum(ones, rows - ones).clip(None, MOST_ROWS)
    return LabelInputs(cells, column, row, table, evidence.alike, evidence.row, saved, evidence.label)


def closed_form(inputs: LabelInputs) -> Array:
    """Evidence of the rows to label, weighted by what every expert saves on the others: (B M)."""
    known = inputs.label.shape[1]
    weights = of(inputs.saved).softmax(TRUST * inputs.saved)[:, None]
    return (inputs.evidence[:, known:] * weights).sum(axis=-1)


def attend(q: Array, k: Array, v: Array, bias: Array | float = 0.0) -> Array:
    """Attention (… H T F) to (… H S F), with logits added."""
    return of(q).softmax(q @ k.swapaxes(-1, -2) + bias) @ v


class Part:
    """What layers share: parameters under a prefix, by their names."""

    def __init__(self, parameters: Mapping[str, Array], prefix: str = "") -> None:
        self.own = {name.removeprefix(prefix): value for name, value in parameters.items() if name.startswith(prefix)}

    def linear(self, name: str, x: Array) -> Array:
        """(… I) -> (… O)."""
        return of(x).linear(x, self.own[f"{name}.weight"], self.own.get(f"{name}.bias"))

    def norm(self, name: str, x: Array) -> Array:
        """Draw every token to mean 0 and variance 1, then to what was learned."""
        return of(x).layer_norm(x, self.own[f"{name}.weight"], self.own[f"{name}.bias"])

    def halves(self, name: str, x: Array, heads: int) -> tuple[Array, Array]:
        """Keys and values, each (… S E) -> (… H S F)."""
        both = self.linear(name, x)
        width = both.shape[-1] // 2
        return split(both[..., :width], heads), split(both[..., width:], heads)

    def small(self, name: str, x: Array) -> Array:
        """Two layers."""
        return self.linear(f"{name}.2", of(x).gelu(self.linear(f"{name}.0", x)))

    def feed(self, x: Array) -> Array:
        """Add what a small network says of every token."""
        hidden = of(x).gelu(self.linear("feed.up", self.norm("feed.norm", x)))
        return x + self.linear("feed.down", hidden)


class CellLayer(Part):
    """Cells and their row, cells and their column."""

    def __init__(self, config: LabelModelConfig, parameters: Mapping[str, Array], number: int) -> None:
        super().__init__(parameters, f"cell_layers.{number}.")
        self.heads = config.cell_heads

    def __call__(self, cells: Array, row: Array, known: int) -> tuple[Array, Array]:
        """Mix cells (B D R E) and rows (B R W), whose first N = ``known`` are learned from."""
        xp, heads = of(cells), self.heads
        x = self.norm("norm_cell", cells)
        gate = xp.softmax(self.linear("gate", x), axis=1)  # B D R pools
        pooled = (x.reshape(*gate.shape, -1) * gate[..., None]).sum(axis=1)  # B R pools F
        row = row + self.linear("gather", pooled.reshape(*row.shape[:2], -1))
        cells = cells + self.linear("tell", self.norm("norm_row", row))[:, None]
        x = self.norm("norm_column", cells)
        scale, points = (x.shape[-1] // heads) ** -0.5, self.own["points"]
        q = split(self.linear("point_query", points) * scale, heads)
        read = joined(attend(q, *self.halves("known", x[:, :, :known], heads)))  # B D P E
        q = split(self.linear("cell_query", x) * scale, heads)
        mixed = attend(q, *self.halves("read", read + points, heads))
        return self.feed(cells + self.linear("back", joined(mixed))), row


class RowLayer(Part):
    """Rows look at the rows that are learned from."""

    def __init__(self, config: LabelModelConfig, parameters: Mapping[str, Array], number: int) -> None:
        super().__init__(parameters, f"row_layers.{number}.")
        self.heads = config.row_heads

    def __call__(self, row: Array, thinking: Array, alike: Array) -> Array:
        """Mix rows (B R W) with learned ones (B S W); similarities are (B R S+N)."""
        xp, heads = of(row), self.heads
        x = self.norm("norm", row)
        known = x[:, : alike.shape[2] - thinking.shape[1]]
        k, v = self.halves("known", xp.concatenate([thinking, known], axis=1), heads)
        # attention sharpens with the logarithm of the number of rows, so that more rows do not blur it
        gain = self.own["sharp"][:, 0] + self.own["sharp"][:, 1] * math.log(known.shape[1] / 100)
        q = split(self.linear("query", x), heads) * (gain * (x.shape[-1] // heads) ** -0.5)[:, None, None]
        near = self.own["near"][:, None, None]  # how much similar rows are preferred
        every = x.shape[1]
        piece = max(1, IN_CACHE // (heads * alike.shape[2])) if isinstance(row, np.ndarray) else every
        parts = [slice(start, start + piece) for start in range(0, every, piece)]
        mixed = [attend(q[:, :, at], k, v, near * alike[:, None, at]) for at in parts]
        return self.feed(row + self.linear("out", joined(xp.concatenate(mixed, axis=2))))


class LabelModel(Part):
    """p(label | row, context) from one query per row.

    `parameters`: all of one kind: numpy arrays, or torch tensors where it is trained.

    >>> model = untrained(LabelModelConfig(), np.random.default_rng(0))
    >>> sum(p.size for p in model.own.values()) > 100_000
    True
    """

    def __init__(self, config: LabelModelConfig, parameters: Mapping[str, Array]) -> None:
        super().__init__(parameters)
        self.config = config
        self.cell_layers = [CellLayer(config, parameters, number) for number in range(config.cell_layers)]
        self.row_layers = [RowLayer(config, parameters, number) for number in range(config.row_layers)]

    def __call__(self, inputs: LabelInputs) -> Array:
        """Log-odds of label 1 if both were equally frequent, of the rows to label: (B M)."""
        xp, own = of(inputs.cell), self.own
        known, (batch, every, _) = inputs.label.shape[1], inputs.row.shape
        column = self.small("column", inputs.column) + own["place"][: inputs.column.shape[1]]
        cells = self.small("cell", inputs.cell.swapaxes(1, 2)) + column[:, :, None]  # B D R E
        asked = xp.zeros((batch, every - known), inputs.label) + 2  # 0, 1, and to be told
        label = own["label"][xp.whole(xp.concatenate([inputs.label, asked], axis=1))]
        row = self.small("row", inputs.row) + self.linear("table", inputs.table)[:, None] + label
        for mix_cells in self.cell_layers:
            cells, row = mix_cells(cells, row, known)
        row = row + self.linear("join", xp.concatenate([cells.mean(axis=1), xp.amax(cells, axis=1)], axis=-1))
        thinking = own["thinking"] + xp.zeros((batch, 1, 1), row)
        alike = xp.concatenate([xp.zeros((batch, every, thinking.shape[1]), inputs.alike), inputs.alike], axis=2)
        for mix_rows in self.row_layers:
            row = mix_rows(row, thinking, alike)
        out = xp.single(self.linear("head", self.norm("norm", row[:, known:])))
        weights = xp.softmax(xp.exp(xp.single(own["trust"])) * inputs.saved)[:, None]
        gains = own["gains"] * weights * (1 + xp.tanh(out[..., 1:]))
        return out[..., 0] + (inputs.evidence[:, known:] * gains).sum(axis=-1)


def untrained(config: LabelModelConfig, rng: np.random.Generator) -> LabelModel:
    """Return a network before its training, which *is* the closed form: its head says nothing.

    >>> bool(untrained(LabelModelConfig(), np.random.default_rng(0)).own["head.weight"].any())
    False
    """
    cell, row, start = config.cell_width, config.row_width, Initial(rng)
    # in this order the states of optimisers are kept
    start.normal("place", (config.most_columns, cell), 0.5)
    start.normal("label", (3, row), 0.5)
    start.normal("thinking", (config.thinking, row), 0.5)
    start.constant("gains", np.ones(len(EXPERTS)))
    start.constant("trust", np.array(math.log(TRUST)))
    start.small("cell", CELL, cell)
    start.small("column", COLUMN, cell)
    start.small("row", ROW, row)
    start.linear("table", 2, row)
    for number in range(config.cell_layers):
        layer, scale = f"cell_layers.{number}.", 0.3 / math.sqrt(cell)
        start.normal(f"{layer}points", (config.points, cell), 0.5)
        for name, width in (("norm_cell", cell), ("norm_row", row), ("norm_column", cell)):
            start.norm(f"{layer}{name}", width)
        start.linear(f"{layer}gate", cell, config.pools)
        start.normal(f"{layer}gather.weight", (row, cell), scale)
        start.normal(f"{layer}tell.weight", (cell, row), scale)
        for name, outputs in (("point_query", cell), ("known", 2 * cell), ("read", 2 * cell), ("cell_query", cell)):
            start.linear(f"{layer}{name}", cell, outputs, bias=False)
        start.normal(f"{layer}back.weight", (cell, cell), scale)
        _feed(start, layer, cell, config.expansion, scale)
    for number in range(config.row_layers):
        layer, scale = f"row_layers.{number}.", 0.3 / math.sqrt(row)
        start.constant(f"{layer}near", np.linspace(0, 1, config.row_heads))
        start.constant(f"{layer}sharp", np.tile([1.0, 0.0], (config.row_heads, 1)))
        start.norm(f"{layer}norm", row)
        for name, outputs in (("query", row), ("known", 2 * row)):
            start.linear(f"{layer}{name}", row, outputs, bias=False)
        start.normal(f"{layer}out.weight", (row, row), scale)
        _feed(start, layer, row, config.expansion, scale)
    start.linear("join", 2 * cell, row, bias=False)
    start.norm("norm", row)
    start.silent("head", row, 1 + len(EXPERTS))
    return LabelModel(config, start.single())


def _feed(start: Initial, layer: str, width: int, expansion: int, scale: float) -> None:
    start.norm(f"{layer}feed.norm", width)
    start.linear(f"{layer}feed.up", width, expansion * width)
    start.linear(f"{layer}feed.down", expansion * width, width)
    start.normal(f"{layer}feed.down.weight", (width, expansion * width), scale)
