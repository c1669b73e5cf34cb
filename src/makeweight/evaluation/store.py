"""What is kept of an arm on a split, and the append-only file from which an interrupted comparison goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from makeweight.errors import FileProblem
from makeweight.evaluation.metrics import Measured
from makeweight.table.records import parse_json

#: Repeat, fold, arm and estimator.
Key = tuple[int, int, str, str]


@dataclass(frozen=True)
class ArmRecord(Measured):
    """What an arm scored on one split, or why it could not be measured."""

    repeat: int
    fold: int
    source: str
    arm: str
    estimator: str
    task_seconds: float = 0.0  # its share of the time of all arms of the source on this split
    error: str = ""  # why nothing was measured; empty where something was
    #: real rows, and what the arm added to them or took away
    n_train: int = 0
    n_added: int = 0
    seconds: float = 0.0  # to write the rows and fit the estimator
    ledger: Mapping[str, object] | None = None  # the generator's account, as plain values

    @property
    def key(self) -> Key:
        """What tells it from other records."""
        return self.repeat, self.fold, self.arm, self.estimator

    @property
    def split(self) -> str:
        """The split in words."""
        return f"repeat {self.repeat + 1}, fold {self.fold + 1}"


@dataclass(frozen=True)
class Failure:
    """What could not be measured, and why."""

    arm: str
    estimator: str
    split: str
    error: str


FORMAT = "makeweight.evaluation-log"


class Log:
    """One JSON object per line: first what was compared, then one record per split, arm and estimator.

    `path`: None keeps nothing. `identity`: of data and settings; results of another comparison are refused.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, object]) -> None:
        self.path = path
        self.records: list[ArmRecord] = []
        self._stream: IO[str] | None = None
        if path is None:
            return
        head = {"format": FORMAT, "version": 2, **identity}
        with _naming(path):
            if path.exists():
                self._resume(path, head)
            else:
                self._stream = path.open("w", encoding="utf-8")
                self._write([head])

    def _resume(self, path: Path, head: Mapping[str, object]) -> None:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # the last line may have been cut off
        lines = _read(path, whole)
        changed = sorted(name for name in {*head, *lines[0]} if head.get(name) != lines[0].get(name))
        if changed:
            raise FileProblem(
                "the results that are there belong to another comparison",
                where=str(path),
                got=f"another {', '.join(changed)}",
                hint="--force starts over, or choose another -o",
            )
        self.records = [ArmRecord(**line) for line in lines[1:]]
        self._stream = path.open("r+", encoding="utf-8")
        self._stream.truncate(len(whole.encode()))
        self._stream.seek(0, 2)

    def add(self, records: Sequence[ArmRecord]) -> None:
        """Keep records, and write them to the disk."""
        self.records.extend(records)
        if self._stream is not None and self.path is not None:
            with _naming(self.path):
                self._write(list(map(asdict, records)))

    def _write(self, lines: Sequence[Mapping[str, object]]) -> None:
        assert self._stream is not None
        self._stream.write("".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in the error of a system that refuses to open or to write it."""
    try:
        yield
    except FileProblem:
        raise
    except OSError as error:
        raise FileProblem(
            "cannot keep results as they come", where=str(path), got=error.strerror or str(error)
        ) from error


def _read(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        lines = [parse_json(line) for line in text.splitlines()]
        if lines and all(isinstance(line, dict) for line in lines) and lines[0].get("format") == FORMAT:
            return lines
        got = "another format"
    except ValueError as error:
        got = str(error)
    raise FileProblem(
        "this is no file of results to go on from",
        where=str(path),
        got=got,
        hint="--force starts over, or choose another -o",
    )
