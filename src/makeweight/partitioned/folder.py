"""The folder that is written: begun, gone on with, and finished with a manifest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from makeweight.errors import FileProblem, OptionError
from makeweight.table.files import replace_file

__all__ = ["MANIFEST", "WORK", "begin", "check", "finish", "read_manifest", "record_of", "write_json"]

#: Folder in the output for what is needed until all parts are there. Readers of Parquet pass over the name.
WORK = "_makeweight"
#: What a finished folder says of itself. Readers of Parquet pass over the name.
MANIFEST = "_makeweight.json"
RUN = "run.json"


def check(output: Path, source: Path, asked: dict[str, Any], *, resume: bool, force: bool) -> None:
    """See, before any work, that the folder can be written or gone on with; change nothing.

    Parameters
    ----------
    output, source : Path
    asked : dict
        All that decides what is written. Its seed may be None, for any; it is then that of the folder.
    resume : bool
        Whether to go on with what is there.
    force : bool
        Whether what makeweight wrote there before may be taken away.

    Raises
    ------
    FileProblem
        When there is something else, or nothing to go on with.
    OptionError
        When the folder was begun with another request.
    """
    if output.exists() and not output.is_dir():
        raise FileProblem("the output is a file, and has to be a folder", where=str(output), hint="-o balanced/")
    here, there = output.resolve(), source.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise FileProblem(
            "input and output are in one another", where=str(output), hint="choose another folder with -o"
        )
    is_ours = (output / MANIFEST).is_file() or (output / WORK / RUN).is_file()
    if resume:
        if not is_ours:
            raise FileProblem(
                "there is nothing to go on with",
                where=str(output),
                expected=f"a folder with {WORK}/{RUN}",
                hint="leave out --resume to begin",
            )
        _agree(output, asked)
    elif output.is_dir() and any(output.iterdir()):
        if not is_ours:
            raise FileProblem(
                "the output folder exists and is not empty",
                where=str(output),
                hint="choose another -o; what makeweight did not write it does not replace",
            )
        if not force:
            raise FileProblem(
                "the output folder exists",
                where=str(output),
                hint="--resume goes on with it, --force begins anew, or choose another -o",
            )


def begin(output: Path, asked: dict[str, Any], *, resume: bool) -> Path:
    """Make the folder, or open it again, and return the one for work in progress in it."""
    work = output / WORK
    manifest = read_manifest(output)
    if not resume and output.is_dir():
        shutil.rmtree(output)
    work.mkdir(parents=True, exist_ok=True)
    if resume and manifest is not None:
        for part in manifest["parts"]:
            write_json(record_of(output, part["name"]), part)
    write_json(work / RUN, asked)
    return work


def finish(output: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest, and take away what was needed to get there or was left half done."""
    write_json(output / MANIFEST, manifest)
    shutil.rmtree(output / WORK)
    for path in output.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def read_manifest(output: Path) -> dict[str, Any] | None:
    """Return what a finished folder says of itself; None where it is not finished."""
    path = output / MANIFEST
    if not path.is_file():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _agree(output: Path, asked: dict[str, Any]) -> None:
    manifest = read_manifest(output)
    if manifest is not None:
        begun = manifest["asked"]
    else:
        begun = json.loads((output / WORK / RUN).read_text(encoding="utf-8"))
    if asked["seed"] is None:
        asked["seed"] = begun["seed"]
    now = json.loads(json.dumps(asked))
    for name in now:
        if now[name] != begun.get(name):
            raise OptionError(
                f"the folder was begun with another {name}",
                where=str(output),
                got=now[name],
                expected=begun.get(name),
                hint="ask for the same again, or begin anew with --force",
            )


def record_of(output: Path, name: str) -> Path:
    """Return where the record of a part file is kept until the folder is finished."""
    return output / WORK / f"{name}.json"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain values to a file, which appears when it is complete."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    replace_file(path, lambda stream: stream.write(text.encode()))
