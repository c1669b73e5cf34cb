"""Saving and loading: manifest, tokenizer, and weights as safetensors; nothing that runs code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import makeweight.generators.causal_lm.model as models
from makeweight.errors import FileProblem
from makeweight.generators.causal_lm.training import LanguageTrainer, TrainingState

MODEL, ADAPTER = "model", "adapter"
#: All that the folders of a saved generator consist of; other files are refused.
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


def save_language(folder: Path, language: models.Language) -> None:
    """Write tokenizer, and weights or adapter, into folders of their own."""
    if language.form == "adapter":
        language.model.save_pretrained(folder / ADAPTER, safe_serialization=True)
    else:
        language.model.save_pretrained(folder / MODEL, max_shard_size="1000GB")
    language.tokenizer.save_pretrained(folder / MODEL)


def load_language(folder: Path, form: Literal["scratch", "full", "adapter"], base: str) -> models.Language:
    """Read what `save_language` wrote.

    `form`: {"scratch", "full", "adapter"}. `base`: the pretrained model that an adapter belongs to. Raises FileProblem
    when something is unknown or missing. Raises GeneratorError when the pretrained model that an adapter belongs to
    cannot be loaded.
    """
    if form not in ("scratch", "full", "adapter"):
        raise FileProblem("unknown form of a model", where=str(folder), got=repr(form))
    _refuse_unknown_files(folder, [MODEL, ADAPTER] if form == "adapter" else [MODEL])
    if form == "adapter":
        from peft import PeftModel

        _refuse_other_adapters(folder / ADAPTER / "adapter_config.json")
        language = models.load(base)
        adapted = PeftModel.from_pretrained(language.model, str(folder / ADAPTER), local_files_only=True)
        return models.Language(adapted, language.tokenizer, form)
    language = models.load(str(folder / MODEL), local_only=True)
    return models.Language(language.model, language.tokenizer, form)


def _refuse_unknown_files(folder: Path, parts: list[str]) -> None:
    known = {f"{part}/{name}" for part in parts for name in FILES[part]}
    present = {path.relative_to(folder).as_posix() for part in FILES for path in (folder / part).rglob("*")}
    if present - known:
        raise FileProblem(
            "unknown file in a saved generator",
            where=str(folder),
            got=sorted(present - known)[:5],
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


def plain_outcome(outcome: TrainingState) -> dict[str, object]:
    """Return an outcome as values of JSON, in which what is not a number is null."""
    plain = dataclasses.asdict(outcome)
    plain["best_loss"] = outcome.best_loss if math.isfinite(outcome.best_loss) else None
    plain["losses"] = [[loss, held_out if math.isfinite(held_out) else None] for loss, held_out in outcome.losses]
    return plain


def read_outcome(plain: Mapping[str, Any]) -> TrainingState:
    """Return the outcome that `plain_outcome` wrote."""
    losses = [(loss, math.nan if held_out is None else held_out) for loss, held_out in plain["losses"]]
    best = math.inf if plain["best_loss"] is None else plain["best_loss"]
    return TrainingState(**{**plain, "best_loss": best, "losses": losses})


class Checkpoint:
    """A training that is saved after every epoch, and goes on where it was."""

    def __init__(self, folder: Path, trainer: LanguageTrainer) -> None:
        self._state, self._tensors = folder / "training.json", folder / "training-{}.safetensors"
        self._trainer = trainer
        self._names = list(trainer.parameters)
        recipe = dataclasses.replace(trainer.recipe, max_seconds=None)
        shapes = [(name, tuple(value.shape)) for name, value in trainer.parameters.items()]
        rows = [trainer.corpus.prompts, trainer.corpus.names, trainer.corpus.cells, trainer.corpus.groups.tolist()]
        self._fingerprint = _digest(repr((recipe, shapes, rows, trainer.seed.entropy)))

    def save(self, trainer: LanguageTrainer) -> None:
        """Write where a training stands; the last one stays until this one is complete."""
        self._state.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"now.{name}": value.detach().cpu().contiguous() for name, value in trainer.parameters.items()}
        tensors |= {f"best.{name}": value.contiguous() for name, value in trainer.best.items()}
        for position, moments in trainer.optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer.{key}.{self._names[position]}"] = value.cpu().clone()
        path = Path(str(self._tensors).format(trainer.outcome.epoch))
        save_file(tensors, path)
        state = {"fingerprint": self._fingerprint, "file": path.name, "outcome": plain_outcome(trainer.outcome)}
        draft = self._state.with_suffix(".draft")
        draft.write_text(json.dumps(state, allow_nan=False), encoding="utf-8")
        os.replace(draft, self._state)
        for old in self._state.parent.glob(self._tensors.name.format("*")):
            if old != path:
                old.unlink()

    def resume(self) -> None:
        """Bring the trainer to where the saved training was, if there is one.

        Raises FileProblem when it is another table's or another recipe's, or damaged.
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
            outcome = read_outcome(state["outcome"])
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
