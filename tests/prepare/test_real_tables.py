"""The publishers' real tables, against figures that were counted without the readers."""

from collections import Counter

import pytest

from tests.places import REAL_DATA
from tests.prepare.dataset_trees import LABELS, TABLES, cases_of, labels, read, reasons, rows_of, with_every_image
from train.data.collection import classify
from train.data.sources import RawCase, Rejected

pytestmark = pytest.mark.real_data


@pytest.fixture
def every_image(monkeypatch):
    with_every_image(monkeypatch)


@pytest.mark.parametrize(
    "name, expected", [("milk10k", 1398), ("ham10000", 1687), ("pad_ufes_20", 1158), ("isic2017", 2150)]
)
def test_sets_with_images(name, expected):
    items = read(name, REAL_DATA / name)
    cases = cases_of(items)
    assert len(cases) == len({case.case_id for case in cases}) == expected
    assert not any(isinstance(each, Rejected) for each in items)
    assert all(isinstance(classify(case, "eight"), RawCase) for case in cases)
    assert all(case.group.startswith(f"{name}/") for case in cases)
    shown = {str(value).lower() for case in cases for value in (case.sex, case.site, case.subtype, case.description)}
    assert not shown & {"unknown", "unk", "nan", ""}


def test_fitzpatrick17k(every_image):
    items = read("fitzpatrick17k", TABLES / "fitzpatrick17k")
    rows = [row for row in rows_of(TABLES / "fitzpatrick17k" / "fitzpatrick17k.csv") if "Wrongly" not in row["qc"]]
    assert len(rows) == 16577 - 17
    expected = Counter(label for row in rows if (label := LABELS["fitzpatrick17k"].get(row["label"])))
    assert Counter(labels(items).values()) == expected
    # The publisher's own coarser column, which is not read, agrees.
    assert expected["melanoma"] == sum(row["nine_partition_label"] == "malignant melanoma" for row in rows)


def test_scin(every_image):
    items = read("scin", TABLES / "scin")
    cases = cases_of(items)
    contributions = Counter(label for _, label in {(case.group, case.label) for case in cases})
    expected = {"melanocytic nevus": 3, "squamous cell carcinoma": 8, "actinic keratosis": 8, "melanoma": 1}
    expected |= {"basal cell carcinoma": 5, "vascular lesion": 5 + 2 + 1, "dermatofibroma": 3}
    assert expected.items() <= contributions.items()
    assert len(items) == 5033 + 796 + 2 * 2289  # one, two or three photos each
    assert {case.skin_type for case in cases} <= {None, *(f"Fitzpatrick {i}" for i in range(1, 7))}


def test_derm7pt(every_image):
    items = read("derm7pt", TABLES / "derm7pt")
    cases = cases_of(items)
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
    absent = "no clinical photo: the dermoscopic one is listed instead"
    assert reasons(items) == {"no class for melanosis": 2 * 16 - 3, "no class for miscellaneous": 2 * 8 - 2, absent: 9}
    assert len({case.case_id.lower() for case in cases}) == len(cases)
    # The publisher's lists are positions in the table.
    tested = {int(row["indexes"]) for row in rows_of(TABLES / "derm7pt" / "test_indexes.csv")}
    assert all((case.split == "test") == (case.row - 2 in tested) for case in cases)


@pytest.mark.slow
def test_isic2019(every_image):
    items = read("isic2019", TABLES / "isic2019_bcn20000")
    published = {"NV": 12875, "MEL": 4522, "BCC": 3323, "BKL": 2624, "AK": 867, "SCC": 628, "VASC": 253, "DF": 239}
    assert Counter(labels(items).values()) == {LABELS["isic2019"][code]: count for code, count in published.items()}
    assert len({case.group for case in items}) == 11847 + 2084  # named lesions, and images without a lesion
    assert sum(case.group.startswith("ham10000/") for case in items) == 10015
    assert sum(case.group.startswith("bcn20000/") for case in items) == 12413
    assert not any("downsampled" in case.isic_id for case in items)


def test_isic2020(every_image):
    items = read("isic2020", TABLES / "isic2020")
    duplicates = {row["image_name_2"] for row in rows_of(TABLES / "isic2020" / "ISIC_2020_Training_Duplicates.csv")}
    rows = rows_of(TABLES / "isic2020" / "ISIC_2020_Training_GroundTruth.csv")
    published = Counter(row["diagnosis"] for row in rows)
    assert (published["nevus"], published["melanoma"], published["unknown"]) == (5193, 584, 27124)
    left = Counter(row["diagnosis"] for row in rows if row["image_name"] not in duplicates)
    expected = Counter({label: 0 for label in LABELS["isic2020"].values() if label})
    for code, label in LABELS["isic2020"].items():
        if label:
            expected[label] += left[code]
    assert Counter(labels(items).values()) == expected
    assert reasons(items)["listed by the publisher as a duplicate"] == len(duplicates) == 425
    assert reasons(items)["no label"] == left["unknown"]
    assert {case.malignancy for case in cases_of(items) if case.label == "melanoma"} == {"malignant"}
