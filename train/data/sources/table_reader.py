"""From a code and a picture to a case, or to the reason why there is none: the last step of every module here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dermnote.images.opening import Modality

from .raw import Item, RawCase, Rejected, Source
from .skin import fitzpatrick
from .tables import Row, female_or_male, in_words, no_class, not_found, rest_of, whole_years


def by_code(codes: Mapping[str, str]) -> dict[str, str]:
    """Class by code, from the codes of each class in one line: {"melanoma": "mel, lm"} -> {"mel": "melanoma", ...}."""
    return {code: label for label, line in codes.items() for code in line.split(", ")}


def make_item(
    source: Source,
    name: str,
    *,
    code: str | None,
    label: str | None,
    picture: Path | None,
    modality: Modality,
    group: str | None = None,
    lesion_of: str | None = None,
    row: Row | None = None,
    number: int | None = None,
    used: Iterable[str] = (),
    **known: Any,
) -> Item:
    """A case; LeftOut where its code has no class; Rejected where its picture is not there.

    Args:
        source: Where it comes from.
        name: Its id within the source.
        code: The publisher's diagnosis.
        label: Our class for it, or None.
        picture: Where the picture lies, or None.
        modality: "dermoscopy" or "clinical".
        group: Patient or lesion within the source; without one the picture is a group of its own.
        lesion_of: Name of the source that named this lesion first, so that its pictures there are of the same group.
        row: Its row in the table; what is not in `used` is kept in `extra`, with the code.
        number: Which row that is.
        used: Columns of the row that are read.
        **known: What else its `RawCase` says.
    """
    case_id = f"{source.name}/{name}"
    if label is None:
        return no_class(source, case_id, code)
    if picture is None:
        return Rejected(source.name, name, number, "the picture is missing")
    return RawCase(
        case_id=case_id,
        source=source.name,
        modality=modality,
        picture=picture,
        group=f"{lesion_of or source.name}/{group or name}",
        label=label,
        row=number,
        extra={"code": code, **rest_of(row or {}, used)},
        **known,
    )


def person(
    row: Row, *, age: str = "age_approx", sex: str = "sex", site: str = "anatom_site_general", skin_type: str = ""
) -> dict[str, Any]:
    """What a row says of the patient and the place, as a `RawCase` names it; the arguments name its columns."""
    return {
        "age": whole_years(row.get(age)),
        "sex": female_or_male(row.get(sex)),
        "site": in_words(row.get(site)),
        "skin_type": fitzpatrick(row.get(skin_type)),
    }


def pictures_below(source: Source, folder: Path, pattern: str) -> Iterator[Path]:
    """Pictures in a folder that has no table, in order.

    Args:
        source: Whose folder it is.
        folder: Where to look, at any depth.
        pattern: A glob their paths end in, such as "train/*/*".

    Raises:
        CasesError: There is none.
    """
    found = sorted(path for path in folder.rglob(pattern) if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        raise not_found(source, folder)
    yield from found
