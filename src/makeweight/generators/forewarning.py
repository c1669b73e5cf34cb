"""What a user should know before rows are written: how long it takes, and which groups have little to learn from."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from makeweight.errors import PlanError
from makeweight.generators import QUICK_GENERATOR
from makeweight.generators.base import Generator
from makeweight.generators.frame.options import WithOptions
from makeweight.generators.registry import resolve
from makeweight.plan import Plan, describe_group
from makeweight.progress import LOGGER

__all__ = ["LOGGER", "LONG", "forecast", "warn_of_few_rows"]

#: From so many seconds on a forecast is given.
LONG = 30.0
#: From so many columns on, and beyond so many seconds, rows are not written unless the user allows the time.
WIDE, HALF_AN_HOUR = 500, 1800.0
#: A group of fewer real rows than this that is asked for more than so many times as many is warned about.
FEW_ROWS, MANY_TIMES = 20, 20
#: Groups that are named.
SHOWN = 5


class FewRowsWarning(UserWarning):
    """A group is asked for many times the rows it has to learn from."""


def warn_of_few_rows(plan: Plan) -> None:
    """Warn about groups of fewer than 20 real rows that are to get more than 20 times as many.

    >>> from makeweight.plan import GroupPlan
    >>> plan = Plan((GroupPlan(("rare",), 3, 90), GroupPlan(("common",), 93)), ("y",))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warn_of_few_rows(plan)
    >>> str(caught[0].message).split(":")[0]
    'y=rare has 3 real rows and is to get 90, 30 for each'
    """
    few = [entry for entry in plan if 0 < entry.n_real < FEW_ROWS and entry.n_synthetic > MANY_TIMES * entry.n_real]
    if not few:
        return
    named = "; ".join(
        f"{describe_group(plan.columns, entry.group)} has {entry.n_real} real row{'s' * (entry.n_real != 1)} "
        f"and is to get {entry.n_synthetic:,}, {entry.n_synthetic // entry.n_real:,} for each"
        for entry in few[:SHOWN]
    )
    more = f"; and {len(few) - SHOWN} groups more" if len(few) > SHOWN else ""
    warnings.warn(
        f"{named}{more}: so many rows vary little more than those few, and a learner takes them for certain. "
        "Ask for fewer, join groups, or collect more rows",
        FewRowsWarning,
        stacklevel=3,
    )


def forecast(
    plan: Plan, generator: str | Generator, options: Mapping[str, Any] | None = None, max_seconds: float | None = None
) -> None:
    """Log how long a plan takes, from the fit on, where that is more than half a minute.

    For a wide table, whose fit alone may take most of the time and is not cut short, a quicker generator is named.
    Raises PlanError where rows of a wide table take longer than `max_seconds`, or half an hour.
    """
    resolved = resolve(generator, options)
    seconds = resolved.cost(plan).seconds if isinstance(resolved, WithOptions) else 0.0
    if seconds <= LONG:
        return
    name = generator if isinstance(generator, str) else type(generator).__name__
    what = f"write {plan.n_synthetic:,} rows" if plan.n_synthetic else f"learn from {plan.n_real:,} rows"
    wide = (plan.n_learned or 0) >= WIDE
    quick = resolve(QUICK_GENERATOR).cost(plan).seconds if wide else math.inf  # it is read from the disk for that
    if quick >= seconds:
        LOGGER.warning("%s: about %s to %s", name, _time(seconds), what)
        return
    instead = f"generator {QUICK_GENERATOR} takes about {_time(quick)}"
    allowed = max_seconds or HALF_AN_HOUR
    if seconds > allowed:
        enough = math.ceil(seconds)
        raise PlanError(
            f"{name} would take too long for so many columns",
            got=f"about {_time(seconds)} to {what} of {plan.n_learned:,} columns",
            expected=f"at most {_time(allowed)}",
            hint=f"{instead}; --max-seconds {enough} (max_seconds={enough}) goes on with {name}",
        )
    LOGGER.warning("%s: about %s to %s of %s columns; %s", name, _time(seconds), what, f"{plan.n_learned:,}", instead)


def _time(seconds: float) -> str:
    """Write a length of time, roughly."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} second{'s' * (round(seconds) > 1)}"
