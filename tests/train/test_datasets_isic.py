"""The ISIC Archive's collections, its challenges, and BCN20000, which is in both."""

from collections import Counter

import pytest
from PIL import Image

from tests.dataset_trees import TABLES, count, labels, photo, read, reasons, rows_of, table, with_every_picture
from train import prepare
from train.data.cases import Cases
from train.data.sources import RawCase

ONE_HOT = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
CLASSES_2019 = {
    "MEL": "melanoma",
    "NV": "melanocytic nevus",
    "BCC": "basal cell carcinoma",
    "AK": "actinic keratosis",
    "BKL": "benign keratosis",
    "DF": "dermatofibroma",
    "VASC": "vascular lesion",
    "SCC": "squamous cell carcinoma",
}


def test_a_collection_as_published(tmp_path):
    for name in ("ISIC_1", "ISIC_2", "ISIC_3", "ISIC_4"):
        photo(tmp_path / "ISIC-HIBAskinlesions" / f"{name}.JPG")
    common = {"copyright_license": "CC-BY", "age_approx": 45, "sex": "female", "anatom_site_general": "head/neck"}
    table(
        tmp_path / "ISIC-HIBAskinlesions" / "metadata.csv",
        common
        | {"isic_id": "ISIC_1", "image_type": "dermoscopic", "patient_id": "IP_9", "lesion_id": "IL_1"}
        | {
            "diagnosis_1": "Malignant",
            "diagnosis_2": "Malignant epidermal proliferations",
            "diagnosis_confirm_type": "h",
        }
        | {"diagnosis_3": "Squamous cell carcinoma in situ", "fitzpatrick_skin_type": "III"}
        | {"diagnosis_4": "Squamous cell carcinoma in situ, Bowens disease", "concomitant_biopsy": "True"},
        common | {"isic_id": "ISIC_2", "image_type": "clinical: close-up", "lesion_id": "IL_2", "diagnosis": "nevus"},
        common | {"isic_id": "ISIC_3", "image_type": "dermoscopic", "diagnosis_3": "Epidermal nevus"},
        common | {"isic_id": "ISIC_4", "image_type": "RCM: macroscopic", "diagnosis_3": "Nevus"},
        common | {"isic_id": "ISIC_5", "diagnosis_3": "Nevus", "diagnosis_4": "Nevus, Deep penetrating"},
    )
    items = read("hiba", tmp_path)
    first, second = (each for each in items if isinstance(each, RawCase))
    assert (first.case_id, first.group, first.isic_id) == ("hiba/ISIC_1", "hiba/IP_9", "ISIC_1")
    assert (first.label, first.malignancy) == ("squamous cell carcinoma", "malignant")
    assert first.subtype == "squamous cell carcinoma in situ, bowens disease"
    assert first.description == "malignant epidermal proliferations"
    assert (first.age, first.sex, first.site, first.skin_type) == (45, "female", "head/neck", "Fitzpatrick 3")
    assert {"diagnosis_confirm_type", "concomitant_biopsy", "copyright_license"} <= set(first.extra)
    assert (second.label, second.subtype, second.modality) == ("melanocytic nevus", None, "clinical")
    assert (second.group, first.modality) == ("hiba/IL_2", "dermoscopy")
    assert reasons(items) == {
        "no class for Epidermal nevus": 1,
        "no class for a picture of type rcm": 1,
        "the picture is missing": 1,
    }


def test_several_collections_below_one_folder(tmp_path):
    for part, name in (("ISIC-msk1", "ISIC_1"), ("ISIC-msk2", "ISIC_2")):
        photo(tmp_path / part / f"{name}.JPG")
        table(
            tmp_path / part / "metadata.csv", {"isic_id": name, "diagnosis_3": "Nevus", "diagnosis_4": "Nevus, Spitz"}
        )
    for source in ("msk", "isic_archive"):
        cases = read(source, tmp_path)
        assert [case.case_id for case in cases] == [f"{source}/ISIC_1", f"{source}/ISIC_2"]
        assert {(case.label, case.subtype, case.modality) for case in cases} == {
            ("melanocytic nevus", "nevus, spitz", "dermoscopy")
        }


def test_bcn20000_from_figshare(tmp_path):
    codes = [*ONE_HOT[:8], "Melanoma metastasis", "Solar lentigo", "Squamous cell carcinoma, NOS", "Scar", ""]
    rows = []
    for index, code in enumerate(codes):
        photo(tmp_path / "bcn_20k_train" / f"BCN_{index}.jpg")
        rows.append({"bcn_filename": f"BCN_{index}.jpg", "diagnosis": code, "lesion_id": "BCN_7", "sex": "male"})
    rows[0] |= {"age_approx": 60, "anatom_site_general": "anterior torso", "capture_date": "2011-01-01", "split": "val"}
    table(tmp_path / "bcn_20k_train.csv", *rows)
    photo(tmp_path / "bcn_20k_test" / "BCN_99.jpg")
    table(tmp_path / "bcn_20k_test.csv", {"bcn_filename": "BCN_99.jpg", "diagnosis": "NV"})
    items = read("bcn20000", tmp_path)
    named = ("melanoma", "benign keratosis", "squamous cell carcinoma")
    expected = [*(CLASSES_2019[code] for code in ONE_HOT[:8]), *named, "melanocytic nevus"]
    assert list(labels(items).values()) == expected
    assert reasons(items) == {"no class for Scar": 1, "no label": 1}
    cases = [each for each in items if isinstance(each, RawCase)]
    assert {case.group for case in cases[:-1]} == {"bcn20000/BCN_7"}
    assert [case.split for case in cases] == ["validation", *["train"] * 10, "test"]
    assert (cases[0].age, cases[0].site, cases[0].subtype, cases[9].subtype) == (
        60,
        "anterior torso",
        None,
        "solar lentigo",
    )


def test_bcn20000_from_the_archive(tmp_path):
    photo(tmp_path / "ISIC_0053454.JPG")
    table(tmp_path / "metadata.csv", {"isic_id": "ISIC_0053454", "diagnosis_3": "Melanoma, NOS", "lesion_id": "IL_1"})
    (case,) = read("bcn20000", tmp_path)
    assert (case.case_id, case.label, case.subtype) == ("bcn20000/ISIC_0053454", "melanoma", None)


def test_isic2019_as_published(tmp_path):
    truth, meta = [], []
    for index, code in enumerate(ONE_HOT):
        name = f"ISIC_{index}" + ("_downsampled" if index == 0 else "")
        photo(tmp_path / "ISIC_2019_Training_Input" / f"{name}.jpg")
        truth.append({"image": name} | {each: float(each == code) for each in ONE_HOT})
        lesion = ("MSK4_1", "HAM_0001", "BCN_0001", "")[index % 4]
        meta.append({"image": name, "age_approx": 30, "anatom_site_general": "", "lesion_id": lesion, "sex": "male"})
    table(tmp_path / "ISIC_2019_Training_GroundTruth.csv", *truth)
    table(tmp_path / "ISIC_2019_Training_Metadata.csv", *meta)
    items = read("isic2019", tmp_path)
    assert list(labels(items).values()) == list(CLASSES_2019.values())
    assert reasons(items) == {"no class for UNK": 1}
    msk, ham, bcn, alone = items[:4]
    assert (msk.isic_id, msk.case_id) == ("ISIC_0", "isic2019/ISIC_0_downsampled")
    # A lesion of HAM10000 or BCN20000 is one group wherever its pictures come from.
    assert [each.group for each in (msk, ham, bcn, alone)] == [
        "isic2019/MSK4_1",
        "ham10000/HAM_0001",
        "bcn20000/BCN_0001",
        "isic2019/ISIC_3",
    ]
    assert (ham.age, ham.sex, ham.site, ham.split) == (30, "male", None, "train")


def ham_and_2019(folder) -> list[str]:
    """HAM10000 and ISIC 2019 with the same three pictures at two sizes, and ten lesions of ISIC 2019 alone."""
    names = [f"ISIC_{index}" for index in range(3)]
    rows = [{"image_id": name, "lesion_id": "HAM_1" if name == "ISIC_1" else "HAM_0", "dx": "nv"} for name in names]
    rows[2] |= {"lesion_id": "HAM_2", "dx": "akiec"}
    truth, meta = [], []
    for name in (*names, *(f"ISIC_{index}" for index in range(10, 20)), "ISIC_30"):
        code = "SCC" if name == "ISIC_2" else "NV"
        truth.append({"image": name} | {each: float(each == code) for each in ONE_HOT})
        lesion = "HAM_1" if name == "ISIC_30" else ""  # a picture that only ISIC 2019 has, of a lesion of HAM10000
        meta.append({"image": name, "lesion_id": lesion})
        photo(folder / "2019" / "ISIC_2019_Training_Input" / f"{name}.jpg")
    for name in names:
        photo(folder / "ham" / "HAM10000_images_part_1" / f"{name}.jpg")
    for index, path in enumerate(sorted(folder.rglob("*.jpg"))):  # no two files or pictures are alike
        Image.new("RGB", (50 + index, 40), (index * 7, 90, 200)).save(path)
    table(folder / "ham" / "HAM10000_metadata.csv", *rows)
    table(folder / "2019" / "ISIC_2019_Training_GroundTruth.csv", *truth)
    table(folder / "2019" / "ISIC_2019_Training_Metadata.csv", *meta)
    return [f"ham10000={folder / 'ham'}", f"isic2019={folder / '2019'}"]


def test_the_overlap_of_isic2019_and_ham10000_is_left_out_of_training(tmp_path):
    sources = ham_and_2019(tmp_path)
    out = tmp_path / "cases"
    assert prepare.main([*sources, "--external", "ham10000", "--out", str(out), "--workers", "1"]) == 0
    table = Cases.read(out).table.set_index("case_id")
    assert set(table.index[table["split"] == "external"]) == {"ham10000/ISIC_0", "ham10000/ISIC_1"}
    # The copies of 0 and 1 are gone, so is the third picture of a lesion that is tested on.
    assert not {"isic2019/ISIC_0", "isic2019/ISIC_1", "isic2019/ISIC_30"} & set(table.index)
    # One calls number 2 a squamous cell carcinoma and one an actinic keratosis: nobody can say which is right.
    assert not {"ham10000/ISIC_2", "isic2019/ISIC_2"} & set(table.index)
    assert (table["source"] == "isic2019").sum() == 10


def test_isic2020_as_published(tmp_path):
    expected = {
        "nevus": "melanocytic nevus",
        "melanoma": "melanoma",
        "seborrheic keratosis": "benign keratosis",
        "lentigo NOS": "benign keratosis",
        "lichenoid keratosis": "benign keratosis",
        "solar lentigo": "benign keratosis",
    }
    others = ("unknown", "cafe-au-lait macule", "atypical melanocytic proliferation")
    rows = []
    for index, diagnosis in enumerate((*expected, *others)):
        photo(tmp_path / "train" / f"ISIC_{index}.jpg")
        malignancy = "malignant" if diagnosis == "melanoma" else "benign"
        rows.append({"image_name": f"ISIC_{index}", "diagnosis": diagnosis, "benign_malignant": malignancy})
    rows[0] |= {"patient_id": "IP_1", "sex": "female", "age_approx": "45.0", "target": 0}
    rows[0] |= {"anatom_site_general_challenge": "upper extremity"}
    table(tmp_path / "train.csv", *rows, {"image_name": "ISIC_99", "diagnosis": "nevus"})
    table(tmp_path / "ISIC_2020_Training_Duplicates.csv", {"image_name_1": "ISIC_0", "image_name_2": "ISIC_99"})
    items = read("isic2020", tmp_path)
    assert list(labels(items).values()) == list(expected.values())
    assert reasons(items) == {
        "no label": 1,
        "no class for cafe-au-lait macule": 1,
        "no class for atypical melanocytic proliferation": 1,
        "listed by the publisher as a duplicate": 1,
    }
    first, second, third = items[:3]
    assert (first.group, first.age, first.sex, first.site) == ("isic2020/IP_1", 45, "female", "upper extremity")
    assert (first.malignancy, second.malignancy, third.subtype) == ("benign", "malignant", "seborrheic keratosis")
    assert "target" not in first.extra
    assert first.isic_id == "ISIC_0"


@pytest.mark.real_data
def test_the_real_table_of_isic2019(monkeypatch):
    with_every_picture(monkeypatch, "isic2019")
    items = read("isic2019", TABLES / "isic2019_bcn20000")
    published = {"NV": 12875, "MEL": 4522, "BCC": 3323, "BKL": 2624, "AK": 867, "SCC": 628, "VASC": 253, "DF": 239}
    assert count(items) == {CLASSES_2019[code]: number for code, number in published.items()}
    assert len({case.group for case in items}) == 11847 + 2084  # named lesions, and pictures without a lesion
    assert sum(case.group.startswith("ham10000/") for case in items) == 10015
    assert sum(case.group.startswith("bcn20000/") for case in items) == 12413
    assert not any("downsampled" in case.isic_id for case in items)


@pytest.mark.real_data
def test_the_real_table_of_isic2020(monkeypatch):
    with_every_picture(monkeypatch, "isic2020")
    items = read("isic2020", TABLES / "isic2020")
    doubles = {row["image_name_2"] for row in rows_of(TABLES / "isic2020" / "ISIC_2020_Training_Duplicates.csv")}
    rows = rows_of(TABLES / "isic2020" / "ISIC_2020_Training_GroundTruth.csv")
    published = Counter(row["diagnosis"] for row in rows)
    assert (published["nevus"], published["melanoma"], published["unknown"]) == (5193, 584, 27124)
    left = Counter(row["diagnosis"] for row in rows if row["image_name"] not in doubles)
    keratoses = ("seborrheic keratosis", "lentigo NOS", "lichenoid keratosis", "solar lentigo")
    assert count(items) == {
        "melanocytic nevus": left["nevus"],
        "melanoma": left["melanoma"],
        "benign keratosis": sum(left[name] for name in keratoses),
    }
    assert reasons(items)["listed by the publisher as a duplicate"] == len(doubles) == 425
    assert reasons(items)["no label"] == left["unknown"]
    assert {case.malignancy for case in items if getattr(case, "label", "") == "melanoma"} == {"malignant"}
