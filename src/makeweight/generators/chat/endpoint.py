"""Where requests go, what may be said of it, and whether rows would leave this machine."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from makeweight.errors import OptionError

OPENAI = "https://api.openai.com/v1"
#: Sent where a server on this machine asks for no key; the client refuses to send none.
NO_KEY = "none"
#: Shorter keys are words such as "none" or "EMPTY", and no secrets.
SHORTEST_SECRET = 8


@dataclass(frozen=True)
class Endpoint:
    """An address and the key to it.

    >>> endpoint = Endpoint.find("http://localhost:8000/v1", "a-secret-key")
    >>> endpoint.is_local, endpoint
    (True, Endpoint(address='http://localhost:8000/v1'))
    >>> endpoint.scrub("wrong key: a-secret-key")
    'wrong key: ***'
    """

    address: str  # without a trailing slash; holds no secret
    key: str = field(repr=False)  # never shown

    @classmethod
    def find(cls, base_url: str | None, api_key: str | None) -> Endpoint:
        """Return the endpoint of a base address and a key, or of the environment's.

        `base_url`: by default OPENAI_BASE_URL, or OpenAI's own. `api_key`: by default OPENAI_API_KEY, for endpoints
        that are not on this machine. Raises OptionError when the address is none, or holds a password or a query, or a
        key is needed and there is none.
        """
        address = (base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI).strip().rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OptionError(
                "base_url is not an address",
                got=None if "@" in address else repr(address),
                expected="http:// or https://",
                hint="--option base_url=http://localhost:8000/v1",
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise OptionError(
                "base_url holds more than an address",
                where=parts.hostname,
                expected="neither a password nor anything after '?'",
                hint="give a key as api_key, or in the environment variable OPENAI_API_KEY",
            )
        local = _is_local(parts.hostname)
        key = api_key or (NO_KEY if local else os.environ.get("OPENAI_API_KEY"))
        if not key:
            raise OptionError(
                "the endpoint needs a key", where=address, hint="export OPENAI_API_KEY=..., or api_key=..."
            )
        if not (key.isascii() and key.isprintable() and key == key.strip()):
            raise OptionError(
                "the key has characters that no key has",
                where=address,
                expected="one line of plain characters without blanks at its ends",
            )
        return cls(address, key)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return _is_local(self.host)

    @property
    def host(self) -> str:
        """The name of the machine."""
        return urlsplit(self.address).hostname or ""

    def scrub(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self.key, "***") if len(self.key) >= SHORTEST_SECRET else text


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a name, and not one of this machine
        return False
    return address.is_loopback or address.is_unspecified
