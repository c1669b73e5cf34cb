"""How far a long piece of work is: the one value that every progress callback is called with."""

from __future__ import annotations

import logging
from dataclasses import dataclass

__all__ = ["LOGGER", "Progress"]

#: The one logger of the package: forecasts and progress. Handlers of the user's own decide where they go.
LOGGER = logging.getLogger("makeweight")


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is.

    Parameters
    ----------
    step : str
        What is being done, such as "writing rows".
    done, total : int
        Rows, splits or parts of this step. A total of 0 means that the length is not known.
    seconds : float
        Since the start of the work.
    seconds_left : float, optional
        Expected until the end of the step; None where that is not known yet.
    detail : str
        Further facts for people, such as the group and the share of accepted rows.

    Examples
    --------
    >>> from makeweight.progress import Progress
    >>> progress = Progress("writing rows", done=50, total=200, seconds=2.0, seconds_left=6.0)
    >>> f"{progress.step}: {progress.done} of {progress.total}"
    'writing rows: 50 of 200'
    """

    step: str
    done: int
    total: int
    seconds: float
    seconds_left: float | None = None
    detail: str = ""

    @classmethod
    def steady(cls, step: str, done: int, total: int, seconds: float, detail: str = "") -> Progress:
        """Return the progress of pieces that all take as long as those that are done.

        Examples
        --------
        >>> Progress.steady("measuring folds", 2, 10, 3.0).seconds_left
        12.0
        """
        return cls(step, done, total, seconds, seconds / done * (total - done), detail)
