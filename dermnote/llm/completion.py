"""Reading a chat completion: the answer in it, what it cost, or why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dermnote.llm.answers import AnswerError, read_answer
from dermnote.llm.endpoint import Endpoint
from dermnote.llm.llm_errors import (
    CutOffError,
    FilteredError,
    MalformedError,
    NotAnApiError,
    RefusalError,
    Usage,
    WriterError,
)
from dermnote.llm.request import NoteRequest
from dermnote.llm.status_errors import CHECK_ADDRESS, Said, one_line, status_fault


@dataclass(frozen=True)
class Reply:
    """A language model's answer to one request.

    Attributes:
        text: The answer as JSON, checked against what was asked.
        usage: Of all requests it took, repairs included.
        served_by: The model's name as the server gives it.
    """

    text: str
    usage: Usage
    served_by: str


def read_completion(completion: Any, request: NoteRequest, endpoint: Endpoint) -> Reply:
    """Reads a completion's body.

    Raises:
        NotAnApiError: It is no completion.
        RefusalError: The model refuses.
        FilteredError: The server's filter withheld the answer.
        CutOffError: The token limit was reached before the answer's end.
        MalformedError: There is no answer, or not what was asked for.
        WriterError: It is an error sent with status 200, as gateways do.
    """
    model = request.asking.model
    if not isinstance(completion, Mapping) or not isinstance(completion.get("choices"), list):
        raise _no_completion(completion, endpoint, model)
    usage = usage_of(completion.get("usage"))
    choice = as_mapping(next(iter(completion["choices"]), None))
    message = as_mapping(choice.get("message"))
    ended = choice.get("finish_reason")
    if refusal := message.get("refusal"):
        raise RefusalError(f"The model refuses: {one_line(str(refusal))}", "Another model may answer.", usage=usage)
    if ended == "content_filter":
        raise FilteredError(
            f"{endpoint.host} withheld the answer by its content filter.", "Another model may answer.", usage=usage
        )
    text = text_of(message.get("content"))
    try:
        answer = read_answer(text, request.asking.prompt, request.asking.vocabulary)
    except AnswerError as error:
        raise _unread(text, error, ended, usage, request) from None
    served_by = completion.get("model")
    # "</" escaped, as JSON allows: a text that holds the end of a thought would be cut there when it is read again
    kept = json.dumps(answer, ensure_ascii=False).replace("</", "<\\/")
    return Reply(kept, usage, served_by if isinstance(served_by, str) else model)


def _unread(text: str, error: AnswerError, ended: Any, usage: Usage, request: NoteRequest) -> WriterError:
    if ended == "length":
        return CutOffError(
            f"The answer reached its limit of {request.asking.prompt.max_tokens} tokens before its end.",
            "Use a model that answers at once: one that thinks first spends the limit on its thoughts.",
            usage=usage,
        )
    problem = one_line(error.message) if text.strip() else "The answer is empty."
    fault = MalformedError(problem, "A model that follows a JSON schema does better.", usage=usage)
    fault.answer = text
    return fault


def _no_completion(body: Any, endpoint: Endpoint, model: str) -> WriterError:
    error = body.get("error") if isinstance(body, Mapping) else None
    if not error:
        return NotAnApiError(f"{endpoint.host} answered with something that is no chat completion.", CHECK_ADDRESS)
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return status_fault(Said.of(status, error, endpoint), endpoint, model)


def usage_of(counted: Any) -> Usage:
    """The tokens of one request as its server counts them; 0 where it does not."""
    numbers = as_mapping(counted)
    prompt, answer = (numbers.get(name) for name in ("prompt_tokens", "completion_tokens"))
    return Usage(prompt if isinstance(prompt, int) else 0, answer if isinstance(answer, int) else 0, 1)


def text_of(content: Any) -> str:
    """A message's content as one text."""
    if isinstance(content, list):  # some servers answer in parts
        content = "".join(str(as_mapping(part).get("text") or "") for part in content)
    return content if isinstance(content, str) else ""


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A stranger's value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}
