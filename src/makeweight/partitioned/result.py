"""What came of balancing a partitioned table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from makeweight.generators.ledger import Ledger
from makeweight.partitioned.folder import PartRecord
from makeweight.plan import Plan
from makeweight.table import Schema

__all__ = ["PartitionedGeneration"]


@dataclass(frozen=True, eq=False)
class PartitionedGeneration:
    """What was written, and how it came about.

    Parameters
    ----------
    output : Path
    parts : tuple of PartRecord
        Of every file: name, kind, rows, bytes, SHA-256, whether this run wrote it, and its share of the ledger.
    ledger : Ledger
        Over all parts: one account per group and purpose.
    plan : Plan
    schema : Schema
    generator : str
    seconds : float
    seed : int
    n_context : int
        Real rows that the generator learned from.
    versions : dict of str to str
    notes : tuple of str
    """

    output: Path
    parts: tuple[PartRecord, ...]
    ledger: Ledger
    plan: Plan
    schema: Schema
    generator: str
    seconds: float
    seed: int
    n_context: int
    versions: dict[str, str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.ledger.accepted

    def to_dict(self) -> dict[str, object]:
        """Return everything that does not depend on who did the work as plain values for JSON."""
        return {
            "generator": self.generator,
            "groups": self.plan.counts(),
            "ledger": self.ledger.to_dict(),
            "seed": self.seed,
            "n_context": self.n_context,
            "versions": self.versions,
            "notes": list(self.notes),
            "parts": [part.to_dict() for part in self.parts],
        }
