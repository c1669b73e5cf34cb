"""Results in a folder of Parquet files: one part per finished task, joined into one file now and then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from makeweight.errors import FileProblem
from makeweight.experiments.records import DONE, FAILED, TYPES, ResultRow
from makeweight.table.files import replace_file

__all__ = ["Store"]

#: Parts after which they are joined.
MANY_PARTS = 400
#: Columns of a run of one task, whatever its key.
RUN = ["data", "arm", "step", "seed"]


class Store:
    """The results of one experiment.

    Parameters
    ----------
    folder : Path
        Made when the first result is written.

    Notes
    -----
    A part is written beside its place and renamed, so every part is whole. Joining writes the joined file before it
    removes the parts; after a crash in between, rows that stand in both are read once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._parts = len(list(self._part_files()))

    @property
    def joined(self) -> Path:
        """The file with all rows but those of the newest parts."""
        return self.folder / "results.parquet"

    def append(self, rows: Sequence[ResultRow]) -> None:
        """Write the rows of one finished task, which share a key."""
        frame = _typed(pd.DataFrame(list(rows)))
        part = self.folder / "parts" / f"{rows[0].key}.parquet"
        part.parent.mkdir(parents=True, exist_ok=True)
        replace_file(part, lambda stream: frame.to_parquet(stream, index=False))
        self._parts += 1
        if self._parts >= MANY_PARTS:
            self.join()

    def read(self) -> pd.DataFrame:
        """Return all rows; of a task that ran more than once those of the last run.

        Returns
        -------
        DataFrame
            One row per task, stage, learner and metric; a failed task has one row with its error.
        """
        return self._read([self.joined, *self._part_files()])

    def latest(self) -> pd.DataFrame:
        """Return what is shown: where the same was measured under several keys, the newest.

        Keys differ when versions, weights or rows of the data have changed in between; a mean must not mix
        them.

        Returns
        -------
        DataFrame
            As `read`.
        """
        rows = self.read().sort_values("finished", kind="stable")
        rows = rows.drop_duplicates([*RUN, "learner", "stage", "metric"], keep="last")
        done, failed = rows[rows["status"] == DONE], rows[rows["status"] == FAILED]
        over = pd.Series(False, index=failed.index)
        # A task of all classifiers fails without naming one.
        for by, mine in ((RUN, failed["learner"] == ""), ([*RUN, "learner"], failed["learner"] != "")):
            newest = done.groupby(by)["finished"].max().rename("newest")
            over |= mine & (failed.join(newest, on=by)["newest"] > failed["finished"])
        return rows.drop(index=over.index[over]).reset_index(drop=True)

    def join(self) -> None:
        """Join all parts into one file."""
        parts = list(self._part_files())
        if not parts:
            return
        frame = self._read([self.joined, *parts])
        replace_file(self.joined, lambda stream: frame.to_parquet(stream, index=False))
        for part in parts:
            part.unlink(missing_ok=True)
        self._parts = 0

    def statuses(self) -> dict[str, str]:
        """Return ``done`` or ``failed`` of every task that ran, by key."""
        frame = self.read()
        return dict(zip(frame["key"], frame["status"], strict=True))

    def _part_files(self) -> list[Path]:
        return sorted((self.folder / "parts").glob("[!.]*.parquet"))

    def _read(self, paths: list[Path]) -> pd.DataFrame:
        frames = []
        for path in paths:
            if path.exists():
                try:
                    frames.append(_typed(pd.read_parquet(path)))
                except (OSError, LookupError, TypeError, ValueError) as error:
                    raise FileProblem(
                        "a file of results cannot be read",
                        where=str(path),
                        got=str(error),
                        hint="remove it: its tasks run again",
                    ) from error
        if not frames:
            return _typed(pd.DataFrame({name: [] for name in TYPES}))
        rows = pd.concat(frames, ignore_index=True)
        last = rows.groupby("key")["finished"].transform("max")
        return rows[rows["finished"] == last].drop_duplicates(ignore_index=True)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(TYPES)].astype(TYPES)
