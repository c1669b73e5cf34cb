"""What people see of a comparison: how far it is, and its result."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
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
    from makeweight.evaluation.final import SavedModel
    from makeweight.evaluation.statistics import Difference
    from makeweight.progress import Progress

#: Where standard error is no terminal, progress is a line every so many seconds.
EVERY, FIRST = 30.0, 9.0
#: Estimators whose numbers fit side by side, and failures that are listed.
SIDE_BY_SIDE, SHOWN = 3, 5
BETTER, WORSE = "b", "w"
#: Marks of the picture, and the width of its lines.
SHOWN_MARK, OPEN_MARK, STRIP = "*", "o", 25
#: As in `makeweight.evaluation.statistics`, which is not imported before there is something to show.
LEVEL = 0.05
REFERENCE = "nothing+platt"


class Steps:
    """Shows how far a long piece of work is, with the time left, from the first seconds on.

    Where standard error is no terminal a line is printed after ten seconds, and then every half a minute, whether a
    piece of work ends meanwhile or not.

    `out`: on standard error. `what`: what is being done, in one word. `expected`: seconds that it may take at most,
    which are all that is known at first. `detail`: what comes first.
    """

    def __init__(
        self, out: Console, what: str = "comparing", expected: float | None = None, detail: str = "the first split"
    ) -> None:
        self._out, self._what = out, what
        self._began = self._told = time.monotonic()
        self._left, self._detail = expected, detail
        self._over = threading.Event()
        self._bar = Bar(
            TextColumn(what),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[state]}", markup=False),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, state=self.state())
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._bar.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._bar.stop()

    def __call__(self, progress: Progress) -> None:
        """Show what `makeweight.evaluation.compare` or `scaling_curve` reports."""
        if progress.step == "asking of the ranking":
            self._out.print(progress.detail, markup=False)
            return
        if progress.seconds_left is not None:
            self._left, self._told = progress.seconds_left, time.monotonic()
        self._detail = progress.detail or f"{progress.step} {progress.done} of {progress.total}"
        self._bar.update(self._task, total=progress.total, completed=progress.done, state=self.state())

    def state(self) -> str:
        """Return how far it is, and the time left, in one line."""
        now = time.monotonic()
        left = "time left not known yet"
        if self._left is not None:
            seconds = self._left - (now - self._told)
            left = f"at most {_show.seconds(seconds)} left" if seconds > 0 else "longer than expected"
        return f"{self._detail}, {_show.seconds(now - self._began)}, {left}"

    def _tell(self) -> None:
        """Print or redraw the line until the work is over."""
        wait = FIRST
        while not self._over.wait(1.0 if self._out.is_terminal else wait):
            if self._out.is_terminal:
                self._bar.update(self._task, state=self.state())
            else:
                self._out.print(f"{self._what}: {self.state()}", markup=False)
                wait = EVERY


def show(out: Console, comparison: Comparison, saved: SavedModel | None = None) -> None:
    """Print the answer and what to do, the picture, what people count, what it all rests on, how to use a model."""
    answer, verdict, scores = comparison.answer, comparison.verdict, comparison.scores
    out.print(Text(answer.text, style="bold"))
    first, *more = comparison.next.splitlines()
    out.print(Text("\n".join([f"next: {first}", *(f"      {line}" for line in more)])))
    estimator = answer.estimator or scores.estimators[0]
    title = f"gain beyond doing nothing, right is better ({_called(estimator)})"
    _show.section(out, title, _picture(comparison, estimator))
    out.print(f"  {SHOWN_MARK} shown, {OPEN_MARK} may be chance; the line to beat is doing nothing and calibrating")
    _counts(out, comparison, estimator)
    _show.section(out, "gains with the interval that decides", _gains(comparison))
    for start in range(0, len(scores.estimators), SIDE_BY_SIDE):
        estimators = scores.estimators[start : start + SIDE_BY_SIDE]
        _show.section(out, f"{len(comparison.splits)} splits of real rows", _arms(comparison, estimators))
    out.print()
    out.print(
        f"{BETTER}: better, {WORSE}: worse than nothing+platt, after Holm's correction. "
        f"A constant scores {comparison.constant_risk:.4f}."
    )
    out.print(Text(verdict.sentence))
    for note in _notes(comparison):
        out.print(f"- {note}")
    out.print(f"- {_show.seconds(comparison.seconds)}, seed {comparison.reproduce.seed}")
    if saved is not None:
        out.print(Text(f"\nin {saved.file}, to load and use:", style="bold"))
        out.print(Text(saved.lines), soft_wrap=True)
        if saved.note:
            out.print(f"- {saved.note}")


def _notes(comparison: Comparison) -> list[str]:
    """Return what else there is to say, one line each."""
    verdict, scores = comparison.verdict, comparison.scores
    notes = [comparison.ranking] if comparison.ranking else []
    if comparison.transfer:
        costs = "; ".join(map(str, comparison.transfer))
        notes.append(
            f"cost of transfer, nats of {scores.estimators[0]}, rows written for half of the rare ones: {costs}"
        )
    notes += [*verdict.details[len(scores.estimators) :], *(f"cut: {cut}" for cut in comparison.cut)]
    notes += [
        f"{name} is external information: its {rows.rows:,} rows may have seen those that they are judged "
        f"on, and {rows.equal_to_real_rows:,} of them equal real ones"
        for name, rows in comparison.settings.external.items()
    ]
    failures = scores.failures()
    notes += [f"failed: {one.arm}, {one.estimator}, {one.split}: {one.error}" for one in failures[:SHOWN]]
    if len(failures) > SHOWN:
        notes.append(f"and {len(failures) - SHOWN} more failures: -o FILE has them all")
    return notes


def _called(estimator: str) -> str:
    from makeweight.page.comparison import ESTIMATORS

    return ESTIMATORS.get(estimator, estimator)


def _saved(comparison: Comparison, estimator: str, arm: str, metric: str) -> Difference | None:
    """Return what an arm gains beyond doing nothing and calibrating; more is better, in log-loss too."""
    change = comparison.scores.difference(estimator, arm, metric)
    if change is None or metric == "auroc":
        return change
    return replace(change, mean=-change.mean, low=-change.high, high=-change.low)


def _picture(comparison: Comparison, estimator: str) -> Table:
    """Return every calibrated arm with its gains as marks on two lines, drawn with plain characters."""
    table = _plain_table()
    arms = [arm for arm in comparison.scores.arms if arm.calibrated and arm.name != REFERENCE]
    drawn = []
    table.add_column("arm", overflow="fold", max_width=28)
    for metric, label in (("auroc", "AUROC"), ("balanced_log_loss", "log-loss saved")):
        gains = {arm.name: _saved(comparison, estimator, arm.name, metric) for arm in arms}
        known = [gain for gain in gains.values() if gain is not None]
        reach = sorted(max(abs(gain.low), abs(gain.high)) for gain in known) or [1.0]
        # The widest intervals are cut, and marked where they are, rather than making the others dots.
        end = max(min(reach[-1], 2.5 * reach[len(reach) // 2]), 1e-9)
        side = _short(end, sign=True)
        table.add_column(f"{label}\n{_short(-end, sign=True):<{STRIP // 2}}0{side:>{STRIP // 2}}", no_wrap=True)
        drawn.append({name: strip(gain, end) for name, gain in gains.items()})
    for arm in arms:
        table.add_row(arm.name.removesuffix("+platt"), *(column[arm.name] for column in drawn))
    return table


def strip(gain: Difference | None, end: float) -> str:
    """Return a gain and its interval on a line from -end to end; ``<`` and ``>`` say where it is cut.

    >>> from makeweight.evaluation.statistics import Difference
    >>> strip(Difference(0.5, 0.25, 0.75, 0.01, 0.01), 1.0)
    '            |  ---*---   '
    >>> strip(Difference(0.0, -2.0, 0.5, 0.9, 0.9), 1.0)
    '<-----------o------      '
    """
    if gain is None:
        return "failed"
    middle = STRIP // 2

    def place(value: float) -> int:
        return round(min(max(value / end, -1.0), 1.0) * middle) + middle

    line = [" "] * STRIP
    line[middle] = "|"
    for position in range(place(gain.low), place(gain.high) + 1):
        line[position] = "-"
    if gain.low < -end:
        line[0] = "<"
    if gain.high > end:
        line[-1] = ">"
    shown = gain.p_holm is not None and gain.p_holm < LEVEL
    line[place(gain.mean)] = SHOWN_MARK if shown else OPEN_MARK
    return "".join(line)


def _counts(out: Console, comparison: Comparison, estimator: str) -> None:
    """Print how many of 100 cases are found for as many alarms as today, with the worst group."""
    answer = comparison.answer
    rows = []
    for arm in comparison.notable:
        cases = comparison.cases_found(estimator, arm)
        if cases is None:
            continue
        change = cases.difference
        more = "" if change is None else f"{100 * change.mean:+.1f} ({100 * change.low:+.1f} {100 * change.high:+.1f})"
        worst = "" if cases.worst is None else f"{100 * cases.worst.mean:.0f} in {cases.worst_group}"
        rows.append([arm.removesuffix("+platt"), f"{100 * cases.found.mean:.0f}", more, worst])
    if rows:
        alarms = comparison.scores.alarms(estimator)
        title = f"of 100 {answer.cases} found, at today's alarm rate (one in {1 / alarms:.1f} rows)"
        columns = {"arm": {"overflow": "fold"}, "found": _show.NUMBER, "more than nothing": _show.NUMBER}
        _show.section(out, title, _show.table({**columns, "worst group": _show.NAME}, rows))


def _gains(comparison: Comparison) -> Table:
    """Return the gains that the verdict on the rows is about, in numbers."""
    table = _plain_table()
    for heading in ("", "arm", "AUROC", "log-loss saved"):
        table.add_column(heading, no_wrap=heading != "arm", overflow="fold")
    for estimator in comparison.scores.estimators:
        for arm in comparison.focus:
            if arm.calibrated:
                cells = [
                    _interval(_saved(comparison, estimator, arm.name, metric))
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

    >>> _short(0.48501), _short(-0.0123, sign=True), _short(1.25)
    ('.4850', '-.0123', '1.2500')
    """
    text = f"{value:+.4f}" if sign else f"{value:.4f}"
    return re.sub(r"^([+-]?)0\.", r"\1.", text)
