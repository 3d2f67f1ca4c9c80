"""Every known source: its catalogue entry, and what becomes of its publisher's classes, groups, splits and rows."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from dermnote.errors import CasesError
from tests.prepare.dataset_trees import LABELS, cases_of, labels, photo, read, reasons, table
from train import prepare
from train.data import collection
from train.data.cases import Cases
from train.data.sources import NAMED, Rejected, catalogue, get_reader, row_details
from train.publishing.licences import CONDITIONS

EXAMPLES = yaml.safe_load(Path(__file__).with_name("source_rows.yaml").read_text(encoding="utf-8"))
ONE_HOT = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
Builder = Callable[[Path, list[str]], Iterable[str]]


@pytest.mark.parametrize("name", NAMED)
def test_every_entry_is_complete_and_can_be_read(name):
    about = get_reader(name).source
    assert about.name == name
    assert about.modality in ("dermoscopy", "clinical", "dermoscopy and clinical")
    assert about.licence in {*CONDITIONS, "other"}
    assert about.title and about.citation and about.layout and about.where and about.classes and about.known_issues
    layouts = catalogue.layouts(name)
    assert bool(layouts) == (name != "drawn")
    for layout in layouts:
        assert bool(layout.tables) != bool(layout.images)
        assert not layout.details or callable(getattr(row_details, layout.details))
        assert set(layout.subtypes) <= set(layout.class_of_code)
        assert len(layout.class_of_code) == sum(map(len, layout.codes.values()))  # no code is in two classes
        assert layout.by_name or not layout.codes or set(layout.codes) == set(about.classes)


def test_the_list_has_all_of_it_at_100_columns(capsys):
    with pytest.raises(SystemExit) as stopped:
        prepare.main(["--list"])
    printed = capsys.readouterr().out
    assert stopped.value.code == 0 and max(map(len, printed.splitlines())) <= 100 and "never a diagnosis" in printed
    words = " ".join(printed.split())
    for name in NAMED:
        about = get_reader(name).source
        classes = "all eight" if len(about.classes) == 8 else ", ".join(about.classes)
        parts = (f"{name} - {about.title}", about.modality, classes, about.licence, about.where, *about.known_issues)
        assert all(part in words for part in parts), name


def test_a_changed_specification_makes_its_sources_again(monkeypatch):
    def digests() -> dict[str, str]:
        catalogue.layouts.cache_clear()
        collection._code_digest.cache_clear()
        return {name: collection._code_digest((name,)) for name in ("hiba", "bcn20000", "ddi", "drawn", "my_folder")}

    before = digests()
    changed = catalogue.entries() | {
        "isic_archive": {"read": catalogue.entries()["isic_archive"]["read"] | {"header": 1}}
    }
    monkeypatch.setattr(catalogue, "entries", lambda: changed)
    after = digests()
    monkeypatch.undo()
    assert {name for name in before if before[name] != after[name]} == {"hiba", "bcn20000"}  # read as isic_archive
    assert digests() == before
    assert before["drawn"] != before["my_folder"]  # the code of the drawing counts for drawn lesions alone


def rows_with(folder: Path, codes: list[str], id_column: str, code_column: str, name: str = "I{}.jpg") -> list[dict]:
    """Write an image for each code and return its row, with the id without suffix."""
    for index in range(len(codes)):
        photo(folder / name.format(index))
    return [{id_column: Path(name.format(i)).stem, code_column: code} for i, code in enumerate(codes)]


def by_table(file: str, id_column: str, code_column: str, **more: object) -> Builder:
    def build(folder: Path, codes: list[str]) -> list[str]:
        rows = rows_with(folder / "images", codes, id_column, code_column)
        table(folder / file, *(row | more for row in rows))
        return [row[id_column] for row in rows]

    return build


def isic2019(folder: Path, codes: list[str]) -> list[str]:
    rows = [{"image": f"I{i}"} | {each: float(each == code) for each in codes} for i, code in enumerate(codes)]
    rows_with(folder / "ISIC_2019_Training_Input", codes, "image", "code")
    table(folder / "ISIC_2019_Training_GroundTruth.csv", *rows)
    return [row["image"] for row in rows]


def derm7pt(folder: Path, codes: list[str]) -> list[str]:
    rows = rows_with(folder / "images", codes, "derm", "diagnosis")
    for row in rows:
        photo(folder / "images" / f"{row['derm']}C.jpg")
    table(folder / "meta" / "meta.csv", *(row | {"clinic": f"{row['derm']}C.jpg"} for row in rows))
    for part in ("train", "valid", "test"):
        table(folder / "meta" / f"{part}_indexes.csv", {"indexes": 0})
    return [name for row in rows for name in (row["derm"], f"{row['derm']}C")]


def scin(folder: Path, codes: list[str]) -> list[str]:
    cases = rows_with(folder / "dataset" / "images", codes, "image_1_path", "case_id")
    weights = [{"case_id": code, "weighted_skin_condition_label": str({"Eczema": 0.2, code: 0.8})} for code in codes]
    table(folder / "scin_cases.csv", *cases)
    table(folder / "scin_labels.csv", *weights)
    return [row["image_1_path"] for row in cases]


def mra_midas(folder: Path, codes: list[str]) -> list[str]:
    rows = rows_with(folder / "images", codes, "midas_file_name", "midas_path")
    pd.DataFrame(rows).to_excel(folder / "release_midas.xlsx")
    return [row["midas_file_name"] for row in rows]


def by_folder(path: str, name: str) -> Builder:
    """Place an image of each code at `path`, with the id `name` (templates of the code and its number)."""

    def build(folder: Path, codes: list[str]) -> list[str]:
        for index, code in enumerate(codes):
            photo(folder / path.format(code, index))
        return [name.format(code, index) for index, code in enumerate(codes)]

    return build


BUILDERS: dict[str, Builder] = {
    "milk10k": by_table("metadata.csv", "isic_id", "label", lesion_id="L", image_type="dermoscopic"),
    "ham10000": by_table("HAM10000_metadata.csv", "image_id", "dx"),
    "pad_ufes_20": by_table("metadata.csv", "img_id", "diagnostic"),
    "isic2019": isic2019,
    "bcn20000": by_table("bcn_20k_train.csv", "bcn_filename", "diagnosis"),
    "isic2020": by_table("train.csv", "image_name", "diagnosis"),
    "hiba": by_table("metadata.csv", "isic_id", "diagnosis_3"),
    "derm12345": by_table("derm12345_metadata_train.csv", "image_id", "label"),
    "derm7pt": derm7pt,
    "dermnet": by_folder("train/Photos/{}.jpg", "Photos/{}"),
    "fitzpatrick17k": by_table("fitzpatrick17k.csv", "md5hash", "label"),
    "sd198": by_folder("images/{0}/{1}HB.jpg", "{0}/{1}HB"),
    "ddi": by_table("ddi_metadata.csv", "DDI_file", "disease"),
    "scin": scin,
    "mra_midas": mra_midas,
    "fluo_sc": by_folder("{0}/CLI_{0}_1.jpg", "CLI_{0}_1"),
    "skinl2": by_folder("Dermatoscopic/{0}/{1}_Dermatoscopic.png", "{1}_Dermatoscopic"),
    "med_node": by_folder("set/{0}/1.jpg", "{0}/1"),
}


@pytest.mark.parametrize("name", LABELS)
def test_every_diagnosis_gets_its_class(tmp_path: Path, name: str) -> None:
    ids = BUILDERS[name](tmp_path, list(LABELS[name]))
    expected = [label for label in LABELS[name].values() for _ in range(2 if name == "derm7pt" else 1)]
    items = read(name, tmp_path)
    assert labels(items) == {each: label for each, label in zip(ids, expected, strict=True) if label}
    assert reasons(items).total() == expected.count(None)
    assert all(reason.startswith(("no class for ", "no label")) for reason in reasons(items))


def build(folder: Path, example: dict[str, Any]) -> None:
    for path in example["images"]:
        photo(folder / path)
    for name, text in example.get("tables", {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(",", "\t") if example.get("tabs") else text, encoding="utf-8")
        if example.get("excel"):
            pd.read_csv(path, dtype=str, keep_default_na=False).to_excel(path.with_suffix(".xlsx"))
            path.unlink()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["name"])
def test_rows_become_cases(tmp_path: Path, example: dict[str, Any]) -> None:
    build(tmp_path, example)
    items = read(example["source"], tmp_path)
    cases = cases_of(items)
    for case, expected in zip(cases, example["cases"], strict=True):
        found: dict[str, Any] = {field: getattr(case, field) for field in set(expected) - {"image", "extra_keys"}}
        found |= {"image": case.picture.name} if "image" in expected else {}
        assert found == {field: value for field, value in expected.items() if field != "extra_keys"}
        assert set(expected.get("extra_keys", ())) <= set(case.extra)
    assert reasons(items) == example.get("reasons", {})
    if example.get("rejected"):
        file, row = example["rejected"]
        assert items[-1] == Rejected(example["source"], file, row, "the image is missing")


def test_every_source_has_an_example() -> None:
    assert {example["source"] for example in EXAMPLES} >= set(NAMED) - {"drawn", "med_node"}


def test_ph2_from_its_excel_sheet(tmp_path: Path) -> None:
    for name in ("IMD003", "IMD058"):
        photo(tmp_path / "PH2 Dataset images" / f"{name}.bmp")
    columns = {"Image Name": ["IMD003", "IMD058"], "Histological Diagnosis": [None, "Melanoma in situ"]}
    columns |= {"Common Nevus": ["X", None], "Atypical Nevus": [None, None], "Melanoma": [None, "X"]}
    columns |= {"Pigment Network\n(AT/T)": ["AT", "AT"], "Streaks\n(A/P)": ["A", "P"], "Asymmetry": [0, 2]}
    columns |= {"Light-Brown": ["X", "X"], "Black": [None, "X"]}
    pd.DataFrame(columns).to_excel(tmp_path / "PH2_dataset.xlsx", startrow=12, index=False)
    common, melanoma = read("ph2", tmp_path)
    assert (common.label, melanoma.label) == ("melanocytic nevus", "melanoma")
    assert common.description == "pigment network atypical; colours light-brown"
    assert melanoma.description == "pigment network atypical; streaks present; colours light-brown, black"
    assert (common.row, melanoma.row) == (14, 15)


def test_med_node_needs_both_its_folders(tmp_path: Path) -> None:
    photo(tmp_path / "melanoma" / "1.jpg")
    with pytest.raises(CasesError, match="does not look like med_node"):
        read("med_node", tmp_path)
    photo(tmp_path / "naevus" / "1.jpg")
    assert labels(read("med_node", tmp_path)) == {"melanoma/1": "melanoma", "naevus/1": "melanocytic nevus"}


def ham_and_2019(folder: Path) -> list[str]:
    """Write HAM10000 and ISIC 2019 with three images in common, and ten lesions of ISIC 2019 alone."""
    names = [f"ISIC_{index}" for index in range(3)]
    rows = [{"image_id": name, "lesion_id": "HAM_1" if name == "ISIC_1" else "HAM_0", "dx": "nv"} for name in names]
    rows[2] |= {"lesion_id": "HAM_2", "dx": "akiec"}
    truth, meta = [], []
    for name in (*names, *(f"ISIC_{index}" for index in range(10, 20)), "ISIC_30"):
        code = "SCC" if name == "ISIC_2" else "NV"
        truth.append({"image": name} | {each: float(each == code) for each in ONE_HOT})
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
