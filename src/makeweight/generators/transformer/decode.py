"""Rows from a context: write, score, classify and fill in.

:class:`RowModel` knows numbers and codes only. A table's columns, groups and errors are the business of the
generator that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.transformer.arrays import of
from makeweight.generators.transformer.contexts import ColumnSpec, Draft, Request, draw_context, repeated_values
from makeweight.generators.transformer.network import Network
from makeweight.generators.transformer.prompt import TablePrompt, Walk
from makeweight.generators.transformer.threads import run_all

MEBIBYTE = 2**20
#: Contexts that begin with columns that were asked for: so many are kept.
KEPT_BEGINNINGS = 4
ROWS = 160  # written at once on a CPU: what is made of them stays in its cache
NEARLY_ALL = 0.75  # of the rows: then all are asked about a column, since content and query go together
T = TypeVar("T")


@dataclass(frozen=True)
class Contexts:
    """Encoded contexts, one per column order."""

    prompts: tuple[TablePrompt, ...]  # one per order on a CPU, one of all orders on an accelerator
    orders: np.ndarray  # int, shape (B, D)

    @property
    def rows(self) -> int:
        """Rows in a context."""
        return int(self.prompts[0].rows)

    def parts(self) -> Iterator[tuple[TablePrompt, slice]]:
        """Every prompt, and which of the orders are its own."""
        ends = np.cumsum([0, *(prompt.orders for prompt in self.prompts)]).tolist()
        for prompt, (start, end) in zip(self.prompts, pairwise(ends), strict=True):
            yield prompt, slice(start, end)


class RowModel:
    """A pretrained network looking at one table.

    `values` (float64, shape (n, D)): real rows: numbers, codes in categorical columns, NaN where missing. The first
    ``given`` columns are categorical and never missing: the label, then grouping attributes. `columns`: ColumnSpec,
    length D. `given`: how many leading columns name a row's group. `orders`: column orders, each with a context of its
    own, over which rows are spread and probabilities averaged. `max_context`: most context rows; a larger table is
    drawn from by group, anew for every order. `max_memory`: bytes for the encoded contexts and for the rows being
    written: the batch size follows from it, and orders and context rows are fewer where it does not hold them. `rng`:
    draws column orders, contexts and identities. Raises GeneratorError if the shapes do not fit, a value is infinite,
    or a group column is missing somewhere.

    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> from makeweight.generators.transformer.network import untrained
    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> values = np.array([[0, 1.5], [0, 2.5], [1, 9.0], [1, 8.0]])
    >>> rows = RowModel(network, values, [ColumnSpec(True), ColumnSpec(False, 1)], rng=np.random.default_rng(0))
    >>> rows.sample((1,), 3, np.random.default_rng(0)).shape
    (3, 2)
    """

    def __init__(
        self,
        network: Network,
        values: np.ndarray,
        columns: Sequence[ColumnSpec],
        *,
        given: int = 1,
        orders: int = 4,
        max_context: int = 1_000,
        max_memory: int = 512 * MEBIBYTE,
        rng: np.random.Generator,
    ) -> None:
        self.network = network
        self.values = np.array(values, dtype=np.float64)
        self.columns = tuple(columns)
        self.given, self.orders = given, orders
        self.max_context, self.max_memory = max_context, max_memory
        self._check()
        self.groups = np.unique(self.values[:, :given], axis=0)
        self._levels = [
            None if column.categorical else repeated_values(real)
            for column, real in zip(self.columns, self.values.T, strict=True)
        ]
        self._seed = int(rng.integers(2**62))
        self._contexts: Contexts | None = None
        self._beginning: dict[tuple[tuple[int, ...], bool], Contexts] = {}

    def _check(self) -> None:
        shape = self.values.shape
        if len(shape) != 2 or shape[1] != len(self.columns) or not len(self.values):
            raise GeneratorError("the rows do not fit the columns", got=shape, expected=f"(n ≥ 1, {len(self.columns)})")
        if not 1 <= self.given <= len(self.columns) or not all(c.categorical for c in self.columns[: self.given]):
            raise GeneratorError("group columns come first and are categorical", got=f"given={self.given}")
        if np.isinf(self.values).any():
            raise GeneratorError("a value is infinite", where=f"column {np.isinf(self.values).any(0).argmax()}")
        if np.isnan(self.values[:, : self.given]).any():
            raise GeneratorError("a group column is missing in some rows")
        if self.orders < 1:
            raise OptionError("at least one column order is needed", where="orders", got=self.orders)
        if self.max_context < 2:
            raise OptionError("a context needs rows", where="max_context", got=self.max_context, expected="≥ 2")

    # -- contexts ---------------------------------------------------------------------------------------

    @property
    def _on_cpu(self) -> bool:
        return isinstance(self.network.like, np.ndarray)

    def _run(self, tasks: Sequence[Callable[[], T]], bytes_each: int) -> list[T]:
        """Return what tasks return; as many at once as the memory holds."""
        return run_all(tasks, max(1, self.max_memory // max(1, bytes_each)) if self._on_cpu else 1)

    def _encode(self, orders: np.ndarray, rng: np.random.Generator) -> Contexts:
        """Encode contexts for column orders (B, D'): group columns first, perhaps not all columns."""
        _, codes = np.unique(self.values[:, : self.given], axis=0, return_inverse=True)
        tables, most = [], self._within_memory()[1]
        for order in orders:
            rows = rng.permutation(draw_context(codes.ravel(), most, rng))
            tables.append(self.values[np.ix_(rows, order)])
        categorical = np.array([c.categorical for c in self.columns])[orders]
        given = np.broadcast_to(np.arange(orders.shape[1]) < self.given, orders.shape).copy()
        batch = 1 if self._on_cpu else len(orders)
        parts = [slice(start, start + batch) for start in range(0, len(orders), batch)]
        tasks = [
            partial(TablePrompt, self.network, np.stack(tables[part]), categorical[part], given[part], stream)
            for part, stream in zip(parts, rng.spawn(len(parts)), strict=True)
        ]
        return Contexts(tuple(self._run(tasks, 64 * MEBIBYTE)), orders)

    def _within_memory(self) -> tuple[int, int]:
        """Column orders and context rows whose keys and values fit a third of the memory."""
        config = self.network.config
        per_row = 4 * (2 * config.layers + 1) * config.width * len(self.columns)
        room = max(2, self.max_memory // (3 * per_row))
        rows = min(self.max_context, len(self.values), room)
        return max(1, min(self.orders, room // rows)), rows

    def contexts(self) -> Contexts:
        """Return the encoded contexts; they are encoded on first use."""
        if self._contexts is None:
            rng = np.random.default_rng(self._seed)
            free = np.arange(self.given, len(self.columns))
            first = np.arange(self.given)
            count = self._within_memory()[0]
            orders = np.stack([np.concatenate([first, rng.permutation(free)]) for _ in range(count)])
            self._contexts = self._encode(orders, rng)
        return self._contexts

    def contexts_beginning(self, columns: tuple[int, ...], *, alone: bool = False) -> Contexts:
        """Return contexts whose orders begin with some columns, after the group's; with no others where `alone`."""
        key = (columns, alone)
        if key not in self._beginning:
            rng = np.random.default_rng([self._seed, alone, *columns])
            first = [*range(self.given), *columns]
            rest = np.setdiff1d(np.arange(len(self.columns)), first)
            count = self._within_memory()[0]
            orders = [np.concatenate([first, () if alone else rng.permutation(rest)]) for _ in range(count)]
            kept = list(self._beginning.items())[1 - KEPT_BEGINNINGS :]
            self._beginning = dict([*kept, (key, self._encode(np.stack(orders).astype(int), rng))])
        return self._beginning[key]

    def _bytes_per_row(self, contexts: Contexts) -> int:
        """Memory that a row takes while it is written."""
        config = self.network.config
        kept = 2 * config.layers * (contexts.orders.shape[1] + 1) * config.width
        return 4 * int(kept + 12 * contexts.rows + 8 * (config.bins + config.width * config.expansion))

    def _pieces(self, contexts: Contexts, rows: int) -> list[tuple[TablePrompt, slice, slice]]:
        """Cut so many rows per order into pieces that stay within the memory: prompt, orders and rows of each."""
        size = max(1, self.max_memory // (self._bytes_per_row(contexts) * contexts.prompts[0].orders))
        size = min(size, ROWS) if self._on_cpu else size
        size = -(-rows // max(1, -(-rows // size)))  # pieces as even as can be
        return [
            (prompt, orders, slice(start, min(rows, start + size)))
            for start in range(0, rows, max(1, size))
            for prompt, orders in contexts.parts()
        ]

    # -- what it does -----------------------------------------------------------------------------------

    def _check_group(self, group: Sequence[float]) -> np.ndarray:
        wanted = np.asarray(group, dtype=np.float64)
        if wanted.shape != (self.given,) or not (self.groups == wanted).all(1).any():
            raise GeneratorError(
                "the table has no row of this group", got=tuple(group), hint="a group needs one real row to be written"
            )
        return wanted

    def sample(
        self, group: Sequence[float], n: int, rng: np.random.Generator, *, temperature: float = 1.0, donors: float = 0.0
    ) -> np.ndarray:
        """Write rows of a group.

        `group` (float, length ``given``): codes of the label and the grouping attributes. `rng`: the first k of n rows
        are the same for every n. `temperature`: below 1, likelier values; above, more even ones. `donors`: share of
        rows that begin as a real row of the group, of which about half of the columns are kept. Returns float64, shape
        (n, D): categories that the context has, numbers within its range and of the column's decimals, NaN only in
        columns that have missing values. Raises GeneratorError if the table has no row of the group. Raises OptionError
        if the temperature is not positive.
        """
        return self.samples(group, [(n, rng)], temperature=temperature, donors=donors)[0]

    def samples(
        self, group: Sequence[float], requests: Sequence[Request], *, temperature: float = 1.0, donors: float = 0.0
    ) -> list[np.ndarray]:
        """Write rows of a group for several requests at once: to each what :meth:`sample` returns for it alone."""
        if not temperature > 0:
            raise OptionError("the temperature must be positive", got=temperature)
        wanted = self._check_group(group)
        contexts = self.contexts()
        drafts = []
        for n, rng in requests:
            known = np.full((n, len(self.columns)), np.nan)
            known[:, : self.given] = wanted
            fixed = np.broadcast_to(np.arange(len(self.columns)) < self.given, known.shape)
            if donors and len(self.columns) > self.given + 1:
                beginning = np.random.default_rng(rng.integers(2**62))
                known, fixed = self._begun(wanted, contexts.orders, n, donors, beginning)
            drafts.append(Draft(known, fixed, rng))
        return self._write(contexts, drafts, temperature, may_miss=True)

    def _begun(
        self, group: np.ndarray, orders: np.ndarray, n: int, share: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (n, D), a share of them real, and which of their cells are kept: the first of their order."""
        real = self.values[(self.values[:, : self.given] == group).all(1)]
        free = len(self.columns) - self.given
        chance = rng.random((n, 2 + free))
        kept = np.minimum((chance[:, 2:] < 0.5).sum(1), free - 1) * (chance[:, 0] < share)
        known = real[(chance[:, 1] * len(real)).astype(int)]
        place = np.argsort(orders, axis=1)[np.arange(n) % len(orders)]  # of every column in the row's order
        return known, place < self.given + kept[:, None]

    def write(
        self, contexts: Contexts, known: np.ndarray, fixed: np.ndarray, rng: np.random.Generator, temperature: float
    ) -> np.ndarray:
        """Complete rows (n, D) whose ``fixed`` cells are known, in contexts in whose orders those come first."""
        return self._write(contexts, [Draft(known, fixed, rng)], temperature, may_miss=True)[0]

    def _write(
        self, contexts: Contexts, drafts: Sequence[Draft], temperature: float, may_miss: bool
    ) -> list[np.ndarray]:
        """Complete rows whose ``fixed`` cells are known; row i of a draft goes to column order i modulo B."""
        parts = [draft.by_order(len(contexts.orders)) for draft in drafts]
        padded, given, uniforms = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
        # rows of which most has to be written come first: only the first ones are asked about a column
        place = given.sum(axis=2).argsort(axis=1, kind="stable")[..., None]
        padded, given = (np.take_along_axis(rows, place, 1) for rows in (padded, given))
        uniforms = np.take_along_axis(uniforms, place[..., None], 1)

        def write(prompt: TablePrompt, own: slice, rows: slice) -> None:
            orders = contexts.orders[own]
            xp, like = of(self.network.like), self.network.like
            walk = Walk(prompt, rows.stop - rows.start)
            for at in range(prompt.columns):
                column = orders[:, at]
                here = column[:, None, None]
                values = np.take_along_axis(padded[own, rows], here, 2)[..., 0]
                keep = np.take_along_axis(given[own, rows], here, 2)[..., 0]
                asked = int(np.flatnonzero(~keep.all(axis=0)).max(initial=-1)) + 1
                asked = asked if asked < NEARLY_ALL * walk.rows else walk.rows
                if asked:
                    chance = np.take_along_axis(uniforms[own, rows], here[..., None], 2)[:, :asked, 0]
                    drawn = walk.forecast(asked).sample(xp.array(chance, like), temperature, may_miss)
                    drawn = self.tidy(xp.to_numpy(drawn), column)
                    values[:, :asked] = np.where(keep[:, :asked], values[:, :asked], drawn)
                    np.put_along_axis(padded[own, rows], here, values[..., None], 2)
                walk.push(xp.array(values, like))

        self._each(contexts, padded.shape[1], write)
        padded = np.take_along_axis(padded, place.argsort(axis=1), 1)
        ends = np.cumsum([rows.shape[1] for rows, _, _ in parts])[:-1]
        written = (rows.transpose(1, 0, 2).reshape(-1, rows.shape[2]) for rows in np.split(padded, ends, axis=1))
        return [rows[: len(draft.known)] for rows, draft in zip(written, drafts, strict=True)]

    def _each(self, contexts: Contexts, rows: int, work: Callable[[TablePrompt, slice, slice], None]) -> None:
        """Do the work for every piece of so many rows per order: given are its prompt, its orders and its rows."""
        pieces = self._pieces(contexts, rows)
        most = max((piece[2].stop - piece[2].start for piece in pieces), default=1)
        self._run([partial(work, *piece) for piece in pieces], most * self._bytes_per_row(contexts))

    def tidy(self, drawn: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Give numbers (B, M) of columns (B,) decimals, range and, where every one repeats, real values."""
        tidy = drawn.astype(np.float64)
        for order, column in enumerate(columns):
            spec, levels = self.columns[column], self._levels[column]
            if levels is not None:
                nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, tidy[order])]
                tidy[order] = np.where(np.isnan(tidy[order]), np.nan, nearest)
            elif not spec.categorical and spec.decimals is not None:
                real = self.values[:, column]
                low, high = np.nanmin(real, initial=np.inf), np.nanmax(real, initial=-np.inf)
                tidy[order] = np.clip(np.round(tidy[order], spec.decimals), low, high)
        return tidy

    def log_prob(self, rows: np.ndarray) -> np.ndarray:
        """Log-probability of rows given their group, on the scale of normal scores.

        `rows` (shape (m, D)): as the table's; a NaN is a missing cell, and has a probability. Returns float64, shape
        (m,): of the mixture over column orders. −inf for a category, a group or a missing cell that the context lacks.
        """
        return self._log_prob(np.asarray(rows, dtype=np.float64))

    def _log_prob(self, rows: np.ndarray) -> np.ndarray:
        contexts = self.contexts()
        total = np.empty((len(rows), len(contexts.orders)))

        def score(prompt: TablePrompt, own: slice, at: slice) -> None:
            part, orders = rows[at], contexts.orders[own]
            xp, like = of(self.network.like), self.network.like
            walk = Walk(prompt, len(part))
            logs = np.zeros((prompt.orders, len(part)))
            for position in range(prompt.columns):
                values = xp.array(part[:, orders[:, position]].T.copy(), like)
                if position < self.given:
                    cells = walk.push(values)
                    possible = xp.to_numpy(cells.known & ~cells.missing)[..., 0]
                    logs[~possible] = -np.inf
                else:
                    logs += xp.to_numpy(walk.forecast().log_prob(walk.see(values)))
                    walk.push(values)
            total[at, own] = logs.T

        self._each(contexts, len(rows), score)
        return np.asarray(np.logaddexp.reduce(total, axis=1) - np.log(len(contexts.orders)))

    def predict_proba(self, rows: np.ndarray, *, prior: np.ndarray | None = None) -> np.ndarray:
        """Class probabilities by Bayes' rule: p(label | row) ∝ p(row | label) p(label).

        `rows` (shape (m, D)): the label's column is not looked at. `prior` (shape (G,)): of the labels in ascending
        order of their codes; their shares among the real rows by default. Returns shape (m, G): one column per label
        code in ascending order.
        """
        labels, counts = np.unique(self.values[:, 0], return_counts=True)
        shares = counts / counts.sum() if prior is None else np.asarray(prior, dtype=np.float64)
        if shares.shape != labels.shape or not (shares >= 0).all() or not shares.sum() > 0:
            raise OptionError("the prior needs one share per label", got=prior, expected=f"{len(labels)} shares")
        rows = np.asarray(rows, dtype=np.float64)
        logs = np.empty((len(rows), len(labels)))
        for position, label in enumerate(labels):
            asked = rows.copy()
            asked[:, 0] = label
            logs[:, position] = self._log_prob(asked)
        with np.errstate(divide="ignore"):
            logs += np.log(shares / shares.sum())
        impossible = np.isinf(logs).all(1)  # a category the context lacks says nothing about the label
        logs[impossible] = np.log(np.maximum(shares / shares.sum(), 1e-300))
        logs -= logs.max(1, keepdims=True)
        return np.asarray(np.exp(logs) / np.exp(logs).sum(1, keepdims=True))

    def impute(self, rows: np.ndarray, rng: np.random.Generator, *, temperature: float = 1.0) -> np.ndarray:
        """Fill in NaN cells by drawing them given the rest of their row.

        `rows` (shape (m, D)): group columns must be known. Returns shape (m, D): known cells are unchanged; a cell of a
        column without any real value stays NaN. Raises GeneratorError if a group column is missing.
        """
        out = np.array(rows, dtype=np.float64)
        absent = np.isnan(out)
        if absent[:, : self.given].any():
            raise GeneratorError("a group column cannot be filled in", hint="predict the label first")
        for pattern in np.unique(absent[absent.any(1)], axis=0):
            chosen = np.flatnonzero((absent == pattern).all(1))
            observed = self.given + np.flatnonzero(~pattern[self.given :])
            asked = np.flatnonzero(pattern)
            first = np.arange(self.given)
            orders = np.stack(
                [
                    np.concatenate([first, rng.permutation(observed), rng.permutation(asked)])
                    for _ in range(self._within_memory()[0])
                ]
            )
            known = out[chosen]
            fixed = np.broadcast_to(~pattern, known.shape)
            contexts = self._encode(orders, rng)
            [out[chosen]] = self._write(contexts, [Draft(known, fixed, rng)], temperature, may_miss=False)
        return out
