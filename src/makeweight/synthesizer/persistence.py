"""A fitted synthesizer as a folder: a manifest, and the folder of its generator."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makeweight.errors import FileProblem, OptionError
from makeweight.generators.frame.saving import MANIFEST, OWN_FOLDER, read_manifest, write_manifest
from makeweight.generators.registry import described, name_of
from makeweight.table import Table
from makeweight.table.records import guarded

if TYPE_CHECKING:
    from makeweight.synthesizer.synthesizer import Synthesizer

SAVED_AS, GENERATOR = "synthesizer", "generator"
CONTENTS = ("class", "target", "group_by", "kinds", "constraints")


@dataclass(frozen=True)
class SavedParts:
    """What a manifest says."""

    folder: Path
    generator: type[Any]
    target: Hashable | None
    group_by: list[Hashable]
    kinds: dict[Hashable, str]
    constraints: dict[str, str]

    def load_generator(self, table: Table, options: Mapping[str, Any]) -> Any:
        """Return the generator, fitted to a table."""
        return self.generator.load(self.folder / GENERATOR, table, **options)


def save_parts(folder: str | os.PathLike[str], generator: Any, synthesizer: Synthesizer) -> None:
    """Write a synthesizer and its fitted generator; the manifest, which makes it whole, comes last."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileProblem("there is something there already", where=str(folder), hint="name a new or an empty folder")
    schema = synthesizer.schema_
    rules = {rule.name: rule.expression.text for rule in synthesizer._rules}
    contents = (
        name_of(generator),
        None if synthesizer._no_target else schema.target,
        list(schema.group_by),
        [[name, str(kind)] for name, kind in (synthesizer.kinds or {}).items()],
        rules,
    )
    generator.save(folder / GENERATOR)
    write_manifest(folder, SAVED_AS, dict(zip(CONTENTS, contents, strict=True)))


def load_parts(folder: str | os.PathLike[str], generator: type[Any] | None) -> SavedParts:
    """Return what was saved, without the generator."""
    folder = Path(folder)
    manifest, path = read_manifest(folder, SAVED_AS, CONTENTS), folder / MANIFEST
    if generator is None:
        if manifest["class"] is None:
            raise OptionError(
                "the generator is of no class that the registry knows",
                where=str(path),
                hint="Synthesizer.load(folder, data, generator=YourClass)",
            )
        generator = described(str(manifest["class"])).load()

    def read() -> SavedParts:
        return SavedParts(
            folder,
            generator,
            _label(manifest["target"]),
            [_label(name) for name in manifest["group_by"]],
            {_label(name): str(kind) for name, kind in manifest["kinds"]},
            {str(name): str(text) for name, text in manifest["constraints"].items()},
        )

    return guarded(path, "the manifest", read, hint=OWN_FOLDER)


def _label(name: Any) -> Any:
    """Return a column's name: a list in JSON is a tuple in a frame."""
    return tuple(map(_label, name)) if isinstance(name, list) else name
