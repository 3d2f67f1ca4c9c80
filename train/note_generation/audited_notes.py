"""The audit of a note as it is stored: with a mark of what it was made with and against."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from dermnote.audit.auditing import AUDIT_VERSION
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.writing import audited
from dermnote.vocabularies.vocabulary import Vocabulary


class Checker:
    """Audits notes against all that is known of their lesions, also what their writer was not told."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._base = f"{AUDIT_VERSION}\n{vocabulary!r}"

    def prepare(self) -> None:
        """Does now what the first audit would do: reading the lexicon, a moment in which no reply would be taken."""
        self.check(Note("None.", "m"), LesionMetadata())

    def mark(self, metadata: LesionMetadata) -> str:
        """Short hash of the audit's rules, the vocabulary and the record: with another one the audit is out of date."""
        record = json.dumps(metadata.to_mapping(), sort_keys=True)
        return hashlib.sha256(f"{self._base}\n{record}".encode()).hexdigest()[:8]

    def check(self, note: Note, metadata: LesionMetadata) -> Note:
        """The note with its audit."""
        checked = audited(replace(note, audit=None), metadata, self._vocabulary)
        return replace(checked, audit={**(checked.audit or {}), "checked": self.mark(metadata)})


def is_contradicted(note: Note) -> bool:
    """Whether the record contradicts anything the note claims."""
    return bool((note.audit or {}).get("contradicted"))


def contradictions(note: Note) -> int:
    """How many of its claims the record contradicts."""
    counts = (note.audit or {}).get("counts", {})
    return int(counts.get("contradicted", 0))
