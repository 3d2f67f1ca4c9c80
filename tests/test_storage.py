from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dermnote.storage import replacing_file, replacing_folder, sha256_of


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    with replacing_file(target) as aside:
        aside.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing_file(target) as aside:
        aside.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with replacing_folder(target) as aside:
        (aside / "a").write_text("1")
    with pytest.raises(RuntimeError), replacing_folder(target) as aside:
        (aside / "b").write_text("2")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"]
    with replacing_folder(target) as aside:
        (aside / "c").write_text("3")
    assert [path.name for path in target.iterdir()] == ["c"]
    assert list(tmp_path.iterdir()) == [target]


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "file") == expected


def test_several_threads_replace_the_same_file_and_one_of_them_whole(tmp_path: Path) -> None:
    target, all_write = tmp_path / "picture", threading.Barrier(4)

    def replace(content: str) -> None:
        with replacing_file(target) as aside:
            aside.write_text(content * 1000)
            all_write.wait()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, "abcd"))
    assert target.read_text() in {letter * 1000 for letter in "abcd"} and list(tmp_path.iterdir()) == [target]
