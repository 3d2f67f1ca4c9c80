"""The Batch tab in Chromium: upload, progress, stop and download."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import Served, keep, open_page
from playwright.sync_api import Browser, Page, expect
from standin import as_jpeg, scribble

from tests.app.zips import zipped

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)
JPEGS = [as_jpeg(scribble(seed, 400)) for seed in range(4)]
NASTY = "<img src=x onerror=document.title='run'>.jpg"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As many pictures as may be given at a time."""
    path = tmp_path_factory.mktemp("zips") / "many.zip"
    path.write_bytes(zipped({f"{number:03}.jpg": JPEGS[number % 4] for number in range(200)}))
    return path


def written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def open_tab(browser: Browser, served: Served, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    page, outside = open_page(browser, served, width, scheme)
    if not page.get_by_role("tab", name="Batch").is_visible():  # on a phone some tabs are folded away
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text="Batch").click()
    else:
        page.get_by_role("tab", name="Batch").click()
    return page, outside


def drop(page: Page, *paths: Path) -> None:
    page.locator("#batch-files input[type=file]").set_input_files(list(map(str, paths)))


def download(page: Page, button: str) -> str:
    with page.expect_download() as expected:
        page.get_by_role("button", name=button).click()
    return Path(expected.value.path()).read_text(encoding="utf-8")


def kept(served: Served, ending: str) -> list[Path]:
    return list(served.uploads.rglob(f"*{ending}"))


def soon(holds: Callable[[], bool]) -> bool:
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.1)
    return False


def test_zip_with_a_table_gives_classes_notes_and_two_downloads(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    table = b"file,label,age,dx\na.jpg,melanoma,61,x\nlost.jpg,nevus,3,y\n"
    members = {"set/a.jpg": JPEGS[0], "set/" + NASTY: JPEGS[1], "set/letter.jpg": b"Dear", "readme.txt": b"x"}
    page, outside = open_tab(browser, served)
    expect(page.get_by_text("At most 200 pictures at a time")).to_be_visible()
    drop(page, written(tmp_path, "set.zip", zipped(members)), written(tmp_path, "table.csv", table))
    ready = page.locator("#batch-given")
    expect(ready).to_contain_text("3 pictures to read.")
    expect(ready).to_contain_text("table.csv describes 1 of them. Columns used: label, age; not used: dx.")
    page.get_by_role("button", name="Read all").click()
    results = page.locator("#batch-results")
    expect(results.get_by_role("heading", name="2 of 3 read, 1 failed.")).to_be_visible()
    expect(results.locator(".dn-batch li img")).to_have_count(2)
    expect(results.get_by_role("region", name="1 file failed")).to_contain_text("letter.jpg It is not a picture")
    expect(results.get_by_role("region", name="Not used")).to_contain_text("lost.jpg")
    expect(results.get_by_text("Research use only, never a diagnosis.").first).to_be_visible()
    rows = list(csv.DictReader(download(page, "Download table (CSV)").splitlines()))
    assert [row["file"] for row in rows] == list(members)[:3]
    assert rows[0]["recorded_label"] == "melanoma" and rows[0]["predicted_class"] and "61-year-old" in rows[0]["note"]
    lines = [json.loads(line) for line in download(page, "Download with audits (JSONL)").splitlines()]
    assert lines[0]["audit"]["claims"] and lines[2]["error"]
    keep(page, "batch")
    assert page.title() == "DermNote" and results.locator(".dn-file img").count() == 0
    # Read, and gone: from the input, and from the disk.
    expect(page.locator("#batch-files").get_by_text("set.zip")).to_have_count(0)
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    assert not kept(served, ".zip") and not kept(served, ".csv")
    assert not outside


def test_batch_is_stopped_and_started_again_and_delays_nobody(browser: Browser, served: Served, many: Path) -> None:
    from gradio_client import Client

    client = Client(served.url, verbose=False, analytics_enabled=False)
    page, _ = open_tab(browser, served)
    drop(page, many)
    expect(page.locator("#batch-given")).to_contain_text("200 pictures to read.")
    page.get_by_role("button", name="Read all").click()
    expect(page.locator("#batch-progress progress")).to_have_attribute("max", "200")
    client.predict(text="a dark spot", k=1, api_name="/find_images")  # a lone visitor, in the model's own queue
    expect(page.locator("#batch-progress")).to_contain_text("of 200 read")  # is answered before the batch is done
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#batch-results").get_by_role("heading", name="Stopped:")).to_be_visible()
    read = int(page.locator("#batch-results h3").first.inner_text().split()[1])
    assert 0 < read < 200
    assert len(download(page, "Download with audits (JSONL)").splitlines()) == read
    expect(page.locator("#batch-files")).to_contain_text("many")
    page.get_by_label("Clinical photo").last.check()
    page.get_by_role("button", name="Read all").click()
    expect(page.locator("#batch-progress")).to_contain_text("of 200 read")
    assert kept(served, ".zip")
    page.context.close()  # who leaves, leaves no zip behind
    assert soon(lambda: not kept(served, ".zip"))


def test_unusable_file_is_one_line_beside_the_input(browser: Browser, served: Served, tmp_path: Path) -> None:
    page, _ = open_tab(browser, served)
    alert = page.locator("#batch-given [role=alert]")
    page.get_by_role("button", name="Read all").click()
    expect(alert).to_have_text("There are no pictures yet. Drop some first, or a zip of them.")
    drop(page, written(tmp_path, "set.zip", b"no zip"))
    expect(alert).to_have_text("set.zip is not a zip that can be opened. Pack it again.")


def test_images_are_read_in_dark_mode_on_a_phone(browser: Browser, served: Served, tmp_path: Path) -> None:
    page, _ = open_tab(browser, served, 390, "dark")
    drop(page, *[written(tmp_path, f"{number} (1).jpg", data) for number, data in enumerate(JPEGS)])
    expect(page.locator("#batch-given")).to_contain_text("4 pictures to read.")
    page.get_by_role("button", name="Read all").click()
    expect(page.locator(".dn-batch li")).to_have_count(4)
    expect(page.locator(".dn-file").first).to_have_text("0 (1).jpg")
    keep(page, "batch-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
