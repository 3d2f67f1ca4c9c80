"""PAD-UFES-20: smartphone photos from Brazil, with the patient known.

Reads the publisher's layout (`images/imgs_part_*/PAT_*.png`, `metadata.csv`) and a folder whose `images/` holds JPEG.

The label leaks through this table. `biopsed` does so by its value. Sex, skin type, diameters and history do so by being
there at all: they are missing in 84% of the rows without a biopsy and in none with one, and cancers are biopsied. So
all of them go to `extra`, which no model sees; only what every row has (age, region) becomes a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .raw import LeftOut, RawCase, Rejected
from .tables import (
    Row,
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

SOURCE = source("pad_ufes_20")
LABELS = {
    "ACK": "actinic keratosis",
    "BCC": "basal cell carcinoma",
    "MEL": "melanoma",
    "NEV": "melanocytic nevus",
    "SCC": "squamous cell carcinoma",  # the publisher counts Bowen's disease here
    "SEK": "benign keratosis",
}
SUBTYPES = {"SEK": "seborrheic keratosis"}
USED = {"img_id", "diagnostic", "patient_id", "age", "region"}


def read(where: str | Path) -> Iterator[RawCase | LeftOut | Rejected]:
    """Yields every row of the table; CasesError if it is not there."""
    folder = Path(where)
    table = folder / "metadata.csv"
    if not table.is_file():
        raise not_found(SOURCE, folder)
    rows = read_table(table, ("img_id", "diagnostic"))
    images = folder / "images" if (folder / "images").is_dir() else folder
    pictures = index_pictures(images)
    partial = _listed(folder)
    for number_of_row, row in enumerate(rows, start=2):
        if partial is None or row.get("img_id") in partial:
            yield _case(row, number_of_row, pictures)
        else:
            yield LeftOut(f"{SOURCE.name}/{row.get('img_id')}", SOURCE.name, "not among the pictures of this copy")


def _listed(folder: Path) -> set[str] | None:
    """The ids a `manifest.csv` lists, where a copy holds only part of the pictures and says which."""
    manifest = folder / "manifest.csv"
    return {str(row["img_id"]) for row in read_table(manifest, ("img_id",))} if manifest.is_file() else None


def _case(row: Row, number_of_row: int, pictures: dict[str, Path]) -> RawCase | LeftOut | Rejected:
    image, code = str(row.get("img_id")), text(row.get("diagnostic"))
    stem = image.rsplit(".", 1)[0]
    case_id = f"{SOURCE.name}/{stem}"
    if code not in LABELS:
        return no_class(SOURCE, case_id, code)
    picture = pictures.get(stem.lower())
    if picture is None:
        return missing_picture(SOURCE, image, number_of_row)
    return RawCase(
        case_id=case_id,
        source=SOURCE.name,
        modality="clinical",
        picture=picture,
        group=f"{SOURCE.name}/{row.get('patient_id') or stem}",
        label=LABELS[code],
        subtype=SUBTYPES.get(code),
        age=whole_years(row.get("age")),
        site=in_words(row.get("region")),
        row=number_of_row,
        extra={"code": code, **rest_of(row, USED)},
    )
