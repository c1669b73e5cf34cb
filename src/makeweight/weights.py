"""Weights of real and synthetic rows: what they are, as repeated rows, and where they would be lost."""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np

from makeweight.errors import OptionError
from makeweight.generators.generation import Generation
from makeweight.labelled import take_rows
from makeweight.plan import Groups
from makeweight.table.memory import refuse_rows
from makeweight.theory import objective_weights, repetitions

__all__ = ["Weights", "refuse_pipeline", "repeated", "row_weights"]

#: How weights reach a learner: as an attribute that the caller passes on, or as rows that stand more or less often.
Weights = Literal["attribute", "rows"]
#: What calls a sampler in a pipeline of imbalanced-learn. It takes rows and labels, and nothing else.
PIPELINE = ("imblearn.pipeline", "_fit_resample_one")
#: What calls a sampler and passes its weights on.
PASSES_ON = "makeweight.resampled"


def row_weights(groups: Groups, generation: Generation) -> np.ndarray:
    """Return weights that realise the plan's synthetic_weight or alpha, shape (n_real + n_synthetic,)."""
    n_real, n_rows = len(groups.codes), len(groups.codes) + len(generation)
    if generation.plan.synthetic_weight is not None:
        return np.repeat([1.0, generation.plan.synthetic_weight], [n_real, len(generation)])
    if generation.plan.alpha is None:
        return np.ones(n_rows)
    positions = np.concatenate([groups.codes, generation.positions])
    purposes = np.concatenate([np.repeat("real", n_real), generation.provenance["purpose"].to_numpy(dtype=str)])
    return objective_weights(positions, purposes, generation.plan.alpha) * n_rows


def repeated(
    X: Any, y: Any, weights: np.ndarray, strata: np.ndarray, rng: np.random.Generator
) -> tuple[Any, Any, np.ndarray]:
    """Return rows that stand as often as they weigh, and the positions they come from.

    `weights` of shape (n,). `strata` of shape (n,): rows of one stratum stand together as often as they weigh together,
    to within one row.
    """
    refuse_rows(int(weights.sum()), np.shape(X)[1] if np.ndim(X) else 1)
    taken = np.repeat(np.arange(len(weights)), repetitions(weights, strata, rng))
    return take_rows(X, taken, fresh_index=True), take_rows(y, taken, fresh_index=True), taken


def refuse_pipeline(why: str) -> None:
    """Refuse to be a step of a pipeline, which drops the weights of rows without a word."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != PASSES_ON:
        if (frame.f_globals.get("__name__"), frame.f_code.co_name) == PIPELINE:
            raise OptionError(
                "a pipeline passes no weights of rows on",
                where=why,
                got='weights="attribute"',
                expected="weights that reach the learner",
                hint='weights="rows" lets rows stand as often as they weigh; or ResampledClassifier(sampler, '
                "estimator), alone or as the last step, passes sample_weight_ on",
            )
        frame = frame.f_back
