"""The cached path: a context encoded once per column order, rows written cell by cell.

What the network computes for context rows does not depend on the rows to predict. :class:`TablePrompt` keeps, per
layer and column, the keys and values of the context rows; :class:`Walk` keeps, per layer, the keys and values
of the columns already written. A new cell costs the same whatever has been produced, and the result equals
the full forward pass of :class:`~makeweight.generators.transformer.network.Network`.

Shapes: B column orders (each with its own context), M rows at once, otherwise as in ``network.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from makeweight.generators.transformer.arrays import Array, of
from makeweight.generators.transformer.features import (
    Cells,
    chain_step,
    encode_cells,
    experts,
    fit_context,
    from_score,
    pointer_base,
)
from makeweight.generators.transformer.kernel import Experts, Similarity, kernel_step
from makeweight.generators.transformer.network import (
    Network,
    code_vectors,
    content_numbers,
    interval_log_mass,
    query_numbers,
)

ROOM = 32  # columns for which room is made at once
BLOCK = 2_048  # cells worked on at once on a CPU: they and what is made of them stay in its cache


class TablePrompt:
    """Contexts encoded for a network: everything that does not depend on the rows to predict.

    `values` (shape (B, N, D)): context rows in each column order; codes in categorical columns, NaN where missing. The
    first columns are the label and the grouping attributes. float64 keeps large numbers exact. `categorical`, `given`:
    bool, shape (B, D). `rng`: draws the random identities of columns and categories.

    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> from makeweight.generators.transformer.network import untrained
    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> values = np.array([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = np.array([[True, False]])
    >>> TablePrompt(network, values, flags, flags, np.random.default_rng(0)).columns
    2
    """

    def __init__(self, network: Network, values: Array, categorical: Array, given: Array, rng: Any) -> None:
        self.network = network
        xp = of(network.like)
        self.values = xp.array(values, network.like)
        flags = xp.array(categorical, network.like), xp.array(given, network.like)
        self.orders, self.rows, self.columns = values.shape
        config = network.config
        context = self.context = fit_context(self.values, *flags, config.identity, rng)
        cells = encode_cells(context, self.values)
        laws = experts(context, cells, context.groups)
        numbers = content_numbers(cells, laws, config.frequencies)
        self.column = network.embed_column(context.column_vectors, context.summary)  # B 1 D E
        x = network.embed_content(numbers, code_vectors(context, cells.code), self.column)  # B N D E
        shape = (self.orders, self.columns, config.heads, self.rows, config.width // config.heads)
        self.keys = [tuple(xp.zeros(shape, x) for _ in range(2)) for _ in network.layers]  # each B D H N F
        self.targets = xp.zeros((self.orders, self.columns, self.rows, config.width), x)  # B D N E
        size = BLOCK if isinstance(x, np.ndarray) else x[..., 0].numel()
        step = max(1, size // (self.rows * self.columns))
        for order in range(0, self.orders, step):
            part = slice(order, order + step)
            self._encode(x[part], part, size)

    def _encode(self, x: Array, orders: slice, size: int) -> None:
        """Run the layers over content (P N D E) of some orders, in its place, and keep what rows to predict look at.

        Cells are worked on in blocks that stay in a processor's cache: rows together where columns are mixed,
        columns together where rows are. What comes of the last layer is pointed at, in categorical columns only.
        """
        last = self.network.layers[-1]
        across = x.swapaxes(1, 2)  # P D N E
        for layer, (keys, held) in zip(self.network.layers, self.keys, strict=True):
            for rows in _blocks(x.shape[1], size // (x.shape[0] * self.columns)):
                normed = layer.norm_columns(x[:, rows])
                seen = layer.column_keys(normed)
                x[:, rows] = layer.column_mix(x[:, rows], layer.column_query(normed), *seen, causal=True)
            for at in _blocks(self.columns, size // (x.shape[0] * self.rows)):
                here = (orders, at)
                keys[here], held[here] = layer.row_keys(across[:, at])
                if layer is not last or bool(self.context.categorical[here].any()):
                    across[:, at] = layer.row_mix(across[:, at], keys[here], held[here])
        self.targets[orders] = self.network.point_to(self.network.norm(across))


def _blocks(count: int, size: int) -> Iterator[slice]:
    """Cut so many into blocks of a size, of one at least."""
    for start in range(0, count, max(1, size)):
        yield slice(start, start + max(1, size))


@dataclass(frozen=True)
class Forecast:
    """What is known of one column of the rows being written, before its values."""

    prompt: TablePrompt
    column: int
    query: Array  # B M E
    laws: Experts  # B M
    groups: Array  # B M
    share: Array  # B M  of missing cells in the group

    def missing_log_odds(self) -> Array:
        """Log-odds that the cell is missing, −inf where the column has no missing value: (B M)."""
        logit = self.prompt.network.missing_logit(self.query, self.share)
        return of(logit).where(self.share > 0, logit, -math.inf)

    def bins(self, orders: Array) -> Array:
        """Log-probabilities of the score's bins in the P orders where the column is numeric: (P M bins)."""
        return self.prompt.network.log_density(self.query[orders], self.laws[orders], self.prompt.rows)

    def weights(self, orders: Array) -> Array:
        """Log-weights of the context rows in the P orders where the column is categorical: (P M N)."""
        at = 0 * orders + self.column
        base = pointer_base(self.prompt.context, orders, at, self.groups[orders], self.laws[orders])
        keys = self.prompt.targets[orders, self.column]
        return self.prompt.network.log_pointer(self.query[orders], keys, *base)

    def split(self) -> tuple[Array, Array]:
        """Orders in which the column is numeric, and those in which it is categorical."""
        flags = self.prompt.context.categorical[:, self.column]
        orders = of(flags).arange(len(flags), flags)
        return orders[~flags], orders[flags]

    def log_prob(self, cells: Cells) -> Array:
        """Log-probability of values of this column; −inf for what the context lacks.

        `cells`: of shape (B, M, 1). Returns Array, shape (B, M).
        """
        reach = self.prompt.network.config.reach
        xp = of(self.share)
        value = xp.zeros(self.share.shape, self.share)
        numeric, categorical = self.split()
        if len(numeric):
            low, score, high = (t[numeric, :, 0] for t in (cells.low, cells.score, cells.high))
            reach = self.prompt.network.config.reach
            value[numeric] = interval_log_mass(self.bins(numeric), low, score, high, reach)
        if len(categorical):
            codes = self.prompt.context.codes[categorical, :, self.column]
            same = codes[:, None] == cells.code[categorical]  # P M N
            value[categorical] = xp.logsumexp(xp.where(same, self.weights(categorical), -math.inf))
        odds = self.missing_log_odds()
        out = xp.where(cells.missing[..., 0], xp.log_sigmoid(odds), xp.log_sigmoid(-odds) + value)
        return xp.where(cells.known[..., 0], out, -math.inf)

    def sample(self, uniforms: Array, temperature: float, may_miss: bool) -> Array:
        """Draw values by inverting distribution functions.

        `uniforms` (Array, shape (B, M, 2)): for the value, and for whether it is missing. `may_miss`: whether a cell
        may be missing where the column can be. Returns Array, shape (B, M).
        """
        prompt, xp = self.prompt, of(self.share)
        config = prompt.network.config
        out = xp.zeros(self.share.shape, prompt.values)
        at = self.column
        numeric, categorical = self.split()
        if len(numeric):
            bin_, inside = _invert(self.bins(numeric) / temperature, uniforms[numeric, :, 0])
            score = (bin_ + inside) * (2 * config.reach / config.bins) - config.reach
            out[numeric] = from_score(prompt.context, numeric, 0 * numeric + at, score)
        if len(categorical):
            row, _ = _invert(self.weights(categorical) / temperature, uniforms[categorical, :, 0])
            out[categorical] = xp.take(prompt.values[categorical, :, at], row, 1)
        nothing = xp.isnan(prompt.values[:, :, at]).all(axis=1)[:, None]
        if may_miss:
            nothing = nothing | (uniforms[..., 1] < xp.sigmoid(self.missing_log_odds() / temperature))
        return xp.where(nothing, math.nan, out)


def _invert(log_weights: Array, uniforms: Array) -> tuple[Array, Array]:
    """Index drawn by a uniform number, and where in that index's share it fell: (… K), (…) -> (…), (…)."""
    xp = of(log_weights)
    steps = xp.softmax(log_weights).cumsum(axis=-1)
    target = uniforms[..., None] * steps[..., -1:]
    index = (steps <= target).sum(axis=-1, keepdims=True).clip(0, steps.shape[-1] - 1)
    end = xp.take(steps, index, -1)
    start = xp.where(index > 0, xp.take(steps, (index - 1).clip(0), -1), 0)
    inside = ((target - start) / (end - start).clip(1e-12)).clip(0, 1)
    return index[..., 0], inside[..., 0]


class Walk:
    """Rows being written through a prompt, column by column.

    The content of a column that was pushed waits for the query of the next one: both look at the same columns of
    their row, and go through the layers together.

    `rows`: M, per order.
    """

    def __init__(self, prompt: TablePrompt, rows: int) -> None:
        self.prompt, self.rows = prompt, rows
        first = prompt.keys[0][0]
        xp = of(first)
        nothing = xp.zeros((prompt.orders, rows, first.shape[2], 1, first.shape[-1]), first)
        self.kept = [[nothing + sink for sink in layer.sink] for layer in prompt.network.layers]
        self.surprises = xp.zeros((prompt.orders, rows, 0), first)
        self.groups = xp.whole(xp.zeros((prompt.orders, rows), first))
        self.alike = Similarity(xp.zeros((prompt.orders, rows, prompt.context.kernel.score.shape[1]), first))
        self.column = 0
        self._laws: Experts | None = None
        self._waiting: Array | None = None  # B 1 M E  content of the column before

    def laws(self) -> Experts:
        """What closed form expects of the next column."""
        if self._laws is None:
            context = self.prompt.context
            chain = chain_step(context, self.groups, self.surprises, self.column)
            law = kernel_step(context.kernel, self.alike, self.column, chain) if self.column else chain
            self._laws = Experts(chain, law)
        return self._laws

    def _keep(self, kept: list[Array], new: tuple[Array, Array]) -> None:
        """Put keys and values of a column (B M H 1 F) behind those of the columns before.

        Room for some columns more is made at a time: fewer copies, and rows still lie close together, since what is
        read with gaps takes twice as long.
        """
        at = self.column
        for which, (store, part) in enumerate(zip(kept, new, strict=True)):
            if store.shape[-2] == at:
                more = min(ROOM, self.prompt.columns + 1 - at)
                room = of(store).zeros((*store.shape[:-2], more, store.shape[-1]), store)
                kept[which] = of(store).concatenate([store, room], axis=-2)
            kept[which][..., at : at + 1, :] = part

    def _run(self, query: Array | None) -> Array | None:
        """Take waiting content, and a query of the next column (B 1 M E), through the layers; return the query.

        They go together where the query is one of all rows, so that keys and values are read once.
        """
        content, self._waiting = self._waiting, None
        streams = [] if content is None else [(content, self.column - 1)]
        if query is not None:
            streams.append((query, self.column))
        if len({x.shape[2] for x, _ in streams}) == 1:
            streams = [(of(streams[0][0]).concatenate([x for x, _ in streams], axis=1), streams[0][1])]
        for number in range(len(self.kept)):
            streams = [self._mixed(number, x, first) for x, first in streams]
        return None if query is None else streams[-1][0]

    def _mixed(self, number: int, x: Array, first: int) -> tuple[Array, int]:
        """Take cells (B S M E) of the columns from ``first`` on through a layer; return those and their first column.

        Content sees the columns up to its own, the query the sink and the columns before. Nobody looks at what content
        would become in the last layer.
        """
        layer, kept, at = self.prompt.network.layers[number], self.kept[number], self.column
        across = x.swapaxes(1, 2)  # B M S E
        normed = layer.norm_columns(across)
        if first < at:
            self._keep(kept, layer.column_keys(normed[:, :, :1]))
            if layer is self.prompt.network.layers[-1]:
                across, normed, first = across[:, :, 1:], normed[:, :, 1:], at
        rows, streams = across.shape[1:3]
        if not streams:
            return x[:, :0], first
        hidden = None
        if first < at:
            hidden = of(x).zeros((streams, at + 1), x)
            hidden[0, 0] = -math.inf
        seen = (store[:, :rows, :, : at + 1] for store in kept)
        mixed = layer.column_mix(across, layer.column_query(normed), *seen, hidden=hidden)
        shown = (part[:, first : first + streams] for part in self.prompt.keys[number])
        return layer.row_mix(mixed.swapaxes(1, 2), *shown), first

    def forecast(self, rows: int | None = None) -> Forecast:
        """Predict the next column, of the first rows or of all."""
        prompt, at = self.prompt, self.column
        context, network = prompt.context, prompt.network
        groups, laws = self.groups[:, :rows], self.laws()[:, :rows]
        xp = of(groups)
        share = xp.take(context.missing[:, :, at], groups, 1)
        size = xp.take(context.sizes, groups, 1)
        numbers = query_numbers(laws, size, prompt.rows, share, network.config.frequencies)
        query = self._run(network.embed_query(numbers[:, None], prompt.column[:, :, at : at + 1]))
        return Forecast(prompt, at, network.norm(query)[:, 0], laws, groups, share)

    def push(self, values: Array) -> Cells:
        """Write the next column: (B M) values, NaN where missing.

        Returns Cells: of shape (B, M, 1).
        """
        prompt, at = self.prompt, self.column
        context, network = prompt.context, prompt.network
        cells = self.see(values)
        self._run(None)
        if at == 0:
            self.groups, self._laws = cells.code[..., 0].clip(0), None
        laws, score, missing = self.laws(), cells.score[..., 0], cells.missing[..., 0]
        if at + 1 < prompt.columns:  # nobody looks at the last column
            numbers = content_numbers(cells, laws[..., None], network.config.frequencies)
            codes = code_vectors(context, cells.code, slice(at, at + 1))
            content = network.embed_content(numbers, codes, prompt.column[:, :, at : at + 1])
            self._waiting = content.swapaxes(1, 2)
        if at:
            self.alike.push(score, context.kernel.score[..., at])
        surprise = laws.chain.surprise(score, missing)
        self.surprises = of(surprise).concatenate([self.surprises, surprise[..., None]], axis=-1)
        self.column, self._laws = at + 1, None
        return cells

    def see(self, values: Array) -> Cells:
        """See values (B M) of the next column through the context: cells of shape (B, M, 1)."""
        return encode_cells(self.prompt.context, values[..., None], slice(self.column, self.column + 1))
