"""Two corrections of a generator's bias: by rows that it wrote of moved rows of the largest group, and by weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from makeweight.errors import PlanError
from makeweight.generators.rows.dummies import Dummies
from makeweight.plan import Groups
from makeweight.table import Schema, Table
from makeweight.theory import BorrowedRows, borrow, cross_fitted_ratio, density_ratio_weights, fit_transport

#: Times that rows are borrowed in every training set.
REPEATS = 5
#: Of the classifier that tells real rows from synthetic ones.
FOLDS = 5
#: The largest group has at least so many rows for every row of a group that borrows from it.
LEAST_IMBALANCE = 2

#: write(real rows, new rows by group number, rng): what a generator that learned from these rows wrote.
Write = Callable[[pd.DataFrame, Mapping[int, int], np.random.Generator], pd.DataFrame]


def correctable(counts: np.ndarray) -> np.ndarray:
    """Return the numbers of the groups that are small enough to borrow rows of the largest one.

    >>> correctable(np.array([90, 10, 60, 1]))
    array([1])
    """
    return np.flatnonzero((counts >= 2) & (LEAST_IMBALANCE * counts <= counts.max()))


def uncorrected(groups: Groups) -> list[str]:
    """Return a note on the groups for which no rows can be borrowed."""
    large = np.setdiff1d(np.arange(len(groups)), correctable(groups.counts))
    names = ", ".join(groups.describe(groups.keys[code]) for code in large[:5])
    more = f" and {len(large) - 5} more" if len(large) > 5 else ""
    return [
        f"the bias of rows of {names}{more} is not corrected: a group needs 2 rows, and the largest group "
        f"{LEAST_IMBALANCE} for each of them"
    ]


def moved_rows(frame: pd.DataFrame, schema: Schema, source: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    """Return rows of one group moved to another: its label and attributes, and its mean and covariance.

    Numbers and dates are moved together and brought back to the observed range and decimals; categories, text
    and missing values stay.

    `schema`: of `frame`. `source`, `target`: rows of the two groups; at least two of each. Returns shape (n_source,
    n_columns).

    docs/theory.md, "Borrowing from the majority".

    >>> rng = np.random.default_rng(0)
    >>> frame = pd.DataFrame({"x": rng.normal(size=300).round(2), "y": ["a"] * 200 + ["b"] * 100})
    >>> frame.loc[200:, "x"] += 5
    >>> moved = moved_rows(frame, Schema.infer(frame, target="y"), np.arange(200), np.arange(200, 300))
    >>> moved["y"].unique().tolist(), bool(abs(moved["x"].mean() - frame["x"][200:].mean()) < 0.01)
    (['b'], True)
    """
    table = Table(frame, schema)
    moved = frame.iloc[source].reset_index(drop=True)
    names = [column.name for column in schema.learned if column.kind.is_numeric]
    before = {name: table.encode(name, source) for name in names}
    after = {name: table.encode(name, target) for name in names}
    names = [name for name in names if not (np.isnan(before[name]).all() or np.isnan(after[name]).all())]
    if names:
        first, second = (np.column_stack([_filled(side[name]) for name in names]) for side in (before, after))
        moved_values = fit_transport(first, second).apply(first)
        for name, values in zip(names, moved_values.T, strict=True):
            kept = np.where(np.isnan(before[name]), np.nan, schema[name].snap(values))
            moved[name] = table.decode({name: kept})[name]
    for column in schema.group_columns:
        moved[column] = frame[column].iloc[np.full(len(moved), target[0])].reset_index(drop=True)
    return moved


def _filled(values: np.ndarray) -> np.ndarray:
    """Return values with the mean where one is missing."""
    return np.where(np.isnan(values), np.nanmean(values), values)


def borrow_frames(
    frame: pd.DataFrame, schema: Schema, codes: np.ndarray, code: int, n: int, write: Write, rng: np.random.Generator
) -> BorrowedRows[pd.DataFrame]:
    """Return what a generator writes that learned a group from moved rows of the largest group, beside those rows.

    That is `makeweight.theory.borrow` for mixed tables of any number of groups: `codes` has the group number of every
    real row, `code` is one of `correctable`, and `n` rows are written per repeat.
    """
    own, source = np.flatnonzero(codes == code), np.flatnonzero(codes == np.bincount(codes).argmax())
    others = np.setdiff1d(np.arange(len(codes)), np.concatenate([own, source]))
    moved = moved_rows(frame, schema, source, own)

    def learn(learned: np.ndarray, rest: np.ndarray, stream: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
        kept = np.concatenate([others, source[rest]])
        real = pd.concat([frame.iloc[kept], moved.iloc[learned]], ignore_index=True)
        return write(real, {code: n}, stream), moved.iloc[rest]

    return borrow(len(moved), len(own), learn, rng.spawn(REPEATS))


def density_ratio(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Schema, rng: np.random.Generator) -> np.ndarray:
    """Return a weight per synthetic row of one group: the density of real rows over that of synthetic ones.

    Weights are factors of .1 to 10, scaled to mean one. Fewer than two rows of either are a PlanError.

    Source: docs/theory.md, "Borrowing from the majority": the form of bias correction for learners that take
    no negative weights. Categories enter as one column each, missing values as columns of their own.

    >>> rng = np.random.default_rng(0)
    >>> real = pd.DataFrame({"x": rng.normal(size=300).round(3), "y": "a"})
    >>> synthetic = pd.DataFrame({"x": (rng.normal(size=600) + 1).round(3), "y": "a"})
    >>> weights = density_ratio(real, synthetic, Schema.infer(real), rng)
    >>> bool((weights * synthetic["x"]).mean() < 0.3 < synthetic["x"].mean())
    True
    """
    folds = min(FOLDS, len(real), len(synthetic))
    if folds < 2:
        raise PlanError(
            "too few rows to correct the bias of a group",
            got=f"{len(real)} real and {len(synthetic)} synthetic",
            expected="two of each",
            hint="set bias_correction=None",
        )
    dummies = Dummies(schema, one_hot=True)
    if not dummies.width:
        return np.ones(len(synthetic))
    both = Table(pd.concat([real, synthetic], ignore_index=True)[schema.names], schema)
    matrix = dummies.fit_encode(both, np.arange(len(both)))
    first, second = matrix[: len(real)], matrix[len(real) :]
    ratio = cross_fitted_ratio(first, second, rng=rng, folds=folds)
    return density_ratio_weights(ratio, len(real), len(synthetic))
