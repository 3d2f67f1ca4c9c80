"""The authors' split files as official splits: matches, mismatches, and images in several of their splits."""

import csv
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from dermnote.errors import CasesError
from tests.prepare.dataset_trees import TABLES, noisy, rows_of
from train import prepare
from train.data.authors_splits import FILES, apply_authors_splits, read_lists
from train.data.cases import Cases
from train.data.collection import CollectedCases
from train.data.sources import LeftOut, RawCase, catalogue
from train.data.splits import Member, assign_splits

REAL = TABLES / "authors_splits"


def lists(folder: Path, **splits: list[str]) -> Path:
    """Write the lists of one data set: names (each with its class number after a comma) by split."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, lines in splits.items():
        (folder / f"labels_{split}.csv").write_text("".join(f"{line}\n" for line in lines))
    return folder.parent


def collected(*cases: RawCase) -> CollectedCases:
    return CollectedCases(sources=dict.fromkeys((case.source for case in cases), None), cases=list(cases))


def case(name: str, *, group: str | None = None, split: str | None = "train", **more) -> RawCase:
    source = name.split("/")[0]
    found = RawCase(name, source, "clinical", Path("a"), group=group or name, label="melanoma", split=split)
    return replace(found, **more)


def splits_of(found: CollectedCases) -> dict[str, str | None]:
    return {each.case_id: each.split for each in found.cases}


def test_splits_come_from_the_files_and_other_images_are_left_out(tmp_path):
    folder = lists(tmp_path / "SD198", train=["1HB.png,6"], valid=["2HB.png,6"], test=["3hb.png,6", "9HB.png,6"])
    found = collected(*(case(f"sd198/Melanoma/{number}HB", split=None) for number in (1, 2, 3, 4)), case("mine/1HB"))
    report = apply_authors_splits(found, folder)
    assert splits_of(found) == {
        "mine/1HB": "train",  # a source that is not theirs keeps its own split
        "sd198/Melanoma/1HB": "train",
        "sd198/Melanoma/2HB": "validation",
        "sd198/Melanoma/3HB": "test",
    }
    assert found.left_out == [LeftOut("sd198/Melanoma/4HB", "sd198", "not in the authors' split files")]
    counts = "3 cases in the authors' splits; 1 are not in their files and left out; 1 of their 4 ids match no case"
    assert report == [f"sd198: {counts}"]


def test_an_image_in_two_splits_counts_for_the_later_one(tmp_path):
    folder = lists(tmp_path / "Derm7pt", train=["a.png,6"], valid=["b.png,6", "c.png,6"], test=["b.png,6"])
    found = collected(case("derm7pt/A"), case("derm7pt/B"), case("derm7pt/C"))
    report = apply_authors_splits(found, folder)
    assert splits_of(found) == {"derm7pt/A": "train", "derm7pt/B": "test", "derm7pt/C": "validation"}
    assert report[1:] == ["derm7pt: 1 images are in two of their splits and count for the later one"]


def test_the_earlier_images_of_a_lesion_in_two_splits_are_left_out(tmp_path):
    folder = lists(tmp_path / "BCN20000", train=["I1.jpg,6", "I2.jpg,6"], test=["I3.jpg,6"])
    groups = {"I1": "bcn20000/L1", "I2": "bcn20000/L2", "I3": "bcn20000/L1"}
    found = collected(*(case(f"bcn20000/{name}", group=group) for name, group in groups.items()))
    report = apply_authors_splits(found, folder)
    reason = "patients or lesions are in several of their splits; the earlier images are left out"
    assert report[1:] == [f"bcn20000: 1 {reason}"]
    members = [Member(each.source, each.group, each.label, (each.case_id,), each.split) for each in found.cases]
    result = assign_splits(members, seed=0)
    assert result[0].split is None and "test split" in result[0].reason
    assert result[2].split == "test"


def test_ids_are_also_found_in_the_archives_spelling(tmp_path):
    folder = lists(tmp_path / "PAD_UFES_20", test=["ISIC_7.jpg,6"])
    lists(tmp_path / "Milk10k_clinic", test=["ISIC_1.jpg,6"])
    lists(tmp_path / "Milk10k_dermo", test=["ISIC_2.jpg,6"])
    milk = (case(f"milk10k/ISIC_{number}") for number in (1, 2, 3))
    found = collected(case("pad_ufes_20/PAT_1", isic_id="isic_7"), *milk)
    apply_authors_splits(found, folder)
    assert splits_of(found) == dict.fromkeys(("pad_ufes_20/PAT_1", "milk10k/ISIC_1", "milk10k/ISIC_2"), "test")


def test_a_source_without_a_match_keeps_its_own_split(tmp_path):
    folder = lists(tmp_path / "PAD_UFES_20", test=["ISIC_7.jpg,6", "ISIC_8.jpg,6"])
    found = collected(case("pad_ufes_20/PAT_1", split="validation"))
    report = apply_authors_splits(found, folder)
    assert report == ["pad_ufes_20: none of the authors' 2 ids is among its 1 cases; its own split stays"]
    assert splits_of(found) == {"pad_ufes_20/PAT_1": "validation"} and not found.left_out


def test_another_class_in_their_files_is_counted_and_ours_kept(tmp_path):
    folder = lists(tmp_path / "SD198", test=["a.png,6", "b.png,2"])
    found = collected(case("sd198/a"), case("sd198/b"))
    assert apply_authors_splits(found, folder)[1:] == ["sd198: 1 have another class in their files; ours is kept"]
    assert {each.label for each in found.cases} == {"melanoma"}
    own = collected(case("sd198/a", label="psoriasis"))  # a folder's own labels are not compared
    assert len(apply_authors_splits(own, folder)) == 1


@pytest.mark.parametrize("folder, words", [("gone", "is not there"), ("empty", "has no split files for sd198")])
def test_a_folder_without_lists_is_an_error(tmp_path, folder, words):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CasesError, match=words):
        apply_authors_splits(collected(case("sd198/a")), tmp_path / folder)


def test_prepare_uses_and_reports_them(tmp_path, capsys):
    names = [f"{number:02d}HB" for number in range(9)]
    for index, name in enumerate(names):
        noisy(tmp_path / "sd198" / "Malignant_Melanoma" / f"{name}.jpg", index)
    splits = {"train": (0, 1, 2, 3), "valid": (4, 7), "test": (4, 5, 6)}  # number 4 in two of them, number 8 in none
    listed = {split: [f"{names[index]}.png,6" for index in chosen] for split, chosen in splits.items()}
    folder = lists(tmp_path / "CSV" / "SD198", **listed)
    out = tmp_path / "cases"
    command = [f"sd198={tmp_path / 'sd198'}", "--out", str(out), "--workers", "1", "--authors-splits", str(folder)]
    assert prepare.main(command) == 0
    found = Cases.read(out).table.set_index("case_id")["split"].to_dict()
    expected = [*["train"] * 4, *["test"] * 3, "validation"]
    assert [found[f"sd198/Malignant_Melanoma/{name}"] for name in names[:8]] == expected and len(found) == 8
    printed = capsys.readouterr().out
    assert "sd198: 8 cases in the authors' splits; 1 are not in their files and left out" in printed
    assert len(json.loads((out / "summary.json").read_text())["authors_splits"]) == 2
    assert prepare.main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    (folder / "SD198" / "labels_test.csv").write_text(f"{names[5]}.png,6\n")
    assert prepare.main(command) == 0
    assert "nothing to do" not in capsys.readouterr().out


def names_in(path: Path) -> list[str]:
    return [row[0].rsplit(".", 1)[0] for row in csv.reader(path.open())]


@pytest.mark.real_data
def test_every_real_list_is_read_completely():
    folders = {name for source in catalogue.entries() for name in catalogue.authors_lists(source)}
    real = sorted(path for path in REAL.iterdir() if path.is_dir())
    assert {path.name for path in real} <= folders
    for folder in real:
        files = {split: folder / file for file, split in FILES.items() if (folder / file).is_file()}
        lines = {split: names_in(path) for split, path in files.items()}
        listed = read_lists([folder])
        assert set(listed.split) == {name.lower() for names in lines.values() for name in names}
        assert sum(map(len, lines.values())) == len(listed.split) + len(listed.in_several)
        assert len(listed.in_several) == (79 if folder.name == "Derm7pt" else 0)
        assert Counter(listed.split.values())["test"] == len(lines["test"])


@pytest.mark.real_data
def test_the_real_list_of_bcn20000_divides_its_lesions():
    """ISIC 2019 names the lesion of 12,413 of its images."""
    rows = rows_of(TABLES / "isic2019_bcn20000" / "ISIC_2019_Training_Metadata.csv")
    named = [row for row in rows if row["lesion_id"].startswith("BCN_")]
    found = collected(*(case(f"bcn20000/{row['image']}", group=row["lesion_id"]) for row in named))
    report = apply_authors_splits(found, REAL)
    splits = {name.lower(): split for file, split in FILES.items() for name in names_in(REAL / "BCN20000" / file)}
    lesions = defaultdict(set)
    for row in named:
        lesions[row["lesion_id"]].add(splits[row["image"].lower()])
    assert sum(len(each) > 1 for each in lesions.values()) == 2050
    assert any(line.startswith("bcn20000: 2050 patients or lesions are in several of their splits") for line in report)
    assert len(found.cases) == len(named) == 12413
