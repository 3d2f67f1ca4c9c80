"""Reading of a batch: results, exports, and the handlers of the tab."""

from __future__ import annotations

import csv
import io
import json
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image
from standin import StandIn, as_jpeg, scribble

from dermnote.app import launch
from dermnote.app.batch.archive import MAX_FILE_MB, MAX_IMAGES, MAX_UNPACKED_MB, BatchItem, UploadedFile
from dermnote.app.batch.batch_cards import LIMITS, SHOWN, inputs_card, progress, results_cards
from dermnote.app.batch.batch_inputs import Batch, gather
from dermnote.app.batch.batch_reading import UNFORESEEN, BatchReader, ImageResults, as_csv, as_jsonl
from dermnote.app.batch.batch_tab import FINISHED, BatchTab
from dermnote.app.batch.metadata_table import KNOWN
from dermnote.app.loaded_models import FIRST, Models
from dermnote.app.service import AppService
from dermnote.errors import DermNoteError
from tests.app.zips import uploaded, zipped

NASTY = '<img src=x onerror="alert(1)">&"\'.jpg'
RESEARCH_ONLY = "Research use only, never a diagnosis."
JPEG = as_jpeg(scribble(1))


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def gathered(folder: Path, members: dict[str, bytes], stack: ExitStack) -> Batch:
    return gather([uploaded(folder, "set.zip", zipped(members))], stack)


def new_reader(model: Any = None, *, demographics: bool = True) -> BatchReader:
    return BatchReader(AppService(model or StandIn()), "dermoscopy", demographics)


def read_all(batch: Batch, reader: BatchReader | None = None) -> ImageResults:
    reader = reader or new_reader()
    return reader.results(list(reader.read_all(batch.items, threading.Lock(), threading.Event())), batch)


def rows_of(results: ImageResults) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(results))))


def test_record_is_in_note_audit_and_both_exports(tmp_path: Path, stack: ExitStack) -> None:
    table = b"file,label,age,sex,site\na.jpg,basal cell carcinoma,61,m,back\n"
    batch = gathered(tmp_path, {"a.jpg": JPEG, "b.jpg": JPEG, "t.csv": table}, stack)
    results = read_all(batch)
    recorded, predicted = rows_of(results)
    assert recorded["recorded_label"] == "basal cell carcinoma" and recorded["predicted_class"] == "melanoma"
    assert recorded["unlike_training"] == "true" and recorded["model"] == "example/lesions@v1"
    assert "diagnosed as basal cell carcinoma" in recorded["note"] and "61-year-old male" in recorded["note"]
    assert predicted["recorded_label"] == "" and "predicted by the model" in predicted["note"]
    shares = [float(value) for name, value in recorded.items() if name.startswith("p_")]
    assert len(shares) == 8 and float(recorded["probability"]) == max(shares) == float(recorded["p_melanoma"])
    lines = [json.loads(line) for line in as_jsonl(results).splitlines()]
    assert lines[0]["record"] == {"label": "basal cell carcinoma", "age": 61.0, "sex": "male", "site": "back"}
    assert {claim["verdict"] for claim in lines[0]["audit"]["claims"]} == {"supported"}
    assert lines[1]["audit"]["label_from"] == "model" and len(lines[1]["classes"]) == 8
    for row in (recorded, predicted, *lines):
        assert row["caution"] == RESEARCH_ONLY
    without = read_all(batch, new_reader(demographics=False)).read[0].note
    assert without is not None and "basal cell carcinoma" in without.text and "61" not in without.text


def test_failed_images_are_listed_and_cost_no_other(tmp_path: Path, stack: ExitStack) -> None:
    table = b"file,age\nold.jpg,old\ntwice.jpg,3\ntwice.jpg,4\n"
    images = {"a.jpg": JPEG, "letter.jpg": b"Dear", "old.jpg": JPEG, "twice.jpg": JPEG, "cut.jpg": JPEG[:600]}
    results = read_all(gathered(tmp_path, {**images, "t.csv": table}, stack))
    assert results.summary() == "1 of 5 read, 4 failed."
    errors = {each.name: each.error for each in results.failed}
    assert errors["letter.jpg"].startswith("It is not a picture") and errors["cut.jpg"].startswith("It is damaged")
    assert "'old'" in errors["old.jpg"] and "rows 3 and 4" in errors["twice.jpg"]
    rows = {row["file"]: row for row in rows_of(results)}
    assert set(rows) == {"a.jpg", *errors} and rows["letter.jpg"]["error"] == errors["letter.jpg"]
    for name in ("note", "predicted_class", "unlike_training"):
        assert rows["letter.jpg"][name] == ""
    page = results_cards(results)
    assert "4 files failed" in page and all(name in page for name in errors)


def test_unforeseen_error_costs_its_own_image_only() -> None:
    class Faulty(StandIn):
        def read_image(self, image: Image.Image, modality: str | None = "dermoscopy") -> Image.Image:
            if image.size == (64, 64):
                raise RuntimeError("/secret/path")
            return image

    small = as_jpeg(scribble(1, 64))
    batch = Batch([BatchItem("a.jpg", lambda: small), BatchItem("b.jpg", lambda: JPEG)])
    assert [each.error for each in read_all(batch, new_reader(Faulty())).images] == [UNFORESEEN, ""]


def test_exported_cells_are_never_formulas() -> None:
    item = BatchItem("=HYPERLINK(1).jpg", lambda: JPEG, {"label": "=1+1", "description": "+cmd", "site": "@x"})
    results = read_all(Batch([item]))
    [row] = rows_of(results)
    assert row["file"].startswith("'=") and row["recorded_label"] == "'=1+1"
    for value in row.values():
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert json.loads(as_jsonl(results))["file"] == "=HYPERLINK(1).jpg"  # for programs, unchanged


def test_page_escapes_text_and_says_research_only() -> None:
    items = [BatchItem(NASTY, lambda: JPEG, {"label": NASTY}), BatchItem(NASTY, lambda: b"", error=NASTY)]
    batch = Batch(items, remarks=[NASTY])
    for page in (results_cards(read_all(batch)), inputs_card(batch)):
        assert "<img src=x" not in page and 'onerror="' not in page
    assert results_cards(read_all(batch)).split("data-jsonl")[1].count(f"{RESEARCH_ONLY}</span>") == 2


def test_page_shows_the_first_images_and_says_so() -> None:
    one = new_reader().read(BatchItem("a.jpg", lambda: JPEG))
    page = results_cards(ImageResults([one] * (SHOWN + 7), SHOWN + 7, "dermoscopy", "m", ()))
    assert page.count("<li><img") == SHOWN and "hold 7 more" in page and "62%" in page and "dn-tag-malignant" in page


def test_thumbnail_keeps_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a phone of somebody"
    data = as_jpeg(scribble(2, 200), exif=exif, comment=b"somebody")
    result = new_reader().read(BatchItem("a.jpg", lambda: data))
    assert result.thumbnail and b"somebody" not in result.thumbnail
    with Image.open(io.BytesIO(result.thumbnail)) as kept:
        assert kept.size == (96, 96) and not kept.getexif()


def test_batches_take_turns_after_each_image_and_stop_on_request() -> None:
    turn, stop, held = threading.Lock(), threading.Event(), []

    def read() -> bytes:
        held.append(turn.locked())
        return JPEG

    run = new_reader().read_all([BatchItem(f"{number}.jpg", read) for number in range(5)], turn, stop)
    assert next(run).name == "0.jpg" and held == [True] and not turn.locked()
    stop.set()
    assert list(run) == [] and held == [True]


def test_page_states_the_limits_and_the_remaining_time() -> None:
    assert f"{MAX_FILE_MB}mb" == launch.MAX_UPLOAD
    for text in (f"{MAX_IMAGES} pictures", f"{MAX_FILE_MB} MB a file", f"{MAX_UNPACKED_MB} MB", *KNOWN):
        assert text in LIMITS
    assert "50 of 200 read" in progress(50, 200, 10) and "About 30 s left" in progress(50, 200, 10)
    assert "About 5 min left" in progress(10, 200, 16) and 'value="10"' in progress(10, 200, 16)
    assert "left" not in progress(0, 200, 0)


# The tab.


@pytest.fixture(scope="module")
def tab() -> BatchTab:
    with gr.Blocks():
        return BatchTab(Models(StandIn()), gr.State(FIRST))  # type: ignore[arg-type]


def upload_all(folder: Path, table: bytes = b"file\n") -> list[UploadedFile]:
    files = {"a.jpg": JPEG, "set.zip": zipped({"b.jpg": JPEG, "c.jpg": JPEG}), "t.csv": table}
    return [uploaded(folder, name, data) for name, data in files.items()]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_zips_and_tables_are_deleted_after_reading(tab: BatchTab, tmp_path: Path) -> None:
    steps = list(tab._run(FIRST, upload_all(tmp_path), "dermoscopy", True, threading.Event()))
    assert [str(step[1]).count("of 3 read") for step in steps[:4]] == [1, 1, 1, 1]
    assert "3 of 3 read." in steps[4][2] and steps[5][0] == FINISHED
    assert left(tmp_path) == {"a.jpg"}


def test_stopped_batch_keeps_its_results_and_files(tab: BatchTab, tmp_path: Path) -> None:
    stop = threading.Event()
    run = tab._run(FIRST, upload_all(tmp_path), "dermoscopy", True, stop)
    assert "0 of 3" in next(run)[1] and "1 of 3" in next(run)[1]
    tab._halt(stop)
    steps = list(run)
    assert "Stopped: 1 of 3 read." in steps[-1][2] and FINISHED not in [step[0] for step in steps]
    assert left(tmp_path) == {"a.jpg", "set.zip", "t.csv"}


def test_zips_are_deleted_when_the_visitor_leaves(tab: BatchTab, tmp_path: Path) -> None:
    run = tab._run(FIRST, upload_all(tmp_path), "dermoscopy", True, threading.Event())
    next(run), next(run), run.close()  # type: ignore[attr-defined]
    assert left(tmp_path) == {"a.jpg"}


def test_refused_batch_shows_why_and_keeps_its_files(tab: BatchTab, tmp_path: Path) -> None:
    uploads = upload_all(tmp_path, b"label\nnevus\n")
    [step] = tab._run(FIRST, uploads, "dermoscopy", True, threading.Event())
    assert 'role="alert"' in step[0] and "t.csv has no column with file names" in step[0]
    assert tab._look(uploads) == step[0] and tab._look([]) == ""
    assert left(tmp_path) == {"a.jpg", "set.zip", "t.csv"}
    [step] = tab._run(FIRST, [], "dermoscopy", True, threading.Event())
    assert "There are no pictures yet" in step[0]


@pytest.mark.slow
def test_damaged_zips_raise_nothing_but_one_line_errors(tmp_path: Path) -> None:
    """Bytes at random places of a zip are changed: it is read, refused, or its images fail."""
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
