"""Rows written by a prompted chat model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from makeweight.errors import OptionError
from makeweight.generators.base import Cost, Traits
from makeweight.generators.chat.cache import Recordings
from makeweight.generators.chat.client import Client
from makeweight.generators.chat.endpoint import Endpoint
from makeweight.generators.chat.limits import Retry, Spending
from makeweight.generators.chat.prompt import STYLES, Prompter, Style
from makeweight.generators.chat.session import Session
from makeweight.generators.frame.options import Option, WithOptions, option
from makeweight.generators.frame.saving import MANIFEST, read_manifest, refuse_other_keys, write_manifest
from makeweight.plan import Group, Plan
from makeweight.table import Table

__all__ = ["ChatGenerator"]

#: For forecasts: seconds until an answer begins, and tokens per second from then on.
LATENCY, TOKENS_PER_SECOND = 1.0, 60.0
#: For forecasts before `fit`: tokens of a row, and of what a request says besides its examples.
ROW_TOKENS, PROMPT_TOKENS = 40, 500
SAVED_AS = "chat"

#: A part of a price.
DOLLARS = Option(float, 0)


def _is_price(value: Any) -> bool:
    return len(value) == 2 and all(map(DOLLARS.allows, value))


def _is_description(value: Any) -> bool:
    return isinstance(value, str) or all(isinstance(text, str) for text in value.values())


@dataclass(eq=False, repr=False)
class ChatGenerator(WithOptions):
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
        In all, as long as the generator is not fitted anew.
    max_cost : float, optional
        In US dollars; needs `price` where the endpoint is not on this machine. A request that might exceed a
        budget is not sent; the rows accepted until then are kept. Recorded answers count as what they once took,
        so that a run that goes on after an interrupt stays within one budget.
    cache_dir : str, optional
        Folder that keeps every raw answer, and real rows with it: a rerun asks for nothing twice.
    temperature : float
        Of the model: 0 is the likeliest answer, larger ones vary more.
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

    model: str = option(
        "",
        str,
        test=bool,
        takes="a name that the endpoint knows",
        hint="--option model=NAME; most endpoints list theirs at base_url/models",
    )
    base_url: str | None = option(None, str, words=(None,), takes="an address")
    api_key: str | None = option(None, str, words=(None,), takes="text", saved=False)
    rows_per_request: int = option(20, int, 1)
    examples: int = option(20, int, 1)
    concurrency: int = option(4, int, 1)
    max_requests: int | None = option(None, int, 1, words=(None,))
    max_tokens: int | None = option(None, int, 1, words=(None,))
    max_cost: float | None = option(None, float, 0, words=(None,), takes="US dollars, 0 or more")
    cache_dir: str | Path | None = option(None, (str, Path), words=(None,), takes="a folder", saved=False)
    temperature: float = option(0.7, float, 0, 2)
    description: str | Mapping[Any, str] | None = option(
        None, (str, Mapping), words=(None,), test=_is_description, takes="text, or column to text"
    )
    style: Style = option("json", words=STYLES)
    price: tuple[float, float] | None = option(
        None, (tuple, list), words=(None,), test=_is_price, takes="two numbers, 0 or more"
    )
    allow_remote: bool = option(False, bool, saved=False)
    replay: str | Path | None = option(None, (str, Path), words=(None,), takes="a folder", saved=False)
    timeout: float = option(120.0, float, 0, above=True, takes="seconds, above 0")
    retries: int = option(5, int, 0)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, style={self.style!r})"  # an address can hold a password

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
        self._check_options()
        endpoint = self._endpoint()
        price = self._price(endpoint)
        if self.max_cost is not None and price is None:
            raise OptionError(
                "max_cost needs the price of a token",
                where=endpoint.address,
                hint="--option price=0.15,0.60: US dollars per million tokens sent, and received",
            )
        recordings = Recordings(self.replay or self.cache_dir, read_only=bool(self.replay))
        prompter = Prompter(table, style=self.style, examples=self.examples, description=self.description)
        client = Client(
            endpoint,
            recordings,
            online=not self.replay,
            concurrency=self.concurrency,
            retry=Retry(attempts=self.retries + 1),
            timeout=self.timeout,
        )
        spending = Spending(self.max_requests, self.max_tokens, self.max_cost, price)
        self._session = Session(
            prompter,
            client,
            spending,
            model=self.model,
            temperature=self.temperature,
            rows_per_request=self.rows_per_request,
            concurrency=self.concurrency,
            allow_remote=self.allow_remote,
        )
        return self

    def propose(self, group: Group, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
        """Ask for up to `n` rows of a group: one wave of at most `concurrency` requests.

        Returns
        -------
        DataFrame of shape (at most n, n_columns)
            With remarks: what could not be read, and why nothing more can be asked.
        """
        return self._session.propose(group, n, rng)

    def cost(self, plan: Plan) -> Cost:
        """Return the requests, tokens, seconds and money expected where every row is accepted.

        Money is None where the price is not known. Before `fit`, requests are taken to be of average size.
        """
        fitted = hasattr(self, "_session")
        row = self._session.prompter.row_tokens if fitted else ROW_TOKENS
        requests = sent = 0
        rng = np.random.default_rng(0)
        for entry in plan:
            for n in (entry.n_balance, entry.n_augment):
                k = math.ceil(n / self.rows_per_request)
                one = PROMPT_TOKENS + 2 * ROW_TOKENS * self.examples
                if fitted and n:
                    one = self._session.prompter.write(entry.group, min(n, self.rows_per_request), rng).tokens
                requests, sent = requests + k, sent + k * one
        received = plan.n_synthetic * row
        waves = math.ceil(requests / self.concurrency)
        price = self._price(self._endpoint(forecast=True))
        return Cost(
            seconds=waves * (LATENCY + received / max(1, requests) / TOKENS_PER_SECOND),
            tokens=sent + received,
            money=None if price is None else (sent * price[0] + received * price[1]) / 1e6,
            requests=requests,
        )

    def _endpoint(self, *, forecast: bool = False) -> Endpoint:
        """Return where requests go; a forecast and a replay need no key."""
        key = self.api_key or ("none" if self.replay or forecast else None)
        return Endpoint.find(self.base_url, key)

    def _price(self, endpoint: Endpoint) -> tuple[float, float] | None:
        """Return the price per million tokens: given; nothing on this machine or offline; or unknown."""
        if self.price is not None:
            return self.price
        return (0.0, 0.0) if endpoint.is_local or self.replay else None

    def preview(self, group: Group, n: int) -> str:
        """Return one complete request as text, without sending it.

        Parameters
        ----------
        group : Group
        n : int
            Rows asked for.
        """
        size = min(n, self.rows_per_request)
        return str(self._session.prompter.write(group, size, np.random.default_rng(0)))

    @property
    def spent(self) -> Cost:
        """What the requests of this fitted generator took so far; recorded answers take nothing."""
        spending = self._session.spending
        return Cost(tokens=spending.tokens, money=spending.money, requests=spending.requests)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the rows."""
        return self._session.notes

    @property
    def details(self) -> dict[str, object]:
        """What was asked and answered, as plain values."""
        return self._session.details

    def save(self, folder: str | Path) -> None:
        """Write the options to ``manifest.json``: neither rows nor key, nor the leave to send rows away.

        Parameters
        ----------
        folder : path
            Created if need be.
        """
        options = {name: getattr(self, name) for name in self.saved_options()}
        write_manifest(Path(folder), SAVED_AS, {"options": options})

    @classmethod
    def load(cls, folder: str | Path, table: Table | None = None, **options: Any) -> Self:
        """Return a generator with the options that were saved.

        Parameters
        ----------
        folder : path
        table : Table, optional
            To which it is fitted, which asks nothing; without one it has to be fitted before use.
        **options
            Further options, such as `api_key`, `cache_dir` and `allow_remote`.

        Raises
        ------
        FileProblem
            When the folder holds something else, or other options than a generator has.

        Examples
        --------
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> ChatGenerator(model="m", api_key="a-secret-key").save(folder)
        >>> loaded = ChatGenerator.load(folder)
        >>> loaded.model, loaded.api_key
        ('m', None)
        """
        saved = read_manifest(Path(folder), SAVED_AS, ("options",))["options"]
        refuse_other_keys(saved, cls.saved_options(), Path(folder) / MANIFEST, "options")
        loaded = cls(**{**saved, **options})
        return loaded if table is None else loaded.fit(table, rng=np.random.default_rng(0))
