"""Responses of a chat completions server: answers with their usage, and errors with their cause and a hint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermnote.llm.chat_request import ChatRequest
from dermnote.llm.endpoint import Endpoint
from dermnote.llm.llm_errors import (
    AnswerError,
    BusyError,
    CutOffError,
    FilteredError,
    KeyRefusedError,
    MalformedError,
    NoKeyError,
    NoSightError,
    NotAnApiError,
    QuotaError,
    RefusalError,
    RequestRefusedError,
    ServerFaultError,
    SlowError,
    UnknownModelError,
    Usage,
    WriterError,
)

LONGEST_QUOTE = 200  # characters of a server's message in ours
GATEWAY_TIMEOUTS = (504, 524)  # the server behind the gateway may still answer
NO_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
KEY_PATTERN = re.compile(r"\b(?:sk|pk|gsk|hf|nvapi|xai)[-_][\w*.…-]{6,}|(?<=Bearer )\S+")
# messages of vLLM, llama.cpp (with status 500), Ollama and OpenAI about a text-only model
NO_SIGHT = re.compile(
    r"image.{0,30}(?:not supported|only supported by)|(?:does not|doesn't) support.{0,30}image|at most 0 image"
    r"|missing.{0,30}image input|not a multimodal model",
    re.IGNORECASE,
)
CHECK_ADDRESS = "Check --base-url or OPENAI_BASE_URL: it mostly ends in /v1."
FOLLOWS_SCHEMA = "A model that follows a JSON schema does better."


@dataclass(frozen=True)
class Reply:
    """A language model's answer to one request.

    Attributes:
        text: The checked answer as JSON.
        usage: Tokens of all requests it took, a repair included.
        served_by: The model's name as the server gives it.
    """

    text: str
    usage: Usage
    served_by: str


def read_completion(completion: Any, request: ChatRequest, endpoint: Endpoint, model: str) -> Reply:
    """Read the body of a completion.

    Raises:
        NotAnApiError: It is not a completion.
        RefusalError: The model refuses.
        FilteredError: The server's filter withheld the answer.
        CutOffError: The token limit was reached before the answer's end.
        MalformedError: There is no answer, or it does not match the request.
        WriterError: It is an error sent with status 200, as gateways do.
    """
    if not isinstance(completion, Mapping) or not isinstance(completion.get("choices"), list):
        raise _no_completion(completion, endpoint, model)
    usage = read_usage(completion.get("usage"))
    choice = as_mapping(next(iter(completion["choices"]), None))
    message = as_mapping(choice.get("message"))
    finish_reason = choice.get("finish_reason")
    if refusal := message.get("refusal"):
        raise RefusalError(f"The model refuses: {one_line(str(refusal))}", "Another model may answer.", usage=usage)
    if finish_reason == "content_filter":
        problem = f"{endpoint.host} withheld the answer by its content filter."
        raise FilteredError(problem, "Another model may answer.", usage=usage)
    text = message_text(message.get("content"))
    try:
        answer = request.parse(text)
    except AnswerError as error:
        if finish_reason == "length":
            problem = f"The answer reached its limit of {request.max_tokens} tokens before its end."
            hint = "Use a model that answers at once: one that thinks first spends the limit on its thoughts."
            raise CutOffError(problem, hint, usage=usage) from None
        problem = one_line(error.message) if text.strip() else "The answer is empty."
        malformed = MalformedError(problem, FOLLOWS_SCHEMA, usage=usage)
        malformed.answer = text
        raise malformed from None
    served_by = completion.get("model")
    return Reply(answer, usage, served_by if isinstance(served_by, str) else model)


def _no_completion(body: Any, endpoint: Endpoint, model: str) -> WriterError:
    error = body.get("error") if isinstance(body, Mapping) else None
    if not error:
        return NotAnApiError(f"{endpoint.host} answered with something that is no chat completion.", CHECK_ADDRESS)
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return status_error(ErrorResponse.read(status, error, endpoint), endpoint, model)


def read_usage(counted: Any) -> Usage:
    """Return the tokens of one request as counted by the server; 0 where it does not count."""
    numbers = as_mapping(counted)
    prompt, answer = (numbers.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(prompt if isinstance(prompt, int) else 0, answer if isinstance(answer, int) else 0, 1)


def message_text(content: Any) -> str:
    """Return a message's content as one text."""
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(str(as_mapping(part).get("text") or "") for part in content)
    return content if isinstance(content, str) else ""


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True)
class ErrorResponse:
    """An error sent by a server.

    Attributes:
        status: HTTP status.
        message: The whole message, keys removed.
        code: The server's error code, e.g. "insufficient_quota"; may be empty.
        is_page: Whether the body is a web page.
        retry_after: Seconds the server asks to wait; None if it does not say.
    """

    status: int
    message: str
    code: str = ""
    is_page: bool = False
    retry_after: float | None = None

    @classmethod
    def read(cls, status: int, body: Any, endpoint: Endpoint, retry_after: float | None = None) -> ErrorResponse:
        """Read a body: OpenAI's {"message", "code", "param"}, FastAPI's {"detail"}, a text, or nothing."""
        if not isinstance(body, dict):
            text = str(body or "")
            is_page = bool(re.match(r"\s*<(?:!doctype|html|head|body|\?xml)", text, re.IGNORECASE))
            return cls(status, without_keys(text, endpoint), "", is_page, retry_after)
        message = body.get("message") or body.get("detail") or body
        text, option = message if isinstance(message, str) else json.dumps(message), body.get("param")
        if isinstance(option, str) and option not in text:
            text = f"{text} ({option})"
        return cls(status, without_keys(text, endpoint), str(body.get("code") or ""), False, retry_after)

    def describe(self, host: str) -> str:
        """Return host, status and message as one short sentence."""
        quote = "a web page" if self.is_page else one_line(self.message) or "no reason given"
        return f"{host} answered {self.status}: {quote}{'' if quote[-1] in '.!?…' else '.'}"


def one_line(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Return a server's text as one line, cut if long, without control characters, which a terminal would obey."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[: 10 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def without_keys(text: str, endpoint: Endpoint) -> str:
    """Return a server's text with our key, and everything that resembles a key, replaced."""
    if endpoint.api_key:
        text = text.replace(endpoint.api_key, "[key]")
    return KEY_PATTERN.sub("[key]", text)


def status_error(response: ErrorResponse, endpoint: Endpoint, model: str) -> WriterError:
    """Return the error of ours for an error response."""
    status, message = response.status, response.describe(endpoint.host)
    if status in (401, 402, 403, 404, 429):
        return _caller_error(response, message, endpoint, model)
    if "model produced output" in response.message:  # llama.cpp's 500 for an answer that is broken, or cut off
        return MalformedError(message, FOLLOWS_SCHEMA)
    if NO_SIGHT.search(response.message):
        return NoSightError(message, f"Choose a model that sees pictures instead of '{model}'.")
    if status in (408, 409) or (status >= 500 and status != 501):
        kind = SlowError if status == 408 else ServerFaultError
        return kind(
            message,
            "Run again later; notes already written are kept.",
            retryable=True,
            retry_after=response.retry_after,
            answer_lost=status in GATEWAY_TIMEOUTS,
        )
    if status < 400 or status == 405 or response.is_page:
        return NotAnApiError(message, CHECK_ADDRESS)
    return _request_error(response, message, endpoint)


def _caller_error(response: ErrorResponse, message: str, endpoint: Endpoint, model: str) -> WriterError:
    if response.status == 401 and not endpoint.api_key:
        return NoKeyError(f"{endpoint.host} asks for a key, and none is set.", "Set OPENAI_API_KEY.")
    if response.status == 401:
        return KeyRefusedError(message, "Check OPENAI_API_KEY: it may be mistyped, expired, or another server's.")
    if response.status == 403:
        return KeyRefusedError(message, f"The key may not use '{model}' there; choose another model or key.")
    if response.status == 404:
        return UnknownModelError(message, f"Check --model ('{model}'), and --base-url or OPENAI_BASE_URL.")
    if response.status == 402 or response.code in NO_CREDIT:
        return QuotaError(message, "Add credit to the account, then run again: notes already written are kept.")
    hint = "Lower --concurrency, or run again later; notes already written are kept."
    return BusyError(message, hint, retryable=True, retry_after=response.retry_after)


def _request_error(response: ErrorResponse, message: str, endpoint: Endpoint) -> WriterError:
    words = response.message.lower()
    if response.code == "content_filter" or "content management policy" in words:
        return FilteredError(message, "The server's filter does not accept this image or record; others may pass.")
    if "api key" in words or "api_key" in words:  # some servers answer 400 where they mean 401
        if not endpoint.api_key:
            return NoKeyError(message, "Set OPENAI_API_KEY.")
        return KeyRefusedError(message, "Check OPENAI_API_KEY.")
    hint = "Another model may accept it."
    if response.status == 413 or "context" in words or "too large" in words:
        hint = "The server accepts no request of this size: use --detail low, or raise the server's limit."
    error = RequestRefusedError(message, hint)
    error.details = f"{response.message} {response.code}" if response.status != 501 else "response_format"
    return error
