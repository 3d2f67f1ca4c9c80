"""What can go wrong between DermNote and a language model, each with its own name and a hint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dermnote.errors import NotesError


@dataclass(frozen=True)
class Usage:
    """Tokens that were counted, and paid for where tokens are.

    Attributes:
        prompt_tokens: Of what was sent, the picture included.
        completion_tokens: Of what came back.
        requests: How many requests they are of.
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


class WriterError(NotesError):
    """No note came of a request.

    Attributes:
        kind: Short name, as the summary and failures.jsonl show it.
        fatal: Whether every other request would fail in the same way, so that a run should stop.
        usage: What was used up all the same.
        retry_after: Seconds the server asked to wait; None if it did not say.
        answer_lost: Whether the request went out, so that the server may have answered, and billed, all the same.
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
    """The server refuses the key (401, 403)."""

    kind, fatal = "key refused", True


class QuotaError(WriterError):
    """The account has no credit left (429 with insufficient_quota)."""

    kind, fatal = "quota used up", True


class UnknownModelError(WriterError):
    """The server has no such model or no such address (404)."""

    kind, fatal = "unknown model", True


class NoSightError(WriterError):
    """The model sees no pictures, and every request has one."""

    kind, fatal = "no sight", True


class NotAnApiError(WriterError):
    """Something answered that is no OpenAI-compatible server: a web page, a proxy's login."""

    kind, fatal = "no API", True


class RequestRefusedError(WriterError):
    """The server cannot work with the request (400, 413, 422, 501).

    Attributes:
        said: The server's own words in full; they may name the option it does not know.
    """

    kind = "request refused"
    said: str = ""


class BusyError(WriterError):
    """The server kept saying that there are too many requests (429)."""

    kind = "busy"


class ServerFaultError(WriterError):
    """The server failed again and again (500 and above)."""

    kind = "server fault"


class UnreachableError(WriterError):
    """No connection, or it was dropped."""

    kind = "unreachable"


class SlowError(WriterError):
    """No answer within the time limit."""

    kind = "too slow"


class MalformedError(WriterError):
    """The answer is not what was asked for, and asking the model to repair it did not help.

    Attributes:
        answer: What it was; "" if there was none.
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
