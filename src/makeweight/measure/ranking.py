"""Whether rows can improve the ranking at all, asked of a table before anything is written."""

from __future__ import annotations

import numpy as np

from makeweight.errors import MakeweightError
from makeweight.measure.matrix import Matrix
from makeweight.table import Table
from makeweight.theory import RankingTest, ranking_test

__all__ = ["ranking_answer"]

#: More rows than this are drawn from; more work (rows x columns^2) than this leaves no time for a bootstrap.
MOST_ROWS, MOST_WORK = 20_000, 2_000_000
#: Directions of less than this share of the largest variance are left out, as collinear columns are.
LEAST_VARIANCE = 1e-6


def ranking_answer(table: Table, labels: np.ndarray, rng: np.random.Generator) -> tuple[RankingTest | None, str]:
    """Return the ranking test of a table, and its answer in a sentence, or why there is none.

    `table`: with a target of two classes. `labels` of shape (n,): class of every row.

    >>> import pandas as pd
    >>> from makeweight import Schema
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat([0, 1], [300, 100])
    >>> frame = pd.DataFrame({"x": rng.normal(size=400) + labels, "y": labels})
    >>> test, answer = ranking_answer(Table(frame, Schema.infer(frame, target="y")), labels, rng)
    >>> test.can_gain, answer.split(":")[0]
    (False, 'Rows are unlikely to improve the ranking')
    """
    if labels.max() != 1:
        return None, "Whether rows can improve the ranking is tested for two classes only."
    rows = np.arange(len(labels))
    if len(rows) > MOST_ROWS:
        rows = np.sort(rng.choice(len(rows), MOST_ROWS, replace=False))
    matrix, target = Matrix(table).transform(table.frame.iloc[rows]), labels[rows]
    open_ = _undecided(matrix, target)
    decided = len(target) - int(open_.sum())
    if not open_.any():
        return None, "Whether rows can improve the ranking is not tested: a column tells the classes apart."
    matrix, target = matrix[open_], target[open_]
    target = target if target.mean() <= 0.5 else 1 - target
    spread = matrix.std(axis=0)
    matrix = (matrix - matrix.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    if matrix.shape[1] and 0 < target.sum() < len(target) / 2:
        left, scale, _ = np.linalg.svd(matrix, full_matrices=False)
        matrix = left[:, scale**2 > LEAST_VARIANCE * scale[0] ** 2] * np.sqrt(len(matrix))
        small = len(matrix) * matrix.shape[1] ** 2 <= MOST_WORK
        enough = target.sum() >= 30 * matrix.shape[1]
        if small or enough:
            try:
                test = ranking_test(matrix, target, rng=rng, method="auto" if small else "chi-square")
            except MakeweightError as error:  # the test states its own limits; they are passed on
                return None, f"Whether rows can improve the ranking is not tested: {error.message.splitlines()[0]}."
            left_out = f" {decided:,} rows are not in this test: a value that only one class has decides them."
            return test, test.answer + left_out * bool(decided)
    return None, "Whether rows can improve the ranking is not tested: too few rows for so many columns."


def _undecided(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return which rows are left without those whose value, in a column of two, only one class has: shape (n,).

    Such a value has a slope without end: no fit of all rows is finite, and these rows have nothing to gain.
    """
    kept, before = np.ones(len(target), dtype=bool), -1
    while before != kept.sum():
        before = int(kept.sum())
        for column in matrix.T:
            own, classes = column[kept], target[kept]
            if not kept.any() or not ((own == own.min()) | (own == own.max())).all():
                continue
            for value in {own.min(), own.max()}:
                if len(np.unique(classes[own == value])) == 1:
                    kept[kept] = own != value
                    break
    return kept
