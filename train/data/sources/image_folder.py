"""Any folder of images with a table: `metadata.csv`, `.jsonl` or `.parquet` with a `file_name` column.

This is the Hugging Face imagefolder convention. Other columns, all optional: label, malignancy, subtype, description,
age, sex, site, skin_type, modality (dermoscopy | clinical; assumed clinical), split, a box around the lesion in pixels
(x0, y0, x1, y1), and the group of images of one person: patient_id, group or lesion_id.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dermnote.images.opening import Box, Modality

from .cell_values import SPLITS, age_in_years, malignancy, number, sex, text
from .raw_case import RawCase, Rejected, Source
from .table_files import Row, find_first, read_table
from .table_reader import not_found

TABLES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
LAYOUT = f"one of {', '.join(TABLES)} with a file_name column"
SOURCE = Source("imagefolder", "a folder of images", "other", "", LAYOUT)
GROUPS = ("patient_id", "group", "lesion_id")
BOX = ("x0", "y0", "x1", "y1")
USED = {
    *("file_name", "label", "malignancy", "subtype", "description", "age", "sex", "site", "skin_type", "modality"),
    *("split", *GROUPS, *BOX),
}


def read(where: str | Path, source: Source = SOURCE, modality: Modality | None = None) -> Iterator[RawCase | Rejected]:
    """Yield every row of the folder's table; `modality` is that of the rows that do not give it.

    Raises:
        CasesError: There is no table, or it has no `file_name`.
    """
    folder = Path(where)
    table = find_first(folder, TABLES)
    if table is None:
        raise not_found(source, folder)
    for row_number, row in enumerate(read_table(table, ("file_name",)), start=1 if table.suffix != ".csv" else 2):
        try:
            yield _case(row, row_number, folder, source, modality)
        except ValueError as error:
            yield Rejected(source.name, str(row.get("file_name")), row_number, str(error))


def _case(row: Row, row_number: int, folder: Path, source: Source, assumed: Modality | None) -> RawCase:
    name = text(row.get("file_name"))
    if name is None:
        raise ValueError("no file_name")
    modality = text(row.get("modality")) or assumed
    group = next((found for column in GROUPS if (found := text(row.get(column)))), name)
    return RawCase(
        f"{source.name}/{name}",
        source.name,
        _modality(modality or "clinical"),
        _path_inside(folder, name),
        f"{source.name}/{group}",
        label=text(row.get("label")),
        malignancy=malignancy(row.get("malignancy")),
        subtype=text(row.get("subtype")),
        description=text(row.get("description")),
        age=age_in_years(row.get("age")),
        sex=sex(row.get("sex")),
        site=text(row.get("site")),
        skin_type=text(row.get("skin_type")),
        split=_split(row),
        box=_box(row),
        row=row_number,
        extra={key: value for key, value in row.items() if key not in USED and value is not None},
        modality_known=modality is not None,
    )


def _modality(value: str) -> Modality:
    if value.lower() not in ("dermoscopy", "clinical"):
        raise ValueError(f"modality '{value.lower()}' is neither dermoscopy nor clinical")
    return "dermoscopy" if value.lower() == "dermoscopy" else "clinical"


def _path_inside(folder: Path, name: str) -> Path:
    """Return the image's path; ValueError if the name, or a link it follows, leads out of the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("file_name leads out of the folder")
    if not path.is_file():
        raise ValueError("the image is missing")
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
