"""What people see of a comparison: how far it is, and its result."""

from __future__ import annotations

import re
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from makeweight.cli import _show

if TYPE_CHECKING:
    from rich.console import Console

    from makeweight.evaluation import Comparison
    from makeweight.evaluation.statistics import Difference
    from makeweight.progress import Progress

#: Where standard error is no terminal, progress is a line every so many seconds.
EVERY = 30.0
#: Estimators whose numbers fit side by side, and failures that are listed.
SIDE_BY_SIDE, SHOWN = 3, 5
BETTER, WORSE = "b", "w"


class Steps:
    """Shows how far a comparison is, with the time left.

    Parameters
    ----------
    out : rich.console.Console
        On standard error.
    """

    def __init__(self, out: Console) -> None:
        self._out, self._printed = out, time.monotonic()
        self._bar = Bar(
            TextColumn("comparing"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}", markup=False),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, state="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show what `makeweight.evaluation.compare` reports."""
        if progress.step == "asking of the ranking":
            self._out.print(progress.detail, markup=False)
            return
        text = state(progress)
        self._bar.update(self._task, total=progress.total, completed=progress.done, state=text)
        if not self._out.is_terminal and time.monotonic() - self._printed > EVERY:
            self._printed = time.monotonic()
            self._out.print(text)


def state(progress: Progress) -> str:
    """Say how far a comparison is.

    Examples
    --------
    >>> from makeweight.progress import Progress
    >>> state(Progress("comparing", 12, 175, 20.0, 250.0, "split 2 of at most 25"))
    'split 2 of at most 25, 20.0 s, at most 4 min 10 s left'
    """
    left = _show.seconds(progress.seconds_left or 0.0)
    return f"{progress.detail}, {_show.seconds(progress.seconds)}, at most {left} left"


def show(out: Console, comparison: Comparison) -> None:
    """Print the verdict, what it rests on, and all arms."""
    verdict, scores = comparison.verdict, comparison.scores
    out.print(Text(verdict.sentence, style="bold"))
    out.print(f"next: {verdict.next}")
    _show.section(out, "differences to nothing+platt (interval that decides)", _differences(comparison))
    for first in range(0, len(scores.estimators), SIDE_BY_SIDE):
        estimators = scores.estimators[first : first + SIDE_BY_SIDE]
        _show.section(out, f"{len(comparison.splits)} splits of real rows", _arms(comparison, estimators))
    out.print()
    out.print(
        f"{BETTER}: better, {WORSE}: worse than nothing+platt; intervals are those that decide, by Holm's correction. "
        f"A constant scores {comparison.constant_risk:.4f}."
    )
    if comparison.ranking:
        out.print(comparison.ranking, markup=False)
    if comparison.transfer:
        costs = "; ".join(map(str, comparison.transfer))
        out.print(f"cost of transfer, nats of {scores.estimators[0]}, rows written for half of the rare ones: {costs}")
    notes = [*verdict.details[len(scores.estimators) :], *(f"cut: {cut}" for cut in comparison.cut)]
    notes += [
        f"{name} is external information: its {rows.rows:,} rows may have seen those that they are judged "
        f"on, and {rows.equal_to_real_rows:,} of them equal real ones"
        for name, rows in comparison.settings.external.items()
    ]
    for note in notes:
        out.print(f"- {note}")
    failures = scores.failures()
    for failure in failures[:SHOWN]:
        out.print(f"- failed: {failure.arm}, {failure.estimator}, {failure.split}: {failure.error}")
    if len(failures) > SHOWN:
        out.print(f"- and {len(failures) - SHOWN} more failures: -o FILE has them all")
    out.print(f"- {_show.seconds(comparison.seconds)}, seed {comparison.reproduce.seed}")


def _differences(comparison: Comparison) -> Table:
    """Return the differences that the verdict is about."""
    table = _plain_table()
    for heading in ("", "arm", "AUROC", "balanced log-loss"):
        table.add_column(heading, no_wrap=heading != "arm", overflow="fold")
    for estimator in comparison.scores.estimators:
        for arm in comparison.focus:
            if arm.calibrated:
                cells = [
                    _interval(comparison.scores.difference(estimator, arm.name, metric))
                    for metric in ("auroc", "balanced_log_loss")
                ]
                table.add_row(estimator, arm.name.removesuffix("+platt"), *cells)
    return table


def _arms(comparison: Comparison, estimators: tuple[str, ...]) -> Table:
    """Return every arm with its balanced log-loss and AUROC, per estimator."""
    table = _plain_table()
    table.add_column("arm", overflow="fold")
    for label in ("log-loss", "AUROC"):
        for position, estimator in enumerate(estimators):
            heading = f"{label}\n{estimator}" if not position else f"\n{estimator}"
            table.add_column(heading, no_wrap=True, justify="left")
    for arm in comparison.scores.arms:
        cells = [
            _number(comparison, estimator, arm.name, metric, lower=lower)
            for metric, lower in (("balanced_log_loss", True), ("auroc", False))
            for estimator in estimators
        ]
        table.add_row(arm.name, *cells)
    return table


def _plain_table() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")


def _number(comparison: Comparison, estimator: str, arm: str, metric: str, *, lower: bool) -> str:
    from makeweight.evaluation.verdict import better

    value = comparison.scores.value(estimator, arm, metric)
    if value is None:
        return "failed"
    difference = comparison.scores.difference(estimator, arm, metric)
    mark = ""
    if better(difference, lower=lower):
        mark = BETTER
    elif better(difference, lower=not lower):
        mark = WORSE
    return _short(value.mean) + mark


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return "failed"
    low, high = _short(difference.low, sign=True), _short(difference.high, sign=True)
    return f"{_short(difference.mean, sign=True)} ({low} {high})"


def _short(value: float, *, sign: bool = False) -> str:
    """Write a number with four decimals and no zero before the point.

    Examples
    --------
    >>> _short(0.48501), _short(-0.0123, sign=True), _short(1.25)
    ('.4850', '-.0123', '1.2500')
    """
    text = f"{value:+.4f}" if sign else f"{value:.4f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text)
