"""Files by name: which format a name stands for, whether a place can be written to, and writing in one step."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from makeweight.errors import FileProblem

__all__ = ["STANDARD", "check_destination", "check_place", "format_of", "replace_file"]

#: The name of standard input and of standard output.
STANDARD = "-"
FORMATS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".feather": "feather",
    ".arrow": "feather",
}
COMPRESSED = {
    ".gz": "gunzip -c",
    ".bz2": "bunzip2 -c",
    ".xz": "xz -dc",
    ".zst": "zstd -dc",
    ".zip": "unzip -p",
}


def check_destination(destination: str | Path, *, force: bool = False) -> None:
    """Refuse a place where nothing can be written, or where there is something already.

    Raises
    ------
    FileProblem
    """
    name = str(destination)
    if name == STANDARD:
        return
    format_of(name)
    check_place(name, force=force)


def check_place(name: str, *, force: bool = False) -> None:
    """Refuse a file of any kind that cannot be written, or is there already.

    Raises
    ------
    FileProblem
    """
    path = Path(name)
    if path.is_dir():
        raise FileProblem("the output is a directory", where=name, hint="name a file in it")
    if not path.parent.is_dir():
        raise FileProblem("no such directory", where=str(path.parent), hint=f"mkdir -p {path.parent}")
    if path.is_file() and not force:
        raise FileProblem("the output file exists", where=name, hint="--force replaces it, or choose another name")
    if not path.exists() or path.is_file():
        _refuse_unwritable(path)


def _refuse_unwritable(path: Path) -> None:
    """Put a file there and take it away: permissions alone do not tell what a file system takes."""
    probe = _temporary(path.resolve())
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        probe.unlink()
    except OSError as error:
        raise FileProblem(
            "the directory cannot be written to", where=str(path.parent), got=error.strerror or str(error)
        ) from error


def _temporary(target: Path) -> Path:
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.tmp"


def format_of(name: str) -> str:
    """Return the format that a file's name stands for.

    Raises
    ------
    FileProblem
        When the name has no known ending.

    Examples
    --------
    >>> format_of("rows.TSV")
    'tsv'
    """
    suffix = Path(name).suffix.lower()
    if suffix in FORMATS:
        return FORMATS[suffix]
    if not Path(name).is_file() and Path(name).exists():  # a pipe or a device
        return "csv"
    hint = "rename the file, or give text as standard input: -"
    if suffix in COMPRESSED:
        hint = f"{COMPRESSED[suffix]} {name} | makeweight ... -"
    raise FileProblem(
        "unknown kind of file",
        where=name,
        got=repr(suffix) if suffix else "a name without an extension",
        expected=".csv, .tsv, .parquet or .feather",
        hint=hint,
    )


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write to a temporary file beside the path, and rename it when it is complete and on the disk.

    Parameters
    ----------
    path : Path
        Keeps its permissions where it exists; a link keeps pointing to its file.
    write : callable
        Gets the open temporary file.

    Raises
    ------
    OSError
        When the disk is full or may not be written to; there is then no file, or the one that was there.
    """
    if path.exists() and not path.is_file():  # a pipe or a device: there is no file to rename
        with path.open("wb") as stream:
            write(stream)
        return
    target = path.resolve()
    temporary = _temporary(target)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
