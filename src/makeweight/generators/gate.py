"""What stands before a download: whose it is, under which licence and how large; and a question."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass

from makeweight.errors import GeneratorError

__all__ = ["Weights", "may_fetch"]


@dataclass(frozen=True)
class Weights:
    """Pretrained weights, and what may be done with them.

    >>> print(Weights("Model 3", "Licence X", False, "https://example.org/model"))
    Model 3: Licence X, no commercial use, from https://example.org/model
    """

    name: str
    licence: str
    commercial: bool | None  # whether the licence allows commercial use; None where it is not known
    origin: str  # where they come from

    def __str__(self) -> str:
        use = {True: "commercial use allowed", False: "no commercial use", None: "commercial use not known"}
        return f"{self.name}: {self.licence}, {use[self.commercial]}, from {self.origin}"

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return asdict(self)


def may_fetch(
    weights: Weights, size: int, yes: bool, instead: str = "weights=FOLDER takes files that are there"
) -> None:
    """Say what is to be fetched, and ask; return where the answer is yes.

    `yes` is an answer that was given already; `instead` says, for the hint, what needs no download.

    >>> may_fetch(Weights("M", "BSD-3-Clause", True, "example.org"), 1_500_000, False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    makeweight.errors.GeneratorError: weights would have to be fetched: got M: BSD-3-Clause, commercial use ...
    """
    facts = f"{weights}, {size / 1e6:,.1f} MB"
    hint = f"fetch=True (--option fetch=true) says yes; {instead}"
    if yes:
        sys.stderr.write(f"fetching {facts}\n")
        return
    if sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stderr.write(f"to be fetched: {facts}\nfetch it? [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().casefold() in ("y", "yes"):
            return
        raise GeneratorError("weights were not fetched", got="no", expected="yes", hint=hint)
    raise GeneratorError("weights would have to be fetched", got=facts, expected="a yes", hint=hint)
