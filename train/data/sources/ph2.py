"""PH2: dermoscopy of 200 melanocytic lesions from Porto, with the findings that dermatologists marked.

Findings of its Excel sheet become the description. Neither patient nor lesion is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import make_item
from .raw import Item
from .tables import Row, blank_to_none, find_table, index_pictures, read_table

LABELS = {"Common Nevus": "melanocytic nevus", "Atypical Nevus": "melanocytic nevus", "Melanoma": "melanoma"}
FINDINGS = ("Pigment Network", "Dots/Globules", "Streaks", "Regression Areas", "Blue-Whitish Veil")
SAID = {"T": "typical", "AT": "atypical", "P": "present"}  # A is absent
COLOURS = ("White", "Red", "Light-Brown", "Dark-Brown", "Blue-Gray", "Black")
SOURCE = source("ph2")


def read(where: str | Path) -> Iterator[Item]:
    """Yields every row of the table; CasesError if there is none."""
    folder = Path(where)
    table = find_table(SOURCE, folder, "PH2_dataset.xlsx", "PH2_dataset.txt")
    rows = read_table(table, header=12) if table.suffix == ".xlsx" else _rows_of_text(table)
    pictures = index_pictures(folder, (".bmp",))
    for number_of_row, row in enumerate(rows, start=14 if table.suffix == ".xlsx" else 2):
        row = {key.split("(")[0].strip(): value for key, value in row.items()}
        name = str(row.get("Image Name") or row.get("Name"))
        if name.startswith("IMD"):
            yield _item(name, row, number_of_row, pictures.get(name.lower()))


def _rows_of_text(table: Path) -> list[Row]:
    lines = table.read_text(encoding="utf-8", errors="replace").splitlines()
    cells = [[cell.strip() for cell in line.strip().strip("|").split("||")] for line in lines if "||" in line]
    return [dict(zip(cells[0], map(blank_to_none, line), strict=False)) for line in cells[1:]]


def _item(name: str, row: Row, number_of_row: int, picture: Path | None) -> Item:
    by_number = dict(zip("012", LABELS, strict=True)).get(str(row.get("Clinical Diagnosis")))  # of the text file
    code = by_number or next((each for each in LABELS if row.get(each)), None)
    seen = [f"{key.lower()} {SAID[row[key]]}" for key in FINDINGS if row.get(key) in SAID]
    colours = ", ".join(colour.lower() for colour in COLOURS if row.get(colour))
    return make_item(
        SOURCE,
        name,
        code=code,
        label=LABELS.get(code or ""),
        picture=picture,
        modality="dermoscopy",
        number=number_of_row,
        row=row,
        used={"Image Name", "Name", *LABELS, *FINDINGS, *COLOURS},
        subtype="atypical nevus" if code == "Atypical Nevus" else None,
        description="; ".join([*seen, *([f"colours {colours}"] if colours else [])]) or None,
    )
