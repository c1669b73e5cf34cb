"""Progress of a generation on a terminal: rows, rows per second, acceptance rate, time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from makeweight.cli import _show

if TYPE_CHECKING:
    from makeweight.generators.fill import Progress


class Reporter:
    """Shows how far a generation is; silent where standard error is no terminal.

    Parameters
    ----------
    out : rich.console.Console
        On standard error.
    """

    def __init__(self, out: Console) -> None:
        self._bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20, pulse_style="bar.back"),
            TextColumn("{task.fields[state]}", markup=False),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Show a step whose length is not known."""
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._task = self._bar.add_task(text, total=None, state="")

    def __call__(self, progress: Progress) -> None:
        """Show what `makeweight.generators.fill.fill` reports."""
        if self._task is None:
            self.say("")
        assert self._task is not None
        self._bar.update(
            self._task,
            description="writing rows",
            total=progress.total_requested,
            completed=progress.total_accepted,
            state=state(progress),
        )


def state(progress: Progress) -> str:
    """Say how far, how fast, how many proposed rows are accepted, and how long it will take.

    Examples
    --------
    >>> from makeweight.generators.fill import Progress
    >>> state(Progress("y=b", "balance", 40, 50, 80, 50, 200, 100, 2.0))
    '50/200 rows, 25 rows/s, 50.0 % accepted, 6.0 s left'
    """
    done, wanted = progress.total_accepted, progress.total_requested
    speed = done / progress.seconds if progress.seconds > 0 else 0.0
    left = f", {_show.seconds((wanted - done) / speed)} left" if speed and done < wanted else ""
    return (
        f"{done:,}/{wanted:,} rows, {_show.per_second(done, progress.seconds)}, "
        f"{_show.share(done, progress.total_proposed)} accepted{left}"
    )
