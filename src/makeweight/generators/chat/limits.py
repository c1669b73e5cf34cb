"""How fast to ask, how long to wait, and how much to spend: the only place that knows."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

#: What is asked again: a request that timed out or met a conflict or a limit, and any fault of the server.
RETRIED = frozenset({408, 409, 429, *range(500, 600)}) - {501}
#: After so many answers in a row without a complaint, one more request may be under way.
CALM = 5
#: A request that has to wait for those under way: they may take what is left, and mostly take less.
LATER = "later"


@dataclass(frozen=True)
class Retry:
    """When to ask again.

    >>> Retry().seconds(0, asked=3.0) >= 3.0
    True
    """

    attempts: int = 6  # for connection errors, 408, 409 and 5xx; the first one included
    #: seconds to wait after the first failure, doubled after each further one, at most `most`
    first: float = 0.5
    most: float = 60.0
    longest: float = 900.0  # seconds that a request may be put off by 429 in all, however often

    def seconds(self, failures: int, asked: float | None) -> float:
        """Return how long to wait: what was asked for, or an exponential back-off; with jitter on top.

        The jitter comes from a generator of its own: it decides when, never what.
        """
        wait = min(self.most, self.first * 2.0 ** min(failures, 30)) if asked is None else asked
        return wait + random.SystemRandom().uniform(0.0, 0.25 * max(wait, self.first))


def retry_after(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number or a date; None for neither.

    >>> retry_after("2.5"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after("soon")
    (2.5, 0.0, None)
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:  # a date, then
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:  # nor that
            return None
    return max(0.0, seconds) if seconds == seconds else None


class Pace:
    """How many requests may be under way at once, and from when on the next may go.

    A complaint (429) halves the number and holds all requests back; answers without one restore it.
    """

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._active, self._calm = most, most, 0, 0
        self._not_before = 0.0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be under way now."""
        return self._limit

    @contextmanager
    def turn(self, cancelled: Callable[[], bool]) -> Iterator[bool]:
        """Wait for a turn; yields False where waiting was cancelled."""
        with self._changed:
            while not cancelled():
                wait = self._not_before - time.monotonic()
                if self._active < self._limit and wait <= 0:
                    break
                self._changed.wait(min(0.2, wait) if wait > 0 else 0.2)
            going = not cancelled()
            self._active += going
        try:
            yield going
        finally:
            with self._changed:
                self._active -= going
                self._changed.notify_all()

    def complain(self, seconds: float) -> None:
        """Slow down: the endpoint said that there are too many requests."""
        with self._changed:
            self._limit, self._calm = max(1, self._limit // 2), 0
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def praise(self) -> None:
        """Note an answer without complaint."""
        with self._changed:
            self._calm += 1
            if self._calm >= CALM and self._limit < self._most:
                self._limit, self._calm = self._limit + 1, 0
                self._changed.notify_all()


@dataclass(eq=False)
class Spending:
    """What has been spent, what is reserved for requests under way, and what may be.

    >>> spending = Spending(max_tokens=100)
    >>> spending.reserve(40, 40), spending.reserve(40, 40) is LATER
    (None, True)
    >>> spending.settle((40, 40), (20, 10))
    >>> spending.reserve(40, 40)
    'max_tokens=100: the next request may take 80 tokens, and 30 are spent'
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None  # in US dollars
    #: US dollars per million tokens sent and received; None where it is not known
    price: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        self.requests = self.tokens_sent = self.tokens_received = 0
        self._before = (0, 0, 0)  # requests and tokens of recorded answers: an interrupted run has paid for them
        self._held_sent = self._held_received = 0
        self._changed = threading.Condition()
        self._n_settled = 0

    @property
    def tokens(self) -> int:
        """Tokens sent and received."""
        return self.tokens_sent + self.tokens_received

    @property
    def money(self) -> float | None:
        """US dollars spent; None where the price is not known."""
        return self.money_for(self.tokens_sent, self.tokens_received)

    def money_for(self, sent: int, received: int) -> float | None:
        """Return US dollars for tokens."""
        return None if self.price is None else (sent * self.price[0] + received * self.price[1]) / 1e6

    def reserve(self, sent: int, received: int) -> str | None:
        """Hold what a request may take; return why it may not be sent, or None where it may.

        `sent`, `received`: tokens, at most. `LATER` is the answer where those under way may take what is left.
        """
        with self._changed:
            why = self._refusal(sent, received, 0, 0)
            if why is None and self._refusal(sent, received, self._held_sent, self._held_received) is not None:
                why = LATER
            if why is None:
                self.requests += 1
                self._held_sent += sent
                self._held_received += received
        return why

    def _refusal(self, sent: int, received: int, held_sent: int, held_received: int) -> str | None:
        """Return which limit a request would break beside what is spent and so much that is held."""
        requests, sent_before, received_before = self._before
        if self.max_requests is not None and requests + self.requests >= self.max_requests:
            return f"max_requests={self.max_requests} reached"
        before = (sent_before + self.tokens_sent + held_sent, received_before + self.tokens_received + held_received)
        if self.max_tokens is not None and sum(before) + sent + received > self.max_tokens:
            return (
                f"max_tokens={self.max_tokens}: the next request may take {sent + received} tokens, "
                f"and {sum(before)} are spent"
            )
        if self.max_cost is not None:
            now = self.money_for(*before) or 0.0
            then = self.money_for(before[0] + sent, before[1] + received) or 0.0
            if then > self.max_cost:
                return (
                    f"max_cost={self.max_cost:g}: the next request may cost {then - now:.4f} US dollars, "
                    f"and {now:.4f} are spent"
                )
        return None

    def count(self, used: tuple[int, int]) -> None:
        """Count a recorded answer against the budgets, though nothing is paid for it now."""
        with self._changed:
            requests, sent, received = self._before
            self._before = (requests + 1, sent + used[0], received + used[1])

    def wait(self, cancelled: Callable[[], bool]) -> None:
        """Wait until a request that is under way was answered, or waiting was cancelled."""
        with self._changed:
            before = self._n_settled
            while self._n_settled == before and not cancelled():
                self._changed.wait(0.2)

    def settle(self, reserved: tuple[int, int], used: tuple[int, int]) -> None:
        """Replace a reservation by what the request took."""
        with self._changed:
            self._held_sent -= reserved[0]
            self._held_received -= reserved[1]
            self.tokens_sent += used[0]
            self.tokens_received += used[1]
            self._n_settled += 1
            self._changed.notify_all()
