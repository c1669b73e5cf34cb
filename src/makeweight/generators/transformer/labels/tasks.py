"""Binary tasks from the prior over tables: one label against the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from makeweight.generators.transformer.config import PriorConfig
from makeweight.generators.transformer.labels.config import LabelConfig
from makeweight.generators.transformer.prior import Shape, Tasks, draw_tasks
from makeweight.generators.transformer.tables import RealTables, RealTasks

__all__ = ["LabelTasks", "draw"]

#: Shapes come from a few sizes: kernels of low precision are compiled once for every shape.
COLUMNS = (2, 3, 5, 7, 10, 14, 19, 27)
SIZES = 5  # numbers of context rows, equally far apart in ratio
MOST_TASKS = 64  # of a batch
FEWEST = 3  # context rows of either label


@dataclass(frozen=True)
class LabelTasks:
    """A batch of tables with a binary label; the first N = ``rows`` rows are learned from."""

    values: Tensor  # B R D  numbers, codes, NaN where missing
    categorical: Tensor  # B D
    label: Tensor  # B R
    weight: Tensor  # B M  of the rows to label
    rows: int

    @property
    def known(self) -> Tensor:
        """Labels of the rows that are learned from."""
        return self.label[:, : self.rows]

    @property
    def asked(self) -> Tensor:
        """Labels of the rows to label."""
        return self.label[:, self.rows :]


def draw(
    prior: PriorConfig,
    limits: tuple[int, int],
    cells: int,
    rng: np.random.Generator,
    generator: torch.Generator,
    tables: RealTables | None = None,
    harder: tuple[float, float] = (0.0, 0.0),
) -> LabelTasks:
    """Draw a batch of binary tasks of one shape.

    Parameters
    ----------
    prior : PriorConfig
    limits : (int, int)
        Fewest and most context rows.
    cells : int
        Cost of the batch, in cells; the number of tasks follows from it.
    rng : numpy.random.Generator
        Draws the shape.
    generator : torch.Generator
        Draws the tables.
    tables : RealTables, optional
        Half of the tasks are of these, where enough have the shape.
    harder : (float, float)
        Shares of tasks in which labels of some rows change places, and in which some columns are shuffled.

    Returns
    -------
    LabelTasks
        Tables with too few rows of a label are drawn again.

    Examples
    --------
    >>> seeds = np.random.default_rng(0), torch.Generator().manual_seed(0)
    >>> tasks = draw(PriorConfig(), (40, 80), 5_000, *seeds)
    >>> tasks.label.unique().tolist()
    [0.0, 1.0]
    """
    least, most = limits
    ratio = (most / least) ** (int(rng.integers(SIZES)) / (SIZES - 1))
    rows = 8 * round(least * ratio / 8)
    columns = int(rng.choice([count for count in COLUMNS if count <= prior.max_columns]))
    # attention over rows grows with the context, and a table costs something whatever its columns are
    cost = (rows + prior.queries) * (columns + 4) * (1 + rows / 600)
    wanted = min(MOST_TASKS, max(1, int(cells / cost)))
    parts: list[LabelTasks] = []
    real = 0
    if tables is not None and tables.has(rows, prior.queries, columns):
        real = (wanted + int(rng.integers(2))) // 2  # a single task is of either by chance
        if real:
            parts.append(_real(tables.draw(real, rows, prior.queries, columns, rng), rows))
    left = wanted - real
    shape = Shape(left + left // 4 + 1, rows, prior.queries, columns + 1)
    while sum(len(part.label) for part in parts) < wanted:
        parts.append(_fit(draw_tasks(prior, shape, generator), generator))
    values, categorical, label, weight = (
        torch.cat([getattr(part, name) for part in parts])[:wanted]
        for name in ("values", "categorical", "label", "weight")
    )
    exchanged, shuffled = harder
    if exchanged:
        label = _exchanged(label, rows, exchanged, generator)
    if shuffled:
        values = _shuffled(values, rows, shuffled, generator)
    return LabelTasks(values, categorical, label, weight, rows)


def _exchanged(label: Tensor, rows: int, share: float, generator: torch.Generator) -> Tensor:
    """Labels (B R), of which in a share of the tasks a random part has changed places; counts stay as they are."""
    chance = _chances(len(label), share, generator)[:, None]
    places = [
        _places(torch.rand(part.shape, generator=generator) < chance, generator)
        for part in (label[:, :rows], label[:, rows:])
    ]
    return label.gather(1, torch.cat([places[0], places[1] + rows], dim=1))


def _shuffled(values: Tensor, rows: int, share: float, generator: torch.Generator) -> Tensor:
    """Values (B R D), of which in a share of the tasks a random part of the columns is in an order of its own."""
    batch, every, columns = values.shape
    which = torch.rand(batch, 1, columns, generator=generator) < _chances(batch, share, generator)[:, None, None]
    all_rows = torch.ones(batch, every, dtype=torch.bool)
    first, second = (_places(part, generator) for part in (all_rows[:, :rows], all_rows[:, rows:]))
    order = torch.cat([first, second + rows], dim=1)[..., None].expand_as(values)
    return torch.where(which, values.gather(1, order), values)


def _chances(batch: int, share: float, generator: torch.Generator) -> Tensor:
    """Chances (B), even between 0 and 1 in a share of the tasks, 0 in the others."""
    chance, some = torch.rand(2, batch, generator=generator)
    return torch.where(some < share, chance, torch.zeros_like(chance))


def _places(moving: Tensor, generator: torch.Generator) -> Tensor:
    """Where every row (B R) comes from if those that move change places at random."""
    at = torch.arange(moving.shape[1]).expand_as(moving)
    staying = 2.0 + at  # behind all that moves, in order
    mixed = torch.where(moving, torch.rand(moving.shape, generator=generator), staying).argsort(1)
    ordered = torch.where(moving, at / moving.shape[1], staying).argsort(1)
    return at.scatter(1, ordered, mixed)


def _real(tasks: RealTasks, rows: int) -> LabelTasks:
    values, categorical, label = map(torch.from_numpy, (tasks.values, tasks.categorical, tasks.label))
    return LabelTasks(values, categorical, label, torch.ones_like(label[:, rows:]), rows)


def _fit(tasks: Tasks, generator: torch.Generator) -> LabelTasks:
    """A label of every table, chosen by its frequency, against the rest; tables with rows enough of both."""
    rows = tasks.context
    label = tasks.values[..., 0]
    at = torch.randint(rows, (len(label), 1), generator=generator)
    label = (label == label.gather(1, at)).float()
    label = torch.where(torch.rand(len(label), 1, generator=generator) < 0.5, 1 - label, label)
    ones, asked = label[:, :rows].sum(1), label[:, rows:]
    both = ((tasks.weight * asked).sum(1) > 0) & ((tasks.weight * (1 - asked)).sum(1) > 0)
    keep = (ones >= FEWEST) & (ones <= rows - FEWEST) & both
    values, categorical = tasks.values[keep][..., 1:], tasks.categorical[keep][:, 1:]
    return LabelTasks(values, categorical, label[keep], tasks.weight[keep], rows)


def validation_tasks(config: LabelConfig) -> Iterator[LabelTasks]:
    """Draw the fixed tasks of validation, of the smaller sizes; no step of training uses their seeds."""
    train = config.train
    rng = np.random.default_rng([train.seed, 1])
    generator = torch.Generator().manual_seed(train.seed)
    count = 0
    while count < train.validation_tasks:
        tasks = draw(config.prior, (train.least, train.largest[0]), train.cells // 6, rng, generator)
        count += len(tasks.label)
        yield tasks
