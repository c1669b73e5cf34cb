"""The report as one value, and as the documented JSON that pages and programs read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

from makeweight.quality.account import LedgerCounts
from makeweight.quality.association import AssociationMaps
from makeweight.quality.checks import Check
from makeweight.quality.distances import DistanceCurves, RowPair
from makeweight.quality.marginals import ColumnShares
from makeweight.quality.verdict import QualityVerdict

__all__ = ["GroupSizes", "QualityResult"]


@dataclass(frozen=True)
class GroupSizes:
    """Rows of one group, and whether they are enough to be compared."""

    group: str
    n_real: int
    n_synthetic: int
    n_holdout: int
    compared: bool


@dataclass(frozen=True)
class ColumnLeftOut:
    """A column that is not compared, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class ComparedData:
    """The tables: names of their files, sizes, and what was left out of them."""

    real: str | None
    synthetic: str | None
    holdout: str | None
    n_real: int
    n_synthetic: int
    n_holdout: int | None
    n_columns: int
    target: str
    group_by: Sequence[str]
    original_rows_removed: int
    not_compared: Sequence[ColumnLeftOut]
    notes: Sequence[str]


@dataclass(frozen=True)
class QualityResult:
    """All that a report says."""

    verdict: QualityVerdict
    data: ComparedData
    groups: Sequence[GroupSizes]
    counts: Mapping[str, int]  # checks in each drawer
    checks: Sequence[Check]  # in the order of the codes
    #: those that drift most first. This and the next three are None where they could not be worked out.
    marginals: Sequence[ColumnShares] | None
    associations: AssociationMaps | None
    distances: DistanceCurves | None
    sample: Sequence[RowPair] | None
    ledger: LedgerCounts | None
    #: limits and options; command, seed and versions
    settings: Mapping[str, object]
    reproduce: Mapping[str, object]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"format": "makeweight.quality", "version": 1, **values}


def _plain(value: object) -> object:
    if isinstance(value, Check):
        return value.to_dict()
    if isinstance(value, LedgerCounts):
        return dict(value.record)
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
