"""An HTTP client whose answers are bounded in size and time, whoever sends them."""

from __future__ import annotations

import importlib
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import openai

from makeweight.generators.chat.endpoint import Endpoint

CONNECT_SECONDS = 10.0


class AnswerTooLarge(Exception):
    """The body of an answer is larger than it may be."""


class AnswerTooSlow(Exception):
    """The body of an answer has not ended in time."""


def http_client(endpoint: Endpoint, *, timeout: float, max_bytes: int) -> Any:
    """Return a client for the openai package that reads no more than it may.

    It follows no redirect (rows would go where nobody agreed to send them), uses the environment's proxy for
    endpoints that are not on this machine, and asks for uncompressed answers, so that `max_bytes` holds for
    what is kept in memory.

    `timeout`: seconds for a whole answer. The client is of the HTTP package that the installed openai package uses.
    """
    http = _http_package()

    class Bounded(http.HTTPTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            deadline = time.monotonic() + timeout
            response = super().handle_request(request)
            if response.headers.get("content-encoding", "identity") not in ("", "identity"):
                response.close()
                raise AnswerTooLarge("a compressed answer, whose size is not known")
            response.stream = BoundedStream(response.stream, deadline)
            return response

    class BoundedStream(http.SyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any, deadline: float) -> None:
            self.stream, self.deadline = stream, deadline

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in self.stream:
                size += len(part)
                if size > max_bytes:
                    raise AnswerTooLarge(f"more than {max_bytes:,} bytes")
                if time.monotonic() > self.deadline:
                    raise AnswerTooSlow(f"more than {timeout:g} seconds")
                yield part

        def close(self) -> None:
            self.stream.close()

    return http.Client(
        transport=Bounded(proxy=_proxy(endpoint), trust_env=True),
        timeout=http.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        headers={"Accept-Encoding": "identity"},
        follow_redirects=False,
        trust_env=False,
    )


def _http_package() -> Any:
    base = next(cls for cls in openai.DefaultHttpxClient.__mro__ if cls.__name__ == "Client")
    return importlib.import_module(base.__module__.partition(".")[0])


def _proxy(endpoint: Endpoint) -> str | None:
    if endpoint.is_local or urllib.request.proxy_bypass(endpoint.host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(endpoint.address.partition(":")[0]) or proxies.get("all")
