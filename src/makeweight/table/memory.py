"""How much memory there is, and what would not fit into it: refused before any work."""

from __future__ import annotations

import os
from pathlib import Path

from makeweight.errors import FileProblem, PlanError

__all__ = ["refuse_rows"]

#: Bytes that a table takes for each byte of its file, and for each cell of synthetic rows, at least.
PER_BYTE, PER_CELL = 2, 16
UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
IN_PIECES = "balance a folder of Parquet files in pieces: --engine local -o FOLDER"


def available_bytes() -> int | None:
    """Return the memory that is free for this process; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):  # not Linux
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not POSIX
        return None


def refuse_too_large(path: Path) -> None:
    """Refuse a file that does not fit into the memory.

    Raises FileProblem.
    """
    size, free = path.stat().st_size, available_bytes()
    if free is not None and size * PER_BYTE > free:
        raise FileProblem(
            "the file is larger than the memory",
            where=str(path),
            got=f"{size_text(size)}, which take about {size_text(size * PER_BYTE)}",
            expected=f"at most {size_text(free)}",
            hint=IN_PIECES,
        )


def refuse_rows(n_rows: int, n_columns: int) -> None:
    """Refuse to write more rows than fit into the memory."""
    free, needed = available_bytes(), n_rows * (n_columns + 1) * PER_CELL
    if free is not None and needed > free:
        raise PlanError(
            "the rows do not fit into the memory",
            got=f"{n_rows:,} synthetic rows x {n_columns:,} columns, which take {size_text(needed)} or more",
            expected=f"at most {size_text(free)}",
            hint=f"ask for fewer rows, or {IN_PIECES}",
        )


def size_text(n_bytes: float) -> str:
    """Return a size as text.

    >>> size_text(512), size_text(3_200_000_000)
    ('512 bytes', '3.2 GB')
    """
    power = 0
    while n_bytes >= 1000 and power < len(UNITS) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{n_bytes:.0f} {UNITS[power]}" if power == 0 else f"{n_bytes:.1f} {UNITS[power]}"
