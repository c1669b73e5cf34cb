"""A table as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from makeweight.errors import GeneratorError
from makeweight.generators.causal_lm.model import Language
from makeweight.generators.causal_lm.rows import RowText
from makeweight.plan import Groups


@dataclass(frozen=True, eq=False)
class Corpus:
    """A table as tokens."""

    prompts: list[list[int]]  # what every row of a group begins with, group by group
    names: list[list[int]]  # what stands before a value, column by column
    cells: list[list[list[int]]]  # the values, column by column and row by row
    groups: np.ndarray  # int, shape (n_rows,)
    end: int

    def __len__(self) -> int:
        return len(self.groups)

    def row(self, position: int, order: Sequence[int]) -> tuple[list[int], int]:
        """Return the tokens of a row with its columns in an order, and how many of them are the prompt."""
        prompt = self.prompts[self.groups[position]]
        tokens = list(prompt)
        for column in order:
            tokens += self.names[column]
            tokens += self.cells[column][position]
        tokens.append(self.end)
        return tokens, len(prompt)

    def lengths(self) -> np.ndarray:
        """Return how many tokens every row has."""
        sizes = np.array([len(prompt) for prompt in self.prompts])[self.groups] + 1
        for name, values in zip(self.names, self.cells, strict=True):
            sizes += len(name) + np.array([len(value) for value in values])
        return np.asarray(sizes)


def tokenized(language: Language, rows: RowText, groups: Groups, cells: Sequence[Sequence[str]]) -> Corpus:
    """Turn the segments of a table into tokens, each different one once.

    `cells`: value segments, column by column. Raises GeneratorError when the tokenizer loses something, or a row has
    more tokens than the model takes.
    """
    known: dict[str, list[int]] = {}

    def encode(text: str) -> list[int]:
        if text not in known:
            known[text] = language.encode(text)
        return known[text]

    prompts = [[token for text in rows.prompt(key) for token in encode(text)] for key in groups.keys]
    names = [encode(name) for name in rows.names()]
    values = [[encode(value) for value in column] for column in cells]
    corpus = Corpus(prompts, names, values, groups.codes, language.end)
    for text, tokens in known.items():
        if language.decode(tokens) != text:
            raise GeneratorError(
                "the model's tokenizer does not give back what it was given",
                got=repr(language.decode(tokens)[:100]),
                expected=repr(text[:100]),
                hint="--option model=scratch, or a model with a byte-level tokenizer",
            )
    longest = int(corpus.lengths().max())
    if language.context is not None and longest > language.context:
        raise GeneratorError(
            "a row has more tokens than the model takes",
            got=longest,
            expected=f"at most {language.context}",
            hint="drop columns of long text, or choose a model with a longer context",
        )
    return corpus
