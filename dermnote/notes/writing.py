"""Writing of one audited note: by template, from a prediction, by a language model, or by mixing two notes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from dermnote.audit.auditing import audit, summarise
from dermnote.audit.claims import Claim
from dermnote.errors import NotesError
from dermnote.llm.chat_request import jpeg_payload
from dermnote.llm.client import ChatClient
from dermnote.metadata import LesionMetadata
from dermnote.models.prediction import Prediction
from dermnote.notes.answers import describe_findings
from dermnote.notes.note_request import NoteRequest, RequestBuilder
from dermnote.notes.schema import Note
from dermnote.notes.strategies import Strategy, get_strategy
from dermnote.notes.template import has_diagnosis, predicted_note, template_note, write_template
from dermnote.vocabularies.vocabulary import Vocabulary, dermoscopy

MIX_VERSION = "1"  # raise when the rule of mixing changes
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[(\w])")
_NUMBER = re.compile(r"^\(?(?:\d{1,2}|[A-Ea-e])[).:]\s+")  # "2) ", "(b) ", "C: "


class NoteWriter(ChatClient):
    """Client of a language model that writes notes (arguments: see `ChatClient`)."""

    def write(self, request: NoteRequest, jpeg: bytes | None) -> Note:
        """Send a request and return the note, without its audit (errors: see `ChatClient.ask`)."""
        return request.note(self.reply(request, jpeg).text)


def fill_note(
    metadata: LesionMetadata, guess: Callable[[], Prediction] | None = None, *, demographics: bool = False
) -> Note:
    """Return the M note; for a record without a diagnosis, the note of a predicted class if available.

    Args:
        metadata: Metadata of the lesion.
        guess: Returns the most probable class; called only if needed.
        demographics: Whether age, sex, site and skin tone are included.
    """
    if guess is None or has_diagnosis(metadata):
        note = template_note(metadata, demographics=demographics)
    else:
        best = guess()
        note = predicted_note(best.label, best.malignancy, best.probability, metadata, demographics=demographics)
    return audited(note, metadata)


def ask_for_note(
    writer: NoteWriter | None,
    strategy: Strategy,
    metadata: LesionMetadata,
    picture: Image.Image,
    *,
    demographics: bool = False,
    detail: str = "low",
    vocabulary: Vocabulary | None = None,
) -> Note:
    """Return the note of a strategy that needs a language model; "mix" requests both of its parts.

    Args:
        writer: Client; None makes one from OPENAI_API_KEY and OPENAI_BASE_URL.
        strategy: Strategy that needs a language model.
        metadata: All metadata: the strategy decides which fields are sent, the audit uses all of it.
        picture: RGB, already cropped; sent reduced in size and without metadata.
        demographics: Whether age, sex, site and skin tone are sent too.
        detail: "low" or "high".
        vocabulary: Options and classes; None is dermoscopy.

    Raises:
        NotesError: The strategy needs a diagnosis, and the record has none.
        WriterError: The request gave no note.
    """
    if strategy.tells and not has_diagnosis(metadata):
        raise NotesError(
            f"Strategy '{strategy.name}' writes from a record, and it holds no diagnosis.",
            "Give a label, subtype, malignancy or description; or use p3, which sees the picture alone.",
        )
    client, words, jpeg = writer or NoteWriter(), vocabulary or dermoscopy(), jpeg_payload(picture)
    sha256 = hashlib.sha256(jpeg).hexdigest()

    def request_note(name: str) -> Note:
        builder = RequestBuilder(get_strategy(name), client.model, words, demographics, detail)
        return client.write(builder.build(metadata, sha256), jpeg)

    if strategy.made_of:
        closed, free = map(request_note, strategy.made_of)
        return audited(mix_notes(closed, free, metadata, words, demographics=demographics), metadata, words)
    return audited(request_note(strategy.name), metadata, words)


def audited(note: Note, metadata: LesionMetadata, vocabulary: Vocabulary | None = None) -> Note:
    """Return the note with its audit against all metadata added to the entries it already has."""
    claims = audit(note, metadata, vocabulary=vocabulary)
    return replace(note, audit={**(note.audit or {}), **summarise(claims)})


def mix_notes(
    closed: Note,
    free: Note,
    metadata: LesionMetadata,
    vocabulary: Vocabulary | None = None,
    *,
    demographics: bool = False,
) -> Note:
    """Return the "mix" note of an M+P1 and an M+P2 note of one lesion, without another request.

    The note consists of the template's sentence, the findings of the closed lists that the free text states too, and
    the sentences of the free text that contradict neither the closed findings nor the record.

    Args:
        closed: M+P1 note, with findings.
        free: M+P2 note.
        metadata: Metadata of the lesion.
        vocabulary: Features and options; None is dermoscopy.
        demographics: Whether the template's sentence includes age, sex, site and skin tone.

    Raises:
        NotesError: The first note has no findings, or the metadata is empty.
    """
    if closed.findings is None:
        raise NotesError("The first note has no findings to compare.", "Mix an m+p1 note with an m+p2 note.")
    vocabulary = vocabulary or dermoscopy()
    claims = audit(free.text, metadata, closed.findings, vocabulary)
    agreed = _common_findings(closed.findings, claims, vocabulary)
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


def _common_findings(findings: Mapping[str, Any], claims: Iterable[Claim], vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the findings stated by both notes; features without any are left out."""
    stated = {(claim.kind, claim.value) for claim in claims if claim.polarity == "asserted"}
    common: dict[str, Any] = {}
    for feature in vocabulary.features:
        value = findings.get(feature.name, [])
        both = [each for each in ([value] if isinstance(value, str) else value) if (feature.claim, each) in stated]
        if both:
            common[feature.name] = both if feature.many else both[0]
    return common


def _sentences_without(text: str, claims: list[Claim]) -> list[str]:
    """Return the sentences of a text that contain none of the claims, without their numbering."""
    kept, start = [], 0
    for end in [*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)]:
        sentence = _NUMBER.sub("", text[start:end].strip())
        if sentence and not any(start <= claim.span[0] < end for claim in claims):
            kept.append(sentence)
        start = end
    return kept
