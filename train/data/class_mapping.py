"""From a source's label to a class id: eight classes, the paper-era five, or a folder's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dermnote import taxonomy
from dermnote.taxonomy import find_class

from .sources.diagnoses import subtype_of
from .sources.raw import LeftOut, RawCase

SCHEMES = ("eight", "five", "own")


def classify(case: RawCase, scheme: str) -> RawCase | LeftOut:
    """The case with the scheme's class name, and malignancy and subtype filled in from it; or why it has no class."""
    if case.label is None:
        return LeftOut(case.case_id, case.source, "no label")
    known = find_class(case.label)
    if scheme == "own":
        return replace(case, malignancy=case.malignancy or (known.malignancy if known else None))
    if known is None:
        return LeftOut(case.case_id, case.source, f"no class for '{case.label}'")
    if scheme == "five" and known not in taxonomy.FIVE:
        return LeftOut(case.case_id, case.source, f"'{known.name}' is not among the five classes")
    return replace(
        case,
        label=known.name,
        malignancy=case.malignancy or known.malignancy,
        subtype=case.subtype or subtype_of(case.label, known.name),
    )


def classnames(scheme: str, labels: Iterable[str]) -> tuple[str, ...]:
    """Class names in id order; a folder's own labels are sorted, so that ids do not depend on the order of rows."""
    return tuple(sorted(set(labels))) if scheme == "own" else taxonomy.classnames(scheme)
