"""How many tokens a request takes, before it is sent; there is no tokeniser here, so it is counted by length."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from dermnote.errors import PictureError
from dermnote.llm.image_payload import LONGEST_SIDE
from dermnote.llm.llm_errors import Usage
from dermnote.llm.prices import PictureTokens
from dermnote.llm.request import NoteRequest
from dermnote.notes.strategies import ROLE

BYTES_A_TOKEN = 4.0  # English prose has 4 to 5
FEWEST_BYTES_A_TOKEN = 2.5  # JSON and rare words
OVERHEAD = 30  # roles, separators
USUAL_SHARE = 0.4  # of its token limit that an answer takes


@dataclass(frozen=True)
class Estimate:
    """Tokens of a request.

    Attributes:
        usual: About what to expect.
        once: What one sending takes at most, be it the repair.
        worst: What it takes at most: every answer at its limit, and one repair.
    """

    usual: Usage
    once: Usage
    worst: Usage


def estimate(request: NoteRequest, jpeg: bytes, picture: PictureTokens, *, repairs: bool = True) -> Estimate:
    """What a request takes; `jpeg` may be the stored picture, only its size is read.

    Args:
        request: What is asked.
        jpeg: The stored picture.
        picture: How the model counts pictures.
        repairs: Whether a malformed answer is sent back once.

    Raises:
        PictureError: It is damaged.
    """
    return estimate_sized(request, outgoing_size(jpeg), picture, repairs=repairs)


def estimate_sized(
    request: NoteRequest, size: tuple[int, int], picture: PictureTokens, *, repairs: bool = True
) -> Estimate:
    """The same for a picture of which only width and height are known, in pixels, as it is sent."""
    asking = request.asking
    length = len((ROLE + request.text).encode()) + len(json.dumps(asking.schema))
    seen = picture.count(size, asking.detail) if asking.strategy.uses_picture else 0
    limit = asking.prompt.max_tokens
    most = int(length / FEWEST_BYTES_A_TOKEN) + OVERHEAD + seen
    usual = Usage(int(length / BYTES_A_TOKEN) + OVERHEAD + seen, int(limit * USUAL_SHARE), 1)
    first = Usage(most, limit, 1)
    if not repairs:
        return Estimate(usual, first, first)
    repair = Usage(most + 2 * OVERHEAD + limit, limit, 1)  # all again, with the first answer
    return Estimate(usual, repair, first + repair)


def outgoing_size(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels with which a stored picture will be sent; only its header is read."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
            width, height = image.size
    except OSError as error:
        raise PictureError("A stored picture is damaged.", "Prepare the cases again.") from error
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def scaled(parts: Sequence[Usage], count: int) -> Usage:
    """The sum over `count` requests of which `parts` are a sample."""
    share = count / len(parts) if parts else 0.0
    whole = sum(parts, Usage())
    return Usage(round(whole.prompt_tokens * share), round(whole.completion_tokens * share), count)
