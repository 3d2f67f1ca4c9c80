"""Files of a batch: zips, tables, and their assembly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZIP_LZMA

import pytest
from standin import as_jpeg, scribble

from dermnote.app.batch.archive import (
    MAX_FILE_MB,
    MAX_IMAGES,
    MAX_MEMBERS,
    MAX_TABLE_MB,
    MB,
    ArchiveContents,
    UploadedFile,
    open_archive,
)
from dermnote.app.batch.batch_cards import inputs_card
from dermnote.app.batch.batch_inputs import gather, open_uploads
from dermnote.app.batch.metadata_table import match, read_table
from dermnote.errors import CasesError, ImageError
from tests.app.zips import claiming, locked, uploaded, with_link, with_long_list, zipped

JPEG = as_jpeg(scribble(1))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(folder: Path, data: bytes, stack: ExitStack) -> ArchiveContents:
    return open_archive(uploaded(folder, "set.zip", data), stack)


def test_zip_is_sorted_into_images_tables_and_skipped_files(tmp_path: Path, stack: ExitStack) -> None:
    members = {
        "set/a.jpg": JPEG,
        "set\\b.PNG": b"x",
        "table.csv": b"file\n",
        "read me.txt": b"x",
        "inner.zip": b"x",
        "__MACOSX/set/._a.jpg": b"x",
        ".DS_Store": b"x",
        "empty/": b"",
    }
    contents = opened(tmp_path, zipped(members), stack)
    assert [item.name for item in contents.items] == ["set/a.jpg", "set/b.PNG"]
    assert [item.name for item in contents.tables] == ["table.csv"]
    assert {each.name: each.reason for each in contents.skipped} == {
        "read me.txt": "not a picture",
        "inner.zip": "an archive inside the zip",
    }
    assert contents.items[0].read() == JPEG
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]  # nothing is unpacked to disk


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no zip at all", "not a zip"),
        (zipped({"a.jpg": JPEG})[:-30], "not a zip"),
        (with_long_list(), "not a zip"),
        (locked(zipped({"a.jpg": JPEG})), "password"),
        (zipped({f"{number}.txt": b"" for number in range(MAX_MEMBERS + 1)}), "1,001 files"),
        (claiming(zipped({f"{number}.jpg": JPEG for number in range(11)}), 19 * MB), "209 MB unpacked"),
        *(
            (zipped({"fine.jpg": JPEG, name: JPEG}), "leads out")
            for name in ("../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "..\\a.jpg", "C:\\a.jpg", "\\\\host\\a.jpg")
        ),
    ],
)
def test_dangerous_zip_is_refused_before_it_is_unpacked(
    tmp_path: Path, stack: ExitStack, data: bytes, message: str
) -> None:
    with pytest.raises(CasesError, match=message) as error:
        opened(tmp_path, data, stack)
    assert "\n" not in str(error.value) and str(tmp_path) not in str(error.value)


def test_deleted_zip_is_reported(tmp_path: Path, stack: ExitStack) -> None:
    with pytest.raises(CasesError, match="no longer here"):
        open_archive(UploadedFile("set.zip", tmp_path / "set.zip"), stack)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (with_link("passwords.jpg", "/etc/passwd"), "a link"),
        (claiming(zipped({"huge.jpg": JPEG}), (MAX_FILE_MB + 1) * MB), "larger than 20 MB"),
        (claiming(zipped({"huge.csv": b"file\n"}), (MAX_TABLE_MB + 1) * MB), "larger than 2 MB"),
        (zipped({"odd.jpg": JPEG}, ZIP_LZMA), "unusual"),
    ],
)
def test_unsafe_member_is_skipped(tmp_path: Path, stack: ExitStack, data: bytes, reason: str) -> None:
    contents = opened(tmp_path, data, stack)
    assert not contents.items and not contents.tables and reason in contents.skipped[0].reason


def test_member_is_never_unpacked_beyond_its_stated_size(tmp_path: Path, stack: ExitStack) -> None:
    contents = opened(tmp_path, claiming(zipped({"liar.jpg": b"\0" * 5 * MB}), 1000), stack)
    with pytest.raises(ImageError, match="damaged inside the zip"):
        contents.items[0].read()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_table_with_any_of_three_delimiters(mark: str) -> None:
    lines = [["File Name", "Label", "sex", "age", "lesion_id"], ["a.jpg", "melanoma", "F", "NA", "7"], [""] * 5]
    table = read_table(("\ufeff" + "\r\n".join(map(mark.join, lines))).encode(), "t.csv")
    assert [(row.file, dict(row.fields), row.number) for row in table.rows] == [
        ("a.jpg", {"label": "melanoma", "sex": "female"}, 2)
    ]
    assert list(table.used) == ["label", "sex", "age"] and list(table.unused) == ["lesion_id"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no column with file names"),
        (b"label,age\nnevus,3\n", "no column with file names"),
        (b"file,label,label\n", "two columns named 'label'"),
        ("file\nd\xfcrer.jpg\n".encode("latin-1"), "cannot be read as a table"),
        (b"file\n" + b'"' + b"x" * 200_000 + b'"', "cannot be read as a table"),
        (b"file\n" * (MAX_TABLE_MB * MB // 5 + 1), "larger than 2 MB"),
    ],
)
def test_invalid_table_is_one_line(data: bytes, message: str) -> None:
    with pytest.raises(CasesError, match=message) as error:
        read_table(data, "t.csv")
    assert "\n" not in str(error.value)


def test_rows_match_images_by_path_by_name_and_without_suffix() -> None:
    names = ["left/1.jpg", "right/1.jpg", "right/ISIC_2.jpg", "Scan.PNG"]
    rows = ["left/1.jpg", "./right\\1.jpg", "isic_2", "scan.png", "1.jpg", "9.jpg"]
    matched = match(read_table(("file\n" + "\n".join(rows)).encode(), "t.csv"), names)
    assert {name: [row.file for row in found] for name, found in matched.rows.items()} == {
        "left/1.jpg": ["left/1.jpg"],
        "right/1.jpg": ["./right\\1.jpg"],
        "right/ISIC_2.jpg": ["isic_2"],
        "Scan.PNG": ["scan.png"],
    }
    assert list(matched.absent) == ["9.jpg"] and list(matched.ambiguous) == ["1.jpg"]


def test_images_table_and_zip_are_combined(tmp_path: Path, stack: ExitStack) -> None:
    uploads = [
        uploaded(tmp_path, "one.jpg", JPEG),
        uploaded(tmp_path, "t.csv", b"file,label\none.jpg,nevus\ntwo.jpg,melanoma\nlost.jpg,nevus\n"),
        uploaded(tmp_path, "set.zip", zipped({"two.jpg": JPEG, "one.jpg": JPEG})),
        uploaded(tmp_path, "notes.pdf", b"x"),
    ]
    batch = gather(uploads, stack)
    items = [(item.name, item.fields.get("label")) for item in batch.items]
    assert items[:2] == [("one.jpg", "nevus"), ("two.jpg", "melanoma")] and "same name" in batch.items[2].error
    assert [each.name for each in batch.skipped] == ["notes.pdf"]
    assert batch.remarks == ["t.csv names 1 file that is not among the pictures: lost.jpg."]
    card = inputs_card(batch)
    assert "3 pictures to read" in card and "Columns used: label" in card and "1 other file left out" in card


def test_invalid_sets_of_files_are_one_line(tmp_path: Path, stack: ExitStack) -> None:
    def gather_zip(members: dict[str, bytes]) -> None:
        gather([uploaded(tmp_path, "set.zip", zipped(members))], stack)

    with pytest.raises(ImageError, match="no pictures yet"):
        gather([], stack)
    with pytest.raises(CasesError, match="no picture in it"):
        gather_zip({"letter.txt": b"Dear", "t.csv": b"file\n"})
    with pytest.raises(CasesError, match="201 pictures; the limit is 200"):
        gather_zip({f"{number}.jpg": b"" for number in range(MAX_IMAGES + 1)})
    with pytest.raises(CasesError, match=r"2 tables, among them a\.csv and b\.csv"):
        gather_zip({"a.jpg": JPEG, "a.csv": b"file\n", "b.csv": b"file\n"})


def test_thousands_of_absent_files_are_one_short_line(tmp_path: Path, stack: ExitStack) -> None:
    table = "file\n" + "\n".join(f"{number}.jpg" for number in range(5000))
    batch = gather([uploaded(tmp_path, "set.zip", zipped({"0.jpg": JPEG, "t.csv": table.encode()}))], stack)
    assert batch.remarks == [
        "t.csv names 4,999 files that are not among the pictures: 1.jpg, 2.jpg, 3.jpg and 4,996 more."
    ]


def test_uploads_keep_the_visitors_file_names() -> None:
    sent = [
        SimpleNamespace(path="/tmp/x/a1.jpg", orig_name="folder\\a (1).jpg"),
        SimpleNamespace(path="/tmp/x/b.jpg", orig_name=None),
    ]
    assert [upload.name for upload in open_uploads(sent)] == ["a (1).jpg", "b.jpg"]  # type: ignore[arg-type]
    assert open_uploads(None) == []
