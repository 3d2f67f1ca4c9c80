"""What the replies so far make of a case: a note, or a request that is still to be sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from dermnote.llm.answers import AnswerError
from dermnote.llm.request import Asking, NoteRequest
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note

from .audited_notes import Checker, contradictions, is_contradicted
from .journal import Entry, Journal, Key
from .records import Records
from .reply_cache import ReplyCache

Policy = Literal["keep", "retry", "drop"]  # with a note that its record contradicts


@dataclass(frozen=True, slots=True)
class Job:
    """A note that a language model has to write.

    Attributes:
        row: Of the case, in the cases' table.
        case_id: Its id.
        asking: What is asked.
        request: Key of its first request.
    """

    row: int
    case_id: str
    asking: Asking
    request: str

    @property
    def key(self) -> Key:
        """Where its note stands in the journal."""
        return self.case_id, self.asking.strategy.name


@dataclass(frozen=True)
class Decision:
    """The best note so far, and the request that is still to be sent, if any."""

    note: Note | None
    ask: NoteRequest | None = None


class Decisions:
    """Answers only from what is on disk, so that a run that was killed decides the same when it is started again."""

    def __init__(self, cases: Records, journal: Journal, cache: ReplyCache, checker: Checker, policy: Policy) -> None:
        self._cases, self._journal, self._cache = cases, journal, cache
        self.checker, self.policy = checker, policy

    def request(self, row: int, asking: Asking, metadata: LesionMetadata) -> NoteRequest:
        """The first request for a case."""
        return asking.about(metadata, self._cases.picture(row))

    def stays(self, entry: Entry | None, request: NoteRequest, metadata: LesionMetadata) -> bool:
        """Whether a row is what would be written today, as far as can be told without reading it."""
        if entry is None or entry.checked != self.checker.mark(metadata):
            return False
        again = "" if entry.request == request.key else replace(request, attempt=1).key
        if again and entry.request != again:
            return False
        if not entry.contradicted or self.policy == "keep":
            return True
        return self.policy == "retry" and bool(again or self._cache.get(replace(request, attempt=1).key))

    def decide(self, job: Job) -> Decision:
        """What is to be done for a job."""
        metadata = self._cases.metadata(job.row)
        request = self.request(job.row, job.asking, metadata)
        again, entry = replace(request, attempt=1), self._journal.entries.get(job.key)
        first = self._note(job, request, metadata)
        if entry is None or entry.request != again.key:  # else it was asked again before, and that was the better one
            if first is None:
                return Decision(None, request)
            if self.policy != "retry" or not is_contradicted(first):
                return Decision(first)
        second = self._note(job, again, metadata)
        best = min(filter(None, (first, second)), key=contradictions, default=None)  # of equals the first
        return Decision(best, again if second is None else None)

    def _note(self, job: Job, request: NoteRequest, metadata: LesionMetadata) -> Note | None:
        """The note that answers a request, out of the cache or, should that be gone, out of the journal."""
        answer, entry = self._cache.get(request.key), self._journal.entries.get(job.key)
        note = None
        if answer is not None:
            try:
                note = request.note(answer)
            except AnswerError:  # what was read once no longer passes: as if it had not come
                answer = None
        if answer is None and entry is not None and entry.request == request.key:
            note = self._journal.read(job.key)
        return self.checker.check(note, metadata) if note else None
