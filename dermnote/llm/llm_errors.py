"""Errors of requests to a language model, each with a hint, and the tokens that a request used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dermnote.errors import NotesError


@dataclass(frozen=True)
class Usage:
    """Counted tokens.

    Attributes:
        prompt_tokens: Tokens sent, the image included.
        completion_tokens: Tokens received.
        requests: Number of requests.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.requests + other.requests,
        )


class AnswerError(NotesError):
    """The model's answer does not match the request; the message can be sent back to the model."""


class WriterError(NotesError):
    """A request gave no usable answer.

    Attributes:
        kind: Short name, shown in the summary and in failures.jsonl.
        fatal: Whether every other request would fail in the same way, so that a run should stop.
        usage: Tokens that were used nevertheless.
        retry_after: Seconds the server asks to wait; None if it does not say.
        answer_lost: Whether the request was sent, so that the server may have answered, and billed, it.
    """

    kind: ClassVar[str] = "other"
    fatal: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        retryable: bool = False,
        usage: Usage | None = None,
        retry_after: float | None = None,
        answer_lost: bool = False,
    ) -> None:
        super().__init__(message, hint, retryable=retryable)
        self.usage = usage or Usage()
        self.retry_after, self.answer_lost = retry_after, answer_lost


class NoKeyError(WriterError):
    """No key is set, and the server needs one."""

    kind, fatal = "no key", True


class KeyRefusedError(WriterError):
    """The server rejects the key (401, 403)."""

    kind, fatal = "key refused", True


class QuotaError(WriterError):
    """The account has no credit left (429 with insufficient_quota)."""

    kind, fatal = "quota used up", True


class UnknownModelError(WriterError):
    """The server has no such model or no such address (404)."""

    kind, fatal = "unknown model", True


class NoSightError(WriterError):
    """The model accepts no images, and every request has one."""

    kind, fatal = "no sight", True


class NotAnApiError(WriterError):
    """The response does not come from an OpenAI-compatible server: a web page, a proxy's login."""

    kind, fatal = "no API", True


class RequestRefusedError(WriterError):
    """The server rejects the request (400, 413, 422, 501).

    Attributes:
        details: The server's whole message, which may name an unsupported option.
    """

    kind = "request refused"
    details: str = ""


class BusyError(WriterError):
    """The server reported too many requests until the retries were used up (429)."""

    kind = "busy"


class ServerFaultError(WriterError):
    """The server failed until the retries were used up (500 and above)."""

    kind = "server fault"


class UnreachableError(WriterError):
    """The connection failed or was dropped."""

    kind = "unreachable"


class SlowError(WriterError):
    """No answer arrived within the time limit."""

    kind = "too slow"


class MalformedError(WriterError):
    """The answer does not match the request, also after one repair.

    Attributes:
        answer: The model's answer; "" if there was none.
    """

    kind = "malformed answer"
    answer: str = ""


class CutOffError(WriterError):
    """The answer reached its token limit before its end."""

    kind = "cut off"


class RefusalError(WriterError):
    """The model refuses to answer."""

    kind = "refusal"


class FilteredError(WriterError):
    """The server's content filter withheld the answer."""

    kind = "content filter"
