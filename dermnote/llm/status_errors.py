"""What a server's refusal means: from its HTTP status and words to the fault a user can act on."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from dermnote.llm.endpoint import Endpoint
from dermnote.llm.llm_errors import (
    BusyError,
    FilteredError,
    KeyRefusedError,
    MalformedError,
    NoKeyError,
    NoSightError,
    NotAnApiError,
    QuotaError,
    RequestRefusedError,
    ServerFaultError,
    SlowError,
    UnknownModelError,
    WriterError,
)

LONGEST_QUOTE = 200  # characters of a server's words in a message
GATEWAY_TIMEOUTS = (504, 524)  # what stands behind the gateway may answer all the same
NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
LOOKS_LIKE_A_KEY = re.compile(r"\b(?:sk|pk|gsk|hf|nvapi|xai)[-_][\w*.…-]{6,}|(?<=Bearer )\S+")
# vLLM, llama.cpp (with status 500), Ollama and OpenAI, of a model that knows words alone
NO_SIGHT = re.compile(
    r"image.{0,30}(?:not supported|only supported by)|(?:does not|doesn't) support.{0,30}image|at most 0 image"
    r"|missing.{0,30}image input|not a multimodal model",
    re.IGNORECASE,
)
CHECK_ADDRESS = "Check --base-url or OPENAI_BASE_URL: it mostly ends in /v1."


@dataclass(frozen=True)
class Said:
    """What a server answered instead of a completion.

    Attributes:
        status: HTTP status.
        words: Its error message in full, keys struck out.
        code: Its own code of the error, e.g. "insufficient_quota"; may be empty.
        is_page: Whether it sent a web page.
        retry_after: Seconds it asks to wait; None if it does not say.
    """

    status: int
    words: str
    code: str = ""
    is_page: bool = False
    retry_after: float | None = None

    @classmethod
    def of(cls, status: int, body: Any, endpoint: Endpoint, retry_after: float | None = None) -> Said:
        """Reads an error's body: OpenAI's {"message", "code", "param"}, FastAPI's {"detail"}, a text, or nothing."""
        if not isinstance(body, dict):
            text = str(body or "")
            return cls(status, without_keys(text, endpoint), "", looks_like_a_page(text), retry_after)
        told = body.get("message") or body.get("detail") or body
        text = told if isinstance(told, str) else json.dumps(told)
        named = body.get("param")
        words = f"{text} ({named})" if isinstance(named, str) and named not in text else text
        return cls(status, without_keys(words, endpoint), str(body.get("code") or ""), False, retry_after)

    @property
    def quote(self) -> str:
        """Its words as one short line."""
        return "a web page" if self.is_page else one_line(self.words) or "no reason given"


def looks_like_a_page(text: str) -> bool:
    """Whether a body is HTML."""
    return bool(re.match(r"\s*<(?:!doctype|html|head|body|\?xml)", text, re.IGNORECASE))


def one_line(text: str, longest: int = LONGEST_QUOTE) -> str:
    """A stranger's text on one line: no control characters (a terminal would obey them), cut where it is long."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 10 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def without_keys(text: str, endpoint: Endpoint) -> str:
    """A stranger's text with our key, and what looks like one, struck out."""
    if endpoint.api_key:
        text = text.replace(endpoint.api_key, "[key]")
    return LOOKS_LIKE_A_KEY.sub("[key]", text)


def status_fault(said: Said, endpoint: Endpoint, model: str) -> WriterError:
    """The fault that an HTTP status stands for."""
    message = f"{endpoint.host} answered {said.status}: {said.quote}"
    message += "" if message[-1] in ".!?…" else "."
    if said.status in (401, 402, 403, 404, 429):
        return _refused_caller(said, message, endpoint, model)
    if "model produced output" in said.words:  # llama.cpp's 500 for an answer that is broken, or cut off
        return MalformedError(message, "A model that follows a JSON schema does better.")
    if NO_SIGHT.search(said.words):
        return NoSightError(message, f"Choose a model that sees pictures instead of '{model}'.")
    if said.status in (408, 409) or (said.status >= 500 and said.status != 501):
        kind = SlowError if said.status == 408 else ServerFaultError
        return kind(
            message,
            "Run again later; notes already written are kept.",
            retryable=True,
            retry_after=said.retry_after,
            answer_lost=said.status in GATEWAY_TIMEOUTS,
        )
    if said.status < 400 or said.status == 405 or said.is_page:
        return NotAnApiError(message, CHECK_ADDRESS)
    return _refused_request(said, message, endpoint)


def _refused_caller(said: Said, message: str, endpoint: Endpoint, model: str) -> WriterError:
    if said.status == 401 and not endpoint.api_key:
        return NoKeyError(f"{endpoint.host} asks for a key, and none is set.", "Set OPENAI_API_KEY.")
    if said.status == 401:
        return KeyRefusedError(message, "Check OPENAI_API_KEY: it may be mistyped, expired, or another server's.")
    if said.status == 403:
        return KeyRefusedError(message, f"The key may not use '{model}' there; choose another model or key.")
    if said.status == 404:
        return UnknownModelError(message, f"Check --model ('{model}'), and --base-url or OPENAI_BASE_URL.")
    if said.status == 402 or said.code in NO_CREDIT:
        return QuotaError(message, "Add credit to the account, then run again: notes already written are kept.")
    hint = "Lower --concurrency, or run again later; notes already written are kept."
    return BusyError(message, hint, retryable=True, retry_after=said.retry_after)


def _refused_request(said: Said, message: str, endpoint: Endpoint) -> WriterError:
    words = said.words.lower()
    if said.code == "content_filter" or "content management policy" in words:
        return FilteredError(message, "The server's filter does not take this picture or record; others may pass.")
    if "api key" in words or "api_key" in words:  # some servers say 400 where they mean 401
        missing = not endpoint.api_key
        return (
            NoKeyError(message, "Set OPENAI_API_KEY.") if missing else KeyRefusedError(message, "Check OPENAI_API_KEY.")
        )
    hint = "Another model may take it."
    if said.status == 413 or "context" in words or "too large" in words:
        hint = "The server takes no request of this size: use --detail low, or raise the server's limit."
    fault = RequestRefusedError(message, hint)
    fault.said = f"{said.words} {said.code}" if said.status != 501 else "response_format"
    return fault
