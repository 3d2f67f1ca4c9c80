"""Requests to a language model: instructions, a JSON schema and an image, as messages of the chat completions API."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from dermnote.errors import ImageError
from dermnote.images.opening import MAX_PIXELS, encode_jpeg, open_image
from dermnote.llm.llm_errors import MalformedError

Messages = list[dict[str, Any]]
LONGEST_SIDE = 512  # pixels; "low" detail sees no more, and a larger image costs more
QUALITY = 90
REPAIR = "That answer cannot be used. {problem} Answer again, with the whole JSON object and nothing else."


@dataclass(frozen=True)
class ChatRequest:
    """A request that is answered with one JSON object.

    Attributes:
        system: System message.
        text: User message, without the image.
        schema: JSON schema of the answer.
        temperature: 0 to 2.
        max_tokens: Limit of the answer's length.
        detail: Image detail, "low" or "high".
        uses_image: Whether an image is sent.
    """

    system: str
    text: str
    schema: Mapping[str, Any]
    temperature: float
    max_tokens: int
    detail: str = "low"
    uses_image: bool = True

    def parse(self, answer: str) -> str:
        """Return the checked answer as JSON; subclasses raise AnswerError if it does not match the request."""
        return answer


def request_messages(request: ChatRequest, jpeg: bytes | None) -> Messages:
    """Return the messages of a request; the image is embedded without a file name."""
    content: Messages = [{"type": "text", "text": request.text}]
    if jpeg is not None:
        url = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        content.append({"type": "image_url", "image_url": {"url": url, "detail": request.detail}})
    return [{"role": "system", "content": request.system}, {"role": "user", "content": content}]


def repair_messages(error: MalformedError) -> Messages:
    """Return the messages that ask for a corrected answer; none after an empty answer."""
    if not error.answer.strip():
        return []
    problem = REPAIR.format(problem=error.message)
    return [{"role": "assistant", "content": error.answer}, {"role": "user", "content": problem}]


def jpeg_payload(image: Image.Image | bytes) -> bytes:
    """Return the image as a newly encoded JPEG of at most 512 px a side, without EXIF, comment or thumbnail.

    Raises:
        ImageError: The bytes cannot be read as an image, or the image is not RGB.
    """
    opened = open_image(io.BytesIO(image), max_pixels=MAX_PIXELS) if isinstance(image, bytes) else image
    if opened.mode != "RGB":
        raise ImageError(f"The image is {opened.mode}, not RGB.", "Open it with dermnote.images.opening.")
    small = opened.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    small.info = {}
    return encode_jpeg(small, QUALITY)


def payload_size(jpeg: bytes) -> tuple[int, int]:
    """Return width and height in pixels of a stored image's payload; only the header is read.

    Raises:
        ImageError: The stored image is damaged.
    """
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            width, height = image.size
    except OSError as error:
        raise ImageError("A stored image is damaged.", "Prepare the cases again.") from error
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))
