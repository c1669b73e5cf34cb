"""The checks: their codes, what each looks at, from when it is a fault, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from makeweight.errors import OptionError, nearest

__all__ = ["CATALOGUE", "DRAWERS", "CheckInfo", "codes_of"]

#: Where the outcome of a check is put.
DRAWERS = ("issue", "tip", "passed", "not applicable", "skipped", "muted")
DOCUMENT = "docs/quality.md"


@dataclass(frozen=True)
class CheckInfo:
    """What is fixed about a check.

    Parameters
    ----------
    code : str
        Such as ``"MWQ04"``.
    name : str
        For programs.
    title : str
        For people; says what is so when the check passes.
    fault : str
        What is so when it finds an issue.
    severity : {"high", "medium", "low"}
        How much an issue of this check matters.
    measure : str
        What its value is.
    tip, issue : float
        Effects from which on a significant finding is a tip, and an issue.
    tests : bool
        Whether the check is a test, so that its effect counts only where chance is ruled out.
    why : str
        Why it matters, and why the limits are where they are.
    """

    code: str
    name: str
    title: str
    fault: str
    severity: str
    measure: str
    tip: float
    issue: float
    tests: bool
    why: str

    @property
    def needs_holdout(self) -> bool:
        """Whether it compares with held-out rows."""
        return self.name in ("nearest-rows", "membership")

    @property
    def anchor(self) -> str:
        """Where the check is explained."""
        return f"{DOCUMENT}#{self.code.lower()}"


_ALL = (
    CheckInfo(
        "MWQ01",
        "shortfall",
        "All rows that were asked for were written",
        "rows that were asked for are lacking",
        "medium",
        "share of the requested rows that is missing",
        0.0,
        0.0,
        False,
        "A group that is short is still rare, and a model trained on the table still neglects it.",
    ),
    CheckInfo(
        "MWQ02",
        "rejected",
        "Few proposed rows had to be rejected",
        "most proposed rows had to be rejected",
        "low",
        "share of the proposed rows that was rejected",
        0.2,
        0.5,
        False,
        "Rows are rejected because no real row could look like them. A generator that mostly writes such "
        "rows has not understood the table, and what passes is a selection.",
    ),
    CheckInfo(
        "MWQ03",
        "holdout-fresh",
        "Held-out rows are fresh rows of the same kind",
        "the held-out rows are no fresh rows of the same kind",
        "high",
        "AUC of telling held-out from real rows, or the excess share of held-out rows that are real rows",
        0.55,
        0.65,
        True,
        "Held-out rows stand for what fresh real rows would look like. If they are among the real rows, "
        "or come from elsewhere, memorising can neither be shown nor ruled out.",
    ),
    CheckInfo(
        "MWQ04",
        "exact-copies",
        "Synthetic rows copy no more real rows than chance would",
        "real rows are copied",
        "high",
        "share of synthetic rows that equal a real row, less the real table's own share",
        0.0,
        0.01,
        True,
        "A copy adds no information, and tells whoever gets the table about a real person. Real rows "
        "coincide too, so only what goes beyond the real table's own duplicates counts; 1 in 100 is what "
        "a reader would find by looking through a page of rows.",
    ),
    CheckInfo(
        "MWQ05",
        "repeats",
        "Synthetic rows do not repeat each other",
        "rows repeat each other",
        "high",
        "share of synthetic rows that equal another one, less what real rows would do",
        0.01,
        0.05,
        True,
        "A row that is written many times is one row with a large weight: a model learns it by heart.",
    ),
    CheckInfo(
        "MWQ06",
        "nearest-rows",
        "Synthetic rows lie no nearer to real rows than to held-out rows",
        "rows lie too near to real rows",
        "high",
        "how much nearer to real than to held-out rows: 0 for fresh rows, 1 for copies",
        0.05,
        0.10,
        True,
        "Fresh rows are as near to rows that the generator has seen as to rows that it has not. Rows that "
        "are nearer to the former are copies with small changes.",
    ),
    CheckInfo(
        "MWQ07",
        "membership",
        "Nobody can tell which rows the generator was trained on",
        "the training rows can be guessed",
        "high",
        "AUC of guessing, from the synthetic rows, which real rows were trained on",
        0.53,
        0.57,
        True,
        "The attack of the privacy literature: a row that has a synthetic row nearby is guessed to be a "
        "member. 0.5 is a coin; at 0.57 the best guesses are right clearly more often than not.",
    ),
    CheckInfo(
        "MWQ08",
        "marginals",
        "Every column has the values of the real one, in each group",
        "columns drift from the real ones",
        "medium",
        "largest drift of a column within a group: Kolmogorov-Smirnov or total variation",
        0.05,
        0.15,
        True,
        "At 0.15, 15 of 100 rows would have to be changed to make the column right.",
    ),
    CheckInfo(
        "MWQ09",
        "dependence",
        "Columns depend on each other as in the real table",
        "columns do not depend on each other as in the real table",
        "medium",
        "largest difference of an association within a group",
        0.10,
        0.20,
        True,
        "Columns that are right one by one can be wrong together: a model then learns combinations that do not exist.",
    ),
    CheckInfo(
        "MWQ10",
        "label-dependence",
        "Columns tell the label as in the real table",
        "columns do not tell the label as in the real table",
        "high",
        "largest difference of an association with the label",
        0.10,
        0.20,
        True,
        "What a classifier learns is how columns go with the label; rows that lose it dilute the table.",
    ),
    CheckInfo(
        "MWQ11",
        "rare-categories",
        "Rare categories are written too",
        "rare categories are lacking",
        "medium",
        "share of the rare categories missing that fresh rows of this number would show",
        0.10,
        0.25,
        True,
        "Generators drop what they have rarely seen, and with it the very people that one wants to add.",
    ),
    CheckInfo(
        "MWQ12",
        "impossible-values",
        "No value is one that the real table cannot have",
        "values occur that the real table cannot have",
        "medium",
        "share of synthetic rows with a value beyond what fresh rows would bring",
        0.0,
        0.01,
        True,
        "A new category, a number beyond the range, more decimals, or a missing value where there is none "
        "break what reads the table next, and give the synthetic rows away to a model.",
    ),
    CheckInfo(
        "MWQ13",
        "number-format",
        "Numbers are written as in the real table",
        "numbers are not written as in the real table",
        "low",
        "largest total variation of the number of decimals within a group",
        0.05,
        0.15,
        True,
        "Rounded numbers among exact ones (or the reverse) tell a tree which rows are synthetic.",
    ),
    CheckInfo(
        "MWQ14",
        "missing-patterns",
        "Values are missing as in the real table",
        "values are not missing as in the real table",
        "medium",
        "total variation of which values are missing together, within a group",
        0.05,
        0.15,
        True,
        "That a value is missing is often informative; synthetic rows without gaps teach that gaps mean real.",
    ),
    CheckInfo(
        "MWQ15",
        "two-sample",
        "A classifier cannot tell synthetic from real rows",
        "a classifier tells synthetic from real rows",
        "medium",
        "cross-fitted AUC within groups, all groups together",
        0.55,
        0.65,
        True,
        "It looks at all columns at once. 0.65 is what a shift by half a standard deviation gives, in the "
        "direction in which it shows best.",
    ),
    CheckInfo(
        "MWQ16",
        "two-sample-by-group",
        "A classifier cannot tell them in any single group",
        "a classifier tells synthetic from real rows in some group",
        "medium",
        "largest cross-fitted AUC of a group",
        0.60,
        0.70,
        True,
        "Rare groups are where generators have least to learn from; an average over groups hides them.",
    ),
    CheckInfo(
        "MWQ17",
        "label-consistency",
        "Synthetic rows deserve their labels",
        "labels are wrong",
        "high",
        "how much more often a judge doubts the label of synthetic than of real rows",
        0.03,
        0.10,
        True,
        "A wrong label is worse than no row. The judge is a classifier fitted on held-out rows, which "
        "neither the generator nor the real rows it is compared on have to do with.",
    ),
    CheckInfo(
        "MWQ18",
        "balance",
        "The groups are balanced afterwards",
        "the groups are not balanced",
        "low",
        "smallest group divided by the largest, after adding",
        0.95,
        0.95,
        False,
        "Balancing is what the rows are usually for.",
    ),
    CheckInfo(
        "MWQ19",
        "identifiers",
        "Identifiers are fresh",
        "identifiers of real rows are written",
        "medium",
        "share of synthetic rows with the identifier of a real row",
        0.0,
        0.0,
        False,
        "An identifier that belongs to someone joins the synthetic row to that person's other data.",
    ),
)

#: All checks by code, in the order of the report.
CATALOGUE: dict[str, CheckInfo] = {info.code: info for info in _ALL}


def codes_of(names: Iterable[str]) -> frozenset[str]:
    """Return the codes that users name by code or by name.

    Raises
    ------
    OptionError
        When there is no such check.

    Examples
    --------
    >>> sorted(codes_of(["mwq07", "balance"]))
    ['MWQ07', 'MWQ18']
    """
    by_name = {info.name: info.code for info in _ALL}
    codes = set()
    for name in names:
        code = by_name.get(name.lower(), name.upper())
        if code not in CATALOGUE:
            raise OptionError("no such check to mute", got=repr(name), hint=nearest(name, [*CATALOGUE, *by_name]))
        codes.add(code)
    return frozenset(codes)
