"""Results that grow: records in a file, found there again by an interrupted run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Records:
    """The records of a file of results, each with the key that it was measured for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = json.loads(path.read_text())["records"] if path.exists() else []

    def has(self, key: dict[str, Any]) -> bool:
        """Whether something was measured for a key."""
        return any(all(row[name] == value for name, value in key.items()) for row in self.rows)

    def add(self, key: dict[str, Any], measured: Iterable[dict[str, Any]]) -> None:
        """Add what was measured for a key, and write the file anew, through a temporary one."""
        self.rows += [{**key, **row} for row in measured]
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"records": self.rows}, indent=0) + "\n")
        os.replace(partial, self.path)
