"""ISIC 2017 challenge, part 3: dermoscopy of melanoma, seborrheic keratosis and nevus, with official splits.

Reads the publisher's layout (`ISIC-2017_Training_Data/`, `_Validation_Data/`, `_Test_v2_Data/` and their tables) and
one joined `metadata.csv` of pictures squashed to a square, whose true shape stands in `orig_width` and `orig_height`.
Neither patient nor lesion is known, so each picture is a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .raw import LeftOut, RawCase, Rejected
from .tables import (
    Row,
    female_or_male,
    index_pictures,
    missing_picture,
    no_class,
    not_found,
    number,
    official_split,
    read_table,
    rest_of,
    whole_years,
)

SOURCE = source("isic2017")
TRUTH = ("melanoma", "seborrheic_keratosis")
PARTS = {"Training": "train", "Validation": "validation", "Test_v2": "test"}
USED = {
    *("image_id", "file", "mask", "width", "height", "orig_width", "orig_height", "melanoma", "seborrheic_keratosis"),
    *("split", "age_approximate", "sex", "diagnosis"),
}


def read(where: str | Path) -> Iterator[RawCase | LeftOut | Rejected]:
    """Yields every row of the tables found; CasesError if there are none."""
    folder = Path(where)
    joined = folder / "metadata.csv"
    rows = read_table(joined, ("image_id", *TRUTH)) if joined.is_file() else _published(folder)
    pictures = index_pictures(folder, (".jpg", ".jpeg"))  # PNG files here are lesion masks and superpixels
    for number_of_row, row in enumerate(rows, start=2):
        yield _case(row, number_of_row, pictures)


def _published(folder: Path) -> list[Row]:
    rows: list[Row] = []
    for part, split in PARTS.items():
        truth = next(iter(sorted(folder.rglob(f"ISIC-2017_{part}_Part3_GroundTruth.csv"))), None)
        if truth is None:
            continue
        table = next(iter(sorted(folder.rglob(f"ISIC-2017_{part}_Data_metadata.csv"))), None)
        known = {row["image_id"]: row for row in read_table(table, ("image_id",))} if table else {}
        rows += [
            {**known.get(row["image_id"], {}), **row, "split": split} for row in read_table(truth, ("image_id", *TRUTH))
        ]
    if not rows:
        raise not_found(SOURCE, folder)
    return rows


def _case(row: Row, number_of_row: int, pictures: dict[str, Path]) -> RawCase | LeftOut | Rejected:
    image_id = str(row.get("image_id"))
    case_id = f"{SOURCE.name}/{image_id}"
    melanoma, keratosis = number(row.get("melanoma")), number(row.get("seborrheic_keratosis"))
    if melanoma is None or keratosis is None or melanoma + keratosis > 1:
        return no_class(SOURCE, case_id, None)
    picture = pictures.get(image_id.lower())
    if picture is None:
        return missing_picture(SOURCE, f"{image_id}.jpg", number_of_row)
    width, height = number(row.get("orig_width")), number(row.get("orig_height"))
    return RawCase(
        case_id=case_id,
        source=SOURCE.name,
        modality="dermoscopy",
        picture=picture,
        group=f"{SOURCE.name}/{image_id}",
        label="melanoma" if melanoma else "benign keratosis" if keratosis else "melanocytic nevus",
        subtype="seborrheic keratosis" if keratosis else None,
        age=whole_years(row.get("age_approximate")),
        sex=female_or_male(row.get("sex")),
        split=official_split(row.get("split")),
        row=number_of_row,
        isic_id=image_id,
        # A joined copy may bring a body site: present for 4 nevi in 10, missing for 99% of keratoses. It stays here.
        extra=rest_of(row, USED),
        aspect=width / height if width and height else None,
    )
