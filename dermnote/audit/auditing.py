"""Audit of a note: its claims, each compared with the record and the findings."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from dermnote import taxonomy
from dermnote.audit.claims import (
    AGE,
    DIAGNOSIS,
    MALIGNANCY,
    SEX,
    SITE,
    SUBTYPE,
    VERDICTS,
    Claim,
    Verdict,
    contradicted,
    stated_diagnosis,
)
from dermnote.audit.diagnosis_claims import diagnosis_claims
from dermnote.audit.diagnosis_names import DiagnosisTable, diagnosis_table, find_mentions
from dermnote.audit.feature_claims import feature_claims, feature_tables, find_sections
from dermnote.audit.patient_claims import patient_claims, same_age, same_site, sex_of, sites_in
from dermnote.audit.polarity import read_contexts
from dermnote.audit.tokens import Phrases, tokenize
from dermnote.metadata import LesionMetadata
from dermnote.vocabularies.lexicon import FOLDER, recorded_malignancies
from dermnote.vocabularies.vocabulary import Feature, Vocabulary, dermoscopy

# Everything that decides a claim: rules, vocabulary and lexicon. A change of any makes audits of another version.
_SOURCES = (*Path(__file__).parent.glob("*.py"), *FOLDER.glob("*.py"), *FOLDER.glob("*.yaml"), Path(taxonomy.__file__))
AUDIT_VERSION = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCES))).hexdigest()[:8]
_MAX_CODE = 6  # letters; tables write codes ("MEL", "akiec") in any case


class WrittenNote(Protocol):
    """A note with its text and findings, such as `dermnote.notes.schema.Note`."""

    @property
    def text(self) -> str:
        """The note itself."""

    @property
    def findings(self) -> Mapping[str, Any] | None:
        """Options by feature, if the note has them in a fixed form."""


@dataclass(frozen=True)
class Record:
    """A record in canonical words; empty where it gives nothing.

    Attributes:
        classname: The class its label names, or the label as written where that names no known class.
        verbatim: Its label or subtype as written where the vocabulary knows neither, with the kind of claim.
        subtypes: Subtypes it names.
        subtype_classes: Classes that its subtype names ("Bowen's disease" under squamous cell carcinoma).
        malignancy: As written, else that of its class.
        sites: Body sites.
        age: Years.
        sex: "female" or "male".
    """

    classname: str = ""
    verbatim: tuple[tuple[str, str], ...] = ()
    subtypes: frozenset[str] = frozenset()
    subtype_classes: frozenset[str] = frozenset()
    malignancy: str = ""
    sites: frozenset[str] = frozenset()
    age: float | None = None
    sex: str = ""


def audit(
    note: WrittenNote | str,
    metadata: LesionMetadata | Mapping[str, Any] | None,
    findings: Mapping[str, Any] | None = None,
    vocabulary: Vocabulary | None = None,
) -> list[Claim]:
    """Return the claims of a note, each with its verdict, in the order of the text; never raises on any text.

    Args:
        note: The note, or its text.
        metadata: The record; with None no claim on the diagnosis or the patient can be checked.
        findings: Options by feature; the note's own where it has some.
        vocabulary: The specialty's features and classes; None is dermoscopy.
    """
    vocabulary = vocabulary or dermoscopy()
    text, own_findings = (note, {}) if isinstance(note, str) else (note.text, note.findings or {})
    claims, by_feature = _read_claims(text, vocabulary)
    if metadata is not None:
        claims = _check_with_record(text, claims, _read_record(metadata, vocabulary), diagnosis_table(vocabulary))
    findings = own_findings if findings is None else findings
    claims += [
        replace(claim, verdict=_feature_verdict(claim, feature, findings))
        for feature, of_feature in zip(vocabulary.features, by_feature, strict=True)
        for claim in of_feature
    ]
    return sorted(claims, key=lambda claim: claim.span)


def summarise(claims: Sequence[Claim]) -> dict[str, Any]:
    """Return the audit as it is stored with a note: plain JSON values, claims included."""
    stated, wrong = stated_diagnosis(claims), contradicted(claims)
    return {
        "version": AUDIT_VERSION,
        "claims": [claim.to_mapping() for claim in claims],
        "stated_class": stated.value if stated else None,
        "contradicted": bool(wrong),
        "contradicted_kinds": list(dict.fromkeys(claim.kind for claim in wrong)),
        "counts": {verdict: sum(claim.verdict == verdict for claim in claims) for verdict in VERDICTS},
    }


def _read_claims(text: str, vocabulary: Vocabulary) -> tuple[list[Claim], list[list[Claim]]]:
    """Return the claims on diagnosis and patient, and those of each feature, before any is checked."""
    tokens, tables = tokenize(text), feature_tables(vocabulary)
    mentions = find_mentions(text, tokens, diagnosis_table(vocabulary))
    found = [table.find(tokens) for table in tables]
    named = {each.first for each in mentions}.union(first for each in found for first, _, _ in each)
    contexts = read_contexts(tokens, named)
    malignancies = {each.name: each.malignancy for each in vocabulary.classes}
    claims = diagnosis_claims(tokens, mentions, contexts, malignancies)
    claims += patient_claims(text, tokens, contexts)
    sections = find_sections(tokens, tables)
    all_sections = sorted(section for each in sections for section in each)
    of_features = [
        feature_claims(tokens, contexts, *each, all_sections) for each in zip(tables, found, sections, strict=True)
    ]
    return claims, of_features


def _check_with_record(text: str, claims: Sequence[Claim], record: Record, table: DiagnosisTable) -> list[Claim]:
    """Return the claims with their verdicts, and one for each repetition of the record's verbatim words."""
    checked = [replace(claim, verdict=_record_verdict(claim, record, table)) for claim in claims]
    tokens = tokenize(text) if record.verbatim else []
    for kind, value in record.verbatim:
        for first, last, _ in Phrases([(value, kind)]).find(tokens):
            checked.append(Claim(kind, value, (tokens[first].start, tokens[last - 1].end), "asserted", "supported"))
    return checked


def _read_record(metadata: LesionMetadata | Mapping[str, Any], vocabulary: Vocabulary) -> Record:
    """Return the record; values in unknown words are kept verbatim, or count as missing."""
    known = metadata if isinstance(metadata, LesionMetadata) else _from_mapping(metadata)
    record = _diagnosis_record(known.label or "", known.subtype or "", known.malignancy or "", vocabulary)
    age = known.age if known.age is not None and math.isfinite(known.age) and known.age >= 0 else None
    sites = sites_in(known.site.replace("_", " ")) if known.site else frozenset[str]()
    return replace(record, sites=sites, age=age, sex=sex_of(known.sex or ""))


def _from_mapping(row: Mapping[str, Any]) -> LesionMetadata:
    try:
        return LesionMetadata.from_mapping(row)
    except (TypeError, ValueError):  # an age that is no number
        return LesionMetadata.from_mapping({**row, "age": None})


@lru_cache(maxsize=4096)
def _diagnosis_record(label: str, subtype: str, malignancy: str, vocabulary: Vocabulary) -> Record:
    """Return the record's fields on the diagnosis; many records share them."""
    label_classes, label_subtypes = _names_in(label.upper() if len(label) <= _MAX_CODE else label, vocabulary)
    subtype_classes, subtypes = _names_in(subtype, vocabulary)
    joint = _names_in(f"{subtype} {label}", vocabulary)[1] if not subtypes and subtype else frozenset[str]()
    classname = next(iter(label_classes)) if len(label_classes) == 1 else label.strip().lower()
    if not label and len(subtype_classes) == 1:
        classname = next(iter(subtype_classes))
    verbatim = [(DIAGNOSIS, label.strip())] if label.strip() and not label_classes else []
    verbatim += [(SUBTYPE, subtype.strip())] if subtype.strip() and not (subtype_classes or joint) else []
    written = recorded_malignancies().get(malignancy.strip().lower(), "")
    of_class = next((each.malignancy for each in vocabulary.classes if each.name == classname), "")
    return Record(classname, tuple(verbatim), label_subtypes | subtypes | joint, subtype_classes, written or of_class)


def _names_in(cell: str, vocabulary: Vocabulary) -> tuple[frozenset[str], frozenset[str]]:
    """Return the classes and subtypes that a table's cell names."""
    mentions = find_mentions(cell, tokenize(cell), diagnosis_table(vocabulary))
    mentions = [each for each in mentions if each.name.classname]
    subtypes = frozenset(subtype.name for each in mentions for subtype in each.subtypes)
    return frozenset(each.name.classname for each in mentions), subtypes


def _verdict(claim: Claim, same: bool, *, exclusive: bool = True) -> Verdict:
    """Return the verdict on a claim by its polarity.

    Args:
        claim: The claim.
        same: Whether its value is the record's.
        exclusive: Whether another value excludes the record's; else asserting it is unsupported.
    """
    if claim.polarity == "denied":
        return "contradicted" if same else "supported"
    if same:
        return "supported"
    return "contradicted" if claim.polarity == "asserted" and exclusive else "unsupported"


def _record_verdict(claim: Claim, record: Record, table: DiagnosisTable) -> Verdict:
    """Return the verdict on a claim of diagnosis, subtype, malignancy, site, age or sex."""
    kind, value = claim.kind, claim.value
    if kind == DIAGNOSIS:
        return _verdict(claim, _same_diagnosis(claim, record)) if record.classname else "not checkable"
    if kind == MALIGNANCY:
        return _verdict(claim, value == record.malignancy) if record.malignancy else "not checkable"
    if kind == SUBTYPE:
        return _subtype_verdict(claim, record, table)
    if kind == AGE and record.age is not None:
        return _verdict(claim, same_age(value, record.age))
    if kind == SEX and record.sex:
        return _verdict(claim, value == record.sex)
    if kind == SITE and record.sites:
        return _verdict(claim, any(same_site(value, site) for site in record.sites))
    return "unsupported"


def _feature_verdict(claim: Claim, feature: Feature, findings: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a claim of a feature, against findings such as {"border": "mixed", "colours": ["red"]}."""
    listed = findings.get(feature.name)
    if isinstance(listed, str):
        return _verdict(claim, claim.value == listed)
    if isinstance(listed, list | tuple | set | frozenset):
        return _verdict(claim, claim.value in listed)
    return "not checkable"


def _same_diagnosis(claim: Claim, record: Record) -> bool:
    """Return whether a claim names the record's class, or one that its subtype belongs to."""
    own = claim.value == record.classname or claim.value.lower() == record.classname
    return own or claim.value in record.subtype_classes or bool(record.subtypes & set(claim.subtypes))


def _subtype_verdict(claim: Claim, record: Record, table: DiagnosisTable) -> Verdict:
    if claim.value in record.subtypes or (SUBTYPE, claim.value) in record.verbatim:
        return _verdict(claim, True)
    if not record.subtypes or claim.value not in table.subtypes:
        return "unsupported"
    claimed = table.subtypes[claim.value]
    recorded = [table.subtypes[name] for name in record.subtypes if name in table.subtypes]
    exclusive = any(
        each.classname != claimed.classname or (each.axis == claimed.axis and bool(claimed.axis)) for each in recorded
    )
    return _verdict(claim, False, exclusive=exclusive)
