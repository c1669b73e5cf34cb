"""How much to add: a joint choice of sizes and alpha by validation in which zero rows always stand."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from makeweight.errors import PlanError
from makeweight.theory._checks import Floats, Integers, as_codes, as_weights, choice, count
from makeweight.theory.calibration import fit_calibration, logit_shift
from makeweight.theory.candidates import NOTHING, Candidate, Take
from makeweight.theory.decision import SizeDecision, choose_from_losses
from makeweight.theory.folds import stratified_folds
from makeweight.theory.risk import row_losses

__all__ = ["DrawPool", "FitPredict", "choose_size", "out_of_fold_losses"]

DrawPool = Callable[[Integers, Mapping[Hashable, int], np.random.Generator], Any]
"""draw(rows, sizes, rng): fit the generator on these row numbers only, write sizes[group] rows per group."""

FitPredict = Callable[[Integers, Any, Mapping[Hashable, Take], Integers], Floats]
"""fit_predict(rows, pool, takes, held_out): train on rows and prefixes of the pool, predict held-out rows.

Missing predictions say that these takes cannot be fitted: the candidate then has an infinite risk.
"""

Assign = Callable[[np.random.Generator], Integers]
"""assign(rng): a fold number from 0 to folds - 1 per row, for one repeat."""

Answers = Callable[[Integers, Integers, np.random.Generator], Sequence[tuple[Floats, Floats]]]
"""answers(rows, held_out, rng): what every candidate says that is fitted to these rows only.

Per candidate the probabilities of the held-out rows, shape (h,) or (h, k), and the class shares, by weight, that it was
fitted to, shape (k,).
"""


def choose_size(
    labels: npt.ArrayLike,
    draw: DrawPool,
    fit_predict: FitPredict,
    *,
    rng: np.random.Generator,
    candidates: Sequence[Candidate],
    groups: npt.ArrayLike | None = None,
    folds: int = 5,
    repeats: int = 5,
    calibrate: str | None = "platt",
    objective: str = "balanced",
    loss: str = "log",
    rule: float = 1.0,
    guardrail: float = 1.0,
    sample_weight: npt.ArrayLike | None = None,
    assign: Assign | None = None,
) -> SizeDecision:
    """Choose rows to balance, rows to augment and alpha jointly, by repeated stratified validation.

    Within each fold the generator is fitted on the training rows only and writes one pool; every candidate
    trains on prefixes of it. Predictions are calibrated on the other folds of the same repeat before they
    are judged.

    Parameters
    ----------
    labels : array-like of shape (n,)
        Class numbers 0 to k - 1.
    draw : callable
        ``draw(rows, sizes, rng) -> pool``; see `table_callables` for arrays.
    fit_predict : callable
        ``fit_predict(rows, pool, takes, held_out) -> probabilities`` of shape (h,) or (h, k).
    rng : numpy.random.Generator
    candidates : sequence of Candidate
        `NOTHING` is added when it is missing.
    groups : array-like of shape (n,), optional
        Groups to balance and to average over; the labels by default. A group has one label.
    folds, repeats : int, default 5
    calibrate : {"platt", "shift", None}
        Temperature and offsets fitted out of fold; the shift from the training prior; or none.
    objective, rule, guardrail
        As in `choose_from_losses`.
    loss : {"log", "squared", "zero-one"}
    sample_weight : array-like of shape (n,), optional
        Of the rows in calibration and risks; `fit_predict` sees to the fits, where a synthetic row should
        weigh what a real row of its group weighs on average.
    assign : callable, optional
        ``assign(rng) -> fold numbers`` of shape (n,), for rows that belong together; every fold needs rows of every
        group. By default folds are stratified by group.

    Returns
    -------
    SizeDecision

    Raises
    ------
    PlanError
        When a group has fewer rows than folds, or spans several labels.

    Notes
    -----
    A design of this project on top of arXiv 2601.16120 (sizes by balanced validation loss) and arXiv
    2402.04376 (alpha tuned): see docs/theory.md, "Choosing". Assumes rows are exchangeable; grouped rows
    need their own folds.

    Examples
    --------
    >>> from makeweight.theory.published.tables import table_callables
    >>> from makeweight.theory.published.worlds import mirror_world
    >>> from makeweight.theory.published.reference import interpolate
    >>> world, rng = mirror_world(4), np.random.default_rng(0)
    >>> features, labels = world.sample(400, 40, rng)
    >>> draw, fit_predict = table_callables(features, labels, interpolate)
    >>> decision = choose_size(
    ...     labels, draw, fit_predict, rng=rng, candidates=[Candidate(1.0)], repeats=2)
    >>> decision.candidate == NOTHING
    True
    """
    names, codes = as_codes(labels if groups is None else groups, "groups")
    target = as_codes(labels, "labels", length=len(codes))[1]
    keys: list[Hashable] = names.tolist()
    label_of = _label_of_groups(codes, target, keys)
    count(folds, "folds", least=2)
    count(repeats, "repeats", least=1)
    if calibrate is not None:
        choice(calibrate, "calibrate", ("platt", "shift"))
    sizes = np.bincount(codes)
    if sizes.min() < folds:
        raise PlanError(
            "too few rows for the folds",
            where=f"group {keys[int(sizes.argmin())]!r}",
            got=int(sizes.min()),
            expected=f">= {folds}",
        )
    listed = [NOTHING, *(c for c in candidates if c != NOTHING)]
    counts: dict[Hashable, int] = dict(zip(keys, sizes.tolist(), strict=True))
    given = as_weights(sample_weight, len(codes))
    weights = given / np.bincount(codes, given)[codes]

    def answers(rows: Integers, held: Integers, stream: np.random.Generator) -> list[tuple[Floats, Floats]]:
        real = np.bincount(codes[rows], minlength=len(keys))
        mean = np.bincount(codes[rows], given[rows], minlength=len(keys)) / real
        plans = [c.takes(dict(zip(keys, real.tolist(), strict=True))) for c in listed]
        pool = draw(rows, {key: max(plan[key].n_total for plan in plans) for key in keys}, stream)
        mass = [mean * (real + [plan[key].mass for key in keys]) for plan in plans]
        shares = [np.bincount(label_of, own).astype(np.float64) for own in mass]
        return [(fit_predict(rows, pool, plan, held), share) for plan, share in zip(plans, shares, strict=True)]

    losses = out_of_fold_losses(
        target,
        answers,
        rng=rng,
        assign=(lambda stream: stratified_folds(codes, folds, stream)) if assign is None else assign,
        repeats=repeats,
        calibrate=calibrate,
        loss=loss,
        sample_weight=weights,
    )
    return choose_from_losses(
        listed,
        losses,
        names[codes],
        counts=counts,
        objective=objective,
        rule=rule,
        guardrail=guardrail,
        folds=folds,
        repeats=repeats,
        sample_weight=weights,
    )


def _label_of_groups(codes: Integers, target: Integers, keys: list[Hashable]) -> Integers:
    label_of = np.zeros(len(keys), dtype=np.int64)
    for k, key in enumerate(keys):
        labels = np.unique(target[codes == k])
        if len(labels) > 1:
            raise PlanError(
                "a group spans several labels",
                where=f"group {key!r}",
                got=labels.tolist(),
                hint="let groups be label x attribute",
            )
        label_of[k] = labels[0]
    if len(np.unique(label_of)) < 2:
        raise PlanError("only one class is present", where="labels", got=1, expected=">= 2")
    return label_of


def out_of_fold_losses(
    labels: Integers,
    answers: Answers,
    *,
    rng: np.random.Generator,
    assign: Assign,
    repeats: int,
    calibrate: str | None,
    loss: str = "log",
    sample_weight: Floats,
) -> Floats:
    """Return the loss of every row under every candidate, by fits that have not seen it, mean over repeats.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Class numbers.
    answers, rng, assign, repeats, calibrate, loss
        As in `choose_size`; candidates are as many as `answers` returns.
    sample_weight : ndarray of shape (n,)
        Of the rows in calibration.

    Returns
    -------
    ndarray of shape (c, n)
        Infinite where a candidate misses a prediction.

    Notes
    -----
    Source: cross-fitting, as in `choose_size`; docs/theory.md, "Choosing".

    Examples
    --------
    >>> y = np.arange(40) % 2
    >>> losses = out_of_fold_losses(
    ...     y, lambda rows, held, rng: [(np.full(len(held), 0.5), np.array([0.5, 0.5]))],
    ...     rng=np.random.default_rng(0), assign=lambda rng: np.arange(40) // 2 % 2, repeats=1, calibrate="shift",
    ...     sample_weight=np.ones(40))
    >>> losses.shape, round(float(losses.mean()), 4)
    ((1, 40), 0.6931)
    """
    total: list[Floats] = []
    for stream in rng.spawn(repeats):
        assigned, folds = assign(stream), []
        for fold, own in enumerate(stream.spawn(int(assigned.max()) + 1)):
            held = np.flatnonzero(assigned == fold)
            folds.append((held, answers(np.flatnonzero(assigned != fold), held, own)))
        for k, parts in enumerate(zip(*(answer for _, answer in folds), strict=True)):
            raw = np.zeros((len(labels), len(parts[0][1])))
            for (held, _), (answer, _) in zip(folds, parts, strict=True):
                table = np.asarray(answer, dtype=np.float64)
                raw[held] = np.column_stack([1 - table, table]) if table.ndim == 1 else table
            if len(total) == k:
                total.append(np.zeros(len(labels)))
            if np.isnan(raw).any():
                total[k] += np.inf
                continue
            priors = np.array([share for _, share in parts])
            calibrated = _calibrated(raw, priors, labels, sample_weight, assigned, calibrate)
            total[k] += row_losses(labels, calibrated, loss) / repeats
    return np.array(total)


def _calibrated(
    probabilities: Floats, priors: Floats, target: Integers, weights: Floats, assigned: Integers, calibrate: str | None
) -> Floats:
    if calibrate is None:
        return probabilities
    done = np.empty_like(probabilities)
    for fold in range(len(priors)):
        held = assigned == fold
        if calibrate == "shift":
            scale = logit_shift(priors[fold] / priors[fold].sum())
        else:
            scale = fit_calibration(probabilities[~held], target[~held], sample_weight=weights[~held])
        done[held] = scale.apply(probabilities[held])
    return done
