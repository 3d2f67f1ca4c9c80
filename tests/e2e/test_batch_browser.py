"""The Batch tab in Chromium: upload, progress, stop and download."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path

import pytest
from browsing import download, drop, keep, open_tab
from gradio_client import Client
from playwright.sync_api import Page, expect
from standin import as_jpeg, scribble

from tests.app.zips import zipped
from tests.benchmarks.app_server import AppServer

pytestmark = pytest.mark.browser
JPEGS = [as_jpeg(scribble(seed, 400)) for seed in range(4)]
NASTY = "<img src=x onerror=document.title='run'>.jpg"
CSV, JSONL = ("Download table (CSV)", "dermnote-batch.csv"), ("Download with audits (JSONL)", "dermnote-batch.jsonl")


def put(page: Page, folder: Path, **files: bytes) -> None:
    """Upload files, named `name_ending`."""
    paths = [folder / name.replace("_", ".") for name in files]
    for path, data in zip(paths, files.values(), strict=True):
        path.write_bytes(data)
    drop(page, *paths, field="#batch-files")


def kept(served: AppServer, *endings: str) -> list[Path]:
    return [path for path in served.kept_files() if path.suffix in endings]


def test_zip_with_a_table_gives_classes_notes_and_two_downloads(page: Page, served: AppServer, tmp_path: Path) -> None:
    table = b"file,label,age,dx\na.jpg,melanoma,61,x\nlost.jpg,nevus,3,y\n"
    members = {"set/a.jpg": JPEGS[0], "set/" + NASTY: JPEGS[1], "set/letter.jpg": b"Dear", "readme.txt": b"x"}
    open_tab(page, "Batch")
    ready, results = page.locator("#batch-given"), page.locator("#batch-results")
    put(page, tmp_path, set_zip=zipped(members), table_csv=table)
    expect(ready).to_contain_text("3 pictures to read.")
    expect(ready).to_contain_text("table.csv describes 1 of them. Columns used: label, age; not used: dx.")
    page.get_by_role("button", name="Read all").click()
    expect(results.get_by_role("heading", name="2 of 3 read, 1 failed.")).to_be_visible()
    expect(results.locator(".dn-batch li img")).to_have_count(2)
    expect(results.get_by_role("region", name="1 file failed")).to_contain_text("letter.jpg It is not a picture")
    expect(results.get_by_role("region", name="Not used")).to_contain_text("lost.jpg")
    expect(results.get_by_text("Research use only, never a diagnosis.").first).to_be_visible()
    rows = list(csv.DictReader(download(page, *CSV).splitlines()))
    assert [row["file"] for row in rows] == list(members)[:3]
    assert rows[0]["recorded_label"] == "melanoma" and rows[0]["predicted_class"] and "61-year-old" in rows[0]["note"]
    lines = [json.loads(line) for line in download(page, *JSONL).splitlines()]
    assert lines[0]["audit"]["claims"] and lines[2]["error"]
    keep(page, "batch")
    assert page.title() == "DermNote" and results.locator(".dn-file img").count() == 0
    # After reading, the files are deleted from the input and from the disk.
    expect(page.locator("#batch-files").get_by_text("set.zip")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    assert not kept(served, ".csv")


def test_batch_is_stopped_and_started_again_and_delays_nobody(page: Page, served: AppServer, tmp_path: Path) -> None:
    client = Client(served.url, verbose=False, analytics_enabled=False)
    before = kept(served, ".zip")
    open_tab(page, "Batch")
    put(page, tmp_path, many_zip=zipped({f"{number:03}.jpg": JPEGS[number % 4] for number in range(200)}))
    expect(page.locator("#batch-given")).to_contain_text("200 pictures to read.")
    page.get_by_role("button", name="Read all").click()
    expect(page.locator("#batch-progress progress")).to_have_attribute("max", "200")
    client.predict(text="a dark spot", k=1, api_name="/find_images")  # a single visitor, in the model's own queue
    expect(page.locator("#batch-progress")).to_contain_text("of 200 read")  # is answered before the batch is done
    page.get_by_role("button", name="Stop").click()
    heading = page.locator("#batch-results").get_by_role("heading", name="Stopped:")
    expect(heading).to_be_visible()
    read = int(heading.inner_text().split()[1])
    assert 0 < read < 200 and len(download(page, *JSONL).splitlines()) == read
    expect(page.locator("#batch-files")).to_contain_text("many")
    page.get_by_label("Clinical photo").last.check()
    page.get_by_role("button", name="Read all").click()
    expect(page.locator("#batch-progress")).to_contain_text("of 200 read")
    assert len(kept(served, ".zip")) > len(before)
    page.context.close()  # a visitor who leaves, leaves no zip behind
    deadline = time.monotonic() + 20
    while len(kept(served, ".zip")) > len(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(kept(served, ".zip")) == len(before)


def test_unusable_file_is_one_line_beside_the_input(page: Page, tmp_path: Path) -> None:
    open_tab(page, "Batch")
    alert = page.locator("#batch-given [role=alert]")
    page.get_by_role("button", name="Read all").click()
    expect(alert).to_have_text("There are no pictures yet. Drop some first, or a zip of them.")
    put(page, tmp_path, broken_zip=b"no zip")
    expect(alert).to_have_text("broken.zip is not a zip that can be opened. Pack it again.")
