"""Sources of clinical photos."""

from collections import Counter

import pandas as pd
import pytest

from tests.dataset_trees import TABLES, count, labels, photo, read, reasons, rows_of, table, with_every_picture
from train.data.sources import RawCase


def test_dermnet_as_kaggle_has_it(tmp_path):
    expected = {
        "actinic-keratosis-face-21": "actinic keratosis",
        "bowens-disease-68": "actinic keratosis",
        "basal-cell-carcinoma-lesion-9": "basal cell carcinoma",
        "blue-nevus-3": "melanocytic nevus",
        "halo-nevus-2": "melanocytic nevus",
        "melanocytic-nevi-4": "melanocytic nevus",
        "atypical-nevi-4": "melanocytic nevus",
        "congenital-nevus-11": "melanocytic nevus",
        "malignant-melanoma-7": "melanoma",
        "lentigo-maligna-7": "melanoma",
        "seborrheic-keratoses-ruff-166": "benign keratosis",
        "seborrheic-keratosis-irritated-21": "benign keratosis",
        "Lichen-Planus-Drug-3": "benign keratosis",
        "dermatofibroma-85": "dermatofibroma",
        "squamous-cell-carcinoma-face-6": "squamous cell carcinoma",
        "keratoacanthoma-1": "squamous cell carcinoma",
        "hemangioma-infancy-3": "vascular lesion",
        "cherry-angioma-9": "vascular lesion",
        "angiokeratomas-2": "vascular lesion",
        "pyogenic-granuloma-5": "vascular lesion",
    }
    others = ("melanoma-mimic-16", "basal-cell-nevus-syndrome-3", "epidermal-nevus-1", "03EczemaExcoriated")
    for index, name in enumerate((*expected, *others)):
        photo(tmp_path / ("train" if index else "test") / "Some Category Photos" / f"{name}.jpg")
    items = read("dermnet", tmp_path)
    assert labels(items) == {f"Some Category Photos/{name}": label for name, label in expected.items()}
    assert reasons(items)["no class for melanoma mimic"] == 1
    assert reasons(items).total() == len(others)
    cases = [each for each in items if isinstance(each, RawCase)]
    assert Counter(case.split for case in cases) == {"train": len(expected) - 1, "test": 1}
    assert {case.extra["category"] for case in cases} == {"Some Category Photos"}


FITZPATRICK = {
    "seborrheic keratosis": "benign keratosis",
    "lichen planus": "benign keratosis",
    "dermatofibroma": "dermatofibroma",
    "nevocytic nevus": "melanocytic nevus",
    "halo nevus": "melanocytic nevus",
    "congenital nevus": "melanocytic nevus",
    "pyogenic granuloma": "vascular lesion",
    "granuloma pyogenic": "vascular lesion",
    "lymphangioma": "vascular lesion",
    "actinic keratosis": "actinic keratosis",
    "basal cell carcinoma": "basal cell carcinoma",
    "solid cystic basal cell carcinoma": "basal cell carcinoma",
    "basal cell carcinoma morpheiform": "basal cell carcinoma",
    "melanoma": "melanoma",
    "malignant melanoma": "melanoma",
    "superficial spreading melanoma ssm": "melanoma",
    "lentigo maligna": "melanoma",
    "squamous cell carcinoma": "squamous cell carcinoma",
}


def test_fitzpatrick17k_as_published(tmp_path):
    rows = []
    for index, disease in enumerate((*FITZPATRICK, "epidermal nevus", "kaposi sarcoma")):
        photo(tmp_path / "images" / (f"md5{index}.jpg" if index else "httpwwwfirst.jpg"))
        row = {"md5hash": f"md5{index}", "label": disease, "fitzpatrick_scale": index % 7 or -1}
        rows.append(row | {"three_partition_label": "benign", "url_alphanum": "httpwwwfirst.jpg" if not index else "x"})
    rows.append({"md5hash": "wrong", "label": "melanoma", "qc": "3 Wrongly labelled"})
    table(tmp_path / "fitzpatrick17k.csv", *rows)
    items = read("fitzpatrick17k", tmp_path)
    assert list(labels(items).values()) == list(FITZPATRICK.values())
    assert reasons(items) == {
        "no class for epidermal nevus": 1,
        "no class for kaposi sarcoma": 1,
        "wrongly labelled, says the publisher": 1,
    }
    first, second = items[:2]
    assert (first.skin_type, second.skin_type, second.subtype) == (None, "Fitzpatrick 1", "lichen planus")
    assert first.picture.name == "httpwwwfirst.jpg"
    assert {case.group for case in items[:2]} == {"fitzpatrick17k/md50", "fitzpatrick17k/md51"}


@pytest.mark.real_data
def test_the_real_table_of_fitzpatrick17k(monkeypatch):
    with_every_picture(monkeypatch, "fitzpatrick17k")
    items = read("fitzpatrick17k", TABLES / "fitzpatrick17k")
    rows = [row for row in rows_of(TABLES / "fitzpatrick17k" / "fitzpatrick17k.csv") if "Wrongly" not in row["qc"]]
    assert len(rows) == 16577 - 17
    assert count(items) == Counter(FITZPATRICK[row["label"]] for row in rows if row["label"] in FITZPATRICK)
    # The publisher's own coarser column, which the module does not read, agrees.
    melanoma = sum(row["nine_partition_label"] == "malignant melanoma" for row in rows)
    assert count(items)["melanoma"] == melanoma


def test_sd198_as_published(tmp_path):
    expected = {
        "Actinic_solar_Damage(Actinic_Keratosis)": "actinic keratosis",
        "Bowen's_Disease": "actinic keratosis",
        "Bowenoid_Papulosis": "actinic keratosis",
        "Basal_Cell_Carcinoma": "basal cell carcinoma",
        "Benign_Keratosis": "benign keratosis",
        "Lichen_Planus": "benign keratosis",
        "Seborrheic_Keratosis": "benign keratosis",
        "Solar_Lentigo": "benign keratosis",
        "Blue_Nevus": "melanocytic nevus",
        "Halo_Nevus": "melanocytic nevus",
        "Compound_Nevus": "melanocytic nevus",
        "Junction_Nevus": "melanocytic nevus",
        "Dermatofibroma": "dermatofibroma",
        "Lentigo_Maligna_Melanoma": "melanoma",
        "Malignant_Melanoma": "melanoma",
        "Pyogenic_Granuloma": "vascular lesion",
        "Strawberry_Hemangioma": "vascular lesion",
        "Keratoacanthoma": "squamous cell carcinoma",
    }
    others = ("Actinic_solar_Damage(Pigmentation)", "Becker's_Nevus", "Epidermal_Nevus", "Fibroma_Molle", "Psoriasis")
    for index, name in enumerate((*expected, *others)):
        photo(tmp_path / "images" / name / f"00{index}HB.jpg")
    items = read("sd198", tmp_path)
    assert labels(items) == {f"{name}/00{i}HB": label for i, (name, label) in enumerate(expected.items())}
    assert set(reasons(items)) == {f"no class for {name}" for name in others}
    by_id = {case.case_id.split("/")[1]: case for case in items if isinstance(case, RawCase)}
    assert by_id["Blue_Nevus"].subtype == "blue nevus"
    assert by_id["Actinic_solar_Damage(Actinic_Keratosis)"].subtype is None
    assert {case.modality for case in by_id.values()} == {"clinical"}


def test_ddi_as_published(tmp_path):
    diseases = {
        "melanocytic-nevi": "melanocytic nevus",
        "atypical-spindle-cell-nevus-of-reed": "melanocytic nevus",
        "pigmented-spindle-cell-nevus-of-reed": "melanocytic nevus",
        "dysplastic-nevus": "melanocytic nevus",
        "seborrheic-keratosis-irritated": "benign keratosis",
        "benign-keratosis": "benign keratosis",
        "pyogenic-granuloma": "vascular lesion",
        "actinic-keratosis": "actinic keratosis",
        "squamous-cell-carcinoma-in-situ": "actinic keratosis",
        "basal-cell-carcinoma-nodular": "basal cell carcinoma",
        "basal-cell-carcinoma-superficial": "basal cell carcinoma",
        "melanoma-in-situ": "melanoma",
        "melanoma-acral-lentiginous": "melanoma",
        "nodular-melanoma-(nm)": "melanoma",
        "squamous-cell-carcinoma-keratoacanthoma": "squamous cell carcinoma",
    }
    rows = []
    for index, disease in enumerate((*diseases, "epidermal-nevus", "nevus-lipomatosus-superficialis"), start=1):
        photo(tmp_path / "images" / f"{index:06d}.png")
        tone = (12, 34, 56)[index % 3]
        rows.append({"DDI_ID": index, "DDI_file": f"{index:06d}.png", "skin_tone": tone, "disease": disease})
        rows[-1] |= {"malignant": "melanoma" in disease}
    table(tmp_path / "ddi_metadata.csv", *rows)
    items = read("ddi", tmp_path)
    assert list(labels(items).values()) == list(diseases.values())
    assert reasons(items).total() == 2
    assert [case.skin_type for case in items[:3]] == ["Fitzpatrick 3-4", "Fitzpatrick 5-6", "Fitzpatrick 1-2"]
    assert (items[0].subtype, items[1].subtype) == (None, "atypical spindle cell nevus of reed")
    assert items[0].extra == {"code": "melanocytic-nevi", "DDI_ID": "1", "malignant": "False"}


def test_med_node_as_published(tmp_path):
    for name in ("melanoma", "naevus"):
        photo(tmp_path / "complete_mednode_dataset" / name / "1.jpg")
    items = read("med_node", tmp_path)
    assert labels(items) == {"melanoma/1": "melanoma", "naevus/1": "melanocytic nevus"}
    assert len({case.group for case in items}) == 2


SCIN = {
    "SK/ISK": "benign keratosis",
    "Lentigo": "benign keratosis",
    "Dermatofibroma": "dermatofibroma",
    "Melanocytic Nevus": "melanocytic nevus",
    "Atypical Nevus": "melanocytic nevus",
    "Hemangioma": "vascular lesion",
    "Pyogenic granuloma": "vascular lesion",
    "Lymphangioma": "vascular lesion",
    "Angiokeratoma of skin": "vascular lesion",
    "Actinic Keratosis": "actinic keratosis",
    "Basal Cell Carcinoma": "basal cell carcinoma",
    "Melanoma": "melanoma",
    "SCC/SCCIS": "squamous cell carcinoma",
}


def test_scin_as_published(tmp_path):
    cases, said = [], []
    for index, condition in enumerate((*SCIN, "Lichen planus/lichenoid eruption")):
        photo(tmp_path / "dataset" / "images" / f"-{index}.png")
        cases.append({"case_id": f"-{index}00", "image_1_path": f"dataset/images/-{index}.png"})
        weights = {"Eczema": 0.2, condition: 0.8} if index else {condition: 1.0}
        said.append({"case_id": f"-{index}00", "weighted_skin_condition_label": str(weights)})
    photo(tmp_path / "dataset" / "images" / "-77.png")
    cases[0] |= {"image_3_path": "dataset/images/-77.png", "sex_at_birth": "FEMALE", "fitzpatrick_skin_type": "FST4"}
    cases[0] |= {"body_parts_back_of_hand": "YES", "condition_symptoms_itching": "YES", "age_group": "AGE_18_TO_29"}
    cases[1] |= {"body_parts_arm": "YES", "body_parts_leg": "YES", "sex_at_birth": "OTHER_OR_UNSPECIFIED"}
    cases.append({"case_id": "tie", "image_1_path": "dataset/images/-1.png"})
    said.append({"case_id": "tie", "weighted_skin_condition_label": "{'Melanoma': 0.5, 'Lentigo': 0.5}"})
    cases.append({"case_id": "none", "image_1_path": "dataset/images/-2.png"})
    cases.append({"case_id": "odd", "image_1_path": "dataset/images/-3.png"})
    said.append({"case_id": "odd", "weighted_skin_condition_label": "{'Melanoma': "})
    table(tmp_path / "scin_cases.csv", *cases)
    table(tmp_path / "scin_labels.csv", *said)
    items = read("scin", tmp_path)
    first, again, *others = (each for each in items if isinstance(each, RawCase))
    assert [first.label, *(case.label for case in others)] == list(SCIN.values())
    assert reasons(items) == {
        "no class for Lichen planus/lichenoid eruption": 1,
        "no class for several conditions of equal weight": 1,
        "no label": 2,
    }
    assert first.group == again.group == "scin/-000"
    assert (again.case_id, first.sex, first.site, first.skin_type) == (
        "scin/-77",
        "female",
        "back of hand",
        "Fitzpatrick 4",
    )
    assert {"condition_symptoms_itching", "age_group"} <= set(first.extra)
    assert (others[0].site, others[0].sex) == (None, None)


@pytest.mark.real_data
def test_the_real_tables_of_scin(monkeypatch):
    with_every_picture(monkeypatch, "scin")
    items = read("scin", TABLES / "scin")
    cases = [each for each in items if isinstance(each, RawCase)]
    contributions = Counter(label for _, label in {(case.group, case.label) for case in cases})
    assert contributions["melanocytic nevus"] == 3
    assert contributions["squamous cell carcinoma"] == 8
    assert contributions["actinic keratosis"] == 8
    assert contributions["basal cell carcinoma"] == 5
    assert contributions["vascular lesion"] == 5 + 2 + 1
    assert contributions["dermatofibroma"] == 3
    assert contributions["melanoma"] == 1
    assert len(items) == 5033 + 796 + 2 * 2289  # one, two or three photos each
    assert {case.skin_type for case in cases} <= {None, *(f"Fitzpatrick {i}" for i in range(1, 7))}


def midas_rows(folder) -> list[dict]:
    written = {
        "benign-melanocytic nevus": "melanocytic nevus",
        "benign-seborrheic keratosis": "benign keratosis",
        "benign-dermatofibroma": "dermatofibroma",
        "benign-hemangioma": "vascular lesion",
        "malignant- bcc": "basal cell carcinoma",
        "7-malignant-bcc": "basal cell carcinoma",
        "malignant- scc": "squamous cell carcinoma",
        "malignant- sccis": "squamous cell carcinoma",
        "10-malignant-ak": "actinic keratosis",
        "malignant- melanoma": "melanoma",
        "benign-other": "",
        "12-malignant-other": "",
        "0": "",
    }
    rows = []
    for index, (path, label) in enumerate(written.items()):
        photo(folder / f"s-prd-{index}.jpg")
        rows.append({"midas_record_id": index // 2, "midas_file_name": f"S-prd-{index}.jpeg", "midas_path": path})
        rows[-1] |= {"midas_distance": ("dscope", "6in", "n/a - virtual")[index % 3], "expected": label}
    return rows


@pytest.mark.parametrize("ending", [".xlsx", ".csv"])
def test_mra_midas_as_published(tmp_path, ending):
    rows = midas_rows(tmp_path / "midasmultimodalimagedatasetforaibasedskincancer")
    rows[0] |= {"midas_gender": "male", "midas_age": 71, "midas_location": "L cheek", "clinical_impression_1": "7-bcc"}
    rows[0] |= {"midas_fitzpatrick": "iv light brown skin", "midas_pathreport": "nevus, mild atypia"}
    control = {"midas_record_id": 9, "midas_file_name": "gone.jpg", "midas_path": "", "midas_iscontrol": "yes"}
    if ending == ".csv":
        table(tmp_path / "release_midas.csv", *rows, control)
    else:
        pd.DataFrame([*rows, control]).to_excel(tmp_path / "release_midas.xlsx")
    items = read("mra_midas", tmp_path)
    assert list(labels(items).values()) == [row["expected"] for row in rows if row["expected"]]
    assert reasons(items) == {"no class for benign-other": 1, "no class for malignant-other": 1, "no label": 2}
    first, second, third = items[:3]
    assert (first.modality, second.modality, third.modality) == ("dermoscopy", "clinical", "clinical")
    assert first.group == second.group == "mra_midas/0"
    assert third.group != first.group
    assert (first.sex, first.age, first.site, first.skin_type) == ("male", 71, "l cheek", "Fitzpatrick 4")
    assert {"clinical_impression_1", "midas_pathreport"} <= set(first.extra)
    subtypes = {case.extra["code"]: case.subtype for case in items[:10] if case.subtype}
    assert subtypes == {
        "benign-seborrheic keratosis": "seborrheic keratosis",
        "benign-hemangioma": "hemangioma",
        "malignant-sccis": "squamous cell carcinoma in situ",
    }


def test_fluo_sc_as_published(tmp_path):
    expected = {
        "ACK": "actinic keratosis",
        "BCC": "basal cell carcinoma",
        "CCE": "squamous cell carcinoma",
        "MEL": "melanoma",
        "NEV": "melanocytic nevus",
        "SEK": "benign keratosis",
    }
    for code in (*expected, "XXX"):
        photo(tmp_path / code / f"CLI_{code}_1.jpg")
        photo(tmp_path / code / f"FLUO_{code}_1.jpg")
    items = read("fluo_sc", tmp_path)
    assert labels(items) == {f"CLI_{code}_1": label for code, label in expected.items()}
    assert reasons(items) == {"no class for XXX": 1}
