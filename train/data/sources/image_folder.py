"""Any folder of pictures with a table: `metadata.csv`, `.jsonl` or `.parquet` with a `file_name` column.

This is the Hugging Face imagefolder convention. Other columns, all optional: label, malignancy, subtype, description,
age, sex, site, skin_type, modality (dermoscopy | clinical; assumed clinical), split, a box around the lesion in pixels
(x0, y0, x1, y1), and what keeps pictures of one person together: patient_id, group or lesion_id.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermnote.images.opening import Box, Modality

from .raw import RawCase, Rejected, Source
from .tables import (
    SPLITS,
    Row,
    female_or_male,
    malignancy_of,
    not_found,
    number,
    read_table,
    rest_of,
    text,
    whole_years,
)

TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
SOURCE = Source(
    "imagefolder",
    "a folder of pictures",
    "other",
    "",
    f"one of {', '.join(TABLES)} with a file_name column",
)
GROUPS = ("patient_id", "group", "lesion_id")
BOX = ("x0", "y0", "x1", "y1")
USED = {
    *("file_name", "label", "malignancy", "subtype", "description", "age", "sex", "site", "skin_type", "modality"),
    *("split", *GROUPS, *BOX),
}


def read(where: str | Path, source: Source = SOURCE, modality: Modality | None = None) -> Iterator[RawCase | Rejected]:
    """Yields every row of the table; CasesError if there is none or it has no `file_name`.

    Args:
        where: The folder.
        source: What it is called.
        modality: Of the rows that do not say.
    """
    folder = Path(where)
    table = next((folder / name for name in TABLES if (folder / name).is_file()), None)
    if table is None:
        raise not_found(source, folder)
    for number_of_row, row in enumerate(read_table(table, ("file_name",)), start=1 if table.suffix != ".csv" else 2):
        try:
            yield _case(row, number_of_row, folder, source, modality)
        except ValueError as error:
            yield Rejected(source.name, str(row.get("file_name")), number_of_row, str(error))


def _case(row: Row, number_of_row: int, folder: Path, source: Source, assumed: Modality | None) -> RawCase:
    name = text(row.get("file_name"))
    if name is None:
        raise ValueError("no file_name")
    told = text(row.get("modality")) or assumed
    modality = (told or "clinical").lower()
    if modality not in ("dermoscopy", "clinical"):
        raise ValueError(f"modality '{modality}' is neither dermoscopy nor clinical")
    group = next((found for column in GROUPS if (found := text(row.get(column)))), name)
    return RawCase(
        case_id=f"{source.name}/{name}",
        source=source.name,
        modality="dermoscopy" if modality == "dermoscopy" else "clinical",
        picture=_inside(folder, name),
        group=f"{source.name}/{group}",
        label=text(row.get("label")),
        malignancy=malignancy_of(row.get("malignancy")),
        subtype=text(row.get("subtype")),
        description=text(row.get("description")),
        age=whole_years(row.get("age")),
        sex=female_or_male(row.get("sex")),
        site=text(row.get("site")),
        skin_type=text(row.get("skin_type")),
        split=_split(row),
        box=_box(row),
        row=number_of_row,
        extra=rest_of(row, USED),
        modality_told=told is not None,
    )


def _inside(folder: Path, name: str) -> Path:
    """The picture's path; ValueError if the name, or a link it follows, leads out of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("file_name leads out of the folder")
    if not path.is_file():
        raise ValueError("the picture is missing")
    return path


def _split(row: Row) -> str | None:
    found = text(row.get("split"))
    if found is not None and found.lower() not in SPLITS:
        raise ValueError(f"split '{found}' is not train, validation or test")
    return SPLITS[found.lower()] if found else None


def _box(row: Row) -> Box | None:
    values = [row.get(column) for column in BOX]
    if all(value is None for value in values):
        return None
    x0, y0, x1, y1 = (number(value) for value in values)
    if x0 is None or y0 is None or x1 is None or y1 is None or x1 <= x0 or y1 <= y0:
        raise ValueError(f"the box {values} is not x0 < x1, y0 < y1")
    return x0, y0, x1, y1
