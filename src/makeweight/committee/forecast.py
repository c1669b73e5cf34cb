"""How long a committee takes to fit, and how large it is, before anything is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from makeweight.committee.members import Member
from makeweight.generators.forewarning import LOGGER, LONG

__all__ = ["CommitteeForecast", "tell"]

#: Measured on one core with 500 and 4,000 rows of 14 columns: seconds of a fit, seconds and MiB of a thousand rows.
MEASURED = {
    "closed-form": (0.02, 0.015, 0.45),
    "lr": (0.03, 0.015, 0.2),
    "rf": (0.25, 0.135, 3.0),
    "rf5": (0.25, 0.1, 0.65),
    "hgb": (0.2, 0.07, 0.1),
    "hgb-shallow": (0.1, 0.025, 0.05),
    "in-context": (0.2, 3.0, 0.5),
    "network": (0.15, 0.06, 0.02),
}
COLUMNS = 14
#: What a member is taken for that is not measured.
LIKE = "hgb"


@dataclass(frozen=True)
class CommitteeForecast:
    """What fitting a committee is expected to take."""

    fits: int  # of all members together
    seconds: float  # of one core
    mebibytes: float  # of the fitted members


def forecast_fits(
    members: Sequence[Member], n_rows: int, n_columns: int, folds: int, repeats: int
) -> CommitteeForecast:
    """Return what fits to all folds take: in the rows linear, in the columns, too, beyond what a fit costs at least.

    >>> from makeweight.committee.members import choose_members
    >>> forecast_fits(choose_members(["lr", "rf"], 7_200), 7_200, 14, folds=5, repeats=1).fits
    10
    """
    thousands, rounds = n_rows * (1 - 1 / folds) / 1000, folds * repeats
    seconds = mebibytes = 0.0
    for member in members:
        least, each, size = MEASURED.get(member.name, MEASURED[LIKE])
        seconds += least + each * thousands * max(1, n_columns) / COLUMNS
        mebibytes += size * thousands
    return CommitteeForecast(rounds * len(members), rounds * seconds, rounds * mebibytes)


def tell(expected: CommitteeForecast, n_jobs: int) -> None:
    """Log a forecast of more than half a minute."""
    seconds = expected.seconds / max(1, n_jobs)
    if seconds > LONG:
        LOGGER.warning(
            "committee: about %s seconds for %d fits, %.0f MiB when they are done; fewer members or cv=3 take less",
            f"{seconds:,.0f}",
            expected.fits,
            expected.mebibytes,
        )
