"""Many pictures at once, without a browser: what is opened, what is refused, what comes of it."""

from __future__ import annotations

import csv
import io
import json
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZIP_LZMA

import gradio as gr
import pytest
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import launch
from dermnote.app.batch.archive import (
    MAX_FILE_MB,
    MAX_MEMBERS,
    MAX_PICTURES,
    MAX_TABLE_MB,
    MAX_UNPACKED_MB,
    MB,
    ArchiveContents,
    BatchItem,
    UploadedFile,
    open_archive,
)
from dermnote.app.batch.batch_cards import LIMITS, SHOWN, inputs_card, progress, results_cards
from dermnote.app.batch.batch_inputs import Batch, gather, open_uploads
from dermnote.app.batch.batch_reading import UNFORESEEN, BatchReader, BatchResults, as_csv, as_jsonl
from dermnote.app.batch.batch_tab import FINISHED, BatchTab
from dermnote.app.batch.metadata_table import KNOWN, match, read_table
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.service import AppService
from dermnote.errors import CasesError, DermNoteError, PictureError
from tests.app.zips import claiming, locked, uploaded, with_link, with_long_list, zipped

NASTY = '<img src=x onerror="alert(1)">&"\'.jpg'
JPEG = as_jpeg(scribble(1))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def opened(folder: Path, data: bytes, stack: ExitStack) -> ArchiveContents:
    return open_archive(uploaded(folder, "set.zip", data), stack)


def gathered(folder: Path, members: dict[str, bytes], stack: ExitStack) -> Batch:
    return gather([uploaded(folder, "set.zip", zipped(members))], stack)


def reader(model: Any = None, *, demographics: bool = True) -> BatchReader:
    return BatchReader(AppService(model or StandIn()), "dermoscopy", demographics)


def read_all(batch: Batch, how: BatchReader | None = None) -> BatchResults:
    how = how or reader()
    return how.results(list(how.read_all(batch.items, threading.Lock(), threading.Event())), batch)


def rows_of(results: BatchResults) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(results))))


def test_a_zip_is_sorted_into_pictures_tables_and_what_is_skipped(tmp_path: Path, stack: ExitStack) -> None:
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
    assert [path.name for path in tmp_path.iterdir()] == ["set.zip"]  # nothing was unpacked onto the disk


@pytest.mark.parametrize(
    "name", ["../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "..\\a.jpg", "C:\\a.jpg", "\\\\host\\a.jpg"]
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, stack: ExitStack, name: str) -> None:
    with pytest.raises(CasesError, match="leads out"):
        opened(tmp_path, zipped({"fine.jpg": JPEG, name: JPEG}), stack)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no zip at all", "not a zip"),
        (zipped({"a.jpg": JPEG})[:-30], "not a zip"),
        (with_long_list(), "not a zip"),
        (locked(zipped({"a.jpg": JPEG})), "password"),
        (zipped({f"{number}.txt": b"" for number in range(MAX_MEMBERS + 1)}), "1,001 files"),
        (claiming(zipped({f"{number}.jpg": JPEG for number in range(11)}), 19 * MB), "209 MB unpacked"),
    ],
)
def test_a_zip_that_could_do_harm_is_refused_before_it_is_unpacked(
    tmp_path: Path, stack: ExitStack, data: bytes, said: str
) -> None:
    with pytest.raises(CasesError, match=said) as refused:
        opened(tmp_path, data, stack)
    assert "\n" not in str(refused.value) and str(tmp_path) not in str(refused.value)


def test_a_zip_that_has_gone_meanwhile_is_asked_for_again(tmp_path: Path, stack: ExitStack) -> None:
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
def test_what_is_not_safe_to_open_is_skipped(tmp_path: Path, stack: ExitStack, data: bytes, reason: str) -> None:
    contents = opened(tmp_path, data, stack)
    assert not contents.items and not contents.tables and reason in contents.skipped[0].reason


def test_a_member_larger_than_it_claims_is_never_unpacked_beyond_that(tmp_path: Path, stack: ExitStack) -> None:
    contents = opened(tmp_path, claiming(zipped({"liar.jpg": b"\0" * 5 * MB}), 1000), stack)
    with pytest.raises(PictureError, match="damaged inside the zip"):
        contents.items[0].read()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_is_read_with_any_of_three_delimiters(mark: str) -> None:
    lines = [
        ["File Name", "Label", "sex", "age", "lesion_id"],
        ["a.jpg", "melanoma", "F", "NA", "7"],
        ["", "", "", "", ""],
    ]
    table = read_table(("\ufeff" + "\r\n".join(map(mark.join, lines))).encode(), "t.csv")
    assert [(row.file, dict(row.fields), row.number) for row in table.rows] == [
        ("a.jpg", {"label": "melanoma", "sex": "female"}, 2)
    ]
    assert list(table.used) == ["label", "sex", "age"] and list(table.unused) == ["lesion_id"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no column with file names"),
        (b"label,age\nnevus,3\n", "no column with file names"),
        (b"file,label,label\n", "two columns named 'label'"),
        ("file\nd\xfcrer.jpg\n".encode("latin-1"), "cannot be read as a table"),
        (b"file\n" + b'"' + b"x" * 200_000 + b'"', "cannot be read as a table"),
        (b"file\n" * (MAX_TABLE_MB * MB // 5 + 1), "larger than 2 MB"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(data: bytes, said: str) -> None:
    with pytest.raises(CasesError, match=said) as refused:
        read_table(data, "t.csv")
    assert "\n" not in str(refused.value)


def test_rows_find_their_pictures_by_path_by_name_and_without_the_ending() -> None:
    names = ["left/1.jpg", "right/1.jpg", "right/ISIC_2.jpg", "Scan.PNG"]
    wanted = ["left/1.jpg", "./right\\1.jpg", "isic_2", "scan.png", "1.jpg", "9.jpg"]
    table = read_table(("file\n" + "\n".join(wanted)).encode(), "t.csv")
    matched = match(table, names)
    assert {name: [row.file for row in rows] for name, rows in matched.rows.items()} == {
        "left/1.jpg": ["left/1.jpg"],
        "right/1.jpg": ["./right\\1.jpg"],
        "right/ISIC_2.jpg": ["isic_2"],
        "Scan.PNG": ["scan.png"],
    }
    assert list(matched.absent) == ["9.jpg"] and list(matched.ambiguous) == ["1.jpg"]


def test_the_record_goes_into_the_note_its_audit_and_both_downloads(tmp_path: Path, stack: ExitStack) -> None:
    table = b"file,label,age,sex,site\na.jpg,basal cell carcinoma,61,m,back\n"
    results = read_all(gathered(tmp_path, {"a.jpg": JPEG, "b.jpg": JPEG, "t.csv": table}, stack))
    told, guessed = rows_of(results)
    assert told["recorded_label"] == "basal cell carcinoma" and told["predicted_class"] == "melanoma"
    assert told["unlike_training"] == "true"  # so far does the stand-in say every picture is
    assert "diagnosed as basal cell carcinoma" in told["note"] and "61-year-old male" in told["note"]
    assert guessed["recorded_label"] == "" and "predicted by the model" in guessed["note"]
    shares = [float(value) for name, value in told.items() if name.startswith("p_")]
    assert len(shares) == 8 and float(told["probability"]) == max(shares) == float(told["p_melanoma"])
    lines = [json.loads(line) for line in as_jsonl(results).splitlines()]
    assert lines[0]["record"] == {"label": "basal cell carcinoma", "age": 61.0, "sex": "male", "site": "back"}
    assert {claim["verdict"] for claim in lines[0]["audit"]["claims"]} == {"supported"}
    assert lines[1]["audit"]["label_from"] == "model" and len(lines[1]["classes"]) == 8


def test_age_sex_and_place_are_told_only_where_that_is_wanted(tmp_path: Path, stack: ExitStack) -> None:
    batch = gathered(tmp_path, {"a.jpg": JPEG, "t.csv": b"file,label,age\na.jpg,nevus,61\n"}, stack)
    note = read_all(batch, reader(demographics=False)).read[0].note
    assert note is not None and "nevus" in note.text and "61" not in note.text


def test_what_fails_is_listed_and_costs_no_other_picture(tmp_path: Path, stack: ExitStack) -> None:
    table = b"file,age\nold.jpg,old\ntwice.jpg,3\ntwice.jpg,4\n"
    members = {
        "a.jpg": JPEG,
        "letter.jpg": b"Dear",
        "old.jpg": JPEG,
        "twice.jpg": JPEG,
        "cut.jpg": JPEG[:600],
        "t.csv": table,
    }
    results = read_all(gathered(tmp_path, members, stack))
    assert results.summary() == "1 of 5 read, 4 failed."
    errors = {each.name: each.error for each in results.failed}
    assert errors["letter.jpg"].startswith("It is not a picture") and errors["cut.jpg"].startswith("It is damaged")
    assert "'old'" in errors["old.jpg"] and "rows 3 and 4" in errors["twice.jpg"]
    rows = {row["file"]: row for row in rows_of(results)}
    assert set(rows) == {"a.jpg", *errors} and rows["letter.jpg"]["error"] == errors["letter.jpg"]
    assert rows["letter.jpg"]["note"] == rows["letter.jpg"]["predicted_class"] == ""
    assert rows["letter.jpg"]["unlike_training"] == ""
    page = results_cards(results)
    assert "4 files failed" in page and all(name in page for name in errors)


def test_an_unforeseen_fault_costs_its_own_picture_only(tmp_path: Path, stack: ExitStack) -> None:
    class Faulty(StandIn):
        def read_image(self, image: Image.Image, modality: str | None = "dermoscopy") -> Image.Image:
            if image.size == (64, 64):
                raise RuntimeError("/secret/path")
            return image

    batch = gathered(tmp_path, {"a.jpg": as_jpeg(scribble(1, 64)), "b.jpg": JPEG}, stack)
    results = read_all(batch, reader(Faulty()))
    assert [each.error for each in results.images] == [UNFORESEEN, ""]


def test_nothing_given_and_nothing_to_read_are_one_line_each(tmp_path: Path, stack: ExitStack) -> None:
    with pytest.raises(PictureError, match="no pictures yet"):
        gather([], stack)
    with pytest.raises(CasesError, match="no picture in it"):
        gathered(tmp_path, {"letter.txt": b"Dear", "t.csv": b"file\n"}, stack)
    with pytest.raises(CasesError, match="201 pictures; the limit is 200"):
        gathered(tmp_path, {f"{number}.jpg": b"" for number in range(MAX_PICTURES + 1)}, stack)
    with pytest.raises(CasesError, match=r"2 tables, among them a\.csv and b\.csv"):
        gathered(tmp_path, {"a.jpg": JPEG, "a.csv": b"file\n", "b.csv": b"file\n"}, stack)


def test_loose_pictures_a_table_and_a_zip_come_together(tmp_path: Path, stack: ExitStack) -> None:
    uploads = [
        uploaded(tmp_path, "one.jpg", JPEG),
        uploaded(tmp_path, "t.csv", b"file,label\none.jpg,nevus\ntwo.jpg,melanoma\nlost.jpg,nevus\n"),
        uploaded(tmp_path, "set.zip", zipped({"two.jpg": JPEG, "one.jpg": JPEG})),
        uploaded(tmp_path, "notes.pdf", b"x"),
    ]
    batch = gather(uploads, stack)
    assert [(item.name, item.fields.get("label")) for item in batch.items][:2] == [
        ("one.jpg", "nevus"),
        ("two.jpg", "melanoma"),
    ]
    assert "same name" in batch.items[2].error
    assert [each.name for each in batch.skipped] == ["notes.pdf"]
    assert batch.remarks == ["t.csv names 1 file that is not among the pictures: lost.jpg."]
    said = inputs_card(batch)
    assert "3 pictures to read" in said and "It tells label" in said and "1 other file left out" in said


def test_thousands_of_absent_files_are_one_short_line(tmp_path: Path, stack: ExitStack) -> None:
    table = "file\n" + "\n".join(f"{number}.jpg" for number in range(5000))
    batch = gathered(tmp_path, {"0.jpg": JPEG, "t.csv": table.encode()}, stack)
    assert batch.remarks == [
        "t.csv names 4,999 files that are not among the pictures: 1.jpg, 2.jpg, 3.jpg and 4,996 more."
    ]


def test_a_spreadsheet_runs_no_cell_of_the_table() -> None:
    record = {"label": "=1+1", "description": "+cmd", "site": "@x"}
    item = BatchItem("=HYPERLINK(1).jpg", lambda: JPEG, record)
    results = read_all(Batch([item]))
    row = rows_of(results)[0]
    assert row["file"].startswith("'=") and row["recorded_label"] == "'=1+1"
    for value in row.values():
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert json.loads(as_jsonl(results))["file"] == "=HYPERLINK(1).jpg"  # for programs, as it is


def test_outside_words_are_escaped() -> None:
    item = BatchItem(NASTY, lambda: JPEG, {"label": NASTY})
    batch = Batch([item, BatchItem(NASTY, lambda: b"", error=NASTY)], remarks=[NASTY])
    for page in (results_cards(read_all(batch)), inputs_card(batch)):
        assert "<img src=x" not in page and 'onerror="' not in page


def test_results_and_downloads_say_research_only() -> None:
    results = read_all(Batch([BatchItem("a.jpg", lambda: JPEG), BatchItem("b.jpg", lambda: b"")]))
    page = results_cards(results)
    assert page.split("data-jsonl")[1].count("Research use only, never a diagnosis.</span>") == 2
    assert {row["caution"] for row in rows_of(results)} == {"Research use only, never a diagnosis."}
    assert {json.loads(line)["caution"] for line in as_jsonl(results).splitlines()} == {
        "Research use only, never a diagnosis."
    }
    assert {row["model"] for row in rows_of(results)} == {"example/lesions@v1"}


def test_the_page_shows_the_first_and_says_so() -> None:
    one = reader().read(BatchItem("a.jpg", lambda: JPEG))
    results = BatchResults([one] * (SHOWN + 7), SHOWN + 7, "dermoscopy", "m", ())
    page = results_cards(results)
    assert page.count("<li><img") == SHOWN and "hold 7 more" in page
    assert "62%" in page and "dn-tag-malignant" in page


def test_nothing_of_a_picture_in_a_zip_but_its_pixels_is_kept() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a phone of somebody"
    outcome = reader().read(BatchItem("a.jpg", lambda: as_jpeg(scribble(2, 200), exif=exif, comment=b"somebody")))
    assert outcome.thumbnail and b"somebody" not in outcome.thumbnail
    with Image.open(io.BytesIO(outcome.thumbnail)) as kept:
        assert kept.size == (96, 96) and not kept.getexif()


def test_batches_take_turns_a_picture_at_a_time_and_stop_when_told() -> None:
    turn, stop, held = threading.Lock(), threading.Event(), []

    def read() -> bytes:
        held.append(turn.locked())
        return JPEG

    run = reader().read_all([BatchItem(f"{number}.jpg", read) for number in range(5)], turn, stop)
    assert next(run).name == "0.jpg" and held == [True]
    assert not turn.locked()  # between two pictures anybody may go first
    stop.set()
    assert list(run) == [] and held == [True]


def test_the_limits_on_the_page_are_those_that_hold() -> None:
    assert f"{MAX_FILE_MB}mb" == launch.MAX_UPLOAD
    for said in (f"{MAX_PICTURES} pictures", f"{MAX_FILE_MB} MB a file", f"{MAX_UNPACKED_MB} MB", *KNOWN):
        assert said in LIMITS


def test_progress_says_how_long_it_takes() -> None:
    assert "50 of 200 read" in progress(50, 200, 10) and "About 30 s left" in progress(50, 200, 10)
    assert "About 5 min left" in progress(10, 200, 16) and 'value="10"' in progress(10, 200, 16)
    assert "left" not in progress(0, 200, 0)


def test_uploads_go_by_the_names_their_owner_gave_them() -> None:
    sent = [
        SimpleNamespace(path="/tmp/x/a1.jpg", orig_name="folder\\a (1).jpg"),
        SimpleNamespace(path="/tmp/x/b.jpg", orig_name=None),
    ]
    assert [upload.name for upload in open_uploads(sent)] == ["a (1).jpg", "b.jpg"]  # type: ignore[arg-type]
    assert open_uploads(None) == []


@pytest.fixture(scope="module")
def tab() -> BatchTab:
    with gr.Blocks():
        return BatchTab(Models(StandIn()), gr.State(FIRST))  # type: ignore[arg-type]


def dropped(folder: Path, table: bytes = b"file\n") -> list[UploadedFile]:
    pictures = zipped({"b.jpg": JPEG, "c.jpg": JPEG})
    files = {"a.jpg": JPEG, "set.zip": pictures, "t.csv": table}
    return [uploaded(folder, name, data) for name, data in files.items()]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_zips_and_tables_are_deleted_once_they_are_read(tab: BatchTab, tmp_path: Path) -> None:
    shown = list(tab._run(FIRST, dropped(tmp_path), "dermoscopy", True, threading.Event()))
    assert [str(step[1]).count("of 3 read") for step in shown[:4]] == [1, 1, 1, 1]
    assert "3 of 3 read." in shown[4][2] and shown[5][0] == FINISHED
    assert left(tmp_path) == {"a.jpg"}


def test_who_stops_keeps_what_was_read_and_can_begin_again(tab: BatchTab, tmp_path: Path) -> None:
    stop = threading.Event()
    run = tab._run(FIRST, dropped(tmp_path), "dermoscopy", True, stop)
    assert "0 of 3" in next(run)[1] and "1 of 3" in next(run)[1]
    tab._halt(stop)
    shown = list(run)
    assert "Stopped: 1 of 3 read." in shown[-1][2] and FINISHED not in [step[0] for step in shown]
    assert left(tmp_path) == {"a.jpg", "set.zip", "t.csv"}


def test_who_leaves_leaves_no_zip_behind(tab: BatchTab, tmp_path: Path) -> None:
    run = tab._run(FIRST, dropped(tmp_path), "dermoscopy", True, threading.Event())
    next(run), next(run), run.close()  # type: ignore[attr-defined]
    assert left(tmp_path) == {"a.jpg"}


def test_what_cannot_be_begun_says_so_and_keeps_the_files(tab: BatchTab, tmp_path: Path) -> None:
    uploads = dropped(tmp_path, b"label\nnevus\n")
    (step,) = tab._run(FIRST, uploads, "dermoscopy", True, threading.Event())
    assert 'role="alert"' in step[0] and "t.csv has no column with file names" in step[0]
    assert tab._look(uploads) == step[0] and tab._look([]) == ""
    assert left(tmp_path) == {"a.jpg", "set.zip", "t.csv"}
    (step,) = tab._run(FIRST, [], "dermoscopy", True, threading.Event())
    assert "There are no pictures yet" in step[0]


def test_no_error_of_a_batch_is_anything_but_one_of_ours(tab: BatchTab, tmp_path: Path) -> None:
    """Bytes at random places of a zip are changed: it is read, refused, or its pictures fail; nothing else happens."""
    chance, whole = random.Random(0), zipped({"a.jpg": JPEG, "b/c.jpg": JPEG, "t.csv": b"file,label\na.jpg,nevus\n"})
    for _ in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            broken[chance.choice([chance.randrange(len(whole)), -chance.randint(1, 250)])] = chance.randrange(256)
        try:
            with ExitStack() as stack:
                batch = gather([uploaded(tmp_path, "set.zip", bytes(broken))], stack)
                assert UNFORESEEN not in [each.error for each in read_all(batch).images]
        except DermNoteError as error:
            assert "\n" not in str(error)
