"""SCIN: photos that people took of their own skin, with what up to three dermatologists thought of them.

Reads `scin_cases.csv` and `scin_labels.csv`. A contribution has up to three photos, which are one group. Its label is
the condition with the greatest weight; where two share it, there is none. What people reported (symptoms, texture,
duration, an age band) stays in `extra`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from train.datasets.catalogue import source
from train.datasets.items import by_code, make_item
from train.datasets.raw import Item
from train.datasets.skin import fitzpatrick
from train.datasets.tables import female_or_male, find_table, in_words, index_pictures, read_table, text

LABELS = by_code(
    {
        "benign keratosis": "SK/ISK, Lentigo",
        "dermatofibroma": "Dermatofibroma",
        "melanocytic nevus": "Melanocytic Nevus, Atypical Nevus",
        "vascular lesion": "Hemangioma, Pyogenic granuloma, Lymphangioma, Angiokeratoma of skin",
        "actinic keratosis": "Actinic Keratosis",
        "basal cell carcinoma": "Basal Cell Carcinoma",
        "melanoma": "Melanoma",
        "squamous cell carcinoma": "SCC/SCCIS",
    }
)
SOURCE = source("scin")
USED = {"case_id", "sex_at_birth", "fitzpatrick_skin_type", "image_1_path", "image_2_path", "image_3_path"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every photo of every contribution; CasesError if a table is missing."""
    folder = Path(where)
    labels = read_table(find_table(SOURCE, folder, "scin_labels.csv"), ("case_id", "weighted_skin_condition_label"))
    weights = {row["case_id"]: row["weighted_skin_condition_label"] for row in labels}
    cases = read_table(find_table(SOURCE, folder, "scin_cases.csv"), ("case_id", "image_1_path"))
    pictures = index_pictures(folder)
    for number_of_row, row in enumerate(cases, start=2):
        leading = _leading(weights.get(row["case_id"]))
        code = " = ".join(leading) or None  # conditions of equal weight are none of the labels
        sites = [key.removeprefix("body_parts_") for key in row if key.startswith("body_parts_") and row[key] == "YES"]
        for name in (Path(path).stem for i in (1, 2, 3) if (path := text(row.get(f"image_{i}_path")))):
            yield make_item(
                SOURCE,
                name,
                code="several conditions of equal weight" if len(leading) > 1 else code,
                label=LABELS.get(code or ""),
                picture=pictures.get(name.lower()),
                modality="clinical",
                group=row["case_id"],
                number=number_of_row,
                row=row,
                used=USED,
                subtype="atypical nevus" if code == "Atypical Nevus" else None,
                sex=female_or_male(row.get("sex_at_birth")),
                site=in_words(sites[0]) if len(sites) == 1 and sites != ["other"] else None,
                skin_type=fitzpatrick(row.get("fitzpatrick_skin_type")),
            )


def _leading(weights: str | None) -> list[str]:
    """The conditions of greatest weight, from a dictionary in Python's spelling."""
    found: dict[str, float] = ast.literal_eval(weights or "{}")
    return [name for name, weight in found.items() if weight == max(found.values())]
