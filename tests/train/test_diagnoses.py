"""Publishers' names for a diagnosis, against the classes that the authors' own tables give them."""

import csv

import pytest

from dermnote.taxonomy import EIGHT, find_class
from tests.dataset_trees import TABLES
from train.data.sources.diagnoses import NAMES, class_of, plain, subtype_of
from train.data.sources.cell_values import fitzpatrick

REAL = TABLES / "authors_splits"
# Where this project decides otherwise than a table of the authors, and why; None is "no class".
OTHERWISE = {
    "epidermal nevus": None,  # no mole, though they say so
    "atypical proliferative nodules in congenital melanocytic nevus": None,  # indeterminate
    "angiofibroma": None,  # fibrous, not vascular
    "baso-squamous carcinoma": None,  # their class and their matching class contradict each other
    "kaposi sarcoma": None,  # label 4 (actinic keratosis) with the text of a vascular lesion
}


@pytest.mark.parametrize(
    "written, label",
    [
        ("Bowen's_Disease", "actinic keratosis"),
        ("Nevus, NOS", None),
        ("Melanoma, NOS", "melanoma"),
        ("squamous-cell-carcinoma-in-situ", "actinic keratosis"),
        ("Seborrhoeic Keratosis", "benign keratosis"),
        ("Halo naevus", "melanocytic nevus"),
        ("Haemangioma", "vascular lesion"),
        ("Actinic_solar_Damage(Actinic_Keratosis)", "actinic keratosis"),
        ("Actinic_solar_Damage(Pigmentation)", None),
        ("nevus sebaceous of jadassohn", None),
        ("becker nevus", None),
        ("lichen simplex", None),
        ("", None),
        (None, None),
    ],
)
def test_names_in_any_spelling(written, label):
    assert class_of(written) == label


def test_in_situ_carcinoma_goes_where_the_source_says():
    for name in ("Bowen disease", "Squamous cell carcinoma in situ, Bowens disease", "bowenoid papulosis"):
        assert class_of(name) == "actinic keratosis"
        assert class_of(name, in_situ="squamous cell carcinoma") == "squamous cell carcinoma"
    assert class_of("melanoma in situ", in_situ="squamous cell carcinoma") == "melanoma"


def test_no_name_is_in_two_classes_and_the_taxonomy_agrees():
    every = [name for names in NAMES.values() for name in names]
    assert len(set(every)) == len(every)
    assert list(NAMES) == [each.name for each in EIGHT]
    assert all(plain(name) == name for name in every)
    for name in every:
        known = find_class(name)
        assert known is None or class_of(name) == known.name


def test_a_subtype_says_more_than_the_class():
    assert subtype_of("Blue_Nevus", "melanocytic nevus") == "blue nevus"
    assert subtype_of("Nevus", "melanocytic nevus") is None
    assert subtype_of("melanocytic nevus", "melanocytic nevus") is None
    assert subtype_of(None, "melanoma") is None
    assert subtype_of("psoriasis", None) is None


@pytest.mark.parametrize(
    "written, skin",
    [
        ("3", "Fitzpatrick 3"),
        ("3.0", "Fitzpatrick 3"),
        (6, "Fitzpatrick 6"),
        ("FST4", "Fitzpatrick 4"),
        ("IV", "Fitzpatrick 4"),
        ("vi dark brown or black skin", "Fitzpatrick 6"),
        ("12", "Fitzpatrick 1-2"),
        ("56", "Fitzpatrick 5-6"),
        ("-1", None),
        ("7", None),
        ("NONE_IDENTIFIED", None),
        ("", None),
        (None, None),
    ],
)
def test_skin_types_in_every_spelling(written, skin):
    assert fitzpatrick(written) == skin


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name", ["BCN20000", "Fitzpatrick17k", "HAM10000", "Hospital_Italiano_Buenos_Aires", "MSK", "derm12345"]
)
def test_names_mean_what_they_mean_in_the_authors_tables(name):
    _agree(name, in_situ="squamous cell carcinoma")


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["Derm7pt", "DermNet", "Milk10k_dermo", "SD198"])
def test_names_mean_what_they_mean_where_in_situ_is_actinic(name):
    _agree(name, in_situ="actinic keratosis")


def _agree(name: str, *, in_situ: str) -> None:
    with (REAL / name / "classes_subclasses_metadata_mapping.csv").open(newline="") as stream:
        rows = {(row[1], row[3], row[4]) for row in csv.reader(stream)}
    assert rows
    for number, broad, finer in rows:
        found = class_of(finer, in_situ=in_situ) or class_of(broad, in_situ=in_situ)
        assert found == OTHERWISE.get(finer, EIGHT[int(number)].name), (broad, finer)
