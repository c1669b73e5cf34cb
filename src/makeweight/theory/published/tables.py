"""Sizes and corrections chosen for a binary table of numbers and a logistic regression."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError, SchemaError
from makeweight.theory._checks import Floats, Integers, as_matrix
from makeweight.theory.borrowing import BorrowedRows
from makeweight.theory.candidates import NOTHING, Candidate, Take
from makeweight.theory.decision import SizeDecision, least_correction
from makeweight.theory.logistic import fit_logistic
from makeweight.theory.published.bias import CorrectedSample, borrow_rows, fit_corrected
from makeweight.theory.published.pilots import MinorityGenerator, called
from makeweight.theory.size import DrawPool, FitPredict, choose_size

__all__ = ["choose_correction", "size_grid", "table_callables"]

Basis = Callable[[Floats], Floats]
"""What the model sees of the features: (n, d) to (n, p)."""


def table_callables(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    ridge: float = 1e-6,
    intercept: bool = True,
    basis: Basis | None = None,
    borrow: int = 0,
) -> tuple[DrawPool, FitPredict]:
    """Return `draw` and `fit_predict` for a binary table of numbers and a logistic regression.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 and 1; the groups are the labels.
    generator : callable
        ``generator(features, labels, n, rng)`` writes rows of class 1; for class 0 it is called with the
        labels exchanged.
    ridge, intercept
        Of the logistic regression.
    basis : callable, optional
        What the regression sees of the features, (n, d) to (n, p); the features themselves by default.
    borrow : int, default 0
        Repeats of `borrow_rows` per fold; candidates with a correction, which is that of class 1, need some.

    Returns
    -------
    tuple of two callables

    Notes
    -----
    A design of this project: what `choose_size` asks for, docs/theory.md, "Choosing".

    Examples
    --------
    >>> from makeweight.theory.published.reference import duplicate
    >>> draw, _ = table_callables([[0.0], [1.0], [2.0]], [0, 0, 1], duplicate)
    >>> draw(np.arange(3), {0: 0, 1: 2}, np.random.default_rng(0))[0][1]
    array([[2.],
           [2.]])
    """
    table = as_matrix(features, "features")
    target = np.asarray(labels, dtype=np.float64)
    seen = (lambda rows: rows) if basis is None else basis

    def draw(
        rows: Integers, sizes: Mapping[Hashable, int], rng: np.random.Generator
    ) -> tuple[dict[Hashable, Floats], BorrowedRows[Floats] | None]:
        *streams, to_borrow = rng.spawn(len(sizes) + 1)
        written = {
            label: called(generator, table[rows], (target[rows] == label).astype(np.float64), n, stream)
            if n
            else table[:0]
            for (label, n), stream in zip(sizes.items(), streams, strict=True)
        }
        if not borrow:
            return written, None
        borrowed = borrow_rows(table[rows], target[rows], generator, rng=to_borrow, repeats=borrow)
        return written, borrowed

    def fit_predict(
        rows: Integers,
        pool: tuple[dict[Hashable, Floats], BorrowedRows[Floats] | None],
        takes: Mapping[Hashable, Take],
        held: Integers,
    ) -> Floats:
        written, borrowed = pool
        parts, codes, weights = [table[rows]], [target[rows]], [np.ones(len(rows))]
        for label, take in takes.items():
            parts.append(written[label][: take.n_total])
            codes.append(np.full(take.n_total, label, dtype=np.float64))
            weights.append(np.repeat([1.0, take.weight], [take.n_balance, take.n_augment]))
            if take.correction and label == 1:
                if borrowed is None:
                    raise PlanError("a correction needs borrowed rows", got="borrow=0", hint="set borrow=5")
                parts += borrowed.rows
                codes.append(np.ones(sum(map(len, borrowed.rows))))
                weights.append(borrowed.weights(take.correction * take.mass))
        sample = CorrectedSample(seen(np.vstack(parts)), np.concatenate(codes), np.concatenate(weights), 0.0)
        if sample.weights.min() >= 0:
            fit = fit_logistic(
                sample.features, sample.labels, sample_weight=sample.weights, ridge=ridge, intercept=intercept
            )
            return fit.probabilities(seen(table[held]))
        try:
            fit = fit_corrected(sample, ridge=ridge, intercept=intercept)
        except (PlanError, SchemaError):  # no minimum: `choose_size` gives such a candidate an infinite risk
            return np.full(len(held), np.nan)
        return fit.probabilities(seen(table[held]))

    return draw, fit_predict


def choose_correction(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    generator: MinorityGenerator,
    *,
    rng: np.random.Generator,
    corrections: Sequence[float] = (0.0, 0.5, 1.0),
    balance: float = 1.0,
    folds: int = 5,
    repeats: int = 2,
    borrow: int = 5,
    ridge: float = 1e-3,
    intercept: bool = True,
    basis: Basis | None = None,
    calibrate: str | None = None,
    rule: float = 1.0,
) -> SizeDecision:
    """Choose c, the share of a generator's estimated bias that is taken out, by cross-fitted validation.

    Within each fold the generator learns, rows are borrowed, and the corrected loss is minimised on the
    training rows only. Of the corrections within `rule` standard errors of the smallest balanced validation
    log-loss the smallest is taken.

    Parameters
    ----------
    features : array-like of shape (n, d)
    labels : array-like of shape (n,)
        0 majority, 1 minority; at least twice as many majority rows in every training set.
    generator : callable
        ``generator(features, labels, n, rng)``.
    rng : numpy.random.Generator
    corrections : sequence of float in [0, 1], default (0, .5, 1)
    balance : float, default 1
        Synthetic rows, as a share of n_0 - n_1.
    folds, repeats : int
        Of the validation.
    borrow : int, default 5
        Repeats of `borrow_rows` in each fold.
    ridge, intercept
        As in `fit_corrected`.
    basis : callable, optional
        What the model sees of the features, (n, d) to (n, p).
    calibrate, rule
        As in `choose_size`; no calibration by default.

    Returns
    -------
    SizeDecision
        ``candidate.correction`` is c. Adding nothing is listed for comparison, and not chosen.

    Raises
    ------
    PlanError
        When there are too few rows, or the corrected loss has no minimum in some fold for any correction.

    Notes
    -----
    The choice of c is that of the reconstruction of arXiv 2510.26046 in docs/theory.md, "Borrowing from the
    majority"; the rule is the one of "Choosing".

    Examples
    --------
    >>> from makeweight.theory.published.reference import interpolate
    >>> rng = np.random.default_rng(0)
    >>> features = np.vstack([rng.normal(size=(400, 3)), 0.6 + rng.normal(size=(40, 3))])
    >>> labels = np.repeat([0, 1], [400, 40])
    >>> decision = choose_correction(
    ...     features, labels, interpolate, rng=rng, repeats=1, basis=lambda x: np.hstack([x, x**2]))
    >>> decision.candidate.correction in (0.0, 0.5, 1.0)
    True
    """
    sizes = [Candidate(balance=balance, correction=c) for c in sorted({float(c) for c in corrections})]
    if not sizes or NOTHING in sizes:
        raise PlanError("nothing to choose", got=f"corrections={corrections}, balance={balance}")
    draw, fit_predict = table_callables(
        features, labels, generator, ridge=ridge, intercept=intercept, basis=basis, borrow=borrow
    )
    decision = choose_size(
        labels,
        draw,
        fit_predict,
        rng=rng,
        candidates=sizes,
        folds=folds,
        repeats=repeats,
        calibrate=calibrate,
        rule=rule,
    )
    positions = [decision.candidates.index(size) for size in sizes]
    if not np.isfinite(decision.risks[positions]).any():
        raise PlanError(
            "the corrected loss has no minimum in some fold",
            got=f"corrections={corrections}",
            hint="use a larger ridge, or let zero be among the corrections",
        )
    chosen = decision.candidates[least_correction(decision, positions, rule=rule)]
    least = min(positions, key=lambda k: float(decision.risks[k]))
    counts = dict(zip(*np.unique(np.asarray(labels), return_counts=True), strict=True))
    reason = (
        f"the least correction within {rule:g} standard errors of the best, "
        f"{decision.candidates[least].correction:g}, among {', '.join(f'{s.correction:g}' for s in sizes)}"
    )
    return replace(decision, candidate=chosen, takes=chosen.takes(counts), reason=reason)


def size_grid(
    *,
    balance: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    augment: Sequence[float] = (0.0, 0.5, 1.0, 2.0, 4.0),
    alpha: Sequence[float] = (0.1, 0.25, 0.5, 0.75),
    directional: float | None = None,
    groups: Sequence[Hashable] = (),
) -> tuple[Candidate, ...]:
    """Return the joint grid of sizes, without duplicates and never without zero.

    Parameters
    ----------
    balance, augment, alpha : sequence of float
        Values to cross. Where `augment` is zero, alpha is too.
    directional : float, optional
        n* / (n_0 - n_1) from `directional_size`, added to `balance` when finite.
    groups : sequence, optional
        Groups for which each share is also tried alone, nothing being added to the others.

    Returns
    -------
    tuple of Candidate

    Notes
    -----
    A design of this project: arXiv 2601.16120 varies `balance` only, the code of arXiv 2406.03628 fixes the
    weight.

    Examples
    --------
    >>> len(size_grid()), len(size_grid(augment=[0.0], directional=4.0))
    (85, 6)
    """
    shares = sorted({0.0, *balance, *([directional] if directional and math.isfinite(directional) else [])})
    candidates = [NOTHING]
    for share in shares:
        for extra in sorted({*augment}):
            for mix in sorted({*alpha}) if extra > 0 else [0.0]:
                candidates.append(Candidate(share, extra, mix))
    candidates += [Candidate(per_group={group: share}) for group in groups for share in shares if share > 0]
    unique: list[Candidate] = []
    for candidate in candidates:
        if candidate not in unique:
            unique.append(candidate)
    return tuple(unique)
