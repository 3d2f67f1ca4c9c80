"""SCIN: photos that people took of their own skin, with what up to three dermatologists thought of them.

A contribution has up to three photos, which are one group. Its label is the condition with the greatest weight; where
two share it, there is none. What people reported (symptoms, texture, duration, an age band) stays in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .catalogue import source
from .items import by_code, make_item, person
from .raw import Item
from .tables import find_table, in_words, index_pictures, python_dict, read_table, text

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
WEIGHTS = "weighted_skin_condition_label"
USED = {"case_id", "sex_at_birth", "fitzpatrick_skin_type", "image_1_path", "image_2_path", "image_3_path"}


def read(where: str | Path) -> Iterator[Item]:
    """Yields every photo of every contribution; CasesError if a table is missing."""
    folder = Path(where)
    labels = read_table(find_table(SOURCE, folder, "scin_labels.csv"), ("case_id", WEIGHTS))
    weights = {row["case_id"]: row[WEIGHTS] for row in labels}
    table, pictures = find_table(SOURCE, folder, "scin_cases.csv"), index_pictures(folder)
    for number_of_row, row in enumerate(read_table(table, ("case_id", "image_1_path")), start=2):
        code = _leading(weights.get(row["case_id"]))
        sites = [key.removeprefix("body_parts_") for key in row if key.startswith("body_parts_") and row[key] == "YES"]
        known = person(row, sex="sex_at_birth", skin_type="fitzpatrick_skin_type")
        known |= {"group": row["case_id"], "row": row, "number": number_of_row, "used": USED}
        known["site"] = in_words(sites[0]) if len(sites) == 1 and sites != ["other"] else None
        known["subtype"] = "atypical nevus" if code == "Atypical Nevus" else None
        for name in (Path(path).stem for i in (1, 2, 3) if (path := text(row.get(f"image_{i}_path")))):
            label, picture = LABELS.get(code or ""), pictures.get(name.lower())
            yield make_item(SOURCE, name, code=code, label=label, picture=picture, modality="clinical", **known)


def _leading(weights: str | None) -> str | None:
    """The condition of greatest weight."""
    found = python_dict(weights)
    leading = [name for name, weight in found.items() if weight == max(found.values())]
    return "several conditions of equal weight" if len(leading) > 1 else next(iter(leading), None)
