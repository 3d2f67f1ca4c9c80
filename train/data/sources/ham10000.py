"""HAM10000: dermoscopy from Vienna and Queensland, several pictures of some lesions.

Reads the publisher's layout (`HAM10000_images_part_1/`, `_part_2/` and `HAM10000_metadata`, in any of its spellings)
and a folder with `manifest_224.csv`, a table of centre crops.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .raw import LeftOut, RawCase, Rejected
from .tables import (
    Row,
    female_or_male,
    in_words,
    index_pictures,
    missing_picture,
    no_class,
    not_found,
    read_table,
    rest_of,
    text,
    whole_years,
)

TABLES = ("manifest_224.csv", "HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata")
SOURCE = source("ham10000")
LABELS = {
    "akiec": "actinic keratosis",
    "bcc": "basal cell carcinoma",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "mel": "melanoma",
    "nv": "melanocytic nevus",
    "vasc": "vascular lesion",
}
USED = {"image_id", "file", "mask", "width", "height", "lesion_id", "dx", "age", "sex", "localization"}


def read(where: str | Path) -> Iterator[RawCase | LeftOut | Rejected]:
    """Yields every row of the first table found; CasesError if there is none."""
    folder = Path(where)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        raise not_found(SOURCE, folder)
    pictures = index_pictures(folder, (".jpg", ".jpeg"))  # PNG files here are lesion masks
    for number_of_row, row in enumerate(read_table(table, ("image_id", "dx")), start=2):
        yield _case(row, number_of_row, pictures)


def _case(row: Row, number_of_row: int, pictures: dict[str, Path]) -> RawCase | LeftOut | Rejected:
    image_id, code = str(row.get("image_id")), text(row.get("dx"))
    case_id = f"{SOURCE.name}/{image_id}"
    if code not in LABELS:
        return no_class(SOURCE, case_id, code)
    picture = pictures.get(image_id.lower())
    if picture is None:
        return missing_picture(SOURCE, f"{image_id}.jpg", number_of_row)
    return RawCase(
        case_id=case_id,
        source=SOURCE.name,
        modality="dermoscopy",
        picture=picture,
        group=f"{SOURCE.name}/{row.get('lesion_id') or image_id}",
        label=LABELS[code],
        age=whole_years(row.get("age")),
        sex=female_or_male(row.get("sex")),
        site=in_words(row.get("localization")),
        # `dx_type` (how the diagnosis was made) is in the rest: only benign lesions were settled by follow-up.
        row=number_of_row,
        isic_id=image_id,
        extra={"code": code, **rest_of(row, USED)},
    )
