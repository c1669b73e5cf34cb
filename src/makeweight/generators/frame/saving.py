"""A fitted generator as a folder: a manifest of known keys, and arrays as safetensors; no code."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import safetensors.numpy

from makeweight.errors import FileProblem, SchemaError, nearest
from makeweight.generators.frame.derived import Derived, read_derived
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.frame.options import WithOptions
from makeweight.table import Table
from makeweight.table.files import replace_file
from makeweight.table.records import guarded, read_record

__all__ = [
    "MANIFEST",
    "OWN_FOLDER",
    "SavedGenerator",
    "SavedState",
    "flat",
    "part",
    "parts",
    "read_manifest",
    "refuse_other_keys",
    "write_manifest",
]

T = TypeVar("T")
FORMAT, VERSION = "makeweight generator", 2
MANIFEST, TENSORS = "manifest.json", "state.safetensors"
CONTENTS = ("options", "columns", "derived", "facts", "sha256")


#: What to do where a saved generator is damaged.
OWN_FOLDER = "name the folder that the generator's save was given, or fit it anew"


def flat(**named: Any) -> dict[str, np.ndarray]:
    """Return arrays, dataclasses of arrays and dicts of them as one dict of arrays, names joined by dots.

    >>> sorted(flat(a=np.zeros(2), b={3: np.ones(1)}))
    ['a', 'b.3']
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in named.items():
        if dataclasses.is_dataclass(value):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            inner = flat(**{str(key): entry for key, entry in value.items()})
            arrays |= {f"{name}.{key}": entry for key, entry in inner.items()}
        else:
            arrays[name] = np.asarray(value)
    return arrays


def part(arrays: Mapping[str, np.ndarray], name: str, cls: type[T]) -> T:
    """Return the dataclass that `flat` was given under a name."""
    fields = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    lacking = [field for field in fields if f"{name}.{field}" not in arrays]
    if lacking:
        raise FileProblem("an array is missing in a saved generator", got=f"no {name}.{lacking[0]}")
    values = [arrays[f"{name}.{field}"] for field in fields]
    return cls(*(value.item() if not value.ndim else value for value in values))


def parts(arrays: Mapping[str, np.ndarray], name: str) -> list[int]:
    """Return the numbers under which `flat` was given entries of a dict, in ascending order."""
    keys = (key.split(".") for key in arrays)
    return sorted({int(key[1]) for key in keys if key[0] == name and key[1:] and key[1].isdigit()})


def save_state(
    folder: str | os.PathLike[str],
    name: str,
    table_columns: Mapping[str, str],
    options: Mapping[str, Any],
    derived: Sequence[Derived],
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write a fitted generator into a new or empty folder; the manifest, which makes it whole, comes last.

    `name`: of the kind of generator. `table_columns`, `derived`: as of `KnownTable`. `options`, `facts`: plain values:
    constructor arguments, and whatever else is not an array. Raises FileProblem when there is something in the folder,
    or an option is no plain value.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileProblem("there is something there already", where=str(folder), hint="name a new or an empty folder")
    content = safetensors.numpy.save({key: np.ascontiguousarray(value) for key, value in arrays.items()})
    rules = [dataclasses.asdict(rule) for rule in derived]
    contents = (dict(options), dict(table_columns), rules, dict(facts), hashlib.sha256(content).hexdigest())
    write_manifest(folder, name, dict(zip(CONTENTS, contents, strict=True)), {TENSORS: content})


def write_manifest(
    folder: Path, name: str, contents: Mapping[str, Any], files: Mapping[str, bytes] | None = None
) -> None:
    """Write files and then the manifest, which makes a saved generator whole."""
    manifest = {"format": FORMAT, "version": VERSION, "generator": name, **contents}
    try:
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise FileProblem(
            "the generator has an option that cannot be saved", where=str(folder), got=str(error)
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in {**(files or {}), MANIFEST: text.encode("utf-8")}.items():
        replace_file(folder / file, operator.methodcaller("write", content))


@dataclass(frozen=True, eq=False)
class SavedState:
    """What a fitted generator is, besides its options and its table."""

    facts: Mapping[str, Any]  # plain values
    arrays: Mapping[str, np.ndarray]  # as `flat` names them


class SavedGenerator(WithOptions, abc.ABC):
    """A generator that can be saved: it gives its state away in `_state`, and takes it back in `_restore`.

    Attributes
    ----------
    saved_as : str
        Names the kind of generator in the manifest.
    saved_facts, saved_arrays, saved_folders : tuple of str
        Facts, first parts of the names of arrays, and folders beside the manifest; others are refused.
    learns_derived : bool
        Whether columns that others determine are learned, and computed anew in what is written.
    """

    saved_as: ClassVar[str]
    saved_facts: ClassVar[tuple[str, ...]] = ()
    saved_arrays: ClassVar[tuple[str, ...]] = ()
    saved_folders: ClassVar[tuple[str, ...]] = ()
    learns_derived: ClassVar[bool] = False
    _known: KnownTable

    @abc.abstractmethod
    def _state(self) -> SavedState:
        """Return what `_restore` takes back."""

    @abc.abstractmethod
    def _restore(self, table: Table, state: SavedState, folder: Path) -> None:
        """Take a state back; options and `_known` are set already."""

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the fitted generator: a manifest, and what it learned from real rows as safetensors.

        Parameters
        ----------
        folder : path
            New, or empty. The manifest makes it whole.

        Raises
        ------
        FileProblem
            When there is something in the folder.
        """
        state = self._state()
        save_state(
            folder,
            self.saved_as,
            self._known.fingerprint,
            {name: getattr(self, name) for name in self.saved_options()},
            self._known.derived,
            state.facts,
            state.arrays,
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str], table: Table, **options: Any) -> Self:
        """Load a generator that was saved, and refuse what is unknown, missing, damaged or of another table.

        Parameters
        ----------
        folder : path
        table : Table
            The table it was fitted to, or one with the same columns, values and groups.
        **options
            Those that are not saved, such as a device.

        Returns
        -------
        generator
            Of this class.

        Raises
        ------
        FileProblem
            When the folder is not such a generator, or not whole.
        SchemaError
            When the table is another.
        """
        folder = Path(folder)
        manifest, path = read_manifest(folder, cls.saved_as, CONTENTS), folder / MANIFEST
        refuse_other_keys(manifest["options"], cls.saved_options(), path, "options")
        refuse_other_keys(manifest["facts"], cls.saved_facts, path, "facts")
        unknown = {entry.name for entry in folder.iterdir()} - {MANIFEST, TENSORS, *cls.saved_folders}
        if unknown:
            raise FileProblem(
                "unknown file in a saved generator",
                where=str(folder),
                got=sorted(unknown)[:5],
                hint="remove it, if you know where it came from",
            )
        generator = guarded(path, "the manifest", lambda: cls(**manifest["options"], **options), hint=OWN_FOLDER)
        derived = guarded(path, "the manifest", lambda: read_derived(manifest["derived"]), hint=OWN_FOLDER)
        generator._known = dataclasses.replace(KnownTable.of(table, covers=cls.learns_derived), derived=derived)
        _refuse_other_table(manifest["columns"], generator._known.fingerprint, folder)
        arrays = _arrays(folder / TENSORS, manifest["sha256"])
        strange = [key for key in arrays if key.partition(".")[0] not in cls.saved_arrays]
        if strange:
            raise FileProblem("unknown array in a saved generator", where=str(folder), got=strange[:5])
        guarded(path, "the manifest", generator._check_options, hint=OWN_FOLDER)
        state = SavedState(manifest["facts"], arrays)
        guarded(path, "the saved generator", lambda: generator._restore(table, state, folder), hint=OWN_FOLDER)
        return generator


def read_manifest(folder: Path, name: str, contents: Iterable[str]) -> dict[str, Any]:
    """Return what `write_manifest` wrote for a kind of generator."""
    path = folder / MANIFEST
    manifest = read_record(path, "the manifest of a saved generator", hint=OWN_FOLDER)
    if manifest.get("format") != FORMAT:
        raise FileProblem("not a saved generator of this kind", where=str(path), expected=repr(FORMAT))
    if manifest.get("version") != VERSION:
        raise FileProblem(
            "saved by another version",
            where=str(path),
            got=manifest.get("version"),
            expected=VERSION,
            hint="fit the generator anew",
        )
    refuse_other_keys(manifest, ("format", "version", "generator", *contents), path, "manifest")
    if manifest["generator"] != name:
        raise FileProblem(
            "another generator was saved here", where=str(path), got=repr(manifest["generator"]), expected=repr(name)
        )
    return manifest


def refuse_other_keys(entries: Any, known: Iterable[str], path: Path, what: str) -> None:
    """Refuse a part of a manifest that has other keys than those that are known."""
    wanted, keys = set(known), set(entries) if isinstance(entries, dict) else set()
    for name in sorted(keys - wanted):
        raise FileProblem(
            f"unknown key in the {what}", where=str(path), got=repr(name), hint=nearest(name, sorted(wanted))
        )
    if wanted - keys:
        raise FileProblem(f"keys are missing in the {what}", where=str(path), got=sorted(wanted - keys))


def _refuse_other_table(saved: Any, present: Mapping[str, str], folder: Path) -> None:
    saved = saved if isinstance(saved, dict) else {}
    differing = [name for name in {**present, **saved} if present.get(name) != saved.get(name)]
    if differing:
        raise SchemaError(
            "the table is not the one that the generator was fitted to",
            where=f"folder {str(folder)!r}",
            got=f"other values, or another kind, in {', '.join(map(str, differing[:5]))}",
            hint="load it with the table it was fitted to, or fit it anew",
        )


def _arrays(path: Path, digest: str) -> dict[str, np.ndarray]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileProblem(
            "the arrays of a saved generator cannot be read", where=str(path), got=type(error).__name__
        ) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise FileProblem(
            "the arrays are not those of the manifest",
            where=str(path),
            got=f"{len(content)} bytes",
            hint="the file is damaged or was changed; fit the generator anew",
        )
    return dict(safetensors.numpy.load(content))
