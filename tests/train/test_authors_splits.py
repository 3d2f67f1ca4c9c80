"""The authors' split files as official splits: what matches, what does not, and what is repaired."""

import csv
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dermnote.errors import CasesError
from tests.dataset_trees import TABLES, rows_of, with_every_picture
from train import prepare
from train.data.authors_splits import FILES, FOLDERS, apply_authors_splits, read_lists
from train.data.cases import Cases
from train.data.collection import CollectedCases as Gathered, collect_cases as gather
from train.data.sources.raw_case import LeftOut, RawCase
from train.data.splits import Member, assign_splits

REAL = TABLES / "authors_splits"


def lists(folder: Path, **sides: list[str]) -> Path:
    """A folder of one data set: names (each with its class number after a comma) by side."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, lines in sides.items():
        (folder / f"labels_{side}.csv").write_text("".join(f"{line}\n" for line in lines))
    return folder.parent


def gathered(*cases: RawCase) -> Gathered:
    return Gathered(sources=dict.fromkeys((case.source for case in cases), None), cases=list(cases))


def case(name: str, *, group: str | None = None, split: str | None = "train", **more) -> RawCase:
    source = name.split("/")[0]
    found = RawCase(name, source, "clinical", Path("a"), group=group or name, label="melanoma", split=split)
    return replace(found, **more)


def sides_of(found: Gathered) -> dict[str, str | None]:
    return {each.case_id: each.split for each in found.cases}


def test_sides_come_from_the_files_and_the_rest_is_left_out(tmp_path):
    folder = lists(tmp_path / "SD198", train=["1HB.png,6"], valid=["2HB.png,6"], test=["3hb.png,6", "9HB.png,6"])
    found = gathered(*(case(f"sd198/Melanoma/{number}HB", split=None) for number in (1, 2, 3, 4)), case("mine/1HB"))
    told = apply_authors_splits(found, folder)
    assert sides_of(found) == {
        "mine/1HB": "train",  # a source they do not know keeps its own side
        "sd198/Melanoma/1HB": "train",
        "sd198/Melanoma/2HB": "validation",
        "sd198/Melanoma/3HB": "test",
    }
    assert found.left_out == [LeftOut("sd198/Melanoma/4HB", "sd198", "not in the authors' split files")]
    expected = (
        "sd198: 3 cases in the authors' splits; 1 are not in their files and left out; 1 of their 4 ids match no case"
    )
    assert told == [expected]


def test_a_picture_on_two_sides_counts_for_the_later_one(tmp_path):
    folder = lists(tmp_path / "Derm7pt", train=["a.png,6"], valid=["b.png,6", "c.png,6"], test=["b.png,6"])
    found = gathered(case("derm7pt/A"), case("derm7pt/B"), case("derm7pt/C"))
    told = apply_authors_splits(found, folder)
    assert sides_of(found) == {"derm7pt/A": "train", "derm7pt/B": "test", "derm7pt/C": "validation"}
    assert told[1:] == ["derm7pt: 1 images are in two of their splits and count for the later one"]


def test_a_lesion_on_two_sides_is_told_and_gives_way(tmp_path):
    folder = lists(tmp_path / "BCN20000", train=["I1.jpg,6", "I2.jpg,6"], test=["I3.jpg,6"])
    groups = {"I1": "bcn20000/L1", "I2": "bcn20000/L2", "I3": "bcn20000/L1"}
    found = gathered(*(case(f"bcn20000/{name}", group=group) for name, group in groups.items()))
    told = apply_authors_splits(found, folder)
    assert told[1:] == [
        "bcn20000: 1 patients or lesions are in several of their splits; the earlier images are left out"
    ]
    members = [Member(each.source, each.group, each.label, (each.case_id,), each.split) for each in found.cases]
    result = assign_splits(members, seed=0)
    assert result[0].split is None
    assert "test split" in result[0].reason
    assert result[2].split == "test"


def test_ids_are_found_in_the_archive_s_spelling_too(tmp_path):
    folder = lists(tmp_path / "PAD_UFES_20", test=["ISIC_7.jpg,6"])
    lists(tmp_path / "Milk10k_clinic", test=["ISIC_1.jpg,6"])
    lists(tmp_path / "Milk10k_dermo", test=["ISIC_2.jpg,6"])
    found = gathered(
        case("pad_ufes_20/PAT_1", isic_id="isic_7"), *(case(f"milk10k/ISIC_{number}") for number in (1, 2, 3))
    )
    apply_authors_splits(found, folder)
    assert set(sides_of(found)) == {"pad_ufes_20/PAT_1", "milk10k/ISIC_1", "milk10k/ISIC_2"}
    assert set(sides_of(found).values()) == {"test"}


def test_a_source_without_a_match_keeps_its_own_split(tmp_path):
    folder = lists(tmp_path / "PAD_UFES_20", test=["ISIC_7.jpg,6", "ISIC_8.jpg,6"])
    found = gathered(case("pad_ufes_20/PAT_1", split="validation"))
    told = apply_authors_splits(found, folder)
    assert told == ["pad_ufes_20: none of the authors' 2 ids is among its 1 cases; its own split stays"]
    assert sides_of(found) == {"pad_ufes_20/PAT_1": "validation"}
    assert not found.left_out


def test_another_class_in_their_files_is_counted_and_ours_kept(tmp_path):
    folder = lists(tmp_path / "SD198", test=["a.png,6", "b.png,2"])
    found = gathered(case("sd198/a"), case("sd198/b"))
    assert apply_authors_splits(found, folder)[1:] == ["sd198: 1 have another class in their files; ours is kept"]
    assert {each.label for each in found.cases} == {"melanoma"}
    own = gathered(case("sd198/a", label="psoriasis"))  # a folder's own labels are not compared
    assert len(apply_authors_splits(own, folder)) == 1


@pytest.mark.parametrize("folder, words", [("gone", "is not there"), ("empty", "has no split files for sd198")])
def test_a_folder_that_does_not_help_is_an_error(tmp_path, folder, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CasesError, match=words):
        apply_authors_splits(gathered(case("sd198/a")), tmp_path / folder)


def test_prepare_uses_them_and_says_so(tmp_path, capsys):
    folder, names = tmp_path / "sd198" / "Malignant_Melanoma", [f"{number:02d}HB" for number in range(9)]
    folder.mkdir(parents=True)
    for index, name in enumerate(names):
        pixels = np.random.default_rng(index).integers(0, 255, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 60)).save(folder / f"{name}.jpg")
    sides = {"train": (0, 1, 2, 3), "valid": (4, 7), "test": (4, 5, 6)}  # number 4 on two of them, number 8 on none
    listed = {side: [f"{names[index]}.png,6" for index in chosen] for side, chosen in sides.items()}
    splits = lists(tmp_path / "CSV" / "SD198", **listed)
    out = tmp_path / "cases"
    command = [f"sd198={tmp_path / 'sd198'}", "--out", str(out), "--workers", "1", "--authors-splits", str(splits)]
    assert prepare.main(command) == 0
    found = Cases.read(out).table.set_index("case_id")["split"].to_dict()
    assert found == {
        **{f"sd198/Malignant_Melanoma/{names[index]}": "train" for index in (0, 1, 2, 3)},
        **{f"sd198/Malignant_Melanoma/{names[index]}": "test" for index in (4, 5, 6)},
        f"sd198/Malignant_Melanoma/{names[7]}": "validation",
    }
    said = capsys.readouterr().out
    assert "sd198: 8 cases in the authors' splits; 1 are not in their files and left out" in said
    assert "sd198: 1 images are in two of their splits and count for the later one" in said
    assert len(json.loads((out / "summary.json").read_text())["authors_splits"]) == 2
    assert prepare.main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    (splits / "SD198" / "labels_test.csv").write_text(f"{names[5]}.png,6\n")
    assert prepare.main(command) == 0
    assert "nothing to do" not in capsys.readouterr().out


@pytest.mark.real_data
def test_every_real_list_is_known_and_read_whole():
    folders = {name for names in FOLDERS.values() for name in names}
    assert {path.name for path in REAL.iterdir() if path.is_dir()} <= folders
    for name in sorted(path.name for path in REAL.iterdir() if path.is_dir()):
        lines = {
            side: list(csv.reader((REAL / name / file).open()))
            for file, side in FILES.items()
            if (REAL / name / file).is_file()
        }
        sides = read_lists([REAL / name])
        assert set(sides.split) == {row[0].rsplit(".", 1)[0].lower() for rows in lines.values() for row in rows}
        assert sum(map(len, lines.values())) == len(sides.split) + len(sides.in_several)
        assert len(sides.in_several) == (79 if name == "Derm7pt" else 0)
        assert Counter(sides.split.values())["test"] == len(lines["test"])


@pytest.mark.real_data
def test_the_real_lists_of_derm7pt_and_fitzpatrick17k(monkeypatch):
    with_every_picture(monkeypatch, "derm7pt", "fitzpatrick17k")
    found = gather({name: str(TABLES / name) for name in ("derm7pt", "fitzpatrick17k")}, "eight")
    told = apply_authors_splits(found, REAL)
    counts = Counter((each.source, each.split) for each in found.cases)
    assert counts == {
        ("derm7pt", "train"): 281,
        ("derm7pt", "validation"): 124 - 79,
        ("derm7pt", "test"): 79,
        ("fitzpatrick17k", "test"): 375,
    }
    assert "derm7pt: 79 images are in two of their splits and count for the later one" in told
    assert not [line for line in told if "another class" in line]
    assert {each.modality for each in found.cases if each.source == "derm7pt"} == {"dermoscopy"}


@pytest.mark.real_data
def test_the_real_list_of_bcn20000_parts_its_lesions():
    """ISIC 2019 names the lesion of 12,413 of its pictures."""
    rows = rows_of(TABLES / "isic2019_bcn20000" / "ISIC_2019_Training_Metadata.csv")
    named = [row for row in rows if row["lesion_id"].startswith("BCN_")]
    found = gathered(*(case(f"bcn20000/{row['image']}", group=row["lesion_id"]) for row in named))
    told = apply_authors_splits(found, REAL)
    sides = defaultdict(set)
    for side, file in (("train", "labels_train.csv"), ("valid", "labels_valid.csv"), ("test", "labels_test.csv")):
        for name, _ in csv.reader((REAL / "BCN20000" / file).open()):
            sides[name.removesuffix(".jpg")].add(side)
    lesions = defaultdict(set)
    for row in named:
        lesions[row["lesion_id"]] |= sides[row["image"]]
    assert sum(len(each) > 1 for each in lesions.values()) == 2050
    tested = [row for row in named if sides[row["image"]] == {"test"}]
    learnt = {row["lesion_id"] for row in named if sides[row["image"]] == {"train"}}
    assert sum(row["lesion_id"] in learnt for row in tested) == 1671  # of 1,894: 88%
    assert len(tested) == 1894
    assert "bcn20000: 2050 patients or lesions are in several of their splits; the earlier images are left out" in told
    assert len(found.cases) == len(named) == 12413
