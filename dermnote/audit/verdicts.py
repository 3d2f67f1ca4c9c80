"""What the record and the findings say to a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dermnote.audit.body_sites import compatible
from dermnote.audit.claims import AGE, DIAGNOSIS, MALIGNANCY, SEX, SITE, SUBTYPE, Claim, Verdict
from dermnote.audit.demographics import same_age
from dermnote.audit.diagnosis_index import Names
from dermnote.audit.record_facts import Record
from dermnote.vocabularies.vocabulary import Feature


def judge(claim: Claim, same: bool | None, *, clashes: bool = True) -> Verdict:
    """The verdict on a claim, given whether the record says the same (None: it says nothing).

    Args:
        claim: The claim; its polarity decides.
        same: Whether its value is the record's.
        clashes: Whether another value excludes the record's; else asserting it is an invention.
    """
    if same is None:
        return "not checkable"
    if claim.polarity == "denied":
        return "contradicted" if same else "supported"
    if same:
        return "supported"
    return "contradicted" if claim.polarity == "asserted" and clashes else "unsupported"


def record_verdict(claim: Claim, record: Record, names: Names) -> Verdict:
    """The verdict on a claim of diagnosis, subtype, malignancy, site, age or sex."""
    if claim.kind == DIAGNOSIS:
        return judge(claim, _same_diagnosis(claim, record) if record.classname else None)
    if claim.kind == MALIGNANCY:
        return judge(claim, claim.value == record.malignancy if record.malignancy else None)
    if claim.kind == SUBTYPE:
        return _subtype_verdict(claim, record, names)
    same = _same_person(claim, record)
    return "unsupported" if same is None else judge(claim, same)


def feature_verdict(claim: Claim, feature: Feature, findings: Mapping[str, Any]) -> Verdict:
    """The verdict on a claim of a feature, against findings such as {"border": "mixed", "colours": ["red"]}."""
    listed = findings.get(feature.name)
    if isinstance(listed, str):
        return judge(claim, claim.value == listed)
    if isinstance(listed, list | tuple | set | frozenset):
        return judge(claim, claim.value in listed)
    return "not checkable"


def _same_diagnosis(claim: Claim, record: Record) -> bool:
    """The record's class, or a class it files its own subtype under."""
    own = claim.value == record.classname or claim.value.lower() == record.classname
    return own or claim.value in record.kind_classes or bool(record.kinds & set(claim.subtypes))


def _subtype_verdict(claim: Claim, record: Record, names: Names) -> Verdict:
    if claim.value in record.kinds or ("subtype", claim.value) in record.own_words:
        return judge(claim, True)
    if not record.kinds or claim.value not in names.kinds:
        return "unsupported"
    kind, known = names.kinds[claim.value], [names.kinds[value] for value in record.kinds if value in names.kinds]
    exclude = any(each.classname != kind.classname or (each.axis == kind.axis and bool(kind.axis)) for each in known)
    return judge(claim, False, clashes=exclude)


def _same_person(claim: Claim, record: Record) -> bool | None:
    if claim.kind == AGE:
        return None if record.age is None else same_age(claim.value, record.age)
    if claim.kind == SEX:
        return claim.value == record.sex if record.sex else None
    if claim.kind == SITE and record.places:
        return any(compatible(claim.value, place) for place in record.places)
    return None
