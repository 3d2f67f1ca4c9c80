"""What is said to a language model: the question with its picture, and what follows an answer that is of no use."""

from __future__ import annotations

import base64
from typing import Any

from dermnote.llm.llm_errors import MalformedError
from dermnote.llm.request import NoteRequest
from dermnote.notes.strategies import ROLE

Messages = list[dict[str, Any]]
REPAIR = "That answer cannot be used. {problem} Answer again, with the whole JSON object and nothing else."


def question(request: NoteRequest, jpeg: bytes | None) -> Messages:
    """The messages of a request; the picture travels inside them, without a name."""
    content: Messages = [{"type": "text", "text": request.text}]
    if jpeg is not None:
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        content.append({"type": "image_url", "image_url": {"url": url, "detail": request.asking.detail}})
    return [{"role": "system", "content": ROLE}, {"role": "user", "content": content}]


def repair(fault: MalformedError) -> Messages:
    """What is added to the question; nothing after an empty answer, where there is nothing to point at."""
    if not fault.answer.strip():
        return []
    problem = REPAIR.format(problem=fault.message)
    return [{"role": "assistant", "content": fault.answer}, {"role": "user", "content": problem}]
