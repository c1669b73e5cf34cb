"""What an answer is like as a whole: whether it repeats itself or the examples, or sticks to one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

#: Rows that an answer has at least before a column without variety in it says something.
ENOUGH = 5


@dataclass(frozen=True)
class AnswerReport:
    """One request and what came of it."""

    group: str
    asked: int  # rows
    rows: int = 0  # rows that could be read
    valid: int = 0  # of these, rows whose values the real columns can have
    unreadable: dict[str, int] = field(default_factory=dict)  # what could not be read, by reason
    duplicates: int = 0  # rows that repeat an earlier row of the same answer
    copied: int = 0  # rows that equal one of the examples of the request
    collapsed: tuple[str, ...] = ()  # columns with one value throughout, of which the examples have several
    tokens: tuple[int, int] = (0, 0)  # sent and received
    recorded: bool = False  # whether the answer was there before


def measure(codes: np.ndarray, shown: np.ndarray, columns: Sequence[Hashable]) -> tuple[int, int, tuple[str, ...]]:
    """Return duplicates, copies of the examples, and collapsed columns.

    `codes` of shape (n, n_learned): rows of an answer. `shown` of shape (k, n_learned): the examples.

    >>> rows = np.array([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0]])
    >>> measure(rows, np.array([[2.0, 5.0], [9.0, 6.0]]), ["a", "b"])
    (1, 1, ('b',))
    """
    if not codes.size:
        return 0, 0, ()
    prints = [row.tobytes() for row in codes + 0.0]
    examples = {row.tobytes() for row in shown + 0.0}
    collapsed: tuple[str, ...] = ()
    if len(codes) >= ENOUGH:
        collapsed = tuple(
            str(name)
            for j, name in enumerate(columns)
            if len(np.unique(codes[:, j])) == 1 and len(shown) and len(np.unique(shown[:, j])) > 1
        )
    return len(prints) - len(set(prints)), sum(p in examples for p in prints), collapsed


def summarize(reports: Sequence[AnswerReport]) -> str | None:
    """Say in one line how varied the answers were; None without rows."""
    rows = sum(report.rows for report in reports)
    if not rows:
        return None
    duplicates = sum(report.duplicates for report in reports) / rows
    copied = sum(report.copied for report in reports) / rows
    collapsed = Counter(name for report in reports for name in report.collapsed)
    text = (
        f"{len(reports)} answers, {rows} rows read: {duplicates:.1%} repeat a row of their answer, "
        f"{copied:.1%} copy an example"
    )
    if collapsed:
        named = ", ".join(f"{name} ({count})" for name, count in collapsed.most_common(5))
        text += f"; one value throughout an answer: {named}"
    return text
