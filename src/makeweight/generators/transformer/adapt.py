"""Fine-tuning on a user's table, judged on rows that are held out, and undone where it does not help.

The objective is that of pretraining; tasks are drawn from the table itself: a context, rows to predict that
are not in it, and a column order, all anew for every step. The network is judged before, now and then, and at
the end on the same held-out rows, and the best of what was judged is returned: the start is among it.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from makeweight.errors import GeneratorError
from makeweight.generators.transformer.contexts import draw_context
from makeweight.generators.transformer.manifest import Adaptation
from makeweight.generators.transformer.network import Network
from makeweight.generators.transformer.objective import Prepared, network_scores, prepare
from makeweight.generators.transformer.prior import Tasks
from makeweight.generators.transformer.trainable import TrainableNetwork

__all__ = ["adapt"]

RATE = 3e-4  # a seventh of pretraining's: the network knows how to read tables already
WARMUP = 10  # steps
CELLS = 5_000  # a step, as in pretraining on a CPU
QUERIES = 32  # rows to predict in a task
HELD_OUT, MOST_HELD_OUT = 0.2, 300  # share of every group's rows, and rows in all
JUDGES = 4  # column orders and contexts in which held-out rows are predicted
JUDGED, PATIENCE = 10, 3  # judgements over a whole run; so many in a row without a better one end it
FEWEST = 40  # rows; with fewer, eight held-out rows would decide


class FineTuner:
    """Draws tasks from one table, and trains and judges a network on them.

    `network`: is not changed. `values` (float64, shape (n, D)): as for
    :class:`~makeweight.generators.transformer.decode.RowModel`. `categorical`: bool, shape (D,). `device`: {"cpu",
    "cuda"}. Raises GeneratorError if the table has too few rows or no column to learn.
    """

    def __init__(
        self,
        network: Network,
        values: np.ndarray,
        categorical: np.ndarray,
        given: int,
        max_context: int,
        rng: np.random.Generator,
        device: str = "cpu",
    ) -> None:
        if len(values) < FEWEST or values.shape[1] == given:
            raise GeneratorError(
                "the table is too small to adapt to",
                got=f"{len(values)} rows, {values.shape[1]} columns",
                expected=f"{FEWEST} rows and one column beside the groups",
                hint="leave adapt at 0",
            )
        self.device = torch.device(device)
        self.model = TrainableNetwork(network, self.device)
        self.values, self.categorical, self.given = values, categorical, given
        self.max_context, self.rng = max_context, rng
        self.groups = np.unique(values[:, :given], axis=0, return_inverse=True)[1].ravel()
        self._hold_out()
        self.generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**62)))
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
        context = min(max_context, len(self.train))
        self.judge = self._tasks([self.held] * JUDGES, context)

    def _hold_out(self) -> None:
        """Put aside a share of every group that has rows to spare."""
        share = min(HELD_OUT, MOST_HELD_OUT / len(self.groups))
        held = []
        for group in np.unique(self.groups):
            rows = self.rng.permutation(np.flatnonzero(self.groups == group))
            held.append(rows[: round(share * len(rows))])
        self.held = np.sort(np.concatenate(held))
        self.train = np.setdiff1d(np.arange(len(self.groups)), self.held)

    def _tasks(self, asked: list[np.ndarray], context: int) -> Prepared:
        """One table per set of rows to predict: a column order and a context of other training rows each."""
        tables, orders = [], []
        for rows in asked:
            left = np.setdiff1d(self.train, rows)
            shown = self.rng.permutation(left[draw_context(self.groups[left], context, self.rng)])
            free = self.rng.permutation(np.arange(self.given, self.values.shape[1]))
            order = np.concatenate([np.arange(self.given), free])
            orders.append(order)
            tables.append(self.values[np.ix_(np.concatenate([shown[:context], rows]), order)])
        flags = torch.as_tensor(self.categorical[np.stack(orders)], device=self.device)
        given = torch.zeros_like(flags)
        given[:, : self.given] = True
        values = torch.as_tensor(np.stack(tables), device=self.device)
        weight = torch.ones(values.shape[0], values.shape[1] - context, device=self.device)
        tasks = Tasks(values, flags, given, weight, context)
        return prepare(self.model.config, tasks, self.generator)

    def _loss(self, network: Network, prepared: Prepared) -> torch.Tensor:
        streams = network(prepared.inputs, prepared.context.rows.shape[1])
        return network_scores(network, prepared, streams).loss

    @torch.no_grad()
    def held_out(self, network: Network) -> float:
        """Negative log-likelihood per held-out cell."""
        return float(self._loss(network.on_torch(self.device), self.judge))

    def step(self, number: int) -> None:
        """Draw tasks, predict, update."""
        queries = min(QUERIES, len(self.train) // 3)
        most = min(self.max_context, len(self.train) - queries)
        context = int(self.rng.integers(math.ceil(most / 2), most + 1))
        batch = max(1, CELLS // ((context + 2 * queries) * self.values.shape[1]))
        groups = self.groups[self.train]
        asked = [self.train[_mixed(groups, queries, self.rng)] for _ in range(batch)]
        for group in self.optimiser.param_groups:
            group["lr"] = RATE * min(1.0, number / WARMUP)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._loss(self.model.network(), self._tasks(asked, context))
        torch.autograd.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if bool(torch.isfinite(norm)):
            self.optimiser.step()


def _mixed(groups: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of n rows, half of them evenly over groups, so that rare ones are learned too."""
    even = rng.permutation(draw_context(groups, n, rng))[: n // 2]
    rest = np.setdiff1d(np.arange(len(groups)), even)
    return np.concatenate([even, rng.choice(rest, n - len(even), replace=False)])


def adapt(
    network: Network,
    values: np.ndarray,
    categorical: np.ndarray,
    given: int,
    *,
    steps: int,
    max_context: int,
    rng: np.random.Generator,
    device: str = "cpu",
) -> tuple[Network, Adaptation]:
    """Fine-tune a copy of a network on a table, and return the best of what was judged on held-out rows.

    `network`: is not changed. `values` of shape (n, D): real rows: numbers, codes in categorical columns, NaN where
    missing; the label comes first. `categorical` of shape (D,). `given`: how many leading columns name a row's group.
    `steps`: at most; it stops when held-out rows have not become likelier for a while. `device`: {"cpu", "cuda"}.
    Returns `network`, on numpy arrays; its parameters are those that float16 can hold, so that it is saved as it is;
    `adaptation`.

    >>> from makeweight.generators.transformer.config import ModelConfig
    >>> from makeweight.generators.transformer.network import untrained
    >>> network = untrained(ModelConfig(width=16, layers=1, heads=2), np.random.default_rng(0))
    >>> rng = np.random.default_rng(0)
    >>> values = np.stack([rng.integers(0, 2, 60), rng.normal(size=60)], axis=1)
    >>> flags = np.array([True, False])
    >>> adapted, adaptation = adapt(network, values, flags, 1, steps=5, max_context=40, rng=rng)
    >>> adaptation.after <= adaptation.before
    True
    """
    tuner = FineTuner(network, values, categorical, given, max_context, rng, device)
    kept = tuner.model.snapshot()
    before = best = tuner.held_out(kept)
    best_step = since = 0
    every = max(5, -(-steps // JUDGED))
    number = 0
    for number in range(1, steps + 1):
        tuner.step(number)
        if number % every and number < steps:
            continue
        judged = tuner.model.snapshot()
        score = tuner.held_out(judged)
        since += 1
        if score < best:
            kept, best, best_step, since = judged, score, number, 0
        if since >= PATIENCE:
            break
    return kept, Adaptation(number, best_step, before, best)
