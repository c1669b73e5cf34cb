"""Writing rows: many at a time, keys and values kept, the order of the columns drawn row by row."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch

from makeweight.generators.causal_lm.constraints import Cursor, Grammars
from makeweight.generators.causal_lm.model import Language
from makeweight.generators.causal_lm.training import precision


class _Row:
    """A row that is being written: names are put there, values are chosen token by token."""

    def __init__(self, order: Sequence[int], names: Sequence[Sequence[int]], grammars: Grammars) -> None:
        self.order, self._names, self._grammars = list(order), names, grammars
        self.values: dict[int, tuple[int, ...]] = {}
        self.pending: deque[int] = deque()
        self.cursor: Cursor = grammars.begin(self.order[0])

    @property
    def done(self) -> bool:
        return len(self.values) == len(self.order)

    def stops(self, end: int) -> list[int]:
        """Return the tokens that say that the value is complete: how any column to come may begin."""
        to_come = self.order[len(self.values) + 1 :]
        return sorted({self._names[column][0] for column in to_come}) or [end]

    def finish_value(self) -> None:
        """Keep the value, and put the name of the next column behind it."""
        self.values[self.order[len(self.values)]] = self.cursor.tokens
        if not self.done:
            column = self.order[len(self.values)]
            self.pending.extend(self._names[column])
            self.cursor = self._grammars.begin(column)


@torch.no_grad()
def write_rows(
    language: Language,
    prompt: Sequence[int],
    names: Sequence[Sequence[int]],
    grammars: Grammars,
    n: int,
    *,
    temperature: float,
    rng: np.random.Generator,
) -> list[list[str]]:
    """Write rows whose every value the column can have.

    `prompt`: tokens that every row begins with. `names`: tokens before the value, column by column. `grammars`: of the
    columns, in the same order. Returns value segments, column by column. A row that outgrew what the model takes is
    left out.
    """
    device, end = language.device, language.end
    stream = torch.Generator().manual_seed(int(rng.integers(2**63)))
    orders = rng.permuted(np.tile(np.arange(len(names)), (n, 1)), axis=1)
    rows = [_Row(order.tolist(), names, grammars) for order in orders]
    tokens, mask = left_padded([[*prompt, *names[row.order[0]]] for row in rows], language.pad)
    tokens, mask = tokens.to(device), mask.to(device)
    cache = _new_cache(language)
    while True:
        with precision(device):
            logits = language.logits(tokens, mask, cache)[:, -1].float()
        chosen = _choose(logits, rows, grammars.width, end, temperature, stream)
        following = [_advance(row, token, grammars.width, end) for row, token in zip(rows, chosen, strict=True)]
        if all(row.done for row in rows) or mask.shape[1] == language.context:
            break
        tokens = torch.tensor([[token] for token in following], device=device)
        mask = torch.cat([mask, mask.new_ones((n, 1))], dim=1)
    whole = [row.values for row in rows if row.done]
    decoded = {tokens: language.decode(tokens) for tokens in {v for row in whole for v in row.values()}}
    return [[decoded[row[column]] for row in whole] for column in range(len(names))]


def _advance(row: _Row, token: int, stop: int, end: int) -> int:
    """Take the chosen token into a row, and return the token that the model reads next."""
    if row.done:
        return end
    if not row.pending:
        if token != stop:
            row.cursor.write(token)
            return token
        row.finish_value()
        if row.done:
            return end
    return row.pending.popleft()


def _choose(
    logits: torch.Tensor, rows: Sequence[_Row], width: int, end: int, temperature: float, stream: torch.Generator
) -> list[int]:
    """Draw a token for every row that writes a value; position `width` says that the value is complete.

    Whatever column may come next says so, and since the order is drawn, not chosen, all of them count.
    """
    packed = np.full((len(rows), (width + 7) // 8), 0xFF, dtype=np.uint8)
    stops = torch.zeros((len(rows), width), dtype=torch.bool)
    for position, row in enumerate(rows):
        if row.done or row.pending:
            continue
        answer = row.cursor.answer()
        packed[position] = answer.tokens
        if answer.may_end:
            stops[position, row.stops(end)] = True
    bits = torch.from_numpy(packed).to(logits.device).unsqueeze(-1) >> torch.arange(8, device=logits.device)
    allowed = (bits & 1).flatten(1)[:, :width].bool()
    stopping = logits.masked_fill(~stops.to(logits.device), -torch.inf).logsumexp(1, keepdim=True)
    return draw(torch.cat([logits.masked_fill(~allowed, -torch.inf), stopping], dim=1), temperature, stream)


def draw(logits: torch.Tensor, temperature: float, stream: torch.Generator) -> list[int]:
    """Draw one position per row, by the inverse of the cumulative probabilities.

    >>> draw(torch.tensor([[0.0, -torch.inf], [-9.0, 9.0]]), 1.0, torch.Generator().manual_seed(0))
    [0, 1]
    """
    cumulative = torch.softmax(logits / temperature, dim=1).double().cumsum(1).cpu()
    # Drawn from (0, 1], so that what has no probability is never reached.
    points = (1.0 - torch.rand((len(logits), 1), generator=stream, dtype=torch.float64)) * cumulative[:, -1:]
    return [int(position) for position in torch.searchsorted(cumulative, points).squeeze(1)]


@torch.no_grad()
def write_freely(
    language: Language, prompt: Sequence[int], n: int, *, most: int, temperature: float, rng: np.random.Generator
) -> list[str | None]:
    """Write whatever the model writes after a prompt, up to its end token.

    `most`: tokens to write for one row, at most. Returns texts with the prompt; None where a row has no end.
    """
    device, end = language.device, language.end
    stream = torch.Generator().manual_seed(int(rng.integers(2**63)))
    tokens, mask = left_padded([list(prompt)] * n, language.pad)
    tokens, mask = tokens.to(device), mask.to(device)
    cache = _new_cache(language)
    written: list[list[int]] = [list(prompt) for _ in range(n)]
    ended = [False] * n
    for _ in range(most):
        with precision(device):
            logits = language.logits(tokens, mask, cache)[:, -1].float()
        chosen = draw(logits, temperature, stream)
        for position, token in enumerate(chosen):
            ended[position] = ended[position] or token == end
            if not ended[position]:
                written[position].append(token)
        if all(ended):
            break
        tokens = torch.tensor([[token] for token in chosen], device=device)
        mask = torch.cat([mask, mask.new_ones((n, 1))], dim=1)
    return [language.decode(row) if done else None for row, done in zip(written, ended, strict=True)]


def left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of tokens that all end in the last position, and where they are.

    >>> tokens, mask = left_padded([[5, 6, 7], [8]], pad=0)
    >>> tokens.tolist(), mask.tolist()
    ([[5, 6, 7], [0, 0, 8]], [[1, 1, 1], [0, 0, 1]])
    """
    longest = max(len(row) for row in rows)
    tokens = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return tokens, mask


def _new_cache(language: Language) -> object:
    from transformers import DynamicCache

    return DynamicCache(config=language.model.config)
