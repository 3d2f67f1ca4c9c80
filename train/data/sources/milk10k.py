"""MILK10k: each lesion twice, as a clinical close-up and by dermoscopy.

Reads the publisher's layout (`MILK10k_Training_Input/IL_*/ISIC_*.jpg` and three tables) and one joined `metadata.csv`.
There is no patient id, so a case's group is its lesion, and both of its pictures stay together.
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
    malignancy_of,
    missing_picture,
    no_class,
    not_found,
    number,
    read_table,
    rest_of,
    text,
    whole_years,
)

GROUND_TRUTH = "MILK10k_Training_GroundTruth.csv"
METADATA = "MILK10k_Training_Metadata.csv"
SUPPLEMENT = "MILK10k_Training_Supplement.csv"
SOURCE = source("milk10k")
LABELS = {
    "AKIEC": "actinic keratosis",
    "BCC": "basal cell carcinoma",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "SCCKA": "squamous cell carcinoma",
    "VASC": "vascular lesion",
}
NO_CLASS = ("INF", "BEN_OTH", "MAL_OTH")
# Finer diagnoses that only repeat the class in other words.
SAYS_NO_MORE = {"solar or actinic keratosis", "basal cell carcinoma", "dermatofibroma", "nevus"}
SITES = {
    "head_neck_face": "head or neck",
    "lower_extremity": "lower extremity",
    "upper_extremity": "upper extremity",
}
USED = {
    *("isic_id", "file", "lesion_id", "image_type", "label", "diagnosis_full", "diagnosis_1", "diagnosis_2"),
    *("diagnosis_3", "age_approx", "sex", "site", "skin_tone_class", "width", "height"),
}


def read(where: str | Path) -> Iterator[RawCase | LeftOut | Rejected]:
    """Yields every picture of the folder; CasesError if it holds neither layout."""
    folder = Path(where)
    pictures = index_pictures(folder)
    for number_of_row, row in enumerate(_rows(folder), start=2):
        yield _case(row, number_of_row, pictures)


def _rows(folder: Path) -> list[Row]:
    if (folder / "metadata.csv").is_file():
        return read_table(folder / "metadata.csv", ("isic_id", "lesion_id", "image_type", "label"))
    if not (folder / GROUND_TRUTH).is_file() or not (folder / METADATA).is_file():
        raise not_found(SOURCE, folder)
    labels = {row["lesion_id"]: _one_hot(row) for row in read_table(folder / GROUND_TRUTH, ("lesion_id",))}
    supplement = folder / SUPPLEMENT
    more = {row["isic_id"]: row for row in read_table(supplement, ("isic_id",))} if supplement.is_file() else {}
    return [
        {**row, **more.get(row["isic_id"], {}), "label": labels.get(row["lesion_id"])}
        for row in read_table(folder / METADATA, ("isic_id", "lesion_id", "image_type"))
    ]


def _one_hot(row: Row) -> str | None:
    return next((code for code in (*LABELS, *NO_CLASS) if number(row.get(code)) == 1), None)


def _case(row: Row, number_of_row: int, pictures: dict[str, Path]) -> RawCase | LeftOut | Rejected:
    isic_id, code = str(row.get("isic_id")), text(row.get("label"))
    case_id = f"{SOURCE.name}/{isic_id}"
    if code not in LABELS:
        return no_class(SOURCE, case_id, code)
    picture = pictures.get(isic_id.lower())
    if picture is None:
        return missing_picture(SOURCE, f"{isic_id}.jpg", number_of_row)
    tone = number(row.get("skin_tone_class"))
    return RawCase(
        case_id=case_id,
        source=SOURCE.name,
        modality="dermoscopy" if row.get("image_type") == "dermoscopic" else "clinical",
        picture=picture,
        group=f"{SOURCE.name}/{row['lesion_id']}",
        label=LABELS[code],
        malignancy=malignancy_of(row.get("diagnosis_1")),
        subtype=_subtype(row, LABELS[code]),
        description=_lower(row.get("diagnosis_2")),
        age=whole_years(row.get("age_approx")),
        sex=female_or_male(row.get("sex")),
        site=_site(row),
        skin_type=None if tone is None else f"MILK10k tone {tone:.0f} (0 darkest to 5)",
        # The rest holds how the diagnosis was confirmed, which tells benign from malignant: it stays out of sight here.
        row=number_of_row,
        isic_id=isic_id,
        extra={"code": code, **rest_of(row, USED)},
    )


def _subtype(row: Row, label: str) -> str | None:
    found = _lower(row.get("diagnosis_full")) or _lower(row.get("diagnosis_3"))
    return None if found is None or found == label or found in SAYS_NO_MORE else found


def _lower(value: object) -> str | None:
    found = text(value)
    return found.lower() if found else None


def _site(row: Row) -> str | None:
    site = text(row.get("site"))
    return SITES.get(site, site.replace("_", " ")) if site else None
