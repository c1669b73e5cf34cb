"""Results that grow: records in a Parquet file, found there again by an interrupted run, and their summary as text."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd


class Records:
    """The records of a file of results, each with the key that it was measured for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frame = pd.read_parquet(path) if path.exists() else pd.DataFrame()

    def has(self, key: dict[str, Any]) -> bool:
        """Whether something was measured for a key."""
        if self.frame.empty:
            return False
        return bool((self.frame[list(key)] == pd.Series(key)).all(axis=1).any())

    def add(self, key: dict[str, Any], measured: Iterable[dict[str, Any]]) -> None:
        """Add what was measured for a key, and write the file anew, through a temporary one."""
        rows = pd.DataFrame([{**key, **row} for row in measured])
        self.frame = pd.concat([self.frame, rows], ignore_index=True) if len(self.frame) else rows
        partial = self.path.with_suffix(".partial")
        self.frame.to_parquet(partial, index=False, compression="zstd")
        os.replace(partial, self.path)

    def show(self, summarise: Callable[[pd.DataFrame], None], digest: str, *, keep: bool) -> None:
        """Print the summary of what some weights measured, and keep it as text beside the records."""
        mine = self.frame[self.frame["weights"].isin(["", digest])] if len(self.frame) else self.frame
        if mine.empty:
            print("nothing measured yet", file=sys.stderr)
            return
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            summarise(mine.reset_index(drop=True))
        print(text.getvalue(), end="")
        if keep:
            self.path.with_suffix(".txt").write_text(text.getvalue(), encoding="utf-8")
