"""Files by name: which format a name stands for, whether a place can be written to, and writing in one step."""

from __future__ import annotations

import errno
import glob
import os
import secrets
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from makeweight.errors import FileProblem, nearest

__all__ = ["FORMATS", "check_destination", "check_place", "no_such", "replace_file"]

#: The name of standard input and of standard output.
STANDARD = "-"
#: Characters of a name that the name of its temporary file keeps.
LONGEST_NAME = 100
#: Seconds that a named pipe is waited for until somebody opens its other end.
PIPE_SECONDS = 10.0
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
COMPRESSED = {".gz": "gunzip -c", ".bz2": "bunzip2 -c", ".xz": "xz -dc", ".zst": "zstd -dc", ".zip": "unzip -p"}


def check_destination(destination: str | Path, *, force: bool = False, data: str | Path | None = None) -> None:
    """Refuse a place where nothing can be written, where there is something already, or where the `data` are."""
    name = str(destination)
    if name == STANDARD:
        return
    format_of(name)
    check_place(name, force=force, data=data)


def check_place(name: str, *, force: bool = False, data: str | Path | None = None) -> None:
    """Refuse a file of any kind that cannot be written, is there already, or is the one that the `data` are in."""
    path = Path(name)
    refuse_impossible(name)
    if path.is_dir():
        raise FileProblem("the output is a directory", where=name, hint="name a file in it")
    if not path.parent.is_dir():
        raise FileProblem("no such directory", where=str(path.parent), hint=f"mkdir -p {path.parent}")
    if data is not None and path.is_file() and Path(data).exists() and path.samefile(data):
        raise FileProblem("the output is the file of the real rows", where=name, hint="choose another name")
    if path.is_file() and not force:
        raise FileProblem("the output file exists", where=name, hint="--force replaces it, or choose another name")
    if not path.exists() or path.is_file():
        _refuse_unwritable(path)


def no_such(what: str, name: str) -> FileProblem:
    """Return the error for a name that nothing has, with the one beside it that is close."""
    path = Path(name)
    others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = nearest(path.name, others, f"the working directory is {Path.cwd()}")
    return FileProblem(f"no such {what}", where=name, hint=hint)


def refuse_impossible(name: str) -> None:
    """Refuse a name that no file can have, and one that links lead around in a circle.

    Raises FileProblem.
    """
    hint = "choose another name"
    try:
        os.stat(name)
    except ValueError as error:  # a null character
        raise FileProblem("no file can have this name", where=repr(name[:80]), got=str(error), hint=hint) from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            shown = name if len(name) <= 80 else f"{name[:40]}...{name[-20:]}"
            raise FileProblem("no file can have this name", where=shown, got=error.strerror, hint=hint) from error


def read_pipe(path: Path) -> bytes:
    """Return all that comes through a named pipe, which somebody has to begin to write to in time.

    Raises FileProblem.
    """
    deadline = time.monotonic() + PIPE_SECONDS
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        while True:
            try:
                first = os.read(stream.fileno(), 1 << 16)
            except BlockingIOError:  # somebody is there, and has not written yet
                first = None
            if first or first is None:
                os.set_blocking(stream.fileno(), True)
                return (first or b"") + stream.read()
            if time.monotonic() > deadline:
                raise _nobody("writes to", path)
            time.sleep(0.05)


@contextmanager
def write_pipe(path: Path) -> Iterator[IO[bytes]]:
    """Open a named pipe or a device to write to; of a pipe, somebody has to read the other end in time.

    Raises FileProblem.
    """
    deadline = time.monotonic() + PIPE_SECONDS
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if time.monotonic() > deadline:
            raise _nobody("reads from", path)
        time.sleep(0.05)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as stream:
        yield stream


def _nobody(does: str, path: Path) -> FileProblem:
    return FileProblem(
        f"nobody {does} the pipe",
        where=str(path),
        got=f"nothing for {PIPE_SECONDS:g} seconds",
        hint="start the other program first, or use a file",
    )


def _refuse_unwritable(path: Path) -> None:
    """Put a file there that has no name and goes by itself: permissions do not tell what a file system takes."""
    try:
        target = path.resolve()
        _remove_leftovers(target)
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except (OSError, RuntimeError) as error:  # older versions of Python raise the latter for links in a circle
        raise FileProblem(
            "the directory cannot be written to",
            where=str(path.parent),
            got=getattr(error, "strerror", None) or str(error),
            hint="choose another place, or change its permissions",
        ) from error


def _temporary(target: Path) -> Path:
    return target.parent / f".{target.name[:LONGEST_NAME]}.{secrets.token_hex(4)}.tmp"


def _remove_leftovers(target: Path) -> None:
    """Remove what runs that were killed left half written beside a file; one that is at work holds a lock."""
    pattern = f".{glob.escape(target.name[:LONGEST_NAME])}.{'[0-9a-f]' * 8}.tmp"
    for path in target.parent.glob(pattern):
        try:
            with path.open("rb") as stream:
                if _lock(stream):
                    path.unlink()
        except OSError:  # gone already, or somebody else's
            continue


def _lock(stream: IO[bytes]) -> bool:
    """Return whether a file could be locked; where there are no locks, it could not."""
    try:
        import fcntl
    except ImportError:  # Windows, where a file that is open cannot be removed anyway
        return os.name == "nt"
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def format_of(name: str) -> str:
    """Return the format that a file's name stands for.

    Raises FileProblem when the name has no known ending.

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

    A file that exists keeps its permissions, a link keeps pointing to its file, and a failure leaves what was there.
    """
    if path.exists() and not path.is_file():  # a pipe or a device: there is no file to rename
        with write_pipe(path) as stream:
            write(stream)
        return
    target = path.resolve()
    _remove_leftovers(target)
    temporary = _temporary(target)
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as stream:
            _lock(stream)
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
