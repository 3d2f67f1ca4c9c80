"""One case under several strategies: the requests side by side, each outcome by itself."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dermnote.app.error_messages import fault_line
from dermnote.app.input_checks import need_picture, record_of
from dermnote.app.service import CROPPED, Answers
from dermnote.errors import DermNoteError, NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.notes.template import has_diagnosis
from dermnote.notes.writing import audited, mix_notes

if TYPE_CHECKING:
    from PIL.Image import Image

    from dermnote import Note

SIDE_BY_SIDE = 3  # requests of one press under way
LOOK_UP = 0.25  # seconds after which who waits may stop waiting: Gradio can end a generator only between its steps


@dataclass(frozen=True)
class Outcome:
    """What came of one strategy.

    Attributes:
        strategy: Its name.
        record: What its note was held against.
        note: With its audit; None if there is none.
        error: Why there is none, in one line.
    """

    strategy: str
    record: LesionMetadata
    note: Note | None = None
    error: str = ""

    def plain(self) -> dict[str, Any]:
        """As endpoint and download give it: strategy, text, model, findings, audit, error; None where there is none."""
        told = {name: getattr(self.note, name, None) for name in ("text", "model", "findings", "audit")}
        return {"strategy": self.strategy, **told, "error": self.error or None}


Write = Callable[[str], "Note"]  # the note of a strategy, by its name


def outcomes(write: Write, record: LesionMetadata, names: Sequence[str]) -> Generator[Outcome | None, None, None]:
    """The outcomes in the order in which they come; None where a moment passed without one.

    A strategy made of others is joined from their notes, so that nothing is asked twice. Closing the iterator sends
    nothing further; what is under way runs to its end, as it is paid for.

    Args:
        write: Writes one note; called from several threads, each with the context of this one.
        record: What the notes are held against.
        names: Of the strategies wanted.
    """
    wanted = [get_strategy(name) for name in dict.fromkeys(names)]
    asked = dict.fromkeys(part for each in wanted for part in each.made_of or (each.name,))
    done: dict[str, Outcome] = {}
    pool = ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        waiting = {pool.submit(copy_context().run, _attempt, write, name, record) for name in asked}
        while waiting:
            ready, waiting = wait(waiting, LOOK_UP, FIRST_COMPLETED)
            before = set(done)
            done |= {outcome.strategy: outcome for outcome in (future.result() for future in ready)}
            done |= {each.name: _joined(each, done, record) for each in wanted if _is_due(each, done)}
            yield from (done[each.name] for each in wanted if each.name in done.keys() - before)
            if not ready:
                yield None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _attempt(write: Write, name: str, record: LesionMetadata) -> Outcome:
    try:
        return Outcome(name, record, write(name))
    except DermNoteError as error:
        return Outcome(name, record, error=fault_line(error))


def _is_due(strategy: Strategy, done: dict[str, Outcome]) -> bool:
    return bool(strategy.made_of) and strategy.name not in done and all(part in done for part in strategy.made_of)


def _joined(strategy: Strategy, done: dict[str, Outcome], record: LesionMetadata) -> Outcome:
    parts = [done[name] for name in strategy.made_of]
    missing = [part.strategy.upper() for part in parts if part.note is None]
    if missing:
        reason = next(part.error for part in parts if part.note is None)
        return Outcome(strategy.name, record, error=f"There is no note of {' or '.join(missing)} to join: {reason}")
    notes = [part.note for part in parts]
    return _attempt(lambda _: audited(mix_notes(*notes, record), record), strategy.name, record)


class Comparing:
    """Notes of one case under several strategies.

    Args:
        answers: What writes them.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def template(self, record: LesionMetadata) -> Outcome:
        """What comes of "m", which asks nobody."""
        return _attempt(partial(self._write, None, CROPPED, record), "m", record)

    def outcomes(
        self, picture: Image | None, modality: str, record: LesionMetadata, names: Sequence[str]
    ) -> Generator[Outcome | None, None, None]:
        """See `outcomes`; the picture goes to the strategies that look at it, and to no other.

        Raises:
            DermNoteError: A strategy is unknown, or looks at a picture that is not there.
        """
        if any(get_strategy(name).needs_model for name in names):
            picture = need_picture(picture)

        return outcomes(partial(self._write, picture, modality, record), record, names)

    def _write(self, picture: Image | None, modality: str, record: LesionMetadata, name: str) -> Note:
        strategy = get_strategy(name)
        if strategy.tells and not has_diagnosis(record):
            raise NotesError("The record holds no diagnosis and no description.", "P3 alone does without one.")
        shown = picture if strategy.needs_model else None
        return self.answers.note(shown, modality, record, name, demographics=False)

    def compare(
        self,
        picture: Image | None = None,
        modality: str = "dermoscopy",
        label: str | None = None,
        subtype: str = "",
        malignancy: str | None = None,
        description: str = "",
        age: str = "",
        sex: str | None = None,
        site: str = "",
        strategies: list[str] | None = None,
    ) -> list[dict[str, Any]]:
        """Writes notes of one lesion by several strategies, and checks each. Research use only, never a diagnosis.

        Strategy "m" fills a template, and nothing leaves this app. The others send the picture to the language model
        this app is set up with, one request each: "m+p1" (closed option lists) and "m+p2" (free text on four points)
        send the diagnosis, subtype, malignancy and description too, "p3" sends the picture alone. "mix" joins m+p1 and
        m+p2, and asks for them if need be. Age, sex and site only serve to check the notes, and are sent nowhere.

        Args:
            picture: A picture of one lesion; "m" does not look at it.
            modality: "dermoscopy", "clinical", or "cropped" if the picture already shows little but the lesion.
            label: Diagnostic class, one the model knows.
            subtype: Finer diagnosis.
            malignancy: "benign", "pre-cancerous" or "malignant".
            description: Findings in free words.
            age: Years.
            sex: "female" or "male".
            site: Place on the body.
            strategies: Any of "m", "m+p1", "m+p2", "p3" and "mix"; "m" alone if none is named.

        Returns:
            One entry a strategy, in the order asked for: strategy, text, model, findings, audit (the claims of the
            note, each with its verdict) and error (one line; the others stay).
        """
        names = [get_strategy(name).name for name in strategies or ["m"]]
        record = record_of(label, subtype, malignancy, description, age, sex, site)
        found = {each.strategy: each for each in self.outcomes(picture, modality, record, names) if each is not None}
        return [found[name].plain() for name in dict.fromkeys(names)]
