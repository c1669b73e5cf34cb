"""How long the network takes to read a table and to write rows, before it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from makeweight.generators.transformer.decode import ROWS

#: Seconds of one core per cell, with the smaller of the configurations: to read it and to write it, and what each of
#: the other columns adds, since every cell looks at those before it. And per column of rows that are written together.
SECONDS_PER_CELL_READ, PER_COLUMN_READ = 7e-5, 2e-8
SECONDS_PER_CELL, PER_COLUMN, SECONDS_PER_COLUMN = 7e-5, 2.5e-7, 3e-3
#: Cells of all contexts that a mebibyte holds: of the package's network, which takes a third of the memory for them.
CELLS_PER_MEBIBYTE = 82
#: What comes before the first cell.
SECONDS_AT_LEAST = 0.5


@dataclass(frozen=True)
class Size:
    """What of a table decides how long it takes."""

    columns: int
    rows: int  # real ones
    context: int  # most rows of a context
    orders: int  # column orders that are wanted
    max_memory: int  # mebibytes

    def seconds(self, written: Sequence[int]) -> float:
        """Return the seconds of one core in which the table is read, and so many rows of every group are written.

        >>> small = Size(columns=15, rows=500, context=200, orders=8, max_memory=768)
        >>> 1 < small.seconds([400]) < small.seconds([400, 400]) < 10
        True
        """
        room = max(2, CELLS_PER_MEBIBYTE * self.max_memory // max(1, self.columns))  # rows of all contexts
        rows = min(self.context, self.rows, room)
        orders = max(1, min(self.orders, room // rows))
        seconds = SECONDS_AT_LEAST
        seconds += orders * rows * self.columns * (SECONDS_PER_CELL_READ + PER_COLUMN_READ * self.columns)
        for count in written:
            together = orders * -(-count // (orders * ROWS))
            seconds += self.columns * count * (SECONDS_PER_CELL + PER_COLUMN * self.columns)
            seconds += self.columns * together * SECONDS_PER_COLUMN
        return seconds
