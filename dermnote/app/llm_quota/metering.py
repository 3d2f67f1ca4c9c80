"""Asking a language model within a visitor's allowance: the one way through which all of the app's requests go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dermnote.app.llm_quota.visitor import current_visitor
from dermnote.llm.chat_request import LONGEST_SIDE
from dermnote.llm.prices import Estimate, estimate_sized
from dermnote.notes.note_request import RequestBuilder
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.vocabularies.vocabulary import dermoscopy

if TYPE_CHECKING:
    from dermnote.app.llm_quota.quota import Admission, Allowance
    from dermnote.llm.prices import PictureTokens
    from dermnote.metadata import LesionMetadata
    from dermnote.notes.note_request import NoteRequest
    from dermnote.notes.schema import Note
    from dermnote.notes.writing import NoteWriter

LARGEST = (LONGEST_SIDE, LONGEST_SIDE)  # a picture is cropped and made small only after its request is admitted


class MeteredWriter:
    """Stands in for a `NoteWriter` where a note is asked for, and counts what each request used.

    Args:
        writer: What asks.
        admission: Of the note.
    """

    def __init__(self, writer: NoteWriter, admission: Admission) -> None:
        self.model = writer.model
        self._writer, self._admission = writer, admission

    def write(self, request: NoteRequest, jpeg: bytes | None) -> Note:
        """As `NoteWriter.write`."""
        reply = self._admission.send(lambda may_repeat: self._writer.reply(request, jpeg, may_repeat))
        return request.note(reply.text)


@contextmanager
def metered(
    writer: NoteWriter, allowance: Allowance, strategy: Strategy, record: LesionMetadata, demographics: bool
) -> Iterator[NoteWriter | MeteredWriter]:
    """What writes one note for the visitor who is being answered.

    Raises:
        AllowanceError: Before anything is sent.
    """
    if not strategy.needs_model:
        yield writer
        return
    requests = expected(strategy, writer.model, record, demographics, allowance.price.picture)
    with allowance.admit(current_visitor(), requests) as admission:
        yield MeteredWriter(writer, admission)


def expected(
    strategy: Strategy, model: str, record: LesionMetadata, demographics: bool, picture: PictureTokens
) -> list[Estimate]:
    """What the requests of one note take, in the order of asking."""
    parts = [get_strategy(name) for name in strategy.made_of] or [strategy]
    builders = [RequestBuilder(part, model, dermoscopy(), demographics) for part in parts]
    return [estimate_sized(builder.build(record, ""), LARGEST, picture) for builder in builders]
