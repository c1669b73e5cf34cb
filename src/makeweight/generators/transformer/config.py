"""Every number of the model and of its pretraining, with the reason beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from makeweight.errors import OptionError, nearest

__all__ = ["Config", "ModelConfig", "PriorConfig", "TrainConfig", "named"]

PRIOR_VERSION = 2
"""Raised whenever the prior draws different tables from the same seed."""


@dataclass(frozen=True)
class ModelConfig:
    """The network; see :mod:`makeweight.generators.transformer.network`.

    >>> ModelConfig().width
    96
    """

    width: int = 96  # 0.7 M parameters: a row of ten columns costs some 25 MFLOP, milliseconds on one core
    layers: int = 5  # each layer mixes columns once and rows once; fewer lost likelihood at equal time
    heads: int = 4  # 24 numbers a head: enough to match a value, a group and a column at once
    expansion: int = 2  # attention is already applied twice a layer, so the usual four is not needed
    bins: int = 64  # a tenth of a standard deviation each over the range below
    reach: float = 3.2  # normal score of the extreme of 700 rows; the outer bins are open
    identity: int = 16  # random vectors that tell columns and categories apart: nearly orthogonal at 16
    frequencies: int = 8  # sines and cosines of a score, from the whole range down to one bin


@dataclass(frozen=True)
class PriorConfig:
    """Shapes and ranges of the tables drawn; see :mod:`makeweight.generators.transformer.prior`.

    >>> PriorConfig().max_context >= PriorConfig().min_context
    True
    """

    min_context: int = 10  # below ten rows there is nothing to learn a conditional from
    usual_context: int = 40  # most tasks start here: with fewer rows closed form leaves little to learn
    max_context: int = 256  # the largest that keeps a step under two seconds on one slow core
    max_columns: int = 20  # feature columns, the label not counted
    queries: int = 32  # rows predicted per task: their cost is small beside the context's
    max_groups: int = 50  # labels; half of the tasks have two
    max_ratio: float = 200.0  # imbalance, drawn log-uniformly from 1
    pool: int = 3  # rows drawn for each row kept, so that rare groups can be made rare or common
    latent: float = 1.15  # nodes per observed column: most causes are seen, some are hidden


@dataclass(frozen=True)
class TrainConfig:
    """The pretraining; see :mod:`makeweight.generators.transformer.pretrain`.

    >>> TrainConfig().decay < 1
    True
    """

    cells: int = 5_000  # cells a step: half a second on one slow core, several tasks of equal shape
    matrix_rate: float = 1e-2  # Muon, for the matrices inside the layers
    vector_rate: float = 2e-3  # AdamW, for embeddings, heads and gains
    weight_decay: float = 0.01  # keeps the matrices' scale in check over long runs
    warmup: int = 50  # steps: Adam's second moments need about that many
    decay: float = 0.3  # last share of the budget in which the rate falls to zero; where most is gained
    average: float = 0.998  # of the running mean of the weights, which is what is validated and kept
    contrast: float = 0.0  # weight of telling rows from rivals; 1 classified better and wrote no better rows
    clip: float = 1.0  # gradient norm
    curriculum: int = 1_500  # steps until tables have their full range of shapes
    validation_tasks: int = 64  # per validation; standard error of the mean about 0.03 nats, the same for all
    validate_minutes: float = 8.0  # a validation costs about twenty seconds of one core
    checkpoint_minutes: float = 4.0  # what an interruption may cost
    seed: int = 20240609


@dataclass(frozen=True)
class Config:
    """Model, prior and training together, under one name.

    >>> named("tiny").name
    'tiny'
    """

    name: str
    model: ModelConfig = field(default_factory=ModelConfig)
    prior: PriorConfig = field(default_factory=PriorConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


CONFIGS = {
    "tiny": Config("tiny"),
    "base": Config(
        "base",
        # 2.9 M parameters, 6 MB in float16; 1,000 rows x 15 columns stay within seconds on two cores
        ModelConfig(width=192, layers=6, heads=6),
        # as large as a user's stratified context; wide enough for most tables people have
        PriorConfig(max_context=1_200, max_columns=40, queries=64),
        # cells that fill the memory of a large accelerator at bfloat16; larger batches take a lower rate
        TrainConfig(
            cells=900_000, matrix_rate=8e-3, vector_rate=1e-3, warmup=200, validation_tasks=128, validate_minutes=4.0
        ),
    ),
}


def named(name: str) -> Config:
    """Look a configuration up by its name.

    >>> named("base").model.layers
    6
    """
    if name not in CONFIGS:
        raise OptionError("unknown pretraining configuration", got=repr(name), hint=nearest(name, CONFIGS))
    return CONFIGS[name]
