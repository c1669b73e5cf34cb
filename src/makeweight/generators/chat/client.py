"""One request, one raw answer: asked again where that can help, kept before anything is read from it."""

from __future__ import annotations

import json
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, NotRequired, TypedDict, TypeVar

import openai

from makeweight.errors import GeneratorError
from makeweight.generators.chat.cache import NO_COMPLETION, Recording, Recordings, key_of
from makeweight.generators.chat.endpoint import Endpoint
from makeweight.generators.chat.fields import JsonSchema
from makeweight.generators.chat.limits import RETRIED, Pace, Retry, retry_after
from makeweight.generators.chat.transport import AnswerTooLarge, AnswerTooSlow, http_client

T = TypeVar("T")

#: Bytes of an answer, headers aside.
MAX_BYTES = 8_000_000
#: A time-out is the costliest failure: it is met once more, and then given up.
MAX_TIMEOUTS = 2
#: Parameters that an endpoint may not know, and what takes their place; each is given up once, for good.
REPLACEMENTS: dict[str, str | None] = {
    "response_format": None,
    "max_tokens": "max_completion_tokens",
    "temperature": None,
    "seed": None,
}
REFUSED = frozenset({400, 422, 501})
#: Says that there is no money left, with the status of "too many requests".
NO_MONEY = "insufficient_quota"
LONGEST = 400


@dataclass(frozen=True)
class ChatProblem:
    """One failed attempt."""

    message: str  # what happened, or what the endpoint says; may hold the key
    status: int | None = None  # of HTTP; None where there was no answer
    timed_out: bool = False
    param: str = ""  # the parameter that the endpoint complains of, if it names one
    no_money: bool = False
    wait: float | None = None  # seconds after which the endpoint wants to be asked again

    @classmethod
    def of(cls, error: openai.APIError | AnswerTooSlow) -> ChatProblem:
        """Read an error of the client."""
        slow = isinstance(error, openai.APITimeoutError | AnswerTooSlow)
        if slow or isinstance(error.__cause__, AnswerTooSlow):
            return cls("no answer in time", timed_out=True)
        if not isinstance(error, openai.APIStatusError):
            cause = str(error.__cause__ or "")
            return cls("no connection" + (f" ({cause})" if cause else ""))
        return cls(
            f"status {error.status_code}: {_said(error.body)}",
            status=error.status_code,
            param=str(error.param or "").partition(".")[0],
            no_money=NO_MONEY in (error.code, error.type) or error.status_code == 402,
            wait=retry_after(error.response.headers.get("retry-after")),
        )

    def may_pass(self, most: float) -> bool:
        """Tell whether it can help to ask again, within `most` seconds from now."""
        if self.no_money or (self.wait is not None and self.wait > most):
            return False
        return self.status is None or self.status in RETRIED

    def hint(self, timeout: float) -> str:
        """Return what the user can do about it."""
        if self.no_money:
            return "the account has no money left: top it up, and run the same again with its cache_dir"
        if self.status in (401, 403):
            return "check the key: export OPENAI_API_KEY=..., or api_key=..."
        if self.status == 404:
            return "check the name of the model, and that base_url is right (it usually ends in /v1)"
        if self.timed_out:
            return f"raise timeout (now {timeout:g} seconds), or lower rows_per_request"
        if self.status is None:
            return "is the server running? check base_url"
        if self.status in RETRIED:
            return "run the same again later; with its cache_dir nothing is asked twice"
        return "see what the endpoint says; rows_per_request and examples make a request smaller"


def _said(body: Any) -> str:
    if isinstance(body, dict):
        body = body.get("message") or body.get("detail") or body
    return " ".join(str(body).split())[:LONGEST] if body else "nothing more"


class ChatBody(TypedDict):
    """What is asked, in the words of the chat-completions protocol."""

    model: str
    messages: list[dict[str, str]]
    temperature: float
    max_tokens: int
    seed: int
    response_format: NotRequired[JsonSchema]


@dataclass(frozen=True)
class ChatRequest:
    """What is asked, and about which table."""

    body: ChatBody
    table: str  # digest of the names of the columns whose values are in it


@dataclass(frozen=True)
class ChatAnswer:
    """What came back."""

    text: str = ""  # what the model wrote
    failure: str | None = None  # why there is no text
    cut: bool = False  # whether the model was stopped before it had finished
    tokens: tuple[int, int] | None = None  # sent and received, as the endpoint counts them; None where it does not say
    recorded: bool = False  # whether it was there before, and cost nothing
    error: str | None = None  # what the request failed with, where that is recorded


def read_answer(raw: str, *, recorded: bool = False) -> ChatAnswer:
    """Read the body of an answer: data only, whatever it is.

    >>> read_answer('{"choices": [{"message": {"content": "a is 1"}, "finish_reason": "length"}]}').cut
    True
    >>> read_answer("<html>").failure
    'not-a-chat-completion'
    """
    try:
        body = json.loads(raw)
        choice = body["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text = message.get("content")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return ChatAnswer(failure=NO_COMPLETION, recorded=recorded)
    if isinstance(text, list):  # some endpoints answer in parts
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    failure = None
    if message.get("refusal") or finish == "content_filter":
        failure = "refused"
    elif not isinstance(text, str) or not text.strip():
        failure = "empty-answer"
    tokens = _tokens(body)
    return ChatAnswer("" if failure else text, failure, not failure and finish == "length", tokens, recorded)


def _tokens(body: Mapping[str, object]) -> tuple[int, int] | None:
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        return None
    return counts  # type: ignore[return-value]


@dataclass(eq=False)
class Client:
    """Asks an endpoint, or recordings alone."""

    endpoint: Endpoint
    recordings: Recordings
    online: bool  # whether to ask the endpoint for what is not recorded
    concurrency: int  # requests under way at most
    retry: Retry
    timeout: float  # seconds for one answer

    def __post_init__(self) -> None:
        self.pace, self.cancelled = Pace(self.concurrency), threading.Event()
        #: Parameters that this endpoint does not know.
        self.given_up: list[str] = []
        self._lock = threading.Lock()
        self._api: openai.OpenAI | None = None
        if self.online:
            self._api = openai.OpenAI(
                api_key=self.endpoint.key,
                base_url=self.endpoint.address,
                max_retries=0,
                timeout=self.timeout,
                http_client=http_client(self.endpoint, timeout=self.timeout, max_bytes=MAX_BYTES),
            )
            weakref.finalize(self, self._api.close)

    def recorded(self, request: ChatRequest) -> ChatAnswer | None:
        """Return the answer that is recorded for a request, or how it failed.

        What failed in a run that was interrupted is part of it: taken up again, it gives the same rows. What failed
        in a run that has ended is asked again.
        """
        key = key_of(self.endpoint.address, request.body)
        recording = self.recordings.get(key)
        if recording is None or (self.online and self.recordings.is_past(key)):
            return None
        if recording.answer is None:
            return ChatAnswer(failure=recording.failure, error=recording.error, recorded=True)
        return read_answer(recording.answer, recorded=True)

    def ask(self, request: ChatRequest) -> ChatAnswer:
        """Send a request and keep the raw answer before reading it.

        Raises GeneratorError when there is no answer; its text holds no key.
        """
        if not self.online:
            raise GeneratorError(
                "no answer is recorded for a request",
                where=str(self.recordings.folder),
                got=f"{len(self.recordings)} recorded answers",
                expected="those of a run with the same table, options, strategy and seed",
                hint="repeat the command of that run with --replay, or go online",
            )
        place = (key_of(self.endpoint.address, request.body), self.endpoint.address, request.table, dict(request.body))
        try:
            raw, failure = self._send(request)
        except GeneratorError as error:
            self.recordings.add(Recording(*place, None, error=error.message))
            raise
        answer = ChatAnswer(failure=failure) if raw is None else read_answer(raw := self.endpoint.scrub(raw))
        self.recordings.add(Recording(*place, raw, answer.failure))
        return answer

    def _send(self, request: ChatRequest) -> tuple[str | None, str | None]:
        """Return the raw body, or why there is none, after as many attempts as it takes."""
        failures = timeouts = 0
        put_off = 0.0
        while True:
            given_up = tuple(self.given_up)
            with self.pace.turn(self.cancelled.is_set) as going:
                if not going:
                    raise KeyboardInterrupt
                try:
                    raw = self._once(request.body, given_up)
                except AnswerTooLarge:
                    return None, "answer-too-large"
                except (openai.APIError, AnswerTooSlow) as error:
                    problem = ChatProblem.of(error)
                else:
                    self.pace.praise()
                    return raw, None
            if problem.status in REFUSED and self._give_up(problem, request.body, given_up):
                continue
            failures, timeouts = failures + 1, timeouts + problem.timed_out
            if not problem.may_pass(self.retry.most):
                self._fail(problem, failures)
            wait = self.retry.seconds(failures - 1, problem.wait)
            if problem.status == 429:
                put_off += wait
                self.pace.complain(wait)
            if (
                timeouts >= MAX_TIMEOUTS
                or put_off > self.retry.longest
                or (problem.status != 429 and failures >= self.retry.attempts)
            ):
                self._fail(problem, failures)
            if problem.status != 429:
                self.cancelled.wait(wait)

    def _once(self, body: Mapping[str, object], given_up: Sequence[str]) -> str:
        assert self._api is not None
        sent: dict[str, object] = {name: value for name, value in body.items() if name not in given_up}
        # Parameters that older versions of the client do not know go beside those that it does.
        others = {other: body[name] for name in given_up if (other := REPLACEMENTS[name]) and name in body}
        if others:
            sent["extra_body"] = others
        create: Callable[..., Any] = self._api.chat.completions.with_raw_response.create
        try:
            return str(create(**sent).text)
        except openai.APIConnectionError as error:
            if isinstance(error.__cause__, AnswerTooLarge):  # some versions wrap what the transport raises
                raise error.__cause__ from None
            raise

    def _give_up(self, problem: ChatProblem, body: Mapping[str, object], given_up: Sequence[str]) -> bool:
        """Give up a parameter that the endpoint refuses; tell whether there was one to give up."""
        with self._lock:
            if tuple(self.given_up) != tuple(given_up):
                return True  # another request has found out meanwhile
            named = [problem.param] if problem.param in REPLACEMENTS else ["response_format"]
            left = [name for name in named if name in body and name not in given_up]
            self.given_up.extend(left)
            return bool(left)

    def _fail(self, problem: ChatProblem, attempts: int) -> NoReturn:
        """Say why there is no answer, without the key, and with what to do about it."""
        if self.cancelled.is_set():
            raise KeyboardInterrupt
        raise GeneratorError(
            "the endpoint gives no answer",
            where=self.endpoint.address,
            got=self.endpoint.scrub(problem.message) + (f", {attempts} times" if attempts > 1 else ""),
            hint=problem.hint(self.timeout),
        ) from None


def in_parallel(calls: Sequence[Callable[[], T]], cancel: threading.Event) -> list[T | BaseException]:
    """Run calls in threads of their own; an interrupt sets `cancel` and waits for none of them.

    Returns the result of each call, or what it raised.
    """
    results: list[T | BaseException] = [RuntimeError("not finished")] * len(calls)

    def work(position: int) -> None:
        try:
            results[position] = calls[position]()
        except BaseException as error:  # noqa: BLE001 - the caller gets it, in its own thread
            results[position] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(calls))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)  # in steps, so that an interrupt is noticed everywhere
    except KeyboardInterrupt:
        cancel.set()
        raise
    return results
