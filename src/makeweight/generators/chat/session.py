"""What a fitted chat generator does: write requests, send a wave of them, read the answers, keep account."""

from __future__ import annotations

import math
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from makeweight.errors import GeneratorError, OptionError
from makeweight.generators.base import remark
from makeweight.generators.chat.client import ChatAnswer, ChatBody, ChatRequest, Client, in_parallel
from makeweight.generators.chat.diversity import AnswerReport, measure, summarize
from makeweight.generators.chat.limits import LATER, Spending
from makeweight.generators.chat.parse import NO_ROWS, Row, read_rows
from makeweight.generators.chat.prompt import ChatPrompt, Prompter, count_tokens
from makeweight.generators.chat.values import to_frame
from makeweight.generators.check import SURPLUS, first_reasons
from makeweight.generators.streams import account_of
from makeweight.plan import Group

__all__ = ["RemoteNotice"]

#: An answer may take this many times the tokens that its rows are expected to take, and some more.
SLACK, EXTRA_TOKENS = 2.0, 200
#: Rounds without a valid row after which a group is given up, and the share of bad rows from which on the next
#: requests say why.
BARREN_ROUNDS = 3
REPORTED_ABOVE = 0.2
#: Characters of an answer without rows that are shown.
EXCERPT = 100


class RemoteNotice(UserWarning):
    """Real rows are about to leave this machine, as the user allowed."""


@dataclass
class _History:
    """What the rounds before taught about one account.

    Only the rounds of one account are linked, so that what is asked for a group does not depend on others.
    """

    round: int = -1
    reasons: Counter[str] = field(default_factory=Counter)
    barren: int = 0


class _BudgetSpentError(Exception):
    """A request was not sent: what is spent leaves no room for it."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(eq=False)
class Session:
    """The working part of a fitted generator."""

    prompter: Prompter
    client: Client
    spending: Spending
    model: str
    temperature: float
    rows_per_request: int
    concurrency: int
    allow_remote: bool

    def __post_init__(self) -> None:
        self._reports: list[AnswerReport] = []
        self._sent_rows: set[int] = set()
        self._histories: dict[object, _History] = {}
        self._excerpt = ""
        self._answered = self._estimated = self._noticed = False
        self._lock, self._first = threading.Lock(), threading.Lock()

    def propose(self, group: Group, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """Ask for up to `n` rows in one wave of at most `concurrency` requests."""
        account = account_of(rng)
        history = self._history(account)
        prompts, requests = self._write(group, n, rng, history.reasons)
        self._ask_leave()
        answered, stop = self._wave(requests, prompts)
        frames: list[pd.DataFrame] = []
        unreadable, bad, n_valid = Counter[str](), Counter[str](), 0
        for prompt, answer in answered:
            frame, report, invalid = self._read(group, prompt, answer)
            frames.append(frame)
            unreadable.update(report.unreadable)
            bad.update(invalid)
            n_valid += report.valid
            with self._lock:
                self._reports.append(report)
        bad.update(unreadable)
        barren = 0 if n_valid or not answered else history.barren + 1
        if account is not None:
            many = bad.total() > REPORTED_ABOVE * (bad.total() + n_valid)
            self._histories[account[0]] = _History(account[1], bad if many else Counter(), barren)
        if barren >= BARREN_ROUNDS and stop is None:
            worst = ", ".join(f"{count} {reason}" for reason, count in bad.most_common(3))
            began = f"; one began {self._excerpt!r}" if self._excerpt else ""
            stop = f"no valid row in the last {barren} rounds of requests ({worst}{began})"
        whole = pd.concat(frames, ignore_index=True) if frames else to_frame([], self.prompter.fields)
        if len(whole) > n:
            unreadable[SURPLUS] += len(whole) - n
        return remark(whole.iloc[:n], rejected=unreadable, stop=stop)

    def _keep_excerpt(self, text: str) -> None:
        """Keep how the first answer without rows began, as one line that can be shown."""
        with self._lock:
            if not self._excerpt:
                line = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * EXCERPT])
                self._excerpt = " ".join(line.split())[:EXCERPT]

    def _history(self, account: tuple[object, int] | None) -> _History:
        """Return what the round just before this one taught; nothing before a first round."""
        history = self._histories.get(account[0]) if account is not None else None
        return history if account and history and history.round == account[1] - 1 else _History()

    def _write(
        self, group: Group, n: int, rng: np.random.Generator, reasons: Counter[str]
    ) -> tuple[list[ChatPrompt], list[ChatRequest]]:
        """Write the requests of a wave, each with a stream of its own."""
        most = self.rows_per_request
        n_requests = min(self.concurrency, math.ceil(n / most))
        prompts, requests = [], []
        for number, stream in enumerate(rng.spawn(n_requests)):
            prompt = self.prompter.write(group, min(most, n - number * most), stream, reasons)
            prompts.append(prompt)
            requests.append(self._request(group, prompt, int(stream.integers(2**31))))
        return prompts, requests

    def _request(self, group: Group, prompt: ChatPrompt, seed: int) -> ChatRequest:
        body: ChatBody = {
            "model": self.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "temperature": self.temperature,
            "max_tokens": self._most_received(prompt),
            "seed": seed,
        }
        if self.prompter.style == "json":
            body["response_format"] = self.prompter.response_format(group)
        return ChatRequest(body, self.prompter.digest)

    def _most_received(self, prompt: ChatPrompt) -> int:
        return int(SLACK * prompt.n_rows * self.prompter.row_tokens) + EXTRA_TOKENS

    def _ask_leave(self) -> None:
        """Refuse to send rows away where nobody allowed it; tell once where somebody did."""
        client, prompter = self.client, self.prompter
        endpoint = client.endpoint
        if endpoint.is_local or not client.online or self._noticed:
            return
        columns = ", ".join(field.label for field in prompter.fields)
        what = f"up to {2 * prompter.examples} real rows go with every request; their columns: {columns}"
        if not self.allow_remote and not client.recordings.was_sent(endpoint.address, prompter.digest):
            raise OptionError(
                "real rows would leave this machine",
                where=endpoint.address,
                got=what,
                expected="your leave",
                hint="allow_remote=True (--yes on the command line), or an endpoint on this machine",
            )
        self._noticed = True
        warnings.warn(f"{endpoint.address}: {what}", RemoteNotice, stacklevel=4)

    def _wave(
        self, requests: Sequence[ChatRequest], prompts: Sequence[ChatPrompt]
    ) -> tuple[list[tuple[ChatPrompt, ChatAnswer]], str | None]:
        """Answer requests from the recordings or the endpoint, until a budget or the endpoint says no."""
        stop = None
        calls: list[Callable[[], ChatAnswer]] = []
        turn: threading.Event | None = None
        for request, prompt in zip(requests, prompts, strict=True):
            recorded = self.client.recorded(request)
            if recorded is not None:
                self.spending.count(_used(prompt, recorded))
                calls.append(partial(_given, recorded))
                continue
            turn, before = threading.Event(), turn
            calls.append(partial(self._ask, request, prompt, before, turn))
        answered: list[tuple[ChatPrompt, ChatAnswer]] = []
        for prompt, result in zip(prompts, self._run(calls), strict=False):
            if isinstance(result, _BudgetSpentError):
                stop = stop or result.why
            elif isinstance(result, GeneratorError) and self._answered:
                stop = result.message
            elif isinstance(result, BaseException):
                if isinstance(result, GeneratorError):
                    self.client.recordings.end()
                raise result
            else:
                answered.append((prompt, result))
        return answered, stop

    def _reserve(self, held: tuple[int, int], before: threading.Event | None, turn: threading.Event) -> None:
        """Hold what a request may take, after the one before it in its wave, and once those under way leave room."""
        cancelled = self.client.cancelled
        try:
            while before is not None and not before.wait(0.2) and not cancelled.is_set():
                pass
            why = self.spending.reserve(*held)
            while why == LATER and not cancelled.is_set():
                self.spending.wait(cancelled.is_set)
                why = self.spending.reserve(*held)
        finally:
            turn.set()
        if why == LATER:
            raise KeyboardInterrupt
        if why is not None:
            raise _BudgetSpentError(why)

    def _run(self, calls: Sequence[Callable[[], ChatAnswer]]) -> list[ChatAnswer | BaseException]:
        """Run calls at the same time; the very first one goes alone, so that a wrong key fails once."""
        results: list[ChatAnswer | BaseException] = []
        if calls and not self._answered:
            with self._first:
                if not self._answered:
                    results = in_parallel(calls[:1], self.client.cancelled)
                    if isinstance(results[0], BaseException):
                        return results
                    self._answered = True
        return results + in_parallel(calls[len(results) :], self.client.cancelled)

    def _ask(
        self, request: ChatRequest, prompt: ChatPrompt, before: threading.Event | None, turn: threading.Event
    ) -> ChatAnswer:
        held, used = (prompt.tokens, self._most_received(prompt)), (0, 0)
        if self.client.online:
            self._reserve(held, before, turn)
        try:
            answer = self.client.ask(request)
            used = _used(prompt, answer)
            with self._lock:
                self._estimated |= answer.tokens is None
                self._sent_rows.update(prompt.shown.tolist())
            return answer
        finally:
            if self.client.online:
                self.spending.settle(held, used)

    def _read(
        self, group: Group, prompt: ChatPrompt, answer: ChatAnswer
    ) -> tuple[pd.DataFrame, AnswerReport, Counter[str]]:
        """Return the rows of an answer, what it is like, and why rows of it are not valid."""
        fields = self.prompter.fields
        unreadable: Counter[str] = Counter()
        rows: list[Row] = []
        if answer.failure is not None:
            unreadable[answer.failure] += 1
        else:
            labels = [field.label for field in fields]
            needed = [field.label for field in fields if field.needed]
            parsed = read_rows(answer.text, labels, needed=needed, style=self.prompter.style, cut=answer.cut)
            rows, unreadable = parsed.rows, parsed.rejected
            if NO_ROWS in unreadable:
                self._keep_excerpt(answer.text)
        frame = to_frame(rows, fields)
        schema, learned = self.prompter.table.schema, self.prompter.learned
        encoded, reasons = first_reasons(frame, schema.learned, schema.group_columns, group, schema)
        codes = np.array([encoded[name] for name in learned], dtype=np.float64).T
        report = AnswerReport(
            self.prompter.name(group),
            prompt.n_rows,
            len(frame),
            int((reasons == "").sum()),
            dict(unreadable),
            *measure(codes, self.prompter.encoded(prompt.shown), learned),
            answer.tokens or (0, 0),
            answer.recorded,
        )
        return frame, report, Counter(reasons[reasons != ""].tolist())

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        spending, client = self.spending, self.client
        if not client.cancelled.is_set():
            client.recordings.end()
        recorded = sum(report.recorded for report in self._reports)
        money = "price unknown" if spending.money is None else f"{spending.money:.4f} US dollars"
        about = "about " if self._estimated else ""
        notes = [
            f"{spending.requests} requests to {client.endpoint.address} and {recorded} recorded answers: "
            f"{about}{spending.tokens_sent} tokens sent, {spending.tokens_received} received, {money}",
            f"{len(self._sent_rows)} real rows were in the requests",
        ]
        if client.given_up:
            notes.append("the endpoint does not take " + ", ".join(client.given_up) + ": asked without")
        if client.recordings.damaged:
            notes.append(f"{client.recordings.damaged} damaged lines among the recorded answers were skipped")
        if self._excerpt:
            notes.append(f"an answer without rows began {self._excerpt!r}")
        variety = summarize(self._reports)
        return (*notes, variety) if variety else tuple(notes)

    @property
    def details(self) -> dict[str, object]:
        """What was asked and answered, as plain values."""
        spending, client = self.spending, self.client
        return {
            "endpoint": client.endpoint.address,
            "model": self.model,
            "requests": spending.requests,
            "tokens_sent": spending.tokens_sent,
            "tokens_received": spending.tokens_received,
            "tokens_estimated": self._estimated,
            "money": spending.money,
            "real_rows_sent": len(self._sent_rows),
            "given_up": list(client.given_up),
            "answers": [asdict(report) for report in self._reports],
        }


def _used(prompt: ChatPrompt, answer: ChatAnswer) -> tuple[int, int]:
    """Return the tokens that a request took, as the endpoint says or as they are counted here."""
    return (0, 0) if answer.error is not None else answer.tokens or (prompt.tokens, count_tokens(answer.text))


def _given(answer: ChatAnswer) -> ChatAnswer:
    if answer.error is not None:
        raise GeneratorError(answer.error)
    return answer
