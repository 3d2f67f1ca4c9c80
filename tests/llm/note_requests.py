"""Note requests for tests, and ways to send them."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable
from typing import Any

from PIL import Image

from dermnote.llm.chat_request import jpeg_payload
from dermnote.llm.responses import Reply
from dermnote.metadata import LesionMetadata
from dermnote.notes.note_request import NoteRequest, RequestBuilder
from dermnote.notes.strategies import get_strategy
from dermnote.notes.writing import NoteWriter
from dermnote.vocabularies.vocabulary import dermoscopy

MELANOMA = LesionMetadata(label="melanoma", malignancy="malignant", age=57.0, sex="female", site="back")


def small_jpeg(colour: str = "peru", size: tuple[int, int] = (48, 40)) -> bytes:
    return jpeg_payload(Image.new("RGB", size, colour))


def request_for(strategy: str = "m+p1", metadata: LesionMetadata = MELANOMA, **options: Any) -> NoteRequest:
    builder = RequestBuilder(get_strategy(strategy), options.pop("model", "note-writer"), dermoscopy(), **options)
    return builder.build(metadata, hashlib.sha256(small_jpeg()).hexdigest())


def answer_to(writer: NoteWriter, request: NoteRequest | None = None, *, picture: bool = True) -> Reply:
    """Sends a request, and closes the client."""
    (reply,) = all_at_once(writer, 1, request, picture=picture)
    if isinstance(reply, BaseException):
        raise reply
    return reply


def all_at_once(
    writer: NoteWriter, many: int, request: NoteRequest | None = None, *, picture: bool = True
) -> list[Reply | BaseException]:
    """Sends a request many times at once; the results include errors."""

    async def send() -> list[Reply | BaseException]:
        jpeg = small_jpeg() if picture else None
        try:
            jobs = [writer.ask(request or request_for(), jpeg) for _ in range(many)]
            return await asyncio.gather(*jobs, return_exceptions=True)
        finally:
            await writer.aclose()

    return asyncio.run(send())


def image_with_exif(save: Callable[[Image.Image, io.BytesIO, Image.Exif], None]) -> bytes:
    """Returns an encoded image with a name in its EXIF."""
    exif = Image.Exif()
    exif[0x010E] = "Patient-Marker-Miller"  # ImageDescription
    exif[0x013B] = "Artist-Marker"
    buffer = io.BytesIO()
    save(Image.effect_noise((900, 600), 40).convert("RGB"), buffer, exif)
    return buffer.getvalue()
