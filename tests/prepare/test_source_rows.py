"""Groups, splits, metadata and left out rows of every source in its publisher's layouts (`source_rows.yaml`)."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from dermnote.errors import CasesError
from tests.prepare.dataset_trees import cases_of, labels, photo, read, reasons, table
from train import prepare
from train.data.cases import Cases
from train.data.sources import NAMED, Rejected

EXAMPLES = yaml.safe_load(Path(__file__).with_name("source_rows.yaml").read_text(encoding="utf-8"))
ONE_HOT = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")


def build(folder: Path, example: dict[str, Any]) -> None:
    for path in example["images"]:
        photo(folder / path)
    for name, text in example.get("tables", {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(",", "\t") if example.get("tabs") else text, encoding="utf-8")
        if example.get("excel"):
            pd.read_csv(path, dtype=str, keep_default_na=False).to_excel(path.with_suffix(".xlsx"))
            path.unlink()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_rows_become_cases(tmp_path: Path, example: dict[str, Any]) -> None:
    build(tmp_path, example)
    items = read(example["source"], tmp_path)
    cases = cases_of(items)
    for case, expected in zip(cases, example["cases"], strict=True):
        found: dict[str, Any] = {field: getattr(case, field) for field in set(expected) - {"image", "extra_keys"}}
        found |= {"image": case.picture.name} if "image" in expected else {}
        assert found == {field: value for field, value in expected.items() if field != "extra_keys"}
        assert set(expected.get("extra_keys", ())) <= set(case.extra)
    assert reasons(items) == example.get("reasons", {})
    if example.get("rejected"):
        file, row = example["rejected"]
        assert items[-1] == Rejected(example["source"], file, row, "the picture is missing")


def test_every_source_has_an_example() -> None:
    assert {example["source"] for example in EXAMPLES} >= set(NAMED) - {"drawn", "med_node"}


def test_ph2_from_its_excel_sheet(tmp_path: Path) -> None:
    for name in ("IMD003", "IMD058"):
        photo(tmp_path / "PH2 Dataset images" / f"{name}.bmp")
    columns = {"Image Name": ["IMD003", "IMD058"], "Histological Diagnosis": [None, "Melanoma in situ"]}
    columns |= {"Common Nevus": ["X", None], "Atypical Nevus": [None, None], "Melanoma": [None, "X"]}
    columns |= {"Pigment Network\n(AT/T)": ["AT", "AT"], "Streaks\n(A/P)": ["A", "P"], "Asymmetry": [0, 2]}
    columns |= {"Light-Brown": ["X", "X"], "Black": [None, "X"]}
    pd.DataFrame(columns).to_excel(tmp_path / "PH2_dataset.xlsx", startrow=12, index=False)
    common, melanoma = read("ph2", tmp_path)
    assert (common.label, melanoma.label) == ("melanocytic nevus", "melanoma")
    assert common.description == "pigment network atypical; colours light-brown"
    assert melanoma.description == "pigment network atypical; streaks present; colours light-brown, black"
    assert (common.row, melanoma.row) == (14, 15)


def test_med_node_needs_both_its_folders(tmp_path: Path) -> None:
    photo(tmp_path / "melanoma" / "1.jpg")
    with pytest.raises(CasesError, match="does not look like med_node"):
        read("med_node", tmp_path)
    photo(tmp_path / "naevus" / "1.jpg")
    assert labels(read("med_node", tmp_path)) == {"melanoma/1": "melanoma", "naevus/1": "melanocytic nevus"}


def ham_and_2019(folder: Path) -> list[str]:
    """HAM10000 and ISIC 2019 with the same three images at two sizes, and ten lesions of ISIC 2019 alone."""
    names = [f"ISIC_{index}" for index in range(3)]
    rows = [{"image_id": name, "lesion_id": "HAM_1" if name == "ISIC_1" else "HAM_0", "dx": "nv"} for name in names]
    rows[2] |= {"lesion_id": "HAM_2", "dx": "akiec"}
    truth, meta = [], []
    for name in (*names, *(f"ISIC_{index}" for index in range(10, 20)), "ISIC_30"):
        code = "SCC" if name == "ISIC_2" else "NV"
        truth.append({"image": name} | {each: float(each == code) for each in ONE_HOT})
        # ISIC_30 is an image that only ISIC 2019 has, of a lesion of HAM10000.
        meta.append({"image": name, "lesion_id": "HAM_1" if name == "ISIC_30" else ""})
        photo(folder / "2019" / "ISIC_2019_Training_Input" / f"{name}.jpg")
    for name in names:
        photo(folder / "ham" / "HAM10000_images_part_1" / f"{name}.jpg")
    for index, path in enumerate(sorted(folder.rglob("*.jpg"))):  # no two files or images are alike
        Image.new("RGB", (50 + index, 40), (index * 7, 90, 200)).save(path)
    table(folder / "ham" / "HAM10000_metadata.csv", *rows)
    table(folder / "2019" / "ISIC_2019_Training_GroundTruth.csv", *truth)
    table(folder / "2019" / "ISIC_2019_Training_Metadata.csv", *meta)
    return [f"ham10000={folder / 'ham'}", f"isic2019={folder / '2019'}"]


def test_the_overlap_of_isic2019_and_ham10000_is_left_out_of_training(tmp_path):
    out = tmp_path / "cases"
    command = [*ham_and_2019(tmp_path), "--external", "ham10000", "--out", str(out), "--workers", "1"]
    assert prepare.main(command) == 0
    table = Cases.read(out).table.set_index("case_id")
    assert set(table.index[table["split"] == "external"]) == {"ham10000/ISIC_0", "ham10000/ISIC_1"}
    # Left out: the copies of 0 and 1, and the third image of a lesion that is tested on.
    assert not {"isic2019/ISIC_0", "isic2019/ISIC_1", "isic2019/ISIC_30"} & set(table.index)
    # Number 2 is a squamous cell carcinoma in one source and an actinic keratosis in the other.
    assert not {"ham10000/ISIC_2", "isic2019/ISIC_2"} & set(table.index)
    assert (table["source"] == "isic2019").sum() == 10
