"""Where each job ends: as a row of the notes, or as one of the failures."""

from __future__ import annotations

from dermnote.errors import DermNoteError, NotesError
from dermnote.notes.schema import Note, NoteRow

from .audited_notes import is_contradicted
from .decisions import Job, Policy
from .failures import CONTRADICTED, Failures
from .journal import Journal
from .run_counts import Tally


class Recorder:
    """Writes what a run makes, and counts it.

    Args:
        journal: Takes the notes.
        failures: Takes what became no note.
        tallies: By strategy.
        policy: With "drop", a note that its record contradicts becomes a failure.
    """

    def __init__(self, journal: Journal, failures: Failures, tallies: dict[str, Tally], policy: Policy) -> None:
        self._journal, self.failures, self._tallies, self._policy = journal, failures, tallies, policy

    def write(self, job: Job, note: Note, *, asked: bool) -> None:
        """Adds a note; `asked` tells whether its reply came in this run."""
        tally = self._tallies[job.asking.strategy.name]
        if self._policy == "drop" and is_contradicted(note):
            tally.dropped += 1
            self._journal.forget(job.key)
            kinds = ", ".join((note.audit or {}).get("contradicted_kinds", ()))
            error = NotesError(f"The record contradicts the note ({kinds}).", "See it with --on-contradiction keep.")
            self.failures.add(job.case_id, job.asking.strategy.name, error, CONTRADICTED)
            return
        if self._journal.holds(job.case_id, note):  # asked once more, and no better for it
            tally.kept += 1
            return
        replaced = job.key in self._journal.entries
        self._journal.append(NoteRow(job.case_id, note))
        tally.replaced += replaced
        if asked:
            tally.asked += 1
        else:
            tally.from_cache += 1

    def fail(self, job: Job, error: DermNoteError) -> None:
        """Notes down why a job has no note."""
        self.failures.add(job.case_id, job.asking.strategy.name, error)
