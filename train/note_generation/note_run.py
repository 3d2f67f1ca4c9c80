"""State of a run: cases, notes and replies so far, and the decision between a note and another request."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from tqdm.auto import tqdm

from dermnote.audit.auditing import AUDIT_VERSION
from dermnote.errors import DermNoteError, NotesError
from dermnote.llm.chat_request import jpeg_payload, payload_size
from dermnote.llm.llm_errors import AnswerError, Usage
from dermnote.llm.prices import FREE, Budget, Estimate, estimate_sized
from dermnote.llm.responses import Reply
from dermnote.metadata import LesionMetadata
from dermnote.notes.note_request import NoteRequest, RequestBuilder
from dermnote.notes.schema import Note, NoteRow
from dermnote.notes.template import has_diagnosis
from dermnote.notes.writing import NoteWriter, audited
from dermnote.vocabularies.vocabulary import Vocabulary

from ..data.cases import Cases
from .journal import Entry, Failures, Journal, Key, ReplyCache
from .run_settings import RunSettings

INCOMPLETE = 3  # exit status
CONTRADICTED = "contradicted"  # kind of failure: a note that was left out


class Records:
    """Cases as plain lists: reading single rows of a data frame is slow.

    Attributes:
        case_ids: By row.
        images: JPEG bytes by row.
    """

    def __init__(self, cases: Cases) -> None:
        self.case_ids: list[str] = cases.table["case_id"].astype(str).tolist()
        self.images: Sequence[bytes] = cases.images
        self._table = cases.table
        self._columns = {field.name: cases.table[field.name].tolist() for field in fields(LesionMetadata)}

    def __len__(self) -> int:
        return len(self.case_ids)

    def metadata(self, row: int) -> LesionMetadata:
        """Return the metadata of one case."""
        return LesionMetadata.from_mapping({name: column[row] for name, column in self._columns.items()})

    def image_sha256(self, row: int) -> str:
        """Return the digest of one case's prepared image."""
        return str(self._table["content_sha256"].iat[row])


@dataclass
class Tally:
    """Number of notes of one strategy.

    Attributes:
        kept: Rows that are up to date.
        written: Notes from replies of this run, or from the template.
        from_cache: Notes from replies of earlier runs.
        replaced: Notes that replaced an older row.
        dropped: Notes left out because their record contradicts them.
        without_metadata: Cases without the metadata that the strategy needs.
    """

    kept: int = 0
    written: int = 0
    from_cache: int = 0
    replaced: int = 0
    dropped: int = 0
    without_metadata: int = 0

    def require_metadata(self, cases: int) -> None:
        """Raise NotesError if none of the cases has metadata."""
        if self.without_metadata == cases:
            raise NotesError(f"None of the {cases} cases has metadata to write a note from.", "Strategy p3 needs none.")


@dataclass(frozen=True)
class Stop:
    """Reason for an early end of a run.

    Attributes:
        reason: One line.
        status: Exit status.
        error: Error that every other request would meet too (a rejected key, a full disk), if any.
    """

    reason: str
    status: int = INCOMPLETE
    error: DermNoteError | None = None


class Auditor:
    """Audit of notes against all metadata of their lesion, with a version of the audit's inputs."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._base = f"{AUDIT_VERSION}\n{vocabulary!r}"

    def prepare(self) -> None:
        """Load the lexicon before the first reply arrives, as loading would block the event loop."""
        self.check(Note("None.", "m"), LesionMetadata())

    def version(self, metadata: LesionMetadata) -> str:
        """Return a short hash of the audit's rules, the vocabulary and the record; with another an audit is stale."""
        record = json.dumps(metadata.to_mapping(), sort_keys=True)
        return hashlib.sha256(f"{self._base}\n{record}".encode()).hexdigest()[:8]

    def check(self, note: Note, metadata: LesionMetadata) -> Note:
        """Return the note with its audit."""
        checked = audited(replace(note, audit=None), metadata, self._vocabulary)
        return replace(checked, audit={**(checked.audit or {}), "checked": self.version(metadata)})


def is_contradicted(note: Note) -> bool:
    """Return whether the record contradicts a claim of the note."""
    return bool((note.audit or {}).get("contradicted"))


def _contradictions(note: Note) -> int:
    return int((note.audit or {}).get("counts", {}).get("contradicted", 0))


@dataclass(frozen=True, slots=True)
class Job:
    """A note to be written by a language model.

    Attributes:
        row: Row of the case.
        case_id: Id of the case.
        builder: Builder of its requests.
        request: Key of its first request.
    """

    row: int
    case_id: str
    builder: RequestBuilder
    request: str

    @property
    def key(self) -> Key:
        """Key of its note in the journal."""
        return self.case_id, self.builder.strategy.name


@dataclass(frozen=True)
class Decision:
    """The best note so far, and the request that is still to be sent, if any."""

    note: Note | None
    request: NoteRequest | None = None


class NoteRun:
    """Everything that the steps of a run share.

    Decisions depend only on files, so that a restarted run decides like the one that was killed.

    Attributes:
        settings: Command line.
        cases: Cases to write notes for.
        journal: Notes file.
        failures: File of failures.
        tallies: Counts by strategy.
        auditor: Audit of every note.
        budget: Spending limit and costs.
        cache: Replies; opened before the first request.
        usage: Tokens used by this run.
        unsent: Notes that were not requested because the run was stopped.
        seconds: Duration of the requests.
        stop: Reason for an early end; None if there is none.
    """

    cache: ReplyCache

    def __init__(self, settings: RunSettings, cases: Records, journal: Journal) -> None:
        self.settings, self.cases, self.journal = settings, cases, journal
        self.failures = Failures(settings.failures)
        self.tallies = {each.name: Tally() for each in settings.strategies}
        self.auditor = Auditor(settings.vocabulary)
        self.budget = Budget(settings.options.max_usd, settings.price, batch=settings.options.batch)
        self.usage, self.unsent, self.seconds = Usage(), 0, 0.0
        self.stop: Stop | None = None

    @property
    def writer(self) -> NoteWriter:
        """Client of the language model."""
        assert self.settings.writer is not None
        return self.settings.writer

    def request(self, job: Job) -> NoteRequest:
        """Return the first request of a job."""
        return job.builder.build(self.cases.metadata(job.row), self.cases.image_sha256(job.row))

    def payload(self, job: Job) -> bytes | None:
        """Return the image that is sent; None for a strategy without. ImageError: the image is damaged."""
        return jpeg_payload(self.cases.images[job.row]) if job.builder.strategy.uses_image else None

    def estimate(self, job: Job, request: NoteRequest) -> Estimate:
        """Return the tokens of a request; a batch has no repairs. ImageError: the image is damaged."""
        tokens, repairs = (self.settings.price or FREE).picture, not self.settings.options.batch
        return estimate_sized(request, payload_size(self.cases.images[job.row]), tokens, repairs=repairs)

    def plan(self) -> list[Job]:
        """Return the notes that are missing or out of date, and count the others.

        Raises:
            NotesError: Another model's notes would be replaced, or no case has metadata.
        """
        jobs: list[Job] = []
        others: Counter[tuple[str, str]] = Counter()
        builders = self.settings.builders
        total = len(self.cases) * len(builders)
        with tqdm(total=total, desc="looking for notes", unit="note", leave=False) as bar:
            for row, case_id in enumerate(self.cases.case_ids):
                metadata, digest = self.cases.metadata(row), self.cases.image_sha256(row)
                known = has_diagnosis(metadata)
                for builder in builders:
                    bar.update()
                    name = builder.strategy.name
                    if builder.strategy.tells and not known:
                        self.tallies[name].without_metadata += 1
                        continue
                    request, entry = builder.build(metadata, digest), self.journal.entries.get((case_id, name))
                    if self._is_current(entry, request, metadata):
                        self.tallies[name].kept += 1
                        continue
                    jobs.append(Job(row, case_id, builder, request.key))
                    if entry is not None and entry.model != builder.model:
                        others[name, entry.model] += 1
        for builder in builders:
            self.tallies[builder.strategy.name].require_metadata(len(self.cases))
        if others and not self.settings.options.replace:
            (name, model), count = next(iter(others.items()))
            found = f"{self.journal.path} holds {count:,} {name} notes by {model}"
            hint = "Name another file for --out, or add --replace."
            raise NotesError(f"{found}, and {self.writer.model} would take their place.", hint)
        return jobs

    def _is_current(self, entry: Entry | None, request: NoteRequest, metadata: LesionMetadata) -> bool:
        """Return whether a row equals what would be written now, as far as its summary tells."""
        if entry is None or entry.checked != self.auditor.version(metadata):
            return False
        policy, retried = self.settings.options.on_contradiction, entry.request != request.key
        if retried and entry.request != replace(request, attempt=1).key:
            return False
        if not entry.contradicted or policy == "keep":
            return True
        return policy == "retry" and (retried or self.cache.get(replace(request, attempt=1).key) is not None)

    def decide(self, job: Job) -> Decision:
        """Return the note of a job, or the request that it still needs."""
        metadata, request = self.cases.metadata(job.row), self.request(job)
        second, entry = replace(request, attempt=1), self.journal.entries.get(job.key)
        note = self._note(job, request, metadata)
        if entry is None or entry.request != second.key:  # else an earlier run kept the second note, the better one
            if note is None:
                return Decision(None, request)
            if self.settings.options.on_contradiction != "retry" or not is_contradicted(note):
                return Decision(note)
        second_note = self._note(job, second, metadata)
        best = min(filter(None, (note, second_note)), key=_contradictions, default=None)  # of equals the first
        return Decision(best, second if second_note is None else None)

    def _note(self, job: Job, request: NoteRequest, metadata: LesionMetadata) -> Note | None:
        """Return the note of a request from the cache or, if it is not there, from the journal."""
        answer, entry = self.cache.get(request.key), self.journal.entries.get(job.key)
        note = None
        if answer is not None:
            try:
                note = request.note(answer)
            except AnswerError:  # a cached reply that is no longer valid counts as missing
                answer = None
        if answer is None and entry is not None and entry.request == request.key:
            note = self.journal.read(job.key)
        return self.auditor.check(note, metadata) if note else None

    def store(self, request: NoteRequest, reply: Reply) -> None:
        """Cache a reply."""
        self.cache.add(request.key, reply, request.builder.strategy.name, request.builder.model)

    def record_cached(self, jobs: Sequence[Job]) -> list[Job]:
        """Write the notes whose replies are cached, and return the other jobs."""
        remaining = []
        for job in tqdm(jobs, desc="reading replies", unit="note", leave=False):
            decision = self.decide(job)
            if decision.request is None and decision.note is not None:
                self.record(job, decision.note, new=False)
            else:
                remaining.append(job)
        return remaining

    def record(self, job: Job, note: Note, *, new: bool) -> None:
        """Write a note, or a failure if contradicted notes are dropped; `new` if its reply came in this run."""
        tally = self.tallies[job.builder.strategy.name]
        if self.settings.options.on_contradiction == "drop" and is_contradicted(note):
            tally.dropped += 1
            self.journal.forget(job.key)
            kinds = ", ".join((note.audit or {}).get("contradicted_kinds", ()))
            error = NotesError(f"The record contradicts the note ({kinds}).", "See it with --on-contradiction keep.")
            self.failures.add(*job.key, error, CONTRADICTED)
        elif self.journal.holds(job.case_id, note):  # requested once more, without improvement
            tally.kept += 1
        else:
            tally.replaced += job.key in self.journal.entries
            self.journal.append(NoteRow(job.case_id, note))
            tally.written += new
            tally.from_cache += not new

    def fail(self, job: Job, error: DermNoteError) -> None:
        """Write a failure."""
        self.failures.add(*job.key, error)
