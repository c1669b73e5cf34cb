"""Every number of the label-last network and of its training, with the reason beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from makeweight.generators.transformer.config import PriorConfig

__all__ = ["LabelConfig", "LabelModelConfig", "LabelTrainConfig"]


@dataclass(frozen=True)
class LabelModelConfig:
    """The network; see :mod:`makeweight.generators.transformer.labels.model`.

    Examples
    --------
    >>> LabelModelConfig().row_width
    128
    """

    cell_width: int = 64  # there are as many cells as rows times columns: they are what a step costs
    row_width: int = 128  # rows are few, so that they may know more
    cell_layers: int = 1  # two were behind at equal time
    row_layers: int = 4
    cell_heads: int = 4
    row_heads: int = 4
    expansion: int = 2
    pools: int = 4  # ways in which a row gathers from its cells
    points: int = 16  # through which the cells of a column see each other: linear in rows, not quadratic
    thinking: int = 8  # learned rows beside those of the context
    most_columns: int = 40  # read by the network; closed form reads all
    trees: int = 24  # of the forest, a sixth of the time of a step; 64 gain .0004 nats before training


@dataclass(frozen=True)
class LabelTrainConfig:
    """The training; see :mod:`makeweight.generators.transformer.labels.training`.

    Examples
    --------
    >>> LabelTrainConfig().largest[0]
    300
    """

    least: int = 40  # context rows
    largest: tuple[int, int] = (300, 1_000)  # context rows before and after the step below
    grow_at: int = 30_000  # steps: small tables are many times cheaper, and teach most of it
    exchanged: float = 0.3  # tasks in which labels of some rows change places, so that less can be known
    shuffled: float = 0.3  # tasks in which some columns have nothing to do with the rest
    cells: int = 36_000  # a step: ten to thirty tasks of one shape, half a second of one core
    matrix_rate: float = 1e-2  # Muon, for the matrices inside the layers
    vector_rate: float = 2e-3  # AdamW, for everything else
    weight_decay: float = 0.01
    warmup: int = 50  # steps
    average: float = 0.998  # of the running mean of the weights, which is what is validated and kept
    clip: float = 1.0  # gradient norm
    validation_tasks: int = 256
    validate_minutes: float = 5.0  # of the core
    checkpoint_minutes: float = 3.0  # of the core: what an interruption may cost
    seed: int = 20261129


@dataclass(frozen=True)
class LabelConfig:
    """Model, prior and training together.

    Examples
    --------
    >>> LabelConfig().prior.queries
    64
    """

    model: LabelModelConfig = field(default_factory=LabelModelConfig)
    prior: PriorConfig = field(
        # a binary label needs three rows of either kind; more columns than the network that writes rows has seen
        default_factory=lambda: PriorConfig(max_ratio=40.0, max_columns=30, max_groups=8, queries=64)
    )
    train: LabelTrainConfig = field(default_factory=LabelTrainConfig)
