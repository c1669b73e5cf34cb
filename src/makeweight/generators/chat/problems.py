"""Why an endpoint gave no answer: what happened, whether asking again can help, and what the user can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openai

from makeweight.generators.chat.limits import RETRIED, retry_after
from makeweight.generators.chat.transport import AnswerTooSlow

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
