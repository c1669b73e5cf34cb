"""One codec per kind of column, all with the same functions.

`describe(series, reason)` reads a real column; `encode(column, series)` turns its values into numbers;
`check(column, series)` encodes proposed values and says which the real column cannot have;
`decode(column, values)` writes numbers back with the real column's dtype.
"""

from __future__ import annotations

from types import ModuleType

from makeweight.table.column import Kind
from makeweight.table.kinds import boolean, categorical, continuous, datetime, identifier, integer, text

__all__ = ["codec"]

_CODECS: dict[Kind, ModuleType] = {
    Kind.CONTINUOUS: continuous,
    Kind.INTEGER: integer,
    Kind.CATEGORICAL: categorical,
    Kind.BOOLEAN: boolean,
    Kind.DATETIME: datetime,
    Kind.TEXT: text,
    Kind.IDENTIFIER: identifier,
}


def codec(kind: Kind) -> ModuleType:
    """Return the module that reads, checks and writes columns of a kind."""
    return _CODECS[kind]
