"""Raw answers, kept the moment they arrive, so that nothing is paid twice.

A folder of recordings holds ``manifest.json`` and ``answers.jsonl``: one line for every answer, only ever
appended to. A line names the request (which holds real rows) and the raw body of the answer; it holds no key
to the endpoint. The file can be read by its owner only.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from makeweight.errors import FileProblem
from makeweight.table.files import replace_file
from makeweight.table.records import parse_json, read_record, typed

FORMAT = 1
KIND = "makeweight chat answers"
MANIFEST, ANSWERS = "manifest.json", "answers.jsonl"
#: The line that says that a run has ended.
END = b'{"ended": true}\n'
#: The failure of an answer that is none.
NO_COMPLETION = "not-a-chat-completion"


@dataclass(frozen=True)
class Recording:
    """One request and what came back."""

    key: str  # of endpoint and request; see `key_of`
    endpoint: str
    table: str  # digest of the names of the columns that were sent
    request: dict[str, object]
    answer: str | None  # raw body; None where it was not read to its end
    failure: str | None = None  # why there is no body, or none that is an answer
    error: str | None = None  # what the request failed with, after all attempts

    @property
    def is_answered(self) -> bool:
        """Whether the endpoint gave an answer, be it a refusal."""
        return self.error is None and self.failure != NO_COMPLETION


def key_of(endpoint: str, request: Mapping[str, object]) -> str:
    """Return the hash under which the answer to a request is kept.

    >>> key_of("http://localhost/v1", {"a": 1, "b": 2}) == key_of("http://localhost/v1", {"b": 2, "a": 1})
    True
    """
    text = json.dumps([endpoint, request], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Recordings:
    """Answers by the hash of their request, in a folder or in memory.

    `folder`: in memory only without one. `read_only`: whether the folder has to be there already and is not written to.
    Raises FileProblem when the folder holds something else, cannot be read or written, or is not there and has to be.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> Recordings(folder).add(Recording("k", "http://localhost/v1", "t", {}, "hello"))
    >>> Recordings(folder).get("k").answer
    'hello'
    """

    def __init__(self, folder: str | Path | None = None, *, read_only: bool = False) -> None:
        self.folder = None if folder is None else Path(folder)
        self._read_only = read_only
        self._lock = threading.Lock()
        self._memory: dict[str, Recording] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._sent: set[tuple[str, str]] = set()
        self._open_failures: set[str] = set()
        self._ended_failures: set[str] = set()
        self.damaged = 0
        if self.folder is not None:
            self._open(self.folder)

    def __len__(self) -> int:
        return len(self._memory) + len(self._places)

    def was_sent(self, endpoint: str, table: str) -> bool:
        """Tell whether rows of these columns went to that endpoint before."""
        return (endpoint, table) in self._sent

    def is_past(self, key: str) -> bool:
        """Return whether a request failed in a run that has ended since."""
        return key in self._ended_failures

    def end(self) -> None:
        """Note that the run has ended: another one asks again for what failed."""
        with self._lock:
            if self.folder is not None and not self._read_only and self._open_failures:
                _append(self.folder / ANSWERS, END)
            self._ended_failures |= self._open_failures
            self._open_failures = set()

    def get(self, key: str) -> Recording | None:
        """Return the latest recording of a request, if there is one."""
        with self._lock:
            if key in self._memory:
                return self._memory[key]
            if key not in self._places or self.folder is None:
                return None
            place, size = self._places[key]
            with (self.folder / ANSWERS).open("rb") as file:
                file.seek(place)
                recording = _read(file.read(size))
            return recording if recording is not None and recording.key == key else None

    def add(self, recording: Recording) -> None:
        """Append a recording; it is on the disk when this returns.

        Raises FileProblem when it cannot be written.
        """
        with self._lock:
            self._sent.add((recording.endpoint, recording.table))
            self._note(recording)
            if self.folder is None or self._read_only:
                self._memory[recording.key] = recording
                return
            line = json.dumps(asdict(recording)).encode() + b"\n"
            try:
                place = _append(self.folder / ANSWERS, line)
            except OSError as error:
                raise FileProblem(
                    "an answer could not be kept",
                    where=str(self.folder),
                    got=error.strerror,
                    hint="free some space, or choose another cache_dir",
                ) from error
            self._places[recording.key] = (place, len(line))

    def _note(self, recording: Recording) -> None:
        self._ended_failures.discard(recording.key)
        if not recording.is_answered:
            self._open_failures.add(recording.key)

    def _open(self, folder: Path) -> None:
        try:
            if not (folder / MANIFEST).is_file():
                self._begin(folder)
            else:
                _check_manifest(folder / MANIFEST)
            if (folder / ANSWERS).is_file():
                self._index(folder / ANSWERS)
        except FileProblem:
            raise
        except OSError as error:
            raise FileProblem(
                "the folder of recorded answers cannot be used", where=str(folder), got=error.strerror
            ) from error

    def _begin(self, folder: Path) -> None:
        if self._read_only:
            raise FileProblem(
                "no recorded answers",
                where=str(folder),
                expected=f"a folder with {MANIFEST}",
                hint="give the cache_dir of the run that is to be repeated",
            )
        if folder.is_dir() and any(folder.iterdir()):
            raise FileProblem(
                "the folder is not empty and holds no recorded answers",
                where=str(folder),
                hint="choose a new or an empty folder as cache_dir",
            )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"format": FORMAT, "kind": KIND}) + "\n"
        replace_file(folder / MANIFEST, lambda stream: stream.write(text.encode()))

    def _index(self, path: Path) -> None:
        place = 0
        with path.open("rb") as file:
            for line in file:
                recording = _read(line)
                if recording is not None:
                    self._places[recording.key] = (place, len(line))
                    self._sent.add((recording.endpoint, recording.table))
                    self._note(recording)
                elif line == END:
                    self._ended_failures |= self._open_failures
                    self._open_failures = set()
                elif line.strip():
                    self.damaged += 1  # the run that wrote it was killed in the middle of a line
                place += len(line)


def _append(path: Path, line: bytes) -> int:
    """Append one line in one write, after the line end that a killed run may have left out."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if end and os.lseek(descriptor, end - 1, os.SEEK_SET) >= 0 and os.read(descriptor, 1) != b"\n":
            line = b"\n" + line
        with os.fdopen(os.dup(descriptor), "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return os.lseek(descriptor, 0, os.SEEK_END) - len(line.lstrip(b"\n"))
    finally:
        os.close(descriptor)


def _read(line: bytes) -> Recording | None:
    try:
        return typed(Recording, parse_json(line.decode("utf-8")))
    except (ValueError, TypeError):  # half a line, or not one of ours
        return None


def _check_manifest(path: Path) -> None:
    manifest = read_record(path, "the manifest", hint="choose a new or an empty folder as cache_dir")
    if manifest != {"format": FORMAT, "kind": KIND}:
        raise FileProblem(
            "the folder holds something else than recorded answers",
            where=str(path),
            got=manifest,
            expected={"format": FORMAT, "kind": KIND},
        )
