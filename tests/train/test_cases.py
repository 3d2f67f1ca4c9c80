import csv
import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from dermnote.errors import CasesError
from train import prepare
from train.data.cases import COLUMNS, Cases
from train.note_generation.note_run import Records


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two small sources, one of them external: all four splits."""
    base = tmp_path_factory.mktemp("small")
    for source in ("near", "far"):
        (base / source).mkdir()
        rows = []
        for index in range(40):
            pixels = np.random.default_rng([index, source == "far"]).integers(0, 255, (5, 7, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((70, 50)).save(base / source / f"{index}.png")
            label = ("melanoma", "nevus")[index % 2]
            rows.append(
                {"file_name": f"{index}.png", "label": label, "age": "" if index == 3 else index + 20, "ward": "é"}
            )
        with (base / source / "metadata.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    out = base / "cases"
    specs = [f"near={base / 'near'}", f"far={base / 'far'}"]
    assert prepare.main([*specs, "--external", "far", "--out", str(out), "--workers", "1"]) == 0
    return out


def test_reading_all_and_parts(folder):
    cases = Cases.read(folder)
    assert len(cases) == len(cases.images) == 80
    assert list(cases.table.columns) == [name for name in COLUMNS if name != "image"]
    assert list(cases.table.index) == list(range(80))
    assert set(Cases.read(folder, splits=["external"]).table["source"]) == {"far"}
    near = Cases.read(folder, sources=["near"])
    assert len(near) == 40
    part = Cases.read(folder, splits=["test", "validation"], sources=["near"])
    assert set(part.table["split"]) == {"test", "validation"}
    assert 0 < len(part) < 40


def test_pictures_belong_to_their_rows(folder):
    cases = Cases.read(folder)
    for index in (0, 33, 79):
        name, source = cases.table.loc[index, "case_id"].split("/")[1], cases.table.loc[index, "source"]
        with Image.open(folder.parent / source / name) as original:
            expected = original.convert("RGB").resize((358, 256), Image.Resampling.BILINEAR)
        stored = Image.open(io.BytesIO(cases.images[index]))
        assert stored.size == expected.size
        assert np.abs(np.asarray(stored, float) - np.asarray(expected, float)).mean() < 4


def test_selecting(folder):
    cases = Cases.read(folder)
    mask = cases.table["label"] == "melanoma"
    chosen = cases.select(mask)
    assert len(chosen) == len(chosen.images) == 40
    assert chosen.table["case_id"].tolist() == cases.table.loc[mask, "case_id"].tolist()
    assert list(chosen.table.index) == list(range(40))
    again = chosen.select([7, 2])
    rows = np.flatnonzero(mask)
    assert again.images[0] == cases.images[rows[7]]
    assert again.images[-1] == cases.images[rows[2]]
    assert list(again.images[:1]) == [cases.images[rows[7]]]
    with pytest.raises(IndexError):
        again.images[2]


def test_metadata_of_a_case(folder):
    cases = Cases.read(folder)
    index = int(np.flatnonzero(cases.table["case_id"] == "near/3.png")[0])
    known = Records(cases).metadata(index)
    assert (known.label, known.malignancy, known.age) == ("melanocytic nevus", "benign", None)
    assert json.loads(cases.table.loc[index, "extra"]) == {"ward": "é"}


def test_images_travel_to_another_process(folder):
    cases = Cases.read(folder).select([4, 1])
    assert list(pickle.loads(pickle.dumps(cases.images))) == list(cases.images)


def test_hugging_face_datasets_reads_the_folder(folder, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    assert set(loaded) == {"train", "validation", "test", "external"}
    assert isinstance(loaded["train"].features["image"], datasets.Image)
    assert list(loaded["train"].features) == list(COLUMNS)
    assert loaded["external"][0]["image"].size == (358, 256)
    assert sum(map(len, loaded.values())) == 80


def test_the_card(folder):
    page = (folder / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(page.split("---")[1])
    assert [each["split"] for each in front["configs"][0]["data_files"]] == ["train", "validation", "test", "external"]
    assert front["license"] == "other"
    assert "never for a diagnosis" in page
    assert "{{" not in page


def test_the_summary_adds_up(folder):
    cases = Cases.read(folder)
    summary = cases.summary
    assert summary["splits"] == cases.table["split"].value_counts().to_dict()
    for name, source in summary["sources"].items():
        kept = cases.table[cases.table["source"] == name]
        assert source["kept"] == len(kept)
        assert source["read"] == source["kept"] + sum(source["left_out"].values()) + source["rejected"]
        for split, classes in source["splits"].items():
            assert classes == kept.loc[kept["split"] == split, "label"].value_counts().to_dict()


def test_what_is_missing_is_said_in_one_line(folder, tmp_path):
    with pytest.raises(CasesError, match="is not there"):
        Cases.read(tmp_path / "gone")
    with pytest.raises(CasesError, match=r"no summary\.json"):
        Cases.read(tmp_path)
    with pytest.raises(CasesError, match="has no split 'tset'"):
        Cases.read(folder, splits=["tset"])
    with pytest.raises(CasesError, match="has no source 'ham'"):
        Cases.read(folder, sources=["ham"])
    with pytest.raises(CasesError, match="has no cases in external of near"):
        Cases.read(folder, splits=["external"], sources=["near"])
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    next((copy / "data").glob("train-*")).write_bytes(b"PAR1 broken PAR1")
    with pytest.raises(CasesError, match="damaged"):
        Cases.read(copy)
    shutil.rmtree(copy / "data")
    with pytest.raises(CasesError, match="no cases in"):
        Cases.read(copy)
