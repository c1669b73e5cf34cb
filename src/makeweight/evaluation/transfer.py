"""The cost of transfer: what written rows cost where real ones would stand, per generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from makeweight.errors import MakeweightError
from makeweight.evaluation.problem import EvaluationProblem, seed_of
from makeweight.generators.base import Generator
from makeweight.generators.registry import resolve
from makeweight.generators.writing import write_rows
from makeweight.measure.learners import Learner, fit_estimator, make_learner
from makeweight.measure.probabilities import probabilities
from makeweight.measure.training import balancing_weights
from makeweight.measure.views import LearnerRows
from makeweight.plan import Groups, Plan
from makeweight.theory import Interval, cost_of_transfer, row_losses

__all__ = ["GeneratorTransfer"]

#: What the chosen generator's cost stands beside.
BESIDE = {"SMOTE": "smotenc", "bootstrap": "random"}
#: Rows that a rare group needs in a training fold, half of which are written.
LEAST_ROWS = 8


@dataclass(frozen=True)
class GeneratorTransfer:
    """The cost of transfer of one generator."""

    generator: str
    cost: Interval | None  # in nats of balanced log-loss; None where it could not be measured
    reason: str = ""  # why not, or an empty text

    def __str__(self) -> str:
        if self.cost is None:
            return f"{self.generator}: {self.reason}"
        return f"{self.generator} {self.cost.estimate:+.3f} ({self.cost.low:+.3f} to {self.cost.high:+.3f})"


def transfer_costs(
    problem: EvaluationProblem,
    generators: Mapping[str, Generator | str],
    estimator: Learner,
    *,
    folds: int,
    random_state: int,
) -> tuple[GeneratorTransfer, ...]:
    """Return the cost of transfer of each generator.

    In every fold half of the rows of each smaller group are taken away and written anew, by a generator that learned
    from the rest. Held-out losses of a fit with the written rows are compared with those of a fit with the real ones;
    groups weigh alike in both.

    arXiv 2601.10630: excess risk = rate of balanced data + cost of transfer; `makeweight.theory.cost_of_transfer` and
    docs/theory.md, "The cost of transfer".

    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=200), "y": np.repeat(["common", "rare"], [140, 60])})
    >>> costs = transfer_costs(
    ...     EvaluationProblem.read(frame, "y"), {"bootstrap": "random"}, "lr", folds=2, random_state=0)
    >>> costs[0].cost.low < costs[0].cost.estimate < costs[0].cost.high
    True
    """
    assigned = problem.strata.assign(folds, np.random.default_rng(seed_of(random_state, "transfer")))
    least = int((problem.counts.min() * (folds - 1)) // folds)
    if least < LEAST_ROWS:
        reason = f"a group has {least} rows to learn from, fewer than {LEAST_ROWS}"
        return tuple(GeneratorTransfer(name, None, reason) for name in generators)

    def losses(name: str, generator: Generator | None) -> np.ndarray:
        parts = [_losses(problem, assigned, fold, generator, name, estimator, random_state) for fold in range(folds)]
        return np.concatenate(parts)

    real = losses("", None)
    rows = np.concatenate([np.flatnonzero(assigned == fold) for fold in range(folds)])
    costs = []
    for name, generator in generators.items():
        try:
            written = losses(name, resolve(generator))
        except MakeweightError as error:  # one generator's failure is its result; the others go on
            costs.append(GeneratorTransfer(name, None, error.message.splitlines()[0]))
            continue
        costs.append(GeneratorTransfer(name, cost_of_transfer(written, real, problem.codes[rows])))
    return tuple(costs)


def _losses(
    problem: EvaluationProblem,
    assigned: np.ndarray,
    fold: int,
    generator: Generator | None,
    name: str,
    estimator: Learner,
    random_state: int,
) -> np.ndarray:
    """Return losses of the held-out rows of a fold, with all real rows or with half of the smaller groups written."""
    train, held = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
    seed = int(seed_of(random_state, "transfer", fold).generate_state(1)[0] % 2**31)
    kept, codes = train, problem.codes[train]
    generation = None
    if generator is not None:
        halves = problem.strata.assign(2, np.random.default_rng(seed), train)
        kept = train[(halves == 0) | (codes == np.bincount(codes).argmax())]
        table = problem.table(kept)
        groups = Groups(table)  # in the order of the codes: every group keeps some rows
        counts = np.bincount(codes)
        wanted = {key: int(counts[k]) for k, key in enumerate(groups.keys) if counts[k] > groups.counts[k]}
        state = seed_of(random_state, "transfer", name, fold).generate_state(1, np.uint64)
        fill = np.random.SeedSequence(int(state[0]))
        generation = write_rows(table, Plan.make(groups, wanted), generator, seed=fill, groups=groups, name=name)
    table = problem.table(kept)
    written = table.frame.iloc[:0] if generation is None else generation.frame
    rows = LearnerRows(table, written, problem.frame.iloc[held])
    codes = problem.codes[kept] if generation is None else np.append(problem.codes[kept], generation.positions)
    labels = problem.label_of_group[codes]
    X = rows.train(estimator, np.arange(len(kept)), np.arange(len(written)))
    model = fit_estimator(make_learner(estimator, seed, len(labels)), X, labels, balancing_weights(codes), seed)
    predicted = probabilities(model, rows.held(estimator), np.arange(len(problem.class_names)))
    return row_losses(problem.labels[held], predicted)
