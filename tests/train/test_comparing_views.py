"""Views of the cases: what a partition learns from and is tested on, with nobody on both sides."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_cases import case_row

from dermnote.errors import CasesError, ConfigError
from train.comparison.plan import Partition, Where
from train.comparison.views import choose, view_of
from train.data.cases import Cases, schema

NAMES = ("melanoma", "melanocytic nevus", "vascular lesion")
# split, source, modality, group: lesion "both" was taken twice
ROWS = [
    ("train", "a", "dermoscopy", "g0"),
    ("train", "a", "dermoscopy", "both"),
    ("train", "a", "clinical", "both"),
    ("train", "b", "clinical", "g1"),
    ("validation", "a", "dermoscopy", "g2"),
    ("validation", "b", "clinical", "g3"),
    ("test", "a", "dermoscopy", "g4"),
    ("test", "b", "clinical", "g5"),
]
AWAY = Partition(train_on=Where(modality="dermoscopy"), test_on=Where(modality="clinical"), test_splits="all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("views") / "cases"
    (path / "data").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        rows = [
            {**case_row(split, i, i % 3, NAMES), "source": source, "modality": modality, "group": group}
            for i, (own, source, modality, group) in enumerate(ROWS)
            if own == split
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path / "data" / f"{split}-00000-of-00001.parquet")
    sources = {name: {"licence": "cc0-1.0"} for name in "ab"}
    (path / "summary.json").write_text(json.dumps({"classnames": list(NAMES), "sources": sources, "splits": {}}))
    return path


def shown(view_folder: Path, split: str) -> list[str]:
    return sorted(Cases.read(view_folder, splits=[split]).table["group"])


def test_a_lesion_seen_in_training_is_not_tested_on(folder: Path, tmp_path: Path) -> None:
    view = view_of(folder, AWAY, tmp_path / "away", "away")
    assert shown(view.folder, "train") == ["both", "g0"] and shown(view.folder, "validation") == ["g2"]
    assert shown(view.folder, "external") == ["g1", "g3", "g5"]
    assert view.told.startswith("1 cases are not tested on")
    assert view.count("train", "external") == 5
    whole = Cases.read(view.folder)
    by_id = dict(zip(Cases.read(folder).table["case_id"], Cases.read(folder).images, strict=True))
    assert all(by_id[case_id] == image for case_id, image in zip(whole.table["case_id"], whole.images, strict=True))
    assert whole.classnames == NAMES and (whole.table["split"] == "external").sum() == 3


def test_or_leaves_training_where_the_test_comes_first(folder: Path, tmp_path: Path) -> None:
    partition = Partition(test_on=Where(noted=True), test_splits="all", lesions_in_both="test")
    ids = Cases.read(folder).table.query("group == 'both' and modality == 'dermoscopy'")["case_id"]
    view = view_of(folder, partition, tmp_path / "noted", "noted", set(ids))
    assert shown(view.folder, "external") == ["both"] and shown(view.folder, "train") == ["g0", "g1"]
    assert "are not learnt from" in view.told


def test_no_patient_and_no_picture_is_on_both_sides() -> None:
    rows = [("train", "g0", "x"), ("train", "g1", "y"), ("test", "g2", "x"), ("test", "g1", "z"), ("test", "g3", "w")]
    table = pd.DataFrame(rows, columns=["split", "group", "content_sha256"])
    table = table.assign(case_id=range(5), source="a", modality="dermoscopy").astype({"case_id": str})
    split, told = choose(table, Partition())
    assert list(split) == ["train", "train", "", "", "test"] and told.startswith("2 cases")


def test_what_shows_all_is_no_copy_and_what_is_whole_is_linked(folder: Path, tmp_path: Path) -> None:
    assert view_of(folder, Partition(), tmp_path / "all", "all").folder == folder
    assert not (tmp_path / "all").exists()
    only_a = Partition(train_on=Where(without=("b", "drawn")))
    view = view_of(folder, only_a, tmp_path / "a", "a")
    files = {path.name.split("-")[0]: path for path in (view.folder / "data").iterdir()}
    assert files["test"].is_symlink() and not files["train"].is_symlink()
    before = files["train"].stat().st_mtime_ns
    assert view_of(folder, only_a, tmp_path / "a", "a").fingerprint == view.fingerprint
    assert files["train"].stat().st_mtime_ns == before  # it stands, so it is not written again
    assert not (tmp_path / "look").exists()
    assert view_of(folder, only_a, tmp_path / "look", "a", write=False).fingerprint == view.fingerprint
    assert not (tmp_path / "look").exists()


def test_restrictions_that_cannot_be_meant_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Partition p names the source 'c'"):
        view_of(folder, Partition(test_on=Where(sources=("c",))), tmp_path / "p", "p")
    nothing = Partition(train_on=Where(sources=("b",), modality="dermoscopy"))
    with pytest.raises(CasesError, match=r"Partition p has no cases of .* to learn from"):
        view_of(folder, nothing, tmp_path / "p", "p")
