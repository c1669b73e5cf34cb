"""What may be written next: one small grammar per column, so that every value is one the column can have.

A column's values become a regular expression (its categories; or the numbers of its range with its decimals,
exactly), and llguidance says which tokens can continue a value so far. What it says is kept per column, since
most values begin alike; the order of the columns, which differs from row to row, needs no grammar, because
names are put there and not sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llguidance
import llguidance.hf
import numpy as np

from makeweight.errors import GeneratorError
from makeweight.generators.causal_lm.rows import ColumnText
from makeweight.table import Kind

#: Bytes that the answers kept for one column may take.
KEPT_BYTES = 32_000_000


@dataclass(frozen=True)
class _Continuations:
    """What can follow the beginning of a value: tokens (one bit each), and whether it may end here."""

    tokens: np.ndarray
    may_end: bool


class _Grammar:
    """One column's grammar, with the answers for beginnings that have been asked for."""

    def __init__(self, label: str, pattern: str, tokens: Any, width: int, end: int, keep: bool) -> None:
        grammar = llguidance.LLMatcher.grammar_from_regex(pattern)
        self.start = llguidance.LLMatcher(tokens, grammar)
        if self.start.is_error():
            raise GeneratorError(
                "the values of a column cannot be turned into a grammar",
                where=f"column {label!r}",
                got=self.start.get_error().splitlines()[0],
                hint="--option constrain=False, or drop the column",
            )
        self.width, self.end = width, end
        self.most = KEPT_BYTES // (width // 8 + 100) if keep else 0
        self.known: dict[tuple[int, ...], _Continuations] = {}

    def ask(self, matcher: Any) -> _Continuations:
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        tokens = np.zeros((self.width + 7) // 8, dtype=np.uint8)
        size = min(len(bits), len(tokens))
        tokens[:size] = bits[:size]
        if self.width % 8:
            tokens[-1] &= (1 << self.width % 8) - 1
        tokens[self.end // 8] &= ~(1 << self.end % 8) & 0xFF
        return _Continuations(tokens, bool(matcher.is_accepting()))


class Cursor:
    """A value that is being written."""

    def __init__(self, grammar: _Grammar) -> None:
        self._grammar = grammar
        self._matcher: Any = None
        self.tokens: tuple[int, ...] = ()

    def answer(self) -> _Continuations:
        """Return what may come next."""
        known = self._grammar.known.get(self.tokens)
        if known is not None:
            return known
        if self._matcher is None:
            self._matcher = self._grammar.start.deep_copy()
            if self.tokens:
                self._matcher.consume_tokens(list(self.tokens))
        answer = self._grammar.ask(self._matcher)
        if len(self._grammar.known) < self._grammar.most:
            self._grammar.known[self.tokens] = answer
        return answer

    def write(self, token: int) -> None:
        """Write one of the tokens that may come next."""
        self.tokens = (*self.tokens, token)
        if self._matcher is not None:
            self._matcher.consume_token(token)


class Grammars:
    """The grammars of all columns for one tokenizer.

    `width`: number of logits of the model, which may exceed the vocabulary.
    """

    def __init__(self, tokenizer: Any, spellings: Sequence[ColumnText], patterns: Sequence[str], width: int) -> None:
        tokens = llguidance.hf.from_tokenizer(tokenizer)
        self.width = width
        self._grammars = [
            _Grammar(
                spelling.label,
                pattern,
                tokens,
                width,
                int(tokenizer.eos_token_id),
                keep=spelling.column.kind is not Kind.TEXT,
            )
            for spelling, pattern in zip(spellings, patterns, strict=True)
        ]

    def begin(self, column: int) -> Cursor:
        """Return an empty value of a column."""
        return Cursor(self._grammars[column])
