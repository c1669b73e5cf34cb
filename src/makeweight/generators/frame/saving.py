"""A fitted generator as a folder: a manifest of known keys, and arrays as safetensors; no code."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from makeweight.errors import FileProblem, MissingDependency, SchemaError, nearest
from makeweight.plan import Groups
from makeweight.table import Column, Kind, Table
from makeweight.table.files import replace_file

__all__ = ["fingerprint", "flat", "load_state", "options_of", "part", "parts", "save_state"]

T = TypeVar("T")
FORMAT, VERSION = "makeweight generator", 1
MANIFEST, TENSORS = "manifest.json", "state.safetensors"
KEYS = ("format", "version", "generator", "options", "columns", "facts", "sha256")


def flat(**named: Any) -> dict[str, np.ndarray]:
    """Return arrays, dataclasses of arrays and dicts of them as one dict of arrays, names joined by dots.

    Examples
    --------
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
    """Return the dataclass that `flat` was given under a name.

    Raises
    ------
    FileProblem
        When a field of it is missing.
    """
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


def options_of(generator: object, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """Return the constructor's arguments of a generator, as it stores them.

    Examples
    --------
    >>> from makeweight.generators.transport import TransportGenerator
    >>> options_of(TransportGenerator(recombine=0.5), without=("space", "max_donors"))
    {'borrowed_rows': 10.0, 'recombine': 0.5, 'n_neighbors': 5}
    """
    names = [name for name in inspect.signature(type(generator)).parameters if name not in set(without)]
    return {name: getattr(generator, name) for name in names}


def fingerprint(table: Table) -> dict[str, str]:
    """Return what a loaded generator has to find again: every column's kind and values, and the groups.

    Text columns, of which generators keep real values, count with all their values.
    """
    schema = table.schema
    names = [column.name for column in schema.learned]
    found = {schema[name].label: _digest(_values(schema[name])) for name in (*names, *schema.group_columns)}
    found["groups"] = _digest(repr(Groups(table).keys))
    for column in schema.features:
        if column.kind is Kind.TEXT:
            values = pd.util.hash_pandas_object(table.frame[column.name], index=False)
            found[column.label] = _digest(values.to_numpy().tobytes().hex())
    return found


def save_state(
    folder: str | os.PathLike[str],
    name: str,
    table_columns: Mapping[str, str],
    options: Mapping[str, Any],
    facts: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Write a fitted generator into a new or empty folder; the manifest, which makes it whole, comes last.

    Parameters
    ----------
    folder : path
    name : str
        Of the kind of generator.
    table_columns : mapping of str to str
        As `fingerprint` returns it.
    options, facts : mapping
        Plain values: constructor arguments, and whatever else is not an array.
    arrays : mapping of str to ndarray

    Raises
    ------
    FileProblem
        When there is something in the folder, or an option is no plain value.
    MissingDependency
        When safetensors is not installed.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileProblem("there is something there already", where=str(folder), hint="name a new or an empty folder")
    content = _safetensors().save({key: np.ascontiguousarray(value) for key, value in arrays.items()})
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "generator": name,
        "options": dict(options),
        "columns": dict(table_columns),
        "facts": dict(facts),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    try:
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise FileProblem(
            "the generator has an option that cannot be saved", where=str(folder), got=str(error)
        ) from None
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / TENSORS, lambda stream: stream.write(content))
    replace_file(folder / MANIFEST, lambda stream: stream.write(text.encode("utf-8")))


def load_state(
    folder: str | os.PathLike[str],
    name: str,
    table: Table,
    *,
    options: Iterable[str],
    facts: Iterable[str],
    arrays: Iterable[str],
    folders: Iterable[str] = (),
) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
    """Read what `save_state` wrote, and refuse what is unknown, missing, damaged or of another table.

    Parameters
    ----------
    folder : path
    name : str
        Of the kind of generator.
    table : Table
        The table it was fitted to, or one with the same columns, values and groups.
    options, facts : iterable of str
        The keys that have to be there, and no others.
    arrays : iterable of str
        The names that arrays may begin with, as `flat` was given them.
    folders : iterable of str
        Folders beside the manifest that the generator reads itself.

    Returns
    -------
    options, facts, arrays : dict

    Raises
    ------
    FileProblem
        When the folder is not such a generator, or not whole.
    SchemaError
        When the table is another.
    """
    folder = Path(folder)
    manifest = _manifest(folder, name)
    path = folder / MANIFEST
    exactly(manifest["options"], options, path, "options")
    exactly(manifest["facts"], facts, path, "facts")
    unknown = {entry.name for entry in folder.iterdir()} - {MANIFEST, TENSORS, *folders}
    if unknown:
        raise FileProblem(
            "unknown file in a saved generator",
            where=str(folder),
            got=sorted(unknown)[:5],
            hint="remove it, if you know where it came from",
        )
    _same_table(manifest["columns"], fingerprint(table), folder)
    state = _arrays(folder / TENSORS, manifest["sha256"])
    known = set(arrays)
    strange = [key for key in state if key.partition(".")[0] not in known]
    if strange:
        raise FileProblem("unknown array in a saved generator", where=str(folder), got=strange[:5])
    return manifest["options"], manifest["facts"], state


def _manifest(folder: Path, name: str) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileProblem(
            "not a saved generator",
            where=str(path),
            got=str(error).splitlines()[0],
            hint="name the folder that the generator's save was given",
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise FileProblem("not a saved generator of this kind", where=str(path), expected=repr(FORMAT))
    if manifest.get("version") != VERSION:
        raise FileProblem(
            "saved by another version",
            where=str(path),
            got=manifest.get("version"),
            expected=VERSION,
            hint="fit the generator anew",
        )
    exactly(manifest, KEYS, path, "manifest")
    if manifest["generator"] != name:
        raise FileProblem(
            "another generator was saved here",
            where=str(path),
            got=repr(manifest["generator"]),
            expected=repr(name),
        )
    return manifest


def exactly(found: Any, known: Iterable[str], path: Path, what: str) -> None:
    """Refuse a part of a manifest that has other keys than those that are known."""
    wanted, keys = set(known), set(found) if isinstance(found, dict) else set()
    for name in sorted(keys - wanted):
        raise FileProblem(
            f"unknown key in the {what}", where=str(path), got=repr(name), hint=nearest(name, sorted(wanted))
        )
    if wanted - keys:
        raise FileProblem(f"keys are missing in the {what}", where=str(path), got=sorted(wanted - keys))


def _same_table(saved: Any, found: Mapping[str, str], folder: Path) -> None:
    saved = saved if isinstance(saved, dict) else {}
    differing = [name for name in {**found, **saved} if found.get(name) != saved.get(name)]
    if differing:
        raise SchemaError(
            "the table is not the one that the generator was fitted to",
            where=f"folder {str(folder)!r}",
            got=f"other values, or another kind, in {', '.join(map(str, differing[:5]))}",
            hint="load it with the table it was fitted to, or fit it anew",
        )


def _arrays(path: Path, digest: str) -> dict[str, np.ndarray]:
    library = _safetensors()
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
    return dict(library.load(content))


def _safetensors() -> Any:
    try:
        import safetensors.numpy as library
    except ImportError as error:
        raise MissingDependency(
            "saving and loading generators needs safetensors", got=str(error), hint="pip install safetensors"
        ) from error
    return library


def _values(column: Column) -> str:
    categories = None if column.categories is None else column.categories.tolist()
    numbers = (column.low, column.high, column.decimals, column.origin, column.step)
    return repr((column.kind.value, str(column.dtype), column.n_missing > 0, numbers, categories))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
