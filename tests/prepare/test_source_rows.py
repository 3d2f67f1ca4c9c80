"""Groups, splits, metadata and left out rows of every source in its publisher's layouts."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from dermnote.errors import CasesError
from tests.prepare.dataset_trees import cases_of, labels, photo, read, reasons, table
from train import prepare
from train.data.cases import Cases
from train.data.sources import Rejected

ONE_HOT = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")


def one_hot(code: str, codes: tuple[str, ...] = ONE_HOT) -> dict[str, float]:
    return {each: float(each == code) for each in codes}


def test_milk10k_as_published(tmp_path):
    truth, meta, more = [], [], []
    for index, code in enumerate(("SCCKA", "INF")):
        lesion = f"IL_000000{index}"
        truth.append({"lesion_id": lesion} | one_hot(code, ("AKIEC", "BCC", "SCCKA", "INF")))
        for kind, name in (("clinical: close-up", f"ISIC_{index}00"), ("dermoscopic", f"ISIC_{index}01")):
            photo(tmp_path / "MILK10k_Training_Input" / lesion / f"{name}.jpg")
            person = {"age_approx": 70, "sex": "male", "skin_tone_class": 4, "site": "head_neck_face"}
            meta.append({"lesion_id": lesion, "image_type": kind, "isic_id": name} | person)
            more.append({"isic_id": name, "diagnosis_full": "Keratoacanthoma", "diagnosis_confirm_type": "h"})
    for name, rows in (("GroundTruth", truth), ("Metadata", meta), ("Supplement", more)):
        table(tmp_path / f"MILK10k_Training_{name}.csv", *rows)
    items = read("milk10k", tmp_path)
    first, second = cases_of(items)
    assert [first.case_id, second.case_id] == ["milk10k/ISIC_000", "milk10k/ISIC_001"]
    assert [first.modality, second.modality] == ["clinical", "dermoscopy"]
    assert first.group == second.group == "milk10k/IL_0000000"
    assert (first.label, first.subtype) == ("squamous cell carcinoma", "keratoacanthoma")
    assert (first.age, first.sex, first.site) == (70, "male", "head or neck")
    assert first.skin_type == "MILK10k tone 4 (0 darkest to 5)"
    assert first.extra == {"code": "SCCKA", "diagnosis_confirm_type": "h"}
    assert reasons(items) == {"no class for INF": 2}


def test_milk10k_joined_table(tmp_path):
    photo(tmp_path / "images" / "ISIC_1.jpg")
    common = {"image_type": "dermoscopic", "lesion_id": "IL_1", "label": "AKIEC", "sex": "", "site": ""}
    finer = {"diagnosis_1": "Indeterminate", "diagnosis_2": "Indeterminate epidermal proliferations"}
    finer |= {"diagnosis_full": "Solar or actinic keratosis"}
    table(tmp_path / "metadata.csv", common | {"isic_id": "ISIC_1"} | finer, common | {"isic_id": "ISIC_2"})
    case, missing = read("milk10k", tmp_path)
    assert (case.label, case.malignancy, case.subtype) == ("actinic keratosis", "pre-cancerous", None)
    assert case.description == "indeterminate epidermal proliferations"
    assert (case.age, case.sex, case.site, case.skin_type) == (None,) * 4
    assert missing == Rejected("milk10k", "ISIC_2.jpg", 3, "the picture is missing")


@pytest.mark.parametrize("ending", ["", ".csv", ".tab"])
def test_ham10000_as_published(tmp_path, ending):
    photo(tmp_path / "HAM10000_images_part_1" / "ISIC_0024306.jpg")
    photo(tmp_path / "HAM10000_images_part_2" / "ISIC_0024307.jpg")
    common = {"lesion_id": "HAM_1", "dx": "akiec", "dx_type": "histo", "age": "", "sex": "unknown"}
    rows = [common | {"image_id": f"ISIC_002430{i}", "localization": "unknown" if i == 6 else "back"} for i in (6, 7)]
    table(tmp_path / "rows.csv", *rows)
    text = (tmp_path / "rows.csv").read_text()
    (tmp_path / f"HAM10000_metadata{ending}").write_text(text.replace(",", "\t") if ending == ".tab" else text)
    one, two = read("ham10000", tmp_path)
    assert one.group == two.group == "ham10000/HAM_1"
    assert (one.label, one.age, one.sex, one.site, two.site) == ("actinic keratosis", None, None, None, "back")
    assert (one.isic_id, one.extra["dx_type"]) == ("ISIC_0024306", "histo")


def test_pad_ufes_20_as_published(tmp_path):
    photo(tmp_path / "images" / "imgs_part_2" / "PAT_8_15_820.png")
    common = {"patient_id": "PAT_8", "lesion_id": 15, "gender": "FEMALE", "fitspatrick": 3.0, "biopsed": True}
    row = {"img_id": "PAT_8_15_820.png", "diagnostic": "SEK", "age": 55, "region": "FOREARM", "itch": "UNK"}
    table(tmp_path / "metadata.csv", common | row, common | {"img_id": "PAT_8_15_821.png", "diagnostic": "ACK"})
    case, missing = read("pad_ufes_20", tmp_path)
    assert (case.label, case.subtype) == ("benign keratosis", "seborrheic keratosis")
    assert (case.group, case.modality, case.age, case.site) == ("pad_ufes_20/PAT_8", "clinical", 55, "forearm")
    # The presence of a value gives the label away, so these may only be in `extra`.
    assert (case.sex, case.skin_type) == (None, None)
    assert {"gender", "fitspatrick", "biopsed"} <= set(case.extra)
    assert missing == Rejected("pad_ufes_20", "PAT_8_15_821.png", 3, "the picture is missing")
    table(tmp_path / "manifest.csv", {"img_id": "PAT_8_15_820.png"})
    assert reasons(read("pad_ufes_20", tmp_path)) == {"not among the pictures of this copy": 1}


def test_isic2017_as_published(tmp_path):
    for part, name in (("Training", "ISIC_1"), ("Validation", "ISIC_2"), ("Test_v2", "ISIC_3")):
        photo(tmp_path / f"ISIC-2017_{part}_Data" / f"{name}.jpg")
        photo(tmp_path / f"ISIC-2017_{part}_Data" / f"{name}_superpixels.png")
        truth = {"melanoma": float(part == "Training"), "seborrheic_keratosis": float(part == "Test_v2")}
        table(tmp_path / f"ISIC-2017_{part}_Part3_GroundTruth.csv", {"image_id": name} | truth)
        meta = {"image_id": name, "age_approximate": "unknown" if part == "Training" else 35, "sex": "female"}
        table(tmp_path / f"ISIC-2017_{part}_Data" / f"ISIC-2017_{part}_Data_metadata.csv", meta)
    cases = read("isic2017", tmp_path)
    assert [case.split for case in cases] == ["train", "validation", "test"]
    assert [case.label for case in cases] == ["melanoma", "melanocytic nevus", "benign keratosis"]
    assert [case.age for case in cases] == [None, 35, 35]
    assert [case.subtype for case in cases] == [None, None, "seborrheic keratosis"]
    assert len({case.group for case in cases}) == 3
    row = {"image_id": "ISIC_1", "melanoma": 0, "seborrheic_keratosis": 0, "orig_width": 30, "orig_height": 20}
    table(tmp_path / "metadata.csv", row, row | {"melanoma": 1, "seborrheic_keratosis": 1})
    squashed, both = read("isic2017", tmp_path)
    assert (squashed.aspect, squashed.extra) == (1.5, {})
    assert both.reason == "no label"


def test_a_collection_of_the_archive(tmp_path):
    for name in ("ISIC_1", "ISIC_2", "ISIC_4"):
        photo(tmp_path / "ISIC-HIBAskinlesions" / f"{name}.JPG")
    common = {"copyright_license": "CC-BY", "age_approx": 45, "sex": "female", "anatom_site_general": "head/neck"}
    first = {"isic_id": "ISIC_1", "image_type": "dermoscopic", "patient_id": "IP_9", "lesion_id": "IL_1"}
    first |= {"diagnosis_1": "Malignant", "diagnosis_2": "Malignant epidermal proliferations"}
    first |= {"diagnosis_3": "Squamous cell carcinoma in situ", "fitzpatrick_skin_type": "III"}
    first |= {"diagnosis_4": "Squamous cell carcinoma in situ, Bowens disease", "diagnosis_confirm_type": "h"}
    table(
        tmp_path / "ISIC-HIBAskinlesions" / "metadata.csv",
        common | first,
        common | {"isic_id": "ISIC_2", "image_type": "clinical: close-up", "lesion_id": "IL_2", "diagnosis": "nevus"},
        common | {"isic_id": "ISIC_4", "image_type": "RCM: macroscopic", "diagnosis_3": "Nevus"},
        common | {"isic_id": "ISIC_5", "diagnosis_3": "Nevus", "diagnosis_4": "Nevus, Deep penetrating"},
    )
    items = read("hiba", tmp_path)
    one, two = cases_of(items)
    assert (one.case_id, one.group, one.isic_id) == ("hiba/ISIC_1", "hiba/IP_9", "ISIC_1")
    assert (one.label, one.malignancy) == ("squamous cell carcinoma", "malignant")
    assert one.subtype == "squamous cell carcinoma in situ, bowens disease"
    assert one.description == "malignant epidermal proliferations"
    assert (one.age, one.sex, one.site, one.skin_type) == (45, "female", "head/neck", "Fitzpatrick 3")
    assert {"diagnosis_confirm_type", "copyright_license"} <= set(one.extra)
    assert (two.label, two.subtype, two.modality) == ("melanocytic nevus", None, "clinical")
    assert (two.group, one.modality) == ("hiba/IL_2", "dermoscopy")
    assert reasons(items) == {"no class for a picture of type rcm": 1, "the picture is missing": 1}


def test_several_collections_below_one_folder(tmp_path):
    for part, name in (("ISIC-msk1", "ISIC_1"), ("ISIC-msk2", "ISIC_2")):
        photo(tmp_path / part / f"{name}.JPG")
        row = {"isic_id": name, "diagnosis_3": "Nevus", "diagnosis_4": "Nevus, Spitz", "patient_id": "IP_1"}
        table(tmp_path / part / "metadata.csv", row)
    for source in ("msk", "isic_archive", "bcn20000", "derm12345"):
        cases = read(source, tmp_path)
        assert [case.case_id for case in cases] == [f"{source}/ISIC_1", f"{source}/ISIC_2"]
        found = {(case.label, case.subtype, case.modality, case.group) for case in cases}
        assert found == {("melanocytic nevus", "nevus, spitz", "dermoscopy", f"{source}/IP_1")}


def test_bcn20000_from_figshare(tmp_path):
    rows = [{"bcn_filename": f"BCN_{i}.jpg", "diagnosis": code} for i, code in enumerate(("MEL", "Solar lentigo"))]
    rows[0] |= {"age_approx": 60, "anatom_site_general": "anterior torso", "split": "val", "lesion_id": "BCN_7"}
    table(tmp_path / "bcn_20k_train.csv", *rows)
    table(tmp_path / "bcn_20k_test.csv", {"bcn_filename": "BCN_99.jpg", "diagnosis": "NV"})
    for name in ("train/BCN_0", "train/BCN_1", "test/BCN_99"):
        photo(tmp_path / f"bcn_20k_{name}.jpg")
    first, lentigo, last = read("bcn20000", tmp_path)
    assert (first.group, first.age, first.site) == ("bcn20000/BCN_7", 60, "anterior torso")
    assert [each.split for each in (first, lentigo, last)] == ["validation", "train", "test"]
    assert [each.subtype for each in (first, lentigo, last)] == [None, "solar lentigo", None]


def test_isic2019_as_published(tmp_path):
    names = ("ISIC_0_downsampled", "ISIC_1", "ISIC_2", "ISIC_3")
    for name in names:
        photo(tmp_path / "ISIC_2019_Training_Input" / f"{name}.jpg")
    meta = [
        {"image": name, "age_approx": 30, "anatom_site_general": "", "lesion_id": lesion, "sex": "male"}
        for name, lesion in zip(names, ("MSK4_1", "HAM_0001", "BCN_0001", ""), strict=True)
    ]
    table(tmp_path / "ISIC_2019_Training_GroundTruth.csv", *({"image": name} | one_hot("NV") for name in names))
    table(tmp_path / "ISIC_2019_Training_Metadata.csv", *meta)
    msk, ham, bcn, alone = read("isic2019", tmp_path)
    assert (msk.isic_id, msk.case_id) == ("ISIC_0", "isic2019/ISIC_0_downsampled")
    # A lesion of HAM10000 or BCN20000 is one group, whatever source its images come from.
    groups = ["isic2019/MSK4_1", "ham10000/HAM_0001", "bcn20000/BCN_0001", "isic2019/ISIC_3"]
    assert [each.group for each in (msk, ham, bcn, alone)] == groups
    assert (ham.age, ham.sex, ham.site, ham.split) == (30, "male", None, "train")


def ham_and_2019(folder: Path) -> list[str]:
    """HAM10000 and ISIC 2019 with the same three images at two sizes, and ten lesions of ISIC 2019 alone."""
    names = [f"ISIC_{index}" for index in range(3)]
    rows = [{"image_id": name, "lesion_id": "HAM_1" if name == "ISIC_1" else "HAM_0", "dx": "nv"} for name in names]
    rows[2] |= {"lesion_id": "HAM_2", "dx": "akiec"}
    truth, meta = [], []
    for name in (*names, *(f"ISIC_{index}" for index in range(10, 20)), "ISIC_30"):
        truth.append({"image": name} | one_hot("SCC" if name == "ISIC_2" else "NV"))
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


def test_isic2020_as_published(tmp_path):
    codes = ("nevus", "melanoma", "seborrheic keratosis", "unknown")
    rows = [{"image_name": f"ISIC_{i}", "diagnosis": code, "benign_malignant": ""} for i, code in enumerate(codes)]
    rows[0] |= {"patient_id": "IP_1", "sex": "female", "age_approx": "45.0", "target": 0, "benign_malignant": "benign"}
    rows[0] |= {"anatom_site_general_challenge": "upper extremity"}
    for row in rows:
        photo(tmp_path / "train" / f"{row['image_name']}.jpg")
    table(tmp_path / "train.csv", *rows, {"image_name": "ISIC_99", "diagnosis": "nevus"})
    table(tmp_path / "ISIC_2020_Training_Duplicates.csv", {"image_name_1": "ISIC_0", "image_name_2": "ISIC_99"})
    items = read("isic2020", tmp_path)
    assert reasons(items) == {"no label": 1, "listed by the publisher as a duplicate": 1}
    first, second, third = cases_of(items)
    assert (first.group, first.age, first.sex, first.site) == ("isic2020/IP_1", 45, "female", "upper extremity")
    assert (first.malignancy, second.malignancy, third.subtype) == ("benign", None, "seborrheic keratosis")
    assert (first.extra, first.isic_id) == ({"code": "nevus"}, "ISIC_0")


@pytest.mark.parametrize("ending", [".csv", ".tab"])
@pytest.mark.parametrize("below", ["", "sk"])
def test_derm12345_as_published(tmp_path, ending, below):
    photo(tmp_path / "derm12345_train_part_1" / below / "D1.jpg")
    photo(tmp_path / "derm12345_test" / "D99.jpg")
    rows = [{"image_id": name, "label": "sk", "sub_class": "seborrheic_keratosis"} for name in ("D1", "D99")]
    for part, row in zip(("train", "test"), rows, strict=True):
        table(tmp_path / "rows.csv", row | {"malignancy": "benign"})
        text = (tmp_path / "rows.csv").read_text()
        text = text.replace(",", "\t") if ending == ".tab" else text
        (tmp_path / f"derm12345_metadata_{part}{ending}").write_text(text)
    first, last = read("derm12345", tmp_path)
    assert [first.split, last.split] == ["train", "test"]
    assert (last.subtype, last.extra["malignancy"]) == ("seborrheic keratosis", "benign")
    assert (last.group, last.isic_id) == ("derm12345/D99", None)


def test_derm7pt_as_published(tmp_path):
    root = tmp_path / "release_v0"
    diagnoses = ("nevus", "melanoma (in situ)", "melanoma (less than 0.76 mm)", "clark nevus", "blue nevus")
    rows = []
    for index, diagnosis in enumerate(diagnoses):
        row = {"case_num": index + 1, "diagnosis": diagnosis, "pigment_network": "atypical", "streaks": "absent"}
        row |= {"clinic": f"NEL/N{index}C.JPG", "derm": f"Nel/n{index}d.jpg", "blue_whitish_veil": "present"}
        for column in ("clinic", "derm"):
            photo(root / "images" / row[column])
        rows.append(row)
    rows[0] |= {"sex": "female", "location": "head neck", "management": "excision", "seven_point_score": 3}
    rows[-1] |= {"clinic": "Nel/N4D.jpg"}  # there was no clinical photo
    table(root / "meta" / "meta.csv", *rows)
    for name, positions in (("train", (0, 1)), ("valid", (2,)), ("test", (3, 4))):
        table(root / "meta" / f"{name}_indexes.csv", *({"indexes": position} for position in positions))
    items = read("derm7pt", tmp_path)
    assert reasons(items) == {"no clinical photo: the dermoscopic one stands in its place": 1}
    cases = cases_of(items)
    derm, clinic = cases[:2]
    assert (derm.modality, clinic.modality) == ("dermoscopy", "clinical")
    assert derm.group == clinic.group == "derm7pt/1"
    assert derm.description == "pigment network atypical; blue whitish veil present"
    assert (clinic.description, clinic.sex, clinic.site) == (None, "female", "head neck")
    assert {"seven_point_score", "management"} <= set(derm.extra)
    assert [case.split for case in cases[::2]] == ["train", "train", "validation", "test", "test"]
    # No image shows the thickness.
    assert [case.subtype for case in cases[::2]] == [None, "melanoma in situ", None, "clark nevus", "blue nevus"]


def test_skinl2_in_all_its_layouts(tmp_path):
    photo(tmp_path / "SKINL2_v1" / "Dermatoscopic" / "Nevus" / "0241_Dermatoscopic.png")
    photo(tmp_path / "SKINL2_v1" / "Light Fields" / "Nevus" / "0241_LF.png")
    photo(tmp_path / "SKINL2_v2" / "0080" / "Hemangioma" / "Dermatoscopic" / "0080_Dermatoscopic.png")
    for name in ("159_2", "0159_3"):
        photo(tmp_path / "SKINL2_v3" / "0159" / "Melanoma" / "Dermatoscopic" / f"{name}_Dermatoscopic.png")
    v1, v2, *v3 = read("skinl2", tmp_path)
    assert (v1.label, v1.group, v1.subtype) == ("melanocytic nevus", "skinl2/241", None)
    assert (v2.label, v2.group, v2.subtype) == ("vascular lesion", "skinl2/80", "hemangioma")
    assert {(each.label, each.group) for each in v3} == {("melanoma", "skinl2/159")}


@pytest.mark.parametrize("ending", [".xlsx", ".txt"])
def test_ph2_in_both_its_tables(tmp_path, ending):
    for name in ("IMD003", "IMD009", "IMD058"):
        for path in (f"{name}_Dermoscopic_Image/{name}.bmp", f"{name}_lesion/{name}_lesion.bmp"):
            photo(tmp_path / "PH2 Dataset images" / name / path)
    if ending == ".txt":
        lines = ("|| Name || Histological Diagnosis || Clinical Diagnosis || Asymmetry ||", "|| IMD003 || || 0 || 0 ||")
        lines += ("|| IMD009 || || 1 || 0 ||", "|| IMD058 || Melanoma in situ || 2 || 2 ||", "", "Legends: 0 - Nevus")
        (tmp_path / "PH2_dataset.txt").write_text("\n".join(lines))
    else:
        columns = {
            "Common Nevus": ["X", None, None],
            "Atypical Nevus": [None, "X", None],
            "Melanoma": [None, None, "X"],
        }
        columns |= {"Pigment Network\n(AT/T)": ["AT", "T", "AT"], "Streaks\n(A/P)": ["A", "A", "P"]}
        columns |= {"Light-Brown": ["X", None, "X"], "Black": [None, None, "X"], "Asymmetry": [0, 1, 2]}
        names = {"Image Name": ["IMD003", "IMD009", "IMD058"], "Histological Diagnosis": ["", "", "Melanoma in situ"]}
        pd.DataFrame(names | columns).to_excel(tmp_path / "PH2_dataset.xlsx", startrow=12, index=False)
    common, atypical, melanoma = read("ph2", tmp_path)
    assert [case.label for case in (common, atypical, melanoma)] == ["melanocytic nevus"] * 2 + ["melanoma"]
    assert [case.subtype for case in (common, atypical, melanoma)] == [None, "atypical nevus", None]
    assert melanoma.extra["Histological Diagnosis"] == "Melanoma in situ"
    assert common.picture.name == "IMD003.bmp"
    if ending == ".xlsx":
        assert common.description == "pigment network atypical; colours light-brown"
        assert melanoma.description == "pigment network atypical; streaks present; colours light-brown, black"
        assert (common.row, melanoma.row) == (14, 16)


def test_clinical_sources_with_names_of_diagnoses(tmp_path):
    photo(tmp_path / "dermnet" / "test" / "Moles Photos" / "blue-nevus-3.jpg")
    photo(tmp_path / "sd198" / "images" / "Blue_Nevus" / "001HB.jpg")
    photo(tmp_path / "sd198" / "images" / "Actinic_solar_Damage(Actinic_Keratosis)" / "002HB.jpg")
    photo(tmp_path / "fluo_sc" / "SEK" / "CLI_SEK_1.jpg")
    photo(tmp_path / "fluo_sc" / "SEK" / "FLUO_SEK_1.jpg")  # not read
    (dermnet,), (actinic, nevus), (fluo,) = (read(name, tmp_path / name) for name in ("dermnet", "sd198", "fluo_sc"))
    assert (dermnet.split, dermnet.extra) == ("test", {"code": "blue nevus", "category": "Moles Photos"})
    assert (nevus.subtype, actinic.subtype, nevus.modality) == ("blue nevus", None, "clinical")
    assert fluo.subtype == "seborrheic keratosis"
    photo(tmp_path / "ddi" / "images" / "000001.png")
    photo(tmp_path / "ddi" / "images" / "000002.png")
    row = {"DDI_ID": 1, "DDI_file": "000001.png", "skin_tone": 34, "disease": "melanocytic-nevi"}
    other = {"DDI_ID": 2, "DDI_file": "000002.png", "skin_tone": 12, "disease": "dysplastic-nevus"}
    table(tmp_path / "ddi" / "ddi_metadata.csv", row, other)
    first, second = read("ddi", tmp_path / "ddi")
    assert (first.skin_type, first.subtype) == ("Fitzpatrick 3-4", None)
    assert (second.skin_type, second.subtype) == ("Fitzpatrick 1-2", "dysplastic nevus")
    assert first.extra == {"code": "melanocytic-nevi", "DDI_ID": "1"}


def test_fitzpatrick17k_as_published(tmp_path):
    photo(tmp_path / "images" / "httpwwwfirst.jpg")
    photo(tmp_path / "images" / "md5b.jpg")
    first = {"md5hash": "md5a", "label": "melanoma", "fitzpatrick_scale": -1, "url_alphanum": "httpwwwfirst.jpg"}
    second = {"md5hash": "md5b", "label": "lichen planus", "fitzpatrick_scale": 1}
    wrong = {"md5hash": "wrong", "label": "melanoma", "qc": "3 Wrongly labelled"}
    table(tmp_path / "fitzpatrick17k.csv", first, second, wrong)
    one, two, left_out = read("fitzpatrick17k", tmp_path)
    assert left_out.reason == "wrongly labelled, says the publisher"
    assert (one.skin_type, two.skin_type, two.subtype) == (None, "Fitzpatrick 1", "lichen planus")
    assert (one.picture.name, one.group, two.group) == (
        "httpwwwfirst.jpg",
        "fitzpatrick17k/md5a",
        "fitzpatrick17k/md5b",
    )


def test_med_node_needs_both_its_folders(tmp_path):
    photo(tmp_path / "melanoma" / "1.jpg")
    with pytest.raises(CasesError, match="does not look like med_node"):
        read("med_node", tmp_path)
    photo(tmp_path / "naevus" / "1.jpg")
    assert labels(read("med_node", tmp_path)) == {"melanoma/1": "melanoma", "naevus/1": "melanocytic nevus"}


def test_scin_as_published(tmp_path):
    for name in ("-1", "-2", "-77"):
        photo(tmp_path / "dataset" / "images" / f"{name}.png")
    weights = {"one": "{'Melanoma': 1.0}", "two": "{'Lentigo': 1.0}", "tie": "{'Melanoma': 0.5, 'Lentigo': 0.5}"}
    weights |= {"odd": "{'Melanoma': "}
    cases = [{"case_id": each, "image_1_path": "dataset/images/-1.png"} for each in (*weights, "none")]
    cases[0] |= {"image_3_path": "dataset/images/-77.png", "sex_at_birth": "FEMALE", "fitzpatrick_skin_type": "FST4"}
    cases[0] |= {"body_parts_back_of_hand": "YES", "condition_symptoms_itching": "YES", "age_group": "AGE_18_TO_29"}
    cases[1] |= {"body_parts_arm": "YES", "body_parts_leg": "YES", "sex_at_birth": "OTHER_OR_UNSPECIFIED"}
    cases[1] |= {"image_1_path": "dataset/images/-2.png"}
    rows = [{"case_id": each, "weighted_skin_condition_label": text} for each, text in weights.items()]
    table(tmp_path / "scin_cases.csv", *cases)
    table(tmp_path / "scin_labels.csv", *rows)
    items = read("scin", tmp_path)
    assert reasons(items) == {"no class for several conditions of equal weight": 1, "no label": 2}
    first, again, other = cases_of(items)
    assert first.group == again.group == "scin/one"
    assert (again.case_id, first.sex, first.site) == ("scin/-77", "female", "back of hand")
    assert first.skin_type == "Fitzpatrick 4"
    assert {"condition_symptoms_itching", "age_group"} <= set(first.extra)
    assert (other.site, other.sex) == (None, None)


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_mra_midas_as_published(tmp_path, ending):
    paths = ("benign-hemangioma", "7-malignant- sccis", "10-malignant-ak")
    distances = ("dscope", "6in", "n/a - virtual")
    rows = []
    for index, (path, distance) in enumerate(zip(paths, distances, strict=True)):
        photo(tmp_path / "images" / f"s-prd-{index}.jpg")
        rows.append({"midas_record_id": index // 2, "midas_file_name": f"S-prd-{index}.jpeg", "midas_path": path})
        rows[-1] |= {"midas_distance": distance}
    rows[0] |= {"midas_gender": "male", "midas_age": 71, "midas_location": "L cheek", "clinical_impression_1": "7-bcc"}
    rows[0] |= {"midas_fitzpatrick": "iv light brown skin", "midas_pathreport": "nevus, mild atypia"}
    control = {"midas_record_id": 9, "midas_file_name": "gone.jpg", "midas_path": "", "midas_iscontrol": "yes"}
    if ending == ".csv":
        table(tmp_path / "release_midas.csv", *rows, control)
    else:
        pd.DataFrame([*rows, control]).to_excel(tmp_path / "release_midas.xlsx")
    items = read("mra_midas", tmp_path)
    assert reasons(items) == {"no label": 1}
    first, second, third = cases_of(items)
    assert [each.modality for each in (first, second, third)] == ["dermoscopy", "clinical", "clinical"]
    assert first.group == second.group == "mra_midas/0" != third.group
    assert (first.sex, first.age, first.site, first.skin_type) == ("male", 71, "l cheek", "Fitzpatrick 4")
    assert {"clinical_impression_1", "midas_pathreport"} <= set(first.extra)
    assert [each.subtype for each in (first, second, third)] == [
        "hemangioma",
        "squamous cell carcinoma in situ",
        None,
    ]
