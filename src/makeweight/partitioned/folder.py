"""The folder that is written: how it begins, continues, and ends with a manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from makeweight.errors import FileProblem, OptionError
from makeweight.plan import Purpose
from makeweight.table.files import replace_file
from makeweight.table.records import guarded, read_record, typed

__all__ = ["WORK", "OutputFolder", "PartRecord"]

#: Folder in the output for what is needed until all parts are there. Readers of Parquet pass over the name.
WORK = "_makeweight"
#: What a finished folder says of itself. Readers of Parquet pass over the name.
MANIFEST = "_makeweight.json"
RUN = "run.json"
#: What to do where a record in the folder is damaged.
START_AGAIN = "start again with --force, or choose another folder with -o"


@dataclass(frozen=True)
class OutputFolder:
    """The folder that is written, and how.

    Parameters
    ----------
    path : str or Path
        For copies of the real part files, the synthetic ones, and ``_makeweight.json``, which describes them.
        Every worker has to see it under the same path.
    existing : {"refuse", "resume", "replace"}
        What to do with a folder that makeweight wrote before: an error; continue it, where the request is the
        same; or write it again.
    synthetic_only : bool
        Leave the real part files out.
    rows_per_part : int
        Rows of a synthetic part file.
    context_rows : int
        Rows of each group in the sample at most; fewer where there are many groups.

    Raises
    ------
    OptionError
        When a value is out of its range.

    Examples
    --------
    >>> OutputFolder("balanced/", existing="resume").existing
    'resume'
    """

    path: str | Path
    existing: Literal["refuse", "resume", "replace"] = "refuse"
    synthetic_only: bool = False
    rows_per_part: int = 100_000
    context_rows: int = 10_000

    def __post_init__(self) -> None:
        for name, value in (("rows_per_part", self.rows_per_part), ("context_rows", self.context_rows)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise OptionError(f"{name} is a number of rows", got=repr(value), expected="1 or more")
        if self.existing not in ("refuse", "resume", "replace"):
            raise OptionError("unknown existing", got=repr(self.existing), expected="refuse, resume or replace")


@dataclass(frozen=True)
class FolderRequest:
    """All that decides what is written to a folder; its random state may be None until the folder is begun."""

    source: tuple[tuple[str, int], ...]
    target: str
    group_by: tuple[str, ...]
    kinds: dict[str, str]
    generator: str
    options: dict[str, object]
    sampling_strategy: str
    augment: int
    copies: str
    random_state: int | None
    synthetic_only: bool
    rows_per_part: int
    context_rows: int
    version: str
    soft_labels: str = ""
    constraints: dict[str, str] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The random state, once it is settled."""
        assert self.random_state is not None
        return self.random_state


@dataclass(frozen=True)
class PartAccount:
    """What came of one group and purpose in one part file."""

    position: int  # of the group in the plan
    group: str
    purpose: Purpose
    requested: int
    accepted: int
    proposed: int
    rejected: dict[str, int]
    copies: int
    rounds: int
    seconds: float
    shortfall: int
    stopped: str


@dataclass(frozen=True)
class PartRecord:
    """What one part file holds."""

    name: str
    kind: Literal["real", "synthetic"]
    rows: int
    bytes: int
    sha256: str
    ledger: tuple[PartAccount, ...] = ()  # of a synthetic part
    notes: tuple[str, ...] = ()
    seconds: float | None = None  # that a synthetic part took
    is_new: bool = True  # whether this run wrote it

    @classmethod
    def read(cls, path: Path) -> PartRecord:
        """Return the record in a file, as one that was there before."""
        what = "the record of a part file"
        values = read_record(path, what, hint=START_AGAIN)
        return guarded(path, what, lambda: cls.parse(values), hint=START_AGAIN)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> PartRecord:
        """Return the record that `to_dict` wrote."""
        ledger = tuple(typed(PartAccount, account) for account in values.get("ledger", ()))
        own = {name: value for name, value in values.items() if name != "ledger"}
        return replace(typed(cls, {**own, "notes": tuple(values.get("notes", ()))}), ledger=ledger, is_new=False)

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON, without what depends on who did the work."""
        values = asdict(self)
        del values["is_new"]
        if self.kind == "real":
            for name in ("ledger", "notes", "seconds"):
                del values[name]
        return values


def check(output: OutputFolder, source: Path, request: FolderRequest) -> FolderRequest:
    """Return the request, with the random state of a folder that is continued; change nothing."""
    folder = Path(output.path)
    if folder.exists() and not folder.is_dir():
        raise FileProblem("the output is a file, and has to be a folder", where=str(folder), hint="-o balanced/")
    here, there = folder.resolve(), source.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise FileProblem(
            "one of input and output lies within the other", where=str(folder), hint="choose another folder with -o"
        )
    is_ours = (folder / MANIFEST).is_file() or (folder / WORK / RUN).is_file()
    if output.existing == "resume":
        if not is_ours:
            raise FileProblem(
                "there is nothing to continue",
                where=str(folder),
                expected=f"a folder with {WORK}/{RUN}",
                hint="leave out --resume to begin",
            )
        return _agreed(folder, request)
    if folder.is_dir() and any(folder.iterdir()):
        if not is_ours:
            raise FileProblem(
                "the output folder exists and is not empty",
                where=str(folder),
                hint="choose another -o; only folders that makeweight wrote are replaced",
            )
        if output.existing != "replace":
            raise FileProblem(
                "the output folder exists",
                where=str(folder),
                hint="--resume continues it, --force starts again, or choose another -o",
            )
    return request


def begin(output: OutputFolder, request: FolderRequest) -> Path:
    """Return the folder for work in progress, in an output that is made or opened again."""
    folder, resume = Path(output.path), output.existing == "resume"
    work = folder / WORK
    manifest = _read_manifest(folder)
    if not resume and folder.is_dir():
        shutil.rmtree(folder)
    work.mkdir(parents=True, exist_ok=True)
    if resume and manifest is not None:
        for part in manifest["parts"]:
            write_json(record_of(folder, part["name"]), part)
    write_json(work / RUN, asdict(request))
    return work


def finish(output: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, and remove what was needed to get there or was left half done."""
    write_json(output / MANIFEST, manifest)
    shutil.rmtree(output / WORK)
    for path in output.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _read_manifest(output: Path) -> dict[str, Any] | None:
    """Return the manifest of a finished folder; None where it is not finished."""
    path = output / MANIFEST
    if not path.is_file():
        return None
    manifest = read_record(path, "the manifest", hint=START_AGAIN)
    parts, begun = manifest.get("parts"), manifest.get("asked")
    if not isinstance(parts, list) or not isinstance(begun, dict):
        raise FileProblem("the manifest is damaged", where=str(path), got="no parts or request", hint=START_AGAIN)
    for part in parts:
        guarded(path, "the manifest", partial(PartRecord.parse, part), hint=START_AGAIN)
    return manifest


def _agreed(output: Path, request: FolderRequest) -> FolderRequest:
    manifest = _read_manifest(output)
    begun = (
        read_record(output / WORK / RUN, "the record of the run", hint=START_AGAIN)
        if manifest is None
        else manifest["asked"]
    )
    if request.random_state is None:
        seed = begun.get("random_state")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise FileProblem("the record of the run has no seed", where=str(output), got=seed, hint=START_AGAIN)
        request = replace(request, random_state=seed)
    for name, value in json.loads(json.dumps(asdict(request))).items():
        if value != begun.get(name):
            raise OptionError(
                f"the folder was begun with another {name}",
                where=str(output),
                got=value,
                expected=begun.get(name),
                hint="ask for the same again, or start again with --force",
            )
    return request


def record_of(output: Path, name: str) -> Path:
    """Return where the record of a part file is kept until the folder is finished."""
    return output / WORK / f"{name}.json"


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write plain values to a file, which appears when it is complete."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    replace_file(path, lambda stream: stream.write(text.encode()))
