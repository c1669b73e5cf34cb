"""Fixed validation tasks and what closed form scores on them.

The tasks depend on the configuration's seed alone and are drawn on the CPU, so that every run, on any
device, is judged on the same tables. No step of training uses their seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch

from makeweight.generators.transformer.arrays import to_torch
from makeweight.generators.transformer.config import Config
from makeweight.generators.transformer.objective import (
    CellScores,
    Prepared,
    add_rivals,
    chain_scores,
    closed_form_scores,
    marginal_scores,
    network_scores,
    prepare,
)
from makeweight.generators.transformer.prior import Shape, draw_tasks
from makeweight.generators.transformer.trainable import TrainableNetwork

__all__ = ["Figures"]

KINDS = ("numeric", "categorical", "missing")
TASKS_PER_SHAPE = 4
Figures = dict[str, float]
"""Negative log-likelihood in nats: per cell of each kind, and ``total`` per cell; ``contrast``, the balanced
log-loss of telling rows from their rivals."""


def validation_batches(config: Config, device: torch.device) -> Iterator[Prepared]:
    """Draw the validation tasks: shapes spread evenly over contexts and columns."""
    prior, train = config.prior, config.train
    rng = np.random.default_rng([train.seed, 1])
    count = train.validation_tasks // TASKS_PER_SHAPE
    sizes = np.geomspace(prior.min_context, prior.max_context, count)
    columns = rng.permutation(np.linspace(1, prior.max_columns, count))
    for number in range(count):
        shape = Shape(TASKS_PER_SHAPE, round(sizes[number]), prior.queries, 1 + round(columns[number]))
        generator = torch.Generator().manual_seed(train.seed * 1000 + number)
        tasks = draw_tasks(prior, shape, generator)
        tasks, pairs = add_rivals(tasks, torch.Generator().manual_seed(number))
        prepared = prepare(config.model, tasks, generator, pairs)
        yield to_torch(prepared, device)


def _figures(batches: Iterable[Prepared], score: Callable[[Prepared], CellScores]) -> Figures:
    sums = {f"{kind}{part}": 0.0 for kind in KINDS for part in ("", "_cells")}
    contrast, tables = 0.0, 0.0
    for prepared in batches:
        scores = score(prepared)
        for name in sums:
            sums[name] += scores.total(name).item()
        contrast += (scores.contrast * scores.paired).item()
        tables += scores.paired.item()
    figures = {kind: -sums[kind] / max(1.0, sums[f"{kind}_cells"]) for kind in KINDS}
    cells = sums["numeric_cells"] + sums["categorical_cells"]
    figures["total"] = -sum(sums[kind] for kind in KINDS) / max(1.0, cells)
    figures["contrast"] = contrast / max(1.0, tables)
    return figures


@torch.no_grad()
def validate(model: TrainableNetwork, batches: Iterable[Prepared]) -> Figures:
    """Score a network on the fixed tasks, in float32.

    >>> from makeweight.generators.transformer.config import ModelConfig, PriorConfig, TrainConfig
    >>> from makeweight.generators.transformer.network import untrained
    >>> small = Config("small", ModelConfig(width=16, layers=1, heads=2), PriorConfig(max_context=20),
    ...                TrainConfig(validation_tasks=4))
    >>> batches = list(validation_batches(small, torch.device("cpu")))
    >>> start = TrainableNetwork(untrained(small.model, np.random.default_rng(0)))
    >>> validate(start, batches) == baselines(small, batches)["closed form"]
    True
    """
    network = model.network()
    return _figures(batches, lambda p: network_scores(network, p, network(p.inputs, p.context.rows.shape[1])))


def baselines(config: Config, batches: Sequence[Prepared]) -> dict[str, Figures]:
    """Score closed forms on the fixed tasks: ``closed form`` (all of it), ``chain`` and ``marginal``."""
    return {
        "closed form": _figures(batches, lambda p: closed_form_scores(config.model, p)),
        "chain": _figures(batches, lambda p: chain_scores(config.model, p)),
        "marginal": _figures(batches, lambda p: marginal_scores(config.model, p)),
    }
