"""Publishers' names for a diagnosis, against the classes that the authors' own tables give them; and other cells."""

import csv

import pytest

from dermnote.taxonomy import EIGHT, find_class
from tests.prepare.dataset_trees import TABLES
from train.data.sources.cell_values import fitzpatrick
from train.data.sources.diagnoses import ACTINIC, NAMES, SQUAMOUS, class_of, plain, subtype_of

REAL = TABLES / "authors_splits"
# Deliberate differences from a table of the authors, with the reason; None is "no class".
DIFFERENT = {
    "epidermal nevus": None,  # no mole
    "atypical proliferative nodules in congenital melanocytic nevus": None,  # indeterminate
    "angiofibroma": None,  # fibrous, not vascular
    "baso-squamous carcinoma": None,  # their class and their matching class contradict each other
    "kaposi sarcoma": None,  # label 4 (actinic keratosis) with the text of a vascular lesion
}
SPELLINGS = {
    "Bowen's_Disease": ACTINIC,
    "Nevus, NOS": None,
    "Melanoma, NOS": "melanoma",
    "squamous-cell-carcinoma-in-situ": ACTINIC,
    "Seborrhoeic Keratosis": "benign keratosis",
    "Halo naevus": "melanocytic nevus",
    "Haemangioma": "vascular lesion",
    "Actinic_solar_Damage(Actinic_Keratosis)": ACTINIC,
    "Actinic_solar_Damage(Pigmentation)": None,
    "nevus sebaceous of jadassohn": None,
    "becker nevus": None,
    "lichen simplex": None,
    "": None,
    None: None,
}
SKIN_TYPES = {
    **{"3": "3", "3.0": "3", 6: "6", "FST4": "4", "IV": "4", "vi dark brown or black skin": "6", "12": "1-2"},
    **{"56": "5-6", "-1": None, "7": None, "NONE_IDENTIFIED": None, "": None, None: None},
}


def test_names_and_skin_types_in_every_spelling():
    assert {written: class_of(written) for written in SPELLINGS} == SPELLINGS
    expected = {written: f"Fitzpatrick {skin}" if skin else None for written, skin in SKIN_TYPES.items()}
    assert {written: fitzpatrick(written) for written in SKIN_TYPES} == expected


def test_in_situ_carcinoma_gets_the_class_of_its_source():
    for name in ("Bowen disease", "Squamous cell carcinoma in situ, Bowens disease", "bowenoid papulosis"):
        assert class_of(name) == ACTINIC
        assert class_of(name, in_situ=SQUAMOUS) == SQUAMOUS
    assert class_of("melanoma in situ", in_situ=SQUAMOUS) == "melanoma"


def test_no_name_is_in_two_classes_and_the_taxonomy_agrees():
    every = [name for names in NAMES.values() for name in names]
    assert len(set(every)) == len(every)
    assert list(NAMES) == [each.name for each in EIGHT]
    assert all(plain(name) == name for name in every)
    for name in every:
        known = find_class(name)
        assert known is None or class_of(name) == known.name


def test_a_subtype_adds_to_the_class():
    assert subtype_of("Blue_Nevus", "melanocytic nevus") == "blue nevus"
    assert subtype_of("Nevus", "melanocytic nevus") is None
    assert subtype_of("melanocytic nevus", "melanocytic nevus") is None
    assert subtype_of(None, "melanoma") is None
    assert subtype_of("psoriasis", None) is None


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name, in_situ",
    [
        *((name, SQUAMOUS) for name in ("BCN20000", "Fitzpatrick17k", "HAM10000", "Hospital_Italiano_Buenos_Aires")),
        *((name, SQUAMOUS) for name in ("MSK", "derm12345")),
        *((name, ACTINIC) for name in ("Derm7pt", "DermNet", "Milk10k_dermo", "SD198")),
    ],
)
def test_names_have_the_classes_of_the_authors_tables(name, in_situ):
    with (REAL / name / "classes_subclasses_metadata_mapping.csv").open(newline="") as stream:
        rows = {(row[1], row[3], row[4]) for row in csv.reader(stream)}
    assert rows
    for number, broad, finer in rows:
        found = class_of(finer, in_situ=in_situ) or class_of(broad, in_situ=in_situ)
        assert found == DIFFERENT.get(finer, EIGHT[int(number)].name), (broad, finer)
