"""Config files, atomic storage, the classes of the taxonomy, and lesion metadata."""

from __future__ import annotations

import csv
import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dermnote.config import DermNoteConfig
from dermnote.errors import BundleError, ConfigError
from dermnote.metadata import LesionMetadata
from dermnote.storage import inert, replacing_file, replacing_folder
from dermnote.taxonomy import EIGHT, classnames, find_class
from train.data.cases_writer import write_rejected
from train.data.sources import Rejected

CONFIG = DermNoteConfig(classnames=("melanoma", "melanocytic nevus"), strategies=("m",), sources=("drawn",))


def test_a_config_round_trip_is_exact(tmp_path: Path) -> None:
    CONFIG.save(tmp_path / "config.json")
    assert DermNoteConfig.load(tmp_path / "config.json") == CONFIG
    with pytest.raises(BundleError, match="missing"):
        DermNoteConfig.load(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        *[
            ("not json", "not valid JSON"),
            ("[]", "JSON object"),
            ('{"format_version": 99}', "format 99"),
            ("{}", "None"),
        ],
        ({"temprature": 2.0}, "'temprature'.*'temperature'"),
        ({"embed_dim": "wide"}, "'embed_dim'.*a whole number.*'wide'"),
        ({"embed_dim": 0}, "embed_dim must be at least 1"),
        ({"classnames": 8}, "'classnames'.*a list of texts.*8"),
        ({"classnames": []}, "at least one class"),
        ({"licence": None}, "'licence'.*a text.*None"),
        ({"temperature": float("nan")}, "temperature must be above 0, not nan"),
        ({"temperature": 0}, "temperature must be above 0, not 0"),
        ({"temperature": {}}, "'temperature'.*a number"),
    ],
)
def test_an_invalid_config_is_refused(tmp_path: Path, written: str | dict, message: str) -> None:
    path = tmp_path / "config.json"
    CONFIG.save(path)
    path.write_text(written if isinstance(written, str) else json.dumps(json.loads(path.read_text()) | written))
    with pytest.raises(BundleError, match=message):
        DermNoteConfig.load(path)


def test_a_file_is_replaced_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with replacing_file(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    with pytest.raises(RuntimeError), replacing_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "new" and list(target.parent.iterdir()) == [target]


def test_a_folder_is_replaced_only_on_success(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with replacing_folder(target) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(RuntimeError), replacing_folder(target) as temporary:
        (temporary / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"]
    with replacing_folder(target) as temporary:
        (temporary / "c").write_text("3")
    assert [path.name for path in target.iterdir()] == ["c"] and list(tmp_path.iterdir()) == [target]


def test_concurrent_writers_leave_one_complete_file(tmp_path: Path) -> None:
    target, all_write = tmp_path / "file", threading.Barrier(4)

    def replace(content: str) -> None:
        with replacing_file(target) as temporary:
            temporary.write_text(content * 1000)
            all_write.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, "abcd"))
    assert target.read_text() in {letter * 1000 for letter in "abcd"} and list(tmp_path.iterdir()) == [target]


def test_spreadsheet_formulas_become_text(tmp_path: Path) -> None:
    for cell in ("=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"):
        assert inert(cell) == "'" + cell
    for other in ("a=b", "nevus", "", -1.5, 7, None):
        assert inert(other) == other
    write_rejected(tmp_path / "rejected.csv", [Rejected("mine", "=cmd|' /C calc'!A0", 2, "@odd")])
    with (tmp_path / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream))[1] == ["mine", "'=cmd|' /C calc'!A0", "2", "'@odd"]


def test_class_ids_are_the_authors_and_every_synonym_belongs_to_one_class() -> None:
    assert classnames("eight") == (
        *("benign keratosis", "dermatofibroma", "melanocytic nevus", "vascular lesion"),
        *("actinic keratosis", "basal cell carcinoma", "melanoma", "squamous cell carcinoma"),
    )
    assert classnames("five") == tuple(classnames("eight")[i] for i in (0, 2, 4, 5, 6))
    with pytest.raises(ConfigError, match="seven"):
        classnames("seven")
    words = [word for each in EIGHT for word in (each.name, *each.words)]
    assert len(words) == len(set(words)) and find_class("psoriasis") is None
    for each in EIGHT:
        assert all(find_class(word.upper()) is each for word in (each.name, *each.words))


def test_metadata_round_trip_and_missing_values() -> None:
    row = {"label": " melanoma ", "subtype": "  ", "age": math.nan, "sex": None, "colour": "ignored"}
    assert LesionMetadata.from_mapping(row) == LesionMetadata(label="melanoma")
    metadata = LesionMetadata(label="melanoma", age=55.0, site="trunk")
    assert LesionMetadata.from_mapping(metadata.to_mapping()) == metadata
    assert metadata.to_mapping() == {"label": "melanoma", "age": 55.0, "site": "trunk"}
