"""The checks: their codes, what each looks at, from when it is a fault, and why."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from makeweight.errors import OptionError, nearest

__all__ = ["CATALOGUE", "DRAWERS", "CheckInfo", "codes_of"]

#: Where the outcome of a check is put; one that is undecided is beyond its limit, and no further than chance goes.
DRAWERS = ("issue", "tip", "undecided", "passed", "not applicable", "skipped", "muted")
DOCUMENT = "docs/quality.md"


@dataclass(frozen=True)
class CheckInfo:
    """What is fixed about a check; ``catalogue.toml`` says what each field means."""

    #: such as ``"MWQ04"`` and ``"exact-copies"``
    code: str
    name: str
    #: for people
    title: str
    fault: str
    severity: str  # {"high", "medium", "low"}: how much an issue of this check matters
    measure: str
    #: limits of the effect
    tip: float
    issue: float
    tests: bool  # whether the check is a test
    why: str

    @property
    def needs_holdout(self) -> bool:
        """Whether it compares with held-out rows."""
        return self.name in ("nearest-rows", "membership")

    @property
    def anchor(self) -> str:
        """Where the check is explained."""
        return f"{DOCUMENT}#{self.code.lower()}"


#: All checks by code, in the order of the report.
CATALOGUE: dict[str, CheckInfo] = {
    code: CheckInfo(code=code, **(entry | entry.pop("limits")))
    for code, entry in tomllib.loads(files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8")).items()
}


def codes_of(names: Iterable[str]) -> frozenset[str]:
    """Return the codes that users name by code or by name.

    >>> sorted(codes_of(["mwq07", "balance"]))
    ['MWQ07', 'MWQ18']
    """
    by_name = {info.name: info.code for info in CATALOGUE.values()}
    codes = set()
    for name in names:
        code = by_name.get(name.lower(), name.upper())
        if code not in CATALOGUE:
            raise OptionError("no such check to mute", got=repr(name), hint=nearest(name, [*CATALOGUE, *by_name]))
        codes.add(code)
    return frozenset(codes)
