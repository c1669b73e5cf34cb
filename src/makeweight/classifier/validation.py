"""Validation of candidate sizes: generator and estimator are fitted inside each fold."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from makeweight.classifier.convexity import check_minimum
from makeweight.classifier.training import Pool, RealRows
from makeweight.engine import run
from makeweight.errors import PlanError
from makeweight.labelled import take_rows
from makeweight.measure.learners import fit_estimator
from makeweight.measure.probabilities import probabilities
from makeweight.theory import Candidate, SizeDecision, Take, choose_size

__all__ = ["Validation"]

Takes = Mapping[Hashable, Take]


class Validation:
    """Runs `makeweight.theory.choose_size` on an estimator, and keeps the out-of-fold probabilities.

    In each fold a copy of the generator learns from the training rows only and writes one pool, of which all
    candidates, `makeweight.theory.NOTHING` first, use prefixes. Candidates that come to the same rows are fitted once;
    `fits` counts the fits of the estimator.
    """

    def __init__(self, real: RealRows, estimator: Any, candidates: Sequence[Candidate], n_jobs: int | None) -> None:
        self.real, self.estimator, self.n_jobs = real, estimator, n_jobs
        self.candidates = tuple(candidates)
        self.fits = 0
        self._out_of_fold: list[tuple[np.ndarray, list[np.ndarray]]] = []

    def choose(
        self,
        *,
        folds: int,
        repeats: int,
        calibrate: str | None,
        objective: str,
        rule: float,
        guardrail: float,
        rng: np.random.Generator,
    ) -> SizeDecision:
        """Return the choice among all candidates; parameters as in `makeweight.theory.choose_size`."""
        return choose_size(
            self.real.label_codes,
            self._draw,
            _look_up,
            rng=rng,
            candidates=self.candidates,
            groups=self.real.codes,
            assign=partial(self.real.strata.assign, folds),
            folds=folds,
            repeats=repeats,
            calibrate=calibrate,
            objective=objective,
            rule=rule,
            guardrail=guardrail,
            sample_weight=self.real.weights,
        )

    def out_of_fold(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows, of shape (n repeats,), and their held-out probabilities under one candidate."""
        rows = np.concatenate([held for held, _ in self._out_of_fold])
        return rows, np.concatenate([by_takes[position] for _, by_takes in self._out_of_fold])

    def _draw(self, rows: np.ndarray, sizes: Mapping[Hashable, int], rng: np.random.Generator) -> Any:
        """Return the answers of every candidate, fitted to the pool of one fold, for `_look_up` to read."""
        to_write, to_fit = rng.spawn(2)
        seed = int(to_fit.integers(2**31))
        held = np.setdiff1d(np.arange(len(self.real.codes)), rows)
        counts = np.bincount(self.real.codes[rows], minlength=len(sizes)).tolist()
        plans = [c.takes(dict(zip(sizes, counts, strict=True))) for c in self.candidates]
        pool = self.real.write(rows, sizes, to_write)
        unique = {tuple(plan.values()): plan for plan in plans}
        fit = partial(_fit_and_predict, self.real, self.estimator, rows, held, pool, seed)
        answers = dict(run(fit, list(unique.values()), n_jobs=self.n_jobs or 1))
        self.fits += len(unique)
        by_takes = {key: answers[place] for place, key in enumerate(unique)}
        self._out_of_fold.append((held, [by_takes[tuple(plan.values())] for plan in plans]))
        return by_takes


def _look_up(rows: Any, pool: Any, takes: Takes, held: Any) -> np.ndarray:
    return np.asarray(pool[tuple(takes.values())])


def _fit_and_predict(
    real: RealRows, estimator: Any, rows: np.ndarray, held: np.ndarray, pool: Pool, seed: int, takes: Takes
) -> np.ndarray:
    X, y, weights = real.training_set(rows, pool, takes)
    fitted = fit_estimator(estimator, X, y, weights, seed)
    if weights.min() < 0:
        try:
            check_minimum(fitted, X, y, weights)
        except PlanError:  # `choose_size` gives missing predictions an infinite risk, which decision_ shows
            return np.full((len(held), len(real.classes)), np.nan)
    return probabilities(fitted, take_rows(real.X, held), real.classes)
