"""Notes of one case under several strategies, requested in parallel."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dermnote.app.events import error_line
from dermnote.app.service import CROPPED, AppService, need_image
from dermnote.errors import DermNoteError, NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.notes.template import has_diagnosis
from dermnote.notes.writing import audited, mix_notes

if TYPE_CHECKING:
    from dermnote import Note
    from dermnote.app.service import ImageInput

PARALLEL = 3  # requests of one run under way
POLL = 0.25  # seconds between steps without a note: Gradio can stop a generator only between its steps


@dataclass(frozen=True)
class StrategyNote:
    """Result of one strategy.

    Attributes:
        strategy: Its name.
        record: The record its note was checked against.
        note: With its audit; None if it failed.
        error: Why it failed, in one line; else empty.
    """

    strategy: str
    record: LesionMetadata
    note: Note | None = None
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as endpoint and download give it: strategy, text, model, findings, audit and error, or None."""
        values = {name: getattr(self.note, name, None) for name in ("text", "model", "findings", "audit")}
        return {"strategy": self.strategy, **values, "error": self.error or None}


def write_template(service: AppService, record: LesionMetadata) -> StrategyNote:
    """Return the note of strategy "m", which sends no request."""
    return _attempt(partial(_write, service, None, CROPPED, record), "m", record)


def compare_strategies(
    service: AppService, image: ImageInput, modality: str, record: LesionMetadata, names: Sequence[str]
) -> Generator[StrategyNote | None, None, None]:
    """Write the notes of several strategies (see `write_all`); the image is used only by those that need it.

    Raises:
        DermNoteError: A strategy is unknown, or needs an image and there is none.
    """
    if any(get_strategy(name).needs_model for name in names):
        image = need_image(image)
    return write_all(partial(_write, service, image, modality, record), record, names)


def _write(service: AppService, image: ImageInput, modality: str, record: LesionMetadata, name: str) -> Note:
    strategy = get_strategy(name)
    if strategy.tells and not has_diagnosis(record):
        raise NotesError("The record holds no diagnosis and no description.", "P3 alone does without one.")
    return service.write_note(image if strategy.needs_model else None, modality, record, name, demographics=False)


def write_all(
    write: Callable[[str], Note], record: LesionMetadata, names: Sequence[str]
) -> Generator[StrategyNote | None, None, None]:
    """Yield the notes in the order in which they arrive; None after `POLL` seconds without one.

    A strategy made of others is joined from their notes, so that nothing is requested twice. Closing the iterator sends
    no further requests; those under way run to their end, as they are paid for.

    Args:
        write: Writes the note of a strategy, by name; called from several threads, with the context of this one.
        record: The record the notes are checked against.
        names: Of the strategies.
    """
    wanted = [get_strategy(name) for name in dict.fromkeys(names)]
    parts = dict.fromkeys(part for each in wanted for part in each.made_of or (each.name,))
    done: dict[str, StrategyNote] = {}
    pool = ThreadPoolExecutor(PARALLEL)
    try:
        waiting = {pool.submit(copy_context().run, _attempt, write, name, record) for name in parts}
        while waiting:
            ready, waiting = wait(waiting, POLL, FIRST_COMPLETED)
            before = set(done)
            done |= {note.strategy: note for note in (future.result() for future in ready)}
            done |= {each.name: _join(each, done, record) for each in wanted if _is_due(each, done)}
            yield from (done[each.name] for each in wanted if each.name in done.keys() - before)
            if not ready:
                yield None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _attempt(write: Callable[[str], Note], name: str, record: LesionMetadata) -> StrategyNote:
    try:
        return StrategyNote(name, record, write(name))
    except DermNoteError as error:
        return StrategyNote(name, record, error=error_line(error))


def _is_due(strategy: Strategy, done: dict[str, StrategyNote]) -> bool:
    return bool(strategy.made_of) and strategy.name not in done and all(part in done for part in strategy.made_of)


def _join(strategy: Strategy, done: dict[str, StrategyNote], record: LesionMetadata) -> StrategyNote:
    first, second = (done[name] for name in strategy.made_of)
    if first.note is None or second.note is None:
        missing = [part for part in (first, second) if part.note is None]
        names = " or ".join(part.strategy.upper() for part in missing)
        return StrategyNote(strategy.name, record, error=f"There is no note of {names} to join: {missing[0].error}")
    closed, free = first.note, second.note
    return _attempt(lambda _: audited(mix_notes(closed, free, record), record), strategy.name, record)
