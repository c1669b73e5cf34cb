"""Can a classifier tell two tables apart? Cross-fitted, within groups, all columns at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from makeweight.quality.copies import excess_copies
from makeweight.quality.nulls import ALL_GROUPS, QualityFinding, groups_of, merge_rare
from makeweight.quality.ranks import Area, Stratum, area_items, area_of
from makeweight.quality.rows import FEWEST, ComparedRows, EncodedRows, GroupRows

FOLDS = 5
#: Rows of a leaf; fitted in folds to fewer rows than fill two leaves, a classifier tells nothing apart.
LEAF = 10
FEWEST_ROWS = 2 * LEAF * FOLDS // (FOLDS - 1)
#: The classifier takes fewer than 256 levels of a category; the rarest are merged.
MOST_CODES = 250
MOST_BINS = 100


class TwoSample:
    """The classifier two-sample test of synthetic against real rows."""

    def __init__(self, rows: ComparedRows) -> None:
        self.rows = rows

    @cached_property
    def _areas(self) -> tuple[Area, dict[str, Area]]:
        groups = [(g, g.real, g.synthetic) for g in self.rows.samples(self.rows.compared, "two-sample")]
        return cross_fitted(self.rows, self.rows.real, self.rows.synthetic, groups, "two-sample")

    def overall(self) -> QualityFinding:
        """MWQ15."""
        if refusal := self._refusal():
            return refusal
        items = area_items({ALL_GROUPS: self._areas[0]})
        return QualityFinding(items, f"{items[0].text}; 0.5 is a coin.")

    def by_group(self) -> QualityFinding:
        """MWQ16."""
        if refusal := self._refusal():
            return refusal
        items = area_items(self._areas[1])
        worst = max(items, key=lambda item: item.value)
        return QualityFinding(items, f"The largest of {groups_of(len(items))}: {worst.text}.")

    def _refusal(self) -> QualityFinding | None:
        if refusal := self.rows.refusal(columns="tell rows apart by"):
            return refusal
        n_rows = sum(len(group.real) + len(group.synthetic) for group in self.rows.compared)
        if n_rows < FEWEST_ROWS:
            few = f"The groups that are compared have {n_rows} rows: a classifier needs {FEWEST_ROWS}."
            return QualityFinding((), few, "skipped")
        return None


def holdout_fresh(rows: ComparedRows) -> QualityFinding:
    """MWQ03: held-out rows are neither among the real rows nor from elsewhere."""
    if rows.holdout is None:
        return QualityFinding((), "No held-out rows were given.", "skipped")
    both = [g for g in rows.groups if min(len(g.real), len(g.holdout)) >= FEWEST]
    if not both or not rows.columns:
        return QualityFinding((), "No group has 8 or more rows in both the real and the held-out table.", "skipped")
    copies, share, reference = excess_copies(
        rows, rows.real, rows.holdout, [(g, g.real, g.holdout) for g in both], "holdout"
    )
    sampled = [(g, g.real, g.holdout) for g in rows.samples(both, "holdout")]
    area, _ = cross_fitted(rows, rows.real, rows.holdout, sampled, "holdout")
    (apart,) = area_items({"held-out and real rows": area})
    overlap = [  # an excess of 0 and of 1 become 0.5 and 1, to be judged by the limits of the AUC
        replace(item, value=0.5 + item.value / 2, p=min(1.0, 2 * (item.p or 1.0)), chance=None) for item in copies
    ]
    return QualityFinding(
        (*overlap, replace(apart, p=min(1.0, 2 * (apart.p or 1.0)))),
        f"{share:.1%} of the held-out rows equal a real row (of the real rows, {reference:.1%} equal "
        f"another); a classifier tells held-out from real rows with an AUC of {area.value:.2f}.",
    )


def cross_fitted(
    rows: ComparedRows,
    low: EncodedRows,
    high: EncodedRows,
    groups: Sequence[tuple[GroupRows, np.ndarray, np.ndarray]],
    purpose: str,
) -> tuple[Area, dict[str, Area]]:
    """Return the area under the curve of scores by a classifier that has not seen the row.

    One classifier for all groups, which knows the group and weighs both tables alike in each, so that
    neither the shares of the groups nor their sizes tell rows apart; small groups borrow from large ones.
    """
    pieces = [piece for _, a, b in groups for piece in ((low, a), (high, b))]
    place = np.concatenate([np.full(len(a) + len(b), i) for i, (_, a, b) in enumerate(groups)])
    is_high = np.concatenate([np.repeat([0, 1], [len(a), len(b)]) for _, a, b in groups])
    features, categorical = feature_matrix(rows, pieces, place)
    weights = np.concatenate([np.repeat([0.5 / len(a), 0.5 / len(b)], [len(a), len(b)]) for _, a, b in groups])
    weights *= len(weights) / weights.sum()
    rng = rows.rng(purpose, "folds")
    fold = folds_of(place * 2 + is_high, rng)
    scores = np.empty(len(place))
    seed = int(rng.integers(2**31 - 1))
    for k in range(FOLDS):
        train, test = fold != k, fold == k
        model = make_classifier(categorical, seed)
        model.fit(features[train], is_high[train], sample_weight=weights[train])
        scores[test] = model.predict_proba(features[test])[:, 1]
    strata: list[tuple[int, Stratum]] = []
    for i in range(len(groups)):
        for k in range(FOLDS):
            here = (place == i) & (fold == k)
            pair = Stratum(scores[here & (is_high == 0)], scores[here & (is_high == 1)])
            if len(pair.low) and len(pair.high):
                strata.append((i, pair))
    overall = area_of([pair for _, pair in strata], rows.rng(purpose, "overall"))
    by_group = {
        group.name: area_of([pair for j, pair in strata if j == i], rows.rng(purpose, group.name))
        for i, (group, _, _) in enumerate(groups)
    }
    return overall, by_group


def folds_of(cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a fold for every row, each cell spread over all of them."""
    fold = np.empty(len(cells), dtype=np.int64)
    for cell in np.unique(cells):
        here = np.flatnonzero(cells == cell)
        fold[here] = (rng.permutation(len(here)) + rng.integers(FOLDS)) % FOLDS
    return fold


def feature_matrix(
    rows: ComparedRows, pieces: Sequence[tuple[EncodedRows, np.ndarray]], cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return all columns, and a further category, as numbers, and which of them are categories.

    `pieces`: the rows, piece by piece. `cell` (int, shape (n,)): the further category. Returns `features`: shape (n,
    columns + 1).
    """
    columns, is_code = [], []
    for column in rows.columns:
        values = np.concatenate([part.values[column.name][positions] for part, positions in pieces])
        is_code.append(values.dtype != np.float64)
        columns.append(merge_rare(values, MOST_CODES) if is_code[-1] else _few_numbers(values))
    return np.column_stack([*columns, merge_rare(cell, MOST_CODES)]).astype(float), np.array([*is_code, True])


def _few_numbers(values: np.ndarray) -> np.ndarray:
    """Put numbers into quantile bins, as boosted trees do, but once and not in every fold."""
    present = values[~np.isnan(values)]
    if len(np.unique(present)) <= MOST_BINS:
        return values
    edges = np.unique(np.quantile(present, np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
    return np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="right"))


def make_classifier(categorical: np.ndarray, seed: int) -> Any:
    """Return boosted trees that take missing values and categories as they are."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.1,
        max_leaf_nodes=12,
        min_samples_leaf=LEAF,
        l2_regularization=1.0,
        early_stopping=False,
        categorical_features=categorical,
        random_state=seed,
    )
