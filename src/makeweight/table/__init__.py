"""Tables: schema and kinds, inference, codecs, containers, text form, reading and writing."""

from makeweight.table.column import Column, Kind
from makeweight.table.schema import Schema
from makeweight.table.table import Table

__all__ = ["Column", "Kind", "Schema", "Table"]
