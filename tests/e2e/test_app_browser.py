"""The app in Chromium: reading, searching and writing, as a visitor does."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import Served, drop, keep, open_page, type_in
from PIL import Image
from playwright.sync_api import Browser, expect

from train.data.sources.drawn import draw

pytestmark = pytest.mark.browser
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def lesion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo as a phone writes it: lying on its side, with maker and place."""
    path = tmp_path_factory.mktemp("pictures") / "lesion.jpg"
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a phone of somebody"
    exif.get_ifd(0x8825)[1] = "N"
    draw(99, 6, 320).save(path, exif=exif)
    return path


def test_first_page_says_research_only_and_requests_nothing_elsewhere(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    expect(page.get_by_text("Research use only, never a diagnosis.").first).to_be_visible()
    keep(page, "start")
    assert not outside


def test_dropped_image_gives_classes_note_and_similar_cases(browser: Browser, served: Served, lesion: Path) -> None:
    page, outside = open_page(browser, served)
    drop(page, lesion)
    expect(page.locator(".dn-classes li")).to_have_count(8)
    assert page.locator(".dn-share").first.inner_text().endswith("%")
    note = page.get_by_label("Written note")
    assert "Class predicted by the model" in note.input_value()
    expect(page.locator(".dn-rows .dn-hit")).to_have_count(4)
    expect(page.locator(".dn-strip .dn-hit img")).to_have_count(6)
    keep(page, "read")
    # The same picture, read again as another kind, without a second upload.
    expect(page.get_by_text("Read as dermoscopy")).to_be_visible()
    page.get_by_label("Clinical photo").check()
    expect(page.get_by_text("Read as a clinical photo")).to_be_visible()
    # And its note looked up, without typing it again.
    page.get_by_role("button", name="Find pictures for this note").click()
    expect(page.locator(".dn-grid .dn-hit")).to_have_count(6)
    assert page.get_by_label("Clinical note, or a few words").input_value() == note.input_value()
    assert not outside


def test_upload_keeps_no_metadata(browser: Browser, served: Served, lesion: Path) -> None:
    page, _ = open_page(browser, served)
    drop(page, lesion)
    expect(page.locator(".dn-classes li")).to_have_count(8)
    kept = [path for path in served.uploads.rglob("*") if path.is_file()]
    assert any(path.name == "lesion.jpg" for path in kept)
    for path in kept:
        assert b"a phone of somebody" not in path.read_bytes(), path


def test_typed_note_gives_images(browser: Browser, served: Served) -> None:
    page, outside = open_page(browser, served)
    page.get_by_role("tab", name="Search by note").click()
    page.get_by_label("Clinical note, or a few words").fill("asymmetric lesion with a pigment network")
    page.get_by_role("button", name="Find pictures", exact=True).click()
    expect(page.locator(".dn-grid .dn-hit img")).to_have_count(6)
    keep(page, "found")
    page.locator(".dn-queries button").first.click()
    expect(page.get_by_label("Clinical note, or a few words")).not_to_have_value(
        "asymmetric lesion with a pigment network"
    )
    expect(page.locator(".dn-grid .dn-hit img")).to_have_count(6)
    assert not outside


def test_text_file_named_jpg_is_one_line_beside_the_input(
    browser: Browser, served: Served, tmp_path: Path, lesion: Path
) -> None:
    wrong = tmp_path / "letter.jpg"
    wrong.write_text("Dear colleague,\n")
    page, outside = open_page(browser, served)
    drop(page, wrong)
    alert = page.locator("#picture-alert [role=alert]")
    expect(alert).to_contain_text("letter.jpg is not a picture")
    said = alert.inner_text()
    assert "\n" not in said and "/" not in said and "Traceback" not in said
    keep(page, "refused")
    drop(page, lesion)  # and the next file is taken as if nothing had happened
    expect(page.locator(".dn-classes li")).to_have_count(8)
    expect(alert).to_have_count(0)
    assert not outside


def test_note_is_written_from_the_form(browser: Browser, served: Served) -> None:
    page, _ = open_page(browser, served)
    page.get_by_text("Write a note from what you know").click()
    type_in(page.get_by_label("Description of the findings"), "a blue-gray veil")
    page.get_by_label("State age, sex and place").check()
    note = page.get_by_label("Written note")
    page.get_by_role("button", name="Write the note").click()
    expect(note).to_have_value("This record is of a skin lesion. Noted beside it: a blue-gray veil.")  # no age of 0
    page.get_by_label("Age in years").fill("old")
    page.get_by_role("button", name="Write the note").click()
    expect(page.locator("#form-alert [role=alert]")).to_contain_text("age")


def test_without_a_language_model_nothing_can_be_sent(browser: Browser, served: Served) -> None:
    page, _ = open_page(browser, served)
    page.get_by_text("Write a note from what you know").click()
    for strategy in ("M+P1:", "M+P2:", "P3:", "MIX:"):
        page.get_by_label("Strategy", exact=True).click()
        page.get_by_role("option", name=strategy).click()
        expect(page.locator("#destination")).to_contain_text("No language model is set up here")
        expect(page.get_by_role("button", name="Write the note")).to_be_disabled()


@pytest.mark.parametrize(("name", "width", "scheme"), [("dark", 1280, "dark"), ("narrow", 390, "light")])
def test_page_fits_in_dark_mode_and_on_a_phone(
    browser: Browser, served: Served, lesion: Path, name: str, width: int, scheme: str
) -> None:
    page, outside = open_page(browser, served, width, scheme)
    page.locator(".dn-example").first.click()
    expect(page.locator(".dn-classes li")).to_have_count(8)
    keep(page, name)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.querySelector('.dn-card')).backgroundColor")
    assert (ground == "rgb(28, 34, 36)") == (scheme == "dark")
    assert not outside


def test_server_looked_up_no_other_machine(served: Served) -> None:
    """Runs last, on the look-ups of all tests above."""
    assert not served.foreign_hosts()
