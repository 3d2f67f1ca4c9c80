"""Strategy "mix": the closed findings and the free text of one lesion, kept only where both say the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from dermnote.audit.auditing import audit
from dermnote.audit.claims import Claim
from dermnote.errors import NotesError
from dermnote.llm.answers import describe_findings
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.notes.template import write_template
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

MIX_VERSION = "1"  # raise when the rule of what is kept changes
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[(\w])")
_NUMBER = re.compile(r"^\(?(?:\d{1,2}|[A-Ea-e])[).:]\s+")  # "2) ", "(b) ", "C: "


def mix_notes(
    closed: Note,
    free: Note,
    metadata: LesionMetadata,
    vocabulary: Vocabulary | None = None,
    *,
    demographics: bool = False,
) -> Note:
    """Joins an M+P1 and an M+P2 note of one lesion; no language model is asked.

    The note is the template's own sentence, those findings of the closed lists that the free text states too, and those
    sentences of the free text that contradict neither the closed findings nor the record.

    Args:
        closed: The M+P1 note, with findings.
        free: The M+P2 note.
        metadata: What is known of the lesion.
        vocabulary: Features and options; None is dermoscopy.
        demographics: Whether the template's sentence tells age, sex, site and skin tone.

    Raises:
        NotesError: The first note has no findings, or the metadata is empty.
    """
    if closed.findings is None:
        raise NotesError("The first note has no findings to compare.", "Mix an m+p1 note with an m+p2 note.")
    vocabulary = vocabulary or dermoscopy()
    claims = audit(free.text, metadata, closed.findings, vocabulary)
    agreed = _agreed(closed.findings, claims, vocabulary)
    record = write_template(metadata, demographics=demographics)
    kept = _sentences_without(free.text, [claim for claim in claims if claim.verdict == "contradicted"])
    versions = "\n".join((MIX_VERSION, closed.prompt_version, free.prompt_version))
    return Note(
        text=" ".join(filter(None, (record, describe_findings(agreed, vocabulary), *kept))),
        strategy="mix",
        model=closed.model if closed.model == free.model else f"{closed.model}, {free.model}",
        prompt_version=hashlib.sha256(versions.encode()).hexdigest()[:8],
        findings=agreed,
        request=hashlib.sha256(f"{closed.request}\n{free.request}".encode()).hexdigest(),
    )


def _agreed(findings: Mapping[str, Any], claims: Iterable[Claim], vocabulary: Vocabulary) -> dict[str, Any]:
    """What both notes state; a feature without any such option is left out."""
    stated = {(claim.kind, claim.value) for claim in claims if claim.polarity == "asserted"}
    agreed: dict[str, Any] = {}
    for feature in vocabulary.features:
        value = findings.get(feature.name, [])
        both = [each for each in ([value] if isinstance(value, str) else value) if (feature.claim, each) in stated]
        if both:
            agreed[feature.name] = both if feature.many else both[0]
    return agreed


def _sentences_without(text: str, claims: list[Claim]) -> list[str]:
    """The sentences of a text in which none of these claims lies; their numbering, now broken, goes too."""
    kept, start = [], 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        sentence = _NUMBER.sub("", text[start:end].strip())
        if sentence and not any(start <= claim.span[0] < end for claim in claims):
            kept.append(sentence)
        start = end
    return kept
