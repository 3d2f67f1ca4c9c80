"""Reading a batch: pictures in, one outcome each out. What fails costs its own picture and no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dermnote.app.batch.batch_items import Item
from dermnote.app.error_messages import fault_line
from dermnote.app.input_checks import need_record
from dermnote.errors import DermNoteError
from dermnote.images.opening import DECODED_SIDE, encode_jpeg, open_picture, to_square
from dermnote.metadata import LesionMetadata

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Note, Prediction
    from dermnote.app.service import Answers
    from dermnote.models.novelty import Novelty

THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 96, 80
UNFORESEEN = "It could not be read. The log of the app says why."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes:
        name: Of its file.
        record: What the table says of it.
        predictions: Every class, the likeliest first; empty if it failed.
        novelty: How far it lies from what was trained on; None if it failed or the model does not say.
        note: Strategy M, with its audit; None if it failed.
        thumbnail: A small JPEG; None if it failed.
        error: Why it failed, one line; else empty.
    """

    name: str
    record: LesionMetadata = field(default_factory=LesionMetadata)
    predictions: Sequence[Prediction] = ()
    novelty: Novelty | None = None
    note: Note | None = None
    thumbnail: bytes | None = None
    error: str = ""


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        answers: The model.
        kind: Of picture, as the page spells it.
        demographics: Whether notes tell age, sex and place too.
    """

    answers: Answers
    kind: str
    demographics: bool

    def outcome(self, item: Item) -> Outcome:
        """Reads one picture; an error becomes its line, never an exception."""
        if item.fault:
            return Outcome(item.name, error=item.fault)
        try:
            record = need_record(item.fields)
        except DermNoteError as error:
            return Outcome(item.name, error=fault_line(error))
        try:
            return self._read(item.name, open_picture(item.read(), at_least=DECODED_SIDE), record)
        except DermNoteError as error:
            return Outcome(item.name, record, error=_of_it(fault_line(error)))
        except Exception:
            log.exception("a picture of a batch could not be read")
            return Outcome(item.name, record, error=UNFORESEEN)

    def _read(self, name: str, picture: Image, record: LesionMetadata) -> Outcome:
        read = self.answers.read(picture, self.kind)
        predictions = self.answers.predictions(read, self.kind)
        note = self.answers.note(read, self.kind, record, "m", self.demographics)
        thumbnail = encode_jpeg(to_square(picture, THUMBNAIL_SIDE), THUMBNAIL_QUALITY)
        return Outcome(name, record, predictions, self.answers.novelty(read, self.kind), note, thumbnail)


def outcomes(items: Sequence[Item], reading: Reading, turn: threading.Lock, stop: threading.Event) -> Iterator[Outcome]:
    """Reads one picture after another.

    Args:
        items: What to read.
        reading: How.
        turn: Held while a picture is read, and by nobody in between.
        stop: Once set, no further picture is begun.
    """
    for item in items:
        with turn:
            if stop.is_set():
                return
            outcome = reading.outcome(item)
        yield outcome


def _of_it(line: str) -> str:
    """The file's name stands beside the line already."""
    return f"It{line.removeprefix('the picture')}" if line.startswith("the picture") else line
