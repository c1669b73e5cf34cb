"""The generator: fit a language model to rows as text, and have it write more."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError, SchemaError
from makeweight.generators.base import Cost, Traits
from makeweight.generators.causal_lm.patterns import pattern_of, read_value
from makeweight.generators.causal_lm.rows import RowText
from makeweight.generators.causal_lm.training import TrainingState
from makeweight.generators.frame.known import KnownTable
from makeweight.generators.frame.options import option
from makeweight.generators.frame.saving import SavedGenerator, SavedState
from makeweight.generators.gate import Weights
from makeweight.plan import Group, Groups, Plan
from makeweight.progress import LOGGER, Progress
from makeweight.table import Table
from makeweight.table.text import parse

if TYPE_CHECKING:  # the rest is imported when it is needed: to be listed, a generator need not be loaded
    from makeweight.generators.causal_lm.constraints import Grammars

__all__ = ["CausalLMGenerator"]

#: How many rows are read with epochs="auto", and in how few and how many epochs.
ROWS_READ, EPOCHS = 60_000, (5, 200)
#: Rows are written in so many batches per call at most, so that a budget is looked at in between.
BATCHES = 8
#: Tokens of a row that is written freely, per token of the longest real one.
LONGER = 2
#: A line of progress is logged every so many seconds.
SECONDS_PER_LINE = 5.0
#: What a row costs to train on or to write, before it is known of the model at hand.
SECONDS_PER_ROW = 0.01


@dataclass(eq=False, repr=False)
class CausalLMGenerator(SavedGenerator):
    """A causal language model, fine-tuned on the rows of the table written as sentences.

    A row is written as ``y is rare, size is 0.5, colour is red``: target and grouping attributes first, the
    other columns in an order that is drawn afresh for every row and epoch. The model learns to continue from
    any group, and a group is written by beginning its rows with it. With `constrain`, a grammar made from the
    schema leaves only tokens that continue a value which the column can have, and every column is written
    once: a row is valid by construction. Rows are checked by `fill` all the same.

    Parameters
    ----------
    model : str
        The id of a causal language model on the Hugging Face hub, a local folder, or "scratch": a small
        GPT-2-shaped model with a byte-level tokenizer, made from the table, which needs no download. Code
        that comes with a model is never run, and only weights in safetensors are read.
    fetch : bool
        Whether a model of the hub that is not on this machine may be downloaded. Else licence, size and origin are said
        and a terminal is asked; where nobody can be asked, it is refused.
    lora : "auto", bool or int
        Rank of the adapter that is trained on top of a pretrained model; "auto" and True are 16, False trains
        the whole model. A model from scratch is always trained as a whole.
    epochs : int or "auto"
        At most; "auto" is as many as read 60,000 rows, from 5 to 200. Training stops when the loss of
        held-out rows is no better for `patience` epochs, and keeps the best weights.
    batch_size : int
        Rows per step of training.
    learning_rate : float or "auto"
        "auto" is 0.003 from scratch, 0.001 for an adapter, and 0.00005 for a whole pretrained model.
    patience : int
        Epochs without a lower loss of held-out rows after which training stops.
    validation_share : float
        Share of the rows, of every group alike, that are held out; 0 trains on all rows to the last epoch.
        Tables of fewer than 20 rows are trained on in full.
    max_seconds : float, optional
        For training.
    constrain : bool
        Whether only valid values can be written.
    temperature : float
        1 is what the model learned; below, likely values become more likely, and the rows too much alike.
    device : str
        "auto" takes an accelerator where there is one. On a GPU with bfloat16 the model runs in it.
    layers, width : int
        Of a model from scratch.
    rows_at_once : int
        Rows written side by side; bounds memory.
    checkpoint_dir : str, optional
        A folder in which training is saved after every epoch, and from which it goes on after it was cut
        short.
    progress : callable, optional
        Called with a `makeweight.progress.Progress` after every epoch.
    verbose : int
        Above 0, that goes to standard error.

    Raises
    ------
    OptionError
        In `fit`, when a parameter is out of its range.
    GeneratorError
        In `fit`, when the model cannot be loaded, takes fewer tokens than a row has, or its loss is not finite.

    Notes
    -----
    The rows of a call depend on the fitted model, the group, n and the stream only. Training is repeatable on
    one machine; other processors and numbers of threads round differently.

    References
    ----------
    Rows as sentences in random order: Borisov, Sessler, Leemann, Pawelczyk, Kasneci, "Language Models are
    Realistic Tabular Data Generators", ICLR 2023. Label first, as for imbalanced classes: arXiv 2510.09783.
    Oversampling with such a generator: arXiv 2406.03628.

    Examples
    --------
    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": np.arange(60) / 10, "y": ["rare"] * 12 + ["common"] * 48})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = CausalLMGenerator(model="scratch", epochs=2, layers=1, width=32)
    >>> generator = generator.fit(table, rng=np.random.default_rng(0))
    >>> rows = generator.propose(("rare",), 5, rng=np.random.default_rng(1))
    >>> rows.shape, bool(rows["x"].between(0, 5.9).all())
    ((5, 1), True)
    """

    traits = Traits(writes_text=True, extrapolates=True)
    saved_as = "causal-lm"
    saved_facts = ("form", "outcome", "longest")
    saved_folders = ("model", "adapter")

    model: str = option("distilgpt2", str, test=bool, takes="a name or a folder")
    fetch: bool = option(False, bool, saved=False)
    lora: int | bool | Literal["auto"] = option("auto", (bool, int), 1, words=("auto",))
    epochs: int | Literal["auto"] = option("auto", int, 1, words=("auto",))
    batch_size: int = option(16, int, 1)
    learning_rate: float | Literal["auto"] = option("auto", float, 0, above=True, words=("auto",))
    patience: int = option(10, int, 1)
    validation_share: float = option(0.1, float, 0, 0.5)
    max_seconds: float | None = option(None, float, 0, above=True, words=(None,))
    constrain: bool = option(True, bool)
    temperature: float = option(1.0, float, 0, above=True)
    device: str = option("auto", str, takes='"auto", "cpu", "cuda" ...', saved=False)
    layers: int = option(3, int, 1)
    width: int = option(64, int, 32, test=lambda value: value % 32 == 0, takes="a multiple of 32")
    rows_at_once: int = option(128, int, 1)
    checkpoint_dir: str | os.PathLike[str] | None = option(
        None, (str, os.PathLike), words=(None,), takes="a folder", saved=False
    )
    progress: Callable[[Progress], object] | None = option(
        None, object, test=lambda value: value is None or callable(value), takes="a function", saved=False
    )
    verbose: int = option(0, int, 0, saved=False)

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Train the model on the rows of a table."""
        from makeweight.generators.causal_lm.fitting import learn

        self._check_options()
        groups = Groups(table)
        self._known = KnownTable.of(table, groups)
        self._grammars: Grammars | None = None
        self._next_line = 0.0
        cells = self._read(table)
        options = self.get_params(deep=False) | {"epochs": self._epochs(len(table)), "progress": self._report}
        seed = np.random.SeedSequence(int(rng.integers(2**63)))
        self._language, self._outcome, self._longest = learn(options, self._rows, groups, cells, seed)
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Write rows of a group.

        Parameters
        ----------
        group : Group
            Of observed values; the combination need not have been observed.
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        DataFrame of shape (at most n, n_columns)
            Fewer where n is more than eight batches, and where a row outgrew what the model takes.
        """
        if not self._rows.columns:
            return pd.DataFrame(index=range(n))
        prompt = [token for text in self._rows.prompt(group) for token in self._language.encode(text)]
        n = min(n, BATCHES * self.rows_at_once)
        sizes = [min(self.rows_at_once, n - first) for first in range(0, n, self.rows_at_once)]
        write = self._write_constrained if self.constrain else self._write_freely
        parts = [write(prompt, size, stream) for size, stream in zip(sizes, rng.spawn(len(sizes)), strict=True)]
        return pd.concat(parts, ignore_index=True) if parts else self._rows.frame([[]] * len(self._rows.columns))

    def cost(self, plan: Plan) -> Cost:
        """Return the seconds expected: a row takes about as long to write as to train on once."""
        if hasattr(self, "_outcome"):
            return Cost(seconds=plan.n_synthetic / max(self._outcome.rows_per_second, 1e-3))
        seen = self._epochs(plan.n_real) * plan.n_real
        seconds = SECONDS_PER_ROW * (plan.n_synthetic + seen)
        return Cost(seconds=seconds, downloads=self._downloads())

    def _downloads(self) -> tuple[str, ...]:
        if self.model == "scratch" or Path(self.model).is_dir():
            return ()
        return (f"{self.model} from the Hugging Face hub, unless its cache has it (model=scratch needs none)",)

    def _state(self) -> SavedState:
        import makeweight.generators.causal_lm.persistence as persistence

        outcome = persistence.plain_outcome(self._outcome)
        return SavedState({"form": self._language.form, "outcome": outcome, "longest": self._longest}, {})

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Save the fitted generator: manifest, tokenizer, and weights or adapter as safetensors.

        Parameters
        ----------
        folder : path
            New, or empty. A pretrained model that has an adapter is not saved with it, only its name.

        Raises
        ------
        FileProblem
            When there is something in the folder.
        """
        import makeweight.generators.causal_lm.persistence as persistence

        super().save(folder)
        persistence.save_language(Path(folder), self._language)

    def _restore(self, table: Table, state: SavedState, folder: Path) -> None:
        import makeweight.generators.causal_lm.persistence as persistence
        from makeweight.generators.causal_lm.model import choose_device

        self._read(table)
        self._grammars = None
        self._language = persistence.load_language(folder, state.facts["form"], self.model)
        self._language.model.to(choose_device(self.device)).eval()
        self._outcome = persistence.read_outcome(state.facts["outcome"])
        self._longest = int(state.facts["longest"])

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if "_grammars" in state:  # made again when it is needed: it belongs to this process
            state["_grammars"] = None
        return state

    @property
    def pretrained(self) -> tuple[Weights, ...]:
        """The model, where it is not made from scratch; its licence is that of its model card."""
        if self.model == "scratch":
            return ()
        origin = self.model if Path(self.model).is_dir() else f"https://huggingface.co/{self.model}"
        return (Weights(Path(self.model).name, "see its model card", None, origin),)

    @property
    def training(self) -> TrainingState:
        """How training went.

        Raises
        ------
        GeneratorError
            Before `fit`.
        """
        if not hasattr(self, "_outcome"):
            raise GeneratorError("the generator is not fitted", hint="call fit, or load a saved one")
        return self._outcome

    def _epochs(self, n_rows: int) -> int:
        if self.epochs != "auto":
            return int(self.epochs)
        return int(np.clip(math.ceil(ROWS_READ / max(1, n_rows)), *EPOCHS))

    def _read(self, table: Table) -> list[list[str]]:
        """Work out how the columns are written and what they can have; return their value segments."""
        self._rows = RowText(table)
        cells = self._rows.cells(table)
        self._patterns = [
            pattern_of(spelling, values) for spelling, values in zip(self._rows.columns, cells, strict=True)
        ]
        return cells

    def _report(self, progress: Progress) -> None:
        line = (
            f"epoch {progress.done} of {progress.total}: {progress.detail}, at most {progress.seconds_left:.0f} s left"
        )
        if self.verbose:
            sys.stderr.write(line + "\n")
        elif progress.done in (1, progress.total) or progress.seconds >= self._next_line:
            self._next_line = progress.seconds + SECONDS_PER_LINE
            LOGGER.info("causal-lm, %s", line)
        if self.progress is not None:
            self.progress(progress)

    def _write_constrained(self, prompt: list[int], n: int, rng: np.random.Generator) -> pd.DataFrame:
        from makeweight.generators.causal_lm.constraints import Grammars
        from makeweight.generators.causal_lm.sampling import write_rows

        language = self._language
        if self._grammars is None:
            self._grammars = Grammars(language.tokenizer, self._rows.columns, self._patterns, language.width)
        names = [language.encode(name) for name in self._rows.names()]
        segments = write_rows(language, prompt, names, self._grammars, n, temperature=self.temperature, rng=rng)
        return self._rows.frame([[read_value(segment) for segment in column] for column in segments])

    def _write_freely(self, prompt: list[int], n: int, rng: np.random.Generator) -> pd.DataFrame:
        from makeweight.generators.causal_lm.sampling import write_freely

        most = LONGER * self._longest
        context = self._language.context or math.inf
        texts = write_freely(
            self._language, prompt, n, most=int(min(most, context - len(prompt))), temperature=self.temperature, rng=rng
        )
        return self._rows.unchecked([None if text is None else _parsed(text) for text in texts])


def _parsed(text: str) -> dict[str, str | None] | None:
    try:
        return parse(text)
    except SchemaError:  # not a row: an answer like any other, counted by the check
        return None
