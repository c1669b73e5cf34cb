"""Progress on a terminal: how far, how fast, time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from makeweight.cli import _show

if TYPE_CHECKING:
    from makeweight.progress import Progress


class Reporter:
    """Shows how far a generation is; silent where standard error is no terminal.

    `out`: on standard error.
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
        """Show how far a step is."""
        if self._task is None:
            self.say("")
        assert self._task is not None
        self._bar.update(
            self._task, description=progress.step, total=progress.total, completed=progress.done, state=state(progress)
        )


def state(progress: Progress) -> str:
    """Say how far, how fast, and how long it will take.

    >>> from makeweight.progress import Progress
    >>> state(Progress("writing rows", 50, 200, 2.0, 6.0, "y=b (balance), 50.0% accepted"))
    '50/200, 25 per second, 6.0 s left, y=b (balance), 50.0% accepted'
    """
    speed = f"{progress.done / max(progress.seconds, 1e-9):,.0f} per second"
    left = "" if progress.seconds_left is None else f"{_show.seconds(progress.seconds_left)} left"
    return ", ".join(filter(None, (f"{progress.done:,}/{progress.total:,}", speed, left, progress.detail)))
