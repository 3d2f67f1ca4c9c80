"""Classes of the diagnoses of every source, from its publisher's layout to cases."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.prepare.dataset_trees import labels, photo, read, reasons, table

LABELS = yaml.safe_load(Path(__file__).with_name("source_labels.yaml").read_text(encoding="utf-8"))
Builder = Callable[[Path, list[str]], Iterable[str]]


def rows_with(folder: Path, codes: list[str], id_column: str, code_column: str, name: str = "I{}.jpg") -> list[dict]:
    """A row and an image for each code; the ids in the rows have no suffix."""
    for index in range(len(codes)):
        photo(folder / name.format(index))
    return [{id_column: Path(name.format(i)).stem, code_column: code} for i, code in enumerate(codes)]


def by_table(file: str, id_column: str, code_column: str, **more: object) -> Builder:
    def build(folder: Path, codes: list[str]) -> list[str]:
        rows = rows_with(folder / "images", codes, id_column, code_column)
        table(folder / file, *(row | more for row in rows))
        return [row[id_column] for row in rows]

    return build


def isic2019(folder: Path, codes: list[str]) -> list[str]:
    rows = [{"image": f"I{i}"} | {each: float(each == code) for each in codes} for i, code in enumerate(codes)]
    rows_with(folder / "ISIC_2019_Training_Input", codes, "image", "code")
    table(folder / "ISIC_2019_Training_GroundTruth.csv", *rows)
    return [row["image"] for row in rows]


def derm7pt(folder: Path, codes: list[str]) -> list[str]:
    rows = rows_with(folder / "images", codes, "derm", "diagnosis")
    for row in rows:
        photo(folder / "images" / f"{row['derm']}C.jpg")
    table(folder / "meta" / "meta.csv", *(row | {"clinic": f"{row['derm']}C.jpg"} for row in rows))
    for part in ("train", "valid", "test"):
        table(folder / "meta" / f"{part}_indexes.csv", {"indexes": 0})
    return [name for row in rows for name in (row["derm"], f"{row['derm']}C")]


def scin(folder: Path, codes: list[str]) -> list[str]:
    cases = rows_with(folder / "dataset" / "images", codes, "image_1_path", "case_id")
    weights = [{"case_id": code, "weighted_skin_condition_label": str({"Eczema": 0.2, code: 0.8})} for code in codes]
    table(folder / "scin_cases.csv", *cases)
    table(folder / "scin_labels.csv", *weights)
    return [row["image_1_path"] for row in cases]


def mra_midas(folder: Path, codes: list[str]) -> list[str]:
    rows = rows_with(folder / "images", codes, "midas_file_name", "midas_path")
    pd.DataFrame(rows).to_excel(folder / "release_midas.xlsx")
    return [row["midas_file_name"] for row in rows]


def by_folder(path: str, name: str) -> Builder:
    """Images at `path`, whose ids are `name`, of the code and its number."""

    def build(folder: Path, codes: list[str]) -> list[str]:
        for index, code in enumerate(codes):
            photo(folder / path.format(code, index))
        return [name.format(code, index) for index, code in enumerate(codes)]

    return build


BUILDERS: dict[str, Builder] = {
    "milk10k": by_table("metadata.csv", "isic_id", "label", lesion_id="L", image_type="dermoscopic"),
    "ham10000": by_table("HAM10000_metadata.csv", "image_id", "dx"),
    "pad_ufes_20": by_table("metadata.csv", "img_id", "diagnostic"),
    "isic2019": isic2019,
    "bcn20000": by_table("bcn_20k_train.csv", "bcn_filename", "diagnosis"),
    "isic2020": by_table("train.csv", "image_name", "diagnosis"),
    "hiba": by_table("metadata.csv", "isic_id", "diagnosis_3"),
    "derm12345": by_table("derm12345_metadata_train.csv", "image_id", "label"),
    "derm7pt": derm7pt,
    "dermnet": by_folder("train/Photos/{}.jpg", "Photos/{}"),
    "fitzpatrick17k": by_table("fitzpatrick17k.csv", "md5hash", "label"),
    "sd198": by_folder("images/{0}/{1}HB.jpg", "{0}/{1}HB"),
    "ddi": by_table("ddi_metadata.csv", "DDI_file", "disease"),
    "scin": scin,
    "mra_midas": mra_midas,
    "fluo_sc": by_folder("{0}/CLI_{0}_1.jpg", "CLI_{0}_1"),
    "skinl2": by_folder("Dermatoscopic/{0}/{1}_Dermatoscopic.png", "{1}_Dermatoscopic"),
    "med_node": by_folder("set/{0}/1.jpg", "{0}/1"),
}


@pytest.mark.parametrize("name", LABELS)
def test_every_diagnosis_gets_its_class(tmp_path: Path, name: str) -> None:
    ids = BUILDERS[name](tmp_path, list(LABELS[name]))
    expected = [label for label in LABELS[name].values() for _ in range(2 if name == "derm7pt" else 1)]
    items = read(name, tmp_path)
    assert labels(items) == {each: label for each, label in zip(ids, expected, strict=True) if label}
    assert reasons(items).total() == expected.count(None)
    assert all(reason.startswith(("no class for ", "no label")) for reason in reasons(items))
