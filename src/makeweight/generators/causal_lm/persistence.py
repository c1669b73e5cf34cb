"""Saving and loading: manifest, tokenizer, and weights as safetensors; nothing that runs code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import makeweight.generators.causal_lm.model as models
from makeweight.errors import FileProblem
from makeweight.generators.causal_lm.recipe import Outcome
from makeweight.generators.causal_lm.rows import RowText
from makeweight.generators.causal_lm.training import Trainer
from makeweight.generators.frame.saving import exactly

__all__ = ["OPTIONS", "Checkpoint", "Saved", "describe", "load", "save"]

FORMAT, VERSION = "makeweight causal-lm", 1
#: Options of the generator that are saved.
OPTIONS = (
    "model",
    "lora",
    "epochs",
    "batch_size",
    "learning_rate",
    "patience",
    "validation_share",
    "max_seconds",
    "constrain",
    "temperature",
    "layers",
    "width",
    "rows_at_once",
)
KEYS = {"format", "version", "form", "options", "columns", "outcome", "longest"}
OUTCOME = {field.name for field in dataclasses.fields(Outcome)}
MANIFEST, MODEL, ADAPTER = "manifest.json", "model", "adapter"
#: All that a saved generator consists of; other files are refused.
FILES = {
    MODEL: {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "vocab.json",
        "merges.txt",
        "added_tokens.json",
        "chat_template.jinja",
        "model.safetensors.index.json",
    },
    ADAPTER: {"adapter_config.json", "adapter_model.safetensors", "README.md"},
}


@dataclass(frozen=True, eq=False)
class Saved:
    """What a folder holds.

    Parameters
    ----------
    language : Language
    options : dict
    columns : dict of label to str
        Fingerprints of what every column can have.
    outcome : Outcome
    longest : int
        Tokens of the longest real row.
    """

    language: models.Language
    options: dict[str, Any]
    columns: dict[str, str]
    outcome: Outcome
    longest: int


def describe(rows: RowText, patterns: list[str]) -> dict[str, str]:
    """Return a fingerprint of every column: its kind, its values and its role."""
    described = {
        spelling.label: f"{spelling.column.kind.value}:{_digest(pattern)}"
        for spelling, pattern in zip(rows.columns, patterns, strict=True)
    }
    for spelling in rows.groups:
        described[spelling.label] = f"group:{_digest(repr((spelling.values, spelling.column.n_missing > 0)))}"
    return described


def save(
    folder: Path,
    language: models.Language,
    options: Mapping[str, Any],
    columns: Mapping[str, str],
    outcome: Outcome,
    longest: int,
) -> None:
    """Write a generator into a new or empty folder; see `CausalLMGenerator.save`."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileProblem("there is something there already", where=str(folder), hint="name a new or an empty folder")
    (folder / MODEL).mkdir(parents=True)
    if language.form == "adapter":
        language.model.save_pretrained(folder / ADAPTER, safe_serialization=True)
        language.tokenizer.save_pretrained(folder / MODEL)
    else:
        language.model.save_pretrained(folder / MODEL, max_shard_size="1000GB")
        language.tokenizer.save_pretrained(folder / MODEL)
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "form": language.form,
        "options": dict(options),
        "columns": dict(columns),
        "outcome": _plain(outcome),
        "longest": longest,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def load(folder: Path) -> Saved:
    """Read what `save` wrote.

    Raises
    ------
    FileProblem
        When something is unknown or missing.
    GeneratorError
        When the pretrained model that an adapter belongs to cannot be had.
    """
    manifest = _manifest(folder)
    form = manifest["form"]
    _refuse_unknown_files(folder, {MODEL, ADAPTER} if form == "adapter" else {MODEL})
    if form == "adapter":
        from peft import PeftModel

        _refuse_other_adapters(folder / ADAPTER / "adapter_config.json")
        language = models.load(manifest["options"]["model"])
        adapted = PeftModel.from_pretrained(language.model, str(folder / ADAPTER), local_files_only=True)
        language = models.Language(adapted, language.tokenizer, form)
    else:
        language = models.load(str(folder / MODEL), local_only=True)
        language = models.Language(language.model, language.tokenizer, form)
    return Saved(language, manifest["options"], manifest["columns"], _outcome(manifest["outcome"]), manifest["longest"])


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileProblem(
            "not a saved generator",
            where=str(path),
            got=str(error).splitlines()[0],
            hint="name the folder that CausalLMGenerator.save was given",
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
    exactly(manifest["options"], set(OPTIONS), path, "options")
    exactly(manifest["outcome"], OUTCOME, path, "outcome")
    if manifest["form"] not in ("scratch", "full", "adapter"):
        raise FileProblem("unknown form of a model", where=str(path), got=repr(manifest["form"]))
    columns, longest = manifest["columns"], manifest["longest"]
    if not isinstance(columns, dict) or not isinstance(longest, int):
        raise FileProblem("the manifest is damaged", where=str(path), expected="columns and a length")
    return manifest


def _refuse_unknown_files(folder: Path, parts: set[str]) -> None:
    allowed = {MANIFEST} | {f"{part}/{name}" for part in parts for name in FILES[part]}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if found - allowed:
        raise FileProblem(
            "unknown file in a saved generator",
            where=str(folder),
            got=sorted(found - allowed)[:5],
            hint="remove it, if you know where it came from",
        )


def _refuse_other_adapters(path: Path) -> None:
    """Refuse an adapter that is not a plain LoRA: other kinds can name modules to import."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind, mapping = config["peft_type"], config["auto_mapping"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileProblem("the adapter cannot be read", where=str(path), got=repr(error)) from None
    if kind != "LORA" or mapping is not None:
        raise FileProblem("unknown kind of adapter", where=str(path), got=f"{kind}, {mapping}", expected="LORA, None")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as values of JSON, in which what is not a number is null."""
    plain = dataclasses.asdict(outcome)
    plain["best_loss"] = outcome.best_loss if math.isfinite(outcome.best_loss) else None
    plain["losses"] = [[loss, held_out if math.isfinite(held_out) else None] for loss, held_out in outcome.losses]
    return plain


def _outcome(plain: Mapping[str, Any]) -> Outcome:
    losses = [(loss, math.nan if held_out is None else held_out) for loss, held_out in plain["losses"]]
    best = math.inf if plain["best_loss"] is None else plain["best_loss"]
    return Outcome(**{**plain, "best_loss": best, "losses": losses})


class Checkpoint:
    """A training that is saved after every epoch, and goes on where it was.

    Parameters
    ----------
    folder : Path
    trainer : Trainer
    """

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        self._state, self._tensors = folder / "training.json", folder / "training-{}.safetensors"
        self._trainer = trainer
        self._names = list(trainer.parameters)
        recipe = dataclasses.replace(trainer.recipe, max_seconds=None)
        shapes = [(name, tuple(value.shape)) for name, value in trainer.parameters.items()]
        rows = [
            trainer.corpus.prompts,
            trainer.corpus.names,
            trainer.corpus.cells,
            trainer.corpus.groups.tolist(),
        ]
        self._fingerprint = _digest(repr((recipe, shapes, rows, trainer.seed.entropy)))

    def save(self, trainer: Trainer) -> None:
        """Write where a training stands; the last one stays until this one is complete."""
        self._state.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"now.{name}": value.detach().cpu().contiguous() for name, value in trainer.parameters.items()}
        tensors |= {f"best.{name}": value.contiguous() for name, value in trainer.best.items()}
        for position, moments in trainer.optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer.{key}.{self._names[position]}"] = value.cpu().clone()
        path = Path(str(self._tensors).format(trainer.outcome.epoch))
        save_file(tensors, path)
        state = {"fingerprint": self._fingerprint, "file": path.name, "outcome": _plain(trainer.outcome)}
        draft = self._state.with_suffix(".draft")
        draft.write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
        os.replace(draft, self._state)
        for old in self._state.parent.glob(self._tensors.name.format("*")):
            if old != path:
                old.unlink()

    def resume(self) -> None:
        """Bring the trainer to where the saved training was, if there is one.

        Raises
        ------
        FileProblem
            When it is another table's or another recipe's, or damaged.
        """
        if not self._state.exists():
            return
        hint = f"remove {self._state.parent} to begin anew"
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            if state["fingerprint"] != self._fingerprint:
                raise FileProblem(
                    "the saved training is of another table, model, recipe or random state",
                    where=str(self._state),
                    hint=hint,
                )
            tensors = load_file(self._state.parent / Path(state["file"]).name)
            outcome = _outcome(state["outcome"])
        except (ValueError, KeyError, TypeError, SafetensorError, FileNotFoundError) as error:
            raise FileProblem(
                "the saved training cannot be read", where=str(self._state), got=repr(error), hint=hint
            ) from None
        trainer = self._trainer
        outcome.stopped = "" if outcome.stopped == "max_seconds" else outcome.stopped
        trainer.outcome = outcome
        with torch.no_grad():
            for name, value in trainer.parameters.items():
                value.copy_(tensors[f"now.{name}"])
        trainer.best = {name: tensors[f"best.{name}"] for name in self._names if f"best.{name}" in tensors}
        states = {
            position: {key: tensors[f"optimizer.{key}.{name}"] for key in ("step", "exp_avg", "exp_avg_sq")}
            for position, name in enumerate(self._names)
        }
        trainer.optimizer.load_state_dict({**trainer.optimizer.state_dict(), "state": states})
