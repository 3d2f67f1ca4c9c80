import json
from pathlib import Path

import pandas as pd
import pytest

from dermnote.errors import CasesError
from tests.dataset_trees import REAL_DATA, photo, read, table
from train.data.collection import classify, classnames
from train.data.sources import NAMED, LeftOut, RawCase, Rejected


def milk_folder(folder: Path, *codes: str) -> None:
    every = ("AKIEC", "BCC", "BEN_OTH", "BKL", "DF", "INF", "MAL_OTH", "MEL", "NV", "SCCKA", "VASC")
    truth, meta, more = [], [], []
    for index, code in enumerate(codes):
        lesion = f"IL_000000{index}"
        truth.append({"lesion_id": lesion} | {each: float(each == code) for each in every})
        for kind, name in (("clinical: close-up", f"ISIC_{index}00"), ("dermoscopic", f"ISIC_{index}01")):
            photo(folder / "MILK10k_Training_Input" / lesion / f"{name}.jpg")
            meta.append(
                {"lesion_id": lesion, "image_type": kind, "isic_id": name, "age_approx": 70, "sex": "male"}
                | {"skin_tone_class": 4, "site": "head_neck_face"}
            )
            more.append(
                {"isic_id": name, "diagnosis_full": "Keratoacanthoma", "diagnosis_confirm_type": "histopathology"}
            )
    table(folder / "MILK10k_Training_GroundTruth.csv", *truth)
    table(folder / "MILK10k_Training_Metadata.csv", *meta)
    table(folder / "MILK10k_Training_Supplement.csv", *more)


def test_milk10k_as_published(tmp_path):
    milk_folder(tmp_path, "SCCKA", "INF")
    items = read("milk10k", tmp_path)
    cases = [each for each in items if isinstance(each, RawCase)]
    assert [(case.case_id, case.modality) for case in cases] == [
        ("milk10k/ISIC_000", "clinical"),
        ("milk10k/ISIC_001", "dermoscopy"),
    ]
    first = cases[0]
    assert {case.group for case in cases} == {"milk10k/IL_0000000"}
    assert (first.label, first.subtype) == ("squamous cell carcinoma", "keratoacanthoma")
    assert (first.age, first.sex, first.site) == (70, "male", "head or neck")
    assert first.skin_type == "MILK10k tone 4 (0 darkest to 5)"
    assert first.extra["diagnosis_confirm_type"] == "histopathology"
    assert [each.reason for each in items if isinstance(each, LeftOut)] == ["no class for INF"] * 2


def test_milk10k_joined_table(tmp_path):
    photo(tmp_path / "images" / "ISIC_1.jpg")
    common = {"image_type": "dermoscopic", "lesion_id": "IL_1", "label": "AKIEC", "sex": "", "site": ""}
    table(
        tmp_path / "metadata.csv",
        common
        | {"isic_id": "ISIC_1", "diagnosis_1": "Indeterminate", "diagnosis_2": "Indeterminate epidermal proliferations"}
        | {"diagnosis_full": "Solar or actinic keratosis"},
        common | {"isic_id": "ISIC_2", "diagnosis_1": "Malignant", "diagnosis_full": "Squamous cell carcinoma in situ"},
    )
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
    table(tmp_path / "HAM10000_metadata.csv", *rows)
    text = (tmp_path / "HAM10000_metadata.csv").read_text()
    (tmp_path / "HAM10000_metadata.csv").unlink()
    (tmp_path / f"HAM10000_metadata{ending}").write_text(text.replace(",", "\t") if ending == ".tab" else text)
    one, two = read("ham10000", tmp_path)
    assert one.group == two.group == "ham10000/HAM_1"
    assert (one.label, one.age, one.sex, one.site, two.site) == ("actinic keratosis", None, None, None, "back")


def test_pad_ufes_20_as_published(tmp_path):
    photo(tmp_path / "images" / "imgs_part_2" / "PAT_8_15_820.png")
    common = {"patient_id": "PAT_8", "lesion_id": 15, "gender": "FEMALE", "fitspatrick": 3.0, "biopsed": True}
    table(
        tmp_path / "metadata.csv",
        common | {"img_id": "PAT_8_15_820.png", "diagnostic": "SEK", "age": 55, "region": "FOREARM", "itch": "UNK"},
        common | {"img_id": "PAT_8_15_821.png", "diagnostic": "XYZ"},
    )
    case, other = read("pad_ufes_20", tmp_path)
    assert (case.label, case.subtype) == ("benign keratosis", "seborrheic keratosis")
    assert (case.group, case.modality, case.age, case.site) == ("pad_ufes_20/PAT_8", "clinical", 55, "forearm")
    # Being there at all gives the label away, so these may only stand in `extra`.
    assert (case.sex, case.skin_type) == (None, None)
    assert {"gender", "fitspatrick", "biopsed"} <= set(case.extra)
    assert other.reason == "no class for XYZ"


def test_isic2017_as_published(tmp_path):
    for part, name in (("Training", "ISIC_1"), ("Validation", "ISIC_2"), ("Test_v2", "ISIC_3")):
        photo(tmp_path / f"ISIC-2017_{part}_Data" / f"{name}.jpg")
        photo(tmp_path / f"ISIC-2017_{part}_Data" / f"{name}_superpixels.png")
        truth = {
            "image_id": name,
            "melanoma": float(part == "Training"),
            "seborrheic_keratosis": float(part == "Test_v2"),
        }
        table(tmp_path / f"ISIC-2017_{part}_Part3_GroundTruth.csv", truth)
        meta = {"image_id": name, "age_approximate": "unknown" if part == "Training" else 35, "sex": "female"}
        table(tmp_path / f"ISIC-2017_{part}_Data" / f"ISIC-2017_{part}_Data_metadata.csv", meta)
    cases = read("isic2017", tmp_path)
    assert [case.split for case in cases] == ["train", "validation", "test"]
    assert [case.label for case in cases] == ["melanoma", "melanocytic nevus", "benign keratosis"]
    assert [case.age for case in cases] == [None, 35, 35]
    assert [case.aspect for case in cases] == [None] * 3
    assert len({case.group for case in cases}) == 3


@pytest.mark.parametrize("name", [*(name for name in NAMED if name != "drawn"), "mine"])
def test_the_wrong_folder_is_one_line_that_says_what_was_looked_for(tmp_path, name):
    photo(tmp_path / "a.jpg")
    with pytest.raises(CasesError) as caught:
        read(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path} does not look like {name}: looked for ")
    assert "\n" not in message


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_imagefolder_in_every_kind_of_table(tmp_path, kind):
    photo(tmp_path / "sub" / "007.png")
    rows = [
        {"file_name": "sub/007.png", "label": "Nevus", "age": 40, "sex": "F", "site": "back", "patient_id": "P1"}
        | {"malignancy": "Benign", "modality": "dermoscopy", "split": "val", "x0": 1, "y0": 2, "x1": 30, "y1": 35}
        | {"ward": "B", "skin_type": "Fitzpatrick 3", "description": "flat", "subtype": "blue nevus", "lesion_id": "L1"}
    ]
    path = tmp_path / f"metadata.{kind}"
    if kind == "csv":
        table(path, *rows)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pd.DataFrame(rows).to_parquet(path)
    (case,) = read("clinic", tmp_path)
    assert (case.case_id, case.source, case.group) == ("clinic/sub/007.png", "clinic", "clinic/P1")
    assert (case.label, case.age, case.sex, case.split) == ("Nevus", 40, "female", "validation")
    assert (case.malignancy, case.modality, case.box) == ("benign", "dermoscopy", (1, 2, 30, 35))
    assert (case.skin_type, case.description, case.subtype) == ("Fitzpatrick 3", "flat", "blue nevus")
    assert case.extra == {"ward": "B"}


def test_imagefolder_rejects_bad_rows_one_by_one(tmp_path):
    folder = tmp_path / "mine"
    photo(tmp_path / "outside.png")
    photo(folder / "a.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    names = ["../outside.png", str(tmp_path / "outside.png"), "link.png", "gone.png", ""]
    rows = [{"file_name": name} for name in names]
    rows += [{"file_name": "a.png", "split": "holdout"}, {"file_name": "a.png", "modality": "x-ray"}]
    rows += [{"file_name": "a.png", "x0": 5, "y0": 5, "x1": 1, "y1": 9}, {"file_name": "a.png", "label": "007"}]
    table(folder / "metadata.csv", *rows)
    *bad, good = read("mine", folder)
    assert [type(each) for each in bad] == [Rejected] * 8
    assert [each.row for each in bad] == list(range(2, 10))
    reasons = [each.reason for each in bad]
    assert reasons[:3] == ["file_name leads out of the folder"] * 3
    assert reasons[3:5] == ["the picture is missing", "no file_name"]
    assert (good.label, good.group, good.modality) == ("007", "mine/a.png", "clinical")


def test_imagefolder_without_file_name(tmp_path):
    table(tmp_path / "metadata.csv", {"picture": "a.png"})
    with pytest.raises(CasesError, match="has no column file_name"):
        read("mine", tmp_path)


def test_a_table_that_is_no_table(tmp_path):
    (tmp_path / "metadata.parquet").write_bytes(b"not parquet")
    with pytest.raises(CasesError, match=r"metadata\.parquet cannot be read"):
        read("mine", tmp_path)


def raw(label: str | None, **more) -> RawCase:
    return RawCase("s/1", "s", "clinical", Path("a"), group="s/1", label=label, **more)


def test_labels_to_classes():
    nevus = classify(raw("Blue Nevus"), "eight")
    assert (nevus.label, nevus.malignancy, nevus.subtype) == ("melanocytic nevus", "benign", "blue nevus")
    assert classify(raw("mole"), "eight").subtype is None
    assert classify(raw("melanoma", malignancy="benign", subtype="odd"), "eight").malignancy == "benign"
    assert classify(raw("psoriasis"), "eight").reason == "no class for 'psoriasis'"
    assert classify(raw(None), "own").reason == "no label"
    assert "not among the five" in classify(raw("dermatofibroma"), "five").reason
    assert classify(raw("psoriasis"), "own").label == "psoriasis"
    assert classnames("own", ["b", "a", "b"]) == ("a", "b")
    assert len(classnames("eight", [])) == 8
    assert classnames("five", []).index("melanoma") == 4


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name, expected", [("milk10k", 1398), ("ham10000", 1687), ("pad_ufes_20", 1158), ("isic2017", 2150)]
)
def test_real_tables(name, expected):
    items = read(name, REAL_DATA / name)
    cases = [each for each in items if isinstance(each, RawCase)]
    assert len(cases) == expected
    assert not any(isinstance(each, Rejected) for each in items)
    assert len({case.case_id for case in cases}) == len(cases)
    assert all(isinstance(classify(case, "eight"), RawCase) for case in cases)
    assert all(case.group.startswith(f"{name}/") for case in cases)
    spoken = {str(value).lower() for case in cases for value in (case.sex, case.site, case.subtype, case.description)}
    assert not spoken & {"unknown", "unk", "nan", ""}
