"""The cached path: a context encoded once per column order, rows written cell by cell.

What the network computes for context rows does not depend on the rows to predict. :class:`TablePrompt` keeps, per
layer and column, the keys and values of the context rows; :class:`Walk` keeps, per layer, the keys and values
of the columns already written. A new cell costs the same whatever has been produced, and the result equals
the full forward pass of :class:`~makeweight.generators.transformer.model.InContextModel`.

Shapes: B column orders (each with its own context), M rows at once, otherwise as in ``model.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

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
from makeweight.generators.transformer.model import (
    InContextModel,
    code_vectors,
    content_numbers,
    query_numbers,
)
from makeweight.generators.transformer.objective import interval_log_mass

__all__ = ["Forecast", "TablePrompt", "Walk"]

BLOCK = 2_048  # cells worked on at once on a CPU: they and what is made of them stay in its cache


class TablePrompt:
    """Contexts encoded for a model: everything that does not depend on the rows to predict.

    Parameters
    ----------
    model : InContextModel
    values : Tensor, shape (B, N, D)
        Context rows in each column order; codes in categorical columns, NaN where missing. The first columns
        are the label and the grouping attributes. float64 keeps large numbers exact.
    categorical, given : Tensor of bool, shape (B, D)
    generator : torch.Generator
        Draws the random identities of columns and categories.

    Examples
    --------
    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> model = InContextModel(ModelConfig(width=16, layers=1, heads=2)).eval()
    >>> values = torch.tensor([[[0.0, 1.5], [0.0, 2.5], [1.0, 9.0]]])
    >>> flags = torch.tensor([[True, False]])
    >>> TablePrompt(model, values, flags, flags, torch.Generator().manual_seed(0)).columns
    2
    """

    @torch.no_grad()
    def __init__(
        self,
        model: InContextModel,
        values: Tensor,
        categorical: Tensor,
        given: Tensor,
        generator: torch.Generator,
    ) -> None:
        self.model = model
        self.values = values
        self.orders, self.rows, self.columns = values.shape
        context = self.context = fit_context(values, categorical, given, model.config.identity, generator)
        cells = encode_cells(context, values)
        laws = experts(context, cells, context.groups)
        numbers = content_numbers(cells, laws, model.config.frequencies)
        self.column = model.embed_column(context.column_vectors, context.summary)  # B 1 D E
        x = model.content(numbers) + model.code(code_vectors(context, cells.code)) + self.column  # B N D E
        shape = (self.orders, self.columns, model.config.heads, self.rows, -1)
        flat = x.new_empty(2, len(model.stack), self.orders, self.columns, self.rows, model.config.width)
        store = flat.view(2, len(model.stack), *shape)
        self.keys = list(zip(*store, strict=True))  # per layer, keys and values, each B D H N F
        self.targets = x.new_empty(self.orders, self.columns, self.rows, model.config.width)  # B D N E
        size = BLOCK if x.device.type == "cpu" else x[..., 0].numel()
        step = max(1, size // (self.rows * self.columns))
        for order in range(0, self.orders, step):
            part = slice(order, order + step)
            self._encode(x[part], part, size)

    def _encode(self, x: Tensor, orders: slice, size: int) -> None:
        """Run the layers over content (P N D E) of some orders, and keep what rows to predict will look at.

        Cells are worked on in blocks that stay in a processor's cache: rows together where columns are mixed,
        columns together where rows are.
        """
        model = self.model
        for layer, (keys, held) in zip(model.stack, self.keys, strict=True):
            rows = torch.split(x, max(1, size // (x.shape[0] * self.columns)), 1)
            x = torch.cat([layer.column_mix(r, *layer.column_projection(r), causal=True) for r in rows], 1)
            across = x.transpose(1, 2)  # P D N E
            mixed = []
            for at, part in _blocks(across, max(1, size // (x.shape[0] * self.rows))):
                here = (orders, at)
                keys[here], held[here] = layer.row_keys(part)
                mixed.append(layer.row_mix(part, keys[here], held[here]))
            x = torch.cat(mixed, 1).transpose(1, 2)
        self.targets[orders] = model.point_to(model.norm(x)).transpose(1, 2)


def _blocks(x: Tensor, size: int) -> Iterator[tuple[slice, Tensor]]:
    """Cut a tensor along its second dimension: where each piece lies, and the piece in memory of its own."""
    for start in range(0, x.shape[1], size):
        at = slice(start, start + size)
        yield at, x[:, at].contiguous()


@dataclass(frozen=True)
class Forecast:
    """What is known of one column of the rows being written, before its values."""

    prompt: TablePrompt
    column: int
    query: Tensor  # B M E
    laws: Experts  # B M
    groups: Tensor  # B M
    share: Tensor  # B M  of missing cells in the group

    def missing_log_odds(self) -> Tensor:
        """Log-odds that the cell is missing, −inf where the column has no missing value: (B M)."""
        logit = self.prompt.model.missing_logit(self.query, self.share)
        return torch.where(self.share > 0, logit, -torch.inf)

    def bins(self, orders: Tensor) -> Tensor:
        """Log-probabilities of the score's bins in the P orders where the column is numeric: (P M bins)."""
        return self.prompt.model.log_density(self.query[orders], self.laws[orders], self.prompt.rows)

    def weights(self, orders: Tensor) -> Tensor:
        """Log-weights of the context rows in the P orders where the column is categorical: (P M N)."""
        at = torch.full_like(orders, self.column)
        base = pointer_base(self.prompt.context, orders, at, self.groups[orders], self.laws[orders])
        keys = self.prompt.targets[orders, self.column]
        return self.prompt.model.log_pointer(self.query[orders], keys, *base)

    def split(self) -> tuple[Tensor, Tensor]:
        """Orders in which the column is numeric, and those in which it is categorical."""
        flags = self.prompt.context.categorical[:, self.column]
        return (~flags).nonzero()[:, 0], flags.nonzero()[:, 0]

    @torch.no_grad()
    def log_prob(self, cells: Cells) -> Tensor:
        """Log-probability of values of this column; −inf for what the context lacks.

        Parameters
        ----------
        cells : Cells
            Of shape (B, M, 1).

        Returns
        -------
        Tensor, shape (B, M)
        """
        reach = self.prompt.model.config.reach
        value = torch.zeros_like(self.share)
        numeric, categorical = self.split()
        if len(numeric):
            low, score, high = (t[numeric, :, 0] for t in (cells.low, cells.score, cells.high))
            value[numeric] = interval_log_mass(self.bins(numeric), low, score, high, reach)
        if len(categorical):
            codes = self.prompt.context.codes[categorical, :, self.column]
            same = codes[:, None] == cells.code[categorical]  # P M N
            weights = self.weights(categorical)
            value[categorical] = weights.masked_fill(~same, -torch.inf).logsumexp(-1)
        odds = self.missing_log_odds()
        missing = cells.missing[..., 0]
        known = cells.known[..., 0]
        out = torch.where(missing, F.logsigmoid(odds), F.logsigmoid(-odds) + value)
        return torch.where(known, out, -torch.inf)

    @torch.no_grad()
    def sample(self, uniforms: Tensor, temperature: float, may_miss: bool) -> Tensor:
        """Draw values by inverting distribution functions.

        Parameters
        ----------
        uniforms : Tensor, shape (B, M, 2)
            For the value, and for whether it is missing.
        temperature : float
        may_miss : bool
            Whether a cell may be missing where the column can be.

        Returns
        -------
        Tensor, shape (B, M)
        """
        config, prompt = self.prompt.model.config, self.prompt
        out = prompt.values.new_zeros(self.share.shape)
        at = self.column
        numeric, categorical = self.split()
        if len(numeric):
            bin_, inside = _invert(self.bins(numeric) / temperature, uniforms[numeric, :, 0])
            score = -config.reach + (bin_ + inside) * (2 * config.reach / config.bins)
            out[numeric] = from_score(prompt.context, numeric, torch.full_like(numeric, at), score).to(out.dtype)
        if len(categorical):
            row, _ = _invert(self.weights(categorical) / temperature, uniforms[categorical, :, 0])
            out[categorical] = prompt.values[categorical, :, at].gather(1, row)
        nothing = prompt.values[:, :, at].isnan().all(1, keepdim=True)
        if may_miss:
            missing = uniforms[..., 1] < torch.sigmoid(self.missing_log_odds() / temperature)
            nothing = nothing | missing
        return torch.where(nothing, torch.nan, out)


def _invert(log_weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """Index drawn by a uniform number, and where in that index's share it fell: (… K), (…) -> (…), (…)."""
    steps = log_weights.softmax(-1).cumsum(-1)
    target = (uniforms.to(steps.dtype) * steps[..., -1])[..., None]
    index = torch.searchsorted(steps, target, side="right").clamp_max(steps.shape[-1] - 1)
    end = steps.gather(-1, index)
    start = torch.where(index > 0, steps.gather(-1, (index - 1).clamp_min(0)), 0)
    inside = ((target - start) / (end - start).clamp_min(1e-12)).clamp(0, 1)
    return index[..., 0], inside[..., 0]


class Walk:
    """Rows being written through a prompt, column by column.

    Parameters
    ----------
    prompt : TablePrompt
    rows : int
        M, per order.
    """

    def __init__(self, prompt: TablePrompt, rows: int) -> None:
        self.prompt, self.rows = prompt, rows
        first = prompt.keys[0][0]
        shape = (prompt.orders, rows, first.shape[2], prompt.columns + 1, first.shape[-1])
        self.kept = [(first.new_empty(shape), first.new_empty(shape)) for _ in prompt.model.stack]
        for layer, (keys, values) in zip(prompt.model.stack, self.kept, strict=True):
            sink = layer.split(layer.sink[:, None])  # 2 H 1 F
            keys[..., :1, :], values[..., :1, :] = sink[0], sink[1]
        self.surprises = first.new_zeros(prompt.orders, rows, 0)
        self.groups = torch.zeros(prompt.orders, rows, dtype=torch.long, device=first.device)
        self.alike = Similarity(rows, prompt.context.kernel.score.shape[1], first.device)
        self.column = 0

    def _laws(self) -> Experts:
        """What closed form expects of the next column."""
        context = self.prompt.context
        chain = chain_step(context, self.groups, self.surprises, self.column)
        if self.column == 0:  # the label
            return Experts(chain, chain)
        return Experts(chain, kernel_step(context.kernel, self.alike, self.column, chain))

    def _ask(self, x: Tensor) -> Tensor:
        """Run a query (B M 1 E) through the layers; it sees the sink and the columns before."""
        for number, layer in enumerate(self.prompt.model.stack):
            x = self._mix(number, x, layer.column_query(x), slice(0, self.column + 1))
        return x

    def _keep(self, x: Tensor) -> None:
        """Run content (B M 1 E) through the layers, and keep of it what later columns look at."""
        last = len(self.kept) - 1
        for number, layer in enumerate(self.prompt.model.stack):
            here = (..., slice(self.column + 1, self.column + 2), slice(None))
            q, self.kept[number][0][here], self.kept[number][1][here] = layer.column_projection(x)
            if number < last:
                x = self._mix(number, x, q, slice(1, self.column + 2))

    def _mix(self, number: int, x: Tensor, q: Tensor, columns: slice) -> Tensor:
        """Add to cells (B M 1 E) what some columns of their row, and the context, say in one layer."""
        layer, kept, context = self.prompt.model.stack[number], self.kept[number], self.prompt.keys[number]
        x = layer.column_mix(x, q, kept[0][..., columns, :], kept[1][..., columns, :], causal=False)
        at = slice(self.column, self.column + 1)
        # one column: rows and columns change places without moving, which a transpose would hide
        turned = x.view(len(x), 1, self.rows, -1)
        return layer.row_mix(turned, context[0][:, at], context[1][:, at]).view(x.shape)

    @torch.no_grad()
    def forecast(self) -> Forecast:
        """Predict the next column."""
        prompt, at = self.prompt, self.column
        context, model = prompt.context, prompt.model
        laws = self._laws()
        share = context.missing[:, :, at].gather(1, self.groups)
        size = context.sizes.gather(1, self.groups)
        numbers = query_numbers(laws, size, prompt.rows, share, model.config.frequencies)
        x = model.query(numbers)[:, :, None] + prompt.column[:, :, at : at + 1]  # B M 1 E
        query = model.norm(self._ask(x))[:, :, 0]
        return Forecast(prompt, at, query, laws, self.groups, share)

    @torch.no_grad()
    def push(self, values: Tensor) -> Cells:
        """Write the next column: (B M) values, NaN where missing.

        Returns
        -------
        Cells
            Of shape (B, M, 1).
        """
        prompt, at = self.prompt, self.column
        context, model = prompt.context, prompt.model
        cells = self.see(values)
        if at == 0:
            self.groups = cells.code[..., 0].clamp_min(0)
        laws, score, missing = self._laws(), cells.score[..., 0], cells.missing[..., 0]
        if at + 1 < prompt.columns:  # nobody looks at the last column
            numbers = content_numbers(cells, laws[..., None], model.config.frequencies)
            codes = code_vectors(context, cells.code, slice(at, at + 1))
            x = model.content(numbers) + model.code(codes) + prompt.column[:, :, at : at + 1]
            self._keep(x)
        if at:
            self.alike.push(score, context.kernel.score[..., at])
        surprise = laws.chain.surprise(score, missing)
        self.surprises = torch.cat([self.surprises, surprise[..., None]], -1)
        self.column += 1
        return cells

    def see(self, values: Tensor) -> Cells:
        """See values (B M) of the next column through the context: cells of shape (B, M, 1)."""
        return encode_cells(self.prompt.context, values[..., None], slice(self.column, self.column + 1))
