"""The audit: what a note claims, and which of it the record and the findings do not support."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dermnote import taxonomy
from dermnote.audit.body_sites import place_claims
from dermnote.audit.claims import DIAGNOSIS, VERDICTS, Claim, contradicted
from dermnote.audit.demographics import person_claims
from dermnote.audit.diagnosis_claims import diagnosis_claims
from dermnote.audit.diagnosis_index import Names, names_of
from dermnote.audit.diagnosis_mentions import find_names
from dermnote.audit.feature_claims import feature_claims, find_options
from dermnote.audit.option_index import options_of
from dermnote.audit.phrases import Phrases
from dermnote.audit.polarity import read_contexts
from dermnote.audit.record_facts import Record, read_record
from dermnote.audit.sections import find_sections
from dermnote.audit.tokens import read_words
from dermnote.audit.verdicts import feature_verdict, record_verdict
from dermnote.metadata import LesionMetadata
from dermnote.notes.schema import Note
from dermnote.vocabularies.vocabulary import BUILT_IN, Vocabulary, dermoscopy

# What decides a claim: rules, tables and words. A change of any makes audits of another version.
_HERE = Path(__file__).parent
_RULES = [*_HERE.glob("*.py"), *BUILT_IN.glob("lexicon/*.py")]
_SOURCES = [*sorted(_RULES), Path(taxonomy.__file__), BUILT_IN / "dermoscopy.yaml"]
AUDIT_VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in _SOURCES)).hexdigest()[:8]


def audit(
    note: Note | str,
    metadata: LesionMetadata | Mapping[str, Any] | None,
    findings: Mapping[str, Any] | None = None,
    vocabulary: Vocabulary | None = None,
) -> list[Claim]:
    """What a note claims, each claim with its verdict; never raises on any text.

    Args:
        note: The note, or its text.
        metadata: The record; None: nothing is known, so that nothing of it can be checked.
        findings: Options by feature; the note's own where it has some.
        vocabulary: The specialty's features and classes; dermoscopy where none is given.

    Returns:
        The claims in the order of the text.
    """
    vocabulary = vocabulary or dermoscopy()
    text, own_findings = (note.text, note.findings or {}) if isinstance(note, Note) else (note, {})
    told, shown = _read(text, vocabulary)
    if metadata is not None:
        told = _judged(text, told, read_record(metadata, vocabulary), names_of(vocabulary))
    given = own_findings if findings is None else findings
    checked = [
        replace(claim, verdict=feature_verdict(claim, feature, given))
        for feature, claims in zip(vocabulary.features, shown, strict=True)
        for claim in claims
    ]
    return sorted([*told, *checked], key=lambda claim: claim.span)


def stated_diagnosis(claims: Sequence[Claim]) -> Claim | None:
    """The one diagnosis a note ends up with: its firmest conclusion, of equally firm ones the last.

    A note that asserts none may put one forward ("may represent X"): that one, if there is no second. Else None.
    """
    named = [claim for claim in claims if claim.kind == DIAGNOSIS]
    asserted = [claim for claim in named if claim.polarity == "asserted"]
    tentative = [claim for claim in named if claim.polarity == "hedged" and claim.weight]
    if not asserted and len({claim.value for claim in tentative}) == 1:
        return tentative[-1]
    return max(reversed(asserted), key=lambda claim: claim.weight, default=None)


def summarise(claims: Sequence[Claim]) -> dict[str, Any]:
    """What is stored with a note: plain JSON values, claims included."""
    stated, wrong = stated_diagnosis(claims), contradicted(claims)
    return {
        "version": AUDIT_VERSION,
        "claims": [claim.to_mapping() for claim in claims],
        "stated_class": stated.value if stated else None,
        "contradicted": bool(wrong),
        "contradicted_kinds": list(dict.fromkeys(claim.kind for claim in wrong)),
        "counts": {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS},
    }


def _read(text: str, vocabulary: Vocabulary) -> tuple[list[Claim], list[list[Claim]]]:
    """What a text claims of diagnosis and person, and of each feature, before anything is checked."""
    words, tables = read_words(text), options_of(vocabulary)
    namings = find_names(text, words, names_of(vocabulary))
    found = [find_options(words, options) for options in tables]
    named = {each.first for each in namings}.union(first for each in found for first, _, _ in each)
    contexts = read_contexts(words, named)
    malignancies = {each.name: each.malignancy for each in vocabulary.classes}
    told = diagnosis_claims(words, namings, contexts, malignancies)
    told += [*place_claims(words, contexts), *person_claims(text, words, contexts)]
    sections = find_sections(words, tables)
    headed = sorted(section for each in sections for section in each)
    shown = [feature_claims(words, contexts, *each, headed) for each in zip(tables, found, sections, strict=True)]
    return told, shown


def _judged(text: str, told: Sequence[Claim], record: Record, names: Names) -> list[Claim]:
    """The claims with their verdicts, and the record's own words where the note repeats them."""
    claims = [replace(claim, verdict=record_verdict(claim, record, names)) for claim in told]
    words = read_words(text) if record.own_words else []
    for kind, value in record.own_words:
        for first, last, _ in Phrases([(value, kind)]).find(words):
            claims.append(Claim(kind, value, (words[first].start, words[last - 1].end), "asserted", "supported"))
    return claims
