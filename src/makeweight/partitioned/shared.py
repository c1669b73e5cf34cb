"""An object that many tasks need: written once beside the output, read once by every worker."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from makeweight.errors import EngineError, GeneratorError
from makeweight.table.files import replace_file


@dataclass(frozen=True)
class Shared:
    """Where an object is, and the digest by which a worker knows that it is the one that was meant."""

    path: str  # of a file that every worker can read
    digest: str  # SHA-256 of its bytes: only what this very run wrote is unpickled

    @classmethod
    def write(cls, path: Path, content: object) -> Shared:
        """Write an object for the tasks of this run."""
        try:
            raw = pickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise GeneratorError(
                "the generator cannot be sent to workers",
                got=str(error),
                hint="choose another generator, or leave out the engine",
            ) from error
        replace_file(path, lambda stream: stream.write(raw))
        return cls(str(path), hashlib.sha256(raw).hexdigest())

    def read(self) -> Any:
        """Return the object; the last one that was read is kept."""
        return _read(self.path, self.digest)


@lru_cache(maxsize=1)
def _read(path: str, digest: str) -> Any:
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        raise EngineError(
            "a worker cannot read what its task needs",
            where=path,
            got=error.strerror or str(error),
            hint="every worker has to see input and output under the same paths",
        ) from error
    if hashlib.sha256(raw).hexdigest() != digest:
        raise EngineError(
            "a file changed while it was in use", where=path, hint="let one run at a time write to a folder"
        )
    return pickle.loads(raw)
