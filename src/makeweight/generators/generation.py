"""Synthetic rows and all that is known of how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from makeweight.generators.base import Cost
from makeweight.generators.ledger import Ledger
from makeweight.notebook import html_block
from makeweight.plan import Plan
from makeweight.table import Schema

__all__ = ["Generation"]


@dataclass(frozen=True, eq=False)
class Generation:
    """Synthetic rows and all that is known of how they came about.

    Parameters
    ----------
    frame : DataFrame of shape (n_synthetic, n_columns)
        With the columns, order and dtypes of the real table.
    provenance : DataFrame of shape (n_synthetic, 3)
        Per row: ``group`` (text), ``generator`` and ``purpose`` ("balance" or "augment").
    positions : ndarray of int32, shape (n_synthetic,)
        Position of every row's group in the plan.
    ledger : Ledger
    plan : Plan
    schema : Schema
    generator : str
    seconds : float
    spent : Cost
    seed : int
        Entropy from which every stream was spawned; given as ``random_state`` it gives the same rows.
    versions : dict of str to str
    notes : tuple of str
        What a user should know about the rows.
    details : dict
        What the generator tells of its work, as plain values.
    """

    frame: pd.DataFrame
    provenance: pd.DataFrame
    positions: np.ndarray
    ledger: Ledger
    plan: Plan
    schema: Schema
    generator: str
    seconds: float
    spent: Cost
    seed: int
    versions: dict[str, str]
    notes: tuple[str, ...] = ()
    details: dict[str, object] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        return f"<Generation of {len(self):,} rows by {self.generator}, seed {self.seed}: {self.ledger}>"

    def _repr_html_(self) -> str:
        facts = [
            ("rows", f"{len(self):,}"),
            ("by", self.generator),
            ("seconds", f"{self.seconds:.1f}"),
            ("seed", self.seed),
        ]
        headings = ("group", "purpose", "requested", "accepted", "proposed", "rejected")
        lines = [
            (
                entry.name,
                entry.purpose,
                f"{entry.requested:,}",
                f"{entry.accepted:,}",
                f"{entry.proposed:,}",
                ", ".join(f"{count:,} {reason}" for reason, count in entry.rejected.most_common(3)),
            )
            for entry in self.ledger
        ]
        return html_block("Generation", facts, headings, lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the rows as plain values for JSON."""
        return {
            "generator": self.generator,
            "groups": self.plan.counts(),
            "ledger": self.ledger.to_dict(),
            "seconds": round(self.seconds, 6),
            "tokens": self.spent.tokens,
            "money": self.spent.money,
            "seed": self.seed,
            "versions": self.versions,
            "notes": list(self.notes),
            "details": self.details,
        }
