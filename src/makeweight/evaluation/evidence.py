"""Losses of every row under every number of synthetic rows, and what follows from them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from makeweight.errors import PlanError
from makeweight.evaluation.curve import ScalingCurve, ScalingSettings
from makeweight.theory import (
    NOTHING,
    Candidate,
    ScalingLaw,
    choose_from_losses,
    covariance_of_means,
    fit_calibration,
    row_losses,
)


def held_out_losses(
    predictions: Sequence[Sequence[np.ndarray]],
    assigned: np.ndarray,
    labels: np.ndarray,
    codes: np.ndarray,
    calibrate: bool,
) -> np.ndarray:
    """Return the held-out loss of every row under every arm, shape (arms, rows); missing for folds that were cut.

    `predictions` of shape (h, k): of each fold, under each arm. `assigned`, `labels`, `codes` of shape (n,): fold,
    class and group of every row. `calibrate`: whether predictions are calibrated on the other folds first.

    >>> half, split = [np.full((2, 2), 0.5)], np.array([0, 0, 1, 1])
    >>> held_out_losses([half, half], split, split[[0, 2, 1, 3]], split[[0, 2, 1, 3]], False).round(3)
    array([[0.693, 0.693, 0.693, 0.693]])
    """
    arms, weights = len(predictions[0]), 1.0 / np.bincount(codes)[codes]
    known = assigned < len(predictions)
    losses = np.full((arms, len(labels)), np.nan)
    for arm in range(arms):
        together = np.empty((len(labels), predictions[0][arm].shape[1]))
        for fold, result in enumerate(predictions):
            together[assigned == fold] = result[arm]
        for fold in range(len(predictions)):
            held, others = assigned == fold, known & (assigned != fold)
            judged = together[held]
            if calibrate:
                scale = fit_calibration(together[others], labels[others], sample_weight=weights[others])
                judged = scale.apply(judged)
            losses[arm, held] = row_losses(labels[held], judged, "log")
    return losses


@dataclass(frozen=True, eq=False)
class ScalingEvidence:
    """Losses of shape (repeats, arms, rows), for the sizes, for nothing, and for the shares of real rows."""

    sizes: np.ndarray
    losses: np.ndarray
    codes: np.ndarray
    units: np.ndarray
    assigned: np.ndarray
    real_sizes: np.ndarray
    largest: int

    def conclude(self, settings: ScalingSettings, ranking: str, start: float) -> ScalingCurve:
        """Return the curve, what it says of rows, and what they are worth."""
        s, rows = len(self.sizes), self.assigned >= 0
        mean = self.losses.mean(axis=0)[:, rows]
        candidates = [NOTHING, *(_candidate(int(size), self.largest) for size in self.sizes)]
        decision = choose_from_losses(
            candidates,
            mean[[s, *range(s)]],
            self.codes[rows],
            units=self.units[rows],
            folds=int(self.assigned.max()) + 1,
            repeats=len(self.losses),
        )
        risks = self._risks(self.losses[:, :, rows], self.codes[rows])
        n_groups = int(self.codes.max()) + 1
        law = self._law(slice(0, s), self.sizes, n_groups * self.largest, n_groups, relative=False)
        errors = np.array([decision.standard_error(k, 0) for k in range(1, s + 1)])
        worth, refused = None, ""
        try:
            relative = self._law(slice(0, s), self.sizes, n_groups * self.largest, n_groups, relative=True)
            n_augment = law.recommend(float(np.median(errors))).n_augment
            worth = relative.worth_in_real_rows(
                n_augment,
                self.real_sizes,
                self._curve(slice(s + 1, None), relative=True),
                int(self.real_sizes[-1]),
                row_covariance=self._row_covariance(slice(s + 1, None), relative=True),
            )
        except PlanError as error:
            refused = ": ".join(filter(None, (error.what, str(error.got or ""), error.hint)))
        return ScalingCurve(
            self.sizes,
            risks[:, :s],
            risks[:, s],
            errors,
            self.real_sizes,
            risks[:, s + 1 :],
            law,
            decision,
            worth,
            refused,
            ranking,
            settings,
            time.perf_counter() - start,
        )

    def _law(self, arms: slice, sizes: np.ndarray, n_total: int, n_groups: int, *, relative: bool) -> ScalingLaw:
        covariance = self._row_covariance(arms, relative=relative)
        return ScalingLaw(n_total, n_groups).fit(sizes, self._curve(arms, relative=relative), row_covariance=covariance)

    def _curve(self, arms: slice, *, relative: bool) -> np.ndarray:
        """Return risks per repeat, or per fold where there is one repeat; `relative` takes out what all arms share."""
        losses = self._arms(relative)[:, arms]
        if len(losses) > 1:
            return self._risks(losses[:, :, self.assigned >= 0], self.codes[self.assigned >= 0])
        folds = range(int(self.assigned.max()) + 1)
        return np.concatenate(
            [self._risks(losses[:, :, self.assigned == f], self.codes[self.assigned == f]) for f in folds]
        )

    def _row_covariance(self, arms: slice, *, relative: bool) -> np.ndarray | None:
        """Return the covariance of the curve over the table's rows; the scatter of folds holds it for one repeat."""
        if len(self.losses) == 1:
            return None
        mean = self._arms(relative).mean(axis=0)[arms]
        n_groups = int(self.codes.max()) + 1
        groups = [self.codes == code for code in range(n_groups)]
        parts = [covariance_of_means(mean[:, rows], self.units[rows]) for rows in groups]
        return np.asarray(sum(parts) / n_groups**2)

    def _arms(self, relative: bool) -> np.ndarray:
        if not relative:
            return self.losses
        nothing = self.losses[:, [len(self.sizes)]]
        return np.asarray(self.losses - nothing + np.nanmean(nothing))

    @staticmethod
    def _risks(losses: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Return balanced risks of shape (repeats, arms)."""
        return np.asarray(np.mean([losses[:, :, codes == code].mean(axis=2) for code in np.unique(codes)], axis=0))


def _candidate(size: int, largest: int) -> Candidate:
    if not size:
        return Candidate(balance=1.0)
    return Candidate(balance=1.0, augment=size / largest, alpha=size / (largest + size))
