"""How far a long step is: the one value that every progress callback is called with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """How far a step is.

    Attributes
    ----------
    step : str
        What is being done.
    done, total : int
        Parts of the step.
    seconds : float
        Since the step began.
    seconds_left : float or None
        Estimated; None where there is no estimate yet.
    detail : str
        What the last part was.

    Examples
    --------
    >>> Progress("fit", 1, 4, 2.0, 6.0).seconds_left
    6.0
    """

    step: str
    done: int
    total: int
    seconds: float
    seconds_left: float | None = None
    detail: str = ""
