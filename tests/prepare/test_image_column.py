"""Stored images: mapped from disk once and shared by processes; decoded to squares in order, one batch ahead."""

from __future__ import annotations

import multiprocessing
import operator
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader

from dermnote.errors import CasesError, ImageError
from tests.places import REPOSITORY
from tests.tiny_cases import NAMES, case_row, square, write_cases
from train.data import image_cache, image_column
from train.data.cases import Cases, schema
from train.data.image_cache import Squares, decode_square, square_batches
from train.data.image_column import JpegColumn, mapped_files

KINDS = [0, 1, 2] * 7


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """21 training cases in two parts of small row groups, 6 for validation."""
    monkeypatch.delenv("DERMNOTE_CACHE", raising=False)
    folder = write_cases(tmp_path / "cases", [], KINDS[:6])
    rows = [case_row("train", number, kind, NAMES) for number, kind in enumerate(KINDS)]
    for part, some in enumerate((rows[:13], rows[13:])):
        write_part(folder / "data" / f"train-0000{part}-of-00002.parquet", some)
    return folder


def write_part(path: Path, rows: list[dict[str, object]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path, row_group_size=5, compression="zstd")


def mapped(folder: Path, **chosen: list[str]) -> Cases:
    return Cases.read(folder, **chosen, in_memory=0)


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    found = (folder / ".arrow").glob("*.arrow")
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def test_the_same_cases_as_in_memory(folder: Path) -> None:
    for chosen in ({}, {"splits": ["train"]}, {"splits": ["validation", "train"]}, {"sources": ["squares"]}):
        ours, theirs = mapped(folder, **chosen), Cases.read(folder, **chosen)
        assert list(ours.images) == list(theirs.images) and all(ours.images)
        assert ours.table.equals(theirs.table)
    shutil.rmtree(folder / ".arrow")
    Cases.read(folder)
    assert not (folder / ".arrow").exists()  # reading a small folder writes nothing
    rows = np.random.default_rng(0).integers(0, 27, 60)
    assert list(mapped(folder).select(rows).images) == list(Cases.read(folder).select(rows).images)


def test_a_source_is_chosen_in_every_part(folder: Path) -> None:
    path = folder / "data" / "train-00000-of-00002.parquet"
    rows = pq.read_table(path).to_pylist()
    for row in rows[::2]:
        row["source"] = "other"
    write_part(path, rows)
    summary = folder / "summary.json"
    summary.write_text(summary.read_text().replace('"squares": {', '"other": {}, "squares": {'))
    for read in (mapped, Cases.read):
        chosen = read(folder, splits=["train"], sources=["other"])
        assert list(chosen.images) == [row["image"]["bytes"] for row in rows[::2]]


def test_files_are_made_once_and_shared(folder: Path) -> None:
    (folder / ".arrow" / ".killed.part").mkdir(parents=True)  # of a killed process
    mapped(folder, splits=["train"])
    first = files_of(folder)
    assert len(first) == 2
    mapped(folder)
    again = files_of(folder)
    assert len(again) == 3 and first.items() <= again.items()
    assert not list((folder / ".arrow").glob("*.part"))


def test_a_changed_part_is_written_again_and_its_old_file_removed(folder: Path) -> None:
    held = mapped(folder, splits=["train"])
    before, old = files_of(folder), held.images[0]
    path = folder / "data" / "train-00000-of-00002.parquet"
    times = path.stat()
    rows = pq.read_table(path).to_pylist()
    rows[0], rows[1] = rows[1], rows[0]
    write_part(path, rows)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a copy that keeps the time would have it
    assert mapped(folder, splits=["train"]).images[1] == old
    after = files_of(folder)
    assert len(after) == 2 and len(after.items() & before.items()) == 1
    assert held.images[0] == old  # an open file stays readable
    path.unlink()
    write_part(folder / "data" / "train-00001-of-00002.parquet", rows)
    mapped(folder, splits=["train"])
    assert len(files_of(folder)) == 1


def test_large_row_groups_are_copied_in_small_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = list(Cases.read(folder, splits=["validation"]).images)
    monkeypatch.setattr(image_column, "BATCH_BYTES", 2.5 * len(expected[0]))
    assert list(mapped(folder, splits=["validation"]).images) == expected
    [path] = (folder / ".arrow").glob("*.arrow")
    assert pa.ipc.open_file(str(path)).num_record_batches >= 3


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_another_process_maps_the_files_too(folder: Path, how: str) -> None:
    images = mapped(folder, splits=["train"]).images[4:9]
    assert len(pickle.dumps(images)) < 2000 < sum(map(len, images))  # file names are pickled, not images
    with ProcessPoolExecutor(1, multiprocessing.get_context(how)) as pool:
        assert pool.submit(operator.getitem, images, 2).result() == images[2]
    if how == "fork":
        squares = Squares(images, 16, cache_bytes=0)
        loaded = torch.cat(list(DataLoader(squares, batch_size=4, num_workers=2)))
        assert torch.equal(loaded, torch.stack([squares[row] for row in range(len(squares))]))


@pytest.mark.slow
def test_many_processes_starting_at_once_agree(folder: Path) -> None:
    code = "import sys, hashlib; from train.data.cases import Cases; "
    code += "print(hashlib.sha256(b''.join(Cases.read(sys.argv[1], in_memory=0).images)).hexdigest())"
    command = [sys.executable, "-c", code, str(folder)]
    started = [subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    outputs = [process.communicate(timeout=120)[0] for process in started]
    assert all(process.returncode == 0 for process in started)
    assert len(set(outputs)) == 1
    assert len(files_of(folder)) == 3 and not list((folder / ".arrow").glob("*.part"))


def test_the_cache_folder_is_used_with_a_subfolder_each(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMNOTE_CACHE", str(tmp_path / "cache"))
    other = shutil.copytree(folder, tmp_path / "other")
    mapped(folder)
    mapped(other)
    assert not (folder / ".arrow").exists()
    places = list((tmp_path / "cache" / "cases").iterdir())
    assert len(places) == 2 and all(len(list(each.glob("*.arrow"))) == 3 for each in places)


def refuse_writing(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Imitate a read-only file system; file modes do not bind the superuser."""
    make: Callable[..., None] = Path.mkdir

    def mkdir(self: Path, *args: object, **options: object) -> None:
        if any(self.is_relative_to(folder) for folder in folders):
            raise OSError(30, "Read-only file system", str(self))
        make(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)


def test_the_home_folder_is_used_if_the_cases_are_read_only(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    refuse_writing(monkeypatch, folder)
    assert list(mapped(folder).images) == list(Cases.read(folder).images)
    assert len(list((tmp_path / "home" / ".cache" / "dermnote" / "cases").glob("*/*.arrow"))) == 3
    refuse_writing(monkeypatch, folder, tmp_path / "home")
    assert mapped(folder).images[0]  # existing files need no writable folder
    shutil.rmtree(tmp_path / "home")
    with pytest.raises(CasesError, match="nothing can be written in") as caught:
        mapped(folder)
    assert "DERMNOTE_CACHE" in caught.value.hint and "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(part: Path, path: Path, bar: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as during_writing:
        during_writing.setattr(image_column, "_write", full)
        with pytest.raises(CasesError, match=r"cannot be mapped in .*: No space left on device") as caught:
            mapped(folder)
    assert "\n" not in str(caught.value)
    usage = shutil.disk_usage(folder)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CasesError, match=r"takes 0\.0 GB .* has 0\.0 GB free") as caught:
        mapped(folder)
    assert "DERMNOTE_CACHE" in caught.value.hint
    assert [path.name for path in (folder / ".arrow").iterdir()] == [".lock"]


def test_a_missing_or_truncated_file_is_an_error(folder: Path) -> None:
    files = mapped_files(folder, sorted((folder / "data").glob("train-*")))
    files[1].write_bytes(files[1].read_bytes()[:500])
    with pytest.raises(CasesError, match="gone or damaged"):
        JpegColumn.mapped(files)
    files[1].unlink()
    with pytest.raises(CasesError, match="gone or damaged"):
        JpegColumn.mapped(files)


@pytest.mark.parametrize("in_memory", [0, 1e9])
def test_cases_without_an_image_are_named_before_anything_is_decoded(folder: Path, in_memory: float) -> None:
    path = folder / "data" / "train-00001-of-00002.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[0]["image"]["bytes"] = None
    rows[2]["image"]["bytes"] = b""
    rows[3]["image"] = None
    rows[6]["image"]["bytes"] = None
    write_part(path, rows)
    ids = [rows[i]["case_id"] for i in (0, 2, 3)]
    with pytest.raises(CasesError, match="4 of 27 cases in .* have no image: " + ", ".join(ids) + " and 1 more"):
        Cases.read(folder, in_memory=in_memory)
    assert len(Cases.read(folder, splits=["validation"], in_memory=in_memory)) == 6


def test_a_damaged_part_and_a_foreign_one_are_one_line(folder: Path) -> None:
    path = folder / "data" / "train-00001-of-00002.parquet"
    whole = path.read_bytes()
    pq.write_table(pq.read_table(path).drop_columns(["group", "image"]), path)
    with pytest.raises(CasesError, match="has no column image, group"):
        mapped(folder)
    path.write_bytes(whole[:-2000])
    with pytest.raises(CasesError, match="damaged"):
        mapped(folder)


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return [square(row % 3, row) for row in range(23)]


@pytest.mark.parametrize("cache_bytes", [0, 1e9])
@pytest.mark.parametrize("rows", [None, range(4, 17), range(20, 23), range(5, 5)])
def test_squares_come_in_order_with_their_rows(jpegs: list[bytes], cache_bytes: float, rows: range | None) -> None:
    batches = list(Squares(jpegs, 16, cache_bytes).batches(4, rows))
    expected = list(rows if rows is not None else range(23))
    assert [first + at for first, batch in batches for at in range(len(batch))] == expected
    assert all(len(batch) == 4 for _, batch in batches[:-1])
    for first, batch in batches:
        assert torch.equal(batch, torch.stack([decode_square(jpegs[first + at], 16) for at in range(len(batch))]))


def test_no_more_than_one_batch_is_decoded_ahead(jpegs: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader slower than the decoding threads holds two batches, not the set."""
    started, lock = [0], threading.Lock()

    def counted(jpeg: bytes, size: int) -> torch.Tensor:
        with lock:
            started[0] += 1
        return decode_square(jpeg, size)

    monkeypatch.setattr(image_cache, "decode_square", counted)
    for number, _ in enumerate(square_batches(jpegs, 16, 4), start=1):
        time.sleep(0.02)  # long enough to decode all that was started
        assert started[0] <= 4 * (number + 1)
    assert started[0] == 23 and list(square_batches([], 16, 4)) == []


@pytest.mark.parametrize("cache_bytes", [0, 1e9])
def test_a_damaged_stored_image_is_one_clear_error(jpegs: list[bytes], cache_bytes: float) -> None:
    with pytest.raises(ImageError, match="A stored picture is damaged") as caught:
        list(Squares([*jpegs[:5], jpegs[5][:200], *jpegs[6:]], 16, cache_bytes).batches(4))
    assert caught.value.hint == "Prepare the cases again." and "\n" not in str(caught.value)
