"""Atomic replacement of files and folders, checksums, and CSV cells."""

from __future__ import annotations

import csv
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dermnote.storage import inert, replacing_file, replacing_folder, sha256_of
from train.data.cases_writer import write_rejected
from train.data.sources.raw_case import Rejected


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


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "file") == expected


def test_spreadsheet_formulas_become_text(tmp_path: Path) -> None:
    for cell in ("=HYPERLINK(1)", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"):
        assert inert(cell) == "'" + cell
    for other in ("a=b", "nevus", "", -1.5, 7, None):
        assert inert(other) == other
    write_rejected(tmp_path / "rejected.csv", [Rejected("mine", "=cmd|' /C calc'!A0", 2, "@odd")])
    with (tmp_path / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream))[1] == ["mine", "'=cmd|' /C calc'!A0", "2", "'@odd"]
