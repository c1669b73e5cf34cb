"""The language model: from the hub, from a folder, or made from scratch for the table."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.gate import Weights, may_fetch

#: The name that stands for a model made for the table.
SCRATCH = "scratch"
#: Tokens that the tokenizer of such a model has at most, besides the names of the columns.
VOCABULARY = 1024
HEAD_WIDTH = 32
PAD, END = "<pad>", "<end>"
#: A digit takes the sign before it and the point behind it along; everything else stays in one piece.
PIECES = r" ?-?\d\.?|[^\d]+"
#: Rank of an adapter when it is not given, and how strongly it counts against its rank.
LORA_RANK, LORA_GAIN = 16, 2

#: What transformers raises for a model that it cannot load.
UNLOADABLE = (OSError, ValueError, KeyError, RuntimeError, ImportError)
#: Licences that allow commercial use without more than to be named, and endings of what is read of a model.
PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "cc-by-4.0")
FILES = (".safetensors", ".json", ".txt", ".model")
#: After which the hub counts as out of reach.
SECONDS_TO_ANSWER = 5.0

Form = Literal["scratch", "full", "adapter"]


@dataclass(frozen=True, eq=False)
class Language:
    """A causal language model with its tokenizer."""

    model: Any
    tokenizer: Any
    #: {"scratch", "full", "adapter"}: made for the table, a pretrained one trained as a whole, or one with an adapter
    form: Form

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(next(self.model.parameters()).device)

    @property
    def end(self) -> int:
        """The end token."""
        return int(self.tokenizer.eos_token_id)

    @property
    def pad(self) -> int:
        """The token that fills up; never attended to, so that the end token will do where there is none."""
        return self.end if self.tokenizer.pad_token_id is None else int(self.tokenizer.pad_token_id)

    @property
    def context(self) -> int | None:
        """Tokens that the model takes; None where it has no such limit."""
        most = getattr(self.model.config, "max_position_embeddings", None)
        return None if most is None else int(most)

    @property
    def width(self) -> int:
        """Number of logits."""
        return int(self.model.get_output_embeddings().weight.shape[0])

    @cached_property
    def _takes_positions(self) -> bool:
        inner = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        return "position_ids" in inspect.signature(inner.forward).parameters

    def trained(self) -> dict[str, torch.Tensor]:
        """Return the parameters that training changes, by name."""
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    def encode(self, segment: str) -> list[int]:
        """Return the tokens of a segment."""
        return list(self.tokenizer(segment, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, blank for blank."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def logits(self, tokens: torch.Tensor, mask: torch.Tensor, cache: Any = None) -> torch.Tensor:
        """Return the logits that follow every token.

        `tokens` of shape (n_rows, n_new). `mask` of shape (n_rows, n_past + n_new): 1 for tokens, 0 for padding,
        wherever it is: positions are counted over tokens alone. `cache`: keys and values of the n_past tokens; the new
        ones are added. Returns shape (n_rows, n_new, n_logits).
        """
        options: dict[str, Any] = {"attention_mask": mask, "use_cache": cache is not None}
        if cache is not None:
            options["past_key_values"] = cache
        if self._takes_positions:
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -tokens.shape[1] :]
        wide: torch.Tensor = self.model(input_ids=tokens, **options).logits
        return wide


def choose_device(device: str) -> torch.device:
    """Return the device of a name; "auto" is the accelerator that is there, else the processor.

    Raises OptionError when there is no such device here.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return torch.device("cpu") if accelerator is None else accelerator
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(
            "no such device here",
            where="device",
            got=f"{device!r}: {str(error).splitlines()[0]}",
            expected='"auto", "cpu", or an accelerator that torch sees',
            hint="--option device=auto",
        ) from None
    return chosen


def make(
    names: Sequence[str], firsts: Sequence[str], values: Iterable[str], *, longest: int, layers: int, width: int
) -> Language:
    """Make a small model and its tokenizer for a table.

    Every name becomes one token, as does every segment of `firsts`, which only begins a row; byte-level
    pairs are learned from the values. Random weights come from torch's global stream.
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _make_tokenizer([*firsts, *names, " missing"], values)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=longest,
        n_embd=width,
        n_layer=layers,
        n_head=max(1, width // HEAD_WIDTH),
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Language(GPT2LMHeadModel(config), tokenizer, "scratch")


def _make_tokenizer(single: Sequence[str], values: Iterable[str]) -> Any:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        special_tokens=[PAD, END],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(values, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=False) for text in dict.fromkeys(single)])
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, eos_token=END, pad_token=PAD)


def load(source: str, *, local_only: bool = False, fetch: bool = False) -> Language:
    """Load a pretrained model and its tokenizer; never runs code that comes with it, and reads no pickle.

    `source`: a folder, or the id of a model on the hub. `local_only`: whether the hub is not asked. `fetch`: whether
    what is not there may be downloaded; else a terminal is asked.
    """
    reaches_out = not (local_only or Path(source).is_dir())
    try:
        tokenizer, model = _pretrained(source, local_only=True)  # a folder, or downloaded before
    except UNLOADABLE as error:
        if not reaches_out:
            raise _cannot_load(source, error) from None
        try:
            _knock()
            weights, size = _on_the_hub(source)
        except UNLOADABLE as other:
            raise _cannot_load(source, other) from None
        may_fetch(weights, size, fetch, "model=FOLDER takes one that is there, model=scratch needs none")
        try:
            tokenizer, model = _pretrained(source, local_only=False)
        except UNLOADABLE as other:
            raise _cannot_load(source, other) from None
    if not getattr(tokenizer, "is_fast", False) or tokenizer.eos_token_id is None:
        raise GeneratorError(
            "the tokenizer of the model cannot be used",
            where=f"model {source!r}",
            got=type(tokenizer).__name__,
            expected="a fast tokenizer with an end token",
            hint="--option model=scratch, or another model",
        )
    return Language(model, tokenizer, "full")


def _pretrained(source: str, *, local_only: bool) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": local_only}
    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    model = AutoModelForCausalLM.from_pretrained(source, use_safetensors=True, dtype=torch.float32, **options)
    return tokenizer, model


def _knock() -> None:
    """Raise an OSError in seconds where the hub is out of reach: its client tries for more than a minute."""
    from huggingface_hub import constants

    hub = urlsplit(constants.ENDPOINT)
    if hub.scheme in getproxies() or "all" in getproxies():
        return
    address = (hub.hostname or "", hub.port or (80 if hub.scheme == "http" else 443))
    try:
        socket.create_connection(address, timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        raise OSError(f"{constants.ENDPOINT} cannot be reached: {error}") from None


def _on_the_hub(source: str) -> tuple[Weights, int]:
    """Return what the hub says of a model, and the bytes of the files that are read of it."""
    from huggingface_hub import constants, model_info

    info = model_info(source, files_metadata=True)
    licence = str(getattr(info.card_data, "license", None) or "no licence stated")
    files = [file for file in info.siblings or () if file.rfilename.endswith(FILES)]
    commercial = True if licence in PERMISSIVE else False if "-nc" in licence else None
    weights = Weights(source, licence, commercial, f"{constants.ENDPOINT}/{source}")
    return weights, sum(file.size or 0 for file in files)


def _cannot_load(source: str, error: Exception) -> GeneratorError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if Path(source).is_dir():
        expected = "a folder with config.json, tokenizer.json and weights as safetensors"
        hint = "save model and tokenizer there with save_pretrained"
    else:
        expected = "a folder, or the id of a model on the hub that can be reached from here"
        hint = "download the model to a folder and name that, or --option model=scratch, which downloads nothing"
    return GeneratorError(
        "the language model cannot be loaded", where=f"model {source!r}", got=first[:300], expected=expected, hint=hint
    )


def adapt(language: Language, lora: int | bool | Literal["auto"]) -> Language:
    """Add an adapter to a pretrained model where one is wanted.

    `lora` is its rank; True and "auto" are a rank of 16, False trains the whole model. A model made from scratch
    is always trained as a whole.
    """
    if language.form == "scratch" or lora is False:
        return language
    from peft import LoraConfig, get_peft_model

    rank = LORA_RANK if lora is True or lora == "auto" else int(lora)
    targets, flipped = linear_layers(language.model)
    config = LoraConfig(
        r=rank, lora_alpha=LORA_GAIN * rank, target_modules=targets, task_type="CAUSAL_LM", fan_in_fan_out=flipped
    )
    return Language(get_peft_model(language.model, config), language.tokenizer, "adapter")


def linear_layers(model: Any) -> tuple[list[str], bool]:
    """Return the names of all linear layers but the last, and whether they store their weights transposed.

    Raises GeneratorError when there is none.
    """
    from transformers.pytorch_utils import Conv1D

    last = model.get_output_embeddings()
    layers = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not last
    }
    if not layers:
        raise GeneratorError(
            "the model has no linear layer that an adapter could be added to",
            got=type(model).__name__,
            hint="--option lora=False trains the whole model",
        )
    transposed = {isinstance(module, Conv1D) for module in layers.values()}
    return list(layers), transposed == {True}
