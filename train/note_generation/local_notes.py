"""Notes that need no request: strategy M from metadata, and the mix of two notes that are there."""

from __future__ import annotations

from collections.abc import Callable

from tqdm.auto import tqdm

from dermnote.errors import NotesError
from dermnote.metadata import LesionMetadata
from dermnote.notes.mixing import mix_notes
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.strategies import Strategy
from dermnote.notes.template import has_diagnosis, template_note
from dermnote.vocabularies.vocabulary import Vocabulary

from .audited_notes import Checker
from .failures import Failures
from .journal import Journal, content_digest
from .note_plan import refuse_empty
from .records import Records
from .run_counts import Tally

Compose = Callable[[str, LesionMetadata], Note | None]
PART_MISSING = "part missing"


def write_filled(
    cases: Records, journal: Journal, strategy: str, compose: Compose, checker: Checker, tally: Tally
) -> None:
    """Brings the rows of a strategy up to date with what `compose` says today.

    Args:
        cases: What to write of.
        journal: Where to.
        strategy: Its name.
        compose: The note of a case, without its audit; None if there is nothing to write from.
        checker: Audits what is written.
        tally: Counts.
    """
    for row, case_id in enumerate(tqdm(cases.case_ids, desc=f"writing {strategy} notes", unit="note", leave=False)):
        metadata = cases.metadata(row)
        note = compose(case_id, metadata)
        if note is None:
            continue
        entry = journal.entries.get((case_id, strategy))
        if entry and entry.content == content_digest(note) and entry.checked == checker.mark(metadata):
            tally.kept += 1
            continue
        tally.replaced += entry is not None
        tally.asked += 1
        journal.append(NoteRow(case_id, checker.check(note, metadata)))


def refuse_blank(cases: Records, *, demographics: bool) -> None:
    """Stops a run in which the template could not fill a single note, before others are asked for; NotesError."""
    tally = Tally()
    compose = from_template(tally, demographics=demographics)
    for row, case_id in enumerate(cases.case_ids):
        if compose(case_id, cases.metadata(row)):
            return
    refuse_empty(len(cases), tally)


def from_template(tally: Tally, *, demographics: bool) -> Compose:
    """Composes M notes; cases without metadata are counted."""

    def compose(_: str, metadata: LesionMetadata) -> Note | None:
        try:
            return template_note(metadata, demographics=demographics)
        except NotesError:
            tally.without_metadata += 1
            return None

    return compose


def from_parts(
    journal: Journal,
    strategy: Strategy,
    vocabulary: Vocabulary,
    failures: Failures,
    tally: Tally,
    *,
    demographics: bool,
) -> Compose:
    """Composes mixed notes of the two that the journal holds; a missing one is a failure."""

    def compose(case_id: str, metadata: LesionMetadata) -> Note | None:
        if not has_diagnosis(metadata):
            tally.without_metadata += 1
            return None
        parts = [journal.read((case_id, name)) for name in strategy.made_of]
        try:
            return mix_notes(*_both(parts, strategy), metadata, vocabulary, demographics=demographics)
        except NotesError as error:
            failures.add(case_id, strategy.name, error, PART_MISSING)
            return None

    return compose


def _both(parts: list[Note | None], strategy: Strategy) -> tuple[Note, Note]:
    names = " and ".join(strategy.made_of)
    first, second = parts
    if first is None or second is None:
        raise NotesError(f"A {strategy.name} note is made of {names}, and one is missing.", "Run it again.")
    if first.model != second.model:
        raise NotesError(f"The notes by {names} are of two models.", "Write both with one.")
    return first, second
