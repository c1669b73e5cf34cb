"""The network, readable on paper.

Two streams of cells. *Content* has seen its own value: context rows and query rows have it. The *query*
stream exists for rows to predict only and has not seen the value it predicts. Every layer mixes twice:

* along the columns of a row, causally: content of column j sees columns up to j, the query of column j sees
  columns before j;
* along the rows of a column: every cell of either stream sees the context rows' content of its column.

Context rows never see query rows, and rows to predict never see each other, so what a context needs is
computed once and kept (:mod:`makeweight.generators.transformer.prompt`).

Shapes: B tables, R rows, N context rows, M rows to predict, D columns, E width, H heads, F = E / H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from makeweight.generators.transformer.arrays import Array, of
from makeweight.generators.transformer.config import ModelConfig
from makeweight.generators.transformer.features import Cells, Context, doubt
from makeweight.generators.transformer.initial import Initial
from makeweight.generators.transformer.kernel import Experts, Normal

__all__ = ["Network", "joined", "split"]

NEVER = -1e9  # log-weight of what cannot be; finite, so that gradients stay finite
LEAST = 1e-37  # of a probability whose logarithm is taken; smaller ones are of what cannot be
CONTENT_EXTRAS, QUERY_EXTRAS, SUMMARY = 9, 7, 8  # numbers beside the waves; see content_numbers


@dataclass(frozen=True)
class Inputs:
    """What the network reads of a batch of tables."""

    content: Array  # B R D C  numbers of every cell
    codes: Array  # B R D I  random identity of the cell's category, zero for numbers
    query: Array  # B M D Q  numbers known of a cell before its value
    column: Array  # B D I  random identity of the column
    summary: Array  # B D 8


def waves(x: Array, frequencies: int) -> Array:
    """Sines and cosines of a score, from the whole range to one bin: (…) -> (… 2·frequencies)."""
    xp = of(x)
    speed = xp.array(np.exp(np.linspace(-1.0, 3.0, frequencies)).astype(np.float32), x)
    angle = x[..., None] * speed
    return xp.concatenate([xp.sin(angle), xp.cos(angle)], axis=-1)


def expected(law: Normal) -> list[Array]:
    """Two numbers of a law."""
    return [law.mean, of(law.deviation).log(law.deviation)]


def content_numbers(cells: Cells, laws: Experts, frequencies: int) -> Array:
    """Numbers of a cell whose value is known: (B R D) -> (B R D C)."""
    xp = of(cells.score)
    surprises = [law.surprise(cells.score, cells.missing).clip(-6, 6) for law in (laws.chain, laws.kernel)]
    extras = [cells.score, *expected(laws.chain), surprises[0], xp.single(cells.missing), cells.mass / 4]
    extras += [*expected(laws.kernel), surprises[1]]
    return xp.concatenate([xp.stack(extras, axis=-1), waves(cells.score, frequencies)], axis=-1)


def query_numbers(laws: Experts, size: Array, rows: int, missing: Array, frequencies: int) -> Array:
    """Numbers of a cell before its value is known: (B M D) each -> (B M D Q)."""
    xp = of(missing)
    many = xp.zeros(missing.shape, missing) + math.log(rows) / 4
    extras = [*expected(laws.chain), xp.log(size + 1) / 4, many, missing, *expected(laws.kernel)]
    return xp.concatenate([xp.stack(extras, axis=-1), waves(laws.chain.mean, frequencies)], axis=-1)


def code_vectors(context: Context, codes: Array, columns: slice = slice(None)) -> Array:
    """Identity of every cell's category: (B R D') -> (B R D' I), zero where there is none."""
    xp = of(codes)
    index = codes.clip(0).swapaxes(1, 2)[..., None]
    vectors = xp.take(context.code_vectors[:, columns], index, 2).swapaxes(1, 2)
    return xp.where((codes >= 0)[..., None], vectors, 0)


def interval_log_mass(log_bins: Array, low: Array, score: Array, high: Array, reach: float) -> Array:
    """Log-probability of a score's interval under binned densities.

    `log_bins` (Array, shape (…, bins)): log-probabilities of equal bins over [−reach, reach]. `low`, `score`, `high`
    (Array, shape (…)): the interval and the score in it; an empty interval stands for its bin. Returns Array, shape
    (…).

    >>> even = np.log(np.full((1, 4), 0.25))
    >>> round(float(np.exp(interval_log_mass(even, *np.array([[-1.0], [0.5], [2.0]]), reach=2.0))[0]), 2)
    0.75
    """
    xp = of(log_bins)
    bins = log_bins.shape[-1]
    to_bins = bins / (2 * reach)
    edges = xp.single(xp.arange(bins, score))
    start = ((low + reach) * to_bins).clip(0, bins)[..., None]
    end = ((high + reach) * to_bins).clip(0, bins)[..., None]
    overlap = (xp.minimum(end, edges + 1) - xp.maximum(start, edges)).clip(0, 1)
    own = xp.whole(((score + reach) * to_bins).clip(0, bins - 1))[..., None] == edges
    overlap = xp.where(end - start > 1e-3, overlap, xp.single(own))
    return xp.logsumexp(log_bins + xp.log(overlap))


def split(x: Array, heads: int) -> Array:
    """(… T E) -> (… H T F)."""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(-2, -3)


def joined(heads: Array) -> Array:
    """(… H T F) -> (… T E)."""
    out = heads.swapaxes(-2, -3)
    return out.reshape(*out.shape[:-2], -1)


def blend(logits: Array, alone: Array, rows: int) -> Array:
    """Log-probabilities of what is told (logits) and of the column on its own, which N rows leave in doubt."""
    xp = of(logits)
    sure, unsure = (math.exp(weight) for weight in doubt(rows))
    return xp.log((sure * xp.softmax(logits) + unsure * alone).clip(LEAST))


class Layer:
    """Attention along columns, attention along rows, and a small network per cell.

    `parameters`: of all layers. `number`: which of them.
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array], number: int) -> None:
        self.heads, self.width = config.heads, config.width
        prefix = f"layers.{number}."
        self.own = {name[len(prefix) :]: value for name, value in parameters.items() if name.startswith(prefix)}
        self.sink = split(self.own["sink"][:, None], self.heads)  # 2 H 1 F  key and value before the first column

    def _norm(self, name: str, x: Array) -> Array:
        return of(x).rms_norm(x, self.own[f"norm_{name}.weight"])

    def norm_columns(self, x: Array) -> Array:
        """Return cells as the attention along columns reads them."""
        return self._norm("columns", x)

    def column_query(self, normed: Array) -> Array:
        """Queries along columns: (… D E) -> (… H D F)."""
        return split(of(normed).linear(normed, self.own["columns.weight"][: self.width]), self.heads)

    def column_keys(self, normed: Array) -> tuple[Array, Array]:
        """Keys and values along columns, each (… D E) -> (… H D F)."""
        both = of(normed).linear(normed, self.own["columns.weight"][self.width :])
        return split(both[..., : self.width], self.heads), split(both[..., self.width :], self.heads)

    def sink_and(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Put the sink before the columns: (B R H J F) -> (B R H 1+J F)."""
        xp = of(keys)
        nothing = xp.zeros((*keys.shape[:3], 1, keys.shape[-1]), keys)
        parts = zip(self.sink, (keys, values), strict=True)
        first, second = (xp.concatenate([nothing + sink, rest], axis=-2) for sink, rest in parts)
        return first, second

    def column_mix(
        self, x: Array, q: Array, keys: Array, values: Array, *, causal: bool = False, hidden: Array | None = None
    ) -> Array:
        """Add what the columns say: x is (B R D E), q (B R H D F), keys and values (B R H J F)."""
        xp = of(x)
        mixed = joined(xp.attend(q, keys, values, causal=causal, hidden=hidden))
        return x + xp.linear(mixed, self.own["columns_out.weight"])

    def row_keys(self, context: Array) -> tuple[Array, Array]:
        """Keys and values of the context rows, each (B D N E) -> (B D H N F)."""
        both = of(context).linear(self._norm("rows", context), self.own["rows.weight"][self.width :])
        return split(both[..., : self.width], self.heads), split(both[..., self.width :], self.heads)

    def row_mix(self, x: Array, keys: Array, values: Array) -> Array:
        """Add what the context rows say, then the cell's own network: x is (B D R E)."""
        xp, own = of(x), self.own
        q = split(xp.linear(self._norm("rows", x), own["rows.weight"][: self.width]), self.heads)  # B D H R F
        # attention sharpens with the logarithm of the number of rows, so that more rows do not blur it
        gain = own["sharp"][:, 0] + own["sharp"][:, 1] * math.log(keys.shape[-2] / 100)  # H
        mixed = joined(xp.attend(q * gain[:, None, None], keys, values))
        x = x + xp.linear(mixed, own["rows_out.weight"])
        hidden = xp.gelu(xp.linear(self._norm("cell", x), own["up.weight"], own["up.bias"]))
        return x + xp.linear(hidden, own["down.weight"], own["down.bias"])

    def mix(self, content: Array, query: Array, rows: int) -> tuple[Array, Array]:
        """Mix content (B R D E), whose first N = ``rows`` rows are context, and query (B M D E)."""
        xp = of(content)
        normed = self.norm_columns(content)
        k, v = self.column_keys(normed)
        mixed = self.column_mix(content, self.column_query(normed), k, v, causal=True)
        before = self.sink_and(k[:, rows:, :, :-1], v[:, rows:, :, :-1])  # column j finds columns < j
        query = self.column_mix(query, self.column_query(self.norm_columns(query)), *before, causal=True)
        cells = xp.concatenate([mixed, query], axis=1).swapaxes(1, 2)  # B D R+M E
        cells = self.row_mix(cells, *self.row_keys(cells[:, :, :rows])).swapaxes(1, 2)
        return cells[:, : content.shape[1]], cells[:, content.shape[1] :]


class Network:
    """Predicts the cells of rows from context rows, column by column.

    `parameters`: all of one kind: numpy arrays, or torch tensors where it is trained or runs on a GPU.

    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> sum(p.size for p in network.parameters.values()) > 1000
    True
    """

    def __init__(self, config: ModelConfig, parameters: Mapping[str, Array]) -> None:
        self.config, self.parameters = config, parameters
        self.layers = [Layer(config, parameters, number) for number in range(config.layers)]
        self.like = parameters["gains"]
        """An array of the kind that the network takes, where it takes them."""

    def on_torch(self, device: Any) -> Network:
        """Return the network on tensors of a device."""
        on_torch = import_module("makeweight.generators.transformer.on_torch")
        return Network(self.config, {name: on_torch.array(value, device) for name, value in self.parameters.items()})

    def _linear(self, name: str, x: Array) -> Array:
        return of(x).linear(x, self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias"))

    def _small(self, name: str, x: Array) -> Array:
        return self._linear(f"{name}.2", of(x).gelu(self._linear(f"{name}.0", x)))

    def norm(self, x: Array) -> Array:
        """Return cells as the heads read them."""
        return of(x).rms_norm(x, self.parameters["norm.weight"])

    def point_to(self, content: Array) -> Array:
        """Return what pointers of categorical columns are compared with, of normalised content (… E)."""
        return self._linear("point_to", content)

    def embed_column(self, column: Array, summary: Array) -> Array:
        """(B D I), (B D 8) -> (B 1 D E)."""
        return (self._linear("column", column) + self._small("kind", summary))[:, None]

    def embed_content(self, numbers: Array, codes: Array, column: Array) -> Array:
        """Content (B R D E) before the first layer."""
        return self._small("content", numbers) + self._linear("code", codes) + column

    def embed_query(self, numbers: Array, column: Array) -> Array:
        """Query (B M D E) before the first layer."""
        return self._small("query", numbers) + column

    def __call__(
        self, inputs: Inputs, rows: int, mix: Callable[[Layer, Array, Array, int], tuple[Array, Array]] = Layer.mix
    ) -> tuple[Array, Array]:
        """Run all layers: normalised context content (B N D E) and query (B M D E)."""
        column = self.embed_column(inputs.column, inputs.summary)
        content = self.embed_content(inputs.content, inputs.codes, column)
        query = self.embed_query(inputs.query, column)
        for layer in self.layers:
            content, query = mix(layer, content, query, rows)
        return self.norm(content[:, :rows]), self.norm(query)

    def _trust(self, query: Array) -> Array:
        """In kernel regression, against the chain: (… E) -> (… 2), for numbers and for categories."""
        xp = of(query)
        return xp.sigmoid(xp.single(self._linear("trust", query)))

    def log_density(self, query: Array, laws: Experts, rows: int) -> Array:
        """Log-probabilities of the score's bins: (P M E), laws of (P M) -> (P M bins)."""
        xp, config = of(query), self.config
        width = 2 * config.reach / config.bins
        centres = (np.arange(config.bins) + 0.5) * width - config.reach
        normal = np.exp(-0.5 * centres**2)
        centre, alone = (xp.array(x.astype(np.float32), query) for x in (centres, normal / normal.sum()))

        def distance(law: Normal) -> Array:
            return ((centre - law.mean[..., None]) / law.deviation[..., None]) ** 2

        trust = self._trust(query)[..., :1]
        pooled = (1 - trust) * self.parameters["gains"][0] * distance(laws.chain) + trust * distance(laws.kernel)
        bins = xp.single(self._linear("bins", query))
        return xp.log_softmax(bins + blend(-0.5 * pooled, alone, rows))

    def log_pointer(
        self, query: Array, keys: Array, share: Array, by_chain: Array, by_kernel: Array, held: Array
    ) -> Array:
        """Log-weights of context rows: (P M E), keys (P N E), base (P M N) thrice, (P 1 N) -> (P M N)."""
        xp, gains = of(query), self.parameters["gains"]
        match = self._linear("point_from", query) @ keys.swapaxes(1, 2) / math.sqrt(self.config.width)
        trust = self._trust(query)[..., 1:]
        pooled = (1 - trust) * gains[2] * by_chain + trust * by_kernel
        other = xp.where(held, gains[1] * share + pooled, NEVER)
        alone = xp.single(held) / xp.single(held).sum(axis=-1, keepdims=True).clip(1)
        return xp.log_softmax(xp.where(held, xp.single(match) + blend(other, alone, keys.shape[1]), NEVER))

    def missing_logit(self, query: Array, share: Array) -> Array:
        """Log-odds that a cell is missing: (P M E), (P M) -> (P M)."""
        xp = of(query)
        share = share.clip(1e-4, 1 - 1e-4)
        odds = xp.single(self._linear("gone", query)[..., 0])
        return odds + self.parameters["gains"][3] * xp.log(share / (1 - share))


def untrained(config: ModelConfig, rng: np.random.Generator) -> Network:
    """Return a network before its training, which *is* the closed form: its heads say nothing.

    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> bool(network.parameters["bins.weight"].any())
    False
    """
    width, hidden = config.width, config.expansion * config.width
    known, asked = CONTENT_EXTRAS + 2 * config.frequencies, QUERY_EXTRAS + 2 * config.frequencies
    start = Initial(rng)
    # in this order the states of optimisers are kept
    start.small("content", known, width)
    start.small("query", asked, width)
    for name in ("code", "column"):
        start.linear(name, config.identity, width, bias=False)
    start.small("kind", SUMMARY, width)
    for number in range(config.layers):
        layer = f"layers.{number}."
        for name in ("columns", "rows", "cell"):
            start.constant(f"{layer}norm_{name}.weight", np.ones(width))
        for name in ("columns", "rows"):
            start.linear(f"{layer}{name}", width, 3 * width, bias=False)
            start.linear(f"{layer}{name}_out", width, width, bias=False)
        start.linear(f"{layer}up", width, hidden)
        start.linear(f"{layer}down", hidden, width)
        for name in ("columns_out", "rows_out", "down"):
            shape = start.arrays[f"{layer}{name}.weight"].shape
            start.normal(f"{layer}{name}.weight", shape, 0.5 / math.sqrt(width * config.layers))
        start.constant(f"{layer}sink", np.zeros((2, width)))
        start.constant(f"{layer}sharp", np.tile([1.0, 0.0], (config.heads, 1)))
    start.constant("norm.weight", np.ones(width))
    for name, outputs in (("bins", config.bins), ("gone", 1)):
        start.silent(name, width, outputs)
    start.constant("point_from.weight", np.zeros((width, width)))
    start.linear("point_to", width, width, bias=False)
    start.silent("trust", width, 2)
    # gains of the closed-form terms: Gaussian log-density, categories' share, its change, missing share
    start.constant("gains", np.ones(4))
    return Network(config, start.single())
