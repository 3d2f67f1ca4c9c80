"""Logic of single sources that a specification in `sources.yaml` cannot express.

Each function takes a source's folder and returns a function of (row, row number) that yields for each image of the row
fields of its `RawCase`, or

    name, code        its id within the source, and the publisher's diagnosis
    image, other_name the image file, or the lower-case stem it may have instead of `name`
    group_source      the source that defined the row's group
    left_out          the reason for not using the row
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dermnote.errors import CasesError
from dermnote.images.opening import Modality

from .cell_values import number, plain_words, text
from .diagnoses import SQUAMOUS, class_of, plain, subtype_of
from .table_files import Row, find_first, read_table

Details = dict[str, Any]
RowDetails = Callable[[Row, int], Iterable[Details]]
FolderDetails = Callable[[Path], RowDetails]

MILK10K_SITES = {"head_neck_face": "head or neck"}
ISIC2019_ORIGINS = {"HAM": "ham10000", "BCN": "bcn20000"}
ISIC_DIAGNOSES = ("diagnosis_5", "diagnosis_4", "diagnosis_3", "diagnosis")
ISIC_IMAGE_TYPES: dict[str, Modality] = {"dermoscopic": "dermoscopy", "clinical": "clinical", "tbp tile": "clinical"}
DERM7PT_LISTS = {"train_indexes.csv": "train", "valid_indexes.csv": "validation", "test_indexes.csv": "test"}
DERM7PT_FINDINGS = (
    *("pigment_network", "streaks", "pigmentation", "regression_structures", "dots_and_globules"),
    *("blue_whitish_veil", "vascular_structures"),
)
PH2_DIAGNOSES = ("Common Nevus", "Atypical Nevus", "Melanoma")
PH2_FINDINGS = ("Pigment Network", "Dots/Globules", "Streaks", "Regression Areas", "Blue-Whitish Veil")
PH2_CODES = {"T": "typical", "AT": "atypical", "P": "present"}  # A is absent
PH2_COLOURS = ("White", "Red", "Light-Brown", "Dark-Brown", "Blue-Gray", "Black")


def by_row(details: Callable[[Row], Details]) -> FolderDetails:
    """Wrap a function of a row alone that has one image."""
    return lambda folder: lambda row, row_number: [details(row)]


@by_row
def milk10k(row: Row) -> Details:
    """Return the body site, and the skin tone on MILK10k's own scale."""
    tone, site = number(row.get("skin_tone_class")), text(row.get("site"))
    scale = None if tone is None else f"MILK10k tone {tone:.0f} (0 darkest to 5)"
    return {"skin_type": scale, "site": MILK10K_SITES.get(site or "", plain_words(site))}


def pad_ufes_20(folder: Path) -> RowDetails:
    """Leave out rows whose image is not in a partial copy: its `manifest.csv` lists the images."""
    manifest = folder / "manifest.csv"
    listed = {row["img_id"] for row in read_table(manifest, ("img_id",))} if manifest.is_file() else None
    absent = {"left_out": "not among the images of this copy"}
    return lambda row, row_number: [{} if listed is None or row["img_id"] in listed else absent]


@by_row
def isic2017(row: Row) -> Details:
    """Return the class from two columns of 0 and 1, and the true shape of an image that was squashed to a square."""
    melanoma, keratosis = number(row.get("melanoma")), number(row.get("seborrheic_keratosis"))
    if melanoma is None or keratosis is None or melanoma + keratosis > 1:
        return {"code": None, "label": None}
    width, height = number(row.get("orig_width")), number(row.get("orig_height"))
    return {
        "code": None,
        "label": "melanoma" if melanoma else "benign keratosis" if keratosis else "melanocytic nevus",
        "subtype": "seborrheic keratosis" if keratosis else None,
        "aspect": width / height if width and height else None,
    }


@by_row
def isic2019(row: Row) -> Details:
    """Return the origin of a lesion's name, so that its images in HAM10000 or BCN20000 are of the same group."""
    origin = ISIC2019_ORIGINS.get(str(row.get("lesion_id")).split("_")[0])
    return {"group_source": origin} if origin else {}


def isic2020(folder: Path) -> RowDetails:
    """Leave out rows that the publisher lists as the second of two equal images."""
    duplicates: set[str] = set()
    for path in sorted(folder.rglob("ISIC_2020_Training_Duplicates.csv")):
        duplicates |= {row["image_name_2"] for row in read_table(path, ("image_name_2",))}
    second = {"left_out": "listed by the publisher as a duplicate"}
    return lambda row, row_number: [second if row["image_name"] in duplicates else {}]


@by_row
def isic_archive(row: Row) -> Details:
    """Return the finest diagnosis that has a class; none for microscopy and histology."""
    kind = (text(row.get("image_type")) or "dermoscopic").lower().split(":")[0]
    if kind not in ISIC_IMAGE_TYPES:
        return {"code": f"an image of type {kind}", "label": None}
    named = [name for column in ISIC_DIAGNOSES if (name := text(row.get(column)))]
    classes = (class_of(name, in_situ=SQUAMOUS) for name in named)
    label = next(filter(None, classes), None)
    return {"code": next(iter(named), None), "label": label, "modality": ISIC_IMAGE_TYPES[kind]}


def derm7pt(folder: Path) -> RowDetails:
    """Return two images a row, their split from lists of row positions, and the findings of the dermoscopic one."""
    splits: dict[int, str] = {}
    for name, split in DERM7PT_LISTS.items():
        table = find_first(folder, [f"**/{name}"])
        if table is None:
            raise CasesError(f"{folder} has no {name}, a list of the rows of a split.")
        positions = (number(row["indexes"]) for row in read_table(table, ["indexes"]))
        splits |= {int(position): split for position in positions if position is not None}

    def details(row: Row, row_number: int) -> Iterator[Details]:
        diagnosis, split = str(row["diagnosis"]), splits.get(row_number - 2)
        # A thickness ("less than 0.76 mm") is in no image.
        subtype = None if " mm)" in diagnosis else subtype_of(plain(diagnosis), class_of(diagnosis))
        findings = [f"{each.replace('_', ' ')} {row[each]}" for each in DERM7PT_FINDINGS if _present(row.get(each))]
        common: Details = {"group": row.get("case_num"), "split": split, "subtype": subtype}
        yield {
            **common,
            "name": Path(str(row["derm"])).stem,
            "modality": "dermoscopy",
            "description": "; ".join(findings) or None,
        }
        clinic = {**common, "name": Path(str(row["clinic"])).stem, "modality": "clinical"}
        if str(row["clinic"]).lower() == str(row["derm"]).lower():
            clinic["left_out"] = "no clinical photo: the dermoscopic one is listed instead"
        yield clinic

    return details


def _present(finding: str | None) -> bool:
    return finding not in (None, "absent")


@by_row
def dermnet(row: Row) -> Details:
    """Return the disease from a file name: in words, without its number."""
    return {"code": re.sub(r"[-_\s]*\d+[a-z]?$", "", str(row["code"]).lower()).replace("-", " ")}


@by_row
def fitzpatrick17k(row: Row) -> Details:
    """Leave out rows that the publisher's dermatologists found wrongly labelled."""
    if "wrongly" in str(row.get("qc")).lower():
        return {"left_out": "wrongly labelled, says the publisher"}
    return {"other_name": Path(str(row.get("url_alphanum"))).stem.lower()}


def ph2(folder: Path) -> RowDetails:
    """Return diagnosis and findings from marked columns (Excel) or by number (text file); skip rows of the legend."""

    def details(row: Row, row_number: int) -> Iterator[Details]:
        if not str(row.get("Image Name") or row.get("Name")).startswith("IMD"):
            return
        by_number = dict(zip("012", PH2_DIAGNOSES, strict=True)).get(str(row.get("Clinical Diagnosis")))
        findings = [f"{key.lower()} {PH2_CODES[row[key]]}" for key in PH2_FINDINGS if row.get(key) in PH2_CODES]
        if colours := ", ".join(colour.lower() for colour in PH2_COLOURS if row.get(colour)):
            findings.append(f"colours {colours}")
        code = by_number or next((each for each in PH2_DIAGNOSES if row.get(each)), None)
        yield {"code": code, "description": "; ".join(findings) or None}

    return details


@by_row
def ddi(row: Row) -> Details:
    """Return the subtype, spelled with spaces for hyphens."""
    disease = text(row["disease"]) or ""
    return {"subtype": subtype_of(disease.replace("-", " "), class_of(disease))}


def scin(folder: Path) -> RowDetails:
    """Return up to three photos a row, the condition of greatest weight, and the body site if there is only one."""

    def details(row: Row, row_number: int) -> Iterator[Details]:
        code = _leading_condition(row.get("weighted_skin_condition_label"))
        sites = [key.removeprefix("body_parts_") for key in row if key.startswith("body_parts_") and row[key] == "YES"]
        site = plain_words(sites[0]) if len(sites) == 1 and sites != ["other"] else None
        for path in filter(None, (text(row.get(f"image_{i}_path")) for i in (1, 2, 3))):
            yield {"name": Path(path).stem, "code": code, "site": site}

    return details


def _leading_condition(weights: str | None) -> str | None:
    """Return the condition of greatest weight from a dictionary spelled as in Python."""
    try:
        found = ast.literal_eval(text(weights) or "{}")
    except (ValueError, SyntaxError):
        return None
    if not isinstance(found, dict):
        return None
    leading = [name for name, weight in found.items() if weight == max(found.values())]
    return "several conditions of equal weight" if len(leading) > 1 else next(iter(leading), None)


@by_row
def mra_midas(row: Row) -> Details:
    """Return the pathologist's diagnosis without its number and blanks: "7-malignant- bcc" -> "malignant-bcc"."""
    path = (text(row["midas_path"]) or "").lower()
    return {"code": re.sub(r"\s*-\s*", "-", re.sub(r"^(0$|\d+\s*-)", "", path)) or None}
