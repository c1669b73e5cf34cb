"""From a table to a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import makeweight.generators.causal_lm.model as models
from makeweight.generators.causal_lm.corpus import Corpus, tokenized
from makeweight.generators.causal_lm.persistence import Checkpoint
from makeweight.generators.causal_lm.rows import RowText
from makeweight.generators.causal_lm.training import LanguageTrainer, Recipe, TrainingState, train
from makeweight.plan import Groups

#: Learning rates, by what is trained.
RATES = {"scratch": 3e-3, "adapter": 1e-3, "full": 5e-5}
#: A value is free to be other tokens than the real ones, and a row so to be longer than the longest.
LONGER, SPARE = 2, 64


def learn(
    options: Mapping[str, Any],
    rows: RowText,
    groups: Groups,
    cells: Sequence[Sequence[str]],
    seed: np.random.SeedSequence,
) -> tuple[models.Language, TrainingState, int]:
    """Return a model that was trained on the rows of a table, how training went, and the tokens of the longest row.

    `options`: of `CausalLMGenerator`, epochs as a number. `cells`: value segments, column by column.
    """
    device = models.choose_device(options["device"])
    accelerators = [device] if device.type == "cuda" else []
    # Weights and dropout are drawn from torch's global streams, which are put back afterwards.
    with torch.random.fork_rng(devices=accelerators):
        torch.manual_seed(int(np.random.default_rng(seed).integers(2**63)))
        language = _language(options, rows, groups, cells)
        language.model.to(device)
        corpus = tokenized(language, rows, groups, cells)
        outcome = _train(options, language, corpus, seed)
    return language, outcome, int(corpus.lengths().max())


def _language(
    options: Mapping[str, Any], rows: RowText, groups: Groups, cells: Sequence[Sequence[str]]
) -> models.Language:
    if options["model"] != models.SCRATCH:
        return models.adapt(models.load(options["model"], fetch=options["fetch"]), options["lora"])
    prompts = [rows.prompt(key) for key in groups.keys]
    firsts = sorted({segment for prompt in prompts for segment in prompt[::2]})
    values = [value for column in cells for value in column]
    values += [segment for prompt in prompts for segment in prompt[1::2]]
    sizes = [max((len(value.encode()) for value in column), default=0) for column in cells]
    most = LONGER * (len(sizes) + sum(sizes)) + SPARE + max(len("".join(prompt)) for prompt in prompts)
    return models.make(rows.names(), firsts, values, longest=most, layers=options["layers"], width=options["width"])


def _train(
    options: Mapping[str, Any], language: models.Language, corpus: Corpus, seed: np.random.SeedSequence
) -> TrainingState:
    rate, progress = options["learning_rate"], options["progress"]
    recipe = Recipe(
        options["epochs"],
        options["batch_size"],
        RATES[language.form] if rate == "auto" else float(rate),
        options["validation_share"],
        options["patience"],
        options["max_seconds"],
    )
    trainer = LanguageTrainer(language, corpus, recipe, seed)
    if options["checkpoint_dir"] is None:
        return train(trainer, progress=progress)
    checkpoint = Checkpoint(Path(options["checkpoint_dir"]), trainer)
    checkpoint.resume()
    return train(trainer, progress=progress, after_epoch=checkpoint.save)
