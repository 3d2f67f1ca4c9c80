"""Sources of dermoscopy that are in no challenge: DERM12345, Derm7pt, SKINL2, PH2."""

from collections import Counter

import pandas as pd
import pytest
from PIL import Image

from tests.dataset_trees import TABLES, labels, photo, read, reasons, rows_of, table, with_every_picture
from train.data.sources import RawCase

DERM12345 = {
    "benign keratosis": {"sk", "sl", "ls", "isl", "lk"},
    "dermatofibroma": {"df"},
    "melanocytic nevus": {
        *("acb", "acd", "ajb", "ajd", "bdb", "cb", "ccb", "ccb", "ccd", "cd", "cjb", "db", "jb", "jd", "mcb", "rd"),
        "srjd",
    },
    "vascular lesion": {"angk", "ha", "la", "pg", "sa"},
    "actinic keratosis": {"ak"},
    "basal cell carcinoma": {"bcc"},
    "melanoma": {"alm", "anm", "lm", "lmm", "mel"},
    "squamous cell carcinoma": {"scc", "bd"},
    "": {"ks", "ch", "dfsp", "mpd"},  # Kaposi sarcoma, cutaneous horn, dermatofibrosarcoma, Paget's disease
}


@pytest.mark.parametrize("ending", [".csv", ".tab"])
@pytest.mark.parametrize("flat", [True, False])
def test_derm12345_as_published(tmp_path, ending, flat):
    codes = {code: label for label, several in DERM12345.items() for code in several}
    assert len(codes) == 40
    rows = []
    for index, code in enumerate(sorted(codes)):
        photo(tmp_path / "derm12345_train_part_1" / ("" if flat else code) / f"D{index}.jpg")
        rows.append({"image_id": f"D{index}", "split": "train", "label": code, "sub_class": f"sub {code}"})
    table(tmp_path / "derm12345_metadata_train.csv", *rows)
    photo(tmp_path / "derm12345_test" / "D99.jpg")
    test = {"image_id": "D99", "label": "sk", "sub_class": "seborrheic_keratosis", "malignancy": "benign"}
    table(tmp_path / "derm12345_metadata_test.csv", test)
    if ending == ".tab":
        for path in tmp_path.glob("*.csv"):
            path.with_suffix(".tab").write_text(path.read_text().replace(",", "\t"))
            path.unlink()
    items = read("derm12345", tmp_path)
    found = labels(items)
    assert {code: found.get(f"D{index}", "") for index, code in enumerate(sorted(codes))} == codes
    assert set(reasons(items)) == {f"no class for {code}" for code in DERM12345[""]}
    *first, last = (each for each in items if isinstance(each, RawCase))
    assert {case.split for case in first} == {"train"}
    assert (last.split, last.subtype, last.extra["malignancy"]) == ("test", "seborrheic keratosis", "benign")
    assert last.group == "derm12345/D99"


def test_derm12345_from_the_archive(tmp_path):
    photo(tmp_path / "ISIC_0052262.JPG")
    table(tmp_path / "metadata.csv", {"isic_id": "ISIC_0052262", "diagnosis_3": "Solar lentigo", "patient_id": "IP_1"})
    (case,) = read("derm12345", tmp_path)
    assert (case.case_id, case.group, case.label) == ("derm12345/ISIC_0052262", "derm12345/IP_1", "benign keratosis")


DERM7PT = {
    "basal cell carcinoma": "basal cell carcinoma",
    "dermatofibroma": "dermatofibroma",
    "lentigo": "benign keratosis",
    "seborrheic keratosis": "benign keratosis",
    "vascular lesion": "vascular lesion",
    **{f"{kind} nevus": "melanocytic nevus" for kind in ("blue", "clark", "combined", "congenital", "dermal")},
    **{f"{kind} nevus": "melanocytic nevus" for kind in ("recurrent", "reed or spitz")},
    **{f"melanoma{kind}": "melanoma" for kind in ("", " (in situ)", " metastasis", " (less than 0.76 mm)")},
    **{f"melanoma{kind}": "melanoma" for kind in (" (0.76 to 1.5 mm)", " (more than 1.5 mm)")},
}


def test_derm7pt_as_published(tmp_path):
    root = tmp_path / "release_v0"
    rows = []
    for index, diagnosis in enumerate((*DERM7PT, "melanosis", "miscellaneous", "clark nevus")):
        row = {
            "case_num": index + 1,
            "diagnosis": diagnosis,
            "clinic": f"NEL/N{index}C.JPG",
            "derm": f"Nel/n{index}d.jpg",
        }
        for column in ("clinic", "derm"):
            photo(root / "images" / row[column])
        rows.append(row | {"pigment_network": "atypical", "streaks": "absent", "blue_whitish_veil": "present"})
    rows[0] |= {"sex": "female", "location": "head neck", "management": "excision", "seven_point_score": 3}
    rows[-1] |= {"clinic": "Nel/N20D.jpg"}  # there was no clinical photo
    rows[-1] |= {"derm": "Nel/n20d.jpg"}
    table(root / "meta" / "meta.csv", *rows)
    for name, positions in (("train", (0, 1, 2)), ("valid", (3,)), ("test", range(4, 21))):
        table(root / "meta" / f"{name}_indexes.csv", *({"indexes": position} for position in positions))
    items = read("derm7pt", tmp_path)
    found = labels(items)
    for index, diagnosis in enumerate(DERM7PT):
        assert found[f"n{index}d"] == found[f"N{index}C"] == DERM7PT[diagnosis], diagnosis
    assert reasons(items) == {
        "no class for melanosis": 2,
        "no class for miscellaneous": 2,
        "no clinical photo: the dermoscopic one stands in its place": 1,
    }
    derm, clinic = items[:2]
    assert (derm.modality, clinic.modality) == ("dermoscopy", "clinical")
    assert derm.group == clinic.group == "derm7pt/1"
    assert derm.description == "pigment network atypical; blue whitish veil present"
    assert (clinic.description, clinic.sex, clinic.site) == (None, "female", "head neck")
    assert {"seven_point_score", "management"} <= set(derm.extra)
    by_id = {each.case_id: each for each in items if isinstance(each, RawCase)}
    splits = [by_id[f"derm7pt/n{index}d"].split for index in range(5)]
    assert splits == ["train", "train", "train", "validation", "test"]
    subtypes = {case.extra["code"]: case.subtype for case in by_id.values()}
    assert subtypes["melanoma (in situ)"] == "melanoma in situ"
    assert subtypes["clark nevus"] == "clark nevus"
    assert subtypes["melanoma (less than 0.76 mm)"] is None  # how thick it is, no picture shows


@pytest.mark.real_data
def test_the_real_table_of_derm7pt(monkeypatch):
    with_every_picture(monkeypatch, "derm7pt")
    items = read("derm7pt", TABLES / "derm7pt")
    cases = [each for each in items if isinstance(each, RawCase)]
    derm = [case for case in cases if case.modality == "dermoscopy"]
    assert Counter(case.label for case in derm) == {
        "benign keratosis": 45 + 24,
        "dermatofibroma": 20,
        "melanocytic nevus": 399 + 79 + 33 + 28 + 17 + 13 + 6,
        "vascular lesion": 29,
        "basal cell carcinoma": 42,
        "melanoma": 102 + 64 + 53 + 28 + 4 + 1,
    }
    assert len({case.group for case in cases}) == len(derm) == 1011 - 16 - 8
    absent = "no clinical photo: the dermoscopic one stands in its place"
    assert reasons(items) == {"no class for melanosis": 2 * 16 - 3, "no class for miscellaneous": 2 * 8 - 2, absent: 9}
    assert len({case.case_id.lower() for case in cases}) == len(cases)
    # The publisher's lists are positions in the table: each lesion's row tells its side.
    sides = {int(row["indexes"]): "test" for row in rows_of(TABLES / "derm7pt" / "test_indexes.csv")}
    assert all((case.split == "test") == (case.row - 2 in sides) for case in cases)


def test_skinl2_in_all_its_layouts(tmp_path):
    expected = {
        "Basal-cell Carcinoma": "basal cell carcinoma",
        "Melanoma": "melanoma",
        "Seborrheic Keratosis": "benign keratosis",
        "Nevus": "melanocytic nevus",
        "Hemangioma": "vascular lesion",
        "Dermatofibroma": "dermatofibroma",
    }
    for index, name in enumerate((*expected, "Psoriasis", "Others")):
        photo(tmp_path / "SKINL2_v1" / "Dermatoscopic" / name / f"024{index}_Dermatoscopic.png")
        photo(tmp_path / "SKINL2_v1" / "Light Fields" / name / f"024{index}_LF.png")
        photo(tmp_path / "SKINL2_v2" / f"008{index}" / name / "Dermatoscopic" / f"008{index}_Dermatoscopic.png")
    photo(tmp_path / "SKINL2_v3" / "0159" / "Melanoma" / "Dermatoscopic" / "159_2_Dermatoscopic.png")
    photo(tmp_path / "SKINL2_v3" / "0159" / "Melanoma" / "Dermatoscopic" / "0159_3_Dermatoscopic.png")
    items = read("skinl2", tmp_path)
    found = labels(items)
    for index, label in enumerate(expected.values()):
        assert found[f"024{index}_Dermatoscopic"] == found[f"008{index}_Dermatoscopic"] == label
    assert reasons(items) == {"no class for psoriasis": 2, "no class for others": 2}
    lesion = {each.group for each in items if isinstance(each, RawCase) and "159_" in each.case_id}
    assert lesion == {"skinl2/159"}
    assert len(found) == 14


def bmp(path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), "tan").save(path)


def ph2_pictures(folder) -> None:
    for name in ("IMD003", "IMD009", "IMD058"):
        bmp(folder / "PH2 Dataset images" / name / f"{name}_Dermoscopic_Image" / f"{name}.bmp")
        bmp(folder / "PH2 Dataset images" / name / f"{name}_lesion" / f"{name}_lesion.bmp")


def test_ph2_from_its_excel_sheet(tmp_path):
    ph2_pictures(tmp_path)
    columns = {"Common Nevus": ["X", None, None], "Atypical Nevus": [None, "X", None], "Melanoma": [None, None, "X"]}
    sheet = pd.DataFrame(
        {"Image Name": ["IMD003", "IMD009", "IMD058"], "Histological Diagnosis": [None, None, "Melanoma in situ"]}
        | columns
        | {"Pigment Network\n(AT/T)": ["AT", "T", "AT"], "Streaks\n(A/P)": ["A", "A", "P"], "Asymmetry": [0, 1, 2]}
        | {"Light-Brown": ["X", None, "X"], "Black": [None, None, "X"]}
    )
    sheet.to_excel(tmp_path / "PH2_dataset.xlsx", startrow=12, index=False)
    common, atypical, melanoma = read("ph2", tmp_path)
    assert [case.label for case in (common, atypical, melanoma)] == ["melanocytic nevus"] * 2 + ["melanoma"]
    assert (common.subtype, atypical.subtype) == (None, "atypical nevus")
    assert common.description == "pigment network atypical; colours light-brown"
    assert melanoma.description == "pigment network atypical; streaks present; colours light-brown, black"
    assert melanoma.extra["Histological Diagnosis"] == "Melanoma in situ"
    assert (common.picture.name, common.row, melanoma.row) == ("IMD003.bmp", 14, 16)


def test_ph2_from_its_text_file(tmp_path):
    ph2_pictures(tmp_path)
    lines = (
        "|| Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry ||",
        "|| IMD003 ||                || 0 || 0 ||",
        "|| IMD009 ||                || 1 || 0 ||",
        "|| IMD058 || Melanoma in situ || 2 || 2 ||",
        "",
        "Legends: Clinical Diagnosis: 0 - Common Nevus",
    )
    (tmp_path / "PH2_dataset.txt").write_text("\n".join(lines))
    cases = read("ph2", tmp_path)
    assert [case.label for case in cases] == ["melanocytic nevus"] * 2 + ["melanoma"]
    assert [case.subtype for case in cases] == [None, "atypical nevus", None]
    assert cases[2].extra["Histological Diagnosis"] == "Melanoma in situ"
