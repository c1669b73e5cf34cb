"""Rows written by a prompted chat model."""

from __future__ import annotations

import json
import math
import threading
import warnings
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.errors import FileProblem, GeneratorError, OptionError
from makeweight.generators.base import Cost, Traits, remark
from makeweight.generators.chat.cache import Recordings
from makeweight.generators.chat.client import Answer, Client, Request, in_parallel
from makeweight.generators.chat.diversity import AnswerReport, encoded, measure, summarize
from makeweight.generators.chat.endpoint import Endpoint
from makeweight.generators.chat.limits import Retry, Spending
from makeweight.generators.chat.options import check_options
from makeweight.generators.chat.parse import read_rows
from makeweight.generators.chat.prompt import Prompt, Prompter, Style, count_tokens
from makeweight.generators.chat.values import to_frame
from makeweight.generators.check import SURPLUS
from makeweight.generators.fill import account_of
from makeweight.plan import Group, Plan
from makeweight.table import Table

__all__ = ["ChatGenerator", "RemoteNotice"]

#: An answer may take this many times the tokens that its rows are expected to take, and some more.
SLACK, EXTRA_TOKENS = 2.0, 200
#: Rounds without a valid row after which a group is given up, and the share of bad rows that is told.
BARREN_ROUNDS = 3
TOLD_ABOVE = 0.2
#: For forecasts: seconds until an answer begins, and tokens per second from then on.
LATENCY, TOKENS_PER_SECOND = 1.0, 60.0
FORMAT, MANIFEST = 1, "manifest.json"
#: What is saved of a generator: no key, and nothing that lets rows leave the machine.
SAVED = (
    "model", "base_url", "rows_per_request", "examples", "concurrency", "max_requests", "max_tokens",
    "max_cost", "temperature", "description", "style", "price", "timeout", "retries",
)  # fmt: skip


class RemoteNotice(UserWarning):
    """Real rows are about to leave this machine, as the user allowed."""


class ChatGenerator:
    """Asks a chat model for rows, with fresh real rows as examples in every request.

    Works with whatever speaks the chat-completions protocol: OpenAI, Azure, vLLM, Ollama, llama.cpp,
    ``transformers serve``. Identifiers and constant columns are neither sent nor asked for.

    Parameters
    ----------
    model : str
        As the endpoint calls it.
    base_url : str, optional
        Address of the endpoint; by default OPENAI_BASE_URL, or OpenAI's own.
    api_key : str, optional
        By default OPENAI_API_KEY, for endpoints that are not on this machine. Never shown or kept.
    rows_per_request : int
        Rows asked for at once.
    examples : int
        Real rows of the group in a request, with as many of other groups beside them.
    concurrency : int
        Requests under way at most; fewer for a while where the endpoint says that there are too many.
    max_requests, max_tokens : int, optional
    max_cost : float, optional
        In US dollars; needs `price` where the endpoint is not on this machine. A request that might exceed a
        budget is not sent; the rows accepted until then are kept.
    cache_dir : str, optional
        Folder that keeps every raw answer, and real rows with it: a rerun asks for nothing twice.
    temperature : float
    description : str or mapping, optional
        What the table is about; or the meaning of columns by name, with that of the table under "".
    style : {"json", "sentence", "csv"}
        How rows are written. "json" uses structured outputs where the endpoint has them.
    price : (float, float), optional
        US dollars per million tokens sent, and received.
    allow_remote : bool
        Whether real rows may go to an endpoint that is not on this machine.
    replay : str, optional
        Folder of recorded answers to use instead of any endpoint.
    timeout : float
        Seconds for one answer.
    retries : int
        Further attempts after a failed connection or a fault of the server.

    Attributes
    ----------
    spent : Cost
        So far.
    notes : tuple of str
        What was sent where, and how varied the answers were.
    details : dict
        The same as plain values, request by request.

    Raises
    ------
    OptionError
        In `fit`, when an option is out of its range; in `propose`, when rows would leave the machine and
        nobody allowed it.
    GeneratorError
        In `propose`, when the endpoint refuses the first request for good.

    References
    ----------
    Rows as sentences with the label in them: arXiv 2406.03628. Balanced sets of examples: EPIC,
    arXiv 2404.12404. Examples are drawn afresh from a pool that never changes; the code of CLLM
    (arXiv 2312.12112) overwrites its pool, which drifts towards few rows.

    Examples
    --------
    >>> from makeweight import Schema
    >>> frame = pd.DataFrame({"x": [1.5, 2.5, 3.5, 4.5], "y": ["a", "b", "a", "a"]})
    >>> table = Table(frame, Schema.infer(frame, target="y"))
    >>> generator = ChatGenerator(model="any", base_url="http://localhost:8000/v1", style="sentence")
    >>> prompt = generator.fit(table, rng=np.random.default_rng(0)).preview(("b",), 2)
    >>> print(prompt[prompt.index("B. rows"):])
    B. rows of the group y=b
    y is b, x is 2.5
    <BLANKLINE>
    Write exactly 2 new rows of the group y=b. Every row has y = "b". Answer with one sentence per line, as \
in the examples ("a is 1, b is x"). Write a value that holds a comma in double quotes.
    """

    traits = Traits(writes_text=True, extrapolates=True)

    def __init__(
        self,
        model: str = "",
        base_url: str | None = None,
        api_key: str | None = None,
        rows_per_request: int = 20,
        examples: int = 20,
        concurrency: int = 4,
        max_requests: int | None = None,
        max_tokens: int | None = None,
        max_cost: float | None = None,
        cache_dir: str | Path | None = None,
        temperature: float = 0.7,
        description: str | Mapping[Any, str] | None = None,
        style: Style = "json",
        price: tuple[float, float] | None = None,
        allow_remote: bool = False,
        replay: str | Path | None = None,
        timeout: float = 120.0,
        retries: int = 5,
    ) -> None:
        self.model = model
        self.base_url = base_url
        self.api_key = api_key
        self.rows_per_request = rows_per_request
        self.examples = examples
        self.concurrency = concurrency
        self.max_requests = max_requests
        self.max_tokens = max_tokens
        self.max_cost = max_cost
        self.cache_dir = cache_dir
        self.temperature = temperature
        self.description = description
        self.style: Style = style
        self.price = price
        self.allow_remote = allow_remote
        self.replay = replay
        self.timeout = timeout
        self.retries = retries

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("model", "style"))
        return f"{type(self).__name__}({shown})"

    def fit(self, table: Table, *, rng: np.random.Generator) -> Self:
        """Take the real rows as examples; send nothing.

        Parameters
        ----------
        table : Table
        rng : numpy.random.Generator
            Not used: examples are drawn when rows are asked for.

        Returns
        -------
        ChatGenerator
        """
        check_options(self)
        key = self.api_key or ("offline" if self.replay else None)
        endpoint = Endpoint.find(self.base_url, key)
        price = self.price if self.price is not None else (0.0, 0.0) if endpoint.is_local else None
        if self.max_cost is not None and price is None and not self.replay:
            raise OptionError(
                "max_cost needs the price of a token", where=endpoint.address,
                hint="--option price=0.15,0.60: US dollars per million tokens sent, and received",
            )  # fmt: skip
        recordings = Recordings(self.replay or self.cache_dir, read_only=bool(self.replay))
        self._prompter = Prompter(
            table, style=self.style, examples=self.examples, description=self.description
        )
        self._spending = Spending(self.max_requests, self.max_tokens, self.max_cost, price)
        self._client = Client(
            endpoint, recordings, online=not self.replay, concurrency=self.concurrency,
            retry=Retry(attempts=self.retries + 1), timeout=self.timeout,
        )  # fmt: skip
        self._reports: list[AnswerReport] = []
        self._sent_rows: set[int] = set()
        self._history: dict[object, tuple[int, Counter[str], int]] = {}
        self._answered = self._estimated = self._told = False
        self._lock = threading.Lock()
        self._first = threading.Lock()
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Ask for up to `n` rows of a group: one wave of at most `concurrency` requests.

        Parameters
        ----------
        group : Group
        n : int
        rng : numpy.random.Generator

        Returns
        -------
        DataFrame of shape (at most n, n_columns)
            With remarks: what could not be read, and why nothing more can be asked.
        """
        account = account_of(rng)
        reasons, barren = self._recall(account)
        n_requests = min(self.concurrency, math.ceil(n / self.rows_per_request))
        sizes = [min(self.rows_per_request, n - i * self.rows_per_request) for i in range(n_requests)]
        prompts, requests = [], []
        for size, stream in zip(sizes, rng.spawn(n_requests), strict=True):
            prompt = self._prompter.write(group, size, stream, reasons)
            prompts.append(prompt)
            requests.append(self._request(group, prompt, int(stream.integers(2**31))))
        self._allow(group)
        answers, stop = self._wave(requests, prompts)
        frames, rejected, bad = [], Counter[str](), Counter[str]()
        n_valid = 0
        for prompt, answer in zip(prompts, answers, strict=False):
            frame, report, invalid = self._read(group, prompt, answer)
            frames.append(frame)
            rejected.update(report.unreadable)
            bad.update(report.unreadable)
            bad.update(invalid)
            n_valid += report.valid
            with self._lock:
                self._reports.append(report)
        barren = 0 if n_valid or not answers else barren + 1
        self._remember(
            account, bad if bad.total() > TOLD_ABOVE * (bad.total() + n_valid) else Counter(), barren
        )
        if barren >= BARREN_ROUNDS and stop is None:
            worst = ", ".join(f"{count} {reason}" for reason, count in bad.most_common(3))
            stop = f"no valid row in the last {barren} rounds of requests ({worst})"
        whole = pd.concat(frames, ignore_index=True) if frames else to_frame([], self._prompter.fields)
        if len(whole) > n:
            rejected[SURPLUS] += len(whole) - n
        return remark(whole.iloc[:n], rejected=rejected, stop=stop)

    def cost(self, plan: Plan) -> Cost:
        """Return the requests, tokens, seconds and money expected where every row is accepted.

        Money is None where the price is not known. Before `fit`, requests are as large as average ones.
        """
        requests = sent = 0
        row = 40
        rng = np.random.default_rng(0)
        if hasattr(self, "_prompter"):
            row = self._prompter.row_tokens()
        for entry in plan:
            for n in (entry.n_balance, entry.n_augment):
                if not n:
                    continue
                k = math.ceil(n / self.rows_per_request)
                one = 500 + 80 * self.examples
                if hasattr(self, "_prompter"):
                    size = min(n, self.rows_per_request)
                    one = self._prompter.write(entry.group, size, rng).tokens
                requests, sent = requests + k, sent + k * one
        received = plan.n_synthetic * row
        waves = math.ceil(requests / self.concurrency)
        per_request = received / max(1, requests)
        price = self._price()
        return Cost(
            seconds=waves * (LATENCY + per_request / TOKENS_PER_SECOND),
            tokens=sent + received,
            money=None if price is None else (sent * price[0] + received * price[1]) / 1e6,
            requests=requests,
        )

    def _price(self) -> tuple[float, float] | None:
        if self.replay:
            return (0.0, 0.0)
        if self.price is not None:
            return self.price
        return (0.0, 0.0) if Endpoint.find(self.base_url, self.api_key or "unused").is_local else None

    def preview(self, group: Group, n: int) -> str:
        """Return one complete request as text, without sending it.

        Parameters
        ----------
        group : Group
        n : int
            Rows asked for.
        """
        size = min(n, self.rows_per_request)
        return str(self._prompter.write(group, size, np.random.default_rng(0)))

    @property
    def spent(self) -> Cost:
        """What the requests of this fitted generator took so far; recorded answers take nothing."""
        spending = self._spending
        return Cost(tokens=spending.tokens, money=spending.money, requests=spending.requests)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        spending, client = self._spending, self._client
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
        variety = summarize(self._reports)
        return (*notes, variety) if variety else tuple(notes)

    @property
    def details(self) -> dict[str, Any]:
        """What was asked and answered, as plain values."""
        spending, client = self._spending, self._client
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
            "answers": [report.to_dict() for report in self._reports],
        }

    def save(self, folder: str | Path) -> None:
        """Write the options to ``manifest.json``: neither rows nor key, nor the leave to send rows away.

        Parameters
        ----------
        folder : path
            Created if need be.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        options = {name: getattr(self, name) for name in SAVED}
        manifest = {"format": FORMAT, "generator": "chat", "options": options}
        (path / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, **options: Any) -> Self:
        """Return a generator with the options that were saved; fit it to a table before use.

        Parameters
        ----------
        folder : path
        **options
            Further options, such as `api_key`, `cache_dir` and `allow_remote`.

        Raises
        ------
        FileProblem
            When the folder holds something else, or an option that is not known.

        Examples
        --------
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> ChatGenerator(model="m", api_key="a-secret-key").save(folder)
        >>> loaded = ChatGenerator.load(folder)
        >>> loaded.model, loaded.api_key
        ('m', None)
        """
        path = Path(folder) / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FileProblem("no generator can be loaded", where=str(path), got=str(error)) from error
        known = isinstance(manifest, dict) and manifest.keys() == {"format", "generator", "options"}
        if not known or (manifest["format"], manifest["generator"]) != (FORMAT, "chat"):
            raise FileProblem("the manifest is of something else", where=str(path), expected="generator chat")
        strange = sorted(set(manifest["options"]) - set(SAVED))
        if strange:
            raise FileProblem("the manifest has unknown options", where=str(path), got=strange)
        return cls(**{**manifest["options"], **options})

    def _request(self, group: Group, prompt: Prompt, seed: int) -> Request:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            "temperature": self.temperature,
            "max_tokens": self._most_received(prompt),
            "seed": seed,
        }
        if self.style == "json":
            body["response_format"] = self._prompter.response_format(group, prompt.n_rows)
        return Request(body, self._prompter.digest)

    def _most_received(self, prompt: Prompt) -> int:
        return int(SLACK * prompt.n_rows * self._prompter.row_tokens()) + EXTRA_TOKENS

    def _allow(self, group: Group) -> None:
        """Refuse to send rows away where nobody allowed it; tell once where somebody did."""
        client, prompter = self._client, self._prompter
        endpoint = client.endpoint
        if endpoint.is_local or not client.online or self._told:
            return
        columns = ", ".join(field.label for field in prompter.fields)
        what = f"up to {2 * self.examples} real rows go with every request; their columns: {columns}"
        if not self.allow_remote and not client.recordings.was_sent(endpoint.address, prompter.digest):
            raise OptionError(
                "real rows would leave this machine", where=endpoint.address, got=what, expected="your leave",
                hint="allow_remote=True (--yes on the command line), or an endpoint on this machine",
            )  # fmt: skip
        self._told = True
        warnings.warn(f"{endpoint.address}: {what}", RemoteNotice, stacklevel=3)

    def _wave(self, requests: list[Request], prompts: list[Prompt]) -> tuple[list[Answer], str | None]:
        """Answer requests from the recordings or the endpoint, until a budget or the endpoint says no."""
        stop = None
        calls = []
        for request, prompt in zip(requests, prompts, strict=True):
            recorded = self._client.recorded(request)
            if recorded is not None:
                calls.append(partial(_given, recorded))
                continue
            held = (prompt.tokens, self._most_received(prompt))
            stop = self._spending.reserve(*held) if self._client.online else None
            if stop is not None:
                break
            calls.append(partial(self._ask, request, prompt, held))
        answers: list[Answer] = []
        for result in self._run(calls):
            if isinstance(result, GeneratorError) and (self._answered or answers):
                stop = result.message
            elif isinstance(result, BaseException):
                raise result
            else:
                answers.append(result)
        return answers, stop

    def _run(self, calls: list[partial[Answer]]) -> list[Answer | BaseException]:
        """Run calls at the same time; the very first one goes alone, so that a wrong key fails once."""
        results: list[Answer | BaseException] = []
        if calls and not self._answered:
            with self._first:
                if not self._answered:
                    results = in_parallel(calls[:1], self._client.cancelled)
                    if isinstance(results[0], BaseException):
                        return results
                    self._answered = True
        return results + in_parallel(calls[len(results) :], self._client.cancelled)

    def _ask(self, request: Request, prompt: Prompt, held: tuple[int, int]) -> Answer:
        used = (0, 0)
        try:
            answer = self._client.ask(request)
            used = answer.tokens or (prompt.tokens, count_tokens(answer.text))
            with self._lock:
                self._estimated |= answer.tokens is None
                self._sent_rows.update(prompt.shown.tolist())
            return answer
        finally:
            self._spending.settle(held, used)

    def _read(
        self, group: Group, prompt: Prompt, answer: Answer
    ) -> tuple[pd.DataFrame, AnswerReport, Counter[str]]:
        """Return the rows of an answer, what it is like, and why rows of it are not valid."""
        fields = self._prompter.fields
        unreadable: Counter[str] = Counter()
        rows: list[dict[str, Any]] = []
        if answer.failure is not None:
            unreadable[answer.failure] += 1
        else:
            needed = [field.label for field in fields if field.needed]
            parsed = read_rows(
                answer.text,
                [field.label for field in fields],
                needed=needed,
                style=self.style,
                cut=answer.cut,
            )
            rows, unreadable = parsed.rows, parsed.rejected
        frame = to_frame(rows, fields)
        codes, invalid, valid = encoded(frame, fields)
        shown = self._prompter.encoded(prompt.shown)
        duplicates, copied, collapsed = measure(codes, shown, self._prompter.learned)
        report = AnswerReport(
            self._prompter.name(group), prompt.n_rows, len(frame), int(valid.sum()), dict(unreadable),
            duplicates, copied, collapsed, answer.tokens or (0, 0), answer.recorded,
        )  # fmt: skip
        return frame, report, invalid

    def _recall(self, account: tuple[object, int] | None) -> tuple[Counter[str], int]:
        """Return why rows of the round before were rejected, and how many rounds brought none.

        Only the rounds of one account are linked, so that what is asked for a group does not depend on other
        groups.
        """
        if account is None:
            return Counter(), 0
        key, number = account
        last, reasons, barren = self._history.get(key, (-1, Counter(), 0))
        return (reasons, barren) if last == number - 1 else (Counter(), 0)

    def _remember(self, account: tuple[object, int] | None, reasons: Counter[str], barren: int) -> None:
        if account is not None:
            self._history[account[0]] = (account[1], reasons, barren)


def _given(answer: Answer) -> Answer:
    return answer
